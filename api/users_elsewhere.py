"""Users and courses in another service (`GOALS_USERS=service`): the way there, and back.

What is done to the database is in `db/external.py`; it happens in the turn of a migration, at the
newest revision.
"""

from collections.abc import Callable
from functools import partial

import typer
from sqlalchemy import Connection

from api.bootstrap import open_database
from api.migrations import migrate
from api.settings import Settings
from db import external
from tools.errors import SetupError


def migrate_for(settings: Settings, url: str) -> None:
    """Bring the database at `url` to the newest revision, as `api.migrations.migrate` does.

    An empty one gets no tables for users and courses where these are elsewhere.
    """
    elsewhere = settings.users == "service"
    migrate(url, afterwards=[external.externalize_empty] if elsewhere else [])


def run_externalize(settings: Settings, *, drop: bool) -> None:
    """Take the database to where users and courses are elsewhere, and say so. Raises SetupError."""
    _change(settings, partial(external.externalize, drop=drop))
    kept = "dropped" if drop else "kept as users_local and courses_local"
    typer.echo(f"users and courses are elsewhere now; the two tables were {kept}")


def run_internalize(settings: Settings) -> None:
    """Bring the tables of users and courses back, and say so.

    Raises SetupError, with nothing changed, where an id that a row refers to is missing there.
    """
    _change(settings, external.prepare_return, external.internalize)
    typer.echo("users and courses are in this database")


def require_own_users(settings: Settings) -> None:
    """Raise SetupError where accounts are not made here."""
    if settings.users == "service":
        raise SetupError("users are elsewhere (GOALS_USERS=service): no account is made here")


def _change(settings: Settings, *steps: Callable[[Connection], object]) -> None:
    try:
        with open_database(settings) as url:
            migrate(url, afterwards=steps)
    except external.NotPossible as error:
        raise SetupError(str(error)) from error
