"""What callers send to the agent and what they get back."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from tools.schemas import GoalOut, TaskOut
from tools.texts import Code, FilePath, Id, Language, Text

ReplyLanguage = Annotated[
    Literal["es", "en"] | None,
    Field(description="Language of the answer; by default the learner's own, else the text's"),
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
    """How to break a goal down; `count` is a wish, 3 to 7."""

    count: Annotated[int, Field(ge=3, le=7, strict=True)] | None = None
    language: ReplyLanguage = None


class CodeIn(_In):
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
                }
            ]
        }
    )

    file_path: FilePath
    programming_language: Language
    code: Annotated[Code, Field(min_length=1)]
    document_version: Annotated[int, Field(ge=0, lt=2**53)] | None = None
    language: ReplyLanguage = None


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
    model: str
    tokens: Tokens
    sources: list[SourceOut]


class Suggestion(BaseModel):
    """A stored goal, why it was proposed, and the ids that it rests on."""

    goal: GoalOut
    why: str
    based_on: list[str]


class DroppedGoal(BaseModel):
    """A proposal that repeated something; `continue_goal_id` names the goal to go on with."""

    title: str
    repeats: str
    continue_goal_id: str | None
    similarity: float


class SuggestOut(_AgentOut):
    """Goals that were proposed and stored, and what was left out."""

    suggestions: list[Suggestion]
    dropped: list[DroppedGoal]


class PlanRepair(BaseModel):
    """Something in the model's plan that code mended."""

    kind: str
    task: str
    detail: str


class BreakdownOut(_AgentOut):
    """Tasks in an order in which they can be done."""

    goal_id: str
    tasks: list[TaskOut]
    critical_path: list[str]
    repairs: list[PlanRepair]


class Issue(BaseModel):
    """A remark on the code: 1-based inclusive lines."""

    start_line: int
    end_line: int
    kind: str
    severity: str
    problem: str
    quote: str | None = None
    trigger: str | None = None


class CriterionOut(BaseModel):
    """The state of one criterion and what that rests on."""

    text: str
    verdict: Literal["met", "partly", "not_met", "cannot_judge"]
    why: str
    basis: str


class RunOut(BaseModel):
    """An example of the task that was executed, or why it was not."""

    expression: str
    status: Literal["pass", "fail", "error", "timeout", "not_runnable"]
    expected: str | None
    got: str | None
    detail: str | None


class ReviewOut(_AgentOut):
    """Feedback on code; `passed` and `score` (0 to 1) are null where nothing could be judged."""

    code_snapshot_id: str
    document_version: int | None
    sha256: str
    lines: int
    passed: bool | None
    score: float | None
    evidence: str
    runs: list[RunOut]
    criteria: list[CriterionOut]
    issues: list[Issue]
    hidden_findings: int
    feedback: str
    next_step: str


class ValidateOut(ReviewOut):
    """The verdict on a submission, and the task as it is now."""

    task: TaskOut


def as_request(body: BaseModel, **more: JsonValue) -> dict[str, Any]:
    """Return the agent's request for a body: JSON values, so that it can be kept and hashed."""
    return {**body.model_dump(mode="json"), **more}
