"""Code validation: facts and runs first, then the model's review, then a verdict by code.

Without a task the same way gives feedback: findings, and neither verdict nor score.
"""

from typing import Any, Final

from agent.checks.verdict import Decision, decide, missing_verdicts
from agent.context import AgentContext
from agent.evidence import collect, in_words, summary, verdict_in_words
from agent.job import SOBER, Job, ProvenanceFields, as_meta, ask_for, complain, provenance
from agent.outputs import Review
from agent.sources import NOTHING, new_fence, numbered, source_lines
from agent.state import AgentState, Json
from agent.words import say
from db.events import (
    AiFeedbackGenerated,
    AiValidationCompleted,
    CodeReviewed,
    CodeValidated,
    TaskCompleted,
    TaskFailed,
    TaskValidated,
)
from tools.context import ToolContext
from tools.indexing import CODE_SNAPSHOT, TASK, snapshot_text
from tools.schemas import SnapshotIn, SnapshotOut, TaskOut, Verdict
from tools.snapshots import record_snapshot
from tools.tasks import apply_validation, get_task

QUERY_CHARACTERS: Final = 400


async def load(tools: ToolContext, request: Json) -> Json:
    """Read the task and its acceptance criteria; those of the goal ask for more than one task."""
    if request.get("task_id") is None:
        return {"task": None, "criteria": []}
    task = await get_task(tools, request["task_id"])
    criteria = [str(text) for text in _list(task.metadata.get("acceptance_criteria"))]
    return {
        "task": {"id": task.id, "title": task.title, "description": task.description or ""},
        "criteria": criteria,
        "without_sources": [task.id],
    }


def query(request: Json, subject: Json) -> str:
    """Return what to search for: the task's text, else the start of the code."""
    task = subject["task"]
    if task is None:
        return snapshot_text(request["file_path"], request["code"])[:QUERY_CHARACTERS]
    return f"{task['title']}. {task['description']}"


async def answer(state: AgentState, context: AgentContext) -> AgentState:
    """Collect the evidence, then ask the model to explain it and to judge each criterion."""
    request, subject, language = state["request"], state["subject"], state["language"]
    task = subject["task"]
    criteria = subject["criteria"]
    if task and not criteria:
        criteria = [say(language, "whole_task")]
    facts = subject.get("facts")
    if facts is None:
        texts = [task["title"], task["description"], *criteria] if task else []
        facts = await collect(request["code"], request["programming_language"], task_texts=texts)

    change = await ask_for(
        Review,
        state,
        context,
        values={
            "fence": new_fence(),
            "task": f"{task['title']}. {task['description']}" if task else NOTHING,
            "criteria": numbered(criteria),
            "file_path": request["file_path"],
            "programming_language": request["programming_language"],
            "code": facts["prompt_code"],
            "evidence": in_words(facts, language),
            "verdict": verdict_in_words(facts, language),
            "sources": source_lines(state["sources"]),
        },
        scripted={
            "criteria": len(criteria),
            "failed": summary(facts).runs_failed,
            "language": language,
        },
        temperature=SOBER,
    )
    change["subject"] = {**subject, "facts": facts, "criteria": criteria}
    return change


async def check(state: AgentState, context: AgentContext) -> AgentState:
    """Decide by evidence; a review that leaves out a criterion is sent back once."""
    review = Review.model_validate(state["answer"])
    criteria = state["subject"]["criteria"]
    missing = missing_verdicts(review, len(criteria))
    if missing:
        numbers = ", ".join(str(number) for number in missing)
        return complain(state, context, f"criteria: {numbers} ?")

    facts = state["subject"]["facts"]
    evidence = summary(facts)
    decision = decide(review, evidence, criteria=len(criteria), code=facts["prompt_code"])
    return AgentState(complaint=None, draft=_draft(state, review, decision))


