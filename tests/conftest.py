"""What every test has: a PostgreSQL of its own, and RabbitMQ where a test asks for it."""

import logging
import os
import sys
from collections.abc import Iterator

import pytest

# LangGraph reads this once, at its first import, and a migration imports it.
os.environ["LANGGRAPH_STRICT_MSGPACK"] = "true"

pytest_plugins = [
    "tests.database",
    "tests.service",
    "tests.agents",
    "tests.rabbitmq",
    "tests.event_path",
    "tests.users_elsewhere",
]


@pytest.fixture(autouse=True)
def unconfigured_logging() -> Iterator[None]:
    """Take away the log that a command of ours has opened: its stream ends with the test."""
    yield
    root = logging.getLogger()
    for handler in [one for one in root.handlers if type(one) is logging.StreamHandler]:
        root.removeHandler(handler)
        root.setLevel(logging.WARNING)
    if "structlog" in sys.modules:
        sys.modules["structlog"].reset_defaults()
