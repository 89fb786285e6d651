"""How right the verdicts are: the set goes through the product's own facts, runs and checks.

`goals eval run --suite validation` prints the report, measured with the recorded answers of the
local model; nothing leaves the machine.
"""

import asyncio
import os
import statistics
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, TypeVar

from langchain_core.messages import HumanMessage, SystemMessage
from pydantic import StringConstraints

from agent.answers import ask
from agent.checks.verdict import decide_by_evidence
from agent.context import AgentContext
from agent.drafts import make_draft
from agent.evidence import FROM_MODEL, collect, summary
from agent.nodes.validate import VALIDATE_CODE, gather
from agent.outputs import Output
from agent.state import AgentState, Json, Tokens
from evals.recorded_answers import NotRecorded
from evals.validation_cases import Submission, Task
from tools.analysis.anchors import locate
from tools.errors import ModelError

Basis = Literal["syntax", "task_runs", "proposed_runs", "review", "unrecorded"]

T = TypeVar("T")

NAIVE_TOKENS: Final = 200
LONG_TASK: Final = "total_0([1, 2]) == 3, total_1([]) == 0, total_2([5]) == 5"
FILE_PATHS: Final = {"python": "solucion.py", "javascript": "solucion.js"}


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What the product, or the naive call, said of one submission.

    `passed` is None where it gave no verdict; `loose` counts the findings shown whose quote is not
    in the code where they say, `refuted` those shown though the runs contradict them. `seconds` are
    those of facts and runs, without any model.
    """

    submission: Submission
    task: Task
    passed: bool | None
    basis: Basis
    findings: int = 0
    loose: int = 0
    refuted: int = 0
    syntax: bool = False
    seconds: float = 0.0


class NaiveVerdict(Output):
    """The answer of a bare call: right or wrong, and a reason."""

    reason: Annotated[str, StringConstraints(min_length=3, max_length=300)]
    correct: bool


async def judge_all(
    tasks: Sequence[Task],
    submissions: Sequence[Submission],
    context: AgentContext,
    *,
    note: Callable[[int], None],
) -> list[Judged]:
    """Return the product's verdict on each submission.

    First all evidence is gathered, the programs of one task in turn and no more tasks at once than
    there are processors: an analyzer that is late for the load says nothing about the product. Then
    the model reviews what facts and runs have not settled: its words could not change the rest.
    """
    by_task = {task.id: [one for one in submissions if one.task_id == task.id] for task in tasks}
    places = asyncio.Semaphore(os.cpu_count() or 1)

    async def gather_task(task: Task) -> list[_Gathered]:
        gathered: list[_Gathered] = []
        async with places:
            for submission in by_task[task.id]:
                kept = gathered[-1].proposed if gathered else None
                gathered.append(await _gather(task, submission, context, proposed=kept))
        return gathered

    async def judge(one: _Gathered) -> list[Judged]:
        judged = await _judge(one, context)
        note(1)
        return [judged]

    everything = await _in_order(gather_task(task) for task in tasks)
    return await _in_order(judge(one) for one in everything)


async def judge_naively(
    tasks: Sequence[Task],
    submissions: Sequence[Submission],
    context: AgentContext,
    *,
    note: Callable[[int], None],
) -> list[Judged]:
    """Return what one structured call says of each submission, with nothing around it."""
    by_id = {task.id: task for task in tasks}

    async def judge(submission: Submission) -> list[Judged]:
        task = by_id[submission.task_id]
        passed = await _ask_naively(task, submission, context)
        note(1)
        return [Judged(submission=submission, task=task, passed=passed, basis="review")]

    return await _in_order(judge(submission) for submission in submissions)


async def measure_seconds(code: str, programming_language: str, *, times: int) -> list[float]:
    """Return how long facts and runs took, sorted, of `times` calls after a first one."""
    seconds: list[float] = []
    for _ in range(times + 1):
        started = time.perf_counter()
        await collect(code, programming_language, task_texts=[LONG_TASK])
        seconds.append(time.perf_counter() - started)
    return sorted(seconds[1:])


def make_long_file(lines: int = 300) -> str:
    """Return a plain Python file of about `lines` lines, for the time that it takes."""
    body = """def total_{n}(values):
    \"\"\"Return the sum of the values that are numbers.\"\"\"
    result = 0
    for value in values:
        if isinstance(value, int):
            result += value
    return result


