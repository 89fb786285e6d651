"""The event catalogue: one frozen type for each fact that this service records.

`type` names the fact, its family is the part before the dot, `version` counts changes of the
payload. The payload is the dataclass as JSON; every field is a string, number, boolean, null or a
list of strings.
"""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, ClassVar

from db.enums import EventType


@dataclass(frozen=True, kw_only=True)
class DomainEvent:
    """Root of the catalogue; `entity_type` says what kind of row the fact is about."""

    type: ClassVar[EventType]
    version: ClassVar[int] = 1
    entity_type: ClassVar[str]

    @property
    def entity(self) -> tuple[str, str | None]:
        """Return the type and the id of the row that the fact is about."""
        return self.entity_type, getattr(self, f"{self.entity_type}_id", None)

    def payload(self) -> dict[str, Any]:
        """Return the payload as JSON-ready values; datetimes become ISO 8601 with `Z`."""
        return {name: _json_value(value) for name, value in asdict(self).items()}


def _json_value(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return list(value) if isinstance(value, tuple) else value


@dataclass(frozen=True, kw_only=True)
class _UserEvent(DomainEvent):
    entity_type: ClassVar[str] = "user"
    user_id: str


@dataclass(frozen=True, kw_only=True)
class UserCreated(_UserEvent):
    """A learner's account came to be."""

    type: ClassVar[EventType] = EventType.USER_CREATED
    username: str


@dataclass(frozen=True, kw_only=True)
class UserUpdated(_UserEvent):
    """A learner's account changed."""

    type: ClassVar[EventType] = EventType.USER_UPDATED
    changed: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class UserLogin(_UserEvent):
    """A learner signed in."""

    type: ClassVar[EventType] = EventType.USER_LOGIN


@dataclass(frozen=True, kw_only=True)
class UserLogout(_UserEvent):
    """A learner signed out."""

    type: ClassVar[EventType] = EventType.USER_LOGOUT


@dataclass(frozen=True, kw_only=True)
class _CourseEvent(DomainEvent):
    entity_type: ClassVar[str] = "course"
    course_id: str
    title: str


@dataclass(frozen=True, kw_only=True)
class CourseCreated(_CourseEvent):
    """A course came to be."""

    type: ClassVar[EventType] = EventType.COURSE_CREATED
    status: str


@dataclass(frozen=True, kw_only=True)
class CourseUpdated(_CourseEvent):
    """Fields of a course changed."""

    type: ClassVar[EventType] = EventType.COURSE_UPDATED
    changed: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class CourseCompleted(_CourseEvent):
    """A course was finished."""

    type: ClassVar[EventType] = EventType.COURSE_COMPLETED
    progress_percentage: float


@dataclass(frozen=True, kw_only=True)
class CourseArchived(_CourseEvent):
    """A course was put away."""

    type: ClassVar[EventType] = EventType.COURSE_ARCHIVED


@dataclass(frozen=True, kw_only=True)
class _GoalEvent(DomainEvent):
    entity_type: ClassVar[str] = "goal"
    goal_id: str
    title: str


@dataclass(frozen=True, kw_only=True)
class GoalCreated(_GoalEvent):
    """A goal became a row."""

    type: ClassVar[EventType] = EventType.GOAL_CREATED
    course_id: str | None
    priority: str
    ai_generated: bool


@dataclass(frozen=True, kw_only=True)
class GoalUpdated(_GoalEvent):
    """Fields of a goal changed."""

    type: ClassVar[EventType] = EventType.GOAL_UPDATED
    changed: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class GoalStarted(_GoalEvent):
    """Work on a goal began."""

    type: ClassVar[EventType] = EventType.GOAL_STARTED


@dataclass(frozen=True, kw_only=True)
class GoalCompleted(_GoalEvent):
    """A goal was reached."""

    type: ClassVar[EventType] = EventType.GOAL_COMPLETED
    progress_percentage: float


@dataclass(frozen=True, kw_only=True)
class GoalBlocked(_GoalEvent):
    """A goal cannot go on."""

    type: ClassVar[EventType] = EventType.GOAL_BLOCKED


@dataclass(frozen=True, kw_only=True)
class _TaskEvent(DomainEvent):
    entity_type: ClassVar[str] = "task"
    task_id: str
    title: str


@dataclass(frozen=True, kw_only=True)
class TaskCreated(_TaskEvent):
    """A task became a row."""

    type: ClassVar[EventType] = EventType.TASK_CREATED
    goal_id: str | None
    task_type: str
    estimated_hours: float | None
    ai_generated: bool


@dataclass(frozen=True, kw_only=True)
class TaskUpdated(_TaskEvent):
    """Fields of a task changed."""

    type: ClassVar[EventType] = EventType.TASK_UPDATED
    changed: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class TaskStarted(_TaskEvent):
    """Work on a task began."""

    type: ClassVar[EventType] = EventType.TASK_STARTED


@dataclass(frozen=True, kw_only=True)
class TaskCompleted(_TaskEvent):
    """A task was done; the score is that of its last validation, 0 to 1."""

    type: ClassVar[EventType] = EventType.TASK_COMPLETED
    validation_score: float | None


@dataclass(frozen=True, kw_only=True)
class TaskValidated(_TaskEvent):
    """A submission for a task was judged."""

    type: ClassVar[EventType] = EventType.TASK_VALIDATED
    code_snapshot_id: str
    passed: bool | None
    validation_score: float | None


@dataclass(frozen=True, kw_only=True)
class TaskFailed(_TaskEvent):
    """A submission for a task did not pass."""

    type: ClassVar[EventType] = EventType.TASK_FAILED
    code_snapshot_id: str
    validation_score: float | None


@dataclass(frozen=True, kw_only=True)
class _CodeEvent(DomainEvent):
    entity_type: ClassVar[str] = "code_snapshot"
    code_snapshot_id: str
    task_id: str | None
    language: str


@dataclass(frozen=True, kw_only=True)
class CodeSubmitted(_CodeEvent):
    """Code arrived; the code itself stays in its row."""

    type: ClassVar[EventType] = EventType.CODE_SUBMITTED
    file_path: str
    sha256: str
    lines: int


@dataclass(frozen=True, kw_only=True)
class CodeReviewed(_CodeEvent):
    """Code got feedback without a verdict."""

    type: ClassVar[EventType] = EventType.CODE_REVIEWED
    findings: int


@dataclass(frozen=True, kw_only=True)
class CodeValidated(_CodeEvent):
    """Code got a verdict; `validation_score` is 0 to 1."""

    type: ClassVar[EventType] = EventType.CODE_VALIDATED
    passed: bool | None
    validation_score: float | None


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """Where a model's words come from; the token counts are the model server's own."""

    model: str
    prompt_version: str
    graph_version: str
    input_tokens: int
    output_tokens: int
    retrieved: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class _AiEvent(DomainEvent, Provenance):
    operation_id: str


@dataclass(frozen=True, kw_only=True)
class AiGoalSuggested(_AiEvent):
    """The agent proposed a goal; `based_on` are the ids that it rests on."""

    type: ClassVar[EventType] = EventType.AI_GOAL_SUGGESTED
    entity_type: ClassVar[str] = "goal"
    goal_id: str
    title: str
    why: str
    based_on: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class AiValidationCompleted(_AiEvent):
    """The agent judged a submission; `passed` is null where the evidence did not suffice."""

    type: ClassVar[EventType] = EventType.AI_VALIDATION_COMPLETED
    entity_type: ClassVar[str] = "code_snapshot"
    code_snapshot_id: str
    task_id: str
    passed: bool | None
    validation_score: float | None
    runs_passed: int
    runs_failed: int
    findings: int


@dataclass(frozen=True, kw_only=True)
class AiFeedbackGenerated(_AiEvent):
    """The agent wrote for the learner: `kind` is breakdown, validation or review."""

    type: ClassVar[EventType] = EventType.AI_FEEDBACK_GENERATED
    entity_type: ClassVar[str] = "subject"
    kind: str
    subject_type: str
    subject_id: str

    @property
    def entity(self) -> tuple[str, str | None]:
        """Return the type and the id of the goal, task or snapshot that the words are about."""
        return self.subject_type, self.subject_id


@dataclass(frozen=True, kw_only=True)
class _SystemEvent(DomainEvent):
    entity_type: ClassVar[str] = "system"
    code: str
    detail: str


@dataclass(frozen=True, kw_only=True)
class SystemFailed(_SystemEvent):
    """Something broke that an operator should know of."""

    type: ClassVar[EventType] = EventType.SYSTEM_ERROR


@dataclass(frozen=True, kw_only=True)
class SystemWarned(_SystemEvent):
    """Something is odd that an operator should know of."""

    type: ClassVar[EventType] = EventType.SYSTEM_WARNING


def _concrete(root: type[DomainEvent]) -> list[type[DomainEvent]]:
    found = [root] if "type" in vars(root) else []
    return found + [leaf for child in root.__subclasses__() for leaf in _concrete(child)]


CATALOGUE: dict[EventType, type[DomainEvent]] = {
    event.type: event for event in _concrete(DomainEvent)
}
"""Every event type and its class."""
