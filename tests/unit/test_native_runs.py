"""Right and wrong programs in languages that are built, from a task's text to the outcomes."""

import pytest

from tests.native_samples import SAMPLES, Sample
from tests.toolchains import skip_without
from tools.analysis.examples.finder import find_examples
from tools.analysis.runs.sandbox import run_examples
from tools.analysis.syntax import check_syntax

BAD = ("fail", "error", "timeout")


each_sample = pytest.mark.parametrize(
    "sample", SAMPLES, ids=lambda sample: f"{sample.language}: {sample.name}"
)


@each_sample
def test_the_examples_of_a_task_are_found(sample: Sample) -> None:
    found = find_examples(sample.text, language=sample.language)

    assert [one.expression for one in found] and len(found) == sample.count, found


@each_sample
async def test_a_right_program_passes_all_examples(sample: Sample) -> None:
    skip_without(sample.language)
    examples = find_examples(sample.text, language=sample.language)

    report = await run_examples(sample.right, sample.language, examples)

    assert report.reason is None
    assert [one.status for one in report.outcomes] == ["pass"] * sample.count, report.outcomes


@each_sample
async def test_a_wrong_program_fails_an_example(sample: Sample) -> None:
    skip_without(sample.language)
    examples = find_examples(sample.text, language=sample.language)

    report = await run_examples(sample.wrong, sample.language, examples)

    assert any(one.status in BAD for one in report.outcomes), report.outcomes


@each_sample
def test_the_samples_are_sound_to_the_parsers(sample: Sample) -> None:
    assert check_syntax(sample.right, sample.language).problems == ()
    assert check_syntax(sample.wrong, sample.language).problems == ()
