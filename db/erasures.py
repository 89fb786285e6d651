"""Who asked to be forgotten, until they are."""

from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from db.models import Erasure, User
from db.reads import make_statement, read

WAITING: Final = text("select user_id from erasures order by requested_at, user_id limit :limit")
FORGET: Final = text("delete from erasures where user_id = :user")
_WAITS: Final = make_statement("select exists (select from erasures where user_id = :user_id)")


class Erasures:
    """One user's request to be forgotten."""

    def __init__(self, session: AsyncSession, user_id: str) -> None:
        self._session = session
        self._user_id = user_id

    async def request(self, *, at: datetime, has_account: bool = True) -> None:
        """Close the account, and have it forgotten; asked again, it is still the first request.

        Unless it `has_account`, the database knows no users: the request itself closes it.
        """
        if has_account:
            await self._session.execute(
                update(User)
                .where(User.id == self._user_id)
                .values(is_active=False, updated_at=at)
                .execution_options(synchronize_session=False)
            )
        await self._session.execute(
            insert(Erasure).values(user_id=self._user_id, requested_at=at).on_conflict_do_nothing()
        )

    async def is_requested(self) -> bool:
        """Tell whether the user waits to be forgotten."""
        return await read(self._session, _WAITS, {"user_id": self._user_id}) == [(True,)]


def waiting_users(connection: Connection, *, limit: int = 100) -> list[str]:
    """Return the ids of the users who wait to be forgotten, who asked first is first."""
    return list(connection.execute(WAITING, {"limit": limit}).scalars())


def forget_request(connection: Connection, user_id: str) -> None:
    """Remove what was left of a user: that they asked."""
    connection.execute(FORGET, {"user": user_id})
