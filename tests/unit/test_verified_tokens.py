"""Tokens are checked once: what is remembered of them, for how long, and what never is."""

from datetime import UTC, datetime
from typing import Any, Final
from unittest import mock

import jwt
import pytest

from api.auth import JwtConfig, make_token
from api.verified_tokens import Verified, VerifiedTokens
from tools.errors import AuthError

SECRET: Final = b"a secret of tests, 32 bytes long"
ANA: Final = Verified("usr_ana", expires=100.0)


def config() -> JwtConfig:
    return JwtConfig(secret=SECRET, issuer="here", audience="us")


async def test_a_tokens_signature_is_checked_once() -> None:
    ours = config()
    token = make_token(ours, user_id="usr_ana", hours=1, now=datetime.now(UTC))
    await ours.identify(token)

    with mock.patch.object(jwt, "decode", side_effect=AssertionError("checked again")):
        user_id = await ours.identify(token)

    assert user_id == "usr_ana"


@pytest.mark.parametrize("changed", [lambda token: token + "A", lambda token: token[:-1]])
async def test_a_token_that_looks_like_a_known_one_is_checked_itself(changed: Any) -> None:
    ours = config()
    token = make_token(ours, user_id="usr_ana", hours=1, now=datetime.now(UTC))
    await ours.identify(token)

    with pytest.raises(AuthError):
        await ours.identify(changed(token))


async def test_what_one_secret_has_accepted_another_has_not() -> None:
    ours, theirs = config(), JwtConfig(secret=SECRET * 2, issuer="here", audience="us")
    token = make_token(ours, user_id="usr_ana", hours=1, now=datetime.now(UTC))
    await ours.identify(token)

    with pytest.raises(AuthError):
        await theirs.identify(token)


async def test_a_refusal_is_not_remembered_as_anything() -> None:
    ours = config()
    token = make_token(ours, user_id="usr_ana", hours=-1, now=datetime.now(UTC))

    codes = []
    for _ in range(2):
        with pytest.raises(AuthError) as caught:
            await ours.identify(token)
        codes.append(caught.value.code)

    assert codes == ["AUTH_EXPIRED"] * 2


def test_a_token_is_known_until_it_expires() -> None:
    now = 0.0
    tokens = VerifiedTokens(clock=lambda: now)
    tokens.keep("a.b.c", ANA)

    now = 99.9
    before = tokens.find("a.b.c")
    now = 100.0
    after = tokens.find("a.b.c")

    assert (before, after) == ("usr_ana", None)


def test_of_too_many_tokens_the_one_that_nobody_shows_is_forgotten() -> None:
    tokens = VerifiedTokens(most=2, clock=lambda: 0.0)
    for name in ("first", "second"):
        tokens.keep(name, ANA)

    tokens.find("first")
    tokens.keep("third", ANA)

    assert [tokens.find(name) is not None for name in ("first", "second", "third")] == [
        True,
        False,
        True,
    ]


def test_tokens_themselves_are_not_kept() -> None:
    tokens = VerifiedTokens(clock=lambda: 0.0)

    tokens.keep("a.secret.token", ANA)

    assert "a.secret.token" not in repr(vars(tokens))
