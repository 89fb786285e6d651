"""The planning report: what was stored for each case, by group, and what the gate asks of it."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any, Final

from evals.planning import UNRECORDED, Planned
from evals.planning_shares import Share, share
from evals.validation_report import Check

FEWEST_CRITERIA: Final = 2
MOST_CRITERIA: Final = 5
SHOWN: Final = 6
"""How many of the cases of a kind the report names."""


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What was measured of a group of cases.

    `stored`: the run ended with rows, after one repair turn at most. `language`: all stored texts
    are in the learner's. `plan`: the tasks are a plan. `cites`: some goal rests on a relevant row,
    of the runs whose search found one. `finds`: the search found one, of the learners who have any;
    `grounded`: some goal rests on it, of the same. `exact`: as many goals as were asked for.
    """

    stored: Share
    language: Share
    plan: Share
    cites: Share
    finds: Share
    grounded: Share
    exact: Share


@dataclass(frozen=True, kw_only=True)
class PlanningReport:
    """What the product made of the set with one model's answers."""

    model: str
    planned: tuple[Planned, ...]

    @property
    def answered(self) -> tuple[Planned, ...]:
        """Return the cases for which the model's answers were at hand."""
        return tuple(one for one in self.planned if one.error != UNRECORDED)

    def groups(self) -> Mapping[str, Figures]:
        """Return the figures of every group of cases that is not empty."""
        found = {
            name: [one for one in self.answered if belongs(one)]
            for name, belongs in _groups(self.answered)
        }
        return {name: measure(some) for name, some in found.items() if some}

    def checks(self) -> tuple[Check, ...]:
        """Return what the gate asks of this report."""
        figures = measure(self.answered)
        goals = [one for one in self.answered if one.case.job == "suggest_goals"]
        asked = (
            ("stored after at most one repair", figures.stored.value, "≥", 0.98),
            ("in the learner's language", figures.language.value, "≥", 0.98),
            ("breakdowns that are a plan", figures.plan.value, "≥", 1),
            ("suggestions that rest on a relevant row", figures.cites.value, "≥", 0.9),
            ("rows stored that repeat another", _total(self.answered, "repeated"), "≤", 0),
            ("learners' own rows touched", _total(self.answered, "touched"), "≤", 0),
            ("more goals than asked for", sum(_stored(one) > _asked(one) for one in goals), "≤", 0),
            ("goals without 2 to 5 criteria", sum(map(_badly_judged, goals)), "≤", 0),
            ("cases without a recorded answer", len(self.planned) - len(self.answered), "≤", 0),
        )
        return tuple(
            Check(name=name, value=value, sense=sense, bound=bound)
            for name, value, sense, bound in asked
        )

    def costs(self) -> Mapping[str, float]:
        """Return what the runs cost and what was left out: sums, and means of a run."""
        done = [one for one in self.answered if one.error is None]
        goals = [one for one in done if one.case.job == "suggest_goals"]
        tasks = [one for one in done if one.case.job == "break_down_goal"]
        return {
            "model calls beyond the first": sum(max(one.calls - 1, 0) for one in done),
            "input tokens a run": _mean([one.input_tokens for one in done]),
            "output tokens a run": _mean([one.output_tokens for one in done]),
            "goals stored a suggestion": _mean([_stored(one) for one in goals]),
            "goals dropped a suggestion": _mean([len(one.dropped) for one in goals]),
            "goals whose source the model named": _grounds(goals, "cited"),
            "goals whose source code found": _grounds(goals, "nearest"),
            "goals that rest on nothing": _grounds(goals, "none"),
            "tasks stored a breakdown": _mean([_stored(one) for one in tasks]),
            "repairs by code a breakdown": _mean([len(one.mended) for one in tasks]),
            "criteria that promise nothing, of 1": _mean(
                [len(one.vague) / len(one.judged_by) for one in done if one.judged_by]
            ),
            "largest similarity to another row": max((one.alike for one in done), default=0.0),
        }

    def as_json(self) -> str:
        """Return the report as indented JSON; two runs of one program give the same."""
        body = {
            "model": self.model,
            "groups": {name: _told(figures) for name, figures in self.groups().items()},
            "gate": [asdict(check) | {"met": check.met} for check in self.checks()],
            "costs": {name: round(value, 3) for name, value in self.costs().items()},
            "mended": _counted(name for one in self.answered for name in one.mended),
            "dropped": _counted(name for one in self.answered for name in one.dropped),
            "cases": [_row(one) for one in self.planned],
        }
        return json.dumps(body, ensure_ascii=False, indent=1)


def measure(planned: Sequence[Planned]) -> Figures:
    """Return the figures of some cases, none of them unrecorded."""
    done = [one for one in planned if one.error is None]
    goals = [one for one in done if one.case.job == "suggest_goals"]
    plans = [one for one in done if one.case.job == "break_down_goal"]
    grounded = [one for one in goals if one.case.relevant]
    found = [one for one in grounded if one.case.relevant & {*one.found}]
    rests = [one for one in found if _rests_on_relevant(one)]
    return Figures(
        stored=share(one.error is None for one in planned),
        language=share(not one.foreign for one in done),
        plan=share(not one.faults for one in plans),
        cites=Share(len(rests), len(found)),
        finds=Share(len(found), len(grounded)),
        grounded=Share(len(rests), len(grounded)),
        exact=share(_stored(one) == _asked(one) for one in goals),
    )


