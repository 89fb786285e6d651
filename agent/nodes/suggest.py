"""Goal suggestion: new goals that rest on what the learner has, and repeat none of it."""

from collections.abc import Mapping
from typing import Final

from agent.checks.suggestions import (
    NewGoal,
    as_dropped,
    drop_repeats,
    find_fault,
    nearest_source,
    usable_criteria,
)
from agent.context import AgentContext
from agent.course import course_line, load_course
from agent.job import Job, as_meta, ask_for, complain, provenance
from agent.outputs import SuggestedGoal, SuggestedGoals, goals_shape
from agent.review import Decision, validated
from agent.sources import NOTHING, dashed, new_fence, source_lines
from agent.state import AgentState, Json, Source
from agent.token_budget import cut
from db.base import new_id
from db.enums import GoalPriority, GoalStatus
from db.events import AiGoalSuggested
from tools.context import ToolContext
from tools.errors import InputError, ModelBadOutput
from tools.goals import NewGoalRow, create_goals, latest_goal_texts
from tools.indexing import ENTITY_TYPES, GOAL, goal_text
from tools.schemas import GoalIn

EXISTING_GOALS: Final = 100
SHOWN_GOALS: Final = 30
MAX_DESCRIPTION: Final = 2_000
TITLE_TOKENS: Final = 30
GOALS_IN_PROGRESS: Final = 2
EDITABLE: Final = ("title", "description", "priority", "criteria")


async def load(tools: ToolContext, request: Json) -> Json:
    """Read the course, if one is named, and the goals that exist.

    Raises LimitReached where there is no room for what is asked for: before a model is.
    """
    course = await load_course(tools, request.get("course_id"))
    goals = [
        {**goal, "description": (goal["description"] or "")[:MAX_DESCRIPTION] or None}
        for goal in await latest_goal_texts(tools, limit=EXISTING_GOALS, room_for=request["count"])
    ]
    return {"course": course, "goals": goals}


def query(request: Json, subject: Json) -> str:
    """Return what to search for: the wish, the course, else the latest goals."""
    wish = request.get("wish") or ""
    course = subject["course"]["title"] if subject["course"] else ""
    latest = ". ".join(goal["title"] for goal in subject["goals"][:3])
    return ". ".join(part for part in (wish, course) if part) or latest


def in_progress(subject: Json) -> list[Source]:
    """Return the goals that the learner is at: what there is to go by where nothing is near."""
    goals = [goal for goal in subject["goals"] if goal["status"] == GoalStatus.IN_PROGRESS.value]
    return [
        Source(
            label=f"S{number}",
            entity_type=GOAL,
            entity_id=goal["id"],
            title=goal["title"],
            content=goal_text(goal["title"], goal["description"], goal["criteria"]),
            score=0.0,
        )
        for number, goal in enumerate(goals[:GOALS_IN_PROGRESS], start=1)
    ]


async def answer(state: AgentState, context: AgentContext) -> AgentState:
    """Ask the model for goals; in a repair turn for those that are still missing.

    Raises the errors of the model where nothing usable has been said before.
    """
    request, subject, kept = state["request"], state["subject"], _kept(state)
    count = request["count"] - len(kept)
    titles = [goal["title"] for goal in [*kept, *subject["goals"]]]
    try:
        return await ask_for(
            goals_shape(
                count,
                tuple(source["label"] for source in state["sources"]),
                must_cite=any(source["score"] > 0 for source in state["sources"]),
            ),
            state,
            context,
            values={
                "fence": new_fence(),
                "count": str(count),
                "wish": request.get("wish") or NOTHING,
                "course": course_line(subject["course"]),
                "goals": dashed(cut(title, TITLE_TOKENS) for title in titles[:SHOWN_GOALS]),
                "sources": source_lines(state["sources"]),
            },
            scripted={
                "request": {**request, "count": count},
                "language": state["language"],
                "titles": titles,
            },
        )
    except ModelBadOutput:
        if not kept:
            raise
        return AgentState(answer={"goals": []}, complaint=None)


async def check(state: AgentState, context: AgentContext) -> AgentState:
    """Keep what is new, checkable and in the learner's language; ask once for what is missing.

    Raises ModelBadOutput where no goal is in the learner's language.
    """
    language, count = state["language"], state["request"]["count"]
    last = state["repairs"] >= context.limits.repairs
    kept, dropped = _kept(state), list(_so_far(state).get("dropped", []))

    usable = []
    for goal in _said(state):
        reason = find_fault(goal, language, strict=not last)
        if reason is not None:
            dropped.append(as_dropped(goal.title, reason=reason))
        else:
            criteria = usable_criteria(goal, language, strict=not last)
            usable.append(goal.model_copy(update={"criteria": criteria}))

    known = [*state["subject"]["goals"], *({**goal, "id": None} for goal in kept)]
    goals, repeating = await drop_repeats(usable, known, context.embedder)
    said_before = {one["title"] for one in (*kept, *dropped)}
    dropped += [one for one in repeating if one["title"] not in said_before]
    kept = [*kept, *[await _draft(goal, state, context) for goal in goals]][:count]
    draft = {"goals": kept, "dropped": dropped}
    if len(kept) < count and not last:
        change = complain(state, context, _missing(draft, state), answer={})
        return AgentState({**change, "draft": {**draft, "partial": True}})
    if not kept and any(one["reason"] == "language" for one in dropped):
        raise ModelBadOutput(f"the model did not answer in the language {language}")
    return AgentState(complaint=None, draft=draft)


def items(draft: Json) -> list[Json]:
    """Return each goal as what the user decides on."""
    return [
        {
            "key": f"g{number}",
            "kind": "goal",
            "action": "add",
            "title": goal["title"],
            "why": goal["why"],
            "based_on": goal["based_on"],
            "fields": {name: goal[name] for name in EDITABLE},
        }
        for number, goal in enumerate(draft["goals"], start=1)
    ]


