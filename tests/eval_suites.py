"""A small suite of evals for tests: its task says what it is told to say."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from agent.talk import talk
from evals.harness import run_suite
from evals.results import Results
from evals.suite import WAYS, Case, Exchange, Json, Metric, Model, Outcome, Suite, Task, Way, always
from tools.embedders import SCRIPTED_MODEL, Embedder
from tools.embedding_models import ScriptedEmbeddings
from tools.errors import ModelError

Answer = Callable[[Way, Case], float | Exception]

TWENTY = tuple(
    Case(
        id=f"case-{number:02}",
        language="es" if number % 2 else "en",
        slices=("long",) if number % 5 == 0 else ("short",),
        hard=number < 3,
        inputs={"number": number},
        expected={"right": True},
    )
    for number in range(20)
)
RIGHT = Metric(
    name="right", question="Is it right?", score=lambda _case, outcome: outcome.data["score"]
)
SHARE = Metric(
    name="share",
    question="How much of it is right?",
    score=lambda _case, outcome: outcome.data["score"],
    tolerance=0.1,
    passes=always,
)


def well(way: Way, case: Case) -> float | Exception:
    """Answer all cases but the last ones, and half of them in the naive way."""
    return float(case.inputs["number"] < (18 if way == "product" else 9))


def instead(answers: Mapping[str, float | Exception]) -> Answer:
    """Return `well` with other answers of the product to some cases."""

    def answer(way: Way, case: Case) -> float | Exception:
        return answers.get(case.id, well(way, case)) if way == "product" else well(way, case)

    return answer


def make_suite(answer: Answer = well, **changes: Any) -> Suite:
    """Return the suite with that answer to each case."""

    @asynccontextmanager
    async def opened(way: Way, _model: Model) -> AsyncIterator[Task]:
        async def task(case: Case) -> Outcome:
            await asyncio.sleep(0)
            said = answer(way, case)
            if isinstance(said, Exception):
                raise said
            exchange = Exchange(prompt=f"Case {case.id}?", answer=f"It is {said:g}.")
            return Outcome(data={"score": said}, exchanges=(exchange,), tokens=10, calls=1)

        yield task

    suite = Suite(
        name="toy",
        title="Toy: is it right?",
        load=lambda: TWENTY,
        metrics=(RIGHT, SHARE),
        fixtures=Path("nowhere"),
        open=opened,
    )
    return replace(suite, **changes)


@asynccontextmanager
async def talking(way: Way, model: Model) -> AsyncIterator[Task]:
    """Open a suite that asks its model, and is content with a model that does not answer."""

    async def task(case: Case) -> Outcome:
        pieces: list[str] = []
        question = {"role": "user", "content": f"{case.id}, {way}?"}
        try:
            spoken = await talk(
                model.chat, [question], tools=[], max_tokens=9, deadline=9.0, on_text=pieces.append
            )
        except ModelError:
            return Outcome(data={"score": 1.0})
        return Outcome(data={"score": float(bool(spoken.text))})

    yield task


async def echo(request: Json) -> Json:
    """Answer as a model that repeats what it is asked."""
    said = request["messages"][-1]["content"]
    return {
        "text": said,
        "tool_calls": [],
        "finish_reason": "stop",
        "input_tokens": 3,
        "output_tokens": 2,
    }


def make_toy_model() -> Model:
    """Return a model that nobody asks."""
    chat: Any = None
    return Model(chat, Embedder(SCRIPTED_MODEL, ScriptedEmbeddings()), None, "toy-1")


def results_of(suite: Suite, model: Model | None = None) -> Results:
    """Return what the suite finds in both ways."""
    found = asyncio.run(
        run_suite(suite, model or make_toy_model(), ways=WAYS, note=lambda way: None)
    )
    return Results(suites=(found.result,), times=found.times)
