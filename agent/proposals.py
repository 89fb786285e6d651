"""Examples for a task that has none: from the model's own solutions of the task's statement.

The model is shown the statement and nothing else, never a submission. Its solutions are run, in
Python where the task's language has no sandbox of its own, and what they agree on is an example.
That is weaker evidence than the task's own words, and it is labelled so wherever it is shown.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from typing import Final, TypeVar

from pydantic import BaseModel

from agent.answers import Answer, UnusableAnswer, Usage, ask
from agent.context import AgentContext
from agent.disarm import disarm
from agent.outputs import ProposedCalls, Solution
from agent.prompts import load_prompt
from agent.sources import new_fence
from agent.state import Json
from tools.analysis.probes.calls import read_calls
from tools.analysis.runs.consensus import agree, language_of_solutions
from tools.analysis.runs.sandbox import is_javascript
from tools.analysis.syntax import normalise_language
from tools.errors import ModelRefused, ModelTimeout, ModelTruncated

SOLUTIONS: Final = 5
MODEL_CALLS: Final = SOLUTIONS + 1
ANSWER_TOKENS: Final = 450
VARIED: Final = 0.7
SOBER: Final = 0.2
IN_ITS_LANGUAGE: Final = ("solve_task", "propose_calls")
IN_PYTHON: Final = ("solve_in_python", "propose_python_calls")
PROMPTS: Final = (*IN_ITS_LANGUAGE, *IN_PYTHON)
PROBES: Final = 3
"""Counts changes of how examples are made: older ones are made again."""

T = TypeVar("T", bound=BaseModel)


async def propose_examples(
    statement: str, programming_language: str, context: AgentContext
) -> tuple[Json, Usage]:
    """Return `examples` for `statement` and the model's own `calls`, and what its calls cost.

    Each example has `kind`, `expression`, `expected`, `votes`, `solutions` and `strength`; there is
    none where the solutions do not agree on anything. Raises the errors of `agent.answers.ask` for
    a model that cannot be reached.
    """
    nothing: Json = {"examples": [], "calls": []}
    solved_in = language_of_solutions(programming_language)
    if solved_in is None:
        return nothing, Usage(0, 0)
    own = normalise_language(programming_language) == solved_in
    solve, propose = IN_ITS_LANGUAGE if own else IN_PYTHON
    about = (statement, solved_in, context)
    solving = [_ask(Solution, solve, *about, sample=number) for number in range(1, SOLUTIONS + 1)]
    proposed, solved = await asyncio.gather(
        _ask(ProposedCalls, propose, *about), asyncio.gather(*solving)
    )
    usage = _total([each.usage for each in (*solved, proposed) if each is not None])
    if proposed is None:
        return nothing, usage
    agreed = await agree(
        [each.value.code for each in solved if each is not None],
        solved_in,
        calls=proposed.value.calls,
        statement=statement,
    )
    found = [
        {
            "kind": one.example.kind,
            "expression": one.example.expression,
            "expected": one.example.expected,
            "votes": one.votes,
            "solutions": one.solutions,
            "strength": one.strength,
        }
        for one in agreed
    ]
    calls = read_calls(proposed.value.calls, javascript=is_javascript(solved_in))
    return {"examples": found, "calls": list(calls)}, usage


def statement_hash(statement: str, programming_language: str) -> str:
    """Return what tells whether kept examples still belong to a task."""
    versions = "|".join(load_prompt(name, "en").version for name in PROMPTS)
    made = f"{PROBES}|{versions}|{programming_language}|{statement}"
    return hashlib.sha256(made.encode()).hexdigest()


async def _ask(
    shape: type[T],
    prompt: str,
    statement: str,
    programming_language: str,
    context: AgentContext,
    *,
    sample: int = 1,
) -> Answer[T] | None:
    """Return one answer; None where the model said something of no use: others may."""
    messages = load_prompt(prompt, "en").messages(
        fence=new_fence(), task=disarm(statement), programming_language=programming_language
    )
    try:
        return await ask(
            context.chat,
            messages,
            shape=shape,
            max_tokens=ANSWER_TOKENS,
            deadline=context.limits.call_seconds,
            temperature=VARIED if shape is Solution else SOBER,
            sample=sample,
        )
    except (UnusableAnswer, ModelTruncated, ModelRefused, ModelTimeout):
        return None


def _total(usages: Sequence[Usage]) -> Usage:
    return Usage(
        input_tokens=sum(each.input_tokens for each in usages),
        output_tokens=sum(each.output_tokens for each in usages),
    )
