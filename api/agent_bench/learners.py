"""Who asks: learners with goals, tasks and vectors, each with a token."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import text

from api.agent_bench.embedder import make_precomputed_embedder
from api.auth import JwtConfig, make_token
from db.base import utc_now
from db.engine import Sessions, make_engine, make_sessions
from tools.context import ToolContext
from tools.embedders import Embedder
from tools.goals import create_goal
from tools.indexing import goal_text, task_text
from tools.schemas import GoalIn, TaskIn
from tools.tasks import create_task
from tools.users import get_or_create_user

HOURS: Final = 24.0
SUBJECTS: Final = ("fechas", "listas", "textos", "ficheros")
_STATEMENT: Final = (
    "Escribe la función doble(n), que devuelve el doble de un número.\n\nEjemplo:\n"
    ">>> doble(21)\n42"
)
CODE: Final = {
    "file_path": "doble.py",
    "programming_language": "python",
    "code": 'def doble(n):\n    """Devuelve el doble de n."""\n    return 2 * n\n',
    "language": "es",
}
WISH: Final = {"wish": "Quiero aprender a probar mi API y a desplegarla", "count": 3}
_NO_VECTORS: Final = "lock table embeddings in share row exclusive mode"
_FORGET: Final = (
    "delete from code_snapshots",
    "delete from goals where ai_generated",
    "delete from embeddings where entity_type in ('code_snapshot', 'ai_feedback')",
    "delete from embeddings where entity_type = 'goal' and entity_id not in (select id from goals)",
    "delete from operations",
    "update tasks set status = 'todo', validation_result = null, completed_at = null",
)
PAGE_TITLE: Final = "Leer y comprender un programa ajeno"
NEW_TITLE: Final = "Escribir una API que valide los datos con pydantic"
_FILL: Final = """
insert into goals (id, user_id, title, description, status, priority, progress_percentage,
                   ai_generated, created_at, updated_at)
select 'gol_' || md5(u.id || n), u.id, :title, 'Con pruebas para cada error.', 'pending', 'medium',
       0, false, now() - n * interval '1 minute', now()
from users u, generate_series(1, 20) n
"""
_FORGET_GOALS: Final = (
    "delete from embeddings where entity_type = 'goal' and entity_id in"
    " (select id from goals where title = :title)",
    "delete from goals where title = :title",
)


@dataclass(frozen=True)
class Learner:
    """A learner who is signed in, a task of theirs that has an example, and one of their goals."""

    token: str
    task_id: str
    user_id: str
    goal_id: str


async def add_learners(database_url: str, jwt: JwtConfig, *, count: int) -> list[Learner]:
    """Make learners in a migrated database: four goals each, a task for each goal, all searched."""
    engine = make_engine(database_url, pool_size=1)
    try:
        sessions, embedder = make_sessions(engine), make_precomputed_embedder()
        return [await _add(sessions, embedder, jwt, name=f"learner{n}") for n in range(count)]
    finally:
        await engine.dispose()


async def fill_pages(database_url: str) -> None:
    """Give each learner a page of goals more."""
    await _change(database_url, [_FILL], {"title": PAGE_TITLE})


async def forget_goals(database_url: str) -> None:
    """Take back the goals that were made over HTTP."""
    await _change(database_url, _FORGET_GOALS, {"title": NEW_TITLE})


async def forget_answers(database_url: str) -> None:
    """Take back what the answers have stored: every round meets the same rows."""
    await _change(database_url, _FORGET, {})


async def _change(database_url: str, statements: Sequence[str], values: Mapping[str, str]) -> None:
    """Do the statements in one transaction, while nobody gives a row its vector."""
    engine = make_engine(database_url, pool_size=1)
    try:
        async with engine.begin() as connection:
            for statement in (_NO_VECTORS, *statements):
                await connection.execute(text(statement), values)
    finally:
        await engine.dispose()


async def _add(sessions: Sessions, embedder: Embedder, jwt: JwtConfig, *, name: str) -> Learner:
    now = utc_now()
    async with sessions.begin() as session:
        user = await get_or_create_user(session, username=name, now=now, source="bench")
        tools = ToolContext(session, user.id, embedder, now, "bench")
        made = [await _add_goal(tools, subject) for subject in SUBJECTS]
    token = make_token(jwt, user_id=user.id, hours=HOURS, now=now)
    goal_id, task_id = made[0]
    return Learner(token, task_id, user.id, goal_id)


async def _add_goal(tools: ToolContext, subject: str) -> tuple[str, str]:
    """Make a goal and its task, whose vectors are known before, and return their ids."""
    goal = GoalIn(
        title=f"Aprender a trabajar con {subject} en Python",
        description=f"Leer, escribir y probar código que usa {subject}.",
        criteria=[f"Usa {subject} sin errores", f"Prueba {subject} con pytest"],
    )
    task = TaskIn(title=f"Calcular el doble de {subject}", description=_STATEMENT)
    texts: Sequence[Any] = (
        goal_text(goal.title, goal.description, goal.criteria or ()),
        task_text(task.title, task.description),
    )
    await tools.embedder.embed_documents(texts)
    made = await create_goal(tools, goal)
    stored = await create_task(tools, task.model_copy(update={"goal_id": made.id}))
    return made.id, stored.id
