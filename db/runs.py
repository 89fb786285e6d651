"""Runs: one owner's, and those whose process has gone."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from db.columns import JsonObject
from db.conversation_models import Interrupt, Run

EndState = Literal["waiting", "finished", "failed", "cancelled"]


class Runs:
    """The runs of one owner; nobody else's can be read or changed through it."""

    def __init__(self, session: AsyncSession, user_id: str) -> None:
        self._session = session
        self._user_id = user_id

    async def start(
        self,
        *,
        run_id: str,
        thread_id: str | None,
        kind: str,
        checkpoint_id: str,
        request: JsonObject,
        worker: str,
        lease_until: datetime,
        at: datetime,
    ) -> Run | None:
        """Store a run as running and return it; None where the thread has a running one.

        Who comes second waits here for the transaction of the first. The thread must be this
        owner's: the caller has locked it. Raises IntegrityError where it has gone.
        """
        statement = (
            insert(Run)
            .values(
                id=run_id,
                user_id=self._user_id,
                thread_id=thread_id,
                kind=kind,
                state="running",
                checkpoint_id=checkpoint_id,
                request=request,
                worker=worker,
                lease_until=lease_until,
                created_at=at,
            )
            .on_conflict_do_nothing(
                index_elements=["thread_id"], index_where=text("state = 'running'")
            )
            .returning(Run)
        )
        return (await self._session.scalars(statement)).one_or_none()

    async def get(self, run_id: str) -> Run | None:
        """Return the run as it is now, or None where this owner has no such one."""
        return await self._session.scalar(
            select(Run).where(Run.id == run_id, Run.user_id == self._user_id),
            execution_options={"populate_existing": True},
        )

    async def find_repeated(
        self, *, message: str, history_hash: str | None, since: datetime
    ) -> Run | None:
        """Return the newest run since then that a message began after that history."""
        said_before = Run.request["history_hash"].astext.is_not_distinct_from(history_hash)
        return await self._session.scalar(
            select(Run)
            .where(
                Run.user_id == self._user_id,
                Run.created_at > since,
                Run.request["message"].astext == message,
                said_before,
            )
            .order_by(Run.created_at.desc())
            .limit(1)
        )

    async def end(
        self,
        run_id: str,
        *,
        state: EndState,
        result: JsonObject | None = None,
        error: JsonObject | None = None,
        at: datetime,
        worker: str | None = None,
    ) -> bool:
        """Take a running run to `state`; False where it is not running any more.

        With `worker`, only that one's: whose lease was taken by another ends nothing. A run that
        waits has no `ended_at` yet.
        """
        statement = update(Run).where(
            Run.id == run_id, Run.user_id == self._user_id, Run.state == "running"
        )
        if worker is not None:
            statement = statement.where(Run.worker == worker)
        ended = await self._session.scalar(
            statement.values(
                state=state,
                result=result,
                error=error,
                worker=None,
                lease_until=None,
                ended_at=None if state == "waiting" else at,
            ).returning(Run.id),
            execution_options={"synchronize_session": False},
        )
        return ended is not None

    async def request_cancel(self, run_id: str) -> bool:
        """Ask the process that has the run to cancel it; False where it is not running."""
        asked = await self._session.scalar(
            update(Run)
            .where(Run.id == run_id, Run.user_id == self._user_id, Run.state == "running")
            .values(cancel_requested=True)
            .returning(Run.id),
            execution_options={"synchronize_session": False},
        )
        return asked is not None

    async def cancel_waiting(self, run_id: str, *, at: datetime) -> bool:
        """Cancel a run that waits for a decision, with its question; False where it does not."""
        cancelled = await self._session.scalar(
            update(Run)
            .where(Run.id == run_id, Run.user_id == self._user_id, Run.state == "waiting")
            .values(state="cancelled", ended_at=at)
            .returning(Run.id),
            execution_options={"synchronize_session": False},
        )
        if cancelled is None:
            return False
        await self._session.execute(
            update(Interrupt)
            .where(Interrupt.run_id == run_id, Interrupt.state == "open")
            .values(state="cancelled", resolved_at=at),
            execution_options={"synchronize_session": False},
        )
        return True


async def renew_leases(
    session: AsyncSession, *, worker: str, run_ids: Collection[str], until: datetime
) -> set[str]:
    """Hold a process's own runs until then, and return those that shall be cancelled.

    A run that is not running, or that another process has taken, is left as it is.
    """
    renewed = await session.execute(
        update(Run)
        .where(Run.id.in_(run_ids), Run.worker == worker, Run.state == "running")
        .values(lease_until=until)
        .returning(Run.id, Run.cancel_requested),
        execution_options={"synchronize_session": False},
    )
    return {run_id for run_id, cancel_requested in renewed if cancel_requested}


async def claim_expired(
    session: AsyncSession, *, now: datetime, worker: str, lease_until: datetime, limit: int
) -> list[Run]:
    """Take at most `limit` running runs whose lease is over, the longest over first.

    What another process is taking at this moment is passed over.
    """
    over: Any = (
        select(Run.id)
        .where(Run.state == "running", Run.lease_until < now)
        .order_by(Run.lease_until)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    taken: Sequence[Run] = (
        await session.scalars(
            update(Run)
            .where(Run.id.in_(over))
            .values(worker=worker, lease_until=lease_until)
            .returning(Run),
            execution_options={"synchronize_session": False, "populate_existing": True},
        )
    ).all()
    return list(taken)
