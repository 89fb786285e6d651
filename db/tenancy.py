"""Each user's rows, once more by PostgreSQL itself: row level security.

A request works as `goals_app`, which owns nothing and sees the rows of one user: the transaction's
tenant. What works for all users (migrations, relay, sink, vectors, erasure, runs whose process is
gone) connects as the owner, who is a member of `goals_system` and sees everything. The tenant is
local to its transaction, so no pooled connection keeps it.
"""

from collections.abc import Iterator
from typing import Any, Final

import psycopg
from sqlalchemy import Connection, event
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session, SessionTransaction

from db.outbox import BEGIN_WAITS, RecordingSession, as_sqlalchemy, wait_first

APP_ROLE: Final = "goals_app"
SYSTEM_ROLE: Final = "goals_system"
IS_TENANT: Final = "nullif(current_setting('goals.user_id', true), '')"
"""The SQL that gives the transaction's tenant, null where there is none."""
SET_TENANT: Final = "select set_config('goals.user_id', $1, true)"
"""Names the tenant until the end of the transaction; `$1` as psycopg's raw cursors have it."""

_TENANT: Final = "tenant"
ALL: Final = "select, insert, update, delete"


def bind_tenant(session: AsyncSession, user_id: str) -> None:
    """Let each transaction of `session` see and write the rows of this user only.

    `user_id` is the verified token's. Raises ValueError where it is empty, RuntimeError where the
    session has another tenant.
    """
    if not user_id:
        raise ValueError("a tenant has an id")
    if session.info.setdefault(_TENANT, user_id) != user_id:
        raise RuntimeError("a session has one tenant")


def tenant_of(session: AsyncSession) -> str | None:
    """Return whose rows the session works with, None where it is nobody's."""
    tenant: str | None = session.info.get(_TENANT)
    return tenant


@event.listens_for(RecordingSession, "after_begin")
def _begin_as_tenant(
    session: Session, transaction: SessionTransaction, connection: Connection
) -> None:
    """Send the tenant in one message with the BEGIN, or with the statement that is next."""
    tenant = session.info.get(_TENANT)
    if tenant is None or transaction.nested:
        return
    if BEGIN_WAITS in session.info and not session.in_nested_transaction():
        wait_first(session, SET_TENANT, [tenant])
        return

    async def begin(raw: psycopg.AsyncConnection[Any]) -> None:
        async with raw.pipeline():
            await psycopg.AsyncRawCursor(raw).execute(SET_TENANT, [tenant], prepare=True)

    raw: Any = connection.connection.dbapi_connection
    try:
        raw.run_async(begin)
    except psycopg.Error as error:
        raise as_sqlalchemy(error, connection, SET_TENANT.encode()) from error


def protect(table: str, *, owned: str, grants: str = ALL) -> Iterator[str]:
    """Yield the statements after which `table` shows `goals_app` the tenant's rows only.

    `owned` is the SQL that is true of them. A new table with a user's rows needs these in its
    migration; without them `goals_app` may not touch it at all.
    """
    yield f"alter table {table} enable row level security"
    yield f"alter table {table} force row level security"
    yield f"create policy tenant on {table} to {APP_ROLE} using ({owned}) with check ({owned})"
    yield f"create policy system on {table} to {SYSTEM_ROLE} using (true) with check (true)"
    yield f"grant {grants} on {table} to {APP_ROLE}"


def unprotect(table: str) -> Iterator[str]:
    """Yield the statements that undo `protect`."""
    yield f"revoke all on {table} from {APP_ROLE}"
    yield f"drop policy system on {table}"
    yield f"drop policy tenant on {table}"
    yield f"alter table {table} no force row level security"
    yield f"alter table {table} disable row level security"
