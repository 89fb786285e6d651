"""Pages among many rows of others, read as requests do: below row level security."""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

import psycopg
import pytest
import pytest_asyncio
from sqlalchemy.ext.asyncio import AsyncSession

from db.engine import REQUEST_OPTIONS, conninfo, make_engine, make_sessions
from db.enums import EventType
from db.goals import GoalFilter
from db.snapshots import SnapshotFilter
from db.tasks import TaskFilter
from tests.access_paths import counting_scans
from tests.database import as_app, open_database
from tools.context import ToolContext
from tools.courses import list_courses
from tools.dismissals import list_dismissals
from tools.embedders import SCRIPTED_MODEL, Embedder
from tools.embedding_models import ScriptedEmbeddings
from tools.event_log import list_events
from tools.goals import list_goals
from tools.memory import list_memory
from tools.snapshots import list_snapshots
from tools.tasks import list_tasks
from tools.threads import list_messages, list_threads

ANA: Final = "usr_7"
NOW: Final = datetime(2026, 11, 22, tzinfo=UTC)
FILL: Final = """
create temporary table made as
  select 'usr_' || owner as owner, owner || '_' || number as name,
         timestamp '2026-01-01' + number * interval '1 minute' as at
  from generate_series(1, 200) owner, generate_series(1, 30) number;
insert into users (id, email, username, hashed_password)
  select distinct owner, owner || '@tests', owner, '!' from made;
insert into courses (id, user_id, title, created_at)
  select 'crs_' || name, owner, 't', at from made;
insert into goals (id, user_id, course_id, title, created_at)
  select 'gol_' || name, owner, 'crs_' || name, 't', at from made;
insert into tasks (id, user_id, goal_id, title, task_type, created_at)
  select 'tsk_' || name, owner, 'gol_' || name, 't', 'code', at from made;
insert into code_snapshots (id, user_id, task_id, file_path, code_content, language, created_at)
  select 'cs_' || name, owner, 'tsk_' || name, 'a.py', '1', 'python', at from made;
insert into events (id, user_id, event_type, entity_type, entity_id, payload, created_at)
  select 'evt_' || name, owner, 'goal.created', 'goal', 'gol_' || name, '{}', at from made;
insert into embeddings (id, user_id, entity_type, entity_id, content, embedding, model, created_at)
  select 'emb_' || name, owner, 'goal', 'gol_' || name, 't',
         array_fill(0, array[1536])::vector, '', at from made;
insert into dismissed_findings (id, user_id, fingerprint, rule, reason, created_at)
  select 'dsm_' || name, owner, name, 'r', 'r', at from made;
insert into threads (id, user_id, created_at, updated_at)
  select 'thr_' || name, owner, at, at from made;
insert into messages (id, thread_id, user_id, position, role, content, created_at)
  select 'msg_' || name, 'thr_' || name, owner, 1, 'user', 't', at from made;
vacuum analyze;
"""

List = Callable[[ToolContext], Awaitable[Any]]


@pytest.fixture(scope="module")
def crowded_url(server_url: str, template_database: str) -> Iterator[str]:
    """Yield a database where 200 owners have 30 rows each of everything that is listed."""
    with open_database(server_url, template=template_database) as url:
        with psycopg.connect(conninfo(url), autocommit=True) as connection:
            for statement in FILL.split(";"):
                connection.execute(statement)
        yield url


Counting = Callable[[], AbstractAsyncContextManager[tuple[AsyncSession, Counter[str]]]]


@pytest_asyncio.fixture
async def counting(crowded_url: str, app_login: dict[str, str]) -> AsyncIterator[Counting]:
    """Yield what opens one of Ana's transactions and counts what it scans."""
    owner, requests = (
        make_engine(crowded_url),
        make_engine(as_app(crowded_url, app_login), options=REQUEST_OPTIONS),
    )
    yield partial(counting_scans, make_sessions(requests), make_sessions(owner), ANA)
    await requests.dispose()
    await owner.dispose()


@pytest.mark.parametrize(
    ("page", "indexes"),
    [
        (list_courses, "idx_courses_user_id"),
        (list_goals, "idx_goals_user_id"),
        (partial(list_goals, sort="-due_date"), "idx_goals_user_id"),
        (partial(list_goals, wanted=GoalFilter(course_id="crs_7_1")), "idx_goals_course_id"),
        (list_tasks, "idx_tasks_user_id"),
        (partial(list_tasks, wanted=TaskFilter(goal_id="gol_7_1")), "idx_tasks_goal_id"),
        (list_snapshots, "idx_code_snapshots_user_id idx_code_snapshots_user_lang"),
        (
            partial(list_snapshots, wanted=SnapshotFilter(language="python")),
            "idx_code_snapshots_user_id idx_code_snapshots_user_lang",
        ),
        (
            partial(list_snapshots, wanted=SnapshotFilter(task_id="tsk_7_1")),
            "idx_code_snapshots_task_id",
        ),
        (list_events, "idx_events_user_created"),
        (partial(list_events, event_type=EventType.GOAL_CREATED), "idx_events_user_created"),
        (list_memory, "idx_embeddings_user_entity_type"),
        (list_dismissals, "dismissed_findings_user_id_fingerprint_key"),
        (list_threads, "idx_threads_user_updated idx_threads_user_history"),
        (partial(list_messages, thread_id="thr_7_1"), "messages_thread_id_position_key"),
    ],
)
async def test_a_page_is_read_by_an_index_of_its_owner(
    counting: Counting, page: List, indexes: str
) -> None:
    async with counting() as (session, scans):
        tools = ToolContext(
            session=session,
            user_id=ANA,
            embedder=Embedder(SCRIPTED_MODEL, ScriptedEmbeddings()),
            now=NOW,
            source="tests",
        )
        found = await page(tools)

    assert len(found.items) >= 1
    assert scans.keys() & set(indexes.split())
    assert [name for name in scans if name.startswith("all of")] == []
