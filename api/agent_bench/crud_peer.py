"""Goals over HTTP with nothing around them: FastAPI, a pydantic model, SQLAlchemy.

The statements are ours, from `db/`: tenant, count, rows, text to be searched, event. There is no
sign-in (the token is the user's id), no rates, no problems, no versions, no strict reading; one
worker, uvicorn's own choice of event loop, the same engine and pool.
"""

import hashlib
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated, Any, Final

import uvicorn
from fastapi import FastAPI, Header
from pydantic import BaseModel, ConfigDict
from sqlalchemy.ext.asyncio import AsyncSession

from api.agent_bench.children import end_with_parent
from db import outbox
from db.base import new_id, utc_now
from db.counts import count_up_to
from db.embeddings import PENDING, Embeddings, StoredChunk
from db.engine import REQUEST_OPTIONS, Sessions, make_engine, make_sessions
from db.enums import GoalPriority, GoalStatus
from db.events import DomainEvent, GoalCreated, GoalUpdated
from db.goals import GoalFilter, Goals
from db.models import Goal
from db.tenancy import bind_tenant

KIND: Final = "goal"
MOST: Final = 1_000
NEWEST_FIRST: Final = "-created_at"
EVERY_GOAL: Final = GoalFilter()


class BareGoalIn(BaseModel):
    """What is asked."""

    title: str
    description: str | None = None


class BareGoal(BaseModel):
    """A goal as it is answered."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    user_id: str
    course_id: str | None
    title: str
    description: str | None
    status: GoalStatus
    priority: GoalPriority
    progress_percentage: float
    ai_generated: bool
    validation_criteria: Any
    meta: Any
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    due_date: datetime | None


Authorization = Annotated[str, Header()]


def create_bare(sessions: Sessions) -> FastAPI:
    """Return the application over open sessions."""
    app = FastAPI()

    @app.get("/goals/{goal_id}", response_model=BareGoal)
    async def get_goal(goal_id: str, authorization: Authorization) -> Goal:
        owner = authorization.removeprefix("Bearer ")
        async with _begin(sessions, owner) as session:
            found = await Goals(session, owner).get(goal_id)
        assert found is not None
        return found

    @app.get("/goals", response_model=list[BareGoal])
    async def list_goals(authorization: Authorization, limit: int = 20) -> Sequence[Goal]:
        owner = authorization.removeprefix("Bearer ")
        async with _begin(sessions, owner) as session:
            return await Goals(session, owner).page(
                EVERY_GOAL, sort=NEWEST_FIRST, limit=limit + 1, after=None
            )

    @app.post("/goals", response_model=BareGoal, status_code=201)
    async def create_goal(body: BareGoalIn, authorization: Authorization) -> Goal:
        now = utc_now()
        goal = _make_goal(body, now)
        owner = authorization.removeprefix("Bearer ")
        async with _begin(sessions, owner) as session:
            await count_up_to(session, "goals", owner, limit=MOST)
            await Goals(session, owner).add(goal)
            _record(session, _created(goal), owner, now)
            chunks = {goal.id: [_chunk(goal)]}
            await Embeddings(session, owner).add(KIND, chunks, at=now)
        return goal

    @app.patch("/goals/{goal_id}", response_model=BareGoal)
    async def update_goal(goal_id: str, body: BareGoalIn, authorization: Authorization) -> Goal:
        now = utc_now()
        owner = authorization.removeprefix("Bearer ")
        async with _begin(sessions, owner) as session:
            goal = await Goals(session, owner).lock(goal_id)
            assert goal is not None
            goal.title, goal.updated_at = body.title, now
            await Embeddings(session, owner).save(KIND, goal.id, [_chunk(goal)], at=now)
            changed = GoalUpdated(goal_id=goal.id, title=goal.title, changed=("title",))
            _record(session, changed, owner, now)
        return goal

    return app


@asynccontextmanager
async def _begin(sessions: Sessions, owner: str) -> AsyncIterator[AsyncSession]:
    async with sessions.begin() as session:
        bind_tenant(session, owner)
        yield session


def _make_goal(body: BareGoalIn, now: datetime) -> Goal:
    return Goal(
        id=new_id("gol"),
        course_id=None,
        title=body.title,
        description=body.description,
        status=GoalStatus.PENDING,
        priority=GoalPriority.MEDIUM,
        progress_percentage=0.0,
        ai_generated=False,
        validation_criteria=None,
        meta=None,
        created_at=now,
        updated_at=now,
        started_at=None,
        completed_at=None,
        due_date=None,
    )


def _created(goal: Goal) -> GoalCreated:
    return GoalCreated(
        goal_id=goal.id,
        title=goal.title,
        course_id=None,
        priority=goal.priority.value,
        ai_generated=False,
    )


def _chunk(goal: Goal) -> StoredChunk:
    content = "\n".join(part for part in (goal.title, goal.description) if part)
    digest = hashlib.sha256(content.encode()).hexdigest()
    return StoredChunk(content, digest, vector=None, model=PENDING, metadata=None)


def _record(session: AsyncSession, event: DomainEvent, user_id: str, at: datetime) -> None:
    outbox.record(session, event, user_id=user_id, source="bench", at=at)


def main() -> None:
    """Serve until SIGTERM; where it listens is in uvicorn's log."""
    end_with_parent()
    engine = make_engine(os.environ["DATABASE_URL"], options=REQUEST_OPTIONS)
    app = create_bare(make_sessions(engine))
    uvicorn.run(app, host="127.0.0.1", port=0, access_log=False)


if __name__ == "__main__":
    main()
