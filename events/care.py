"""One care operation on the lake at a time."""

import contextlib
from collections.abc import Iterator

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from db import manifest


class LakeBusy(Exception):
    """Another process is compacting, scrubbing or erasing; or a sink holds what this one needs."""


@contextlib.contextmanager
def open_care(engine: Engine) -> Iterator[None]:
    """Hold the lock of lake care while the block runs; it is one session's, in no transaction.

    Whoever dies gives it back by dying. Raises LakeBusy where another process has it.
    """
    with engine.connect() as connection:
        session = connection.execution_options(isolation_level="AUTOCOMMIT")
        if not manifest.try_lock(session):
            raise LakeBusy("another process takes care of the lake: try again when it has finished")
        try:
            yield
        finally:
            with contextlib.suppress(DBAPIError):  # a lost session has lost its lock
                manifest.unlock(session)
