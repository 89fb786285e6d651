"""Points at which a test may kill the process; off unless `GOALS_FAILPOINTS` names them."""

import os
import signal
from typing import Final, Literal, get_args

Failpoint = Literal[
    "sink.batch_frozen",
    "sink.mid_write",
    "sink.closed_before_fsync",
    "sink.before_rename",
    "sink.after_rename",
    "sink.before_tx2",
    "sink.after_tx2",
    "relay.claimed",
    "relay.published",
    "relay.confirmed",
    "consumer.delivered",
    "consumer.before_ack",
    "scrub.quarantined",
    "compact.file_written",
    "compact.swapped",
    "compact.before_delete",
    "erase.rows_gone",
]

FAILPOINTS: Final[tuple[Failpoint, ...]] = get_args(Failpoint)
ARMED: Final = frozenset(os.environ.get("GOALS_FAILPOINTS", "").split(",")) & frozenset(FAILPOINTS)


def hit(point: Failpoint) -> None:
    """Kill this process with SIGKILL if `point` is armed; otherwise do nothing."""
    if point in ARMED:
        os.kill(os.getpid(), signal.SIGKILL)
