"""Conversation: the model talks, searches, and may hand over to a job that proposes.

It writes nothing: what is proposed goes to the user's review like every reviewed draft.
"""

import json
from dataclasses import replace
from typing import Final

from langgraph.runtime import Runtime

from agent.chat_tools import CALLS_AT_ONCE, call_tool, tool_definitions
from agent.context import HISTORY_MESSAGES, LATEST_GOALS, OPEN_TASKS, AgentContext
from agent.disarm import disarm
from agent.job import added
from agent.links import unlink
from agent.nodes.beginning import begun, chosen_by, result_of
from agent.prompts import load_prompt
from agent.sources import dashed, new_fence
from agent.state import AgentState, Json
from agent.stream import TextDelta, TextEnded, TextStarted, ToolAnswered, ToolCalled
from agent.talk import Call, Spoken, talk
from agent.token_budget import cut, estimate_tokens
from agent.told import as_read, tell_no_words
from db.base import new_id, utc_now
from db.failpoints import hit
from db.talks import Talk, read_talk
from tools.errors import StepLimit
from tools.usage import budget_exceeded
from tools.users import preferences_of

ROUNDS: Final = 6
HISTORY_TOKENS: Final = 3_000
REPLY_TOKENS: Final = 700

Context = Runtime[AgentContext]


async def _begin(state: AgentState, context: AgentContext) -> AgentState:
    """Return what a talk begins with; where it was finished before, its answer is all that is.

    It was read, and its share of the budget reserved, with its message, but where the run was
    taken up from another process. Raises BudgetExceeded where the day's are spent.
    """
    start = None if context.start is None else await context.start
    talk = await _read(state, context) if start is None else start.talk
    if (result := result_of(talk.finished, state)) is not None:
        return AgentState(result=result)
    chosen = chosen_by(talk.account)
    if start is None:
        async with context.open_tools() as tools:
            await context.reserve(tools, state)
    elif not start.reserved:
        raise budget_exceeded(utc_now())
    subject = {"history": talk.said, "goals": talk.goals, "tasks": talk.tasks}
    return begun(state, subject, chosen=chosen, otherwise=state["request"]["message"])


async def _read(state: AgentState, context: AgentContext) -> Talk:
    """Read what was said in the thread before this message, the latest goals and the open tasks."""
    async with context.open_tools() as tools:
        elsewhere = tools.directory.is_elsewhere
        account = await preferences_of(tools) if elsewhere else None
        talk = await read_talk(
            tools.session,
            tools.user_id,
            has_account=not elsewhere,
            operation_id=state["operation_id"],
            thread_id=state["request"]["thread_id"],
            message_id=state["request"]["message_id"],
            messages=HISTORY_MESSAGES,
            goals=LATEST_GOALS,
            tasks=OPEN_TASKS,
        )
    return replace(talk, account=account) if elsewhere else talk


async def converse(state: AgentState, runtime: Context) -> AgentState:
    """Let the model have its turn; its words go out as they come.

    Before the first one what the talk is about is read, and its language settled. Raises StepLimit
    where the model has had too many, BudgetExceeded, and the model errors of `agent.talk.talk`.
    """
    context, emit = runtime.context, runtime.stream_writer
    change = AgentState()
    if not state["rounds"]:
        change = await _begin(state, context)
        if change.get("result") is not None:
            return change
        state = {**state, **change}
        hit("agent.talk_begun")
    if state["rounds"] >= ROUNDS:
        raise StepLimit(f"the model called tools {ROUNDS} times and did not come to an end")
    context.require_budget()
    message_id = new_id("msg")
    has_spoken = False

    def on_text(text: str) -> None:
        nonlocal has_spoken
        if not has_spoken:
            has_spoken = True
            emit(TextStarted(message_id=message_id))
        emit(TextDelta(message_id=message_id, text=text))

    spoken = await talk(
        context.chat,
        prompt_of(state),
        tools=tool_definitions(),
        max_tokens=REPLY_TOKENS,
        deadline=context.limits.call_seconds,
        on_text=on_text,
    )
    context.meter.add(spoken.usage)
    if has_spoken:
        emit(TextEnded(message_id=message_id))
    message = _as_message(message_id, spoken)
    if not spoken.calls and not spoken.text.strip():
        message, events = service_message(tell_no_words(state["language"]))
        for event in events:
            emit(event)
    change["messages"] = [*state["messages"], message]
    change["rounds"] = state["rounds"] + 1
    change["tokens"] = added(state["tokens"], spoken.usage)
    return change


