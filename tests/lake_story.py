"""Four weeks of three learners, the same every time: the lake that docs/analysts.md asks."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Engine, text

from db.engine import make_engine, make_sessions
from db.events import (
    AiFeedbackGenerated,
    AiGoalSuggested,
    AiValidationCompleted,
    CodeSubmitted,
    CodeValidated,
    DomainEvent,
    GoalCompleted,
    GoalCreated,
    GoalStarted,
    TaskCompleted,
    TaskCreated,
    TaskFailed,
    TaskStarted,
    TaskValidated,
    UserCreated,
)
from db.outbox import record
from events.lake import Lake
from events.sink import flush

BEGIN: Final = datetime(2026, 3, 2, 9, tzinfo=UTC)
LEARNERS: Final = {
    "usr_ana": ("python", 4, 2),
    "usr_bruno": ("sql", 3, 3),
    "usr_carla": ("python", 2, 1),
}
"""Each learner's language, number of tasks, and attempts at the first of them."""
LEFT_OPEN: Final = 3
"""The task, by its place, that is begun and not handed in."""
Told = tuple[str, datetime, DomainEvent]


def tell_story() -> Iterator[Told]:
    """Yield who, when and what, in the order in which it happened to each learner."""
    for place, (user, (language, tasks, attempts)) in enumerate(LEARNERS.items()):
        yield from _learner(user, language, tasks=tasks, attempts=attempts, place=place)


def _learner(user: str, language: str, *, tasks: int, attempts: int, place: int) -> Iterator[Told]:
    name = user.removeprefix("usr_")
    goal, title = f"gol_{name}", f"Aprender {language}"
    begin = BEGIN + timedelta(days=place)
    asked: dict[str, Any] = {
        "model": "qwen2.5-coder-1.5b",
        "prompt_version": "suggest_goals.es/2",
        "graph_version": "1",
        "retrieved": (),
    }
    yield user, begin, UserCreated(user_id=user, username=name)
    for number in range(2):
        suggested = goal if number == 0 else f"{goal}_2"
        yield user, begin + timedelta(minutes=5), AiGoalSuggested(
            **asked, input_tokens=640, output_tokens=410, operation_id=f"opr_{suggested}",
            goal_id=suggested, title=title, why="Es el paso siguiente", based_on=(),
        )  # fmt: skip
    made = begin + timedelta(minutes=9)
    yield (
        user,
        made,
        GoalCreated(goal_id=goal, title=title, course_id=None, priority="high", ai_generated=True),
    )
    yield user, made, GoalStarted(goal_id=goal, title=title)
    yield user, made + timedelta(minutes=1), AiFeedbackGenerated(
        **asked, input_tokens=820, output_tokens=690, operation_id=f"opr_plan_{name}",
        kind="breakdown", subject_type="goal", subject_id=goal,
    )  # fmt: skip
    for number in range(tasks):
        task = f"tsk_{name}_{number + 1}"
        words = f"Paso {number + 1}"
        yield user, made + timedelta(minutes=2), TaskCreated(
            task_id=task, title=words, goal_id=goal, task_type="coding", estimated_hours=2.0,
            ai_generated=True,
        )  # fmt: skip
        started = begin + timedelta(days=7 * number, hours=1)
        yield user, started, TaskStarted(task_id=task, title=words)
        if number == LEFT_OPEN:
            continue
        tries = attempts if number == 0 else 1
        for attempt in range(tries):
            at = started + timedelta(hours=1 + 2 * attempt + place)
            passed = attempt == tries - 1
            score = 1.0 if passed else 0.5
            code = f"cs_{name}_{number + 1}_{attempt + 1}"
            yield user, at, CodeSubmitted(
                code_snapshot_id=code, task_id=task, language=language,
                file_path=f"paso{number + 1}", sha256="0" * 64, lines=20 + 5 * attempt,
            )  # fmt: skip
            yield user, at, CodeValidated(
                code_snapshot_id=code, task_id=task, language=language, passed=passed,
                validation_score=score,
            )  # fmt: skip
            yield user, at, TaskValidated(
                task_id=task, title=words, code_snapshot_id=code, passed=passed,
                validation_score=score,
            )  # fmt: skip
            yield user, at, AiValidationCompleted(
                **asked, input_tokens=1_100, output_tokens=240, operation_id=f"opr_{code}",
                code_snapshot_id=code, task_id=task, passed=passed, validation_score=score,
                runs_passed=3 if passed else 1, runs_failed=0 if passed else 2,
                findings=0 if passed else 2,
            )  # fmt: skip
            if passed:
                yield user, at, TaskCompleted(task_id=task, title=words, validation_score=score)
            else:
                yield (
                    user,
                    at,
                    TaskFailed(
                        task_id=task, title=words, code_snapshot_id=code, validation_score=score
                    ),
                )
    if tasks < max(count for _, count, _ in LEARNERS.values()):
        ended = begin + timedelta(days=7 * tasks)
        yield user, ended, GoalCompleted(goal_id=goal, title=title, progress_percentage=100.0)


async def write_story(database_url: str, engine: Engine, lake: Lake) -> None:
    """Record the story and carry it to `lake`."""
    recording = make_engine(database_url)
    async with make_sessions(recording).begin() as session:
        for user in LEARNERS:
            await session.execute(
                text(
                    "insert into users (id, email, username, hashed_password)"
                    " values (:u, :u, :u, '')"
                ),
                {"u": user},
            )
        for user, at, event in sorted(tell_story(), key=lambda one: one[1]):
            record(session, event, user_id=user, source="story", at=at)
    await recording.dispose()
    flush(engine, lake)
