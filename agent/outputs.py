"""The shapes that the chat model answers in.

Flat, every field required, every list and string bounded: a small model under a grammar never ends
a list that may go on, and ignores the bounds of numbers, so numbers are judged in `checks`.
"""

from collections.abc import Mapping
from copy import copy
from functools import lru_cache
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    create_model,
)

from agent.links import unlink
from tools.texts import is_storable


def _usable(text: str) -> str:
    if not is_storable(text) or not any(character.isalnum() for character in text):
        raise ValueError("write words: letters, no control characters")
    return text


def _plain(value: Any) -> Any:
    return unlink(value) if isinstance(value, str) else value


Usable = AfterValidator(_usable)
Plain = BeforeValidator(_plain)
"""For what people are shown: no address in it is alive."""
Line = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=3, max_length=240), Usable, Plain
]
Title = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=3, max_length=100), Usable, Plain
]
Paragraph = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=3, max_length=400), Usable, Plain
]
SourceLabel = Annotated[str, StringConstraints(pattern=r"^S[0-9]{1,2}$")]
TaskKey = Annotated[str, StringConstraints(pattern=r"^t[0-9]{1,2}$")]
AnyTaskKey = Annotated[str, StringConstraints(pattern=r"^[tE][0-9]{1,2}$")]
MOST_GOALS: Final = 7
FEWEST_TASKS: Final = 3
MOST_TASKS: Final = 7


class Output(BaseModel):
    """Root of the shapes: nothing but the named fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Shape = TypeVar("Shape", bound=Output)


class SuggestedGoal(Output):
    """A goal as the model proposes it.

    `based_on` comes before the title: a small model that names its source first writes goals that
    go on from it.
    """

    based_on: list[SourceLabel] = Field(max_length=3)
    title: Title
    description: Paragraph
    why: Line
    priority: Literal["low", "medium", "high", "urgent"]
    criteria: list[Line] = Field(min_length=2, max_length=5)


class SuggestedGoals(Output):
    """Proposed goals, in the order in which to take them."""

    goals: list[SuggestedGoal] = Field(min_length=1, max_length=MOST_GOALS)


class PlannedTask(Output):
    """A task as the model plans it; `key` is its own name for it, `serves` counts from 1.

    `serves` comes before the title: a small model that names the criterion first writes tasks that
    differ. `depends_on` names tasks of the plan (t1) or tasks that exist (E1).
    """

    key: TaskKey
    serves: list[int] = Field(max_length=6)
    title: Title
    description: Paragraph
    task_type: Literal[
        "code", "documentation", "testing", "research", "review", "deployment", "other"
    ]
    acceptance: list[Line] = Field(min_length=2, max_length=5)
    depends_on: list[AnyTaskKey] = Field(max_length=4)
    hours_low: float
    hours_likely: float
    hours_high: float
    complexity: int
    reason: Line


class PlannedTasks(Output):
    """Tasks that together reach a goal."""

    tasks: list[PlannedTask] = Field(min_length=1, max_length=MOST_TASKS)


@lru_cache(maxsize=64)
def goals_shape(
    count: int, labels: tuple[str, ...], *, must_cite: bool = True
) -> type[SuggestedGoals]:
    """Return the shape of `count` goals that rest on sources with these labels, or on none.

    The narrower bounds are told to the model only, and bind one that writes under a grammar; what
    another says beyond them still fits, and is judged in `checks`.
    """
    cited: dict[str, Any] = {"minItems": int(must_cite), "items": {"enum": list(labels)}}
    goal = _told(SuggestedGoal, based_on=cited if labels else {"maxItems": 0})
    kinds = {"goals": list[goal]}  # type: ignore[valid-type]  # a class made here
    return _told(SuggestedGoals, kinds, goals={"minItems": count, "maxItems": count})


@lru_cache(maxsize=64)
def tasks_shape(count: int, criteria: int, existing: int) -> type[PlannedTasks]:
    """Return the shape of `count` tasks for that many criteria, beside that many existing tasks.

    As in `goals_shape`, the narrower bounds are told to the model only.
    """
    keys = [f"t{number}" for number in range(1, count + 1)]
    keys += [f"E{number}" for number in range(1, existing + 1)]
    bounds: dict[str, Any] = {"depends_on": {"items": {"enum": keys}}}
    if criteria:
        bounds["serves"] = {"minItems": 1, "items": {"enum": list(range(1, criteria + 1))}}
    task = _told(PlannedTask, **bounds)
    kinds = {"tasks": list[task]}  # type: ignore[valid-type]  # a class made here
    return _told(PlannedTasks, kinds, tasks={"minItems": count, "maxItems": count})


def _told(
    shape: type[Shape], kinds: Mapping[str, Any] | None = None, **bounds: Mapping[str, Any]
) -> type[Shape]:
    """Return `shape` with other bounds of its fields, and kinds, in its JSON Schema."""
    fields: dict[str, Any] = {}
    for name, told in bounds.items():
        field = copy(shape.model_fields[name])
        field.json_schema_extra = dict(told)
        fields[name] = ((kinds or {}).get(name, field.annotation), field)
    return create_model(shape.__name__, __base__=shape, **fields)


class CriterionVerdict(Output):
    """What the model thinks of one criterion, counted from 1."""

    number: int
    verdict: Literal["met", "partly", "not_met", "cannot_judge"]
    why: Line


class ReviewFinding(Output):
    """A remark on the code, with the very lines that it is about."""

    quote: Annotated[str, StringConstraints(min_length=1, max_length=300)]
    problem: Line
    trigger: Line
    kind: Literal["essential", "actionable", "informative", "celebratory"]
    severity: Literal["low", "medium", "high"]


class Review(Output):
    """What the model says about a submission."""

    criteria: list[CriterionVerdict] = Field(max_length=10)
    findings: list[ReviewFinding] = Field(max_length=4)
    feedback: Annotated[
        str, StringConstraints(strip_whitespace=True, min_length=10, max_length=1_000), Plain
    ]
    next_step: Line


class Solution(Output):
    """A model's own solution of a task, to compare submissions with; nobody is shown it."""

    code: Annotated[str, StringConstraints(min_length=1, max_length=3_000)]


class ProposedCalls(Output):
    """Calls that would test a solution of a task, without their results."""

    calls: list[Annotated[str, StringConstraints(min_length=3, max_length=160)]] = Field(
        min_length=4, max_length=8
    )


class SecondLook(Output):
    """Whether a claimed mistake is one, after following the code with a concrete input."""

    trace: Annotated[str, StringConstraints(min_length=10, max_length=600)]
    is_mistake: Literal["yes", "no", "unsure"]