async def persist(tools: ToolContext, state: AgentState, context: AgentContext) -> Json:
    """Store the snapshot with its verdict, bring the task up to date, record what happened."""
    told = provenance(state, context)
    request, draft = state["request"], state["draft"]
    task = state["subject"]["task"]
    snapshot = await record_snapshot(
        tools,
        SnapshotIn(
            task_id=task["id"] if task else None,
            file_path=request["file_path"],
            language=request["programming_language"],
            code=request["code"],
        ),
        verdict=Verdict(
            passed=draft["passed"],
            score=draft["score"],
            feedback=draft["feedback"],
            issues=draft["issues"],
            meta={
                "lines_of_code": draft["lines"],
                "sha256": draft["sha256"],
                "criteria": draft["criteria"],
                "runs": draft["runs"],
                "ai": as_meta(told),
            },
        ),
    )
    updated = None
    if task:
        updated = await apply_validation(
            tools,
            task["id"],
            passed=draft["passed"],
            score=draft["score"],
            issues=draft["issues"],
            feedback=draft["feedback"],
            extra={"code_snapshot_id": snapshot.id, "criteria": draft["criteria"]},
        )
    _record(tools, snapshot, updated, draft=draft, told=told)
    return {
        "code_snapshot_id": snapshot.id,
        "task": updated.model_dump(mode="json") if updated else None,
        "document_version": request.get("document_version"),
        **draft,
    }


def _record(
    tools: ToolContext,
    snapshot: SnapshotOut,
    task: TaskOut | None,
    *,
    draft: Json,
    told: ProvenanceFields,
) -> None:
    if task is None:
        tools.record(
            CodeReviewed(
                code_snapshot_id=snapshot.id,
                task_id=None,
                language=snapshot.language,
                findings=len(draft["issues"]),
            )
        )
        tools.record(
            AiFeedbackGenerated(
                kind="review", subject_type=CODE_SNAPSHOT, subject_id=snapshot.id, **told
            )
        )
        return

    passed, score = draft["passed"], draft["score"]
    statuses = [run["status"] for run in draft["runs"]]
    tools.record(
        AiValidationCompleted(
            code_snapshot_id=snapshot.id,
            task_id=task.id,
            passed=passed,
            validation_score=score,
            runs_passed=statuses.count("pass"),
            runs_failed=sum(status in {"fail", "error", "timeout"} for status in statuses),
            findings=len(draft["issues"]),
            **told,
        )
    )
    tools.record(
        AiFeedbackGenerated(kind="validation", subject_type=TASK, subject_id=task.id, **told)
    )
    tools.record(
        CodeValidated(
            code_snapshot_id=snapshot.id,
            task_id=task.id,
            language=snapshot.language,
            passed=passed,
            validation_score=score,
        )
    )
    about = {"task_id": task.id, "title": task.title}
    tools.record(
        TaskValidated(code_snapshot_id=snapshot.id, passed=passed, validation_score=score, **about)
    )
    if passed:
        tools.record(TaskCompleted(validation_score=score, **about))
    elif passed is False:
        tools.record(TaskFailed(code_snapshot_id=snapshot.id, validation_score=score, **about))


def _draft(state: AgentState, review: Review, decision: Decision) -> Json:
    facts, language = state["subject"]["facts"], state["language"]
    syntax = [
        {
            "kind": "syntax",
            "severity": "high",
            "start_line": problem["start_line"],
            "end_line": problem["end_line"],
            "problem": problem["message"],
        }
        for problem in facts["syntax"]["problems"]
    ]
    verdict = {True: "verdict_passed", False: "verdict_failed", None: "verdict_open"}
    judged_as_task = state["subject"]["task"] is not None
    opening = [say(language, verdict[decision.passed])] if judged_as_task else []
    return {
        "passed": decision.passed if judged_as_task else None,
        "score": decision.score if judged_as_task else None,
        "issues": syntax + [vars(finding) for finding in decision.findings],
        "hidden_findings": decision.hidden,
        "criteria": [
            {
                "text": state["subject"]["criteria"][judged.number],
                "verdict": judged.state,
                "why": judged.why,
                "basis": judged.basis,
            }
            for judged in decision.criteria
        ],
        "runs": facts["runs"],
        "evidence": in_words(facts, language),
        "feedback": "\n\n".join([*opening, in_words(facts, language), review.feedback]),
        "next_step": review.next_step,
        "sha256": facts["sha256"],
        "lines": facts["lines"],
    }


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


VALIDATE_CODE: Final = Job(
    name="validate_code",
    entity_types=(CODE_SNAPSHOT, TASK),
    load=load,
    query=query,
    answer=answer,
    check=check,
    persist=persist,
)
