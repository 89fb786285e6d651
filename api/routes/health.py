"""`/healthz` and `/readyz`: what an orchestrator asks."""

import asyncio
from functools import cache
from typing import Final, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from api.deps import find_services
from api.problems import problems
from tools.errors import DatabaseUnavailable

READY_SECONDS: Final = 2.0

router = APIRouter(tags=["health"], generate_unique_id_function=lambda route: route.name)


class Health(BaseModel):
    """The service is well."""

    status: Literal["ok"] = "ok"


@router.get("/healthz")
async def check_alive() -> Health:
    """Tell that the process answers; nothing else is asked."""
    return Health()


@router.get(
    "/readyz",
    responses=problems(503, codes={503: "DB_UNAVAILABLE: `detail` says what is missing"}),
)
async def check_ready(request: Request) -> Health:
    """Tell whether the database answers within two seconds and has the schema of this program."""
    services = find_services(request)
    try:
        async with asyncio.timeout(READY_SECONDS), services.system() as session:
            connection = await session.connection()
            current = await connection.run_sync(_revision)
    except TimeoutError as error:
        raise DatabaseUnavailable("the database does not answer within 2 s") from error
    except SQLAlchemyError as error:
        raise DatabaseUnavailable("the database does not answer") from error
    if current != _head():
        raise DatabaseUnavailable(
            f"the database is at revision {current or 'none'}, and this program needs {_head()}: "
            "run `goals migrate`"
        )
    if services.tenancy is not None:
        await services.tenancy.require()
    return Health()


def _revision(connection: Connection) -> str | None:
    from alembic.runtime.migration import MigrationContext

    return MigrationContext.configure(connection).get_current_revision()


@cache
def _head() -> str:
    from api.migrations import head_revision

    return head_revision()
