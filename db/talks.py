"""How a talk begins, and what it begins with: one statement, for a user waits for the words.

`begin_talk` is a thread (locked, or new), its running run, the user's message, the run's first
event, its reservation, and all that the model is told; `read_talk` is the last of these, for who
begins the run again. Both go past the session where it has not begun (`db/reads.py`).
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession

from db.columns import JsonObject
from db.conversation_models import Run
from db.operations import Finished
from db.reads import make_statement, read, write

_ACCOUNT: Final = "(select coalesce(metadata::jsonb, '{}') from users where id = :user_id)"
_NO_ACCOUNT: Final = "null::jsonb"
_TALK: Final = """
       {account},
       (select jsonb_build_array(request_hash, result)
        from operations where id = :operation_id and user_id = :user_id),
       (select json_agg(json_build_object('role', role, 'content', content) order by position)
        from (select m.id, m.role, m.content, m.position
              from messages m join threads t on t.id = m.thread_id
              where m.thread_id = :thread_id and t.user_id = :user_id
              order by m.position desc limit :messages) as latest
        where id <> :message_id),
       (select json_agg(json_build_object('id', id, 'title', title, 'status', status)
                        order by created_at desc, id desc)
        from (select id, title, status, created_at from goals where user_id = :user_id
              order by created_at desc, id desc limit :goals) as newest),
       (select json_agg(json_build_object('id', id, 'title', title, 'status', status)
                        order by created_at desc, id desc)
        from (select id, title, status, created_at from tasks
              where user_id = :user_id and status not in ('completed', 'skipped')
              order by created_at desc, id desc limit :tasks) as open)
"""
# The thread's row comes first and is held: who talks in the same thread, or ends a run in it,
# waits. The last position is read as of before that wait; where it has changed, its key says so.
_STORE: Final = """
with found as (
    select id, history_hash::text as said_before
    from threads where id = :thread_id and user_id = :user_id
    for no key update
), made as (
    insert into threads (id, user_id, title, history_hash, created_at, updated_at)
    select :thread_id, :user_id, :title, :hash_after, :at::timestamp, :at::timestamp
    where :may_be_new::boolean and not exists (select from found)
    returning id
), thread as (
    select id, said_before, false as is_new from found
    union all
    select id, :hash_before::text, true from made
), started as (
    insert into runs (id, user_id, thread_id, kind, state, checkpoint_id, request, worker,
                      lease_until, created_at)
    select :run_id, :user_id, id, :kind, 'running', :run_id,
           :request::jsonb || jsonb_build_object('history_hash', said_before),
           :worker, :lease_until::timestamp, :at::timestamp
    from thread
    on conflict (thread_id) where state = 'running' do nothing
    returning thread_id
), told as (
    insert into messages (id, thread_id, user_id, position, run_id, role, content, created_at)
    select old.id, thread.id, :user_id, old.position, null, old.role, old.content, :at::timestamp
    from thread, unnest(:old_ids::text[], :old_roles::text[], :old_texts::text[])
         with ordinality as old (id, role, content, position)
    where thread.is_new
), said as (
    insert into messages (id, thread_id, user_id, position, run_id, role, content, created_at)
    select :message_id, thread_id, :user_id,
           cardinality(:old_ids::text[]) * (exists (select from made))::integer + 1
           + coalesce((select max(position) from messages where thread_id = :thread_id), 0),
           :run_id, 'user', :message, :at::timestamp
    from started
), moved as (
    update threads
    set updated_at = :at::timestamp,
        history_hash = encode(sha256(
            convert_to(coalesce(found.said_before, ''), 'UTF8') || '\\x00'::bytea
            || convert_to('user', 'UTF8') || '\\x00'::bytea
            || convert_to(:stripped::text, 'UTF8')), 'hex')
    from found, started
    where threads.id = found.id
), opened as (
    insert into run_events (run_id, user_id, seq, type, data, created_at)
    select :run_id, :user_id, 1, 'run_started', :first_event::json, :at::timestamp
    from started where :first_event::text is not null
), held as (
    select id from usage_records
    where id = :operation_id and user_id = :user_id and state = 'reserved'
), counted as (
    insert into usage_days as d (user_id, day, reserved_tokens, reserved_calls)
    select :user_id, :day::date, :tokens::bigint, :calls::bigint
    from started
    where not exists (select from held)
      and :tokens::bigint <= coalesce(:limit_tokens::bigint, :tokens::bigint)
      and :calls::bigint <= coalesce(:limit_calls::bigint, :calls::bigint)
    on conflict (user_id, day) do update
    set reserved_tokens = d.reserved_tokens + excluded.reserved_tokens,
        reserved_calls = d.reserved_calls + excluded.reserved_calls
    where (:limit_tokens::bigint is null
           or d.used_tokens + d.reserved_tokens + excluded.reserved_tokens
              <= :limit_tokens::bigint)
      and (:limit_calls::bigint is null
           or d.calls + d.reserved_calls + excluded.reserved_calls <= :limit_calls::bigint)
    returning 1
), recorded as (
    insert into usage_records as r
           (id, user_id, kind, model, reserved_tokens, reserved_calls, state, created_at, day)
    select :operation_id, :user_id, :kind, :model, :tokens::bigint, :calls::bigint, 'reserved',
           :at::timestamp, :day::date
    from counted
    on conflict (id) do update
    set kind = excluded.kind, model = excluded.model, state = 'reserved',
        reserved_tokens = excluded.reserved_tokens, reserved_calls = excluded.reserved_calls,
        created_at = excluded.created_at, settled_at = null, day = excluded.day
    where r.user_id = excluded.user_id
)
select thread.said_before, exists (select from started), thread.is_new,
       exists (select from counted) or exists (select from held),
