"""A new plan against the tasks that a goal has: what is added, changed, removed and kept.

A draft is JSON: `steps` in order, each with a `key` (t1), an `action` and the `task_id` that it
changes; a step's `depends_on` names keys of steps, or ids of tasks outside the plan. `removed` are
tasks that go, `stored` what every task of the goal depends on and serves as it is now.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

from agent.checks.overlap import Vector, cosine
from agent.state import Json

WRITTEN: Final = ("title", "description", "task_type", "priority", "estimated_hours")
KEPT_AS_META: Final = ("depends_on", "serves", "acceptance_criteria", "estimate")


def match_titles(
    new: Sequence[tuple[str, Vector]], old: Sequence[tuple[str, Vector]], *, threshold: float
) -> dict[int, int]:
    """Return the position in `old` for each position in `new` that says the same, best first.

    Both are (title, vector); each is used once.
    """
    pairs = [
        (_nearness(one, other), at, to)
        for at, one in enumerate(new)
        for to, other in enumerate(old)
    ]
    matched: dict[int, int] = {}
    for similarity, at, to in sorted(pairs, key=lambda pair: (-pair[0], pair[1], pair[2])):
        if similarity >= threshold and at not in matched and to not in matched.values():
            matched[at] = to
    return matched


def waiting_for(
    needs: Mapping[str, Sequence[str]], nodes: Mapping[str, int]
) -> dict[str, frozenset[int]]:
    """Return, for each task of `needs`, the positions of `nodes` that it waits for in the end.

    `needs` are the edges of the tasks that stay as they are; cycles among them do no harm.
    """
    return {
        task_id: frozenset(nodes[one] for one in _reach([task_id], needs) if one in nodes)
        for task_id in needs
    }


def differences(step: Json, task: Json) -> list[str]:
    """Return the names of what a step would change in the task that it matches."""
    changed = [name for name in WRITTEN if step[name] != task[name]]
    return changed + [name for name in KEPT_AS_META if step[name] != task[name]]


def decided(draft: Json, *, rejected: Collection[str]) -> Json:
    """Return the draft without the items of these keys.

    What depended on an added task that is rejected depends on what that one needed; a change or a
    removal that is rejected leaves its task as it is. The result has no cycle, and criteria that
    nothing serves any more are reported.
    """
    stands_for: dict[str, list[str]] = {}
    steps: list[Json] = []
    for step in draft["steps"]:
        needed = _unique(
            other for one in step["depends_on"] for other in stands_for.get(one, [one])
        )
        if step["key"] not in rejected or step["action"] == "keep":
            steps.append({**step, "depends_on": needed})
        else:
            stands_for[step["key"]] = needed if step["action"] == "add" else [step["task_id"]]
    removed = [one for one in draft["removed"] if one["key"] not in rejected]
    without = {**draft, "steps": steps, "removed": removed}
    acyclic, cut = without_cycles(without)
    lost = [
        {"kind": "uncovered", "task": "", "detail": criterion["text"]}
        for criterion in uncovered(acyclic)
        if criterion not in uncovered(draft)
    ]
    return {
        **acyclic,
        "repairs": [*draft["repairs"], *cut, *lost],
        "rejected": sorted({*draft["rejected"], *rejected}),
    }


def without_cycles(draft: Json) -> tuple[Json, list[Json]]:
    """Return the draft without the edges of steps that close a cycle, and these as repairs."""
    ids = {step["task_id"]: step["key"] for step in draft["steps"] if step["task_id"]}
    graph = {
        task_id: [ids.get(one, one) for one in needed]
        for task_id, needed in _staying_edges(draft).items()
    }
    steps, repairs = [], []
    for step in draft["steps"]:
        kept: list[str] = []
        for one in step["depends_on"]:
            node = ids.get(one, one)
            if node == step["key"] or step["key"] in _reach([node], graph):
                detail = f"its dependence on {one} is cut"
                repairs.append({"kind": "cycle", "task": step["title"], "detail": detail})
                continue
            kept.append(one)
            graph.setdefault(step["key"], []).append(node)
        steps.append({**step, "depends_on": kept})
    return {**draft, "steps": steps}, repairs


def uncovered(draft: Json) -> list[Json]:
    """Return the goal's criteria that neither a step nor a task that stays serves."""
    served = {one for tasks in serving(draft).values() for one in tasks}
    return [criterion for criterion in draft["criteria"] if criterion["id"] not in served]


def serving(draft: Json) -> dict[str, list[str]]:
    """Return which criteria (ids) each step, by key, and each staying task, by id, serves."""
    staying = _staying(draft)
    found = {task_id: draft["stored"][task_id]["serves"] for task_id in staying}
    return found | {step["key"]: step["serves"] for step in draft["steps"]}


def _staying(draft: Json) -> list[str]:
    """Return the ids of the tasks that the draft leaves as they are stored."""
    touched = {step["task_id"] for step in draft["steps"]}
    touched |= {one["task_id"] for one in draft["removed"]}
    return [task_id for task_id in draft["stored"] if task_id not in touched]


def _staying_edges(draft: Json) -> dict[str, list[str]]:
    return {task_id: draft["stored"][task_id]["depends_on"] for task_id in _staying(draft)}


def _reach(start: Sequence[str], needs: Mapping[str, Sequence[str]]) -> set[str]:
    """Return all that is reached from `start` along `needs`, `start` among it."""
    seen: set[str] = set()
    left = list(start)
    while left:
        node = left.pop()
        if node not in seen:
            seen.add(node)
            left += needs.get(node, ())
    return seen


def _unique(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))


def _nearness(one: tuple[str, Vector], other: tuple[str, Vector]) -> float:
    if " ".join(one[0].casefold().split()) == " ".join(other[0].casefold().split()):
        return 1.0 + 1e-6  # before any other that is as near
    return cosine(one[1], other[1])
