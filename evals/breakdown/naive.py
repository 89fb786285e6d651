"""The naive way to break a goal down: one structured call with the goal and its tasks.

It is told the language, and nobody checks or mends what it says.
"""

from typing import Final

from langchain_core.messages import HumanMessage, SystemMessage
from pydantic import Field

from agent.answers import Answer, ask
from agent.models import ChatModel
from agent.outputs import MOST_TASKS, Line, Output, Paragraph, Title
from evals.suggestion.naive import LANGUAGES
from evals.suite import Case, Json

TOKENS: Final = 2_000
SYSTEM: Final = (
    "You break a learning goal down into tasks. Write in {language}. Answer with JSON only: tasks, "
    "each with a title, a description, 2 acceptance criteria, serves (the numbers of the goal's "
    "criteria that it helps to meet), depends_on (the numbers of the tasks of your list that have "
    "to be done before, the first is 1) and hours."
)
USER: Final = """Goal: {title}. {description}
Criteria of the goal:
{criteria}
Tasks that exist already:
{tasks}

Write {count} new tasks that together reach the goal."""


class NaiveTask(Output):
    """A task as a bare call writes it; `serves` and `depends_on` count from 1."""

    title: Title
    description: Paragraph
    acceptance: list[Line] = Field(max_length=5)
    serves: list[int] = Field(max_length=6)
    depends_on: list[int] = Field(max_length=4)
    hours: float


class NaiveTasks(Output):
    """What a bare call plans."""

    tasks: list[NaiveTask] = Field(max_length=MOST_TASKS)


async def ask_for_tasks(chat: ChatModel, case: Case, *, seconds: float) -> Answer[NaiveTasks]:
    """Return what the bare call says. Raises ModelError."""
    asked = case.inputs["request"]
    goal = goal_of(case)
    tasks = [row["title"] for row in case.inputs["rows"] if row.get("goal") == goal["key"]]
    criteria = enumerate(goal["criteria"], start=1)
    user = USER.format(
        title=goal["title"],
        description=goal["description"] or "",
        criteria="\n".join(f"{number}. {text}" for number, text in criteria),
        tasks="\n".join(f"- {title}" for title in tasks) or "none",
        count=asked["count"] or "3 to 7",
    )
    return await ask(
        chat,
        [SystemMessage(SYSTEM.format(language=LANGUAGES[case.language])), HumanMessage(user)],
        shape=NaiveTasks,
        max_tokens=TOKENS,
        deadline=seconds,
        temperature=0.0,
    )


def goal_of(case: Case) -> Json:
    """Return the row of the goal that is to be broken down."""
    wanted = case.inputs["request"]["goal"]
    found: Json = next(row for row in case.inputs["rows"] if row["key"] == wanted)
    return found
