"""What callers send to runs and questions, and what they get back."""

from datetime import datetime
from typing import Annotated, Any, Final, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from agent.review import Decision, Decisions
from api.agent_schemas import ReplyLanguage
from db.conversation_models import Interrupt, Run
from tools.texts import Id, Text

MAX_MESSAGE: Final = 20_000
QuestionState = Literal["open", "resolved", "cancelled", "expired"]


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RunIn(_In):
    """A message to the planner; without a thread it begins one."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"message": "Quiero aprender a probar mi API"}]}
    )

    message: Annotated[Text, Field(min_length=1, max_length=MAX_MESSAGE)]
    thread_id: Id | None = None
    language: ReplyLanguage = None


class RunOut(BaseModel):
    """A run as it is now; `result` is what was written, `error` why it failed."""

    id: str
    thread_id: str | None
    kind: str
    state: Literal["running", "waiting", "finished", "failed", "cancelled"]
    result: dict[str, Any] | None
    error: dict[str, Any] | None
    created_at: datetime
    ended_at: datetime | None


class DecisionIn(_In):
    """Accept, edit or reject one item; only an edit has fields."""

    action: Literal["accept", "edit", "reject"]
    fields: dict[Annotated[Text, Field(max_length=40)], JsonValue] = Field(default_factory=dict)


class DecisionsIn(_In):
    """A decision for every item by its key, or one for the `rest` of them."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "decisions": {
                        "g1": {"action": "accept"},
                        "g2": {"action": "edit", "fields": {"title": "Probar mi API con pytest"}},
                    },
                    "rest": "reject",
                }
            ]
        }
    )

    decisions: dict[Annotated[Text, Field(max_length=40)], DecisionIn] = Field(default_factory=dict)
    rest: Literal["accept", "reject"] | None = None

    def by_key(self) -> Decisions:
        """Return the decisions as the agent takes them."""
        return {key: Decision(one.action, dict(one.fields)) for key, one in self.decisions.items()}


class QuestionOut(BaseModel):
    """What waits for a decision, or has had one."""

    id: str
    kind: str
    state: QuestionState
    thread_id: str | None
    run_id: str | None
    items: list[dict[str, Any]]
    created_at: datetime
    expires_at: datetime


class DecidedOut(BaseModel):
    """What came of a decision, as the rows have it."""

    run_id: str
    kind: str
    result: dict[str, Any]


class ProposalOut(BaseModel):
    """What was proposed and not stored; decide with `POST /v1/interrupts/{interrupt_id}`."""

    interrupt_id: str
    kind: str
    items: list[dict[str, Any]]
    expires_at: datetime
    language: Literal["es", "en"]
    model: str
    tokens: dict[str, int]
    sources: list[dict[str, Any]]
    dropped: list[dict[str, Any]]
    repairs: list[dict[str, Any]]
    calibration: dict[str, Any] | None


def run_out(run: Run) -> RunOut:
    """Return a run as callers see it."""
    return RunOut.model_validate(run, from_attributes=True)


def question_out(question: Interrupt, *, now: datetime) -> QuestionOut:
    """Return a question as callers see it."""
    expired = question.state == "open" and question.expires_at <= now
    return QuestionOut(
        id=question.id,
        kind=question.kind,
        state="expired" if expired else cast("QuestionState", question.state),
        thread_id=question.thread_id,
        run_id=question.run_id,
        items=question.items,
        created_at=question.created_at,
        expires_at=question.expires_at,
    )
