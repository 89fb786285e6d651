"""A model's tasks → a plan that holds together: an acyclic order that covers every criterion.

The model gives keys of its own; ids, edges and order are made here. What had to be mended is said.
"""

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isfinite
from typing import Final, Literal, TypeVar

from agent.outputs import PlannedTask

RepairKind = Literal[
    "duplicate_key",
    "merged_duplicate",
    "self_edge",
    "unknown_edge",
    "cycle",
    "unknown_criterion",
    "hours",
    "complexity",
    "acceptance",
    "covered",
    "uncovered",
    "changed_meanwhile",
]
LEAST_HOURS: Final = 0.25
MAX_HOURS: Final = 200.0
LEAST_ACCEPTANCE: Final = 2
N = TypeVar("N", bound=Hashable)


@dataclass(frozen=True)
class Repair:
    """Something in the model's plan that code had to mend; `task` is a title, or nothing."""

    kind: RepairKind
    task: str
    detail: str


@dataclass(frozen=True)
class Existing:
    """Tasks that stay as they are: `ids` by the keys (E1) that the model was shown.

    `behind` are the positions of the model's tasks that each of these, by id, waits for.
    """

    ids: Mapping[str, str] = field(default_factory=dict)
    behind: Mapping[str, Collection[int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """A task of the plan.

    `position` is its place among the model's tasks. `serves` and `depends_on` are positions, from
    0: of the goal's criteria, and of steps that come earlier in the plan; `needs` are ids of
    existing tasks. Hours are low ≤ likely ≤ high; `complexity` is 1 to 10.
    """

    position: int
    title: str
    description: str
    task_type: str
    serves: tuple[int, ...]
    acceptance: tuple[str, ...]
    depends_on: tuple[int, ...]
    needs: tuple[str, ...]
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
        return longest_chain(
            {at: step.hours_likely for at, step in enumerate(self.steps)},
            {at: step.depends_on for at, step in enumerate(self.steps)},
        )

    def uncovered(self, criteria: int, *, served: Collection[int] = ()) -> tuple[int, ...]:
        """Return the positions of the goal's criteria that no step serves, and nothing before."""
        by_steps = {number for step in self.steps for number in step.serves}
        return tuple(number for number in range(criteria) if number not in {*by_steps, *served})


def longest_chain(hours: Mapping[N, float], needs: Mapping[N, Collection[N]]) -> tuple[N, ...]:
    """Return the chain of nodes, in the order in which they are done, that takes the most hours.

    Edges to what has no hours are left out, and so is the edge that closes a cycle.
    """
    longest: dict[N, tuple[float, tuple[N, ...]]] = {}
    entered: set[N] = set()

    def measure(node: N) -> tuple[float, tuple[N, ...]]:
        if node not in longest:
            entered.add(node)
            before = [
                measure(other)
                for other in needs.get(node, ())
                if other in hours and (other in longest or other not in entered)
            ]
            spent, chain = max(before, key=lambda found: found[0], default=(0.0, ()))
            longest[node] = (spent + hours[node], (*chain, node))
        return longest[node]

    return max((measure(node) for node in hours), key=lambda found: found[0], default=(0.0, ()))[1]


def make_plan(
    tasks: Sequence[PlannedTask], *, criteria: int, existing: Existing | None = None
) -> Plan:
    """Return the plan of a model's tasks for a goal with that many criteria.

    It can be done in its order, also where existing tasks wait for some of its steps.
    """
    existing = existing or Existing()
    repairs: list[Repair] = []
    positions: dict[str, int] = {}
    for position, task in enumerate(tasks):
        if task.key in positions:
            repairs.append(Repair("duplicate_key", task.title, f"the key {task.key} came twice"))
        positions.setdefault(task.key, position)

    edges = [
        _edges(position, task, positions, existing, repairs) for position, task in enumerate(tasks)
    ]
    order = _topological(tasks, edges, existing, repairs)
    rank = {position: index for index, position in enumerate(order)}
    steps = tuple(
        _step(position, tasks[position], edges[position], rank, criteria, repairs)
        for position in order
    )
    return Plan(steps, tuple(repairs))


def cover(
    plan: Plan,
    criteria: Sequence[str],
    *,
    similarity: Callable[[str, str], float],
    served: Collection[int] = (),
) -> Plan:
    """Return the plan with each unserved criterion given to the step that is closest to it.

    `served` are the criteria that tasks outside the plan serve.
    """
    steps = list(plan.steps)
    repairs = list(plan.repairs)
    for number in plan.uncovered(len(criteria), served=served):
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


def accept_by_criteria(plan: Plan, criteria: Sequence[str]) -> Plan:
    """Return the plan in which a step with too few acceptance criteria has the goal's own too."""
    steps = list(plan.steps)
    repairs = list(plan.repairs)
    for at, step in enumerate(steps):
        if len(step.acceptance) >= LEAST_ACCEPTANCE:
            continue
        own = [criteria[number] for number in step.serves]
        wanted = tuple(dict.fromkeys([*step.acceptance, *own]))
        steps[at] = replace(step, acceptance=wanted[: max(LEAST_ACCEPTANCE, len(step.acceptance))])
        repairs.append(Repair("acceptance", step.title, "it said too little of when it is done"))
    return Plan(tuple(steps), tuple(repairs))


@dataclass
class _Edges:
    """What one task needs: other tasks of the model by position, existing ones by id."""

    steps: set[int] = field(default_factory=set)
    existing: list[str] = field(default_factory=list)

    def waits_for(self, behind: Mapping[str, Collection[int]]) -> set[int]:
        """Return the positions of all that must be done before."""
        return self.steps.union(*(behind.get(one, ()) for one in self.existing))


def _edges(
    position: int,
    task: PlannedTask,
    positions: Mapping[str, int],
    existing: Existing,
    repairs: list[Repair],
) -> _Edges:
    edges = _Edges()
    for key in dict.fromkeys(task.depends_on):
        target, other = positions.get(key), existing.ids.get(key)
        if other is not None and position in existing.behind.get(other, ()):
            repairs.append(Repair("cycle", task.title, f"{key} waits for it: its edge is cut"))
        elif other is not None:
            edges.existing.append(other)
        elif target is None:
            repairs.append(Repair("unknown_edge", task.title, f"there is no task {key}"))
        elif target == position:
            repairs.append(Repair("self_edge", task.title, "it depended on itself"))
        else:
            edges.steps.add(target)
    return edges


def _topological(
    tasks: Sequence[PlannedTask], edges: list[_Edges], existing: Existing, repairs: list[Repair]
) -> list[int]:
    """Return an order in which each task follows what it needs, the model's own where it can be.

    Where only tasks of a cycle are left, the first of them loses the edges that hold it.
    """
    order: list[int] = []
    left = list(range(len(tasks)))
    keys = {task_id: key for key, task_id in existing.ids.items()}
    while left:
        done = set(order)
        ready = next((at for at in left if edges[at].waits_for(existing.behind) <= done), None)
        if ready is None:
            ready = left[0]
            mine = edges[ready]
            broken = sorted(mine.steps - done)
            held = [one for one in mine.existing if not set(existing.behind.get(one, ())) <= done]
            mine.steps -= set(broken)
            mine.existing = [one for one in mine.existing if one not in held]
            names = ", ".join([*(tasks[at].key for at in broken), *(keys[one] for one in held)])
            repairs.append(Repair("cycle", tasks[ready].title, f"its dependence on {names} is cut"))
        left.remove(ready)
        order.append(ready)
    return order


def _step(
    position: int,
    task: PlannedTask,
    edges: _Edges,
    rank: Mapping[int, int],
    criteria: int,
    repairs: list[Repair],
) -> Step:
    served = sorted({number - 1 for number in task.serves})
    known = tuple(number for number in served if 0 <= number < criteria)
    if len(known) < len(served):
        repairs.append(Repair("unknown_criterion", task.title, "it named a criterion that is not"))

    given = (task.hours_low, task.hours_likely, task.hours_high)
    usable = (hours if isfinite(hours) else MAX_HOURS for hours in given)
    low, likely, high = sorted(min(max(hours, LEAST_HOURS), MAX_HOURS) for hours in usable)
    if (low, likely, high) != given:
        repairs.append(Repair("hours", task.title, f"hours {given} became {(low, likely, high)}"))
    complexity = min(max(task.complexity, 1), 10)
    if complexity != task.complexity:
        detail = f"complexity {task.complexity} became {complexity}"
        repairs.append(Repair("complexity", task.title, detail))
    return Step(
        position=position,
        title=task.title,
        description=task.description,
        task_type=task.task_type,
        serves=known,
        acceptance=tuple(dict.fromkeys(task.acceptance)),
        depends_on=tuple(sorted(rank[edge] for edge in edges.steps)),
        needs=tuple(edges.existing),
        hours_low=low,
        hours_likely=likely,
        hours_high=high,
        complexity=complexity,
        reason=task.reason,
    )
