"""Loggers for modules that everything imports: structlog comes with the first line, not before.

Its own import takes 60 ms, most of it for colours that nobody sees in a service's log.
"""

from typing import Any


class LazyLogger:
    """What `structlog.get_logger` returns, made when it is first used."""

    def __init__(self, name: str) -> None:
        """Keep the module's name."""
        self._name = name

    def __getattr__(self, method: str) -> Any:
        """Return the method of the logger itself."""
        import structlog

        return getattr(structlog.get_logger(self._name), method)


def bind_log(**values: str) -> None:
    """Put these values on every later line that this request, or this task, logs."""
    from structlog.contextvars import bind_contextvars

    bind_contextvars(**values)
