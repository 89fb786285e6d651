"""The shapes that the chat model answers in.

Flat, every field required, every list and string bounded: a small model under a grammar never ends
a list that may go on, and ignores the bounds of numbers, so numbers are judged in `checks`.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=240)]
Title = Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=100)]
Paragraph = Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=400)]
SourceLabel = Annotated[str, StringConstraints(pattern=r"^S[0-9]{1,2}$")]
TaskKey = Annotated[str, StringConstraints(pattern=r"^t[0-9]{1,2}$")]


class Output(BaseModel):
    """Root of the shapes: nothing but the named fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SuggestedGoal(Output):
    """A goal as the model proposes it."""

    title: Title
    description: Paragraph
    why: Line
    priority: Literal["low", "medium", "high", "urgent"]
    criteria: list[Line] = Field(min_length=2, max_length=5)
    based_on: list[SourceLabel] = Field(max_length=3)


class SuggestedGoals(Output):
    """Proposed goals, in the order in which to take them."""

    goals: list[SuggestedGoal] = Field(min_length=1, max_length=7)


class PlannedTask(Output):
    """A task as the model plans it; `key` is its own name for it, `serves` counts from 1.

    `serves` comes before the title: a small model that names the criterion first writes tasks that
    differ.
    """

    key: TaskKey
    serves: list[int] = Field(max_length=6)
    title: Title
    description: Paragraph
    task_type: Literal[
        "code", "documentation", "testing", "research", "review", "deployment", "other"
    ]
    acceptance: list[Line] = Field(min_length=2, max_length=4)
    depends_on: list[TaskKey] = Field(max_length=4)
    hours_low: float
    hours_likely: float
    hours_high: float
    complexity: int
    reason: Line


class PlannedTasks(Output):
    """Tasks that together reach a goal."""

    tasks: list[PlannedTask] = Field(min_length=3, max_length=7)


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
        str, StringConstraints(strip_whitespace=True, min_length=10, max_length=1_000)
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
