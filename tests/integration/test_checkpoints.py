"""Checkpoints are kept in one statement of ours, and read by LangGraph as if they were its own."""

from typing import Any

from langgraph.checkpoint.base import empty_checkpoint
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver

from agent.run import LAST_WRITE, NEW_RUN
from api.checkpoints import open_checkpoints
from db.engine import conninfo

VALUES: dict[str, Any] = {
    "said": ["hola", {"¿qué?": "\U0001f600"}],
    "rounds": 2,
    "language": "es",
    "result": None,
    "empty": {},
}


async def keep(url: str, *, last: bool) -> Any:
    """Keep a checkpoint as a run does, and return what LangGraph itself reads of it."""
    flags = {NEW_RUN: True, LAST_WRITE: last}
    config: Any = {
        "configurable": {"thread_id": "run_1", "checkpoint_ns": "", **flags},
        "metadata": {"user_id": "usr_1"},
    }
    versions: Any = dict.fromkeys(VALUES, "00001.5")
    checkpoint = empty_checkpoint()
    checkpoint["channel_values"], checkpoint["channel_versions"] = dict(VALUES), versions
    async with open_checkpoints(url) as saver:
        named = await saver.aput(config, checkpoint, {"source": "loop", "step": 3}, versions)
        again = await saver.aput(config, checkpoint, {"source": "loop", "step": 3}, versions)
    assert named == again
    async with AsyncPostgresSaver.from_conn_string(conninfo(url)) as theirs:
        found = await theirs.aget_tuple(named)
    assert found is not None
    assert found.checkpoint["id"] == checkpoint["id"]
    return found


async def test_langgraph_reads_what_is_kept_in_one_statement(database_url: str) -> None:
    ours = await keep(database_url, last=False)

    assert ours.checkpoint["channel_values"] == VALUES
    assert ours.metadata == {"source": "loop", "step": 3, "user_id": "usr_1"}
    assert ours.parent_config is None


async def test_langgraphs_own_way_keeps_the_same(database_url: str) -> None:
    theirs = await keep(database_url, last=True)

    assert theirs.checkpoint["channel_values"] == VALUES
    assert theirs.metadata == {"source": "loop", "step": 3, "user_id": "usr_1"}
