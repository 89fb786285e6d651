"""The graph of tasks that code makes of a model's words."""

from hypothesis import given
from hypothesis import strategies as st

from agent.checks.plan import (
    Existing,
    Plan,
    accept_by_criteria,
    cover,
    longest_chain,
    make_plan,
)
from agent.outputs import PlannedTask
from tests.plans import planned, plans


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


def test_a_chain_through_a_cycle_is_measured_and_does_not_hang() -> None:
    chain = longest_chain({"a": 1.0, "b": 2.0}, {"a": ["b"], "b": ["a", "gone"]})

    assert set(chain) <= {"a", "b"}


def test_an_edge_to_a_task_that_exists_is_kept_by_its_id() -> None:
    tasks = [planned("t1", depends_on=["E1"]), planned("t2", title="dos", depends_on=["E2", "t1"])]

    plan = make_plan(tasks, criteria=0, existing=Existing(ids={"E1": "tsk_a", "E2": "tsk_b"}))

    assert [(step.depends_on, step.needs) for step in plan.steps] == [
        ((), ("tsk_a",)),
        ((0,), ("tsk_b",)),
    ]
    assert plan.repairs == ()


def test_an_edge_to_a_task_that_waits_for_this_one_is_cut_and_said() -> None:
    existing = Existing(ids={"E1": "tsk_a"}, behind={"tsk_a": [0]})

    plan = make_plan([planned("t1", depends_on=["E1"])], criteria=0, existing=existing)

    assert plan.steps[0].needs == ()
    assert [repair.kind for repair in plan.repairs] == ["cycle"]


def test_a_cycle_through_an_existing_task_is_cut_and_said() -> None:
    tasks = [planned("t1", title="uno", depends_on=["E1"]), planned("t2", depends_on=["t1"])]
    existing = Existing(ids={"E1": "tsk_a"}, behind={"tsk_a": [1]})

    plan = make_plan(tasks, criteria=0, existing=existing)

    assert [repair.kind for repair in plan.repairs] == ["cycle"]
    assert [(step.depends_on, step.needs) for step in plan.steps] == [((), ()), ((0,), ())]


def test_a_criterion_that_an_existing_task_serves_needs_no_other() -> None:
    plan = make_plan([planned("t1", serves=[1])], criteria=2)

    covered = cover(plan, ["uno", "dos"], similarity=lambda _a, _b: 0.5, served=[1])

    assert covered == plan


def test_hours_that_are_no_number_become_some_and_are_said() -> None:
    plan = make_plan([planned("t1", hours=(1.0, float("nan"), float("inf")))], criteria=0)

    step = plan.steps[0]
    assert (step.hours_low, step.hours_likely, step.hours_high) == (1.0, 200.0, 200.0)
    assert [repair.kind for repair in plan.repairs] == ["hours"]


def test_a_complexity_out_of_range_is_bounded_and_said() -> None:
    plan = make_plan([planned("t1", complexity=99)], criteria=0)

    assert plan.steps[0].complexity == 10
    assert [repair.kind for repair in plan.repairs] == ["complexity"]


def test_a_step_that_says_one_thing_twice_is_accepted_by_the_goals_criterion_too() -> None:
    task = planned("t1", serves=[1]).model_copy(update={"acceptance": ["Se ve", "Se ve"]})

    plan = accept_by_criteria(make_plan([task], criteria=1), ["Hay login"])

    assert plan.steps[0].acceptance == ("Se ve", "Hay login")
    assert [repair.kind for repair in plan.repairs] == ["acceptance"]
