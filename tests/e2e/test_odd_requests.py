"""What never becomes a request: it is answered with a code too."""

import json
import socket
from collections.abc import Iterator

import pytest

from tests.e2e.conftest import Program, Server


@pytest.fixture
def server(program: Program) -> Iterator[Server]:
    """Yield the API, listening."""
    with program.serve() as server:
        yield server


def send(server: Server, request: bytes) -> tuple[int, dict[str, str]]:
    """Return the status and the problem that these bytes are answered with."""
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(request)
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"\r\ncontent-type: application/problem+json\r\n" in head
    return int(head.split()[1]), json.loads(body)


def test_what_is_no_request_is_answered_with_a_code(server: Server) -> None:
    for length, status, code in (
        (60_000, 401, "AUTH_MISSING"),
        (100_000, 414, "TOO_LARGE"),
        (900_000, 414, "TOO_LARGE"),
    ):
        line = b"GET /v1/search?q=" + b"x" * length + b" HTTP/1.1\r\n"
        answered, problem = send(server, line + b"host: goals\r\nconnection: close\r\n\r\n")

        assert (answered, problem["code"]) == (status, code)

    answered, problem = send(server, b"WHAT IS THIS\r\n\r\n")

    assert (answered, problem["code"]) == (400, "VALIDATION")
    assert server.call("GET", "/healthz")[0] == 200
