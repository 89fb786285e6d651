"""Suggest goals as the product does, and tell what was stored, in JSON."""

from api.agent_schemas import SuggestIn, as_request
from evals.plan_metrics import UNUSABLE, unusable
from evals.planner import Done, Planner, Text, find_nearest
from evals.suite import Case, Json, Outcome
from tools.embedders import Embedder
from tools.indexing import goal_text
from tools.schemas import GoalOut


async def suggest(case: Case, planner: Planner) -> Outcome:
    """Return the goals that the product has stored for the case's wish.

    Each has the keys of the rows that it rests on and the goal that is most like it; `found` are
    the keys of what was retrieved, `touched` those of own rows that are not what they were.
    """
    learner = await planner.admit(case)
    asked = case.inputs["request"]
    request = as_request(
        SuggestIn(
            wish=asked["wish"],
            count=asked["count"],
            course_id=None if asked["course"] is None else learner.ids[asked["course"]],
        )
    )
    try:
        done = await planner.run(learner, "suggest_goals", request)
    except UNUSABLE as error:
        return unusable(error)
    return Outcome(data=await _told(case, done, planner.model.embedder))


def known_goals(case: Case) -> list[Text]:
    """Return the goals that the case's learner has."""
    return [
        _text(row["title"], row["description"], row["criteria"])
        for row in case.inputs["rows"]
        if row["type"] == "goal"
    ]


async def _told(case: Case, done: Done, embedder: Embedder) -> Json:
    said = {one["goal"]["id"]: one for one in done.result["suggestions"]}
    order = list(said)
    goals = sorted(done.new_goals, key=lambda goal: order.index(goal.id))
    texts = [_text(goal.title, goal.description, _criteria(goal)) for goal in goals]
    nearest = await find_nearest(known_goals(case), texts, embedder)
    new = [
        {
            "title": goal.title,
            "description": goal.description or "",
            "why": said[goal.id]["why"],
            "criteria": _criteria(goal),
            "based_on": [done.learner.key_of(one) for one in said[goal.id]["based_on"]],
            "grounds": said[goal.id]["grounds"],
            "nearest": like,
        }
        for goal, like in zip(goals, nearest, strict=True)
    ]
    return {
        "new": new,
        "same": embedder.same_goal,
        "found": done.found,
        "touched": done.touched,
        "dropped": [one["reason"] for one in done.result["dropped"]],
    }


def _criteria(goal: GoalOut) -> list[str]:
    return [one.text for one in goal.criteria]


def _text(title: str, description: str | None, criteria: list[str]) -> Text:
    return Text(title, goal_text(title, description, criteria))
