"""The keys of somebody else's issuer: a JWK set, fetched by address and kept while it is away.

A token whose key is known never waits. A key that is not known is looked for at the source, by one
fetch at a time that all who need it share, and at most every `SPACING_SECONDS`: whatever tokens
arrive, the source is asked twice a minute. While it does not answer, the keys that it gave last
are good for a day.
"""

import asyncio
import contextlib
import json
import logging
import math
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import httpx2

from api.auth import Header, check_token, read_header, refusal
from api.verified_tokens import VerifiedTokens
from tools.errors import KeysUnavailable, SetupError

SPACING_SECONDS: Final = 30.0
REFRESH_SECONDS: Final = 300.0
"""A key that the source does not list any more is refused after this time."""
MAX_STALE_SECONDS: Final = 86_400.0
FETCH_SECONDS: Final = 5.0
MAX_DOCUMENT_BYTES: Final = 65_536
MAX_KEYS: Final = 100
RSA_BITS: Final = range(2_048, 8_193)
LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
BY_CURVE: Final[Mapping[str, str]] = {
    "P-256": "ES256",
    "P-384": "ES384",
    "P-521": "ES512",
    "Ed25519": "EdDSA",
}
RSA_ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
ALGORITHMS: Final = frozenset({*RSA_ALGORITHMS, *BY_CURVE.values()})
_PRIVATE: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PublicKey:
    """A key of the set, and the algorithms that a key of its type signs by."""

    key_id: str | None
    algorithms: frozenset[str]
    key: Any = field(repr=False)


class KeySet:
    """The keys at `url`; tokens must name `issuer` and `audience`. `clock` gives seconds."""

    def __init__(
        self,
        url: str,
        *,
        client: httpx2.AsyncClient,
        issuer: str,
        audience: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = checked_url(url)
        self._client = client
        self._issuer = issuer
        self._audience = audience
        self._clock = clock
        self._keys: tuple[PublicKey, ...] = ()
        self._verified = VerifiedTokens()
        self._fetched_at = -math.inf
        self._next_fetch_at = -math.inf
        self._has_failed = False
        self._fetching: asyncio.Task[None] | None = None

    async def identify(self, token: str) -> str:
        """Return the id of the user that `token` speaks for.

        Raises AuthError, and KeysUnavailable where its key is not known and cannot be looked up.
        """
        header = read_header(token)
        if header.algorithm not in ALGORITHMS:
            raise refusal()
        key = self._find(header)
        if key is None:
            await self.refresh()
            key = self._find(header)
        if key is None:
            if self._has_failed or not self._known():
                raise KeysUnavailable(retry_after=self._seconds_until_fetch())
            raise refusal()
        return self._verified.find(token) or self._verified.keep(
            token,
            check_token(
                token,
                key.key,
                algorithm=header.algorithm,
                issuer=self._issuer,
                audience=self._audience,
            ),
        )

    async def refresh(self) -> None:
        """Fetch the keys, or wait for whoever is doing so; nothing happens before it is time."""
        if self._fetching is None:
            if self._clock() < self._next_fetch_at:
                return
            self._next_fetch_at = self._clock() + SPACING_SECONDS
            self._fetching = asyncio.create_task(self._fetch())
        await asyncio.shield(self._fetching)

    @contextlib.asynccontextmanager
    async def kept_fresh(self) -> AsyncIterator[None]:
        """Fetch the keys now and every few minutes while the block runs, beside it."""
        keeper = asyncio.create_task(self._keep_fresh())
        try:
            yield
        finally:
            for task in (keeper, self._fetching):
                if task is not None:
                    task.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await task

    async def _keep_fresh(self) -> None:
        while True:
            await self.refresh()
            await asyncio.sleep(SPACING_SECONDS if self._has_failed else REFRESH_SECONDS)

    def _known(self) -> tuple[PublicKey, ...]:
        is_too_old = self._clock() - self._fetched_at > MAX_STALE_SECONDS
        return () if is_too_old else self._keys

    def _find(self, header: Header) -> PublicKey | None:
        """Return the key of that id and algorithm; without an id, the only one that there is."""
        fitting = [key for key in self._known() if header.algorithm in key.algorithms]
        if header.key_id is None:
            return fitting[0] if len(fitting) == 1 else None
        return next((key for key in fitting if key.key_id == header.key_id), None)

    def _seconds_until_fetch(self) -> int:
        return max(1, math.ceil(self._next_fetch_at - self._clock()))

    async def _fetch(self) -> None:
        try:
            async with asyncio.timeout(FETCH_SECONDS):
                body = await fetch_document(self._client, self._url)
            keys = await asyncio.to_thread(parse_keys, body)
        except Exception as error:  # whatever is answered there, the keys that are here stay
            self._has_failed = True
            _count("failed")
            log.warning("the keys at GOALS_JWKS_URL cannot be read: %s", type(error).__name__)
        else:
            self._keys, self._fetched_at, self._has_failed = keys, self._clock(), False
            self._verified.forget()  # a key may have been withdrawn, or be another under its name
            _count("read")
        finally:
            self._fetching = None


def checked_url(url: str) -> str:
    """Return `url` if keys may come from there: by https, or by http from this machine."""
    parts = urlsplit(url)
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)
    if not is_safe or not parts.hostname or "@" in parts.netloc:
        raise SetupError(
            "GOALS_JWKS_URL must begin with https:// (http:// from this machine only) "
            "and hold no password"
        )
    return url


