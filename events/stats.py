"""Draw how many events a day the lake holds, family by family."""

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Final

from db.events import CATALOGUE
from events.query import DailyCount

# Okabe and Ito's palette: its colours stay apart for colour-blind readers. The hatches keep them
# apart in print.
STYLES: Final = (
    ("#0072B2", ""),
    ("#E69F00", "//"),
    ("#009E73", ""),
    ("#CC79A7", "\\\\"),
    ("#56B4E9", ".."),
    ("#D55E00", ""),
    ("#F0E442", "xx"),
)
FAMILIES: Final = tuple(dict.fromkeys(event_type.family for event_type in CATALOGUE))


def plot_daily(counts: Sequence[DailyCount], path: Path) -> None:
    """Write a PNG to `path`: one bar a UTC day, stacked by family; days without events are empty.

    Raises OSError where the file cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.dates import AutoDateLocator, DateFormatter, date2num
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator, StrMethodFormatter

    days = _days(counts)
    figure = Figure(figsize=(10, 5), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    base = [0] * len(days)
    positions = [float(date2num(day)) for day in days]  # type: ignore[no-untyped-call]  # untyped there
    for family, (colour, hatch) in zip(FAMILIES, STYLES, strict=True):
        found = {count.day: count.events for count in counts if count.family == family}
        if not found:
            continue
        heights = [found.get(day, 0) for day in days]
        label = f"{family} ({sum(heights):,})"
        axes.bar(
            positions, heights, bottom=base, width=0.85, color=colour, hatch=hatch, label=label,
            edgecolor="white", linewidth=0.4,
        )  # fmt: skip
        base = [low + height for low, height in zip(base, heights, strict=True)]
    axes.set_title(f"Events a day by family, {sum(base):,} in all")
    axes.set_xlabel("Day (UTC)")
    axes.set_ylabel("Events")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.grid(axis="y", alpha=0.3)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    if days:
        locator = AutoDateLocator(minticks=min(len(days), 5), maxticks=8)  # type: ignore[no-untyped-call]  # untyped there
        axes.xaxis_date("UTC")
        axes.set_xlim(positions[0] - 0.6, positions[-1] + 0.6)
        axes.xaxis.set_major_locator(locator)
        formatter = DateFormatter("%Y-%m-%d", tz="UTC")  # type: ignore[no-untyped-call]  # untyped there
        axes.xaxis.set_major_formatter(formatter)
        handles, labels = axes.get_legend_handles_labels()
        axes.legend(
            handles[::-1], labels[::-1], title="Family (events)", frameon=False,
            loc="upper left", bbox_to_anchor=(1.0, 1.0),
        )  # fmt: skip
    else:
        axes.text(0.5, 0.5, "no events yet", ha="center", va="center", transform=axes.transAxes)
        axes.set_xticks([])
    figure.savefig(path, format="png")


def _days(counts: Sequence[DailyCount]) -> list[date]:
    if not counts:
        return []
    first = min(count.day for count in counts)
    last = max(count.day for count in counts)
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]
