"""Code validation: facts and runs first, then the model's review, then a verdict by code.

Without a task the same way gives feedback: findings, and neither verdict nor score.
"""

from dataclasses import replace
from typing import Any, Final

from agent.checks.leak import without_leak
from agent.checks.verdict import Decision, decide, missing_verdicts, to_verify, weigh
from agent.context import AgentContext
from agent.drafts import make_draft
from agent.evidence import for_prompt, gives_orders, summary, verdict_in_words
from agent.job import SOBER, Job, ProvenanceFields, added, as_meta, ask_for, complain, provenance
from agent.outputs import Review
from agent.proposals import MODEL_CALLS, propose_examples, statement_hash
from agent.sources import new_fence, numbered, source_lines
from agent.state import AgentState, Json
from agent.submissions import task_text, with_evidence, with_proposed
from agent.verification import confirm
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
from db.verdicts import Before
from tools.context import ToolContext
from tools.indexing import CODE_SNAPSHOT, TASK, snapshot_text
from tools.schemas import SnapshotIn, SnapshotOut, TaskOut, Verdict
from tools.snapshots import keep_snapshot
from tools.verdicts import apply_validation, hold_for_verdict, read_before

QUERY_CHARACTERS: Final = 400
DEFAULT_HINT: Final = "concept"
ANALOGUE: Final = "analogue"


async def load(tools: ToolContext, request: Json) -> Json:
    """Read what `load_subject` does; there must be room for the snapshot, before a model is asked.

    Raises NotFound, LimitReached.
    """
    return _subject(await read_before(tools, request.get("task_id"), room_for=1))


async def load_subject(tools: ToolContext, request: Json) -> Json:
    """Read the task and its acceptance criteria; those of the goal ask for more than one task.

    Raises NotFound.
    """
    return _subject(await read_before(tools, request.get("task_id")))


def _subject(before: Before) -> Json:
    task, latest = before.task, before.latest
    subject: Json = {
        "task": None,
        "criteria": [],
        "previous": None,
        "dismissed": sorted(before.dismissed),
    }
    if task is None:
        return subject
    meta = task.meta or {}
    subject |= {
        "task": {
            "id": task.id,
            "title": task.title,
            "description": task.description or "",
            "proposed": meta.get("proposed_examples"),
        },
        "criteria": [str(text) for text in _list(meta.get("acceptance_criteria"))],
        "without_sources": [task.id],
    }
    if latest is not None:
        subject["previous"] = {
            "code_snapshot_id": latest.id,
            "issues": latest.issues or [],
            "runs": (latest.meta or {}).get("runs", []),
        }
    return subject


def query(request: Json, subject: Json) -> str:
    """Return what to search for: the task's text, else the start of the code."""
    task = subject["task"]
    if task is None:
        return snapshot_text(request["file_path"], request["code"])[:QUERY_CHARACTERS]
    return f"{task['title']}. {task['description']}"


async def collect(state: AgentState) -> Json:
    """Return the subject with its evidence and its criteria."""
    return await with_evidence(state["request"], state["subject"], state["language"])


async def answer(state: AgentState, context: AgentContext) -> AgentState:
    """Ask the model to explain the evidence and to judge each criterion."""
    state = await complete(state, context)
    request, subject, language = state["request"], state["subject"], state["language"]
    facts, criteria = subject["facts"], subject["criteria"]

    change = await ask_for(
        Review,
        state,
        context,
        values={
            "fence": new_fence(),
            "task": task_text(subject["task"]),
            "criteria": numbered(criteria),
            "file_path": request["file_path"],
            "programming_language": request["programming_language"],
            "code": facts["prompt_code"],
            "evidence": for_prompt(facts, language),
            "verdict": verdict_in_words(facts, language),
            "sources": source_lines(state["sources"]),
            "hint": say(language, f"hint_{request.get('hint') or DEFAULT_HINT}"),
        },
        scripted={
            "criteria": len(criteria),
            "failed": summary(facts).runs_failed,
            "language": language,
        },
        temperature=SOBER,
    )
    change["subject"] = subject
    return change


async def complete(state: AgentState, context: AgentContext) -> AgentState:
    """Return the state with runs of proposed examples, where its task has none that can be run.

    The model's own solutions of the statement make them, once for each statement.
    """
    request, subject = state["request"], state["subject"]
    statement, language = subject["open_statement"], request["programming_language"]
    if statement is None:
        return state
    found, usage = await propose_examples(statement, language, context)
    proposed = {
        "statement": statement_hash(statement, language),
        "model": context.chat.name,
        **found,
    }
    subject = await with_proposed(request, subject, proposed)
    context.meter.add(usage, calls=MODEL_CALLS)
    return {
        **state,
        "subject": subject | {"proposed": proposed, "open_statement": None},
        "tokens": added(state["tokens"], usage, calls=MODEL_CALLS),
    }


