"""One owner's interrupts: questions that a run waits with, each answered once."""

from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from db.columns import JsonObject
from db.conversation_models import Interrupt, Run


class Interrupts:
    """The interrupts of one owner; nobody else's can be read or changed through it."""

    def __init__(self, session: AsyncSession, user_id: str) -> None:
        self._session = session
        self._user_id = user_id

    async def open(
        self,
        *,
        interrupt_id: str,
        kind: str,
        checkpoint_id: str,
        operation_id: str,
        items: list[JsonObject],
        at: datetime,
        expires_at: datetime,
        run_id: str | None = None,
        thread_id: str | None = None,
        proposal: JsonObject | None = None,
        draft: JsonObject | None = None,
    ) -> bool:
        """Store an open interrupt; False where the id is stored already, which stays as it is."""
        opened = await self._session.scalar(
            insert(Interrupt)
            .values(
                id=interrupt_id,
                user_id=self._user_id,
                run_id=run_id,
                thread_id=thread_id,
                kind=kind,
                checkpoint_id=checkpoint_id,
                operation_id=operation_id,
                items=items,
                proposal=proposal,
                draft=draft,
                state="open",
                created_at=at,
                expires_at=expires_at,
            )
            .on_conflict_do_nothing(index_elements=["id"])
            .returning(Interrupt.id)
        )
        return opened is not None

    async def get(self, interrupt_id: str) -> Interrupt | None:
        """Return the interrupt as it is now, or None where this owner has no such one."""
        return await self._session.scalar(
            select(Interrupt).where(
                Interrupt.id == interrupt_id, Interrupt.user_id == self._user_id
            ),
            execution_options={"populate_existing": True},
        )

    async def follow(self, interrupt_id: str, *, checkpoint_id: str) -> None:
        """Let an open interrupt go on from another checkpoint: that of the same work done again."""
        await self._session.execute(
            update(Interrupt)
            .where(
                Interrupt.id == interrupt_id,
                Interrupt.user_id == self._user_id,
                Interrupt.state == "open",
            )
            .values(checkpoint_id=checkpoint_id),
            execution_options={"synchronize_session": False},
        )

    async def resolve(self, interrupt_id: str, *, decisions: Any, at: datetime) -> Interrupt | None:
        """Answer the interrupt and finish the run that waited with it; return it as it is then.

        None where it is answered, cancelled or expired already, or is nobody's of this owner. A
        second caller waits here for the transaction of the first.
        """
        resolved = await self._session.scalar(
            update(Interrupt)
            .where(
                Interrupt.id == interrupt_id,
                Interrupt.user_id == self._user_id,
                Interrupt.state == "open",
                Interrupt.expires_at > at,
            )
            .values(state="resolved", decisions=decisions, resolved_at=at)
            .returning(Interrupt),
            execution_options={"synchronize_session": False, "populate_existing": True},
        )
        if resolved is not None and resolved.run_id is not None:
            await self._session.execute(
                update(Run)
                .where(Run.id == resolved.run_id, Run.state == "waiting")
                .values(state="finished", ended_at=at),
                execution_options={"synchronize_session": False},
            )
        return resolved

    async def reopen(self, interrupt_id: str) -> None:
        """Ask a question again whose answer came to nothing."""
        await self._session.execute(
            update(Interrupt)
            .where(
                Interrupt.id == interrupt_id,
                Interrupt.user_id == self._user_id,
                Interrupt.state == "resolved",
            )
            .values(state="open", decisions=None, resolved_at=None),
            execution_options={"synchronize_session": False},
        )

    async def open_of_thread(self, thread_id: str) -> list[Interrupt]:
        """Return the thread's open interrupts, oldest first; an expired one may be among them."""
        found = await self._session.scalars(
            select(Interrupt)
            .where(
                Interrupt.thread_id == thread_id,
                Interrupt.user_id == self._user_id,
                Interrupt.state == "open",
            )
            .order_by(Interrupt.created_at, Interrupt.id)
        )
        return list(found.all())
