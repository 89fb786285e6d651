"""A learner who goes through a talk by the product's own HTTP: AG-UI, completions, interrupts."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

import httpx2

from evals.chat.names import Names
from evals.chat.stored import Rows, changes
from evals.suite import Json

THREAD: Final = "the-talk"
NO_QUESTION: Final = "no_question"
MADE_UP: Final = "int_00000000000000000000000000000000"
_ID_OF: Final = {
    "STEP_STARTED": "stepName",
    "STEP_FINISHED": "stepName",
    **dict.fromkeys(
        ("TEXT_MESSAGE_START", "TEXT_MESSAGE_CONTENT", "TEXT_MESSAGE_END"), "messageId"
    ),
    **dict.fromkeys(
        ("TOOL_CALL_START", "TOOL_CALL_ARGS", "TOOL_CALL_END", "TOOL_CALL_RESULT"), "toolCallId"
    ),
}


@dataclass
class Talker:
    """One learner in one thread; `read` gives the rows as they are, `settle` has them found."""

    client: httpx2.AsyncClient
    names: Names
    read: Callable[[], Awaitable[Rows]]
    settle: Callable[[], Awaitable[None]]
    questions: list[Json] = field(default_factory=list)
    _runs: int = 0

    async def go_through(self, turns: list[Json]) -> list[Json]:
        """Return what came of each turn, the ids in it named."""
        told: list[Json] = []
        for turn in turns:
            before = await self.read()
            came = await self._say(turn) if "say" in turn else await self._decide(turn)
            after = await self.read()
            came["changes"] = changes(before, after)
            if came["changes"]:
                await self.settle()
            told.append(self.names.name(came))
        return told

    async def _say(self, turn: Json) -> Json:
        message = {"id": "m", "role": "user", "content": turn["say"]}
        answer = await self.client.post("/v1/agui", json=self._input(messages=[message]))
        return self._heard(answer)

    async def _decide(self, turn: Json) -> Json:
        question = self._question(turn)
        if question is None:
            return {"ended": NO_QUESTION}
        decisions = decisions_on(question, turn["decide"])
        came = await _WAYS[turn.get("by", "agui")](self, question["id"], decisions)
        if came["ended"] == "success":
            came["decided"] = approved(question, decisions)
        return came

    def _question(self, turn: Json) -> Json | None:
        if turn.get("question") == "made_up":
            return {"id": MADE_UP, "items": []}
        if not self.questions:
            return None
        return self.questions[0 if turn.get("question") == "first" else -1]

    async def _by_agui(self, question: str, decisions: Json) -> Json:
        if "cancel" in decisions:
            entry: Json = {"interruptId": question, "status": "cancelled"}
        else:
            entry = {"interruptId": question, "status": "resolved", "payload": decisions}
        return self._heard(await self.client.post("/v1/agui", json=self._input(resume=[entry])))

    async def _by_rest(self, question: str, decisions: Json) -> Json:
        answer = await self.client.post(f"/v1/interrupts/{question}", json=decisions)
        if not answer.is_success:
            return _refused(answer)
        return await self._follow(answer.json()["run_id"])

    async def _by_command(self, question: str, decisions: Json) -> Json:
        asked = {
            "model": "goals-planner",
            "messages": [{"role": "user", "content": as_command(question, decisions)}],
            "metadata": {"thread_id": THREAD},
        }
        answer = await self.client.post("/v1/chat/completions", json=asked)
        return (
            await self._follow(answer.headers["X-Run-Id"])
            if answer.is_success
            else _refused(answer)
        )

    async def _follow(self, run_id: str) -> Json:
        return self._heard(
            await self.client.get(f"/v1/runs/{run_id}/events", params={"wire": "agui"})
        )

    def _input(self, **given: Any) -> Json:
        self._runs += 1
        empty: Json = {"state": {}, "messages": [], "tools": [], "context": []}
        named = {"threadId": THREAD, "runId": f"run-{self._runs}", "forwardedProps": {}}
        return {**empty, **named, **given}

    def _heard(self, answer: httpx2.Response) -> Json:
        if not answer.is_success:
            return _refused(answer)
        came = read_run(frames(answer.text))
        if came["question"] is not None:
            self.questions.append(came["question"])
        return came


_WAYS: Final[dict[str, Callable[[Talker, str, Json], Awaitable[Json]]]] = {
    "agui": Talker._by_agui,
    "rest": Talker._by_rest,
    "command": Talker._by_command,
}


def frames(text: str) -> list[Json]:
    """Return the data of server-sent events."""
    found = []
    for frame in text.split("\n\n"):
        data = [line[5:].strip() for line in frame.splitlines() if line.startswith("data:")]
        if data:
            found.append(json.loads("\n".join(data)))
    return found


def read_run(events: list[Json]) -> Json:
    """Return what a run's events tell: its words, its calls, its question and how it ended."""
    last = events[-1] if events else {}
    results = {
        event["toolCallId"]: event for event in events if event["type"] == "TOOL_CALL_RESULT"
    }
    arguments = {
        event["toolCallId"]: event for event in events if event["type"] == "TOOL_CALL_ARGS"
    }
    tools = [
        {
            "name": event["toolCallName"],
            "arguments": json.loads(arguments[event["toolCallId"]]["delta"]),
            "answer": results[event["toolCallId"]]["content"],
        }
        for event in events
        if event["type"] == "TOOL_CALL_START" and event["toolCallId"] in results
    ]
    ended, code, question = "broken", None, None
    if last.get("type") == "RUN_FINISHED":
        ended = last["outcome"]["type"]
        for interrupt in last["outcome"].get("interrupts") or ():
            question = {"id": interrupt["id"], **interrupt["metadata"]}
    elif last.get("type") == "RUN_ERROR":
        ended, code = "failed", last.get("code")
    told = [event["delta"] for event in events if event["type"] == "TEXT_MESSAGE_CONTENT"]
    message = ((last.get("result") or {}).get("message") or {}).get("text")
    return {
        "ended": ended,
        "code": code,
        "text": message if message is not None else "".join(told),
        "tools": tools,
        "question": question,
        "events": [
            {"type": event["type"], "id": event.get(_ID_OF.get(event["type"], ""))}
            for event in events
        ],
    }


