"""Count and trace what the agent does, around the functions that do it."""

import asyncio
import functools
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Literal, ParamSpec, TypeVar

from agent import tracing
from agent.metrics import OK, count_call, count_run
from tools.errors import GoalsError

P = ParamSpec("P")
R = TypeVar("R")


def watch_calls(
    output: Literal["json", "text"],
) -> Callable[[Callable[P, Awaitable[R]]], Callable[P, Coroutine[Any, Any, R]]]:
    """Count and trace each call of a function `f(chat, messages, …)` that asks a chat model.

    What it returns has `usage`; an error may have it too.
    """

    def watch(call: Callable[P, Awaitable[R]]) -> Callable[P, Coroutine[Any, Any, R]]:
        @functools.wraps(call)
        async def watched(*args: P.args, **kwargs: P.kwargs) -> R:
            chat, messages = _chat_and_messages(args)
            asked: dict[str, Any] = kwargs
            temperature = asked.get("temperature") if chat.takes_temperature else None
            started, code, used = time.perf_counter(), "CANCELLED", None
            try:
                with tracing.chat(
                    chat.name,
                    messages,
                    output=output,
                    max_tokens=asked.get("max_tokens"),
                    temperature=temperature,
                ) as told:
                    try:
                        answer = await call(*args, **kwargs)
                    except GoalsError as error:
                        code, used = error.code, getattr(error, "usage", None)
                        raise
                    except Exception:
                        code = "INTERNAL"
                        raise
                    code, used = OK, getattr(answer, "usage", None)
                    if used is not None:
                        told.tell_usage(
                            input_tokens=used.input_tokens, output_tokens=used.output_tokens
                        )
                    told.tell_answer(_words(answer))
                    return answer
            finally:
                tokens = (0, 0) if used is None else (used.input_tokens, used.output_tokens)
                count_call(chat.name, code=code, started=started, tokens=tokens)

        return watched

    return watch


def watch_job(run: Callable[P, Awaitable[R]]) -> Callable[P, Coroutine[Any, Any, R]]:
    """Count and trace each call of a function `f(…, job=…)` that runs the graph for an answer."""

    @functools.wraps(run)
    async def watched(*args: P.args, **kwargs: P.kwargs) -> R:
        asked: dict[str, Any] = kwargs
        kind, state = str(asked["job"]), "failed"
        try:
            with tracing.invoke_agent(kind):
                answer = await run(*args, **kwargs)
            state = "waiting" if _is_proposal(answer) else "finished"
            return answer
        except asyncio.CancelledError:
            state = "cancelled"
            raise
        finally:
            count_run(kind, state)

    return watched


def _chat_and_messages(args: tuple[Any, ...]) -> tuple[Any, Any]:
    return args[0], args[1]


def _is_proposal(answer: Any) -> bool:
    return "interrupt_id" in getattr(answer, "result", ())


def _words(answer: Any) -> str:
    """Return what the model said, as text."""
    value = getattr(answer, "value", None)
    return str(answer.text) if value is None else str(value.model_dump_json())
