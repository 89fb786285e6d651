"""Learners' accounts."""

from datetime import datetime
from typing import Any, Final, Literal

from sqlalchemy.ext.asyncio import AsyncSession

from db import outbox
from db.base import new_id
from db.engine import Sessions
from db.erasures import Erasures
from db.events import UserCreated, UserUpdated
from db.models import User
from db.tenancy import bind_tenant
from db.users import Users
from tools.context import ToolContext
from tools.directory import Directory
from tools.errors import AuthError, Conflict, NotFound, UsersUnavailable
from tools.logs import LazyLogger
from tools.metadata import merge_patch, require_small
from tools.schemas import UserOut, UserPatch, chosen_language
from tools.versions import ANY_VERSION, IfMatch

log = LazyLogger(__name__)

NO_PASSWORD: Final = "!"  # noqa: S105 - the very lack of one
"""Stored where an account has no password: no hash is ever equal to it."""


async def get_user(session: AsyncSession, user_id: str) -> UserOut:
    """Return an account of this database. Raises NotFound."""
    row = await Users(session).get(user_id)
    if row is None:
        raise no_such_user()
    return as_out(row)


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


async def may_ask(sessions: Sessions, directory: Directory, user_id: str) -> bool:
    """Tell whether this user may use the service at this moment.

    An account of this database is closed when its owner asks to be forgotten; one elsewhere goes
    on, so the request itself counts, until all is gone. Raises UsersUnavailable, AuthError.
    """
    if not user_id:
        return False
    if directory.is_elsewhere:
        async with sessions.begin() as session:
            bind_tenant(session, user_id)
            if await Erasures(session, user_id).is_requested():
                return False
    return await directory.is_active(sessions, user_id)


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
        return as_out(row)

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
        return as_out(user)

    row = await users.find_by_username(username)
    if row is None:
        raise Conflict(f"another account than {username} has that e-mail address")
    return as_out(row)


async def update_user(
    tools: ToolContext, patch: UserPatch, *, if_match: IfMatch = ANY_VERSION
) -> UserOut:
    """Change the given fields of the user's own account, and record USER_UPDATED.

    Raises NotFound, VersionConflict.
    """
    row = await Users(tools.session).lock(tools.user_id)
    if row is None:
        raise no_such_user()
    if_match.require(as_out(row))
    given = patch.given()
    changed: list[str] = []
    merged = require_small(merge_patch(row.meta or {}, given.get("metadata", {})))
    if merged != (row.meta or {}):
        row.meta = merged or None
        changed.append("metadata")
    if "full_name" in given and given["full_name"] != row.full_name:
        row.full_name = given["full_name"]
        changed.append("full_name")
    if changed:
        row.updated_at = tools.now
        tools.record(UserUpdated(user_id=row.id, changed=tuple(sorted(changed))))
    return as_out(row)


def as_out(row: User) -> UserOut:
    """Return an account without what proves it."""
    return UserOut(
        id=row.id,
        email=row.email,
        username=row.username,
        full_name=row.full_name,
        is_active=row.is_active,
        metadata=row.meta or {},
        created_at=row.created_at,
    )
