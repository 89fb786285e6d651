"""The validation report: who was accepted and rejected, by group; what the gate asks of it."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from evals.validation import Judged

ALL: Final = "all"
WITH_EXAMPLES: Final = "with examples"
STATEMENT_ALONE: Final = "statement alone"
WEB: Final = frozenset({"javascript", "typescript"})


@dataclass(frozen=True, kw_only=True)
class Confusion:
    """Counts of right and wrong submissions: accepted, rejected, or without a verdict."""

    right_accepted: int
    right_rejected: int
    right_undecided: int
    wrong_accepted: int
    wrong_rejected: int
    wrong_undecided: int

    @property
    def right(self) -> int:
        """Return the number of right submissions."""
        return self.right_accepted + self.right_rejected + self.right_undecided

    @property
    def wrong(self) -> int:
        """Return the number of wrong submissions."""
        return self.wrong_accepted + self.wrong_rejected + self.wrong_undecided

    @property
    def balanced_accuracy(self) -> float:
        """Return the mean of the two rates of right verdicts; none counts as a wrong one."""
        return (
            _share(self.right_accepted, self.right) + _share(self.wrong_rejected, self.wrong)
        ) / 2

    @property
    def balanced_accuracy_decided(self) -> float:
        """Return the same among the submissions that got a verdict."""
        right = self.right_accepted + self.right_rejected
        wrong = self.wrong_accepted + self.wrong_rejected
        return (_share(self.right_accepted, right) + _share(self.wrong_rejected, wrong)) / 2

    @property
    def right_rejected_share(self) -> float:
        """Return the share of right submissions that were rejected."""
        return _share(self.right_rejected, self.right)

    @property
    def decided(self) -> float:
        """Return the share of submissions that got a verdict."""
        undecided = self.right_undecided + self.wrong_undecided
        return 1.0 - _share(undecided, self.right + self.wrong)


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that the gate asks: `value` against `bound`, at least or at most."""

    name: str
    value: float
    sense: str
    bound: float

    @property
    def met(self) -> bool:
        """Tell whether the value is on the right side of the bound."""
        return self.value >= self.bound if self.sense == "≥" else self.value <= self.bound


@dataclass(frozen=True, kw_only=True)
class ValidationReport:
    """What was measured of ours and of the naive call; `facts_p95_ms` is facts and runs alone."""

    model: str
    ours: tuple[Judged, ...]
    naive: tuple[Judged, ...]
    facts_p95_ms: float

    def groups(self, judged: Sequence[Judged]) -> Mapping[str, Confusion]:
        """Return the confusion of every group of submissions that is not empty."""
        found = {name: [one for one in judged if belongs(one)] for name, belongs in _groups(judged)}
        return {name: confuse(some) for name, some in found.items() if some}

    def checks(self) -> tuple[Check, ...]:
        """Return what the gate asks of this report."""
        groups = self.groups(self.ours)
        examples, alone = groups[WITH_EXAMPLES], groups[STATEMENT_ALONE]
        broken = [one for one in self.ours if one.submission.bug == "syntax"]
        sound = [one for one in self.ours if one.submission.bug != "syntax"]
        findings = sum(one.findings for one in self.ours)
        anchored = 1.0 - _share(sum(one.loose for one in self.ours), findings)
        unrecorded = sum(one.basis == "unrecorded" for one in self.ours)
        found = _share(sum(one.syntax for one in broken), len(broken))
        asked = (
            ("balanced accuracy, with examples", examples.balanced_accuracy, "≥", 0.95),
            ("balanced accuracy, statement alone", alone.balanced_accuracy, "≥", 0.75),
            ("right ones rejected, with examples", examples.right_rejected_share, "≤", 0.05),
            ("right ones rejected, statement alone", alone.right_rejected_share, "≤", 0.20),
            ("findings anchored to a quote", anchored, "≥", 1),
            ("refuted findings shown", sum(one.refuted for one in self.ours), "≤", 0),
            ("broken files found", found, "≥", 1),
            ("sound files called broken", sum(one.syntax for one in sound), "≤", 0),
            ("reviews without a recorded answer", unrecorded, "≤", 0),
        )
        return tuple(
            Check(name=name, value=value, sense=sense, bound=bound)
            for name, value, sense, bound in asked
        )

    def as_json(self) -> str:
        """Return the report as indented JSON; without times two runs give the same."""
        body = {
            "model": self.model,
            "ours": {name: _told(one) for name, one in self.groups(self.ours).items()},
            "naive": {name: _told(one) for name, one in self.groups(self.naive).items()},
            "gate": [asdict(check) | {"met": check.met} for check in self.checks()],
            "submissions": [_row(one) for one in self.ours],
        }
        return json.dumps(body, ensure_ascii=False, indent=1)


def confuse(judged: Sequence[Judged]) -> Confusion:
    """Count the verdicts."""
    count = Counter((one.submission.correct, one.passed) for one in judged)
    return Confusion(
        right_accepted=count[True, True],
        right_rejected=count[True, False],
        right_undecided=count[True, None],
        wrong_accepted=count[False, True],
        wrong_rejected=count[False, False],
        wrong_undecided=count[False, None],
    )


