"""What goes into the verbs and what comes out, shared by HTTP, command line and agent.

A `…Patch` changes the fields that are given, as in a JSON merge patch; null empties a field.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from db.enums import CourseStatus, GoalPriority, GoalStatus, TaskStatus, TaskType
from tools.code_files import CodeFile
from tools.texts import (
    Criteria,
    Description,
    FilePath,
    FullName,
    Hours,
    Id,
    Language,
    Metadata,
    Moment,
    Percentage,
    TaskPriority,
    Title,
)


def _without_defaults(schema: dict[str, Any]) -> None:
    for field_schema in schema.get("properties", {}).values():
        field_schema.pop("default", None)


class _In(BaseModel):
    """What a caller may send; a field that is not listed is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class _Patch(_In):
    model_config = ConfigDict(json_schema_extra=_without_defaults)

    def given(self) -> dict[str, Any]:
        """Return the fields that the caller named, null among them."""
        return {name: getattr(self, name) for name in self.model_fields_set}


class _Out(BaseModel):
    model_config = ConfigDict(frozen=True)


class CourseIn(_In):
    """A new course; `metadata` may hold technologies, difficulty and estimated_hours."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "title": "FastAPI desde cero",
                    "description": "Aprende a construir una API REST con FastAPI.",
                    "status": "active",
                    "metadata": {
                        "technologies": ["Python", "FastAPI", "PostgreSQL"],
                        "difficulty": "intermediate",
                        "estimated_hours": 40,
                    },
                },
                {"title": "FastAPI from scratch", "description": "Build a REST API with FastAPI."},
            ]
        }
    )

    title: Title
    description: Description | None = None
    status: CourseStatus = CourseStatus.DRAFT
    progress_percentage: Percentage = 0.0
    metadata: Metadata = Field(default_factory=dict)


class CoursePatch(_Patch):
    """Changes to a course; `metadata` is merged key by key, and null removes a key."""

    title: Title = Field(default="")
    description: Description | None = None
    status: CourseStatus = CourseStatus.DRAFT
    progress_percentage: Percentage = 0.0
    metadata: Metadata = Field(default_factory=dict)


class CourseOut(_Out):
    """A course."""

    id: str
    user_id: str
    title: str
    description: str | None
    status: CourseStatus
    progress_percentage: float
    metadata: dict[str, JsonValue]
    created_at: datetime
    updated_at: datetime
    completed_at: datetime | None


class Criterion(_Out):
    """One thing that must hold for a goal to be reached; its id survives a change of the others."""

    id: str
    text: str


class GoalIn(_In):
    """A new goal; `criteria` are what it is judged by, `metadata` whatever you keep with it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "title": "Crear una API REST con autenticación JWT",
                    "description": "Implementar registro, inicio de sesión y rutas protegidas.",
                    "priority": "high",
                    "criteria": [
                        "Implementar login y registro",
                        "Generar tokens JWT",
                        "Validar tokens en endpoints protegidos",
                    ],
                    "due_date": "2027-03-31T18:00:00Z",
                },
                {
                    "title": "Build a REST API with JWT authentication",
                    "criteria": ["A wrong password gets 401", "A token expires after an hour"],
                },
            ]
        }
    )

    title: Title
    description: Description | None = None
    course_id: Id | None = None
    priority: GoalPriority = GoalPriority.MEDIUM
    criteria: Criteria = Field(default_factory=list)
    due_date: Moment | None = None
    metadata: Metadata = Field(default_factory=dict)


class GoalPatch(_Patch):
    """Changes to a goal; its progress follows its tasks and cannot be set.

    `metadata` is merged key by key, and null removes a key.
    """

    title: Title = Field(default="")
    description: Description | None = None
    course_id: Id | None = None
    status: GoalStatus = GoalStatus.PENDING
    priority: GoalPriority = GoalPriority.MEDIUM
    criteria: Criteria = Field(default_factory=list)
    due_date: Moment | None = None
    metadata: Metadata = Field(default_factory=dict)


class GoalOut(_Out):
    """A goal."""

    id: str
    user_id: str
    course_id: str | None
    title: str
    description: str | None
    status: GoalStatus
    priority: GoalPriority
    progress_percentage: float
    ai_generated: bool
    criteria: list[Criterion]
    metadata: dict[str, JsonValue]
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    due_date: datetime | None


