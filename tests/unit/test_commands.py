"""Decisions as text: what is a command, what it decides, and that no other text is one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.commands import read_command
from agent.review import Decision
from tools.errors import InputError

QUESTION = "int_0123456789abcdef0123456789abcdef"
KEYS = st.lists(st.from_regex(r"[gts][1-9]", fullmatch=True), min_size=1, max_size=7, unique=True)


@pytest.mark.parametrize(
    ("text", "decisions", "rest"),
    [
        (f"/accept {QUESTION} all", {}, "accept"),
        (f"/aceptar {QUESTION} todo", {}, "accept"),
        (f"/accept {QUESTION}", {}, "accept"),
        (f"/reject {QUESTION}", {}, "reject"),
        (
            f"/accept {QUESTION} g1, g3",
            {"g1": Decision("accept"), "g3": Decision("accept")},
            "reject",
        ),
        (
            f"/edit {QUESTION} t1 title=Una prueba = dos\n/edit {QUESTION} t1 estimated_hours=2.5",
            {"t1": Decision("edit", {"title": "Una prueba = dos", "estimated_hours": 2.5})},
            "reject",
        ),
    ],
)
def test_a_command_decides_what_it_names(
    text: str, decisions: dict[str, Decision], rest: str
) -> None:
    command = read_command(text)

    assert command is not None
    assert (command.interrupt_id, dict(command.decisions), command.rest) == (
        QUESTION,
        decisions,
        rest,
    )


@pytest.mark.parametrize(
    "text",
    ["sí, acepto todo", "accept all", "/accept all", f"mira: /accept {QUESTION}", "/help", ""],
)
def test_any_other_message_is_just_a_message(text: str) -> None:
    assert read_command(text) is None


@pytest.mark.parametrize(
    "text",
    [
        f"/accept {QUESTION} g1\ny gracias",
        f"/accept {QUESTION} g1\n/accept {QUESTION[:-1]} g1",
        f"/edit {QUESTION} g1",
        f"/edit {QUESTION} t1 estimated_hours=mucho",
    ],
)
def test_a_command_that_cannot_be_understood_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        read_command(text)


@given(KEYS, KEYS)
def test_the_last_word_on_an_item_counts(accepted: list[str], rejected: list[str]) -> None:
    text = f"/accept {QUESTION} {' '.join(accepted)}\n/reject {QUESTION} {' '.join(rejected)}"

    command = read_command(text)

    assert command is not None
    assert {key: one.action for key, one in command.decisions.items()} == {
        **dict.fromkeys(accepted, "accept"),
        **dict.fromkeys(rejected, "reject"),
    }


@given(st.text(max_size=200))
def test_no_text_breaks_the_reading(text: str) -> None:
    assert read_command(text) is None or text.lstrip().startswith("/")
