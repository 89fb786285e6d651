"""Which tables and indexes PostgreSQL has scanned, by its own count: also inside functions."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from db.engine import Sessions
from db.tenancy import bind_tenant

_SCANS = """
select indexrelname, idx_scan from pg_stat_user_indexes where idx_scan > 0
union all
select 'all of ' || relname, seq_scan from pg_stat_user_tables where seq_scan > 0
"""


@asynccontextmanager
async def counting_scans(
    requests: Sessions, owner: Sessions, tenant: str
) -> AsyncIterator[tuple[AsyncSession, Counter[str]]]:
    """Yield a transaction of `tenant` and what it will have scanned when it is over.

    `owner` sees the counts, by the name of an index, or as `all of` a table.
    """
    scans: Counter[str] = Counter()
    before = await _scans(owner)
    async with requests.begin() as session:
        bind_tenant(session, tenant)
        await session.execute(text("select pg_stat_force_next_flush()"))
        yield session, scans
    scans.update(await _scans(owner) - before)


async def _scans(owner: Sessions) -> Counter[str]:
    async with owner() as session:
        return Counter({row[0]: row[1] for row in await session.execute(text(_SCANS))})
