"""What may be a name, an address and a password; and how long wrong ones take."""

import logging
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tools.accounts import RegisterIn
from tools.passwords import Passwords, is_guessable

ANA: Final = {
    "username": "ana",
    "email": "ana@example.com",
    "password": "cuatro palabras al azar",
    "full_name": "Ana Pérez",
}


@pytest.mark.parametrize(
    "changes",
    [
        {"username": "ab"},
        {"username": "a" * 51},
        {"username": "ana maría"},
        {"username": "ana\u200bmaria"},
        {"username": "ana\nmaria"},
        {"username": "ana@example.com"},
        {"username": "-ana"},
        {"username": "\u202eana"},
        {"username": 7},
        {"email": "ana"},
        {"email": "ana@example"},
        {"email": "a@b@example.com"},
        {"email": "an a@example.com"},
        {"email": "a\u202ena@example.com"},
        {"email": "x" * 65 + "@example.com"},
        {"email": "a@" + "x" * 250 + ".com"},
        {"email": "ana\0@example.com"},
        {"password": "x" * 14},
        {"password": "x" * 129},
        {"password": "cuatro palabras\0"},
        {"password": "cuatro palabras\ud800"},
        {"password": None},
        {"full_name": ""},
        {"full_name": "x" * 256},
        {"is_superuser": True},
        {"id": "usr_1"},
        {"is_active": False},
    ],
)
def test_an_account_that_cannot_be_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        RegisterIn.model_validate({**ANA, **changes})


def test_names_and_addresses_have_one_form() -> None:
    asked = RegisterIn.model_validate(
        {**ANA, "username": " Ｍａｒía ", "email": "MARÍA@Example.COM"}
    )

    assert (asked.username, asked.email) == ("maría", "maría@example.com")
    assert "azar" not in repr(asked)


@pytest.mark.parametrize(
    ("password", "expected"),
    [
        ("cuatro palabras al azar", False),
        ("áéíóú cinco vocales", False),
        ("🐎🔋📎 correcto grapa", False),
        ("aaaaaaaaaaaaaaaaaaaa", True),
        ("abababababababababab", True),
        ("passwordpassword1", True),
        ("Password123456789!", True),
        ("qwertyuiop1234567890", True),
        ("ana.perez.2026 example", True),
        ("contraseña contraseña", True),
    ],
)
def test_a_password_of_usual_words_is_guessable(password: str, expected: bool) -> None:  # noqa: FBT001 - the expected answer is one
    assert is_guessable(password, about=("ana", "perez", "example", "com")) is expected


@given(password=st.text(max_size=200), about=st.lists(st.text(max_size=20), max_size=4))
@settings(max_examples=60)
def test_whatever_is_asked_about_a_password_is_answered(password: str, about: list[str]) -> None:
    assert is_guessable(password, about=about) in {True, False}


async def test_only_the_password_itself_fits_its_hash() -> None:
    passwords = Passwords()

    hashed = await passwords.hash("cuatro palabras al azar")

    assert hashed.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert await passwords.verify("cuatro palabras al azar", hashed)
    assert not await passwords.verify("cuatro palabras al azar ", hashed)
    assert not await passwords.verify("!", "!")
    assert not await passwords.verify("cuatro palabras al azar", "$argon2id$broken")
    assert not passwords.is_outdated(hashed)


async def test_without_a_hash_as_much_is_computed_as_with_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from argon2 import PasswordHasher

    passwords = Passwords(memory=64, passes=1)
    hashed = await passwords.hash("cuatro palabras al azar")
    checked: list[str] = []
    real = PasswordHasher.verify

    def verify(self: PasswordHasher, against: str, password: str) -> bool:
        checked.append(against)
        return real(self, against, password)

    monkeypatch.setattr(PasswordHasher, "verify", verify)

    for stored in (hashed, None, "!"):
        assert not await passwords.verify("wrong", stored)

    shapes = {against.rsplit("$", 2)[0] for against in checked}
    assert len(checked) == 3
    assert shapes == {"$argon2id$v=19$m=64,t=1,p=4"}


async def test_a_password_is_in_no_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    passwords = Passwords(memory=64, passes=1)
    await passwords.verify("cuatro palabras al azar", await passwords.hash("otra frase larga"))

    assert "palabras" not in caplog.text
    assert "frase" not in caplog.text
