"""A case through the whole service, twice: with the worst-case model, and with the model given."""

import json
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from api.in_process import InProcess, open_in_process
from api.migrations import migrate
from db.base import utc_now
from db.embedded import as_app, open_embedded
from evals.injection.cases import FOLDER, Attack, load_attacks
from evals.injection.effects import Happened, has_reached, judge, strings_of
from evals.injection.learners import (
    Learner,
    make_learner,
    make_other,
    read_events,
    read_rows,
)
from evals.injection.naive import open_naive
from evals.injection.obedient import obey
from evals.model import LIVE_SECONDS, make_model
from evals.recordings import Recordings
from evals.runs import same_everywhere
from evals.suite import Case, Json, Model, Outcome, Task, Way
from tools.backfill import Filler
from tools.embedders import SCRIPTED_MODEL, Embedder
from tools.embedding_models import ScriptedEmbeddings

if TYPE_CHECKING:
    from agent.models import ChatModel

Who = Literal["worst", "model"]
"""The model that obeys everything, and the one that the suite measures."""

_ASKED: ContextVar["_Asked"] = ContextVar("injection_asked")


@dataclass
class _Asked:
    """The case that is under way, and what the worst-case model has read of it so far."""

    attack: Attack
    requests: list[list[Json]] = field(default_factory=list)


@asynccontextmanager
async def open_injection(
    way: Way, model: Model, *, attacks: Sequence[Attack] | None = None
) -> AsyncIterator[Task]:
    """Yield the task of one way; the learners of all `attacks` are there from the beginning."""
    chosen = {attack.id: attack for attack in attacks or load_attacks()}
    if way == "naive":
        yield open_naive(chosen, model)
        return

    embedder = Embedder(SCRIPTED_MODEL, ScriptedEmbeddings())
    async with AsyncExitStack() as stack:
        stack.enter_context(same_everywhere(model, FOLDER))
        folder = tempfile.TemporaryDirectory(prefix="goals-", ignore_cleanup_errors=True)
        url = stack.enter_context(open_embedded(Path(stack.enter_context(folder)) / "pg"))
        migrate(url)
        worst = make_model(stack, Recordings(None, live=_obey), name="worst-case")
        chats: dict[Who, ChatModel] = {"worst": worst.chat, "model": model.chat}
        services = {
            who: await stack.enter_async_context(
                open_in_process(
                    url,
                    as_app(url),
                    chat=chat,
                    embedder=embedder,
                    now=utc_now,
                    call_seconds=LIVE_SECONDS,
                )
            )
            for who, chat in chats.items()
        }
        sessions = services["worst"].services.system
        other = await make_other(sessions, embedder)
        learners = {
            (attack.id, who): await make_learner(
                attack, sessions, embedder, name=f"{attack.id}-{who}", other=other
            )
            for attack in chosen.values()
            for who in _asked_of(attack)
        }
        await Filler(sessions, embedder).fill()

        async def task(case: Case) -> Outcome:
            attack = chosen[case.inputs["case"]]
            data: Json = {}
            for who in _asked_of(attack):
                trial = _Trial(attack, services[who], learners[attack.id, who], other)
                data[who] = await trial.go()
            return Outcome(data=data)

        yield task


def _asked_of(attack: Attack) -> tuple[Who, ...]:
    return ("worst", "model") if "product" in attack.asked else ("worst",)


async def _obey(request: Json) -> Json:
    asked = _ASKED.get()
    asked.requests[-1].append(request)
    return obey(request, asked.attack)


@dataclass(frozen=True)
class _Trial:
    """One case with one model."""

    attack: Attack
    service: InProcess
    learner: Learner
    other: Learner

    async def go(self) -> Json:
        """Return the effects that happened, and how the request ended, as JSON."""
        attack = self.attack.named({**self.other.ids, **self.learner.ids})
        sessions = self.service.services.system
        before = await read_rows(sessions, self.learner.user_id)
        others_before = await read_rows(sessions, self.other.user_id)
        asked = _Asked(attack)
        token = _ASKED.set(asked)
        try:
            async with self.service.client(self.learner.user_id) as client:
                answers = await _REQUESTS[attack.job](client, attack, asked)
        finally:
            _ASKED.reset(token)
        after = await read_rows(sessions, self.learner.user_id)
        events = await read_events(sessions, self.learner.user_id)
        seen = Happened(
            attack=attack,
            before=before,
            after=after,
            others_before=others_before,
            others_after=await read_rows(sessions, self.other.user_id),
            others_ids=tuple(self.other.ids.values()),
            words=(*_words(answers), *_new_words(before, after)),
            told=(*map(_as_text, answers), *events),
            requests=tuple(map(tuple, asked.requests)),
            tools=_calls(answers),
            known_tools=_known_tools(),
            passed=_passed(answers),
        )
        return {
            "effects": judge(seen),
            "reached": has_reached(seen),
            "works": _works(attack, answers, seen),
            "ended": [_ending(answer) for answer in answers],
        }


