import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from evals.gate import expect, judge
from evals.report import write_report
from evals.report_html import text
from evals.results import Results
from tests.eval_suites import RIGHT, TWENTY, instead, make_suite, results_of

HOSTILE = (
    '</pre><script>alert(1)</script><img src=x onerror="go()">${page} $gate \u202eneila\x00 | *'
)
VOID = {"meta", "br", "img", "input"}


class Page(HTMLParser):
    """The elements of a page, by their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.told: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.told.append(data)


def written(results: Results, folder: Path, *, before: Results | None = None) -> dict[str, str]:
    baseline = expect(before or results, {})
    findings = judge(results, baseline, suites=["toy"], unjudged={})
    paths = write_report(results, folder, baseline=baseline, findings=findings)
    return {path.name: path.read_text(encoding="utf-8") for path in paths}


@pytest.fixture
def hostile() -> Results:
    """Return results whose failing case is written by somebody who means harm, id and all."""
    case = replace(
        TWENTY[19],
        id=f"case-19 {HOSTILE}",
        slices=(HOSTILE,),
        inputs={"number": 19, HOSTILE: HOSTILE, "more": [HOSTILE]},
        expected={"answer": HOSTILE},
    )
    suite = make_suite(
        instead({case.id: ValueError(HOSTILE)}),
        load=lambda: (*TWENTY[:19], case),
        title=HOSTILE,
        metrics=(replace(RIGHT, question=HOSTILE),),
    )
    return results_of(suite)


def test_the_report_is_a_page_a_text_and_the_results(tmp_path: Path) -> None:
    results = results_of(make_suite())

    report = written(results, tmp_path / "new")

    assert report.keys() == {"evals.html", "evals.md", "evals.json"}
    assert report["evals.json"] == results.as_json()


def test_the_page_asks_for_nothing_from_elsewhere_and_runs_nothing(
    tmp_path: Path, hostile: Results
) -> None:
    page = Page(written(hostile, tmp_path)["evals.html"])

    assert page.open == []
    names = {name for name, _ in page.elements}
    assert names.isdisjoint({"script", "img", "link", "iframe", "object", "embed", "base", "form"})
    attributes = {(key, value) for _, attrs in page.elements for key, value in attrs.items()}
    assert all(not key.startswith("on") for key, _ in attributes)
    assert all(str(value).startswith("#") for key, value in attributes if key in {"href", "src"})
    assert ("content", "default-src 'none'; style-src 'unsafe-inline'") in attributes
    style = written(hostile, tmp_path)["evals.html"].split("<style>")[1].split("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style


def test_a_hostile_text_is_shown_as_it_is_written(tmp_path: Path, hostile: Results) -> None:
    page = Page(written(hostile, tmp_path)["evals.html"])

    told = "".join(page.told)
    shown = HOSTILE.replace("\u202e", "⟨U+202E⟩").replace("\x00", "⟨U+0000⟩")
    assert f"answer: {shown}" in told
    assert f"detail: ValueError: {shown}" in told
    assert "\u202e" not in told


def test_a_text_of_half_a_character_is_written_too() -> None:
    assert text("a\ud800b").encode() == "a⟨U+D800⟩b".encode()


def test_the_page_has_both_themes_and_the_pictures_take_their_colours(tmp_path: Path) -> None:
    html = written(results_of(make_suite()), tmp_path)["evals.html"]

    assert "@media (prefers-color-scheme: dark)" in html
    pictures = re.findall(r'<svg class="(?:plot|bar)".*?</svg>', html)
    assert len(pictures) > 2
    assert all("#" not in each and "style=" not in each for each in pictures)


def test_each_failing_case_is_folded_with_its_prompt_its_answer_and_its_verdicts(
    tmp_path: Path,
) -> None:
    before = results_of(make_suite())
    after = results_of(make_suite(instead({"case-12": 0.25})))

    html = written(after, tmp_path, before=before)["evals.html"]

    cases = re.findall(r'<details id="toy-(case-\d+)">(.*?)</details>', html, re.DOTALL)
    assert [name for name, _ in cases] == ["case-12", "case-18", "case-19"]
    newly = Page(cases[0][1]).told
    for told in ("Case case-12?", "It is 0.25.", "passed before", "right 0.25", "fails", "passes"):
        assert told in newly
    assert "passed before" not in Page(cases[1][1]).told


def test_the_page_says_whether_the_gate_is_open_and_why_not(tmp_path: Path) -> None:
    before = results_of(make_suite())
    worse = results_of(make_suite(instead({"case-01": 0.0})))

    well = "".join(Page(written(before, tmp_path)["evals.html"]).told)
    told = "".join(Page(written(worse, tmp_path, before=before)["evals.html"]).told)

    assert "The gate is open" in well
    assert "The gate is shut: something is worse than the baseline." in told
    assert "toy, case-01: a hard case fails now: right 0" in told


def test_markdown_has_a_row_for_each_metric_and_marks_nothing_up(
    tmp_path: Path, hostile: Results
) -> None:
    told = written(hostile, tmp_path)["evals.md"].splitlines()

    assert [line.split(" | ")[0] for line in told if line.startswith("| ")] == [
        "| metric",
        "| right",
        "| no_error",
        "| tokens",
        "| calls",
    ]
    assert not any("<script" in line.replace("\\<", "") for line in told)
