import textwrap

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.bounds import thinking_at_most
from tools.analysis.anchors import Anchor, locate
from tools.analysis.syntax import split_lines

CODE = textwrap.dedent(
    """\
    def mean(values):
        total = 0
        for value in values:
            total += value

        return total / len(values)


    def spread(values):
        middle = mean(values)
        return max(abs(value - middle) for value in values)
    """
)


def test_a_verbatim_quote_is_exact() -> None:
    assert locate("    for value in values:\n        total += value", CODE) == Anchor(3, 4, "exact")


def test_a_part_of_a_line_is_exact() -> None:
    assert locate("total / len(values)", CODE) == Anchor(6, 6, "exact")


def test_a_quote_with_other_spaces_is_normalised() -> None:
    assert locate("for  value in values:\n\ttotal +=  value", CODE) == Anchor(3, 4, "normalised")


def test_a_quote_without_the_blank_lines_is_normalised() -> None:
    assert locate("total += value\nreturn total / len(values)", CODE) == Anchor(4, 6, "normalised")


def test_a_quote_joined_into_one_line_is_normalised() -> None:
    assert locate("for value in values: total += value", CODE) == Anchor(3, 4, "normalised")


def test_a_slightly_wrong_quote_is_found_in_a_window() -> None:
    quote = "return max(abs(value - midle) for value in values)"

    assert locate(quote, CODE) == Anchor(11, 11, "window")


def test_several_equal_places_give_the_first_and_say_so() -> None:
    code = "x = 1\ny = 2\nx = 1\n"

    assert locate("x = 1", code) == Anchor(1, 1, "exact", ambiguous=True)


def test_two_close_places_give_nothing() -> None:
    code = "result_one = compute(values, 1)\n\nresult_two = compute(values, 1)\n"

    assert locate("result_xyz = compute(values, 1)", code) is None


def test_an_invented_quote_gives_nothing() -> None:
    assert locate("while True:\n    launch_missiles()", CODE) is None
    assert locate("", CODE) is None
    assert locate("  \n ", CODE) is None
    assert locate("`", CODE) is None


def test_lines_are_counted_as_editors_count_them() -> None:
    code = "a = 1\r\nb = '\x0c \u2028'\r\nc = 3\r\n"

    assert locate("c = 3", code) == Anchor(3, 3, "exact")


def test_a_long_file_is_searched_in_bounded_time() -> None:
    code = "\n".join(f"value_{n} = compute(value_{n - 1}, factor={n})" for n in range(10_000))

    with thinking_at_most(3):
        assert locate("valeu_x = computed(value_x, faktor=x) # or something like it", code) is None


@settings(max_examples=200)
@given(
    st.lists(st.text("ab =()#\t", max_size=8), min_size=1, max_size=12),
    st.data(),
    st.integers(0, 6),
)
def test_a_run_of_lines_is_located_however_it_is_indented(
    lines: list[str], data: st.DataObject, indent: int
) -> None:
    start = data.draw(st.integers(0, len(lines) - 1))
    end = data.draw(st.integers(start, len(lines) - 1))
    run = lines[start : end + 1]
    assume(run[0].strip() and run[-1].strip())
    quote = "\n".join(" " * indent + line for line in run)

    anchor = locate(quote, "\n".join(lines))

    assert anchor is not None
    found = lines[anchor.start_line - 1 : anchor.end_line]
    assert [" ".join(line.split()) for line in found] == [" ".join(line.split()) for line in run]
    assert anchor.start_line <= start + 1


@settings(max_examples=300)
@given(st.text(max_size=120), st.text(max_size=300))
def test_no_quote_raises_and_every_anchor_lies_in_the_code(quote: str, code: str) -> None:
    anchor = locate(quote, code)

    if anchor is not None:
        assert 1 <= anchor.start_line <= anchor.end_line <= len(split_lines(code))
