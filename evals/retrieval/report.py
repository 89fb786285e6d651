"""The retrieval report as people read it: tables in Markdown and pictures as PNG."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from evals.estimates import Estimate
from evals.retrieval.measure import RetrievalReport

WORDS: Final = {
    "naive": "vectors as the model gives them",
    "text": "words alone",
    "dense": "meaning alone",
    "fused": "meaning and words",
}
METRICS: Final = {
    "ndcg_at_10": "nDCG@10",
    "recall_at_10": "recall@10",
    "mrr": "MRR",
    "rejected_when_nothing": "refused where nothing fits",
    "answered_when_something": "answered where something does",
}
COMPARED: Final = (
    ("fused", "dense"), ("fused", "text"), ("fused", "naive"), ("dense", "naive"),
)  # fmt: skip
# Okabe and Ito's palette, as in the picture of the events; the shapes tell them apart in print.
STYLES: Final = {
    "naive": ("#999999", "s"),
    "text": ("#E69F00", "^"),
    "dense": ("#56B4E9", "D"),
    "fused": ("#0072B2", "o"),
}
WAYS: Final = {
    "ours": ("ours", "#0072B2", "o"),
    "ours_typed": ("ours, one type", "#56B4E9", "D"),
    "exact": ("exact SQL, btree", "#009E73", "^"),
    "hnsw": ("SQL, pgvector's defaults", "#D55E00", "v"),
    "store_same_table": ("PGVectorStore, our table", "#E69F00", "s"),
    "store_own_table": ("PGVectorStore, its own", "#CC79A7", "P"),
    "numpy": ("numpy in RAM", "#999999", "X"),
}


def write_report(
    report: RetrievalReport, folder: Path, *, bench: Mapping[str, Any] | None = None
) -> list[Path]:
    """Write JSON, Markdown and pictures to `folder` and return their paths.

    `bench` is what `goals bench retrieval --json` printed; with it there is a picture of recall
    against time. Raises OSError where a file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = ("retrieval.json", "retrieval.md", "retrieval-quality.png")
    data, text, quality = (folder / name for name in names)
    data.write_text(report.as_json() + "\n", encoding="utf-8")
    text.write_text(make_markdown(report, with_bench=bench is not None), encoding="utf-8")
    plot_quality(report, quality)
    if bench is None:
        return [data, text, quality]
    speed = folder / "retrieval-speed.png"
    plot_speed(bench, speed)
    return [data, text, quality, speed]


def make_markdown(report: RetrievalReport, *, with_bench: bool = False) -> str:
    """Return the report's tables; an interval is that of 95 %, by bootstrap over the queries."""
    modes = {mode.mode: mode.groups for mode in report.modes}
    count = len(report.modes[0].queries)
    lines = [
        "# How well the search finds",
        "",
        f"{count} queries over {report.documents} documents, vectors of {report.embedding_model}. "
        "In brackets: the 95 % interval of the mean, by bootstrap over the queries.",
        "",
        *_table(
            ["", *METRICS.values()],
            [
                [_named(mode), *(_told(groups["all"].get(metric)) for metric in METRICS)]
                for mode, groups in modes.items()
            ],
        ),
        "",
        "## One minus another, query by query",
        "",
        *_table(["", "nDCG@10", "recall@10"], _differences(report)),
        "",
        "![Quality by language and by kind of query](retrieval-quality.png)",
        "",
        "## nDCG@10 by language",
        "",
        *_by_group(modes, _groups(modes, "language: ", "crossing: ")),
        "",
        "## nDCG@10 by kind of query and language",
        "",
        *_by_group(modes, _groups(modes, "slice: ")),
    ]
    if with_bench:
        lines += ["", "![Recall against time](retrieval-speed.png)"]
    return "\n".join(lines) + "\n"


def _differences(report: RetrievalReport) -> list[list[str]]:
    found = {(each.mode, each.minus): each.groups["all"] for each in report.comparisons}
    return [
        [
            f"{ours} − {theirs}",
            *(_told(found[ours, theirs][m]) for m in ("ndcg_at_10", "recall_at_10")),
        ]
        for ours, theirs in COMPARED
        if (ours, theirs) in found
    ]


def _groups(modes: Mapping[str, Mapping[str, Any]], *beginnings: str) -> list[str]:
    """Return the groups with these beginnings that have queries with an answer."""
    groups = next(iter(modes.values()))
    return [
        name
        for name, found in groups.items()
        if name.startswith(beginnings) and "ndcg_at_10" in found
    ]


