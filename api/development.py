"""Helps for whoever develops or looks around: tokens, psql, the local model's download."""

import asyncio
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from api.auth import make_token
from api.bootstrap import open_database
from api.issuer import jwt_config
from api.settings import Settings
from db.base import utc_now
from db.embedded import psql_program
from db.engine import conninfo, make_engine, make_sessions


def make_development_token(settings: Settings, *, user: str, hours: float, scope: str = "") -> str:
    """Return a token for the learner named `user`, whose account is made if there is none.

    Where users are elsewhere `user` is the id of one of them.
    """
    from tools.users import get_or_create_user

    jwt = jwt_config(settings)
    if settings.users == "service":
        return make_token(jwt, user_id=user, hours=hours, now=utc_now(), scope=scope)

    async def find_id(url: str) -> str:
        engine = make_engine(url)
        try:
            async with make_sessions(engine).begin() as session:
                found = await get_or_create_user(
                    session, username=user, now=utc_now(), source="cli"
                )
                return found.id
        finally:
            await engine.dispose()

    with open_database(settings) as url:
        user_id = asyncio.run(find_id(url))
    return make_token(jwt, user_id=user_id, hours=hours, now=utc_now(), scope=scope)


def run_psql(settings: Settings, arguments: Sequence[str]) -> int:
    """Run the psql that comes with the program on the configured database; return its exit code.

    The embedded server is started for it where it is not running.
    """
    with open_database(settings) as url:
        command = [str(psql_program()), conninfo(url), *arguments]
        return subprocess.run(command, check=False, env={"PAGER": "", **os.environ}).returncode


def pull_with_progress(path: Path) -> None:
    """Fetch the local model to `path` with a progress bar. Raises SetupError."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    from agent.model_files import SIZE_BYTES, pull_model

    console = Console(stderr=True)
    columns = (
        TextColumn("local model"),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("pull", total=SIZE_BYTES)
        pull_model(path, progress=lambda done: progress.update(bar, completed=done))
    console.print(f"The local model is at {path}")
