"""Tokens: what is accepted, and everything that is not."""

import base64
import hashlib
import hmac
import json
import logging
import time
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from api.auth import MAX_TOKEN_CHARACTERS, JwtConfig, make_token, verify_token
from tools.errors import AuthError, SetupError

SECRET: Final = b"a secret of tests, 32 bytes long"
CONFIG: Final = JwtConfig(secret=SECRET, issuer="here", audience="us")
USER: Final = "usr_0193f2c8a7b17c3e9d1f5a6b7c8d9e0f"


def _claims(**changes: Any) -> dict[str, Any]:
    """Return good claims, changed; good for an hour, since parameters are made at collection."""
    now = int(time.time())
    claims = {"iss": "here", "aud": "us", "sub": USER, "iat": now, "exp": now + 3_600, **changes}
    return {name: value for name, value in claims.items() if value is not ...}


def _part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def _code(token: str) -> str:
    with pytest.raises(AuthError) as caught:
        verify_token(CONFIG, token)
    assert caught.value.status == 401
    return caught.value.code


def test_a_token_speaks_for_the_user_that_it_was_made_for() -> None:
    token = make_token(CONFIG, user_id=USER, hours=1, now=datetime.now(UTC))

    assert verify_token(CONFIG, token) == USER


def test_a_token_that_was_good_once_has_expired() -> None:
    token = make_token(CONFIG, user_id=USER, hours=1, now=datetime.now(UTC) - timedelta(hours=2))

    assert _code(token) == "AUTH_EXPIRED"


@pytest.mark.parametrize(
    "claims",
    [
        _claims(iss="elsewhere"),
        _claims(iss=None),
        _claims(aud="them"),
        _claims(aud=["them"]),
        _claims(aud={}),
        _claims(iat=time.time() + 3_600),
        _claims(nbf=time.time() + 3_600),
        _claims(exp="never"),
        _claims(exp=float("inf")),
        _claims(exp=[1]),
        _claims(exp=float("nan")),
        _claims(exp=10**30),
        _claims(exp=1e300),
        _claims(exp="32503680000"),
        _claims(iat="0"),
        _claims(iat=True),
        _claims(iat=-1),
        _claims(iat=float("-inf")),
        _claims(iat={}),
        _claims(nbf="0"),
        _claims(nbf=False),
        _claims(nbf=float("nan")),
        _claims(iss=["here"]),
        _claims(aud=[["us"]]),
        _claims(aud=["us", 7]),
        _claims(jti=7),
        _claims(sub=["usr"]),
        _claims(sub={"id": 1}),
        _claims(sub=True),
        _claims(sub=7),
        _claims(sub=""),
        _claims(sub=None),
        _claims(sub="x" * 37),
        _claims(sub="usr_\0"),
        _claims(sub="usr_ñ"),
        *(_claims(**{name: ...}) for name in ("exp", "iat", "iss", "aud", "sub")),
    ],
)
def test_an_odd_or_missing_claim_makes_a_token_invalid(claims: dict[str, Any]) -> None:
    token = jwt.api_jws.encode(json.dumps(claims).encode(), SECRET, algorithm="HS256")

    assert _code(token) == "AUTH_INVALID"


def test_another_secret_makes_a_token_invalid() -> None:
    assert _code(jwt.encode(_claims(), b"x" * 32, algorithm="HS256")) == "AUTH_INVALID"


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", ""])
def test_an_unsigned_token_is_invalid(algorithm: str) -> None:
    header = _part({"alg": algorithm, "typ": "JWT"})

    for signature in ("", "AAAA"):
        assert _code(f"{header}.{_part(_claims())}.{signature}") == "AUTH_INVALID"


def test_the_algorithm_is_ours_and_not_the_tokens() -> None:
    config = JwtConfig(secret=SECRET * 2, issuer="here", audience="us")
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    tokens = [
        jwt.encode(_claims(), config.secret, algorithm="HS512"),
        jwt.encode(_claims(), config.secret, algorithm="HS384"),
        jwt.encode(_claims(), key, algorithm="RS256"),
    ]

    for token in tokens:
        with pytest.raises(AuthError):
            verify_token(config, token)


