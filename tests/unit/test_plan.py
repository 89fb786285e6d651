"""The graph of tasks that code makes of a model's words."""

from hypothesis import given
from hypothesis import strategies as st

from agent.checks.plan import Plan, cover, make_plan
from agent.outputs import PlannedTask

KEYS = st.sampled_from(["t1", "t2", "t3", "t4", "t9"])


def planned(
    key: str,
    *,
    title: str = "Escribir la prueba",
    depends_on: list[str] | None = None,
    serves: list[int] | None = None,
    hours: tuple[float, float, float] = (1.0, 2.0, 3.0),
    complexity: int = 3,
) -> PlannedTask:
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
def plans(draw: st.DrawFn) -> list[PlannedTask]:
    count = draw(st.integers(1, 7))
    return [
        planned(
            draw(KEYS),
            title=f"Tarea {number}",
            depends_on=draw(st.lists(KEYS, max_size=4)),
            serves=draw(st.lists(st.integers(-2, 9), max_size=4)),
            hours=draw(st.tuples(*[st.floats(-5, 1e6)] * 3)),
            complexity=draw(st.integers(-3, 99)),
        )
        for number in range(count)
    ]


@given(plans(), st.integers(0, 5))
def test_whatever_the_model_says_the_plan_can_be_done_in_its_order(
    tasks: list[PlannedTask], criteria: int
) -> None:
    plan = make_plan(tasks, criteria=criteria)

    assert sorted(step.title for step in plan.steps) == sorted(task.title for task in tasks)
    for position, step in enumerate(plan.steps):
        assert all(edge < position for edge in step.depends_on)
        assert all(0 <= number < criteria for number in step.serves)
        assert 0 < step.hours_low <= step.hours_likely <= step.hours_high
        assert 1 <= step.complexity <= 10


@given(plans(), st.integers(1, 5))
def test_after_covering_every_criterion_is_served_and_each_addition_is_reported(
    tasks: list[PlannedTask], criteria: int
) -> None:
    plan = make_plan(tasks, criteria=criteria)

    covered = cover(plan, [f"criterio {n}" for n in range(criteria)], similarity=lambda _a, _b: 0.5)

    assert covered.uncovered(criteria) == ()
    added = [repair for repair in covered.repairs if repair.kind == "covered"]
    assert len(added) == len(plan.uncovered(criteria))


def test_an_order_that_works_stays_as_the_model_gave_it() -> None:
    tasks = [planned("t1", title="uno"), planned("t2", title="dos", depends_on=["t1"])]

    plan = make_plan(tasks, criteria=0)

    assert [step.title for step in plan.steps] == ["uno", "dos"]
    assert plan.steps[1].depends_on == (0,)
    assert plan.repairs == ()


def test_a_task_moves_behind_what_it_needs() -> None:
    tasks = [planned("t1", title="uno", depends_on=["t2"]), planned("t2", title="dos")]

    plan = make_plan(tasks, criteria=0)

    assert [step.title for step in plan.steps] == ["dos", "uno"]
    assert plan.steps[1].depends_on == (0,)


def test_a_cycle_is_cut_once_and_said() -> None:
    tasks = [
        planned("t1", title="uno", depends_on=["t3"]),
        planned("t2", title="dos", depends_on=["t1"]),
        planned("t3", title="tres", depends_on=["t2"]),
    ]

    plan = make_plan(tasks, criteria=0)

    assert [step.title for step in plan.steps] == ["uno", "dos", "tres"]
    assert [repair.kind for repair in plan.repairs] == ["cycle"]
    assert [step.depends_on for step in plan.steps] == [(), (0,), (1,)]


def test_edges_to_itself_and_to_nowhere_are_dropped_and_said() -> None:
    plan = make_plan([planned("t1", depends_on=["t1", "t7"])], criteria=0)

    assert plan.steps[0].depends_on == ()
    assert [repair.kind for repair in plan.repairs] == ["self_edge", "unknown_edge"]


def test_hours_out_of_order_are_sorted_and_said() -> None:
    plan = make_plan([planned("t1", hours=(8.0, 2.0, 4.0))], criteria=0)

    step = plan.steps[0]
    assert (step.hours_low, step.hours_likely, step.hours_high) == (2.0, 4.0, 8.0)
    assert [repair.kind for repair in plan.repairs] == ["hours"]


def test_the_critical_path_is_the_longest_chain_of_likely_hours() -> None:
    tasks = [
        planned("t1", hours=(1, 2, 3)),
        planned("t2", hours=(1, 9, 10), depends_on=["t1"]),
        planned("t3", hours=(1, 3, 4), depends_on=["t1"]),
        planned("t4", hours=(1, 1, 2), depends_on=["t2", "t3"]),
    ]

    plan = make_plan(tasks, criteria=0)

    assert plan.critical_path == (0, 1, 3)


def test_an_empty_plan_has_no_critical_path() -> None:
    assert Plan((), ()).critical_path == ()
