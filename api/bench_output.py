"""What every `goals bench` shares: progress on standard error, an orderly end, the goals' table."""

import contextlib
import signal
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from events.bench.figures import Assessment, Figure


@contextlib.contextmanager
def announcer() -> Iterator[Callable[[str], None]]:
    """Yield what tells a person how far we are: one changing line, or one line each in a log."""
    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        yield partial(console.print, soft_wrap=True)
        return
    with console.status("starting") as status:
        yield status.update


@contextlib.contextmanager
def interrupted_by_sigterm() -> Iterator[None]:
    """Have SIGTERM end the block as Ctrl-C does, so that everything is cleaned up."""

    def interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def make_goals_table(assessments: "Sequence[Assessment]", figures: "Sequence[Figure]") -> Table:
    """Return how the goals came out, one row each."""
    units = {figure.name: figure.unit for figure in figures}
    compared = Table("compared", "", "goal", "met", box=None, header_style="bold")
    for each in assessments:
        compared.add_row(*_compared(each, unit=units[each.goal.figure]))
    return compared


def _compared(each: "Assessment", *, unit: str) -> tuple[str, str, str, str]:
    goal = each.goal
    what = goal.figure if goal.over is None else f"{goal.figure} / {goal.over}"
    value = f"{short(each.value)} {unit if goal.over is None else '×'}"
    sense = {"at least": "≥", "at most": "≤"}[goal.sense]
    bound = "" if goal.bound is None else f"{sense} {short(goal.bound)}"
    return what, value, bound, {None: "", True: "[green]yes", False: "[red]no"}[each.met]


def short(value: float) -> str:
    """Return a number as a person reads it."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
