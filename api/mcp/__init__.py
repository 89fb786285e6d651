"""The agent service as tools of the Model Context Protocol, for other agents and editors.

    tool call ─► tools.py (one request to the public API) ─► the same routes, rules and limits

`http.py` serves it at `/mcp`, `command.py` over standard input and output.
"""
