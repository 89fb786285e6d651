"""Points at which a test may kill the process or stop it; off unless `GOALS_FAILPOINTS` names them.

`sink.mid_write` dies at the first hit, `sink.mid_write:3` at the third, and `sink.mid_write:3:stop`
stops there until somebody sends SIGCONT. Several are separated by commas.
"""

import os
import signal
from collections import Counter
from dataclasses import dataclass
from typing import Final, Literal, cast, get_args

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
    "agent.converse",
    "agent.talk_begun",
    "agent.converse.done",
    "agent.call_tools",
    "agent.call_tools.done",
    "agent.retrieve",
    "agent.suggest_goals",
    "agent.suggest_goals.done",
    "agent.break_down_goal",
    "agent.break_down_goal.done",
    "agent.change_status",
    "agent.validate_code",
    "agent.validate_code.done",
    "agent.propose",
    "agent.propose.done",
    "agent.review",
    "agent.persist",
    "agent.persist.done",
    "request.before_commit",
    "request.committed",
    "run.before_end",
    "run.ended",
]
"""`agent.converse` is the begin of the graph's node `converse`, `agent.converse.done` its end;
`agent.talk_begun` comes when the talk is read and no model is asked yet."""

FAILPOINTS: Final[tuple[Failpoint, ...]] = get_args(Failpoint)


@dataclass(frozen=True)
class Arm:
    """What happens at a point: `at` which hit, counted from one, the process gets which signal."""

    at: int
    signal: signal.Signals


def read_arms(specification: str) -> dict[str, Arm]:
    """Return what `GOALS_FAILPOINTS` arms; names that are no failpoint arm nothing.

    Raises ValueError where a hit is no number.
    """
    arms: dict[str, Arm] = {}
    for each in specification.split(","):
        name, hits, how = [*each.strip().split(":"), "", ""][:3]
        if name in FAILPOINTS:
            deadly = signal.SIGSTOP if how == "stop" else signal.SIGKILL
            arms[name] = Arm(int(hits or 1), deadly)
    return arms


ARMED: Final = read_arms(os.environ.get("GOALS_FAILPOINTS", ""))
_hits: Final[Counter[str]] = Counter()


def hit_if_named(point: str) -> None:
    """Do as `hit` for a name that is made at run time and may be no failpoint."""
    if point in ARMED:
        hit(cast("Failpoint", point))


def hit(point: Failpoint) -> None:
    """Kill or stop this process if `point` is armed for this hit; otherwise do nothing."""
    if point not in ARMED:
        return
    _hits[point] += 1
    if _hits[point] == ARMED[point].at:
        os.kill(os.getpid(), ARMED[point].signal)
