"""What a model says of a goal's tasks → a draft: a sound plan, as a diff to the tasks there are."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Final

from agent.checks.estimates import estimate
from agent.checks.overlap import Named, Overlap, Vector, cosine, find_overlaps
from agent.checks.plan import Existing, Plan, Repair, Step, accept_by_criteria, cover, make_plan
from agent.checks.plan_diff import differences, match_titles, uncovered, waiting_for
from agent.outputs import PlannedTask
from agent.state import Json
from tools.embedders import Embedder

PRIORITY_STEP: Final = 10
LAST_PRIORITY: Final = 1_000


async def draft_plan(said: Sequence[PlannedTask], subject: Json, embedder: Embedder) -> Json:
    """Return the draft (see `agent.checks.plan_diff`) of a model's tasks for a goal.

    Tasks that repeat one that stays, or each other, are merged; those that say the same as one of
    the earlier plan replace it; what is left of the earlier plan is removed.
    """
    staying, earlier = protected(subject), replaceable(subject)
    titles = [task["title"] for task in (*staying, *earlier)] + [task.title for task in said]
    vectors = await embedder.embed_documents(titles)
    by_title = dict(zip(titles, vectors, strict=True))

    keys = {task["id"]: key for key, task in by_key(subject).items()}
    overlaps = find_overlaps(
        [(task.title, by_title[task.title]) for task in said],
        [Named(task["id"], task["title"], by_title[task["title"]]) for task in staying],
        threshold=embedder.same_task,
    )
    kept = _without(said, overlaps, keys)
    matched = match_titles(
        [(task.title, by_title[task.title]) for task in kept],
        [(task["title"], by_title[task["title"]]) for task in earlier],
        threshold=embedder.same_task,
    )
    replaced = {at: earlier[to] for at, to in matched.items()}
    existing = Existing(
        ids={key: task["id"] for key, task in by_key(subject).items()},
        behind=waiting_for(
            {task["id"]: task["depends_on"] for task in staying},
            {task["id"]: at for at, task in replaced.items()},
        ),
    )
    served = _served_by_existing(said, overlaps, subject)
    plan = make_plan(kept, criteria=len(subject["criteria"]), existing=existing)
    plan = await _complete(plan, subject, served, embedder)
    merged = [
        Repair("merged_duplicate", said[one.index].title, one.repeats.title) for one in overlaps
    ]
    draft = {
        **_frame(subject, served),
        "steps": _steps(plan, replaced, subject),
        "removed": [
            {"key": f"r{number}", "task_id": task["id"], "title": task["title"]}
            for number, task in enumerate(
                (one for one in earlier if one not in replaced.values()), start=1
            )
            if plan.steps
        ],
        "repairs": [asdict(repair) for repair in (*plan.repairs, *merged)],
    }
    draft["repairs"] += [
        {"kind": "uncovered", "task": "", "detail": one["text"]} for one in uncovered(draft)
    ]
    return draft


def kept_draft(subject: Json) -> Json:
    """Return the draft that leaves every task as it is."""
    steps = [
        {
            **{name: value for name, value in task.items() if name not in {"id", "protected"}},
            "key": f"t{number}",
            "action": "keep",
            "task_id": task["id"],
            "changes": [],
        }
        for number, task in enumerate(replaceable(subject), start=1)
    ]
    keys = {step["task_id"]: step["key"] for step in steps}
    for step in steps:
        step["depends_on"] = [keys.get(one, one) for one in step["depends_on"]]
    return {**_frame(subject, {}), "steps": steps, "removed": [], "repairs": [], "unchanged": True}


def protected(subject: Json) -> list[Json]:
    """Return the goal's tasks that stay as they are."""
    return [task for task in subject["tasks"] if task["protected"]]


def replaceable(subject: Json) -> list[Json]:
    """Return the tasks of the earlier plan, in its order."""
    tasks = [task for task in subject["tasks"] if not task["protected"]]
    return sorted(tasks, key=lambda task: int(task["priority"]))


def by_key(subject: Json) -> dict[str, Json]:
    """Return the tasks that stay, by the keys (E1) that the model is shown."""
    return {f"E{number}": task for number, task in enumerate(protected(subject), start=1)}


def _frame(subject: Json, served: Mapping[str, Sequence[str]]) -> Json:
    """Return what every draft says of the goal; `served` joins what its tasks serve."""
    return {
        "goal_id": subject["goal"]["id"],
        "plan_id": subject["plan"].get("id"),
        "criteria": [{"id": one["id"], "text": one["text"]} for one in subject["criteria"]],
        "stored": {
            task["id"]: {
                "depends_on": task["depends_on"],
                "serves": sorted({*_serves(task, subject), *served.get(task["id"], ())}),
            }
            for task in subject["tasks"]
        },
        "stands_in": dict(served),
        "calibration": subject["calibration"],
        "rejected": [],
        "unchanged": False,
    }


