"""Learners' accounts."""

from datetime import datetime
from typing import Any, Final, Literal

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from db import outbox
from db.base import new_id
from db.events import UserCreated
from db.models import User
from db.users import Users
from tools.context import ToolContext
from tools.errors import AuthError, Conflict, NotFound, UsersUnavailable
from tools.schemas import UserOut, chosen_language

log = structlog.get_logger(__name__)

NO_PASSWORD: Final = "!"  # noqa: S105 - the very lack of one
"""Stored where an account has no password: no hash is ever equal to it."""


async def get_user(session: AsyncSession, user_id: str) -> UserOut:
    """Return an account of this database. Raises NotFound."""
    row = await Users(session).get(user_id)
    if row is None:
        raise no_such_user()
    return _out(row)


async def preferred_language(tools: ToolContext) -> Literal["es", "en"] | None:
    """Return the language that the learner chose, None where they chose none of ours.

    Raises NotFound.
    """
    metadata = await preferences_of(tools)
    if metadata is None:
        raise no_such_user()
    return chosen_language(metadata)


async def preferences_of(tools: ToolContext) -> dict[str, Any] | None:
    """Return the metadata of the learner's account, None where there is no such account.

    They are empty where users are elsewhere and cannot be asked for: no run is lost for that.
    """
    try:
        return await tools.directory.metadata_of(tools.session, tools.user_id)
    except (UsersUnavailable, AuthError) as error:
        log.warning("users.no_preferences", reason=error.detail)
        return {}


def no_such_user() -> NotFound:
    """Return the error for an account that is missing."""
    return NotFound("there is no such user")


async def get_or_create_user(
    session: AsyncSession,
    *,
    username: str,
    now: datetime,
    source: str,
    email: str | None = None,
    full_name: str | None = None,
    meta: dict[str, Any] | None = None,
) -> UserOut:
    """Return the account of that name; make it, without a password, and record USER_CREATED.

    Without an `email` it gets `<username>@localhost`. Raises Conflict where the address is taken.
    """
    users = Users(session)
    row = await users.find_by_username(username)
    if row is not None:
        return _out(row)

    user = User(
        id=new_id("usr"),
        email=email or f"{username}@localhost",
        username=username,
        hashed_password=NO_PASSWORD,
        full_name=full_name,
        is_active=True,
        is_superuser=False,
        meta=meta,
        created_at=now,
        updated_at=now,
    )
    if await users.insert(user):
        event = UserCreated(user_id=user.id, username=username)
        outbox.record(session, event, user_id=user.id, source=source, at=now)
        return _out(user)

    row = await users.find_by_username(username)
    if row is None:
        raise Conflict(f"another account than {username} has that e-mail address")
    return _out(row)


def _out(row: User) -> UserOut:
    return UserOut(
        id=row.id,
        email=row.email,
        username=row.username,
        full_name=row.full_name,
        is_active=row.is_active,
        metadata=row.meta or {},
        created_at=row.created_at,
    )
