"""The seven tools. Their docstrings are prompts: every client reads them with `tools/list`.

Without the scope `goals:write` a tool proposes and nothing is written: the user decides.
"""

from collections.abc import Callable
from typing import Annotated, Any, Final, Literal
from urllib.parse import quote

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import Field

from api.mcp.answers import (
    CodeAnswer,
    ListAnswer,
    NextAnswer,
    SearchAnswer,
    WriteAnswer,
    broken_down_answer,
    changed_answer,
    code_answer,
    goals_answer,
    next_answer,
    proposal_answer,
    search_answer,
    suggested_answer,
    tasks_answer,
)
from api.mcp.client import WRITE_SCOPE, Caller, Json

Call = Context[Any, Any]
PAGE: Final = 20

GoalId = Annotated[str, Field(description="gol_…")]
RowType = Literal["goal", "task", "course", "code_snapshot", "ai_feedback"]


class Tools:
    """The tools, as methods; `caller_of` tells who calls."""

    def __init__(self, caller_of: Callable[[Call], Caller]) -> None:
        """Keep how a caller is found."""
        self._caller_of = caller_of

    async def search(
        self,
        call: Call,
        query: str,
        types: list[RowType] | None = None,
        limit: Annotated[int, Field(ge=1, le=20)] = 5,
    ) -> SearchAnswer:
        """Search the user's goals, tasks, courses, submitted code and feedback by meaning."""
        asked: Json = {"q": query, "limit": limit, **({"type": types} if types else {})}
        return search_answer(await self._caller_of(call).ask("GET", "/v1/search", params=asked))

    async def list_goals_and_tasks(
        self,
        call: Call,
        goal_id: Annotated[str | None, Field(description="gol_…: the tasks of this goal")] = None,
        status: str | None = None,
        cursor: str | None = None,
    ) -> ListAnswer:
        """List the user's goals, newest first; with goal_id that goal's tasks."""
        named = {"goal_id": goal_id, "status": status, "cursor": cursor}
        asked: Json = {"limit": PAGE, **{name: one for name, one in named.items() if one}}
        path = "/v1/tasks" if goal_id else "/v1/goals"
        page = await self._caller_of(call).ask("GET", path, params=asked)
        return tasks_answer(page) if goal_id else goals_answer(page)

    async def next_task(self, call: Call, goal_id: GoalId) -> NextAnswer:
        """Find the task of a goal to do now; without one, reason says why."""
        path = f"/v1/goals/{quote(goal_id, safe='')}/next"
        return next_answer(await self._caller_of(call).ask("GET", path))

    async def suggest_goals(
        self, call: Call, wish: str, count: Annotated[int, Field(ge=1, le=7)] = 3
    ) -> WriteAnswer:
        """Suggest learning goals for a wish, resting on what the user already has."""
        caller = self._caller_of(call)
        answer = await caller.ask(
            "POST",
            "/v1/goals/suggest",
            params=_review(caller),
            body={"wish": wish, "count": count},
        )
        return _proposed_or(suggested_answer, answer)

    async def break_down_goal(
        self, call: Call, goal_id: GoalId, instructions: str | None = None
    ) -> WriteAnswer:
        """Break a goal down into tasks in order, with estimates; again: changes the plan."""
        caller = self._caller_of(call)
        answer = await caller.ask(
            "POST",
            f"/v1/goals/{quote(goal_id, safe='')}/breakdown",
            params=_review(caller),
            body={"instructions": instructions},
        )
        return _proposed_or(broken_down_answer, answer)

    async def validate_code(
        self,
        call: Call,
        code: str,
        file_path: str,
        programming_language: str,
        task_id: Annotated[str | None, Field(description="tsk_…: judge it as its solution")] = None,
    ) -> CodeAnswer:
        """Judge code: analyzers and runs of the task's examples; with goals:write a review too."""
        caller = self._caller_of(call)
        task = f"/v1/tasks/{quote(task_id, safe='')}/validate" if task_id else "/v1/feedback"
        answer = await caller.ask(
            "POST",
            task,
            body={
                "code": code,
                "file_path": file_path,
                "programming_language": programming_language,
                "mode": "full" if caller.may_write else "facts",
            },
        )
        return code_answer(answer)

    async def record_progress(
        self,
        call: Call,
        id: Annotated[str, Field(description="gol_… or tsk_…")],  # noqa: A002 - its name everywhere else
        status: Annotated[
            str,
            Field(
                description="goal: pending, in_progress, completed, blocked, cancelled; "
                "task: todo, in_progress, in_review, completed, failed, skipped"
            ),
        ],
        actual_hours: Annotated[
            float | None, Field(description=f"of a task; needs {WRITE_SCOPE}")
        ] = None,
    ) -> WriteAnswer:
        """Change the status of a goal or task as work goes on."""
        caller = self._caller_of(call)
        if caller.may_write:
            kind = "goals" if id.startswith("gol_") else "tasks"
            hours = {} if actual_hours is None else {"actual_hours": actual_hours}
            path = f"/v1/{kind}/{quote(id, safe='')}"
            return changed_answer(await caller.ask("PATCH", path, body={"status": status, **hours}))
        if actual_hours is not None:
            raise ToolError(f"AUTH_SCOPE: actual_hours needs a token with the scope {WRITE_SCOPE}")
        asked = {"entity_id": id, "status": status}
        return proposal_answer(await caller.ask("POST", "/v1/proposals", body=asked))


def _review(caller: Caller) -> Json:
    return {} if caller.may_write else {"review": "true"}


def _proposed_or(stored: Callable[[Json], WriteAnswer], answer: Json) -> WriteAnswer:
    return proposal_answer(answer) if "interrupt_id" in answer else stored(answer)
