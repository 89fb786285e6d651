"""Tasks as a model plans them, and goals with tasks as the agent's state carries them."""

from typing import Any

from hypothesis import strategies as st

from agent.outputs import PlannedTask

KEYS = ["t1", "t2", "t3", "t4", "t9", "E1", "E2", "E3"]


def planned(
    key: str,
    *,
    title: str = "Escribir la prueba",
    depends_on: list[str] | None = None,
    serves: list[int] | None = None,
    hours: tuple[float, float, float] = (1.0, 2.0, 3.0),
    complexity: int = 3,
) -> PlannedTask:
    """Return a task as a model says it."""
    return PlannedTask(
        key=key,
        title=title,
        description="Una tarea de prueba",
        task_type="code",
        serves=serves or [],
        acceptance=["Se ve", "Se mide"],
        depends_on=depends_on or [],
        hours_low=hours[0],
        hours_likely=hours[1],
        hours_high=hours[2],
        complexity=complexity,
        reason="Porque sí",
    )


@st.composite
def plans(draw: st.DrawFn, titles: str = "Tarea {number}") -> list[PlannedTask]:
    """Draw one to seven tasks with keys that may repeat and edges that may go anywhere."""
    count = draw(st.integers(1, 7))
    keys = st.sampled_from(KEYS[:5])
    return [
        planned(
            draw(keys),
            title=titles.format(number=number),
            depends_on=draw(st.lists(st.sampled_from(KEYS), max_size=4)),
            serves=draw(st.lists(st.integers(-2, 9), max_size=4)),
            hours=draw(st.tuples(*[st.floats(-5, 1e6)] * 3)),
            complexity=draw(st.integers(-3, 99)),
        )
        for number in range(count)
    ]


def stored_task(task_id: str, title: str, *, protected: bool, **more: Any) -> dict[str, Any]:
    """Return a task that a goal has, as the state carries it."""
    return {
        "id": task_id,
        "protected": protected,
        "status": "todo",
        "title": title,
        "description": None,
        "task_type": "code",
        "priority": 10,
        "estimated_hours": 1.0,
        "depends_on": [],
        "serves": [],
        "acceptance_criteria": [],
        "estimate": None,
        **more,
    }


def goal_with(
    tasks: list[dict[str, Any]], *, criteria: int = 2, calibration: Any = None
) -> dict[str, Any]:
    """Return what a breakdown reads of a goal with `tasks`."""
    return {
        "goal": {"id": "gol_1", "title": "Meta", "description": ""},
        "criteria": [{"id": f"crt_{n}", "text": f"criterio {n}"} for n in range(1, criteria + 1)],
        "plan": {},
        "tasks": tasks,
        "calibration": calibration,
        "course": None,
    }


@st.composite
def goals(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a goal whose tasks, protected or not, depend on earlier ones of them."""
    tasks: list[dict[str, Any]] = []
    for number in range(draw(st.integers(0, 6))):
        before = [task["id"] for task in tasks]
        tasks.append(
            stored_task(
                f"tsk_{number}",
                draw(st.sampled_from([f"Tarea {number}", f"otra cosa {number}"])),
                protected=draw(st.booleans()),
                status=draw(st.sampled_from(["todo", "completed", "skipped"])),
                priority=draw(st.integers(0, 5)) * 10,
                depends_on=draw(st.lists(st.sampled_from(before), unique=True)) if before else [],
                serves=draw(st.lists(st.sampled_from(["crt_1", "crt_2", "crt_gone"]), max_size=2)),
            )
        )
    draw(st.randoms(use_true_random=False)).shuffle(tasks)
    return goal_with(tasks, criteria=draw(st.integers(0, 3)))
