"""Commands that installed packages add to `goals`: entry points of the group `goals.commands`."""

from functools import cache
from typing import Any, Final

import typer
from typer.core import TyperGroup

GROUP: Final = "goals.commands"
"""An entry point of this group names a typer application, which becomes a command of its name."""


class Commands(TyperGroup):
    """The program's own commands, and those that installed packages add."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return all names, our own first."""
        own = super().list_commands(ctx)
        return own + sorted(set(_added()) - set(own))

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command; one that was added is loaded now, and replaces none of ours."""
        own = super().get_command(ctx, cmd_name)
        if own is not None or cmd_name not in _added():
            return own
        added = typer.main.get_group(_added()[cmd_name].load())
        added.name = cmd_name
        return added


@cache
def _added() -> dict[str, Any]:
    from importlib.metadata import entry_points

    return {entry.name: entry for entry in entry_points(group=GROUP)}