async def check(state: AgentState, context: AgentContext) -> AgentState:
    """Decide by evidence; a review that leaves out a criterion is sent back once."""
    review = Review.model_validate(state["answer"])
    subject = state["subject"]
    criteria, facts = subject["criteria"], subject["facts"]
    missing = missing_verdicts(review, len(criteria))
    if missing:
        numbers = ", ".join(str(number) for number in missing)
        return complain(state, context, f"criteria: {numbers} ?")

    evidence, code = summary(facts), facts["prompt_code"]
    doubtful = to_verify(review, evidence, code=code)
    confirmed, usage = await confirm(
        doubtful,
        context,
        task=task_text(subject["task"]),
        code=code,
        programming_language=state["request"]["programming_language"],
    )
    context.meter.add(usage, calls=1 if doubtful else 0)
    decision = decide(
        review,
        evidence,
        criteria=len(criteria),
        code=code,
        confirmed=confirmed,
        gives_orders=gives_orders(facts),
    )
    feedback, next_step = _without_solution(review, state)
    decision = _told_without_solution(decision, state)
    draft = make_draft(state, decision, feedback=feedback, next_step=next_step)
    return AgentState(
        complaint=None,
        draft=draft,
        tokens=added(state["tokens"], usage, calls=1 if doubtful else 0),
    )


def _without_solution(review: Review, state: AgentState) -> tuple[str, str]:
    """Return the review's feedback and next step without code that solves the task.

    A worked analogue is code of another problem: there only what bears a name of the learner's own
    function is taken out.
    """
    is_analogue = state["request"].get("hint") == ANALOGUE
    return (
        _cut(review.feedback, state, is_analogue=is_analogue),
        _cut(review.next_step, state),
    )


def _told_without_solution(decision: Decision, state: AgentState) -> Decision:
    """Return the decision with remarks that do not hold the solution either."""
    findings = tuple(
        replace(one, problem=_cut(one.problem, state), trigger=_cut(one.trigger, state))
        for one in decision.findings
    )
    criteria = tuple(replace(one, why=_cut(one.why, state)) for one in decision.criteria)
    return replace(decision, findings=findings, criteria=criteria)


def _cut(words: str, state: AgentState, *, is_analogue: bool = False) -> str:
    code, language = state["subject"]["facts"]["prompt_code"], state["language"]
    return without_leak(words, code=code, language=language, is_analogue=is_analogue)[0]


async def persist(tools: ToolContext, state: AgentState, context: AgentContext) -> Json:
    """Store the snapshot with its verdict, bring the task up to date, record what happened."""
    told = provenance(state, context)
    request, draft = state["request"], state["draft"]
    task = state["subject"]["task"]
    held = await hold_for_verdict(tools, task["id"]) if task else None
    snapshot = await keep_snapshot(
        tools,
        SnapshotIn(
            task_id=task["id"] if task else None,
            file_path=request["file_path"],
            language=request["programming_language"],
            code=request["code"],
            code_base64=request.get("code_base64"),
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
                "metrics": draft["metrics"],
                "ai": as_meta(told),
            },
        ),
        task_title=held.task.title if held else None,
    )
    updated = None
    if held is not None:
        updated = await apply_validation(
            tools,
            held,
            passed=draft["passed"],
            score=draft["score"],
            issues=draft["issues"],
            feedback=draft["feedback"],
            extra={"code_snapshot_id": snapshot.id, "criteria": draft["criteria"]},
            meta=_kept(state["subject"]),
        )
    _record(tools, snapshot, updated, draft=draft, told=told)
    return {
        "code_snapshot_id": snapshot.id,
        "task": updated.model_dump(mode="json") if updated else None,
        "document_version": request.get("document_version"),
        **draft,
    }


def _kept(subject: Json) -> Json:
    proposed = subject.get("proposed")
    return {} if proposed is None else {"proposed_examples": proposed}


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
    weighed = weigh(draft["runs"])
    tools.record(
        AiValidationCompleted(
            code_snapshot_id=snapshot.id,
            task_id=task.id,
            passed=passed,
            validation_score=score,
            runs_passed=weighed.runs_passed,
            runs_failed=weighed.runs_failed,
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


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


VALIDATE_CODE: Final = Job(
    name="validate_code",
    entity_types=(CODE_SNAPSHOT, TASK),
    load=load,
    query=query,
    collect=collect,
    answer=answer,
    check=check,
    persist=persist,
)
