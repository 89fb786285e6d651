"""What every test has: a PostgreSQL of its own, and RabbitMQ where a test asks for it."""

import logging
import os
from collections.abc import Iterator
from typing import Final

import pytest
import structlog
from hypothesis import HealthCheck, settings

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


# How long an example takes is the machine's affair; what must be fast is measured by `goals bench`.
settings.register_profile("goals", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("goals")

# A traceback with all locals, as structlog prints it by itself, takes ten seconds.
structlog.get_config()["processors"][-1].exception_formatter = structlog.dev.plain_traceback


@pytest.fixture(autouse=True)
def unconfigured_logging() -> Iterator[None]:
    """Take away the log that a command of ours has opened: its stream ends with the test."""
    yield
    root = logging.getLogger()
    for handler in [one for one in root.handlers if type(one) is logging.StreamHandler]:
        root.removeHandler(handler)
        root.setLevel(logging.WARNING)
    structlog.reset_defaults()


SLOW: Final = frozenset(
    {"test_sandbox_escapes.py", "test_sandbox.py", "test_contract.py", "test_native_escapes.py"}
)
"""Files that would be left for the end, with one process at work."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the slow files, so that all processes end at the same time."""
    items.sort(key=lambda item: item.path.name not in SLOW)
