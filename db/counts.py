"""How many rows one user has in each table."""

from sqlalchemy import func, literal, select, union_all
from sqlalchemy.ext.asyncio import AsyncSession

from db.models import CodeSnapshot, Course, Embedding, Event, Goal, Task

TABLES = (Course, Goal, Task, CodeSnapshot, Embedding, Event)


async def count_rows(session: AsyncSession, user_id: str) -> dict[str, int]:
    """Return the user's rows by table name."""
    counts = [
        select(literal(table.__tablename__), func.count()).where(table.user_id == user_id)
        for table in TABLES
    ]
    rows = await session.execute(union_all(*counts))
    return {str(name): int(count) for name, count in rows}
