"""One owner's threads, and what was said in them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import delete, exists, func, literal, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from db.base import UTCDateTime
from db.conversation_models import Message, Run, Thread
from db.keyset import Position
from db.reads import make_statement, read

_BY_HISTORY: Final = make_statement("""
select id from threads where user_id = :user_id and history_hash = :history_hash::char(64)
order by updated_at desc, id desc
limit 1
""")


class Threads:
    """The threads of one owner; nobody else's can be read or changed through it."""

    def __init__(self, session: AsyncSession, user_id: str) -> None:
        self._session = session
        self._user_id = user_id

    async def add(self, thread_id: str, *, title: str | None, at: datetime) -> Thread:
        """Store a new thread as this owner's, and return it.

        Raises IntegrityError where the id is taken, by whomever.
        """
        thread = Thread(
            id=thread_id,
            user_id=self._user_id,
            title=title,
            history_hash=None,
            created_at=at,
            updated_at=at,
        )
        self._session.add(thread)
        await self._session.flush()
        return thread

    async def get(self, thread_id: str) -> Thread | None:
        """Return the thread, or None where this owner has no such one."""
        return await self._session.scalar(
            select(Thread).where(Thread.id == thread_id, Thread.user_id == self._user_id)
        )

    async def lock(self, thread_id: str) -> Thread | None:
        """Return the thread as it is now, held until the transaction ends; runs may still begin."""
        return await self._session.scalar(
            select(Thread)
            .where(Thread.id == thread_id, Thread.user_id == self._user_id)
            .with_for_update(key_share=True)
            .execution_options(populate_existing=True)
        )

    async def seal(self, thread_id: str) -> Thread | None:
        """Return the thread, held so that no run of it can begin until the transaction ends.

        Who stores a run takes a key share of its thread, and waits for this lock.
        """
        return await self._session.scalar(
            select(Thread)
            .where(Thread.id == thread_id, Thread.user_id == self._user_id)
            .with_for_update()
            .execution_options(populate_existing=True)
        )

    async def page(self, limit: int, after: Position | None) -> Sequence[Thread]:
        """Return at most `limit` threads, latest change first, from behind `after`.

        `after.created_at` is the moment of that thread's latest change.
        """
        statement = select(Thread).where(Thread.user_id == self._user_id)
        if after is not None:
            last = tuple_(literal(after.created_at, UTCDateTime), literal(after.id))
            statement = statement.where(tuple_(Thread.updated_at, Thread.id) < last)
        statement = statement.order_by(Thread.updated_at.desc(), Thread.id.desc()).limit(limit)
        return (await self._session.scalars(statement)).all()

    async def rename(self, thread_id: str, *, title: str | None) -> Thread | None:
        """Change the title and return the thread; None where this owner has no such one."""
        return await self._session.scalar(
            update(Thread)
            .where(Thread.id == thread_id, Thread.user_id == self._user_id)
            .values(title=title)
            .returning(Thread),
            execution_options={"populate_existing": True},
        )

    async def touch(self, thread_id: str, at: datetime, *, history_hash: str | None = None) -> None:
        """Put the thread first in the list, and keep the hash of its history if one is given."""
        values: dict[str, object] = {"updated_at": at}
        if history_hash is not None:
            values["history_hash"] = history_hash
        await self._session.execute(
            update(Thread)
            .where(Thread.id == thread_id, Thread.user_id == self._user_id)
            .values(values)
        )

    async def find_by_history(self, history_hash: str) -> str | None:
        """Return the id of the thread of that history, the latest changed one of several."""
        values = {"user_id": self._user_id, "history_hash": history_hash}
        rows = await read(self._session, _BY_HISTORY, values)
        return rows[0][0] if rows else None

    async def is_active(self, thread_id: str) -> bool:
        """Tell whether a run of the thread is running."""
        running = exists().where(
            Run.thread_id == thread_id, Run.user_id == self._user_id, Run.state == "running"
        )
        return bool(await self._session.scalar(select(running)))

    async def checkpoint_ids(self, thread_id: str) -> Sequence[str]:
        """Return the ids under which the thread's runs keep their checkpoints."""
        found = await self._session.scalars(
            select(Run.checkpoint_id)
            .where(Run.thread_id == thread_id, Run.user_id == self._user_id)
            .distinct()
        )
        return found.all()

    async def delete(self, thread_id: str) -> bool:
        """Delete the thread, its messages, runs and interrupts; False where there is no such one.

        The checkpoints of its runs are deleted by `db.checkpoints`, before.
        """
        deleted = await self._session.scalar(
            delete(Thread)
            .where(Thread.id == thread_id, Thread.user_id == self._user_id)
            .returning(Thread.id)
        )
        return deleted is not None


class Messages:
    """The messages in one owner's threads."""

    def __init__(self, session: AsyncSession, user_id: str) -> None:
        self._session = session
        self._user_id = user_id

    async def append(
        self,
        thread_id: str,
        *,
        message_id: str,
        role: str,
        content: str,
        run_id: str | None,
        at: datetime,
    ) -> int | None:
        """Store the last message of a thread that the caller has locked; return its position.

        None where this owner has no such thread.
        """
        last = (
            select(func.coalesce(func.max(Message.position), 0))
            .where(Message.thread_id == thread_id)
            .scalar_subquery()
        )
        new = select(
            literal(message_id),
            Thread.id,
            Thread.user_id,
            last + 1,
            literal(run_id),
            literal(role),
            literal(content),
            literal(at, UTCDateTime),
        ).where(Thread.id == thread_id, Thread.user_id == self._user_id)
        names = [
            "id",
            "thread_id",
            "user_id",
            "position",
            "run_id",
            "role",
            "content",
            "created_at",
        ]
        return await self._session.scalar(
            insert(Message).from_select(names, new).returning(Message.position)
        )

    async def of_thread(
        self, thread_id: str, *, limit: int | None = None, before: int | None = None
    ) -> list[Message]:
        """Return the last `limit` messages of a thread, all without it, in their order.

        `before` leaves out that position and all behind it.
        """
        statement = (
            select(Message)
            .join(Thread, Thread.id == Message.thread_id)
            .where(Message.thread_id == thread_id, Thread.user_id == self._user_id)
            .order_by(Message.position.desc())
        )
        if before is not None:
            statement = statement.where(Message.position < before)
        if limit is not None:
            statement = statement.limit(limit)
        found = await self._session.scalars(statement)
        return list(reversed(found.all()))
