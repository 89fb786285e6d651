"""Variants of a call: of the same form, different from it, and the same each time."""

import ast

from hypothesis import given
from hypothesis import strategies as st

from tools.analysis.examples.expressions import is_closed_call, parse_expression
from tools.analysis.probes.boundaries import MAX_VARIANTS, vary

VALUES = st.recursive(
    st.integers(-1000, 1000) | st.text(max_size=8) | st.booleans() | st.floats(-9, 9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)


@given(st.lists(VALUES, min_size=1, max_size=3))
def test_a_variant_is_another_call_of_the_same_function(arguments: list[object]) -> None:
    call = f"f({', '.join(map(repr, arguments))})"

    variants = vary(call)

    assert variants == vary(call)
    assert len(set(variants)) == len(variants) <= MAX_VARIANTS
    for variant in variants:
        node = parse_expression(variant)
        assert isinstance(node, ast.Call)
        assert is_closed_call(node)
        assert len(node.args) == len(arguments)


def test_the_edges_come_early() -> None:
    assert {"f([])", "f([1])", "f([2, 1])"} <= set(vary("f([1, 2])")[:4])
    assert "f('')" in vary("f('ab')")
    assert {"f(2, 1)", "f(1, 1)"} <= set(vary("f(1, 2)")[:6])


def test_numbers_inside_a_text_change_too() -> None:
    assert "newer('10.2', '1.3')" in vary("newer('1.2', '1.3')")


def test_what_is_no_call_by_itself_has_no_variants() -> None:
    assert vary("f(x)") == vary("1 + 2") == vary("f(") == ()


def test_javascript_is_read_and_written_as_such() -> None:
    variants = vary("f([1, 2], {a: true}, null)", javascript=True)

    assert 'f([], {"a": true}, null)' in variants
    assert 'f([1, 2], {"a": false}, null)' in variants
