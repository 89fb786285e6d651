"""What the tools answer: of the API's answers only what a model needs, in few tokens."""

from typing import Any, Final

from pydantic import BaseModel

from agent.disarm import disarm_source

Json = dict[str, Any]

DECIDE: Final = (
    "Nothing is written yet. Show the items to the user; they decide with "
    "POST /v1/interrupts/{id}, or in the chat with `/accept {id} all` or `/reject {id} all`."
)
SNIPPET_CHARACTERS: Final = 300


class Found(BaseModel):
    """A row that was found."""

    type: str
    id: str
    title: str
    snippet: str


class SearchAnswer(BaseModel):
    """What was found, best first."""

    hits: list[Found]


class GoalLine(BaseModel):
    """A goal; progress in percent."""

    id: str
    title: str
    status: str
    progress: float


class TaskLine(BaseModel):
    """A task; `needs` are ids of tasks that come first, `hours` the estimate."""

    id: str
    title: str
    status: str
    hours: float | None
    needs: list[str]


class ListAnswer(BaseModel):
    """A page of goals or of tasks."""

    goals: list[GoalLine] = []
    tasks: list[TaskLine] = []
    next_cursor: str | None = None


class NextAnswer(BaseModel):
    """The task to do now, or why there is none."""

    task: TaskLine | None
    reason: str | None
    description: str | None


class Item(BaseModel):
    """One thing written or proposed: its id or its key."""

    key: str
    title: str
    detail: str | None = None


class WriteAnswer(BaseModel):
    """What was written, or the question that waits for the user."""

    written: bool
    items: list[Item]
    interrupt_id: str | None = None
    decide: str | None = None


class Finding(BaseModel):
    """A remark on the code: first and last line, 1-based."""

    lines: list[int]
    severity: str
    problem: str


class CodeAnswer(BaseModel):
    """The verdict on code, or feedback where there is no task."""

    passed: bool | None
    score: float | None
    stored: bool
    evidence: str
    feedback: str
    next_step: str | None
    issues: list[Finding]


def search_answer(found: Json) -> SearchAnswer:
    """Return what `GET /v1/search` found."""
    return SearchAnswer(
        hits=[
            Found(
                type=hit["entity_type"],
                id=hit["entity_id"],
                title=disarm_source(hit["title"]),
                snippet=disarm_source(hit["snippet"][:SNIPPET_CHARACTERS]),
            )
            for hit in found["hits"]
        ]
    )


def goals_answer(page: Json) -> ListAnswer:
    """Return a page of `GET /v1/goals`."""
    goals = [
        GoalLine(
            id=goal["id"],
            title=disarm_source(goal["title"]),
            status=goal["status"],
            progress=goal["progress_percentage"],
        )
        for goal in page["items"]
    ]
    return ListAnswer(goals=goals, next_cursor=page["next_cursor"])


def tasks_answer(page: Json) -> ListAnswer:
    """Return a page of `GET /v1/tasks`."""
    return ListAnswer(tasks=list(map(_task, page["items"])), next_cursor=page["next_cursor"])


def next_answer(found: Json) -> NextAnswer:
    """Return what `GET /v1/goals/{id}/next` found."""
    task = found["task"]
    return NextAnswer(
        task=None if task is None else _task(task),
        reason=found["reason"],
        description=None if task is None else disarm_source(task["description"] or ""),
    )


def proposal_answer(proposal: Json) -> WriteAnswer:
    """Return a question that waits for the user."""
    return WriteAnswer(
        written=False,
        items=[
            Item(
                key=item["key"],
                title=disarm_source(item["title"]),
                detail=disarm_source(str(_detail(item) or "")) or None,
            )
            for item in proposal["items"]
        ],
        interrupt_id=proposal["interrupt_id"],
        decide=DECIDE.format(id=proposal["interrupt_id"]),
    )


def suggested_answer(stored: Json) -> WriteAnswer:
    """Return goals that were stored."""
    items = [
        Item(key=one["goal"]["id"], title=one["goal"]["title"], detail=one["why"])
        for one in stored["suggestions"]
    ]
    return WriteAnswer(written=True, items=items)


def broken_down_answer(stored: Json) -> WriteAnswer:
    """Return a goal's plan as it was stored."""
    items = [
        Item(key=task["id"], title=task["title"], detail=task["description"])
        for task in stored["tasks"]
    ]
    return WriteAnswer(written=True, items=items)


def changed_answer(row: Json) -> WriteAnswer:
    """Return a goal or task whose status was changed."""
    title = disarm_source(row["title"])
    return WriteAnswer(written=True, items=[Item(key=row["id"], title=title, detail=row["status"])])


def code_answer(review: Json) -> CodeAnswer:
    """Return the verdict, or the feedback, on code."""
    return CodeAnswer(
        passed=review["passed"],
        score=review["score"],
        stored=review["code_snapshot_id"] is not None,
        evidence=review["evidence"],
        feedback=review["feedback"],
        next_step=review["next_step"],
        issues=[
            Finding(
                lines=[issue["start_line"], issue["end_line"]],
                severity=issue["severity"],
                problem=issue["problem"],
            )
            for issue in review["issues"]
        ],
    )


def _task(task: Json) -> TaskLine:
    return TaskLine(
        id=task["id"],
        title=disarm_source(task["title"]),
        status=task["status"],
        hours=task["estimated_hours"],
        needs=list(task["metadata"].get("depends_on") or ()),
    )


def _detail(item: Json) -> Any:
    fields = item.get("fields") or {}
    return fields.get("description") or fields.get("status")