def _by_group(
    modes: Mapping[str, Mapping[str, Mapping[str, Estimate]]], names: Sequence[str]
) -> list[str]:
    return _table(
        ["", "queries", *modes],
        [
            [
                name.partition(": ")[2] if name.startswith("slice") else name,
                str(next(iter(modes.values()))[name]["ndcg_at_10"].count),
                *(_told(groups[name]["ndcg_at_10"]) for groups in modes.values()),
            ]
            for name in names
        ],
    )


def _named(mode: str) -> str:
    return f"{mode}: {WORDS[mode]}" if mode in WORDS else mode


def _told(estimate: Estimate | None) -> str:
    if estimate is None:
        return ""
    return f"{estimate.mean:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    line = ["---"] + ["---:"] * (len(head) - 1)
    return [f"| {' | '.join(cells)} |" for cells in (head, line, *rows)]


def plot_quality(report: RetrievalReport, path: Path) -> None:
    """Write a PNG: nDCG@10 of every mode with its interval, by language and by kind of query."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    modes = {mode.mode: mode.groups for mode in report.modes}
    slices = [name for name in _groups(modes, "slice: ") if ", " not in name]
    panels = (
        (
            "By language of the query, and of the answer",
            _groups(modes, "language: ") + _groups(modes, "crossing: "),
        ),
        ("By kind of query", slices),
    )
    figure = Figure(figsize=(11, 4.8), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    shares = [max(1, len(names)) for _, names in panels]
    for axes, (title, names) in zip(
        figure.subplots(1, 2, sharey=True, width_ratios=shares), panels, strict=True
    ):
        for place, (mode, groups) in enumerate(modes.items()):
            colour, marker = STYLES.get(mode, ("#000000", "o"))
            found = [groups[name]["ndcg_at_10"] for name in names]
            shift = (place - (len(modes) - 1) / 2) * 0.17
            axes.errorbar(
                [number + shift for number in range(len(names))],
                [each.mean for each in found],
                yerr=[
                    [each.mean - each.low for each in found],
                    [each.high - each.mean for each in found],
                ],
                fmt=marker, color=colour, capsize=2.5, markersize=6, linewidth=1.2,
                label=_named(mode),
            )  # fmt: skip
        counts = [next(iter(modes.values()))[name]["ndcg_at_10"].count for name in names]
        axes.set_xticks(
            range(len(names)),
            [f"{_short(name)}\n({count})" for name, count in zip(names, counts, strict=True)],
        )
        axes.set_title(title)
        axes.set_ylim(0, 1)
        axes.grid(axis="y", alpha=0.3)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    first = figure.axes[0]
    first.set_ylabel("nDCG@10, with its 95 % interval")
    handles, labels = first.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(modes), frameon=False)
    figure.savefig(path, format="png")


def _short(name: str) -> str:
    kinds = {
        "language: es": "Spanish", "language: en": "English",
        "crossing: yes": "in the\nother one", "crossing: no": "in the\nsame one",
    }  # fmt: skip
    return kinds.get(name, name.partition(": ")[2])


def plot_speed(bench: Mapping[str, Any], path: Path) -> None:
    """Write a PNG: every way's recall@10 against its p50, and its time to p95, from a bench's JSON.

    The recall is that of owners of more than 1,000 rows, where the bench had them.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter

    medians = {figure["name"]: figure["median"] for figure in bench["figures"]}
    ways = sorted(
        (way for way in WAYS if f"{way}.recall" in medians),
        key=lambda way: float(medians[f"{way}.p50"]),
        reverse=True,
    )
    figure = Figure(figsize=(11, 4.6), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.15))
    for place, way in enumerate(ways):
        _, colour, marker = WAYS[way]
        p50, p95 = medians[f"{way}.p50"], medians[f"{way}.p95"]
        recall = medians.get(f"{way}.recall_large", medians[f"{way}.recall"])
        look = {"color": colour, "marker": marker, "markersize": 9, "markeredgecolor": "white"}
        left.plot([p50], [recall], linestyle="", clip_on=False, zorder=3, **look)
        right.plot([p50, p95], [place, place], color=colour, linewidth=2, zorder=2)
        right.plot([p50], [place], linestyle="", zorder=3, **look)
        right.plot([p95], [place], linestyle="", marker="|", markersize=11, color=colour)
    right.set_yticks(range(len(ways)), [WAYS[way][0] for way in ways])
    left.set_ylabel("recall@10 beside brute force")
    left.set_title("Recall of large owners against time")
    left.set_xlabel("ms a search: p50, log scale")
    right.set_title("Time of all owners: p50 to p95")
    right.set_xlabel("ms a search, log scale")
    for axes in (left, right):
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.grid(axis="both" if axes is left else "x", alpha=0.3)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(f"{bench['parameters']['rows']:,} rows of many owners, top 10", fontsize=11)
    figure.savefig(path, format="png")