async def call_tools(state: AgentState, runtime: Context) -> AgentState:
    """Answer the model's calls; the first proposal that holds takes the run over."""
    context, emit = runtime.context, runtime.stream_writer
    calls = [Call(**call) for call in state["messages"][-1]["calls"]]
    answers: list[Json] = []
    change = AgentState()
    for number, call in enumerate(calls):
        emit(ToolCalled(call_id=call.id, name=call.name, arguments=call.arguments or {}))
        if number >= CALLS_AT_ONCE or change:
            content, failed = _NOT_NOW, True
        else:
            told = await call_tool(context, call, language=state["language"])
            content, failed = told.content, told.failed
            if told.job is not None and told.request is not None:
                change = AgentState(job=told.job, request=told.request)
        emit(ToolAnswered(call_id=call.id, content=content, failed=failed))
        answers.append({"role": "tool", "content": content, "call_id": call.id})
    change["messages"] = [*state["messages"], *answers]
    return change


def after_converse(state: AgentState) -> str:
    """Go on to the tools, or end: the model has said what it had to say, or had so before."""
    if state.get("result") is not None:
        return "__end__"
    return "call_tools" if state["messages"][-1]["calls"] else "__end__"


def after_tools(state: AgentState) -> str:
    """Go back to the model, or to the job that it has proposed."""
    return "converse" if state["job"] == "converse" else "retrieve"


def service_message(text: str) -> tuple[Json, list[TextStarted | TextDelta | TextEnded]]:
    """Return a message that the service itself says, for the state and for the stream.

    It has titles in it, which are anybody's words.
    """
    message_id, text = new_id("msg"), unlink(text)
    events: list[TextStarted | TextDelta | TextEnded] = [
        TextStarted(message_id=message_id),
        TextDelta(message_id=message_id, text=text),
        TextEnded(message_id=message_id),
    ]
    return {"role": "assistant", "id": message_id, "content": text, "calls": []}, events


_NOT_NOW: Final = json.dumps(
    {"error": {"code": "TOO_MANY_CALLS", "detail": "not called: one proposal, eight calls at once"}}
)


def _as_message(message_id: str, spoken: Spoken) -> Json:
    return {
        "role": "assistant",
        "id": message_id,
        "content": spoken.text,
        "calls": [vars(call) for call in spoken.calls],
    }


def prompt_of(state: AgentState) -> list[Json]:
    """Return OpenAI's messages: our instructions, the thread, and this run so far.

    What comes first is the same in every call, so that a server that keeps what it has read need
    not read our instructions and the tools again: names of this run and rows come after them.
    """
    goals, tasks = (
        dashed(disarm(f"{row['id']} ({row['status']}): {row['title']}") for row in rows)
        for rows in (state["subject"]["goals"], state["subject"]["tasks"])
    )
    prompt = load_prompt("converse", state["language"])
    asked = prompt.user.substitute(
        fence=new_fence(), goals=goals, tasks=tasks, message=disarm(state["request"]["message"])
    )
    return [
        {"role": "system", "content": prompt.system.substitute()},
        *(
            {"role": said["role"], "content": disarm(said["content"])}
            for said in _recent(_as_read(state["subject"]["history"]))
        ),
        {"role": "user", "content": asked},
        *(_as_openai(said) for said in state["messages"]),
    ]


def _as_read(history: list[Json]) -> list[Json]:
    """Return the thread in OpenAI's roles, what we said as the model is to read it."""
    read = [
        {"role": "assistant", "content": as_read(said["content"])}
        if said["role"] == "assistant"
        else {"role": "user", "content": said["content"]}
        for said in history
    ]
    return [said for said in read if said["content"]]


def _as_openai(said: Json) -> Json:
    """Return a message of this run: the model's, perhaps with calls, or a tool's."""
    if said["role"] == "tool":
        return {"role": "tool", "content": said["content"], "tool_call_id": said["call_id"]}
    if not said["calls"]:
        return {"role": "assistant", "content": said["content"]}
    calls = [
        {
            "type": "function",
            "id": call["id"],
            "function": {
                "name": call["name"],
                "arguments": json.dumps(call["arguments"] or {}, ensure_ascii=False),
            },
        }
        for call in said["calls"]
    ]
    return {"role": "assistant", "content": said["content"] or None, "tool_calls": calls}


def _recent(history: list[Json]) -> list[Json]:
    """Return the newest messages that fit; the oldest of them may lose its end."""
    left = HISTORY_TOKENS
    kept: list[Json] = []
    for said in reversed(history):
        if left <= 0:
            break
        text = cut(said["content"], left)
        left -= estimate_tokens(text)
        kept.append({**said, "content": text})
    return kept[::-1]