def write_report(report: ValidationReport, folder: Path) -> list[Path]:
    """Write JSON, Markdown and a picture to `folder` and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    data, text, picture = (
        folder / name for name in ("validation.json", "validation.md", "validation.png")
    )
    data.write_text(report.as_json() + "\n", encoding="utf-8")
    text.write_text(make_markdown(report), encoding="utf-8")
    plot(report, picture)
    return [data, text, picture]


def make_markdown(report: ValidationReport) -> str:
    """Return the report's tables."""
    ours, naive = report.groups(report.ours), report.groups(report.naive)
    lines = [
        "# How right the verdicts are",
        "",
        f"{len(report.ours)} submissions, half of them wrong; model {report.model}. A submission "
        "without a verdict counts as a wrong verdict in `balanced accuracy`. `naive` is one "
        "structured call with the task and the code, and nothing around it, on "
        f"{len(report.naive)} of them.",
        "",
        "| group | n | right: accepted / rejected / open | wrong: rejected / accepted / open "
        "| balanced accuracy | of the decided | naive |",
        "|---|--:|--:|--:|--:|--:|--:|",
        *(
            f"| {name} | {one.right + one.wrong} "
            f"| {one.right_accepted} / {one.right_rejected} / {one.right_undecided} "
            f"| {one.wrong_rejected} / {one.wrong_accepted} / {one.wrong_undecided} "
            f"| {one.balanced_accuracy:.2f} | {one.balanced_accuracy_decided:.2f} "
            f"| {naive[name].balanced_accuracy:.2f} |"
            for name, one in ours.items()
            if name in naive
        ),
        "",
        "| asked | value | bound | met |",
        "|---|--:|--:|---|",
        *(
            f"| {check.name} | {check.value:.2f} | {check.sense} {check.bound:g} "
            f"| {'yes' if check.met else '**no**'} |"
            for check in report.checks()
        ),
        "",
        f"Facts and runs of a 300-line Python file, without the model: p95 "
        f"{report.facts_p95_ms:.0f} ms on this machine.",
        "",
    ]
    return "\n".join(lines)


def plot(report: ValidationReport, path: Path) -> None:
    """Draw ours beside the naive call, by group."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    ours, naive = report.groups(report.ours), report.groups(report.naive)
    details = ("bug: ", "settled by: ")
    names = [name for name in ours if name in naive and not name.startswith(details)]
    figure, axes = plt.subplots(figsize=(9, 0.5 * len(names) + 1.6), layout="constrained")
    places = range(len(names))
    for shift, groups, label, colour in (
        (-0.2, ours, "ours", "#0072B2"),
        (0.2, naive, "naive call", "#999999"),
    ):
        axes.barh(
            [place + shift for place in places],
            [groups[name].balanced_accuracy for name in names],
            height=0.38,
            label=label,
            color=colour,
        )
    axes.axvline(0.5, color="#000000", linewidth=0.8, linestyle=":")
    axes.set_yticks(list(places), names)
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.set_xlabel("balanced accuracy (0.5: a coin)")
    axes.legend(loc="lower right")
    figure.savefig(path, dpi=120)
    plt.close(figure)


def _groups(judged: Sequence[Judged]) -> Iterator[tuple[str, Callable[[Judged], bool]]]:
    yield ALL, lambda _: True
    yield WITH_EXAMPLES, lambda one: one.task.examples
    yield STATEMENT_ALONE, lambda one: not one.task.examples
    yield "Python, with examples", lambda one: _is(one, {"python"}) and one.task.examples
    yield "Python, statement alone", lambda one: _is(one, {"python"}) and not one.task.examples
    yield "JavaScript, TypeScript", lambda one: _is(one, WEB)
    yield "other languages", lambda one: not _is(one, {"python"} | WEB)
    yield "task in Spanish", lambda one: one.task.language == "es"
    yield "task in English", lambda one: one.task.language == "en"
    for bug in sorted({one.submission.bug for one in judged if one.submission.bug}):
        # The right programs of the same tasks stand beside the wrong ones.
        tasks = {one.task.id for one in judged if one.submission.bug == bug}
        yield f"bug: {bug}", lambda one, tasks=tasks: one.task.id in tasks  # type: ignore[misc]  # its own tasks
    for basis in sorted({one.basis for one in judged}):
        yield f"settled by: {basis}", lambda one, basis=basis: one.basis == basis  # type: ignore[misc]  # its own basis


def _is(one: Judged, languages: set[str] | frozenset[str]) -> bool:
    return one.task.programming_language in languages


def _told(one: Confusion) -> dict[str, Any]:
    return asdict(one) | {
        "balanced_accuracy": round(one.balanced_accuracy, 4),
        "balanced_accuracy_decided": round(one.balanced_accuracy_decided, 4),
        "right_rejected_share": round(one.right_rejected_share, 4),
        "decided": round(one.decided, 4),
    }


def _row(one: Judged) -> dict[str, Any]:
    return {
        "id": one.submission.id,
        "correct": one.submission.correct,
        "bug": one.submission.bug,
        "passed": one.passed,
        "basis": one.basis,
        "findings": one.findings,
    }


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