def decide(draft: Json, decisions: Mapping[str, Decision]) -> Json:
    """Return the draft with the goals that the user wants, as they want them.

    Raises InputError for an edit that no goal can have, or that leaves it without criteria.
    """
    goals = []
    for number, goal in enumerate(draft["goals"], start=1):
        decision = decisions[f"g{number}"]
        if decision.action != "reject":
            goals.append(_edited(goal, decision.fields) if decision.action == "edit" else goal)
    return {**draft, "goals": goals}


async def record_proposed(tools: ToolContext, state: AgentState, context: AgentContext) -> None:
    """Record each proposed goal under the id that its row will have if the user accepts it."""
    for goal in state["draft"]["goals"]:
        _record(tools, goal, state, context)


async def persist(tools: ToolContext, state: AgentState, context: AgentContext) -> Json:
    """Store the goals; record what was suggested and why, unless the review has done it."""
    told = provenance(state, context)
    course = state["subject"]["course"]
    drafts = state["draft"]["goals"]
    grounds = [{name: one[name] for name in ("why", "based_on", "grounds")} for one in drafts]
    goals = await create_goals(
        tools,
        [
            NewGoalRow(
                GoalIn(
                    title=draft["title"],
                    description=draft["description"],
                    course_id=course["id"] if course else None,
                    priority=GoalPriority(draft["priority"]),
                    criteria=draft["criteria"],
                ),
                id=draft["goal_id"],
                meta={"ai": {**as_meta(told), **rests_on}},
            )
            for draft, rests_on in zip(drafts, grounds, strict=True)
        ],
        ai_generated=True,
        has_room=not state["request"].get("review"),
    )
    if not state["request"].get("review"):
        for draft in drafts:
            _record(tools, draft, state, context)
    stored = [
        {"goal": goal.model_dump(mode="json"), **rests_on}
        for goal, rests_on in zip(goals, grounds, strict=True)
    ]
    return {"suggestions": stored, "dropped": state["draft"]["dropped"]}


def _record(tools: ToolContext, goal: Json, state: AgentState, context: AgentContext) -> None:
    tools.record(
        AiGoalSuggested(
            goal_id=goal["goal_id"],
            title=goal["title"],
            why=goal["why"],
            based_on=tuple(goal["based_on"]),
            **provenance(state, context),
        )
    )


def _so_far(state: AgentState) -> Json:
    """Return the draft of the turn before, where this is a repair turn that completes it."""
    draft = state.get("draft", {})
    return draft if state["repairs"] and draft.get("partial") else {}


def _kept(state: AgentState) -> list[Json]:
    return list(_so_far(state).get("goals", []))


def _said(state: AgentState) -> list[SuggestedGoal]:
    if not state["answer"].get("goals"):
        return []
    return SuggestedGoals.model_validate(state["answer"]).goals


async def _draft(goal: NewGoal, state: AgentState, context: AgentContext) -> Json:
    """Return the goal with an id and the rows that it rests on.

    A goal that names no source gets the one that is nearest to it, if one is near: `grounds` says
    whether the model cited the rows or code found them.
    """
    said, ids = goal.said, {one["label"]: one["entity_id"] for one in state["sources"]}
    cited = list(dict.fromkeys(ids[label] for label in said.based_on if label in ids))
    nearest = None if cited else await nearest_source(goal, state["sources"], context.embedder)
    return {
        "goal_id": new_id("gol"),
        "title": said.title,
        "description": said.description,
        "why": said.why,
        "priority": said.priority,
        "criteria": said.criteria,
        "based_on": [nearest] if nearest else cited,
        "grounds": "cited" if cited else "nearest" if nearest else "none",
    }


def _edited(goal: Json, fields: Json) -> Json:
    """Return the goal with the user's own words. Raises InputError."""
    wanted = {name: fields.get(name, goal[name]) for name in EDITABLE}
    checked = validated(GoalIn, wanted)
    if not checked.criteria:
        raise InputError("criteria: a suggested goal keeps at least one")
    return {**goal, **checked.model_dump(mode="json", include=set(EDITABLE))}


def _missing(draft: Json, state: AgentState) -> str:
    """Return what the repair turn is asked for, in the learner's language."""
    words, dropped = _COMPLAINTS[state["language"]], draft["dropped"]
    number = state["request"]["count"] - len(draft["goals"])
    repeated = [one for one in dropped if one["reason"] in {"overlap", "part"}]
    titles = "; ".join(one["title"] for one in [*draft["goals"], *repeated])
    reasons = {one["reason"] for one in dropped}
    said = [words["others"].format(titles=titles)] if titles else []
    said += [words[reason] for reason in ("language", "criteria") if reason in reasons]
    return " ".join([*said, words["missing"].format(number=number)])


_COMPLAINTS: Final = {
    "es": {
        "others": "Ya están, y no las quiere otra vez ni con otras palabras: {titles}.",
        "language": "Todo en español.",
        "criteria": "Cada meta con dos criterios distintos.",
        "missing": "Escribe {number} que sean otra cosa.",
    },
    "en": {
        "others": "These are there already, and not wanted again in other words: {titles}.",
        "language": "Everything in English.",
        "criteria": "Each goal with two different criteria.",
        "missing": "Write {number} about something else.",
    },
}

SUGGEST_GOALS: Final = Job(
    name="suggest_goals",
    entity_types=ENTITY_TYPES,
    load=load,
    query=query,
    answer=answer,
    check=check,
    persist=persist,
    items=items,
    decide=decide,
    record_proposed=record_proposed,
    seeks_grounds=True,
    otherwise=in_progress,
)
