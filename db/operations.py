"""Finished operations: behind every write of the agent stands one row, so none is done twice."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import psycopg
from psycopg.types.json import Jsonb
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from db.reads import execute, execute_later, make_statement, read

_FIND: Final = make_statement(
    "select request_hash, result from operations where id = :operation_id and user_id = :user_id"
)
_BEGIN: Final = make_statement("""
insert into operations (id, user_id, kind, request_hash, result, created_at)
values (:operation_id, :user_id, :kind, :request_hash, '{}', :at)
""")
_KEY: Final = "operations_pkey"
_TAKE: Final = make_statement("select pg_try_advisory_xact_lock(hashtextextended(:id, 0))")
_KEEP: Final = make_statement("""
insert into operations (id, user_id, kind, request_hash, result, created_at)
values (:operation_id, :user_id, :kind, :request_hash, :result, :at)
""")
_FINISH: Final = make_statement("update operations set result = :result where id = :operation_id")


class AlreadyFinished(Exception):
    """The operation that a transaction began was finished before: it is undone."""


@contextmanager
def beginning() -> Iterator[None]:
    """Raise AlreadyFinished where an operation that is begun in the block was finished before."""
    try:
        yield
    except IntegrityError as error:
        if isinstance(error.orig, psycopg.Error) and error.orig.diag.constraint_name == _KEY:
            raise AlreadyFinished from error
        raise


@dataclass(frozen=True)
class Finished:
    """An operation that was done before: what was asked, by hash, and what was answered."""

    request_hash: str
    result: dict[str, Any]


def make_operation_id(user_id: str, kind: str, key: str) -> str:
    """Return the id that this user's `key` has for this kind of operation, 36 characters."""
    digest = hashlib.sha256("\0".join((user_id, kind, key)).encode()).hexdigest()
    return f"opr_{digest[:32]}"


def request_hash(request: dict[str, Any]) -> str:
    """Return the SHA-256 of a request's canonical JSON."""
    canonical = json.dumps(request, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


_FIND_WITH_ACCOUNT: Final = make_statement("""
select (select coalesce(metadata::jsonb, '{}') from users where id = :user_id),
       (select jsonb_build_array(request_hash, result)
        from operations where id = :operation_id and user_id = :user_id)
""")


class Operations:
    """One owner's finished operations."""

    def __init__(self, session: AsyncSession, user_id: str) -> None:
        self._session = session
        self._user_id = user_id

    async def find(self, operation_id: str) -> Finished | None:
        """Return the operation if it is finished."""
        values = {"operation_id": operation_id, "user_id": self._user_id}
        rows = await read(self._session, _FIND, values)
        return Finished(*rows[0]) if rows else None

    async def find_with_account(
        self, operation_id: str
    ) -> tuple[Finished | None, dict[str, Any] | None]:
        """Return the operation if it is finished, and its owner's metadata if there is an account.

        Only where users are rows of this database.
        """
        values = {"operation_id": operation_id, "user_id": self._user_id}
        [(account, finished)] = await read(self._session, _FIND_WITH_ACCOUNT, values)
        return None if finished is None else Finished(*finished), account

    async def begin(self, operation_id: str, *, kind: str, request_hash: str, at: datetime) -> None:
        """Begin the operation in this transaction, in one message with its next statement.

        A second transaction with the same id waits there for the first one's end; where that has
        committed, it fails as `beginning` says.
        """
        values = {
            "operation_id": operation_id,
            "user_id": self._user_id,
            "kind": kind,
            "request_hash": request_hash,
            "at": at.astimezone(UTC).replace(tzinfo=None),
        }
        await execute_later(self._session, _BEGIN, values)

    async def take(self, operation_id: str) -> bool:
        """Hold the operation until this transaction ends; False where another one holds it now."""
        [(mine,)] = await execute(self._session, _TAKE, {"id": operation_id})
        return bool(mine)

    async def keep(
        self,
        operation_id: str,
        *,
        kind: str,
        request_hash: str,
        result: dict[str, Any],
        at: datetime,
    ) -> None:
        """Store a finished operation that this transaction holds, with its answer."""
        values = {
            "operation_id": operation_id,
            "user_id": self._user_id,
            "kind": kind,
            "request_hash": request_hash,
            "result": Jsonb(result),
            "at": at.astimezone(UTC).replace(tzinfo=None),
        }
        await execute(self._session, _KEEP, values)

    async def finish(self, operation_id: str, result: dict[str, Any]) -> None:
        """Keep the answer of an operation begun in this transaction."""
        await execute_later(
            self._session, _FINISH, {"operation_id": operation_id, "result": Jsonb(result)}
        )
