"""Runs and their threads: begin one with what the user says or decides, and end it whole."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from db import talks
from db.base import new_id
from db.conversation_models import Interrupt, Run, Thread
from db.interrupts import Interrupts
from db.operations import make_operation_id
from db.runs import EndState, Runs
from db.talks import Beginning, NoThread, Talk
from db.threads import Messages, Threads
from db.usage import utc_day
from tools.context import ToolContext
from tools.errors import Conflict, InterruptStale, NotFound, RunActive
from tools.usage import Budget
from tools.users import preferences_of

TITLE_CHARACTERS: Final = 80
TALK: Final = "converse"
DECISION: Final = "decision"
UNDER_WAY: Final = "a run is under way in this thread; wait for its end, or cancel it"
Json = dict[str, Any]


@dataclass(frozen=True)
class Lease:
    """The process that works on a run, and until when nobody else may."""

    worker: str
    until: datetime


@dataclass(frozen=True)
class Said:
    """A message in a conversation: `role` is user or assistant."""

    role: str
    content: str


@dataclass(frozen=True)
class Start:
    """What a run begins with that was opened with its message: read and reserved already.

    `reserved` is False where the day's budget left no room.
    """

    talk: Talk
    reserved: bool


@dataclass(frozen=True)
class Begun:
    """A run and whether this very call began it; `start` where it was opened too."""

    run: Run
    is_new: bool
    start: Start | None = None


@dataclass(frozen=True)
class Opening:
    """What a run that is worked on at once needs, in the statement that begins it.

    `first_event` is the JSON of its first event; `messages`, `goals` and `tasks` say how many of
    them are read.
    """

    first_event: str
    budget: Budget
    model: str
    messages: int
    goals: int
    tasks: int


def own_thread_id(user_id: str, name: str) -> str:
    """Return the id of the thread that a client calls `name`: the same for this user, always."""
    return "thr_" + _digest(user_id, name)


def own_run_id(user_id: str, key: str) -> str:
    """Return the id of the run that a client's key stands for."""
    return "run_" + _digest(user_id, key)


def chain(history_hash: str | None, said: Iterable[Said]) -> str | None:
    """Return the hash of a history with more said; None is the hash of none."""
    for one in said:
        text = "\0".join((history_hash or "", one.role, one.content.strip()))
        history_hash = hashlib.sha256(text.encode()).hexdigest()
    return history_hash


async def find_thread(tools: ToolContext, history: Sequence[Said]) -> str | None:
    """Return the thread in which exactly this was said, or None."""
    history_hash = chain(None, history)
    if history_hash is None:
        return None
    return await Threads(tools.session, tools.user_id).find_by_history(history_hash)


def plan_talk(
    *,
    message: str,
    language: str | None,
    lease: Lease,
    run_id: str | None = None,
    thread_id: str | None = None,
    must_exist: bool = False,
    history: Sequence[Said] = (),
) -> Beginning:
    """Return the run that shall begin with what the user says in a thread, all its ids known.

    A new thread begins with `history`; `run_id` makes its beginning repeatable.
    """
    thread_id, message_id = thread_id or new_id("thr"), new_id("msg")
    first_line = message.strip().splitlines()[0] if message.strip() else ""
    said_before = chain(None, history)
    return Beginning(
        thread_id=thread_id,
        may_be_new=not must_exist,
        title=first_line[:TITLE_CHARACTERS] or None,
        old=[(new_id("msg"), one.role, one.content) for one in history],
        hash_before=said_before,
        hash_after=chain(said_before, [Said("user", message)]),
        run_id=run_id or new_id("run"),
        kind=TALK,
        request={
            "message": message,
            "language": language,
            "message_id": message_id,
            "thread_id": thread_id,
        },
        message_id=message_id,
        message=message,
        worker=lease.worker,
        lease_until=lease.until,
    )


async def begin_talk(
    tools: ToolContext, new: Beginning, *, opening: Opening | None = None, again: bool = False
) -> Begun:
    """Begin a run as planned.

    With an `opening` its first event is stored, its share of the budget reserved and its talk read
    in the same statement.

    The same run again gives the one that there is. Few are repeated, so it is looked for only where
    the run cannot begin. Raises IntegrityError where the same was begun before, or at this very
    moment: try it `again` in another transaction. Raises NotFound for a thread that must exist and
    does not, RunActive where another run is under way in it, Conflict where the run was begun with
    another message.
    """
    request = {name: new.request[name] for name in ("message", "language")}
    elsewhere = tools.directory.is_elsewhere
    account = await preferences_of(tools) if elsewhere else None
    if again and (known := await _known(tools, new.run_id, request)) is not None:
        return known
    opened = None if opening is None else _opened(tools, new, opening)
    try:
        begun = await talks.begin_talk(
            tools.session,
            tools.user_id,
            new,
            opening=opened,
            at=tools.now,
            has_account=not elsewhere,
        )
    except NoThread as error:
        if (known := await _known(tools, new.run_id, request)) is not None:
            return known
        raise NotFound("there is no such thread") from error
    if begun is None:
        if (known := await _known(tools, new.run_id, request)) is not None:
            return known
        raise RunActive(UNDER_WAY)
    if opened is None:
        return Begun(begun.run, is_new=True)
    talk = replace(begun.talk, account=account) if elsewhere else begun.talk
    return Begun(begun.run, is_new=True, start=Start(talk, begun.reserved))