def write_report(report: PlanningReport, folder: Path) -> list[Path]:
    """Write JSON, Markdown and a picture to `folder` and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    data, text, picture = (
        folder / name for name in ("planning.json", "planning.md", "planning.png")
    )
    data.write_text(report.as_json() + "\n", encoding="utf-8")
    text.write_text(make_markdown(report), encoding="utf-8")
    plot(report, picture)
    return [data, text, picture]


def make_markdown(report: PlanningReport) -> str:
    """Return the report's tables."""
    lines = [
        "# How good suggestions and breakdowns are",
        "",
        f"{len(report.planned)} learners, half of them Spanish; model {report.model}. Its answers "
        f"are at hand for {len(report.answered)} of them. Judged is what was stored. In brackets: "
        "Wilson's 95 % interval.",
        "",
        "| group | stored | language | plan | rests on a relevant row that was found | found one "
        "| rests on one, of all who have any | count |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
        *(
            f"| {name} | " + " | ".join(_cell(one) for one in _shares(figures).values()) + " |"
            for name, figures in report.groups().items()
        ),
        "",
        "| asked | value | bound | met |",
        "|---|--:|--:|---|",
        *(
            f"| {check.name} | {check.value:.3g} | {check.sense} {check.bound:g} "
            f"| {'yes' if check.met else '**no**'} |"
            for check in report.checks()
        ),
        "",
        "| what it cost | |",
        "|---|--:|",
        *(f"| {name} | {value:.4g} |" for name, value in report.costs().items()),
        "",
        *_findings(report),
    ]
    return "\n".join(lines)


def plot(report: PlanningReport, path: Path) -> None:
    """Draw the shares that have a bound, with their intervals, and the bounds."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figures = measure(report.answered)
    drawn = (
        ("stored after at most\none repair", figures.stored, 0.98),
        ("in the learner's\nlanguage", figures.language, 0.98),
        ("breakdowns that\nare a plan", figures.plan, 1.0),
        ("suggestions that rest\non a relevant row", figures.cites, 0.9),
    )
    figure, axes = plt.subplots(figsize=(8, 3.2), layout="constrained")
    for place, (_, shown, bound) in enumerate(drawn):
        low, high = shown.interval
        axes.plot([low, high], [place, place], color="#0072B2", linewidth=3, zorder=1)
        axes.scatter(shown.value, place, color="#0072B2", s=70, zorder=2)
        axes.scatter(bound, place, color="#D55E00", marker="|", s=500, linewidth=2, zorder=3)
    axes.set_yticks(range(len(drawn)), [f"{name} (n = {one.total})" for name, one, _ in drawn])
    axes.set_ylim(len(drawn) - 0.5, -0.5)
    axes.set_xlim(0, 1.02)
    axes.set_xlabel("share of cases, 95 % interval; the upright line is what is asked")
    figure.savefig(path, dpi=120)
    plt.close(figure)


def _groups(planned: Sequence[Planned]) -> Iterator[tuple[str, Callable[[Planned], bool]]]:
    yield "all", lambda _: True
    for job, name in (("suggest_goals", "suggestions"), ("break_down_goal", "breakdowns")):
        yield name, lambda one, job=job: one.case.job == job  # type: ignore[misc]  # its own job
        for language in ("es", "en"):
            yield (
                f"{name}, {language}",
                lambda one, job=job, language=language: (  # type: ignore[misc]  # its own values
                    (one.case.job, one.case.language) == (job, language)
                ),
            )
    for trait in sorted({trait for one in planned for trait in one.case.traits}):
        yield f"with: {trait}", lambda one, trait=trait: trait in one.case.traits  # type: ignore[misc]  # its own trait


def _findings(report: PlanningReport) -> Iterator[str]:
    """Yield what somebody would have to look at, a few of each kind."""
    for title, of in (
        ("Runs that ended with an error", lambda one: [one.error] if one.error else []),
        ("Texts in another language", lambda one: one.foreign),
        ("What is no plan", lambda one: one.faults),
        ("What repeats", lambda one: one.repeated),
        ("Criteria that promise nothing", lambda one: one.vague),
    ):
        found = [(one.case.id, list(of(one))) for one in report.answered if of(one)]
        if found:
            yield f"**{title}**: {len(found)}"
            yield ""
            yield from (f"- {name}: {'; '.join(said[:2])}" for name, said in found[:SHOWN])
            yield ""


def _shares(figures: Figures) -> Mapping[str, Share]:
    return {name: getattr(figures, name) for name in Figures.__dataclass_fields__}


def _cell(shown: Share) -> str:
    if not shown.total:
        return "–"
    low, high = shown.interval
    return f"{shown.right}/{shown.total} [{low:.2f}, {high:.2f}]"


def _told(figures: Figures) -> dict[str, Any]:
    return {
        name: {
            "right": one.right,
            "total": one.total,
            "value": round(one.value, 4),
            "interval": [round(end, 4) for end in one.interval],
        }
        for name, one in _shares(figures).items()
        if one.total
    }


def _row(one: Planned) -> dict[str, Any]:
    told = {key: value for key, value in vars(one).items() if key != "case"}
    return {"id": one.case.id, **told, "alike": round(one.alike, 3)}


def _rests_on_relevant(one: Planned) -> bool:
    return any(one.case.relevant & {*one.found} & {*cited} for cited in one.cited)


def _asked(one: Planned) -> int:
    asked: int = one.case.request["count"]
    return asked


def _stored(one: Planned) -> int:
    return len(one.titles)


def _badly_judged(one: Planned) -> int:
    return sum(not FEWEST_CRITERIA <= count <= MOST_CRITERIA for count in one.criteria)


def _total(planned: Sequence[Planned], name: str) -> int:
    return sum(len(getattr(one, name)) for one in planned)


def _grounds(planned: Sequence[Planned], name: str) -> int:
    return sum(one.grounds.count(name) for one in planned)


def _counted(names: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(names).items()))


def _mean(values: Sequence[float]) -> float:
    return fmean(values) if values else 0.0