async def fetch_document(client: httpx2.AsyncClient, url: str) -> bytes:
    """Return the bytes at `url`. Raises ValueError for any status but 200 and for too many."""
    headers = {
        "Accept": "application/jwk-set+json, application/json",
        "Accept-Encoding": "identity",
    }
    body = bytearray()
    async with client.stream(
        "GET", url, headers=headers, timeout=FETCH_SECONDS, follow_redirects=False
    ) as response:
        if response.status_code != httpx2.codes.OK:
            raise ValueError(f"status {response.status_code}")
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > MAX_DOCUMENT_BYTES:
                raise ValueError("the document is too large")
    return bytes(body)


def parse_keys(document: bytes) -> tuple[PublicKey, ...]:
    """Return the keys of a JWK set that tokens can be checked with.

    Symmetric, private, weak and unknown ones are passed over. Raises ValueError where it is no JWK
    set or none is left.
    """
    try:
        found = json.loads(document)
    except RecursionError as error:
        raise ValueError("no JWK set") from error
    listed = found.get("keys") if isinstance(found, dict) else None
    if not isinstance(listed, list):
        raise ValueError("no JWK set")
    keys = tuple(key for each in listed[:MAX_KEYS] if (key := _public_key(each)) is not None)
    if not keys:
        raise ValueError("no key that can be used")
    return keys


def _public_key(jwk: Any) -> PublicKey | None:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from jwt import PyJWK, PyJWTError

    possible = _algorithms(jwk) if _is_for_signatures(jwk) else ()
    if not possible:
        return None
    try:
        key = PyJWK(jwk, algorithm=min(possible)).key
    except (PyJWTError, UnsupportedAlgorithm, ValueError, TypeError, KeyError):
        return None
    if isinstance(key, RSAPublicKey) and key.key_size not in RSA_BITS:
        return None
    return PublicKey(jwk.get("kid"), frozenset(possible), key)


def _is_for_signatures(jwk: Any) -> bool:
    """Tell a public key that checks signatures from whatever else stands in a set."""
    if not isinstance(jwk, dict) or _PRIVATE & jwk.keys():
        return False
    operations = jwk.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        return False
    return isinstance(jwk.get("kid"), str | None) and jwk.get("use", "sig") == "sig"


def _algorithms(jwk: Mapping[str, Any]) -> frozenset[str]:
    """Return the algorithms of a key's own type, or the one of them that it is bound to."""
    kind, curve, bound = jwk.get("kty"), jwk.get("crv"), jwk.get("alg")
    if kind == "RSA":
        of_type = frozenset(RSA_ALGORITHMS)
    elif isinstance(curve, str) and kind == ("OKP" if curve == "Ed25519" else "EC"):
        of_type = frozenset({BY_CURVE[curve]} if curve in BY_CURVE else ())
    else:
        return frozenset()
    return of_type if bound is None else of_type & {bound if isinstance(bound, str) else ""}


def _count(result: Literal["read", "failed"]) -> None:
    from api.identity_metrics import KEY_FETCHES

    KEY_FETCHES.labels(result).inc()
