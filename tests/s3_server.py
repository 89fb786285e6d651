"""S3 for tests: moto's server, and before it a proxy that breaks what it is told to break."""

import contextlib
import http.client
import itertools
import logging
import socket
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final, Literal, get_args

BUCKET: Final = "lake"
ERROR: Final = b'<?xml version="1.0"?><Error><Code>%s</Code><Message>try again</Message></Error>'
RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)

Fault = Literal["500", "503", "429", "reset", "lost", "silent", "error in 200"]
"""A status; a reset connection; an answer lost or kept back once the server did it; a false 200."""
HOP_BY_HOP: Final = frozenset({"connection", "transfer-encoding"})
FAULTS: Final[tuple[Fault, ...]] = get_args(Fault)
CODES: Final = {"500": b"InternalError", "503": b"SlowDown", "429": b"TooManyRequests"}


@dataclass
class Proxy:
    """What the proxy at `url` saw, and what it is to break."""

    url: str
    requests: list[str] = field(default_factory=list)
    dropped_headers: frozenset[str] = frozenset()
    _armed: tuple[int, Fault | str] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def fail(self, *, at: int, how: Fault | str) -> None:
        """Break the request that comes as number `at` (from 1) from now on, and no other.

        A `how` that is no fault is "a page", such as guest networks show, or the code of an error
        with status 403.
        """
        with self._lock:
            self._armed = (at, how)

    def disarm(self) -> bool:
        """Break nothing any more; tell whether something was still to be broken."""
        with self._lock:
            left, self._armed = self._armed, None
            return left is not None

    def see(self, request: str) -> Fault | str | None:
        """Note a request; return how to break it."""
        with self._lock:
            self.requests.append(request)
            if self._armed is None:
                return None
            left, how = self._armed
            self._armed = (left - 1, how) if left > 1 else None
            return how if left == 1 else None


@contextlib.contextmanager
def serve_s3() -> Iterator[str]:
    """Run moto's server on a free port, with the bucket in it; yield its address."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"{host}:{port}"
    finally:
        server.stop()


@contextlib.contextmanager
def serve_proxy(upstream: str) -> Iterator[Proxy]:
    """Run a proxy before `upstream` on a free port."""

    class Handler(_Handler):
        target = upstream

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    Handler.proxy = Proxy(url=f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield Handler.proxy
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    """Forwards each request, or breaks it."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    target: str
    proxy: Proxy

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        how = self.proxy.see(f"{self.command} {self.path}")
        if how is None:
            self._answer(*self._forward(body))
        elif how in {"lost", "silent"}:
            self._forward(body)
            if how == "silent":
                self.connection.recv(1)  # until the client has waited enough, and closes
            self._reset()
        elif how == "reset":
            self._reset()
        elif how == "error in 200":
            self._answer(200, [], ERROR % b"InternalError")
        elif how in CODES:
            self._answer(int(how), [], ERROR % CODES[how])
        elif how == "a page":
            self._answer(200, [("Content-Type", "text/html")], b"<html>Welcome</html>")
        else:
            self._answer(403, [], ERROR % how.encode())

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _handle  # noqa: N815 - the library's names

    def _forward(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        headers = {
            name: value
            for name, value in self.headers.items()
            if name.lower() not in {"expect", "connection", *self.proxy.dropped_headers}
        }
        upstream = http.client.HTTPConnection(self.target, timeout=10)
        with contextlib.closing(upstream):
            upstream.request(self.command, self.path, body=body, headers=headers)
            answer = upstream.getresponse()
            kept = [each for each in answer.getheaders() if each[0].lower() not in HOP_BY_HOP]
            return answer.status, kept, answer.read()

    def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        if "content-length" not in {name.lower() for name, _ in headers}:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        self.close_connection = True
        self.connection.close()

    def finish(self) -> None:
        """Close quietly: the connection may have been reset."""
        with contextlib.suppress(OSError, ValueError):
            super().finish()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        """Say nothing."""


def mirror(client: Any, *, prefix: str, folder: Path) -> Path:
    """Copy what is below `prefix` to a new folder of `folder`, for what reads folders."""
    copy = next(
        path for number in itertools.count() if not (path := folder / f"copy{number}").exists()
    )
    copy.mkdir(parents=True)
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix):
        for found in page.get("Contents", []):
            target = copy / found["Key"].removeprefix(prefix)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(client.get_object(Bucket=BUCKET, Key=found["Key"])["Body"].read())
    return copy
