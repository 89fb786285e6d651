"""A second look at a model's gravest claims, where nothing was run that could settle them.

Fails closed: what is not confirmed is not shown and fails nobody.
"""

from collections.abc import Sequence
from typing import Final

from agent.answers import Usage, ask
from agent.checks.verdict import Finding
from agent.context import AgentContext
from agent.disarm import disarm, disarm_quote
from agent.outputs import SecondLook
from agent.prompts import load_prompt
from agent.sources import new_fence
from tools.errors import ModelError

ANSWER_TOKENS: Final = 400
SOBER: Final = 0.0


async def confirm(
    findings: Sequence[Finding],
    context: AgentContext,
    *,
    task: str,
    code: str,
    programming_language: str,
) -> tuple[frozenset[Finding], Usage]:
    """Return which of `findings` hold, by one more model call about the first of them.

    One call at most: a submission needs one mistake to fail. A model that fails confirms nothing.
    """
    if not findings:
        return frozenset(), Usage(0, 0)
    [first, *_] = findings
    messages = load_prompt("verify_finding", "en").messages(
        fence=new_fence(),
        task=disarm(task),
        programming_language=programming_language,
        code=code,
        quote=disarm_quote(first.quote),
        problem=disarm(first.problem),
        trigger=disarm(first.trigger),
    )
    try:
        said = await ask(
            context.chat,
            messages,
            shape=SecondLook,
            max_tokens=ANSWER_TOKENS,
            deadline=context.limits.call_seconds,
            temperature=SOBER,
        )
    except ModelError:
        return frozenset(), Usage(0, 0)
    holds = said.value.is_mistake == "yes"
    return frozenset({first} if holds else ()), said.usage