@pytest.mark.parametrize(
    "headers",
    [
        {"kid": "../../../dev/null"},
        {"kid": "' or 1=1 --"},
        {"jku": "http://127.0.0.1:9/keys"},
        {"jwk": {"kty": "oct", "k": "AAAA"}},
        {"x5u": "http://127.0.0.1:9/cert"},
    ],
)
def test_a_key_that_the_token_names_is_never_looked_at(headers: dict[str, Any]) -> None:
    forged = jwt.encode(_claims(), b"\0" * 32, algorithm="HS256", headers=headers)
    genuine = jwt.encode(_claims(), SECRET, algorithm="HS256", headers=headers)

    assert _code(forged) == "AUTH_INVALID"
    assert verify_token(CONFIG, genuine) == USER


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "a.b.c",
        "ñ.ñ.ñ",
        "\0",
        "e30.e30.e30",
        "a" * (MAX_TOKEN_CHARACTERS + 1),
        _part({"alg": "HS256", "crit": ["exp"]}) + ".e30.AAAA",
        _part({"alg": {"a": []}}) + ".e30.AAAA",
        "W10.W10.AAAA",
    ],
)
def test_garbage_is_invalid(token: str) -> None:
    assert _code(token) == "AUTH_INVALID"


_JSON: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
_NAMES: Final = st.sampled_from(["iss", "aud", "sub", "iat", "exp", "nbf", "jti", "x"])


def _signed(header: Any, claims: Any) -> str:
    body = f"{_part(header)}.{_part(claims)}"
    signature = hmac.digest(SECRET, body.encode(), hashlib.sha256)
    return f"{body}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


@given(token=st.text(max_size=300) | st.from_regex(r"[\w-]*\.[\w-]*\.[\w-]*", fullmatch=True))
@settings(max_examples=200)
def test_whatever_text_is_no_token(token: str) -> None:
    assert _code(token) == "AUTH_INVALID"


@given(changes=st.dictionaries(_NAMES, _JSON, min_size=1, max_size=3))
@settings(max_examples=200)
def test_a_genuine_signature_over_whatever_claims_gives_a_sound_user_or_a_refusal(
    changes: dict[str, Any],
) -> None:
    claims = _claims(**changes)

    try:
        user_id = verify_token(CONFIG, _signed({"alg": "HS256"}, claims))
    except AuthError as error:
        assert error.code in {"AUTH_INVALID", "AUTH_EXPIRED"}
        return

    assert user_id == claims["sub"]
    assert 0 < len(user_id) <= 36
    assert (claims["iss"], claims["exp"] > time.time() - 10) == ("here", True)
    assert claims["aud"] == "us" or "us" in claims["aud"]


@given(header=_JSON | st.dictionaries(st.sampled_from(["alg", "kid", "crit", "b64", "typ"]), _JSON))
@settings(max_examples=200)
def test_a_genuine_signature_under_whatever_header_is_refused_unless_it_is_ours(
    header: Any,
) -> None:
    assert _code(_signed(header, _claims())) == "AUTH_INVALID"


@given(position=st.integers(min_value=0), character=st.characters())
@settings(max_examples=200)
def test_a_token_that_was_changed_anywhere_is_invalid_or_means_the_same(
    position: int, character: str
) -> None:
    token = make_token(CONFIG, user_id=USER, hours=1, now=datetime.now(UTC))
    at = position % len(token)

    changed = token[:at] + character + token[at + 1 :]

    try:
        assert verify_token(CONFIG, changed) == USER
    except AuthError as error:
        assert error.code == "AUTH_INVALID"
    else:
        assert _same_bytes(changed, token)


def _same_bytes(one: str, other: str) -> bool:
    """Tell whether two tokens differ in the unused last bits of their base64 at most."""
    return all(
        base64.urlsafe_b64decode(a + "==") == base64.urlsafe_b64decode(b + "==")
        for a, b in zip(one.split("."), other.split("."), strict=True)
    )


def test_crit_is_refused_even_where_it_is_understood() -> None:
    for header in ({"crit": ["exp"], "exp": 1}, {"crit": ["b64"], "b64": True}, {"b64": False}):
        assert _code(_signed({"alg": "HS256", **header}, _claims())) == "AUTH_INVALID"


def test_a_refusal_names_nothing_of_the_token(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    with pytest.raises(AuthError) as caught:
        verify_token(CONFIG, _signed({"alg": "HS256"}, _claims(sub="canary" * 10)))

    assert "canary" not in repr(caught.value) + caught.value.detail + caplog.text


def test_a_short_secret_is_refused_and_a_secret_is_never_shown() -> None:
    with pytest.raises(SetupError, match="GOALS_JWT_SECRET has 31 bytes"):
        JwtConfig(secret=b"x" * 31, issuer="here", audience="us")

    assert "secret of tests" not in repr(CONFIG)
