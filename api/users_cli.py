"""The `goals` commands for users who live elsewhere, beside the others."""

from typing import Annotated

import typer

users = typer.Typer()


@users.command()
def externalize(
    drop: Annotated[
        bool, typer.Option("--drop", help="Delete the tables users and courses, with their rows")
    ] = False,
) -> None:
    """Take the database to where users and courses live in another service (GOALS_USERS=service).

    The constraints to them go; the two tables stay as users_local and courses_local.
    """
    from api.settings import Settings
    from api.users_elsewhere import run_externalize

    run_externalize(Settings(), drop=drop)


@users.command()
def internalize() -> None:
    """Bring the tables users and courses back, if every id that a row refers to is in them."""
    from api.settings import Settings
    from api.users_elsewhere import run_internalize

    run_internalize(Settings())


@users.command()
def users_stub(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on")] = 8010,
) -> None:
    """Play the users' service, in memory: to develop against docs/users-service.openapi.yaml."""
    from api.settings import Settings
    from api.users_stub import run_stub

    run_stub(Settings(), port=port)
