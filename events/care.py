"""One care operation on the lake at a time."""

import contextlib
from collections.abc import Iterator

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from db import manifest
from events.lake import Lake, LakeUnavailable


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


def refuse_lost_lake(engine: Engine, lake: Lake) -> None:
    """Refuse to care for a lake that has none of the files that the manifest has.

    So looks a mount that is not there, or another bucket: rebuilding everything there would leave
    what the right one holds to nobody's care. Raises LakeUnavailable.
    """
    with engine.connect() as connection:
        entries = manifest.entries(connection)
    finished = {
        each.file.path for each in entries if each.state == "done" and each.file is not None
    }
    if finished and finished.isdisjoint(lake.files()):
        raise LakeUnavailable(
            f"{lake.location} has none of the {len(finished)} files that the manifest has: is it "
            "the right place? If they are gone, `goals lake scrub --rebuild-all` writes them again"
        )
