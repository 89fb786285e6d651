"""HTTP as uvicorn reads it, with our problems for what never becomes a request."""

from http import HTTPStatus
from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api.problems import problem_response
from tools.errors import GoalsError

MAX_URL_BYTES: Final = 65_535
"""What the parser can take apart."""
MAX_BYTES_READ: Final = 1_048_576
"""A longer URL is read to its end, or the answer would be lost; but no further than this."""


class ProblemProtocol(HttpToolsProtocol):
    """Answers what is no HTTP, or too long a URL, with a code, and closes the connection."""

    url = b""

    def on_url(self, url: bytes) -> None:
        """Take a piece of the URL."""
        super().on_url(url)
        if len(self.url) > MAX_BYTES_READ:
            raise ValueError("the URL is too long")

    def send_400_response(self, msg: str) -> None:
        """Answer what could not be read."""
        error = GoalsError("this is no HTTP request", code="VALIDATION", status=400)
        if len(self.url) > MAX_URL_BYTES:
            detail = f"the URL is longer than {MAX_URL_BYTES:,} bytes"
            error = GoalsError(detail, code="TOO_LARGE", status=414)
        answer = problem_response(error)
        head = [f"HTTP/1.1 {answer.status_code} {HTTPStatus(answer.status_code).phrase}".encode()]
        head += [name + b": " + value for name, value in answer.raw_headers]
        self.transport.write(b"\r\n".join([*head, b"connection: close", b"", bytes(answer.body)]))
        self.transport.close()
