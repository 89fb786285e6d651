"""The naive way to judge a submission: one structured call with the task and the code."""

from typing import Annotated, Final

from langchain_core.messages import HumanMessage, SystemMessage
from pydantic import StringConstraints

from agent.answers import ask
from agent.outputs import Output
from evals.model import LIVE_SECONDS
from evals.suite import Case, Model, Outcome
from tools.errors import ModelError

TOKENS: Final = 200


class NaiveVerdict(Output):
    """The answer of a bare call: right or wrong, and a reason."""

    reason: Annotated[str, StringConstraints(min_length=3, max_length=300)]
    correct: bool


async def judge(case: Case, model: Model) -> Outcome:
    """Return what the bare call says; no verdict where its answer is of no use."""
    asked = case.inputs
    texts = (asked["title"], asked["description"], *asked["criteria"])
    messages = [
        SystemMessage(
            "You review code. Decide whether the submission solves the task completely and "
            "correctly. Answer with JSON only: reason in one sentence, then correct, true or false."
        ),
        HumanMessage(
            "Task: " + "\n".join(texts) + f"\n\nSubmission ({asked['programming_language']}):\n"
            f"{asked['code']}"
        ),
    ]
    try:
        said = await ask(
            model.chat,
            messages,
            shape=NaiveVerdict,
            max_tokens=TOKENS,
            deadline=LIVE_SECONDS,
            temperature=0.0,
        )
    except ModelError:
        return Outcome(data={"passed": None})
    return Outcome(data={"passed": said.value.correct, "reason": said.value.reason})
