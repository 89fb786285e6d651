"""A prompt's budget: never exceeded, shared fairly, cut where a reader would cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.token_budget import MORE, cut, estimate_tokens, share

WORDS = ["JWT", "contraseña", "parse_http_token", "日本語", "🙂", "{}", "1234", "the", "\n\n"]
PROSE = st.lists(st.sampled_from(WORDS), max_size=80).map(" ".join)
KEYS = st.lists(st.sampled_from([*WORDS, "x" * 40]), max_size=80).map("".join)
TEXT = st.one_of(PROSE, KEYS, st.text(max_size=300))


@pytest.mark.parametrize(
    ("text", "counted"),  # by Qwen2.5-Coder's own tokenizer
    [
        ("Guardar las contraseñas con sal y hash", 9),
        ("how do I store passwords safely in a database table", 10),
        ("def double(n: int) -> int:\n    return n * 2\n", 16),
    ],
)
def test_the_estimate_is_above_what_a_tokenizer_counts_and_below_its_double(
    text: str, counted: int
) -> None:
    assert counted <= estimate_tokens(text) <= 2 * counted


def test_what_looks_like_a_key_costs_a_token_for_each_character() -> None:
    assert estimate_tokens("a8Fk" * 10) == 40


@given(TEXT, st.integers(0, 200))
def test_a_cut_never_costs_more_than_it_may(text: str, tokens: int) -> None:
    assert estimate_tokens(cut(text, tokens)) <= tokens


@given(TEXT, st.integers(0, 200))
def test_a_cut_is_the_text_or_its_beginning(text: str, tokens: int) -> None:
    kept = cut(text, tokens)

    assert kept == text or text.startswith(kept.removesuffix(MORE).rstrip())


@given(PROSE, st.integers(20, 200))
def test_a_cut_keeps_half_of_what_it_may_or_all(text: str, tokens: int) -> None:
    kept = cut(text, tokens)

    assert kept == text or estimate_tokens(kept) >= tokens // 2 - 1


def test_a_cut_ends_with_a_paragraph_a_line_or_a_word() -> None:
    paragraphs = "uno dos tres cuatro\n\ncinco seis siete ocho"

    assert cut(paragraphs, 11) == "uno dos tres cuatro\n…"
    assert cut(paragraphs.replace("\n\n", "\n"), 11) == "uno dos tres cuatro\n…"
    assert cut(paragraphs.replace("\n\n", " "), 10) == "uno dos tres cuatro…"
    assert cut("x" * 100, 14) == "x" * 10 + "…"


@given(st.lists(TEXT, min_size=1, max_size=8), st.integers(0, 600))
def test_a_share_never_costs_more_than_the_budget(texts: list[str], tokens: int) -> None:
    shared = share(texts, tokens)

    assert estimate_tokens("\n".join(shared)) <= tokens or shared == [""] * len(texts)


@given(st.lists(PROSE, min_size=1, max_size=8), st.integers(100, 600))
def test_every_text_is_whole_or_gets_half_of_its_share(texts: list[str], tokens: int) -> None:
    least = tokens // len(texts) // 2 - 2

    shared = share(texts, tokens)

    for text, kept in zip(texts, shared, strict=True):
        assert kept == text or estimate_tokens(kept) >= least


def test_what_the_short_ones_leave_goes_to_the_long_ones() -> None:
    long, short = "palabra " * 200, "corto"

    alone = share([long, long, long], 300)
    beside_short = share([long, short, short], 300)

    assert beside_short[1:] == [short, short]
    assert estimate_tokens(beside_short[0]) > 2 * estimate_tokens(alone[0])