def _opened(tools: ToolContext, new: Beginning, opening: Opening) -> talks.Opening:
    budget = opening.budget
    return talks.Opening(
        first_event=opening.first_event,
        operation_id=make_operation_id(tools.user_id, TALK, new.run_id),
        model=opening.model,
        tokens=budget.run_tokens,
        calls=budget.run_calls,
        limit_tokens=budget.day_tokens,
        limit_calls=budget.day_calls,
        day=utc_day(tools.now),
        messages=opening.messages,
        goals=opening.goals,
        tasks=opening.tasks,
    )


async def begin_decision(
    tools: ToolContext,
    question: Interrupt,
    *,
    decisions: Json,
    lease: Lease,
    run_id: str | None = None,
    message: str | None = None,
) -> Begun:
    """Answer a question, once, and begin the run that does what was decided.

    `run_id` makes the call repeatable; `message` is what the user said to decide so. Raises
    InterruptStale where the question was answered, cancelled or has expired; RunActive where
    another run is under way in the thread: then the question stays open.
    """
    request = {"interrupt_id": question.id, "decisions": decisions}
    known = await _known(tools, run_id, request)
    if known is not None:
        return known
    thread = None
    if question.thread_id is not None:
        thread = await Threads(tools.session, tools.user_id).lock(question.thread_id)
    resolved = await Interrupts(tools.session, tools.user_id).resolve(
        question.id, decisions=decisions, at=tools.now
    )
    if resolved is None:
        raise InterruptStale("this question was answered already, or has expired")
    run = await _start(
        tools,
        run_id=run_id or new_id("run"),
        thread_id=question.thread_id,
        kind=DECISION,
        checkpoint_id=resolved.checkpoint_id,
        request=request,
        lease=lease,
    )
    if thread is not None and message is not None:
        said = Said("user", message)
        await _say(tools, thread, message_id=new_id("msg"), run_id=run.id, said=said)
    return Begun(run, is_new=True)


async def find_repeated(
    tools: ToolContext, *, message: str, history: Sequence[Said], since: datetime
) -> Run | None:
    """Return the run that was begun since then with this message after this history, or None.

    For clients that send a request again where its connection broke, without a key for it.
    """
    return await Runs(tools.session, tools.user_id).find_repeated(
        message=message, history_hash=chain(None, history), since=since
    )


async def get_question(tools: ToolContext, interrupt_id: str) -> Interrupt:
    """Return one of the user's questions, whatever has become of it. Raises NotFound."""
    found = await Interrupts(tools.session, tools.user_id).get(interrupt_id)
    if found is None:
        raise NotFound("there is no such question")
    return found


async def get_run(tools: ToolContext, run_id: str) -> Run:
    """Return one of the user's runs. Raises NotFound."""
    run = await Runs(tools.session, tools.user_id).get(run_id)
    if run is None:
        raise NotFound("there is no such run")
    return run


async def end_run(
    tools: ToolContext,
    run: Run,
    *,
    worker: str,
    state: EndState,
    said: Said | None,
    message_id: str | None,
    result: Json | None,
    error: Json | None,
) -> bool:
    """End a run with what was said in it; False where another process has taken it."""
    ended = await Runs(tools.session, tools.user_id).end(
        run.id, state=state, result=result, error=error, at=tools.now, worker=worker
    )
    if not ended:
        return False
    if run.thread_id is not None and said is not None and message_id is not None:
        thread = await Threads(tools.session, tools.user_id).lock(run.thread_id)
        if thread is not None:
            await _say(tools, thread, message_id=message_id, run_id=run.id, said=said)
    return True


async def _say(
    tools: ToolContext, thread: Thread, *, message_id: str, run_id: str | None, said: Said
) -> None:
    await Messages(tools.session, tools.user_id).append(
        thread.id,
        message_id=message_id,
        role=said.role,
        content=said.content,
        run_id=run_id,
        at=tools.now,
    )
    thread.history_hash = chain(thread.history_hash, [said])
    thread.updated_at = tools.now


async def _start(
    tools: ToolContext,
    *,
    run_id: str,
    thread_id: str | None,
    kind: str,
    checkpoint_id: str,
    request: Json,
    lease: Lease,
) -> Run:
    run = await Runs(tools.session, tools.user_id).start(
        run_id=run_id,
        thread_id=thread_id,
        kind=kind,
        checkpoint_id=checkpoint_id,
        request=request,
        worker=lease.worker,
        lease_until=lease.until,
        at=tools.now,
    )
    if run is None:
        raise RunActive(UNDER_WAY)
    return run


async def _known(tools: ToolContext, run_id: str | None, request: Json) -> Begun | None:
    run = None if run_id is None else await Runs(tools.session, tools.user_id).get(run_id)
    if run is None:
        return None
    if {name: run.request.get(name) for name in request} != request:
        raise Conflict(
            "this Idempotency-Key was used for another request",
            code="IDEMPOTENCY_MISMATCH",
            status=422,
        )
    return Begun(run, is_new=False)


def _digest(user_id: str, name: str) -> str:
    return hashlib.sha256("\0".join((user_id, name)).encode()).hexdigest()[:32]
