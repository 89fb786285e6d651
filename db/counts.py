"""How many rows one user has in each table."""

from typing import Final, Literal

from sqlalchemy import func, literal, select, union_all
from sqlalchemy.ext.asyncio import AsyncSession

from db.models import CodeSnapshot, Course, Embedding, Event, Goal, Task
from db.reads import Statement, execute, make_statement

TABLES = (Course, Goal, Task, CodeSnapshot, Embedding, Event)
Counted = Literal["courses", "goals", "tasks", "code_snapshots"]

UP_TO: Final[dict[Counted, Statement]] = {
    "courses": make_statement(
        "select count(*) from (select from courses where user_id = :user_id limit :limit) as first"
    ),
    "goals": make_statement(
        "select count(*) from (select from goals where user_id = :user_id limit :limit) as first"
    ),
    "tasks": make_statement(
        "select count(*) from (select from tasks where user_id = :user_id limit :limit) as first"
    ),
    "code_snapshots": make_statement(
        "select count(*)"
        " from (select from code_snapshots where user_id = :user_id limit :limit) as first"
    ),
}
"""Count a user's rows, up to a `limit`."""


async def count_rows(session: AsyncSession, user_id: str) -> dict[str, int]:
    """Return the user's rows by table name."""
    counts = [
        select(literal(table.__tablename__), func.count()).where(table.user_id == user_id)
        for table in TABLES
    ]
    rows = await session.execute(union_all(*counts))
    return {str(name): int(count) for name, count in rows}


async def count_up_to(session: AsyncSession, table: Counted, user_id: str, *, limit: int) -> int:
    """Return how many rows of a table the user has, `limit` where there are more."""
    values = {"user_id": user_id, "limit": limit}
    [(count,)] = await execute(session, UP_TO[table], values)
    return int(count)
