"""What callers send to the agent and what they get back."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from tools.code_files import CodeFile
from tools.schemas import GoalOut, TaskOut
from tools.texts import Code, FilePath, Id, Language, Text

ReplyLanguage = Annotated[
    Literal["es", "en"] | None,
    Field(description="Language of the answer; by default the learner's own, else the text's"),
]

Mode = Annotated[
    Literal["full", "facts"],
    Field(
        description="`facts` answers from analyzers and runs alone: no model is asked, nothing is "
        "stored, an Idempotency-Key has no effect"
    ),
]


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SuggestIn(_In):
    """A wish for goals."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"wish": "Quiero aprender a probar mi API y a desplegarla", "count": 3},
                {"wish": "I want to understand async Python", "count": 2, "language": "en"},
            ]
        }
    )

    wish: Annotated[Text, Field(max_length=2_000)] | None = None
    course_id: Id | None = None
    count: Annotated[int, Field(ge=1, le=7, strict=True)] = 3
    language: ReplyLanguage = None


class BreakdownIn(_In):
    """How to break a goal down; `count` is a wish, 3 to 7.

    A goal that has a plan gets a diff to it; `instructions` say what should be different.
    """

    count: Annotated[int, Field(ge=3, le=7, strict=True)] | None = None
    instructions: Annotated[Text, Field(max_length=1_000)] | None = None
    language: ReplyLanguage = None


class StatusIn(_In):
    """A new status for a goal or a task."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"entity_id": "tsk_abc123", "status": "completed"}]}
    )

    entity_id: Annotated[Id, Field(description="Of the goal (gol_…) or task (tsk_…)")]
    status: Annotated[Text, Field(min_length=1, max_length=20)]


class CodeIn(CodeFile):
    """Code to be judged; `document_version` comes back unchanged, to mark stale findings."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "file_path": "pares.py",
                    "programming_language": "python",
                    "code": "def suma_pares(numeros):\n"
                    "    return sum(n for n in numeros if n % 2 == 0)\n",
                    "document_version": 7,
                },
                {
                    "file_path": "src/evens.js",
                    "programming_language": "javascript",
                    "code": "export const isEven = (n) => n % 2 === 0;\n",
                    "mode": "facts",
                },
            ]
        }
    )

    file_path: FilePath
    programming_language: Language
    code: Annotated[Code, Field(min_length=1)] = Field(default_factory=str)
    document_version: Annotated[int, Field(strict=True, ge=0, lt=2**53)] | None = None
    language: ReplyLanguage = None
    mode: Mode = "full"
    hint: Annotated[
        Literal["nudge", "concept", "pseudocode", "analogue"] | None,
        Field(description="How much the feedback may give away; by default the concept"),
    ] = None


class Tokens(BaseModel):
    """What the model calls cost, as the model server counted."""

    input: int
    output: int
    calls: int


class SourceOut(BaseModel):
    """A row that was retrieved for the model; `score` is the cosine similarity."""

    label: str
    entity_type: str
    entity_id: str
    title: str
    score: float


class _AgentOut(BaseModel):
    language: Literal["es", "en"]
    tokens: Tokens
    sources: list[SourceOut]


class _StoredOut(_AgentOut):
    model: str


class Suggestion(BaseModel):
    """A stored goal, why it was proposed, and the ids that it rests on."""

    goal: GoalOut
    why: str
    based_on: list[str]
    grounds: Literal["cited", "nearest", "none"] = Field(
        default="cited",
        description="`cited`: the model named these rows; `nearest`: it named none, and this row "
        "of those retrieved is nearest to the goal; `none`: nothing that was retrieved is near",
    )


class DroppedGoal(BaseModel):
    """A proposal that was left out; `continue_goal_id` names the goal to go on with."""

    title: str
    reason: Literal["overlap", "part", "criteria", "language"] = Field(
        default="overlap",
        description="It repeats a goal, is a part of one, cannot be checked, or is in the other "
        "language",
    )
    repeats: str | None = Field(description="Title of the goal that it repeats or is part of")
    continue_goal_id: str | None
    similarity: float | None


class SuggestOut(_StoredOut):
    """Goals that were proposed and stored, and what was left out."""

    suggestions: list[Suggestion]
    dropped: list[DroppedGoal]


class PlanRepair(BaseModel):
    """Something in the plan that code mended; `task` is a title, empty for the whole plan."""

    kind: str
    task: str
    detail: str


class PlanDiff(BaseModel):
    """What a breakdown did, as ids of tasks: `kept` are all others that the goal has."""

    added: list[str]
    changed: list[str]
    removed: list[str]
    kept: list[str]


class CalibrationOut(BaseModel):
    """How the estimates were scaled: by the ratio of so many finished tasks."""

    ratio: float
    tasks: int


class CoveredCriterion(BaseModel):
    """A criterion of the goal and the tasks that serve it."""

    criterion_id: str
    task_ids: list[str]


