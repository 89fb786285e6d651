"""`goals erase`: forget a user, wherever their data went."""

import typer
from rich.console import Console

from api.lake import open_care_of_lake
from api.settings import Settings
from api.workers import amqp_url_of
from tools.errors import InputError, SetupError


def run_erase(settings: Settings, *, user: str, yes: bool) -> None:
    """Erase the user of that name or id everywhere, after asking unless `yes`; print what went.

    An id that is nobody's is no error: an erasure that was cut short is finished that way. Raises
    InputError for an unknown name, SetupError for a database, broker or lake that is not there.
    """
    from db.erasure import find_subject
    from events.forget import forget_user
    from events.topology import BrokerUnavailable

    console = Console(highlight=False, markup=False, soft_wrap=True)
    amqp_url = None if settings.amqp_url is None else amqp_url_of(settings)
    with open_care_of_lake(settings) as (engine, lake):
        with engine.connect() as connection:
            subject = find_subject(connection, user)
        if subject is None and not user.startswith("usr_"):
            raise InputError(f"there is no user {user}")
        user_id = user if subject is None else subject.id
        if subject is None:
            console.print(f"No user has the id {user_id}: what may be left of them is removed.")
        else:
            console.print(f"{subject.username} is {user_id}, with {subject.events} events.")
        if not yes:
            typer.confirm("Erase everything of this user? It cannot be undone.", abort=True)
        try:
            done = forget_user(engine, lake, amqp_url, user_id=user_id)
            console.print(
                f"{done.rows.events} events erased, {len(done.rows.files)} files rewritten, "
                f"{done.rows.checkpoints} checkpoints removed."
            )
            if done.dead_letters is not None:
                purge = done.dead_letters
                console.print(f"{purge.removed} dead letters removed, {purge.kept} kept.")
        except BrokerUnavailable as error:
            raise SetupError(
                f"the broker does not answer, and its dead letters may be of this user: {error}; "
                f"run `goals erase --user {user_id}` again when it does"
            ) from error
