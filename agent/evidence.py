"""What is found out about a submission before the model speaks: facts, runs, secrets."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

from agent.checks.verdict import FAILED, Evidence, weigh
from agent.disarm import disarm_tokens
from agent.state import Json
from agent.words import Language, say
from tools.analysis.examples.finder import Example, find_examples
from tools.analysis.examples.unchanged import unchanged_examples
from tools.analysis.facts.analyzers import Facts, find_facts
from tools.analysis.facts.secrets import Redacted, redact
from tools.analysis.facts.unicode import strip_invisible
from tools.analysis.fingerprints import fingerprint
from tools.analysis.runs.sandbox import Outcome, is_javascript, run_examples
from tools.analysis.syntax import split_lines

PROMPT_CHARACTERS: Final = 12_000
TOLD_RUNS: Final = 8
FROM_TASK: Final = "task"
FROM_MODEL: Final = "proposed"
_REFUSAL: Final = re.compile(r"(?:ValueError|RangeError|AssertionError)\b|TypeError: .*\bargument")


async def collect(code: str, language: str, *, task_texts: Sequence[str]) -> Json:
    """Return the evidence on `code` as JSON: facts, executed examples, the code for the prompt.

    Examples come from `task_texts` alone. The code for the prompt has its secrets replaced, its
    invisible characters and chat tokens disarmed and its end cut where it is too long; line
    numbers stay. What its runs print has lost its secrets too.
    """
    examples = await asyncio.to_thread(_examples_of, task_texts, language)
    redacted = await asyncio.to_thread(redact, code)
    found, (runs, reason) = await asyncio.gather(
        find_facts(code, language),
        _run(code, language, examples, origin=FROM_TASK, redacted=redacted),
    )
    visible, invisible = strip_invisible(redacted.text)
    visible = disarm_tokens(visible)
    shown = _whole_lines(visible)
    return {
        "lines": len(code.splitlines()),
        "syntax": {"checked": found.syntax.checked, "reason": found.syntax.reason},
        "facts": _as_json(found, split_lines(redacted.text)),
        "metrics": None if found.metrics is None else asdict(found.metrics),
        "unavailable": [asdict(one) for one in found.unavailable],
        "runs": [] if _broken(found) else runs,
        "runs_reason": None if _broken(found) else reason,
        "secrets": len(redacted.found),
        "invisible": list(invisible),
        "prompt_code": shown,
        "prompt_cut": len(shown) < len(visible),
    }


async def run_proposed(
    facts: Json,
    code: str,
    language: str,
    *,
    proposed: Sequence[Json],
    calls: Sequence[str],
    task_texts: Sequence[str],
) -> Json:
    """Return the evidence with the runs of examples that a model's own solutions agreed on.

    Where `task_texts` want the arguments left alone, these calls and the model's other `calls` are
    watched for that too; one that ends with an error was perhaps not meant so.
    """
    examples = [
        Example(one["kind"], one["expression"], one["expected"], None, FROM_MODEL)
        for one in proposed
    ]
    redacted = await asyncio.to_thread(redact, code)
    runs, reason = await _run(code, language, examples, origin=FROM_MODEL, redacted=redacted)
    for run, one in zip(runs, proposed, strict=True):
        run |= {key: one[key] for key in ("strength", "votes", "solutions")}
        if _is_refusal(run):
            run["strength"] = "weak"
    called = [*examples, *(Example("call", call, None, None, FROM_MODEL) for call in calls)]
    watching = unchanged_examples(task_texts, called, javascript=is_javascript(language))
    watched, _ = await _run(code, language, watching, origin=FROM_TASK, redacted=redacted)
    for run in watched:
        run["strength"] = "weak" if run["status"] in {"error", "timeout"} else run["strength"]
    return {**facts, "runs": [*facts["runs"], *runs, *watched], "runs_reason": reason}


def summary(facts: Json) -> Evidence:
    """Return the counts that the verdict rests on; weak runs do not count."""
    broken = sum(fact["analyzer"] == "syntax" for fact in facts["facts"])
    return weigh(facts["runs"], syntax_problems=broken)


def gives_orders(facts: Json) -> bool:
    """Tell whether the code speaks to whoever judges it: it claims results, or gives orders."""
    return any(fact["analyzer"] == "claims" for fact in facts["facts"])


def has_run(facts: Json) -> bool:
    """Tell whether any example said something about the code."""
    return any(run["status"] != "not_runnable" for run in facts["runs"])


def verdict_in_words(facts: Json, language: Language) -> str:
    """Return what the evidence has settled already, as the model is told."""
    counted = summary(facts)
    if counted.syntax_problems:
        return say(language, "told_syntax")
    if counted.runs_failed:
        return say(language, "told_failed")
    return say(language, "told_passed" if counted.runs_passed else "told_open")


def for_learner(facts: Json, language: Language) -> str:
    """Return the evidence as lines for the learner, with what gave no answer this time."""
    if not facts["unavailable"]:
        return for_prompt(facts, language)
    missing = ", ".join(f"{one['analyzer']} ({one['reason']})" for one in facts["unavailable"])
    return f"{for_prompt(facts, language)}\n{say(language, 'unavailable', names=missing)}"


def for_prompt(facts: Json, language: Language) -> str:
    """Return the evidence as lines for the model, what failed first.

    Not what was late or missing: that says nothing about the code, and a busy machine would ask the
    same question in other words.
    """
    lines = [*_fact_lines(facts, language), *_run_lines(facts, language)]
    if facts["invisible"]:
        lines.append(say(language, "invisible", names=", ".join(facts["invisible"])))
    if facts["secrets"]:
        lines.append(say(language, "secrets", count=facts["secrets"]))
    if facts["prompt_cut"]:
        lines.append(say(language, "cut", lines=len(facts["prompt_code"].splitlines())))
    return "\n".join(lines)


def _examples_of(task_texts: Sequence[str], language: str) -> list[Example]:
    found = find_examples(*task_texts, language=language)
    return [*found, *unchanged_examples(task_texts, found, javascript=is_javascript(language))]


async def _run(
    code: str, language: str, examples: Sequence[Example], *, origin: str, redacted: Redacted
) -> tuple[list[Json], str | None]:
    if not examples:
        return [], None
    report = await run_examples(code, language, examples)
    return [_run_as_json(outcome, origin, redacted) for outcome in report.outcomes], report.reason


def _run_as_json(outcome: Outcome, origin: str, redacted: Redacted) -> Json:
    got, detail = outcome.got, outcome.detail
    return {
        "expression": outcome.example.expression,
        "status": outcome.status,
        "expected": outcome.expected,
        "got": None if got is None else redacted.hide_in(got),
        "detail": None if detail is None else redacted.hide_in(detail),
        "runner": outcome.runner,
        "origin": origin,
        "strength": "strong",
    }


def _is_refusal(run: Json) -> bool:
    """Tell whether the program refused an input: nobody has said that it must take it."""
    return run["status"] == "error" and _REFUSAL.match(run["detail"] or "") is not None


def _broken(found: Facts) -> bool:
    return bool(found.syntax.problems)


def _as_json(found: Facts, lines: Sequence[str]) -> list[Json]:
    """Return the facts with the lines that they are about, secrets replaced."""
    listed = []
    for fact in found.facts:
        quote = "\n".join(lines[fact.line - 1 : fact.end_line])[:300]
        listed.append(
            {
                "analyzer": fact.analyzer,
                "rule": fact.rule,
                "start_line": fact.line,
                "end_line": fact.end_line,
                "message": fact.message,
                "severity": fact.severity,
                "quote": quote,
                "fingerprint": fingerprint(fact.rule, quote),
            }
        )
    return listed


def _fact_lines(facts: Json, language: Language) -> list[str]:
    broken = [fact for fact in facts["facts"] if fact["analyzer"] == "syntax"]
    if not facts["syntax"]["checked"]:
        first = [say(language, "syntax_unchecked", reason=facts["syntax"]["reason"])]
    elif not broken:
        first = [say(language, "syntax_ok")]
    else:
        first = [
            say(language, "syntax_problem", line=one["start_line"], message=one["message"])
            for one in broken[:3]
        ]
    linted = [fact for fact in facts["facts"] if fact["analyzer"] in {"ruff", "oxlint", "claims"}]
    return first + [
        say(language, "fact", line=one["start_line"], message=one["message"]) for one in linted[:4]
    ]


def _run_lines(facts: Json, language: Language) -> list[str]:
    counted = summary(facts)
    ran = counted.runs_passed + counted.runs_failed
    if not has_run(facts):
        reason = facts["runs_reason"] or say(language, "no_examples")
        return [say(language, "no_runs", reason=reason)]
    first = [say(language, "runs", passed=counted.runs_passed, ran=ran)]
    if any(run["origin"] == FROM_MODEL for run in facts["runs"]):
        first.append(say(language, "runs_proposed"))
    told = sorted(facts["runs"], key=lambda run: run["status"] not in FAILED)
    return first + [_told(run, language) for run in told[:TOLD_RUNS]]


def _told(run: dict[str, Any], language: Language) -> str:
    line = say(language, run["status"], **run)
    return line if run["strength"] == "strong" else f"{line} {say(language, 'weak')}"


def _whole_lines(code: str) -> str:
    if len(code) <= PROMPT_CHARACTERS:
        return code
    kept = code[:PROMPT_CHARACTERS]
    end = kept.rfind("\n")
    return kept[:end] if end > 0 else kept