"""
_FROM: Final = "from thread"
_TALKS: Final = {
    True: _TALK.format(account=_ACCOUNT),
    False: _TALK.format(account=_NO_ACCOUNT),
}
"""What is read, by whether the database has an account of the user."""
_BEGINS: Final = {has: make_statement(_STORE + talk + _FROM) for has, talk in _TALKS.items()}
_READS: Final = {has: make_statement("select " + talk) for has, talk in _TALKS.items()}


@dataclass(frozen=True)
class Opening:
    """What else is stored with a run that is worked on at once, and how much of its talk is read.

    `first_event` is JSON. The tokens and calls are reserved for the operation, of that UTC day's
    limits; None is no limit.
    """

    first_event: str
    operation_id: str
    model: str
    tokens: int
    calls: int
    limit_tokens: int | None
    limit_calls: int | None
    day: date
    messages: int
    goals: int
    tasks: int


_NO_OPENING: Final[dict[str, Any]] = {
    **dict.fromkeys(Opening.__dataclass_fields__),
    "operation_id": "",
    "messages": 0,
    "goals": 0,
    "tasks": 0,
}


@dataclass(frozen=True)
class Beginning:
    """What the user says and where; `thread_id` is made with `old`, if it `may_be_new`.

    `old` has (id, role, text) of what was said before in a thread that we do not know;
    `hash_before` and `hash_after` are those of its history without and with the message.
    """

    thread_id: str
    may_be_new: bool
    title: str | None
    old: Sequence[tuple[str, str, str]]
    hash_before: str | None
    hash_after: str | None
    run_id: str
    kind: str
    request: JsonObject
    message_id: str
    message: str
    worker: str
    lease_until: datetime

    def as_run(self, user_id: str, at: datetime) -> Run:
        """Return the run that begins."""
        return Run(
            id=self.run_id,
            user_id=user_id,
            thread_id=self.thread_id,
            kind=self.kind,
            state="running",
            checkpoint_id=self.run_id,
            request=self.request,
            cancel_requested=False,
            worker=self.worker,
            lease_until=self.lease_until,
            created_at=at,
        )


@dataclass(frozen=True)
class Talk:
    """What a talk begins with; `account` is the user's metadata, None where the user has gone.

    `said` is what was said before, in order; `goals` are the newest ones and `tasks` the newest
    that are open, newest first.
    """

    account: JsonObject | None
    finished: Finished | None
    said: list[JsonObject]
    goals: list[JsonObject]
    tasks: list[JsonObject]


@dataclass(frozen=True)
class Begun:
    """A run that has begun, and the talk; `reserved` tells whether the day's limits left room."""

    run: Run
    talk: Talk
    reserved: bool


class NoThread(Exception):
    """This owner has no such thread, and it is not to be made."""


async def begin_talk(
    session: AsyncSession,
    user_id: str,
    new: Beginning,
    *,
    opening: Opening | None = None,
    at: datetime,
    has_account: bool = True,
) -> Begun | None:
    """Store the message and its running run, and return the run; None where the thread has one.

    Without an `opening` nothing else is stored, nothing reserved and nothing read. Unless it
    `has_account`, the database knows no users.

    Raises NoThread, and IntegrityError where the same was begun, or the thread changed, at this
    very moment: then nothing is stored and it may be tried again.
    """
    values: dict[str, Any] = {
        **vars(new),
        **(_NO_OPENING if opening is None else vars(opening)),
        "user_id": user_id,
        "request": json.dumps(new.request, ensure_ascii=False),
        "stripped": new.message.strip(),
        "old_ids": [one[0] for one in new.old],
        "old_roles": [one[1] for one in new.old],
        "old_texts": [one[2] for one in new.old],
        "lease_until": _naive(new.lease_until),
        "at": _naive(at),
    }
    rows = await write(session, _BEGINS[has_account], values)
    if not rows:
        raise NoThread(new.thread_id)
    [(history_hash, started, is_new, reserved, *found)] = rows
    if not started:
        return None
    run = new.as_run(user_id, at)
    run.request = {**new.request, "history_hash": history_hash}
    talk = _talk(*found)
    if is_new and opening is not None:
        before = new.old[max(0, len(new.old) - opening.messages) :]
        talk.said.extend({"role": role, "content": content} for _, role, content in before)
    return Begun(run, talk, reserved=reserved)


async def read_talk(
    session: AsyncSession,
    user_id: str,
    *,
    operation_id: str,
    thread_id: str,
    message_id: str,
    messages: int,
    goals: int,
    tasks: int,
    has_account: bool = True,
) -> Talk:
    """Return what a talk begins with: at most so many `messages`, without this one.

    Another owner's thread is an empty one. Unless it `has_account`, the database knows no users.
    """
    values = {
        "user_id": user_id,
        "operation_id": operation_id,
        "thread_id": thread_id,
        "message_id": message_id,
        "messages": messages,
        "goals": goals,
        "tasks": tasks,
    }
    [found] = await read(session, _READS[has_account], values)
    return _talk(*found)


def _talk(account: Any, finished: Any, said: Any, goals: Any, tasks: Any) -> Talk:
    return Talk(
        account=account,
        finished=None if finished is None else Finished(*finished),
        said=said or [],
        goals=goals or [],
        tasks=tasks or [],
    )


def _naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)
