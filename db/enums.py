"""The enum types of the schema: PostgreSQL type names are the lower-cased class names."""

from enum import StrEnum


class CourseStatus(StrEnum):
    """State of a course."""

    DRAFT = "draft"
    ACTIVE = "active"
    COMPLETED = "completed"
    ARCHIVED = "archived"


class GoalStatus(StrEnum):
    """State of a goal."""

    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    BLOCKED = "blocked"
    CANCELLED = "cancelled"


class GoalPriority(StrEnum):
    """Urgency of a goal."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    URGENT = "urgent"


class TaskStatus(StrEnum):
    """State of a task; `in_review` while the agent judges its code."""

    TODO = "todo"
    IN_PROGRESS = "in_progress"
    IN_REVIEW = "in_review"
    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"


class TaskType(StrEnum):
    """Kind of work that a task asks for."""

    CODE = "code"
    DOCUMENTATION = "documentation"
    TESTING = "testing"
    RESEARCH = "research"
    REVIEW = "review"
    DEPLOYMENT = "deployment"
    OTHER = "other"


class EventType(StrEnum):
    """Name of a recorded fact; the part before the dot is its family."""

    USER_CREATED = "user.created"
    USER_UPDATED = "user.updated"
    USER_LOGIN = "user.login"
    USER_LOGOUT = "user.logout"
    COURSE_CREATED = "course.created"
    COURSE_UPDATED = "course.updated"
    COURSE_COMPLETED = "course.completed"
    COURSE_ARCHIVED = "course.archived"
    GOAL_CREATED = "goal.created"
    GOAL_UPDATED = "goal.updated"
    GOAL_STARTED = "goal.started"
    GOAL_COMPLETED = "goal.completed"
    GOAL_BLOCKED = "goal.blocked"
    TASK_CREATED = "task.created"
    TASK_UPDATED = "task.updated"
    TASK_STARTED = "task.started"
    TASK_COMPLETED = "task.completed"
    TASK_VALIDATED = "task.validated"
    TASK_FAILED = "task.failed"
    CODE_SUBMITTED = "code.submitted"
    CODE_REVIEWED = "code.reviewed"
    CODE_VALIDATED = "code.validated"
    AI_FEEDBACK_GENERATED = "ai.feedback_generated"
    AI_GOAL_SUGGESTED = "ai.goal_suggested"
    AI_VALIDATION_COMPLETED = "ai.validation_completed"
    SYSTEM_ERROR = "system.error"
    SYSTEM_WARNING = "system.warning"

    @property
    def family(self) -> str:
        """Return the family: user, course, goal, task, code, ai or system."""
        return self.value.split(".", 1)[0]