def _serves(task: Json, subject: Json) -> list[str]:
    """Return the criteria that a stored task serves: none where it is skipped."""
    if task["status"] == "skipped":
        return []
    return [*task["serves"], *subject["plan"].get("serves", {}).get(task["id"], ())]


def _served_by_existing(
    said: Sequence[PlannedTask], overlaps: Sequence[Overlap], subject: Json
) -> dict[str, list[str]]:
    """Return the criteria that tasks which stay serve: those of the model's repeats of them."""
    criteria = [criterion["id"] for criterion in subject["criteria"]]
    skipped = {task["id"] for task in subject["tasks"] if task["status"] == "skipped"}
    found: dict[str, list[str]] = {}
    for overlap in overlaps:
        task_id = overlap.repeats.id
        if task_id is not None and task_id not in skipped:
            numbers = (number - 1 for number in said[overlap.index].serves)
            served = [criteria[number] for number in numbers if 0 <= number < len(criteria)]
            found[task_id] = sorted({*found.get(task_id, ()), *served})
    return {task_id: served for task_id, served in found.items() if served}


def _without(
    tasks: Sequence[PlannedTask], overlaps: Sequence[Overlap], keys: Mapping[str, str]
) -> list[PlannedTask]:
    """Return the tasks that repeat nothing; an edge to a repeat goes to what it repeats."""
    stands_for = {}
    for overlap in overlaps:
        of = overlap.repeats
        other = keys.get(of.id or "") if of.index is None else tasks[of.index].key
        if other is not None:
            stands_for[tasks[overlap.index].key] = other
    repeated = {overlap.index for overlap in overlaps}
    own = {task.key for index, task in enumerate(tasks) if index not in repeated}
    kept: list[PlannedTask] = []
    for index, task in enumerate(tasks):
        if index in repeated:
            continue
        edges = dict.fromkeys(
            key if key in own else stands_for.get(key, key) for key in task.depends_on
        )
        if task.key not in task.depends_on:
            edges.pop(task.key, None)
        kept.append(task.model_copy(update={"depends_on": list(edges)}))
    return kept


async def _complete(
    plan: Plan, subject: Json, served: Mapping[str, Sequence[str]], embedder: Embedder
) -> Plan:
    """Return the plan in which every criterion is served and every step can be accepted."""
    criteria = [criterion["text"] for criterion in subject["criteria"]]
    ids = {criterion["id"]: at for at, criterion in enumerate(subject["criteria"])}
    by_others = {one for found in served.values() for one in found}
    by_others |= {one for task in protected(subject) for one in _serves(task, subject)}
    done = {ids[one] for one in by_others if one in ids}
    if plan.steps and plan.uncovered(len(criteria), served=done):
        texts = [*criteria, *(f"{step.title} {step.description}" for step in plan.steps)]
        vectors: dict[str, Vector] = dict(
            zip(texts, await embedder.embed_documents(texts), strict=True)
        )
        plan = cover(
            plan,
            criteria,
            similarity=lambda one, other: cosine(vectors[one], vectors[other]),
            served=done,
        )
    return accept_by_criteria(plan, criteria)


def _steps(plan: Plan, replaced: Mapping[int, Json], subject: Json) -> list[Json]:
    ids: dict[str, str] = {}
    steps = []
    first = len(protected(subject)) + 1
    for number, step in enumerate(plan.steps, start=1):
        task = replaced.get(step.position)
        made = _step(
            step, subject, priority=min((first + number - 1) * PRIORITY_STEP, LAST_PRIORITY)
        )
        made["key"], made["task_id"] = f"t{number}", task["id"] if task else None
        made["changes"] = []
        if task is not None:
            ids[made["key"]] = task["id"]
            stored = {**made, "depends_on": [ids.get(one, one) for one in made["depends_on"]]}
            made["changes"] = differences(stored, task)
        made["action"] = "add" if task is None else "change" if made["changes"] else "keep"
        steps.append(made)
    return steps


def _step(step: Step, subject: Json, *, priority: int) -> Json:
    kept = estimate(step, subject["calibration"])
    return {
        "title": step.title,
        "description": step.description,
        "task_type": step.task_type,
        "priority": priority,
        "estimated_hours": kept["likely"],
        "depends_on": [*(f"t{at + 1}" for at in step.depends_on), *step.needs],
        "serves": [subject["criteria"][at]["id"] for at in step.serves],
        "acceptance_criteria": list(step.acceptance),
        "estimate": kept,
    }
