"""Forgetting the users who asked for it, in every worker."""

import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from api.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy import Engine

EVERY: Final = timedelta(seconds=5)
AFTER_FAILURE: Final = timedelta(minutes=1)


def erase_waiting(url: str, settings: Settings, stop: threading.Event) -> None:
    """Forget whoever asks for it, until `stop` is set.

    What is away for now (broker, lake, database) is waited for; the request stays till the end.
    """
    import structlog

    from db.engine import make_sync_engine
    from events.care import LakeBusy

    log = structlog.get_logger(__name__)
    engine = make_sync_engine(url)
    pause = EVERY
    try:
        while not stop.wait(pause.total_seconds()):
            pause = EVERY
            try:
                forget_waiting(engine, settings)
            except LakeBusy:  # whoever has it will have finished by the next turn
                continue
            except Exception:  # nobody is half forgotten: it is begun again
                log.exception("erasure.failed")
                pause = AFTER_FAILURE
    finally:
        engine.dispose()


def forget_waiting(engine: "Engine", settings: Settings) -> int:
    """Forget everybody who waits for it; return how many they were.

    Raises what `events.forget.forget_user` does: who was not reached waits on.
    """
    from api.workers import amqp_url_of
    from db.erasures import waiting_users
    from events.forget import forget_user
    from events.lake import open_lake

    with engine.connect() as connection:
        waiting = waiting_users(connection)
    if not waiting:
        return 0
    amqp_url = None if settings.amqp_url is None else amqp_url_of(settings)
    lake = open_lake(settings.lake_location)
    for user_id in waiting:
        forget_user(engine, lake, amqp_url, user_id=user_id)
    return len(waiting)