class TaskIn(_In):
    """A new task; a lower `priority` comes first."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "title": "Implementar el endpoint /login",
                    "description": "Recibe usuario y contraseña; devuelve un token o 401.",
                    "goal_id": "gol_0193f2c8a7b17c3e9d1f5a6b7c8d9e0f",
                    "task_type": "code",
                    "priority": 10,
                    "estimated_hours": 2.5,
                },
                {"title": "Write tests for /login", "task_type": "testing"},
            ]
        }
    )

    title: Title
    description: Description | None = None
    goal_id: Id | None = None
    task_type: TaskType = TaskType.CODE
    priority: TaskPriority = 100
    estimated_hours: Hours | None = None
    metadata: Metadata = Field(default_factory=dict)


class TaskPatch(_Patch):
    """Changes to a task; it stays with its goal.

    `metadata` is merged key by key, and null removes a key.
    """

    title: Title = Field(default="")
    description: Description | None = None
    task_type: TaskType = TaskType.CODE
    status: TaskStatus = TaskStatus.TODO
    priority: TaskPriority = 100
    estimated_hours: Hours | None = None
    actual_hours: Hours | None = None
    metadata: Metadata = Field(default_factory=dict)


class TaskOut(_Out):
    """A task; `validation_result` holds passed, score, issues and validated_at."""

    id: str
    user_id: str
    goal_id: str | None
    title: str
    description: str | None
    task_type: TaskType
    status: TaskStatus
    priority: int
    estimated_hours: float | None
    actual_hours: float | None
    validation_result: dict[str, JsonValue] | None
    ai_feedback: str | None
    metadata: dict[str, JsonValue]
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    completed_at: datetime | None


class NextTaskOut(_Out):
    """The task of a goal to do now; where there is none, `reason` says why.

    `blocked_by` are the unfinished tasks that the others wait for, `waiting` is how many cannot be
    begun yet.
    """

    task: TaskOut | None
    reason: Literal["no_tasks", "all_done", "in_review", "blocked"] | None
    blocked_by: list[str]
    waiting: int


class SnapshotIn(CodeFile):
    """Code as it is now, kept to the letter, or to the byte."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "task_id": "tsk_0193f2c8a7b17c3e9d1f5a6b7c8d9e0f",
                    "file_path": "api/auth/login.py",
                    "language": "python",
                    "code": "def saludar(nombre):\n    return f'¡Hola, {nombre}!'\n",
                },
                {"file_path": "sum.py", "language": "python", "code": "print(1 + 1)\n"},
            ]
        }
    )

    task_id: Id | None = None
    file_path: FilePath
    language: Language


class SnapshotSummary(_Out):
    """A code snapshot without its code; the score is 0 to 1."""

    id: str
    user_id: str
    task_id: str | None
    file_path: str
    language: str
    validation_passed: bool | None
    validation_score: float | None
    validation_feedback: str | None
    issues_found: list[JsonValue]
    metadata: dict[str, JsonValue]
    created_at: datetime


class SnapshotOut(SnapshotSummary):
    """A code snapshot; `code_base64` is null where `code_content` is all of the file."""

    code_content: str
    code_base64: str | None


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What was found out about a snapshot; `score` is 0 to 1.

    `passed` is None where nothing was judged. `issues` and `meta` are JSON values for the columns
    `issues_found` and `metadata`.
    """

    passed: bool | None
    score: float | None
    feedback: str | None
    issues: list[dict[str, Any]] = field(default_factory=list)
    meta: dict[str, Any] = field(default_factory=dict)


def chosen_language(metadata: dict[str, Any]) -> Literal["es", "en"] | None:
    """Return the language that an account's metadata names, None where it names none of ours."""
    preferences = metadata.get("preferences")
    chosen = preferences.get("language") if isinstance(preferences, dict) else None
    if chosen == "es":
        return "es"
    return "en" if chosen == "en" else None


class UserPatch(_Patch):
    """Changes to one's own account; `metadata` is merged, and null removes a key of it.

    `preferences.language` (es or en) is the language of answers where a request names none.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "full_name": "Ana Pérez",
                    "metadata": {"preferences": {"language": "es", "theme": "dark"}},
                }
            ]
        }
    )

    full_name: FullName | None = None
    metadata: Metadata = Field(default_factory=dict)


class UserOut(_Out):
    """A learner's account, without what proves it."""

    id: str
    email: str
    username: str
    full_name: str | None
    is_active: bool
    metadata: dict[str, JsonValue]
    created_at: datetime

    @property
    def language(self) -> Literal["es", "en"] | None:
        """Return the language that the learner chose, None where they chose none of ours."""
        return chosen_language(self.metadata)


class CoursePage(_Out):
    """Courses, newest first; `next_cursor` is null at the end."""

    items: list[CourseOut]
    next_cursor: str | None


class GoalPage(_Out):
    """Goals, newest first; `next_cursor` is null at the end."""

    items: list[GoalOut]
    next_cursor: str | None


class TaskPage(_Out):
    """Tasks, newest first; `next_cursor` is null at the end."""

    items: list[TaskOut]
    next_cursor: str | None


class SnapshotPage(_Out):
    """Code snapshots without their code, newest first; `next_cursor` is null at the end."""

    items: list[SnapshotSummary]
    next_cursor: str | None