def decisions_on(question: Json, decided: Json) -> Json:
    """Return a case's decision, which counts items from 1, as the API takes it."""
    if decided.get("cancel"):
        return {"cancel": True}
    keys = [item["key"] for item in question["items"]]
    decisions = {}
    for one in decided.get("items", ()):
        if one["item"] <= len(keys):
            decision = {name: one[name] for name in ("action", "fields") if name in one}
            decisions[keys[one["item"] - 1]] = decision
    return {"decisions": decisions, "rest": decided["rest"]}


def as_command(question: str, decisions: Json) -> str:
    """Return decisions as the lines that a client without forms sends."""
    lines = [f"/{decisions['rest']} {question} all"]
    for key, one in decisions["decisions"].items():
        if one["action"] == "edit":
            lines += [
                f"/edit {question} {key} {name}={value}" for name, value in one["fields"].items()
            ]
        else:
            lines.append(f"/{one['action']} {question} {key}")
    return "\n".join(lines)


def approved(question: Json, decisions: Json) -> list[Json]:
    """Return the items that the learner wants, with their own words."""
    if "cancel" in decisions:
        return []
    wanted = []
    for item in question["items"]:
        one = decisions["decisions"].get(item["key"], {"action": decisions["rest"]})
        if one["action"] != "reject":
            wanted.append({**item, "fields": {**item["fields"], **one.get("fields", {})}})
    return wanted


def _refused(answer: httpx2.Response) -> Json:
    body = answer.json()
    code = body.get("code") or (body.get("error") or {}).get("code")
    return {"ended": "refused", "status": answer.status_code, "code": code}
