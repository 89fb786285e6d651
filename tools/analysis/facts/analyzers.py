"""Find out what can be known about code without running it: all analyzers, side by side."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from tools.analysis.facts.claims import find_claims
from tools.analysis.facts.fact import Fact, Metrics, Severity, Unavailable, Unusable, in_order
from tools.analysis.facts.lint import SCRIPT_LANGUAGES, ScriptReport, run_oxlint, run_ruff
from tools.analysis.facts.metrics import LANGUAGES as MEASURED_LANGUAGES
from tools.analysis.facts.metrics import measure
from tools.analysis.facts.secrets import find_secrets
from tools.analysis.facts.unicode import find_unicode
from tools.analysis.syntax import (
    MAX_CHARACTERS,
    SyntaxReport,
    check_syntax,
    normalise_language,
)

__all__ = ["Fact", "Facts", "Metrics", "Severity", "Unavailable", "find_facts"]

SECONDS: Final = 1.0
_TOO_LONG: Final = f"longer than {MAX_CHARACTERS} characters"

Answer = TypeVar("Answer")


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the analyzers found, which of them gave no answer, and how long it took in seconds."""

    language: str
    syntax: SyntaxReport
    facts: tuple[Fact, ...]
    metrics: Metrics | None
    unavailable: tuple[Unavailable, ...]
    seconds: float


_budgets: list[float] = [SECONDS]


@contextmanager
def patience(seconds: float) -> Iterator[None]:
    """Let analyzers take so long within the block: a busy machine then says what others do."""
    _budgets.append(seconds)
    try:
        yield
    finally:
        _budgets.remove(seconds)


async def find_facts(code: str, language: str, *, seconds: float | None = None) -> Facts:
    """Run every analyzer that applies to `language` at the same time; never raises.

    `seconds` is the budget of all together, a second by default. One that fails or takes longer is
    named in `unavailable`, and the others answer all the same. The code is not executed.
    """
    started = time.monotonic()
    seconds = _budgets[-1] if seconds is None else seconds
    name = normalise_language(language) or language.strip()[:40]
    missing: dict[str, str] = {}

    async def attempt(analyzer: str, answer: Awaitable[Answer]) -> Answer | None:
        try:
            async with asyncio.timeout(seconds):
                return await answer
        except TimeoutError:
            missing[analyzer] = f"took longer than {seconds:g} s"
        except Unusable as error:
            missing[analyzer] = str(error)
        except Exception as error:
            missing[analyzer] = f"failed with {type(error).__name__}"
        return None

    async with asyncio.TaskGroup() as group:
        lists = [
            group.create_task(attempt("ruff", _lint_python(code, name, seconds=seconds))),
            group.create_task(attempt("secrets", _read(find_secrets, code))),
            group.create_task(attempt("unicode", _read(find_unicode, code, language))),
            group.create_task(attempt("claims", _read(find_claims, code, language))),
        ]
        scripting = group.create_task(attempt("oxlint", _lint_script(code, name, seconds=seconds)))
        parsing = group.create_task(attempt("syntax", _read(check_syntax, code, language)))
        measuring = group.create_task(attempt("lizard", _measure(code, name, seconds=seconds)))

    found = [fact for task in lists for fact in task.result() or ()]
    syntax = parsing.result() or SyntaxReport(name, False, missing.get("syntax"), ())
    script = scripting.result()
    if script is not None:
        syntax = _settle(syntax, script)
        found += script.facts
        if script.parse_errors:
            missing["oxlint"] = "the code does not parse"
    if not syntax.checked:
        missing["syntax"] = syntax.reason or "not checked"
    return Facts(
        language=name,
        syntax=syntax,
        facts=_syntax_facts(syntax) + in_order(found),
        metrics=measuring.result(),
        unavailable=tuple(
            Unavailable(analyzer=analyzer, reason=reason)
            for analyzer, reason in sorted(missing.items())
        ),
        seconds=time.monotonic() - started,
    )


async def _read(analyze: Callable[..., Answer], code: str, *language: str) -> Answer:
    """Analyze in a thread. It cannot be killed, and ends by its own bounds if it is left behind."""
    if len(code) > MAX_CHARACTERS:
        raise Unusable(_TOO_LONG)
    return await asyncio.to_thread(analyze, code, *language)


async def _measure(code: str, name: str, *, seconds: float) -> Metrics | None:
    if name not in MEASURED_LANGUAGES:
        return None
    if len(code) > MAX_CHARACTERS:
        raise Unusable(_TOO_LONG)
    return await measure(code, name, seconds=seconds)


async def _lint_python(code: str, name: str, *, seconds: float) -> tuple[Fact, ...]:
    if name != "python":
        return ()
    if len(code) > MAX_CHARACTERS:
        raise Unusable(_TOO_LONG)
    return await run_ruff(code, seconds=seconds)


async def _lint_script(code: str, name: str, *, seconds: float) -> ScriptReport | None:
    if name not in SCRIPT_LANGUAGES:
        return None
    if len(code) > MAX_CHARACTERS:
        raise Unusable(_TOO_LONG)
    report = await run_oxlint(code, name, seconds=seconds)
    if name == "typescript" and report.parse_errors:
        with_elements = await run_oxlint(code, "tsx", seconds=seconds)
        return report if with_elements.parse_errors else with_elements
    return report


def _settle(syntax: SyntaxReport, script: ScriptReport) -> SyntaxReport:
    """Let oxlint's parser decide: unlike a grammar for editors, it knows the whole language."""
    return replace(syntax, checked=True, reason=None, problems=script.parse_errors)


def _syntax_facts(syntax: SyntaxReport) -> tuple[Fact, ...]:
    return tuple(
        Fact(
            analyzer="syntax",
            rule="syntax",
            line=problem.line,
            end_line=problem.end_line,
            message=problem.message,
            severity="high",
        )
        for problem in syntax.problems
    )