class BreakdownOut(_StoredOut):
    """A plan's tasks in an order in which they can be done, and what became of earlier ones.

    Tasks that you made, edited or worked on are never touched: they are in `diff.kept` only.
    """

    goal_id: str
    tasks: list[TaskOut]
    diff: PlanDiff | None = Field(
        default=None, description="Null in answers that were stored before there were diffs"
    )
    unchanged: bool = Field(
        default=False,
        description="The plan was made of the very same: no model was asked, nothing is new",
    )
    critical_path: list[str] = Field(
        description="The chain of the goal's open tasks that takes the most hours"
    )
    coverage: list[CoveredCriterion] = Field(default_factory=list)
    repairs: list[PlanRepair]
    calibration: CalibrationOut | None = Field(
        default=None, description="Null where fewer than five finished tasks have both hours"
    )


class Issue(BaseModel):
    """A remark on the code: 1-based inclusive lines."""

    start_line: int
    end_line: int
    kind: str = Field(
        description="syntax, fact, or of a review: essential, actionable, informative, celebratory"
    )
    source: str = Field(
        description="Who says it: syntax, ruff, oxlint, unicode, claims, secrets or model"
    )
    rule: str = Field(description="Stable name of the rule", examples=["ruff/F841"])
    fingerprint: str = Field(description="Stays the same while the rule and the quoted code do")
    severity: Literal["low", "medium", "high"]
    problem: str
    quote: str | None = Field(description="The code that it is about, secrets replaced")
    trigger: str | None = Field(description="When it happens, as the review says")


class CriterionOut(BaseModel):
    """The state of one criterion and what that rests on."""

    text: str
    verdict: Literal["met", "partly", "not_met", "cannot_judge"]
    why: str
    basis: str


class ProgramRunOut(BaseModel):
    """An example that was executed, or why it was not."""

    expression: str
    status: Literal["pass", "fail", "error", "timeout", "not_runnable"]
    expected: str | None
    got: str | None
    detail: str | None
    origin: Literal["task", "proposed"] = Field(
        description="`proposed`: from solutions of the model's own, where the task has no examples"
    )
    strength: Literal["strong", "weak"] = Field(description="A weak run decides nothing")
    runner: str = Field(description="What executed it", examples=["monty"])
    votes: int | None = Field(
        default=None, description="How many of the model's solutions agree on what is expected"
    )
    solutions: int | None = Field(default=None, description="How many were compared")


class MetricsOut(BaseModel):
    """Sizes of the file; `max_complexity` is McCabe's number of its most branched function."""

    lines: int
    code_lines: int
    functions: int
    max_complexity: int
    longest_function: int


class UnavailableOut(BaseModel):
    """An analyzer that applies to this code and gave no answer."""

    analyzer: str
    reason: str


class ProgressEntry(BaseModel):
    """A finding or a failing example that the task's previous submission, or this one, has."""

    fingerprint: str
    rule: str
    problem: str
    start_line: int | None = Field(description="In the present code; null where it is gone")
    end_line: int | None


class ProgressOut(BaseModel):
    """What has become of the previous submission's findings and failing examples."""

    code_snapshot_id: str = Field(description="The previous submission")
    fixed: list[ProgressEntry]
    partly: list[ProgressEntry]
    open: list[ProgressEntry]
    new: list[ProgressEntry]


class ReviewOut(_AgentOut):
    """Feedback on code; `passed` and `score` (0 to 1) are null where nothing could be judged."""

    mode: Mode = "full"
    model: str | None = Field(description="Null where no model was asked")
    code_snapshot_id: str | None = Field(description="Null where nothing was stored")
    document_version: int | None = Field(description="As it was sent")
    sha256: str = Field(description="Of the code as it was sent, as text in UTF-8 or as bytes")
    lines: int
    passed: bool | None
    score: float | None
    evidence: str
    runs: list[ProgramRunOut]
    criteria: list[CriterionOut]
    issues: list[Issue]
    hidden_findings: int = Field(description="Left out: refuted, unverified, or about no line")
    dismissed_findings: int = Field(default=0, description="Left out: you dismissed them")
    progress: ProgressOut | None = Field(
        default=None, description="Null where the task had no submission before"
    )
    metrics: MetricsOut | None
    unavailable: list[UnavailableOut] = Field(description="Analyzers that gave no answer, and why")
    feedback: str
    next_step: str | None


class ValidateOut(ReviewOut):
    """The verdict on a submission, and the task as it is now; null where nothing was stored."""

    task: TaskOut | None


def as_request(body: BaseModel, **more: JsonValue) -> dict[str, Any]:
    """Return the agent's request for a body: JSON values, so that it can be kept and hashed.

    The mode is not part of it: the edge chooses by it whom to ask.
    """
    return {**body.model_dump(mode="json", exclude={"mode"}), **more}