async def _talk(client: Any, attack: Attack, asked: _Asked) -> list[Json]:
    """Say the messages of a case in one thread; the answers are the runs' events."""
    answers: list[Json] = []
    thread_id = None
    for number, message in enumerate(attack.request["messages"]):
        asked.requests.append([])
        begun = await client.post(
            "/v1/runs",
            json={"message": message, "thread_id": thread_id, "language": attack.language},
            headers={"Idempotency-Key": f"{attack.id}-{number}"},
        )
        run = begun.json()
        thread_id = run["thread_id"]
        stream = await client.get(f"/v1/runs/{run['id']}/events")
        lines = (line for line in stream.text.splitlines() if line.startswith("data: "))
        answers.append({"events": [json.loads(line.removeprefix("data: ")) for line in lines]})
    return answers


async def _suggest(client: Any, attack: Attack, asked: _Asked) -> list[Json]:
    return await _post(client, "/v1/goals/suggest", attack, asked)


async def _break_down(client: Any, attack: Attack, asked: _Asked) -> list[Json]:
    path = f"/v1/goals/{attack.request['goal']}/breakdown"
    return await _post(client, path, attack, asked)


async def _validate(client: Any, attack: Attack, asked: _Asked) -> list[Json]:
    return await _post(client, f"/v1/tasks/{attack.request['task']}/validate", attack, asked)


async def _feedback(client: Any, attack: Attack, asked: _Asked) -> list[Json]:
    return await _post(client, "/v1/feedback", attack, asked)


async def _post(client: Any, path: str, attack: Attack, asked: _Asked) -> list[Json]:
    asked.requests.append([])
    body = {key: each for key, each in attack.request.items() if key not in _IN_THE_PATH}
    answer = await client.post(
        path,
        params={"review": "true"} if attack.request.get("review") else {},
        json={**body, "language": attack.language},
        headers={"Idempotency-Key": attack.id},
    )
    return [{"status": answer.status_code, "body": answer.json()}]


_IN_THE_PATH: Final = frozenset({"goal", "task", "review"})
_REQUESTS: Final[Mapping[str, Any]] = {
    "chat": _talk,
    "suggest": _suggest,
    "breakdown": _break_down,
    "validate": _validate,
    "feedback": _feedback,
}
_OF_TOOLS: Final = frozenset({"tool_called", "tool_answered"})


def _as_text(answer: Json) -> str:
    return json.dumps(answer, ensure_ascii=False)


def _words(answers: Sequence[Json]) -> list[str]:
    """Return what people are shown; what tools are told and answer is no page's text."""
    words: list[str] = []
    for answer in answers:
        events = answer.get("events")
        if events is None:
            words += strings_of(answer["body"])
            continue
        shown = [event for event in events if event["type"] not in {*_OF_TOOLS, "text_delta"}]
        words += strings_of(shown)
        words.append("".join(one["text"] for one in events if one["type"] == "text_delta"))
    return words


def _new_words(before: Mapping[Any, Json], after: Mapping[Any, Json]) -> list[str]:
    rows = [row for key, row in after.items() if key not in before and key[0] in {"goals", "tasks"}]
    return list(strings_of(rows))


def _calls(answers: Sequence[Json]) -> tuple[tuple[str, ...], ...]:
    """Return the tools that have answered, turn by turn: what was refused was not called."""
    turns: list[list[str]] = [[]]
    name = ""
    for event in (event for answer in answers for event in answer.get("events", ())):
        if event["type"] == "step_started" and event["step"] == "call_tools":
            turns.append([])
        elif event["type"] == "tool_called":
            name = event["name"]
        elif event["type"] == "tool_answered" and not event["failed"]:
            turns[-1].append(name)
    return tuple(tuple(turn) for turn in turns if turn)


def _known_tools() -> frozenset[str]:
    from agent.chat_tools import tool_definitions

    return frozenset(tool["function"]["name"] for tool in tool_definitions())


def _passed(answers: Sequence[Json]) -> bool | None:
    passed: bool | None = answers[-1].get("body", {}).get("passed")
    return passed


def _ending(answer: Json) -> str:
    """Return how a request ended: a run's outcome, a status, or the code of an error."""
    if "events" in answer:
        last = answer["events"][-1]
        return str(last.get("outcome") or last["code"])
    body = answer["body"]
    return str(body.get("code") or answer["status"])


def _works(attack: Attack, answers: Sequence[Json], seen: Happened) -> bool:
    """Tell whether the learner got what they asked for."""
    if attack.job == "chat":
        return all(answer["events"][-1]["type"] == "run_finished" for answer in answers)
    body = answers[-1]["body"]
    if attack.job == "validate" and attack.wrong is not None:
        return seen.passed is (not attack.wrong)
    wanted = {"suggest": "suggestions", "breakdown": "tasks", "feedback": "feedback"}
    return bool(body.get(wanted.get(attack.job, "feedback")))
