"""One pika connection whose loop runs in the caller's thread until the measurement is over."""

import time
from abc import ABC, abstractmethod
from typing import Any

import pika

from events.bench.figures import BenchFailed
from events.topology import connection_parameters


class PikaLoop(ABC):
    """A SelectConnection that opens a channel; what is done on it, a subclass says."""

    def __init__(self, amqp_url: str) -> None:
        self._began_at = 0.0
        self._seconds: float | None = None
        self._lost = "the connection ended"
        self._connection = pika.SelectConnection(
            connection_parameters(amqp_url, name="bench"),
            on_open_callback=lambda connection: connection.channel(on_open_callback=self.opened),
            on_open_error_callback=self._ended,
            on_close_callback=self._ended,
        )

    @abstractmethod
    def opened(self, channel: Any) -> None:
        """Go on with the open `channel`."""

    def begin(self) -> None:
        """Start the clock."""
        self._began_at = time.monotonic()

    def finish(self) -> None:
        """Stop the clock, and close the connection."""
        self._seconds = time.monotonic() - self._began_at
        self._connection.close()

    def run(self) -> float:
        """Return the seconds from the beginning to the end. Raises BenchFailed."""
        self._connection.ioloop.start()
        if self._seconds is None:
            raise BenchFailed(self._lost)
        return self._seconds

    def _ended(self, _connection: Any, reason: Exception) -> None:
        self._lost = f"{type(reason).__name__}: {reason}"
        self._connection.ioloop.stop()
