"""The validation suite, offline: what facts and runs alone must get right, and no stale answer."""

from typing import Any

import pytest

from agent.context import AgentContext
from agent.models import SMALL_MODEL, ChatModel
from evals import validation
from evals.recorded_answers import NotRecorded, RecordedModel
from evals.recorded_chat import MODEL
from evals.validation import Judged, judge_all
from evals.validation_cases import load_submissions, load_tasks
from evals.validation_command import ANSWERS
from evals.validation_report import WITH_EXAMPLES, ValidationReport, confuse
from tools.analysis.runs import cpython

RUNNABLE = {"python", "javascript", "typescript"}


@pytest.fixture
def without_review(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the model's words out: what they are asked tells how busy the machine was."""

    async def nothing(*_: Any) -> dict[str, Any]:
        return {"passed": None, "issues": []}

    monkeypatch.setattr(validation, "_review", nothing)


async def judge(**changed: str) -> list[Judged]:
    nobody: Any = None
    chat = ChatModel(MODEL, RecordedModel(path=ANSWERS), body=SMALL_MODEL, takes_temperature=True)
    context = AgentContext(user_id="usr_evals", open_tools=nobody, chat=chat, embedder=nobody)
    tasks = [task for task in load_tasks() if task.programming_language in RUNNABLE]
    if changed:
        tasks = [type(task)(**{**vars(task), **changed}) for task in tasks if not task.examples][:1]
    names = {task.id for task in tasks}
    submissions = [one for one in load_submissions() if one.task_id in names]
    return await judge_all(tasks, submissions, context, note=lambda _: None)


@pytest.mark.skipif(not cpython.can_run(), reason="bubblewrap does not work here")
@pytest.mark.usefixtures("without_review")
async def test_facts_and_runs_are_as_right_as_they_were() -> None:
    judged = await judge()

    report = ValidationReport(model=MODEL, ours=tuple(judged), naive=(), facts_p95_ms=0.0)
    groups = report.groups(judged)
    sound = [one for one in judged if one.submission.bug != "syntax"]
    assert groups[WITH_EXAMPLES].balanced_accuracy >= 0.95
    assert groups[WITH_EXAMPLES].right_rejected_share <= 0.05
    assert confuse([one for one in judged if not one.task.examples]).right_rejected <= 2
    assert confuse([one for one in judged if not one.task.examples]).wrong_rejected >= 17
    assert not [one.submission.id for one in sound if one.syntax]


@pytest.mark.usefixtures("without_review")
async def test_an_answer_to_another_question_is_not_taken() -> None:
    with pytest.raises(NotRecorded, match="--record"):
        await judge(title="Another title")
