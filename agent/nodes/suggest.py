"""Goal suggestion: new goals that rest on what the learner has, and repeat none of it."""

from typing import Final

from agent.checks.overlap import Named, find_overlaps
from agent.context import AgentContext
from agent.course import course_line, load_course
from agent.job import Job, as_meta, ask_for, complain, provenance
from agent.outputs import SuggestedGoal, SuggestedGoals
from agent.sources import NOTHING, dashed, new_fence, source_lines
from agent.state import AgentState, Json
from db.enums import GoalPriority, GoalStatus
from db.events import AiGoalSuggested
from tools.context import ToolContext
from tools.goals import create_goal, list_goals
from tools.indexing import ENTITY_TYPES, goal_text
from tools.schemas import GoalIn

EXISTING_GOALS: Final = 30
CLOSED: Final = frozenset({GoalStatus.CANCELLED})


async def load(tools: ToolContext, request: Json) -> Json:
    """Read the course, if one is named, and the goals that exist."""
    course = await load_course(tools, request.get("course_id"))
    page = await list_goals(tools, limit=EXISTING_GOALS)
    goals = [
        {
            "id": goal.id,
            "title": goal.title,
            "description": goal.description,
            "criteria": [criterion.text for criterion in goal.criteria],
        }
        for goal in page.items
        if goal.status not in CLOSED
    ]
    return {"course": course, "goals": goals}


def query(request: Json, subject: Json) -> str:
    """Return what to search for: the wish, the course, else the latest goals."""
    wish = request.get("wish") or ""
    course = subject["course"]["title"] if subject["course"] else ""
    latest = ". ".join(goal["title"] for goal in subject["goals"][:3])
    return ". ".join(part for part in (wish, course) if part) or latest


async def answer(state: AgentState, context: AgentContext) -> AgentState:
    """Ask the model for goals."""
    request, subject = state["request"], state["subject"]
    return await ask_for(
        SuggestedGoals,
        state,
        context,
        values={
            "fence": new_fence(),
            "count": str(request["count"]),
            "wish": request.get("wish") or NOTHING,
            "course": course_line(subject["course"]),
            "goals": dashed(goal["title"] for goal in subject["goals"]),
            "sources": source_lines(state["sources"]),
        },
        scripted={"request": request, "language": state["language"]},
    )


async def check(state: AgentState, context: AgentContext) -> AgentState:
    """Drop what repeats a goal or a sibling; where nothing is left, complain once."""
    said = SuggestedGoals.model_validate(state["answer"])
    existing = state["subject"]["goals"]
    embedder = context.embedder
    vectors = await embedder.embed_documents(
        [goal_text(goal["title"], goal["description"], goal["criteria"]) for goal in existing]
        + [goal_text(goal.title, goal.description, goal.criteria) for goal in said.goals]
    )
    known = [
        Named(goal["id"], goal["title"], vector)
        for goal, vector in zip(existing, vectors, strict=False)
    ]
    overlaps = find_overlaps(
        [
            (goal.title, vector)
            for goal, vector in zip(said.goals, vectors[len(existing) :], strict=True)
        ],
        known,
        threshold=embedder.same_goal,
    )
    dropped_at = {overlap.index for overlap in overlaps}
    kept = [goal for index, goal in enumerate(said.goals) if index not in dropped_at]
    dropped = [
        {
            "title": said.goals[overlap.index].title,
            "repeats": overlap.repeats.title,
            "continue_goal_id": overlap.repeats.id,
            "similarity": round(overlap.similarity, 3),
        }
        for overlap in overlaps
    ]
    if not kept and state["repairs"] < context.limits.repairs:
        titles = "; ".join(goal["title"] for goal in existing)
        return complain(state, context, f"{len(dropped)}/{len(said.goals)} = {titles}")
    wanted = kept[: state["request"]["count"]]
    return AgentState(
        complaint=None,
        draft={"goals": [_draft(goal, state) for goal in wanted], "dropped": dropped},
    )


async def persist(tools: ToolContext, state: AgentState, context: AgentContext) -> Json:
    """Store the goals and record what was suggested and why."""
    told = provenance(state, context)
    course = state["subject"]["course"]
    stored = []
    for draft in state["draft"]["goals"]:
        goal = await create_goal(
            tools,
            GoalIn(
                title=draft["title"],
                description=draft["description"],
                course_id=course["id"] if course else None,
                priority=GoalPriority(draft["priority"]),
                criteria=draft["criteria"],
            ),
            ai_generated=True,
            meta={"ai": {**as_meta(told), "why": draft["why"], "based_on": draft["based_on"]}},
        )
        tools.record(
            AiGoalSuggested(
                goal_id=goal.id,
                title=goal.title,
                why=draft["why"],
                based_on=tuple(draft["based_on"]),
                **told,
            )
        )
        stored.append(
            {
                "goal": goal.model_dump(mode="json"),
                "why": draft["why"],
                "based_on": draft["based_on"],
            }
        )
    return {"suggestions": stored, "dropped": state["draft"]["dropped"]}


def _draft(goal: SuggestedGoal, state: AgentState) -> Json:
    ids = {source["label"]: source["entity_id"] for source in state["sources"]}
    return {
        "title": goal.title,
        "description": goal.description,
        "why": goal.why,
        "priority": goal.priority,
        "criteria": list(dict.fromkeys(goal.criteria)),
        "based_on": list(dict.fromkeys(ids[one] for one in goal.based_on if one in ids)),
    }


SUGGEST_GOALS: Final = Job(
    name="suggest_goals",
    entity_types=ENTITY_TYPES,
    load=load,
    query=query,
    answer=answer,
    check=check,
    persist=persist,
)
