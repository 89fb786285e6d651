"""The answer on a submission as JSON: what is stored with it, and what callers get."""

from collections.abc import Sequence

from agent.checks.progress import compare
from agent.checks.verdict import Decision, Finding
from agent.evidence import for_learner
from agent.links import unlink
from agent.state import AgentState, Json
from agent.words import say
from tools.analysis.fingerprints import fingerprint


def make_draft(
    state: AgentState, decision: Decision, *, feedback: str | None, next_step: str | None
) -> Json:
    """Return the answer on a submission as JSON, but for the ids of what is stored."""
    facts, language = state["subject"]["facts"], state["language"]
    verdict = {True: "verdict_passed", False: "verdict_failed", None: "verdict_open"}
    judged_as_task = state["subject"]["task"] is not None
    opening = [say(language, verdict[decision.passed])] if judged_as_task else []
    told = unlink(for_learner(facts, language))
    found = [*map(_fact_issue, facts["facts"]), *map(_finding_issue, decision.findings)]
    shown = _undismissed(found, state["subject"])
    return {
        "passed": decision.passed if judged_as_task else None,
        "score": decision.score if judged_as_task else None,
        "issues": shown,
        "hidden_findings": decision.hidden,
        "dismissed_findings": len(found) - len(shown),
        "progress": _progress(shown, state["subject"]),
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
        "metrics": facts["metrics"],
        "unavailable": facts["unavailable"],
        "evidence": told,
        "feedback": "\n\n".join([*opening, told, *([feedback] if feedback else [])]),
        "next_step": next_step,
        "sha256": facts["sha256"],
        "lines": facts["lines"],
    }


def _undismissed(issues: Sequence[Json], subject: Json) -> list[Json]:
    """Leave out what the learner has dismissed; nobody dismisses an error of syntax."""
    dismissed = frozenset(subject.get("dismissed", ()))
    return [
        issue
        for issue in issues
        if issue["kind"] == "syntax" or issue.get("fingerprint") not in dismissed
    ]


def _progress(issues: Sequence[Json], subject: Json) -> Json | None:
    """Return what has become of the task's previous submission; None where there is none."""
    previous, facts = subject.get("previous"), subject["facts"]
    if previous is None:
        return None
    compared = compare(
        _undismissed(previous["issues"], subject),
        issues,
        previous_runs=previous["runs"],
        current_runs=facts["runs"],
        code=facts["prompt_code"],
    )
    return {"code_snapshot_id": previous["code_snapshot_id"], **compared.as_json()}


def _fact_issue(fact: Json) -> Json:
    kind = "syntax" if fact["analyzer"] == "syntax" else "fact"
    return {
        "kind": kind,
        "source": fact["analyzer"],
        "rule": fact["rule"],
        "fingerprint": fact["fingerprint"],
        "severity": fact["severity"],
        "start_line": fact["start_line"],
        "end_line": fact["end_line"],
        "problem": fact["message"],
        "quote": fact["quote"],
        "trigger": None,
    }


def _finding_issue(finding: Finding) -> Json:
    rule = f"review/{finding.kind}"
    return {
        **vars(finding),
        "source": "model",
        "rule": rule,
        "fingerprint": fingerprint(rule, finding.quote),
    }
