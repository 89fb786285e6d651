"""Exceptions in the log: their way, their types, and no word that a learner may have sent."""

import sys
from typing import Any

import psycopg
import pytest
from pydantic import BaseModel, ValidationError
from sqlalchemy.exc import IntegrityError

from api.redaction import format_exception
from tools.errors import SetupError

CANARY = "canary-51c7"


class Shape(BaseModel):
    number: int


def formatted(error: BaseException) -> str:
    try:
        raise error
    except BaseException:
        raised: Any = sys.exc_info()
    return format_exception(raised)


def invalid() -> ValidationError:
    with pytest.raises(ValidationError) as caught:
        Shape.model_validate({"number": CANARY})
    return caught.value


@pytest.mark.parametrize(
    "error",
    [
        ValueError(CANARY),
        KeyError(CANARY),
        UnicodeEncodeError("utf-8", CANARY, 0, 1, CANARY),
        psycopg.errors.UniqueViolation(f"Key (email)=({CANARY}) already exists."),
        IntegrityError("insert", {"email": CANARY}, psycopg.errors.UniqueViolation(CANARY)),
        invalid(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_words_that_may_be_a_learner_s_are_left_out(error: Exception) -> None:
    text = formatted(error)

    assert CANARY not in text
    assert type(error).__name__ in text
    assert "test_redaction.py" in text


def test_a_driver_s_error_keeps_its_sqlstate() -> None:
    error = IntegrityError("insert", None, psycopg.errors.UniqueViolation(CANARY))

    assert "SQLSTATE 23505" in formatted(error)


@pytest.mark.parametrize("error", [SetupError("there is no model"), OSError(2, "No such file")])
def test_words_about_the_program_stay(error: Exception) -> None:
    assert str(error) in formatted(error)


def test_causes_are_told_first() -> None:
    error = RuntimeError("said by nobody")
    error.__cause__ = ConnectionResetError(104, "reset by peer")

    text = formatted(error)

    assert text.index("ConnectionResetError") < text.index("RuntimeError")
    assert "reset by peer" in text
