"""What the graph needs to know of a job: how to load, ask, check and keep it.

Every job goes the same way through the graph; `agent/nodes` has one module for each.
"""

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypedDict, TypeVar

from pydantic import BaseModel

from agent.answers import UnusableAnswer, Usage, ask
from agent.context import AgentContext
from agent.disarm import disarm
from agent.prompts import Prompt, load_prompt
from agent.review import Decision
from agent.sources import ids_of
from agent.state import AgentState, JobName, Json, Source, Tokens
from tools.context import ToolContext
from tools.errors import ModelBadOutput

GRAPH_VERSION: Final = "3"
INVENTIVE: Final = 0.7
SOBER: Final = 0.1
T = TypeVar("T", bound=BaseModel)
Recording = Callable[[ToolContext, AgentState, AgentContext], Awaitable[None]]


@dataclass(frozen=True)
class Job:
    """One thing that the agent can do, as functions that the graph's nodes call in turn.

    `load` reads the rows (JSON values), `query` makes the search text, `entity_types` say what it
    searches, `answer` calls the model, `check` judges its words, `persist` writes rows and events.
    `collect` returns the subject with evidence that needs neither the search nor a model.
    A job that can be reviewed names the `items` of its draft, each with a `key`; `decide` makes the
    draft that the user wants, and `record_proposed` records what was shown to them. One that
    `seeks_grounds` takes what is only a little near, and `otherwise` says what to show the model
    where nothing is.
    """

    name: JobName
    entity_types: tuple[str, ...]
    load: Callable[[ToolContext, Json], Awaitable[Json]]
    query: Callable[[Json, Json], str]
    answer: Callable[[AgentState, AgentContext], Awaitable[AgentState]]
    check: Callable[[AgentState, AgentContext], Awaitable[AgentState]]
    persist: Callable[[ToolContext, AgentState, AgentContext], Awaitable[Json]]
    items: Callable[[Json], list[Json]] | None = None
    decide: Callable[[Json, Mapping[str, Decision]], Json] | None = None
    record_proposed: Recording | None = None
    seeks_grounds: bool = False
    otherwise: Callable[[Json], list[Source]] | None = None
    collect: Callable[[AgentState], Coroutine[Any, Any, Json]] | None = None


class ProvenanceFields(TypedDict):
    """The fields of `db.events.Provenance`, and the operation."""

    model: str
    prompt_version: str
    graph_version: str
    input_tokens: int
    output_tokens: int
    retrieved: tuple[str, ...]
    operation_id: str


async def ask_for(
    shape: type[T],
    state: AgentState,
    context: AgentContext,
    *,
    values: dict[str, str],
    scripted: dict[str, Any],
    temperature: float = INVENTIVE,
) -> AgentState:
    """Return the state change of one model call: an answer, or a complaint for the repair turn.

    `scripted` goes beside the prompt and never leaves the process: the scripted model reads it.
    Raises the model errors of `agent.answers.ask`; UnusableAnswer once the repairs are used up.
    """
    from langchain_core.messages import AIMessage, HumanMessage

    context.require_budget()
    messages = _prompt(state).messages(**_disarmed(values))
    complaint = state.get("complaint")
    if complaint and state["answer"]:
        said = disarm(str(state["answer"].get("text") or state["answer"]))
        messages += [AIMessage(said), HumanMessage(_REPAIR[state["language"]] + disarm(complaint))]
    elif complaint:
        messages[-1] = HumanMessage(f"{messages[-1].text}\n\n{disarm(complaint)}")
    messages[-1].additional_kwargs["scripted"] = scripted
    try:
        answer = await ask(
            context.chat,
            messages,
            shape=shape,
            max_tokens=context.limits.answer_tokens,
            deadline=context.limits.call_seconds,
            temperature=temperature,
        )
    except UnusableAnswer as error:
        context.meter.add(error.usage)
        return complain(
            state, context, error.detail, answer={"text": error.text}, usage=error.usage
        )
    context.meter.add(answer.usage)
    return AgentState(
        answer=answer.value.model_dump(),
        complaint=None,
        tokens=added(state["tokens"], answer.usage),
    )


def complain(
    state: AgentState,
    context: AgentContext,
    detail: str,
    *,
    answer: Json | None = None,
    usage: Usage | None = None,
) -> AgentState:
    """Return the state change that asks the model again, once.

    It reads its `answer` (the state's, where none is given) and what is wrong with it. With an
    empty one it begins anew, and reads the complaint at the end of the question: a small model
    says again what it reads, in the language that it reads.

    Raises ModelBadOutput where the repair turns are used up.
    """
    if state["repairs"] >= context.limits.repairs:
        raise ModelBadOutput(detail)
    return AgentState(
        complaint=detail,
        repairs=state["repairs"] + 1,
        answer=state.get("answer", {}) if answer is None else answer,
        tokens=state["tokens"] if usage is None else added(state["tokens"], usage),
    )


def provenance(state: AgentState, context: AgentContext) -> ProvenanceFields:
    """Return where the words of this run come from, for its rows and events."""
    return ProvenanceFields(
        model=context.chat.name,
        prompt_version=_prompt(state).version,
        graph_version=GRAPH_VERSION,
        input_tokens=state["tokens"]["input"],
        output_tokens=state["tokens"]["output"],
        retrieved=ids_of(state["sources"]),
        operation_id=state["operation_id"],
    )


def as_meta(told: ProvenanceFields) -> Json:
    """Return the provenance as JSON values, for a row's metadata."""
    return {**told, "retrieved": list(told["retrieved"])}


_REPAIR: Final = {
    "es": "Tu respuesta no sirve. Escríbela de nuevo, completa y corregida. Problema: ",
    "en": "Your answer cannot be used. Write it again, whole and corrected. Problem: ",
}


def _disarmed(values: dict[str, str]) -> dict[str, str]:
    """Disarm all that goes into a prompt but our fence, and code, which is shown as it is read.

    The code has lost its chat tokens already: the quotes of an answer must be found in it.
    """
    return {
        name: value if name in {"fence", "code"} else disarm(value)
        for name, value in values.items()
    }


def _prompt(state: AgentState) -> Prompt:
    return load_prompt(state["job"], state["language"])


def added(tokens: Tokens, usage: Usage, *, calls: int = 1) -> Tokens:
    """Return what a run has cost so far with `calls` more."""
    return Tokens(
        input=tokens["input"] + usage.input_tokens,
        output=tokens["output"] + usage.output_tokens,
        calls=tokens["calls"] + calls,
    )
