"""One owner's dismissed findings."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from db.keyset import Position, newest_first
from db.models import DismissedFinding
from db.reads import make_statement

FINGERPRINTS: Final = make_statement(
    "select fingerprint from dismissed_findings where user_id = :user_id"
)


class Dismissals:
    """The dismissed findings of one owner; nobody else's can be read or changed through it."""

    def __init__(self, session: AsyncSession, user_id: str) -> None:
        self._session = session
        self._user_id = user_id

    async def get(self, fingerprint: str) -> DismissedFinding | None:
        """Return the dismissal, or None where this owner has no such one."""
        return await self._session.scalar(
            select(DismissedFinding).where(
                DismissedFinding.user_id == self._user_id,
                DismissedFinding.fingerprint == fingerprint,
            )
        )

    async def put(self, dismissal: DismissedFinding) -> DismissedFinding:
        """Store the dismissal as this owner's, and return the row.

        An older one of the same finding keeps its id and its moment, and takes the rest.
        """
        new = insert(DismissedFinding).values(
            id=dismissal.id,
            user_id=self._user_id,
            fingerprint=dismissal.fingerprint,
            rule=dismissal.rule,
            reason=dismissal.reason,
            code_snapshot_id=dismissal.code_snapshot_id,
            created_at=dismissal.created_at,
        )
        statement = new.on_conflict_do_update(
            index_elements=["user_id", "fingerprint"],
            set_={
                "rule": new.excluded.rule,
                "reason": new.excluded.reason,
                "code_snapshot_id": new.excluded.code_snapshot_id,
            },
        ).returning(DismissedFinding)
        stored = await self._session.scalars(
            statement, execution_options={"populate_existing": True}
        )
        return stored.one()

    async def page(self, *, limit: int, after: Position | None) -> Sequence[DismissedFinding]:
        """Return at most `limit` dismissals, newest first, from behind `after`."""
        statement = select(DismissedFinding).where(DismissedFinding.user_id == self._user_id)
        found = await self._session.scalars(
            newest_first(statement, DismissedFinding, after=after, limit=limit)
        )
        return found.all()

    async def delete(self, fingerprint: str) -> bool:
        """Delete the dismissal; False where there is no such one."""
        deleted = await self._session.scalar(
            delete(DismissedFinding)
            .where(
                DismissedFinding.user_id == self._user_id,
                DismissedFinding.fingerprint == fingerprint,
            )
            .returning(DismissedFinding.id)
        )
        return deleted is not None
