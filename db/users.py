"""Learners' accounts: the one repository without an owner, for it is about the owners."""

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from db.models import User


class Users:
    """All accounts."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def get(self, user_id: str) -> User | None:
        """Return the account, or None where there is no such one."""
        return await self._session.scalar(select(User).where(User.id == user_id))

    async def find_by_username(self, username: str) -> User | None:
        """Return the account of that name, or None."""
        return await self._session.scalar(select(User).where(User.username == username))

    async def is_active(self, user_id: str) -> bool:
        """Tell whether there is such an account and it may be used."""
        active = await self._session.scalar(select(User.is_active).where(User.id == user_id))
        return active is True

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
