"""The least that does the like: three nodes, LangGraph's own saver, FastAPI, and nothing else.

No sign-in, no rows, no search, no events; the same model, asked for the same shape in the same lean
way, and its answer is validated. LangGraph's default durability (`async`: a checkpoint after each
step, written while the next one runs), the connection that its documentation opens, uvicorn's own
choice of event loop, one worker, no log of requests.
"""

import contextlib
import os
import uuid
from collections.abc import AsyncIterator
from typing import Any, Final, TypedDict

import uvicorn
from fastapi import FastAPI
from langchain_core.messages import HumanMessage, SystemMessage
from langchain_openai import ChatOpenAI
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.graph import END, START, StateGraph
from pydantic import BaseModel, SecretStr

from agent.models import response_format, without_titles
from agent.outputs import SuggestedGoals
from api.agent_bench.children import end_with_parent
from api.agent_bench.plan import MODEL
from db.engine import conninfo
from tools.http import make_http_clients

MAX_TOKENS: Final = 1_500


class Wish(BaseModel):
    """What is asked."""

    wish: str


class State(TypedDict, total=False):
    """What goes from node to node."""

    wish: str
    prompt: str
    answer: str
    goals: dict[str, Any]


def build_peer_graph(chat: ChatOpenAI, saver: AsyncPostgresSaver) -> Any:
    """Return the graph: prepare → ask → read."""
    schema = without_titles(SuggestedGoals.model_json_schema())
    bound = chat.bind(
        max_tokens=MAX_TOKENS, extra_body=response_format(SuggestedGoals.__name__, schema)
    )

    async def prepare(state: State) -> State:
        return State(prompt=f"Suggest three goals for this wish: {state['wish']}")

    async def ask(state: State) -> State:
        said: Any = await bound.ainvoke(
            [SystemMessage("You suggest goals."), HumanMessage(state["prompt"])]
        )
        return State(answer=said.text)

    async def read(state: State) -> State:
        return State(goals=SuggestedGoals.model_validate_json(state["answer"]).model_dump())

    graph = StateGraph(State)
    graph.add_node("prepare", prepare)
    graph.add_node("ask", ask)
    graph.add_node("read", read)
    for one, other in ((START, "prepare"), ("prepare", "ask"), ("ask", "read"), ("read", END)):
        graph.add_edge(one, other)
    return graph.compile(checkpointer=saver)


def create_peer(database_url: str, model_url: str) -> FastAPI:
    """Return the application; its lifespan opens what it needs."""

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        clients = make_http_clients(timeout=60.0)
        async with AsyncPostgresSaver.from_conn_string(conninfo(database_url)) as saver:
            await saver.setup()
            chat = ChatOpenAI(
                model=MODEL,
                api_key=SecretStr("none"),
                base_url=model_url,
                http_client=clients.sync,
                http_async_client=clients.asynchronous,
            )
            app.state.graph = build_peer_graph(chat, saver)
            yield
        await clients.aclose()

    app = FastAPI(lifespan=lifespan)

    @app.post("/suggest")
    async def suggest(body: Wish) -> dict[str, Any]:
        config = {"configurable": {"thread_id": uuid.uuid4().hex}}
        done = await app.state.graph.ainvoke({"wish": body.wish}, config)
        goals: dict[str, Any] = done["goals"]
        return goals

    return app


def main() -> None:
    """Serve until SIGTERM; where it listens is in uvicorn's log."""
    end_with_parent()
    app = create_peer(os.environ["DATABASE_URL"], os.environ["OPENAI_BASE_URL"])
    uvicorn.run(app, host="127.0.0.1", port=0, access_log=False)


if __name__ == "__main__":
    main()
