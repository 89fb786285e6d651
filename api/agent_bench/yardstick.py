"""How fast this machine is beside the one on which the goals in milliseconds were set.

Three things that no code of ours takes part in, in this very process, are timed in every round.
What they take here over what they took there (medians, November 2026, 2 cores) is the pace: a
request that takes 20 ms at a pace of 2 would have taken 10 ms there.
"""

import itertools
import statistics
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, TypedDict

from api.agent_bench.plan import MODEL
from db.engine import conninfo
from tools.http import make_http_clients

if TYPE_CHECKING:
    from openai import AsyncOpenAI

REFERENCE_MS: Final = {
    "yardstick.call": 1.0,
    "yardstick.graph": 0.6,
    "yardstick.saved": 4.6,
}
"""A call of the stub by openai's client; a graph of three nodes that do nothing, without a saver
and with LangGraph's own for PostgreSQL in its default durability. Milliseconds at the median."""
PACE: Final = "yardstick.pace"
REPEATS: Final = 40
WARM_UP: Final = 5


class _State(TypedDict, total=False):
    wish: str
    said: str


async def measure_yardstick(*, model_url: str, database_url: str) -> dict[str, float]:
    """Return the three figures in milliseconds, and the pace: the geometric mean of their ratios.

    `database_url` is of a database that the saver may make its tables in.
    """
    from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
    from openai import AsyncOpenAI

    clients = make_http_clients(timeout=60.0)
    try:
        async with AsyncPostgresSaver.from_conn_string(conninfo(database_url)) as saver:
            await saver.setup()
            openai = AsyncOpenAI(
                api_key="none", base_url=model_url, http_client=clients.asynchronous
            )
            bare, saved = _graph(None), _graph(saver)
            figures = {
                "yardstick.call": await _median(lambda: _call(openai)),
                "yardstick.graph": await _median(lambda: _run(bare)),
                "yardstick.saved": await _median(lambda: _run(saved)),
            }
    finally:
        await clients.aclose()
    return figures | {PACE: pace_of(figures)}


def pace_of(figures: dict[str, float]) -> float:
    """Return how many times as long as on the machine of the goals things take here."""
    return statistics.geometric_mean(figures[name] / ms for name, ms in REFERENCE_MS.items())


def _graph(saver: Any) -> Any:
    from langgraph.graph import END, START, StateGraph

    async def say(state: _State) -> _State:
        return _State(said=state["wish"])

    graph = StateGraph(_State)
    names = (START, "first", "second", "third", END)
    for name in names[1:-1]:
        graph.add_node(name, say)
    for one, other in itertools.pairwise(names):
        graph.add_edge(one, other)
    return graph.compile(checkpointer=saver)


async def _call(openai: "AsyncOpenAI") -> None:
    messages: Any = [{"role": "user", "content": "Suggest three goals"}]
    await openai.chat.completions.create(model=MODEL, messages=messages)


async def _run(graph: Any) -> None:
    await graph.ainvoke({"wish": "x" * 200}, {"configurable": {"thread_id": uuid.uuid4().hex}})


async def _median(act: Callable[[], Awaitable[None]]) -> float:
    for _ in range(WARM_UP):
        await act()
    taken = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        await act()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken) * 1e3
