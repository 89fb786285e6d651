"""Another service that issues tokens: its keys, and the server that gives them away."""

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

ISSUER: Final = "https://issuer.example"
AUDIENCE: Final = "goals"
USER: Final = "usr_0193f2c8a7b17c3e9d1f5a6b7c8d9e0f"
RSA_KEY: Final = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
EC_KEY: Final = ec.generate_private_key(ec.SECP256R1())
ED_KEY: Final = ed25519.Ed25519PrivateKey.generate()


def claims(**changes: Any) -> dict[str, Any]:
    """Return good claims, changed; `...` takes one away."""
    now = int(time.time())
    good = {"iss": ISSUER, "aud": AUDIENCE, "sub": USER, "iat": now, "exp": now + 3_600, **changes}
    return {name: value for name, value in good.items() if value is not ...}


def sign(key: Any, algorithm: str, *, kid: str | None = "one", **changes: Any) -> str:
    """Return a token signed with `key`, by whatever algorithm is asked for."""
    headers = {} if kid is None else {"kid": kid}
    return jwt.encode(claims(**changes), key, algorithm=algorithm, headers=headers)


def part(value: Any) -> str:
    """Return `value` as a part of a token."""
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def jwk(key: Any, *, kid: str | None = "one", **members: Any) -> dict[str, Any]:
    """Return the public half of `key` as a JWK."""
    public: dict[str, Any]
    if isinstance(key, rsa.RSAPrivateKey):
        public = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    elif isinstance(key, ec.EllipticCurvePrivateKey):
        public = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    else:
        public = OKPAlgorithm.to_jwk(key.public_key(), as_dict=True)
    public.pop("key_ops", None)
    return {**public, **({} if kid is None else {"kid": kid}), **members}


@dataclass
class Issuer:
    """A server on this machine; change its fields to change what it answers."""

    url: str = ""
    keys: list[dict[str, Any]] = field(default_factory=list)
    status: str = "200 OK"
    body: bytes | None = None
    headers: bytes = b""
    asked: int = 0
    arrivals: "asyncio.Queue[int]" = field(default_factory=asyncio.Queue)
    held: asyncio.Event | None = None
    """Until this is set nothing is answered."""

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request, and close."""
        await reader.readuntil(b"\r\n\r\n")
        self.asked += 1
        self.arrivals.put_nowait(self.asked)
        if self.held is not None:
            await self.held.wait()
        body = json.dumps({"keys": self.keys}).encode() if self.body is None else self.body
        head = f"HTTP/1.1 {self.status}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n"
        writer.write(head.encode() + self.headers + b"\r\n" + body)
        writer.close()


@asynccontextmanager
async def open_issuer(*keys: dict[str, Any]) -> AsyncIterator[Issuer]:
    """Yield a server that gives `keys` away."""
    issuer = Issuer(keys=list(keys))
    server = await asyncio.start_server(issuer.answer, "127.0.0.1", 0)
    issuer.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/keys"
    async with server:
        yield issuer
