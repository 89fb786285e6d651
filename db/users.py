"""Learners' accounts: the one repository without an owner, for it is about the owners."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from db.models import User
from db.reads import make_statement, read, read_alone

_IS_ACTIVE: Final = make_statement("select is_active from users where id = :user_id")
_IS_TAKEN: Final = make_statement("""
select exists (select from users where lower(username) = :username)
    or exists (select from users where lower(email) = :email)
""")
_CREDENTIALS: Final = make_statement("""
select id, hashed_password, is_active from users where username = :name or email = :name
order by (username = :name) desc
limit 1
""")
_METADATA: Final = make_statement("select metadata from users where id = :user_id")


@dataclass(frozen=True)
class Credentials:
    """What proves an account's owner."""

    user_id: str
    hashed_password: str = field(repr=False)
    is_active: bool


async def is_active(sessions: async_sessionmaker[AsyncSession], user_id: str) -> bool:
    """Tell whether there is such an account and it may be used; a statement without a session.

    It comes before every request, and a session would cost half as much as the statement.
    """
    rows = await read_alone(sessions, _IS_ACTIVE, {"user_id": user_id}, tenant=user_id)
    return rows == [(True,)]


class Users:
    """All accounts."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def get(self, user_id: str) -> User | None:
        """Return the account, or None where there is no such one."""
        return await self._session.scalar(select(User).where(User.id == user_id))

    async def lock(self, user_id: str) -> User | None:
        """Return the account as it is now, held until the transaction ends, or None."""
        return await self._session.scalar(
            select(User)
            .where(User.id == user_id)
            .with_for_update(key_share=True)
            .execution_options(populate_existing=True)
        )

    async def find_by_username(self, username: str) -> User | None:
        """Return the account of that name, or None."""
        return await self._session.scalar(select(User).where(User.username == username))

    async def find_credentials(self, name: str) -> Credentials | None:
        """Return what proves the owner of the account of that name or address, or None."""
        rows = await read(self._session, _CREDENTIALS, {"name": name})
        return Credentials(*rows[0]) if rows else None

    async def is_taken(self, *, username: str, email: str) -> bool:
        """Tell whether an account has that name or address, both in lower case, in any case."""
        values = {"username": username, "email": email}
        return await read(self._session, _IS_TAKEN, values) == [(True,)]

    async def note_login(self, user_id: str, *, at: datetime, hashed_password: str | None) -> bool:
        """Note a login, with a new hash if there is one; False where the account was closed."""
        changed: dict[str, Any] = {"last_login_at": at}
        if hashed_password is not None:
            changed["hashed_password"] = hashed_password
        updated = await self._session.scalar(
            update(User)
            .where(User.id == user_id, User.is_active)
            .values(**changed)
            .returning(User.id)
        )
        return updated is not None

    async def metadata_of(self, user_id: str) -> dict[str, Any] | None:
        """Return the account's metadata, perhaps empty; None where there is no such account."""
        rows = await read(self._session, _METADATA, {"user_id": user_id})
        return (rows[0][0] or {}) if rows else None

    async def insert(self, user: User) -> bool:
        """Store a new account; False where its name or address is taken, even this very moment."""
        inserted = await self._session.scalar(
            insert(User)
            .values(
                id=user.id,
                email=user.email,
                username=user.username,
                hashed_password=user.hashed_password,
                full_name=user.full_name,
                is_active=user.is_active,
                is_superuser=user.is_superuser,
                meta=user.meta,
                created_at=user.created_at,
                updated_at=user.updated_at,
            )
            .on_conflict_do_nothing()
            .returning(User.id)
        )
        return inserted is not None
