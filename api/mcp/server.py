"""The MCP server over the tools, whichever wire it speaks."""

from collections.abc import Callable
from typing import Any, Final

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.tools import Tool
from mcp.types import ToolAnnotations

from api.mcp.client import Caller
from api.mcp.tools import Call, Tools

INSTRUCTIONS: Final = (
    "Learning goals, tasks and feedback on code of one user, in Spanish or English. "
    "What is proposed is written only when the user accepts it."
)
NAMES: Final = frozenset({"title"})
"""pydantic makes them of the fields' names."""
READS: Final = ToolAnnotations(read_only_hint=True)
WRITES: Final = ToolAnnotations(destructive_hint=False)


def make_server(caller_of: Callable[[Call], Caller], *, version: str) -> MCPServer[Any]:
    """Return the server with its seven tools; `caller_of` tells who calls one."""
    tools = Tools(caller_of)
    kinds = (
        (tools.search, READS),
        (tools.list_goals_and_tasks, READS),
        (tools.next_task, READS),
        (tools.suggest_goals, WRITES),
        (tools.break_down_goal, WRITES),
        (tools.validate_code, WRITES),
        (tools.record_progress, WRITES),
    )
    made = [Tool.from_function(tool, annotations=kind) for tool, kind in kinds]
    for tool in made:
        tool.parameters = _without(tool.parameters, NAMES)
        answers = tool.fn_metadata
        answers.output_schema = _without(answers.output_schema, NAMES | {"description", "default"})
    return MCPServer(
        "goals",
        title="AI Goals Tracker",
        instructions=INSTRUCTIONS,
        version=version,
        tools=made,
        subscriptions=False,
    )


def _without(schema: Any, left_out: frozenset[str]) -> Any:
    """Return a JSON Schema without what every client would pay for in tokens."""
    if isinstance(schema, list):
        return [_without(one, left_out) for one in schema]
    if not isinstance(schema, dict):
        return schema
    lean = {
        name: {key: _without(one, left_out) for key, one in value.items()}
        if name in {"properties", "$defs"}
        else _without(value, left_out)
        for name, value in schema.items()
        if name not in left_out and (name, value) != ("default", None)
    }
    match lean.get("anyOf"):
        case [{"type": str(kind), **more}, {"type": "null"}]:
            del lean["anyOf"]
            return {"type": [kind, "null"], **more, **lean}
        case _:
            return lean
