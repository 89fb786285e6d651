"""The naive way to break a goal down: one structured call with the goal and its tasks.

It is told the language, and nobody checks or mends what it says.
"""

from typing import Final

from langchain_core.messages import HumanMessage, SystemMessage
from pydantic import Field

from agent.answers import ask
from agent.outputs import MOST_TASKS, Line, Output, Paragraph, Title
from evals.breakdown.steps import goal_of, tasks_of
from evals.model import LIVE_SECONDS
from evals.plan_metrics import UNUSABLE, unusable
from evals.planner import Text, find_nearest
from evals.suggestion.naive import LANGUAGES
from evals.suite import Case, Model, Outcome

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


async def break_down(case: Case, model: Model) -> Outcome:
    """Return what the bare call says."""
    goal, existing = goal_of(case), tasks_of(case)
    criteria = enumerate(goal["criteria"], start=1)
    user = USER.format(
        title=goal["title"],
        description=goal["description"] or "",
        criteria="\n".join(f"{number}. {text}" for number, text in criteria),
        tasks="\n".join(f"- {task['title']}" for task in existing) or "none",
        count=case.inputs["request"]["count"] or "3 to 7",
    )
    try:
        said = await ask(
            model.chat,
            [SystemMessage(SYSTEM.format(language=LANGUAGES[case.language])), HumanMessage(user)],
            shape=NaiveTasks,
            max_tokens=TOKENS,
            deadline=LIVE_SECONDS,
            temperature=0.0,
        )
    except UNUSABLE as error:
        return unusable(error)
    tasks = said.value.tasks
    nearest = await find_nearest(
        [Text(task["title"], task["title"]) for task in existing if task["status"] != "skipped"],
        [Text(task.title, task.title) for task in tasks],
        model.embedder,
    )
    plan = [
        {
            "key": str(number),
            "title": task.title,
            "serves": task.serves,
            "depends_on": [str(one) for one in task.depends_on],
        }
        for number, task in enumerate(tasks, start=1)
    ]
    return Outcome(
        data={
            "new": [
                {
                    "title": task.title,
                    "description": task.description,
                    "why": "",
                    "criteria": task.acceptance,
                    "nearest": like,
                }
                for task, like in zip(tasks, nearest, strict=True)
            ],
            "plan": plan,
            "same": model.embedder.same_task,
        }
    )
