"""A turn of the model: words as they come, calls, and calls that small models write as text."""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.links import unlink
from agent.talk import Call, Spoken, read_written_call, talk
from tests.talkers import Turn, played
from tools.errors import ModelRefused, ModelTimeout, ModelTruncated

NAMES = frozenset({"search_goals", "propose_goals"})
TOOLS = [
    {"type": "function", "function": {"name": name, "parameters": {}}} for name in sorted(NAMES)
]
CALL = {"name": "search_goals", "arguments": {"query": "bases de datos"}}


async def said(turn: Turn, *, deadline: float = 5.0) -> tuple[Spoken, list[str]]:
    pieces: list[str] = []
    spoken = await talk(
        played(turn), [], tools=TOOLS, max_tokens=100, deadline=deadline, on_text=pieces.append
    )
    return spoken, pieces


async def test_words_are_passed_on_as_they_come() -> None:
    spoken, pieces = await said(Turn(text=["Hola", ", ", "Ana"]))

    assert (spoken.text, spoken.calls) == ("Hola, Ana", ())
    assert "".join(pieces) == "Hola, Ana"
    assert len(pieces) == 3


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(CALL),
        f"```json\n{json.dumps(CALL)}\n```",
        f"<tool_call>\n{json.dumps(CALL)}\n</tool_call>",
        f"<tools></tools>\n\n```json\n{json.dumps(CALL)}\n```",
        f"<tools></tools>\n\n{{{json.dumps(CALL)}}}\n<tools></tools>",
    ],
)
async def test_a_call_that_is_written_as_text_is_a_call(text: str) -> None:
    spoken, pieces = await said(Turn(text=[text[:5], text[5:11], text[11:]]))

    [call] = spoken.calls
    assert (call.name, call.arguments) == ("search_goals", {"query": "bases de datos"})
    assert (spoken.text, pieces) == ("", [])


@pytest.mark.parametrize(
    "text", ["```python\nprint(1)\n```", '{"name": "rm", "arguments": {}}', "{}", "<b>hola</b>"]
)
async def test_text_that_only_looks_like_a_call_is_said(text: str) -> None:
    spoken, pieces = await said(Turn(text=list(text)))

    assert (spoken.text, spoken.calls) == (text, ())
    assert "".join(pieces) == text


async def test_calls_come_with_their_arguments_and_unreadable_ones_without() -> None:
    spoken, _ = await said(Turn(calls=[("search_goals", {"query": "x"}), ("search_goals", "{bad")]))

    assert [call.arguments for call in spoken.calls] == [{"query": "x"}, None]


@pytest.mark.parametrize(
    ("finish", "error"), [("length", ModelTruncated), ("content_filter", ModelRefused)]
)
async def test_a_turn_that_is_not_whole_is_an_error(finish: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        await said(Turn(text=["A medi"], calls=[("search_goals", {"query": "x"})], finish=finish))


async def test_a_turn_that_stalls_ends_at_the_deadline() -> None:
    with pytest.raises(ModelTimeout):
        await said(Turn(text=["a", "b"], wait=asyncio.Event()), deadline=0.05)


@given(st.text(max_size=60))
def test_no_text_breaks_the_reading_of_a_written_call(text: str) -> None:
    call = read_written_call(text, NAMES)

    assert call is None or isinstance(call, Call)


@given(
    st.dictionaries(st.text(max_size=9), st.integers() | st.text(max_size=9)), st.text(max_size=9)
)
def test_a_written_call_is_read_back(arguments: dict[str, Any], after: str) -> None:
    text = json.dumps({"name": "propose_goals", "arguments": arguments}) + "\n" + after

    call = read_written_call(text, NAMES)

    assert call is not None
    assert (call.name, call.arguments) == ("propose_goals", arguments)


async def test_no_address_in_the_words_is_alive_however_they_are_cut() -> None:
    text = "Mira: ![plan](https://evil.example/?q=meta) y www.evil.example"

    spoken, pieces = await said(Turn(text=list(text)))

    assert spoken.text == "".join(pieces) == unlink(text)
    assert "](" not in spoken.text
