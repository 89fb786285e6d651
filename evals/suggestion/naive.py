"""The naive way to suggest goals: one structured call with all that the learner has and their wish.

It is told the language and every row, and nobody checks or mends what it says.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final

from langchain_core.messages import HumanMessage, SystemMessage
from pydantic import Field, StringConstraints

from agent.answers import ask
from agent.outputs import MOST_GOALS, Line, Output, Paragraph, Title
from evals.model import LIVE_SECONDS
from evals.plan_metrics import UNUSABLE, unusable
from evals.planner import Text, find_nearest
from evals.suggestion.task import known_goals
from evals.suite import Case, Model, Outcome
from tools.indexing import goal_text

TOKENS: Final = 1_500
LANGUAGES: Final = {"es": "Spanish", "en": "English"}
SYSTEM: Final = (
    "You suggest learning goals to a learner of programming. Write in {language}. Answer with "
    "JSON only: goals, each with a title, a description, 2 to 5 criteria, and based_on, the keys "
    "of what the learner has that it builds on."
)
USER: Final = """What the learner has:
{rows}

Wish: {wish}

Suggest exactly {count} new goals."""


class NaiveGoal(Output):
    """A goal as a bare call writes it; `based_on` are keys of rows."""

    title: Title
    description: Paragraph
    criteria: list[Line] = Field(max_length=5)
    based_on: list[Annotated[str, StringConstraints(max_length=20)]] = Field(max_length=3)


class NaiveGoals(Output):
    """What a bare call suggests."""

    goals: list[NaiveGoal] = Field(max_length=MOST_GOALS)


async def suggest(case: Case, model: Model) -> Outcome:
    """Return what the bare call says; it has seen every row, so all are at hand."""
    rows, asked = case.inputs["rows"], case.inputs["request"]
    user = USER.format(
        rows="\n".join(map(row_line, rows)) or "nothing yet",
        wish=asked["wish"] or "none",
        count=asked["count"],
    )
    try:
        said = await ask(
            model.chat,
            [SystemMessage(SYSTEM.format(language=LANGUAGES[case.language])), HumanMessage(user)],
            shape=NaiveGoals,
            max_tokens=TOKENS,
            deadline=LIVE_SECONDS,
            temperature=0.0,
        )
    except UNUSABLE as error:
        return unusable(error)
    goals = said.value.goals
    new = [
        Text(goal.title, goal_text(goal.title, goal.description, goal.criteria)) for goal in goals
    ]
    nearest = await find_nearest(known_goals(case), new, model.embedder)
    return Outcome(
        data={
            "new": [
                {**goal.model_dump(), "why": "", "nearest": like}
                for goal, like in zip(goals, nearest, strict=True)
            ],
            "same": model.embedder.same_goal,
            "found": [row["key"] for row in rows],
        }
    )


def row_line(row: Mapping[str, Any]) -> str:
    """Return one of the learner's rows as a line for a prompt."""
    title = row.get("title") or row.get("file_path")
    status = f" ({row['status']})" if "status" in row else ""
    text = row.get("description") or row.get("feedback")
    return f"{row['key']} {row['type']}{status}: {title}" + (f". {text}" if text else "")
