import pytest

from tools.analysis.facts.fact import Metrics, Unusable
from tools.analysis.facts.metrics import LANGUAGES, measure

SECONDS = 20.0


async def test_lines_functions_and_branches_are_counted() -> None:
    code = "# note\n\ndef f(a):\n    if a and a > 1:\n        return 1\n    return 2\n"

    measured = await measure(code, "python", seconds=SECONDS)

    assert measured == Metrics(
        lines=6, code_lines=4, functions=1, max_complexity=3, longest_function=4
    )


@pytest.mark.parametrize("language", sorted(LANGUAGES))
async def test_every_language_is_measured_also_without_code(language: str) -> None:
    measured = await measure("", language, seconds=SECONDS)

    assert (measured.functions, measured.max_complexity) == (0, 0)


async def test_a_comment_of_the_author_leaves_no_function_out() -> None:
    code = (
        "def f():  # lizard forgives\n    # lizard forgives\n    # GENERATED CODE\n    return 1\n"
    )

    assert (await measure(code, "python", seconds=SECONDS)).functions == 1


async def test_a_process_that_is_too_slow_is_given_up() -> None:
    with pytest.raises(Unusable, match="took longer"):
        await measure("x = 1\n", "python", seconds=0.001)
