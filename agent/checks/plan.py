"""A model's tasks → a plan that holds together: an acyclic order that covers every criterion.

The model gives keys of its own; ids, edges and order are made here. What had to be mended is said.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from agent.outputs import PlannedTask

RepairKind = Literal[
    "duplicate_key", "self_edge", "unknown_edge", "cycle", "unknown_criterion", "hours", "covered"
]
MAX_HOURS = 200.0


@dataclass(frozen=True)
class Repair:
    """Something in the model's plan that code had to mend."""

    kind: RepairKind
    task: str
    detail: str


@dataclass(frozen=True)
class Step:
    """A task of the plan.

    `serves` and `depends_on` are positions, from 0: of the goal's criteria, and of steps that come
    earlier in the plan. Hours are low ≤ likely ≤ high; `complexity` is 1 to 10.
    """

    title: str
    description: str
    task_type: str
    serves: tuple[int, ...]
    acceptance: tuple[str, ...]
    depends_on: tuple[int, ...]
    hours_low: float
    hours_likely: float
    hours_high: float
    complexity: int
    reason: str


@dataclass(frozen=True)
class Plan:
    """Steps in an order in which they can be done, and what was mended on the way."""

    steps: tuple[Step, ...]
    repairs: tuple[Repair, ...]

    @property
    def critical_path(self) -> tuple[int, ...]:
        """Return the positions of the chain of steps that takes the most likely hours."""
        longest: list[tuple[float, tuple[int, ...]]] = []
        for position, step in enumerate(self.steps):
            before = max((longest[d] for d in step.depends_on), default=(0.0, ()))
            longest.append((before[0] + step.hours_likely, (*before[1], position)))
        return max(longest, default=(0.0, ()))[1]

    def uncovered(self, criteria: int) -> tuple[int, ...]:
        """Return the positions of the goal's criteria that no step serves."""
        served = {number for step in self.steps for number in step.serves}
        return tuple(number for number in range(criteria) if number not in served)


def make_plan(tasks: Sequence[PlannedTask], *, criteria: int) -> Plan:
    """Return the plan of a model's tasks for a goal with that many criteria."""
    repairs: list[Repair] = []
    positions: dict[str, int] = {}
    for position, task in enumerate(tasks):
        if task.key in positions:
            repairs.append(Repair("duplicate_key", task.title, f"the key {task.key} came twice"))
        positions.setdefault(task.key, position)

    edges = [_edges(position, task, positions, repairs) for position, task in enumerate(tasks)]
    order = _topological(tasks, edges, repairs)
    rank = {position: index for index, position in enumerate(order)}
    steps = tuple(
        _step(tasks[position], edges[position], rank, criteria, repairs) for position in order
    )
    return Plan(steps, tuple(repairs))


def cover(plan: Plan, criteria: Sequence[str], *, similarity: Callable[[str, str], float]) -> Plan:
    """Return the plan with each unserved criterion given to the step that is closest to it."""
    steps = list(plan.steps)
    repairs = list(plan.repairs)
    for number in plan.uncovered(len(criteria)):
        best = max(
            range(len(steps)),
            key=lambda at: similarity(
                criteria[number], f"{steps[at].title} {steps[at].description}"
            ),
        )
        steps[best] = replace(steps[best], serves=tuple(sorted({*steps[best].serves, number})))
        repairs.append(
            Repair("covered", steps[best].title, f"criterion {number + 1} was served by no task")
        )
    return Plan(tuple(steps), tuple(repairs))


def _edges(
    position: int, task: PlannedTask, positions: dict[str, int], repairs: list[Repair]
) -> set[int]:
    edges: set[int] = set()
    for key in task.depends_on:
        target = positions.get(key)
        if target is None:
            repairs.append(Repair("unknown_edge", task.title, f"there is no task {key}"))
        elif target == position:
            repairs.append(Repair("self_edge", task.title, "it depended on itself"))
        else:
            edges.add(target)
    return edges


def _topological(
    tasks: Sequence[PlannedTask], edges: list[set[int]], repairs: list[Repair]
) -> list[int]:
    """Return an order in which each task follows what it needs, the model's own where it can be.

    Where only tasks of a cycle are left, the first of them loses the edges that hold it.
    """
    order: list[int] = []
    left = list(range(len(tasks)))
    while left:
        ready = next((at for at in left if edges[at] <= set(order)), None)
        if ready is None:
            ready = left[0]
            broken = sorted(edges[ready] - set(order))
            edges[ready] -= set(broken)
            names = ", ".join(tasks[at].key for at in broken)
            repairs.append(Repair("cycle", tasks[ready].title, f"its dependence on {names} is cut"))
        left.remove(ready)
        order.append(ready)
    return order


def _step(
    task: PlannedTask, edges: set[int], rank: dict[int, int], criteria: int, repairs: list[Repair]
) -> Step:
    served = sorted({number - 1 for number in task.serves})
    known = tuple(number for number in served if 0 <= number < criteria)
    if len(known) < len(served):
        repairs.append(Repair("unknown_criterion", task.title, "it named a criterion that is not"))

    given = (task.hours_low, task.hours_likely, task.hours_high)
    low, likely, high = sorted(min(max(hours, 0.25), MAX_HOURS) for hours in given)
    if (low, likely, high) != given:
        repairs.append(Repair("hours", task.title, f"hours {given} became {(low, likely, high)}"))
    return Step(
        title=task.title,
        description=task.description,
        task_type=task.task_type,
        serves=known,
        acceptance=tuple(dict.fromkeys(task.acceptance)),
        depends_on=tuple(sorted(rank[edge] for edge in edges)),
        hours_low=low,
        hours_likely=likely,
        hours_high=high,
        complexity=min(max(task.complexity, 1), 10),
        reason=task.reason,
    )
