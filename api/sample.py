"""The sample learner of the demo: a course, a goal, a finished task, an earlier submission."""

from dataclasses import dataclass
from typing import Final

from api.bootstrap import Services
from api.users_elsewhere import require_own_users
from db.enums import CourseStatus, GoalPriority, TaskStatus, TaskType
from tools.courses import create_course
from tools.goals import create_goal
from tools.schemas import CourseIn, GoalIn, SnapshotIn, TaskIn, TaskPatch, Verdict
from tools.snapshots import record_snapshot
from tools.tasks import create_task, update_task
from tools.users import get_or_create_user

WISH: Final = "Quiero aprender a escribir pruebas de mi API con pytest y a desplegarla"
QUESTIONS: Final = ("¿qué tareas tengo sobre contraseñas?", "how do I compute a percentage")

HASH_CODE: Final = """\
import hashlib
import secrets


def guardar(clave):
    sal = secrets.token_hex(16)
    return sal + hashlib.scrypt(clave.encode(), salt=sal.encode(), n=2**14, r=8, p=1).hex()
"""
WRONG_CODE: Final = '''\
def progreso(completadas, total):
    """Porcentaje de tareas completadas."""
    return round(completadas / (total + 1) * 100, 1)
'''
RIGHT_CODE: Final = '''\
def progreso(completadas, total):
    """Porcentaje de tareas completadas; 0.0 si no hay tareas."""
    if total == 0:
        return 0.0
    return round(completadas / total * 100, 1)
'''


@dataclass(frozen=True)
class Sample:
    """The ids of what was made."""

    user_id: str
    course_id: str
    task_id: str


async def make_sample(services: Services, *, username: str) -> Sample:
    """Make the sample learner in one transaction for the account and one for the rows.

    Raises SetupError where accounts are made elsewhere.
    """
    require_own_users(services.settings)
    async with services.system.begin() as session:
        user = await get_or_create_user(
            session,
            username=username,
            full_name="Lucía Fernández",
            meta={"preferences": {"language": "es"}},
            now=services.now(),
            source="demo",
        )
    async with services.open_tools(user.id, "demo") as tools:
        course = await create_course(
            tools,
            CourseIn(
                title="FastAPI desde cero",
                description="Construir y publicar una API REST con FastAPI y PostgreSQL.",
                status=CourseStatus.ACTIVE,
                progress_percentage=45.0,
                metadata={"technologies": ["Python", "FastAPI", "PostgreSQL"]},
            ),
        )
        goal = await create_goal(
            tools,
            GoalIn(
                title="Crear una API REST con autenticación JWT",
                description="Registro, inicio de sesión y rutas protegidas.",
                course_id=course.id,
                priority=GoalPriority.HIGH,
                criteria=[
                    "Implementar login y registro",
                    "Generar tokens JWT",
                    "Validar tokens en endpoints protegidos",
                ],
            ),
        )
        done = await create_task(
            tools,
            TaskIn(
                title="Guardar las contraseñas con sal y hash",
                description="Nunca guardar la contraseña; usar scrypt con una sal por usuario.",
                goal_id=goal.id,
                estimated_hours=2.0,
            ),
        )
        await record_snapshot(
            tools,
            SnapshotIn(
                task_id=done.id, file_path="auth/claves.py", language="python", code=HASH_CODE
            ),
            verdict=Verdict(passed=True, score=0.95, feedback="Sal por usuario y scrypt: bien."),
        )
        await update_task(tools, done.id, TaskPatch(status=TaskStatus.COMPLETED, actual_hours=2.5))
        open_task = await create_task(
            tools,
            TaskIn(
                title="Calcular el progreso de una meta",
                description="Escribe progreso(completadas, total): el porcentaje de tareas "
                "completadas con un decimal, y 0.0 si no hay tareas.\n"
                "Ejemplos: progreso(3, 4) == 75.0, progreso(1, 3) == 33.3, progreso(0, 0) == 0.0",
                goal_id=goal.id,
                task_type=TaskType.CODE,
                estimated_hours=1.0,
            ),
        )
    return Sample(user_id=user.id, course_id=course.id, task_id=open_task.id)
