"""What is found out about a submission before the model speaks: syntax, runs, secrets."""

import asyncio
import hashlib
from collections.abc import Sequence
from typing import Any, Final

from agent.checks.verdict import Evidence
from agent.disarm import disarm_tokens
from agent.state import Json
from agent.words import Language, say
from tools.analysis.examples import find_examples
from tools.analysis.sandbox import run_examples
from tools.analysis.secrets import redact, strip_invisible
from tools.analysis.syntax import check_syntax

PROMPT_CHARACTERS: Final = 12_000
FAILED: Final = frozenset({"fail", "error", "timeout"})


async def collect(code: str, language: str, *, task_texts: Sequence[str]) -> Json:
    """Return the facts on `code` as JSON: syntax, executed examples, and the code for the prompt.

    Examples come from `task_texts` alone. The code for the prompt has its secrets replaced, its
    invisible characters and chat tokens disarmed and its end cut where it is too long; line
    numbers stay.
    """
    syntax = await asyncio.to_thread(check_syntax, code, language)
    examples = find_examples(*task_texts)
    outcomes: list[Json] = []
    reason = None
    if examples and not syntax.problems:
        report = await run_examples(code, language, examples)
        reason = report.reason
        outcomes = [
            {
                "expression": outcome.example.expression,
                "status": outcome.status,
                "expected": outcome.expected,
                "got": outcome.got,
                "detail": outcome.detail,
            }
            for outcome in report.outcomes
        ]
    visible, invisible = strip_invisible(redact(code).text)
    visible = disarm_tokens(visible)
    shown = _whole_lines(visible)
    return {
        "sha256": hashlib.sha256(code.encode()).hexdigest(),
        "lines": len(code.splitlines()),
        "syntax": {
            "checked": syntax.checked,
            "reason": syntax.reason,
            "problems": [
                {"start_line": one.line, "end_line": one.end_line, "message": one.message}
                for one in syntax.problems
            ],
        },
        "runs": outcomes,
        "runs_reason": reason,
        "secrets": len(redact(code).found),
        "invisible": list(invisible),
        "prompt_code": shown,
        "prompt_cut": len(shown) < len(visible),
    }


def summary(facts: Json) -> Evidence:
    """Return the counts that the verdict rests on."""
    return Evidence(
        syntax_problems=len(facts["syntax"]["problems"]),
        runs_passed=sum(run["status"] == "pass" for run in facts["runs"]),
        runs_failed=sum(run["status"] in FAILED for run in facts["runs"]),
    )


def verdict_in_words(facts: Json, language: Language) -> str:
    """Return what the evidence has settled already, as the model is told."""
    counted = summary(facts)
    if counted.syntax_problems:
        return say(language, "told_syntax")
    if counted.runs_failed:
        return say(language, "told_failed")
    return say(language, "told_passed" if counted.runs_passed else "told_open")


def in_words(facts: Json, language: Language) -> str:
    """Return the facts as lines for the prompt and for the learner."""
    lines = [*_syntax_lines(facts["syntax"], language), *_run_lines(facts, language)]
    if facts["invisible"]:
        lines.append(say(language, "invisible", names=", ".join(facts["invisible"])))
    if facts["secrets"]:
        lines.append(say(language, "secrets", count=facts["secrets"]))
    if facts["prompt_cut"]:
        lines.append(say(language, "cut", lines=len(facts["prompt_code"].splitlines())))
    return "\n".join(lines)


def _syntax_lines(syntax: dict[str, Any], language: Language) -> list[str]:
    if not syntax["checked"]:
        return [say(language, "syntax_unchecked", reason=syntax["reason"])]
    if not syntax["problems"]:
        return [say(language, "syntax_ok")]
    return [
        say(language, "syntax_problem", line=one["start_line"], message=one["message"])
        for one in syntax["problems"][:3]
    ]


def _run_lines(facts: Json, language: Language) -> list[str]:
    counted = summary(facts)
    ran = counted.runs_passed + counted.runs_failed
    outcomes = [say(language, run["status"], **run) for run in facts["runs"]]
    if ran:
        return [say(language, "runs", passed=counted.runs_passed, ran=ran), *outcomes]
    reason = facts["runs_reason"] or say(language, "no_examples")
    return [say(language, "no_runs", reason=reason), *outcomes]


def _whole_lines(code: str) -> str:
    if len(code) <= PROMPT_CHARACTERS:
        return code
    kept = code[:PROMPT_CHARACTERS]
    end = kept.rfind("\n")
    return kept[:end] if end > 0 else kept