"""
    return "".join(body.format(n=number) for number in range(lines // 9 + 1))


def percentile_95(seconds: Sequence[float]) -> float:
    """Return the 95th percentile."""
    return statistics.quantiles(seconds, n=20)[-1]


@dataclass(frozen=True, kw_only=True)
class _Gathered:
    """A submission with its evidence; `proposed` are the examples that its task has now."""

    task: Task
    submission: Submission
    state: AgentState
    proposed: Json | None
    seconds: float


async def _gather(
    task: Task, submission: Submission, context: AgentContext, *, proposed: Json | None
) -> _Gathered:
    state = _state(task, submission, proposed=proposed)
    started = time.perf_counter()
    subject, tokens = await gather(state, context)
    return _Gathered(
        task=task,
        submission=submission,
        state={**state, "subject": subject, "tokens": tokens},
        proposed=subject.get("proposed") or proposed,
        seconds=time.perf_counter() - started,
    )


async def _judge(one: _Gathered, context: AgentContext) -> Judged:
    subject = one.state["subject"]
    evidence = summary(subject["facts"])
    if evidence.decides:
        decision = decide_by_evidence(evidence, criteria=len(subject["criteria"]), why="-")
        draft = make_draft(one.state, decision, feedback=None, next_step=None)
    else:
        draft = await _review(one.state, context)
    return _judged(one.task, one.submission, subject["facts"], draft=draft, seconds=one.seconds)


async def _review(state: AgentState, context: AgentContext) -> Json:
    """Go through the job's two nodes as the graph does, with its one repair turn."""
    try:
        while True:
            state = {**state, **await VALIDATE_CODE.answer(state, context)}
            if state.get("complaint"):
                continue
            state = {**state, **await VALIDATE_CODE.check(state, context)}
            if not state.get("complaint"):
                return state["draft"]
    except ModelError:
        return {"passed": None, "issues": []}
    except NotRecorded:
        # The evidence in a review's question is this machine's: one without bubblewrap asks
        # otherwise. Counted as such, and the gate asks that there be none.
        return {"passed": None, "issues": [], "unrecorded": True}


def _judged(
    task: Task, submission: Submission, facts: Json, *, draft: Json, seconds: float
) -> Judged:
    shown = [issue for issue in draft["issues"] if issue["source"] == "model"]
    return Judged(
        submission=submission,
        task=task,
        passed=draft["passed"],
        basis="unrecorded" if draft.get("unrecorded") else _basis(facts),
        findings=len(shown),
        loose=sum(not _is_anchored(issue, submission.code) for issue in shown),
        refuted=sum(
            issue["kind"] == "essential" and summary(facts).all_runs_pass for issue in shown
        ),
        syntax=summary(facts).syntax_problems > 0,
        seconds=seconds,
    )


def _is_anchored(issue: Json, code: str) -> bool:
    anchor = locate(issue["quote"], code)
    return anchor is not None and (anchor.start_line, anchor.end_line) == (
        issue["start_line"],
        issue["end_line"],
    )


def _basis(facts: Json) -> Basis:
    evidence = summary(facts)
    if evidence.syntax_problems:
        return "syntax"
    if not evidence.decides:
        return "review"
    origins = {run["origin"] for run in facts["runs"] if run["status"] != "not_runnable"}
    return "proposed_runs" if origins == {FROM_MODEL} else "task_runs"


def _state(task: Task, submission: Submission, *, proposed: Json | None) -> AgentState:
    language: Any = task.language
    return AgentState(
        job="validate_code",
        request={
            "file_path": FILE_PATHS.get(task.programming_language, "solucion"),
            "programming_language": task.programming_language,
            "code": submission.code,
        },
        language=language,
        subject={
            "task": {
                "id": task.id,
                "title": task.title,
                "description": task.description,
                "proposed": proposed,
            },
            "criteria": list(task.criteria),
        },
        sources=[],
        complaint=None,
        repairs=0,
        tokens=Tokens(input=0, output=0, calls=0),
    )


async def _ask_naively(task: Task, submission: Submission, context: AgentContext) -> bool | None:
    messages = [
        SystemMessage(
            "You review code. Decide whether the submission solves the task completely and "
            "correctly. Answer with JSON only: reason in one sentence, then correct, true or false."
        ),
        HumanMessage(
            "Task: " + "\n".join(task.texts) + f"\n\nSubmission ({task.programming_language}):\n"
            f"{submission.code}"
        ),
    ]
    try:
        said = await ask(
            context.chat,
            messages,
            shape=NaiveVerdict,
            max_tokens=NAIVE_TOKENS,
            deadline=context.limits.call_seconds,
            temperature=0.0,
        )
    except ModelError:
        return None
    return said.value.correct


async def _in_order(jobs: Iterable[Awaitable[list[T]]]) -> list[T]:
    return [one for some in await asyncio.gather(*jobs) for one in some]
