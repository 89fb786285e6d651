"""What the users' service answers, as far as we read it: docs/users-service.openapi.yaml."""

from pydantic import AwareDatetime, BaseModel, ConfigDict

from db.enums import CourseStatus
from tools.schemas import CourseOut
from tools.texts import AnyMetadata, Id, Line, Percentage, Text, Title


class _Theirs(BaseModel):
    """A field that is not listed is passed over: the service may have more of them."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class TheirUser(_Theirs):
    """An account, without what proves it."""

    id: Id
    username: Line
    is_active: bool
    metadata: AnyMetadata | None = None


class TheirCourse(_Theirs):
    """A course of the user who asks."""

    id: Id
    user_id: Id
    title: Title
    description: Text | None = None
    status: CourseStatus
    progress_percentage: Percentage
    metadata: AnyMetadata | None = None
    created_at: AwareDatetime
    updated_at: AwareDatetime
    completed_at: AwareDatetime | None = None

    def as_ours(self) -> CourseOut:
        """Return the course as our own API shows one."""
        return CourseOut(**{**dict(self), "metadata": self.metadata or {}})


class TheirCourses(_Theirs):
    """A page of the user's courses, newest first."""

    items: list[TheirCourse]
    next_cursor: str | None = None
