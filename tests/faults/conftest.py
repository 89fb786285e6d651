"""What the fault tests share: a tally, said at the end of the run, and brokers of their own."""

import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import program  # noqa: F401 - a fixture of another folder
from tests.faults.broker import Broker
from tests.faults.tally import Tally
from tests.rabbitmq import ADVICE, BrokerMissing

_TALLY = pytest.StashKey[Tally]()


@pytest.fixture(scope="session")
def tally(pytestconfig: pytest.Config) -> Tally:
    """Return the sums that are printed at the end of the run."""
    return pytestconfig.stash.setdefault(_TALLY, Tally())


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """Yield a node of the test's own, which it may stop, alarm, kill and bring back."""
    try:
        broker = Broker(tmp_path / "node")
    except BrokerMissing as missing:
        reason = f"no RabbitMQ node of our own: {missing}; {ADVICE}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    yield broker
    broker.stop()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Add what a worker of pytest-xdist counted."""
    counted = getattr(node, "workeroutput", {}).get("fault tally")
    if counted:
        node.config.stash.setdefault(_TALLY, Tally()).include(Tally(**counted))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Give a worker's sums to the process that reports."""
    tally = session.config.stash.get(_TALLY, None)
    output = getattr(session.config, "workeroutput", None)
    if tally is not None and output is not None:
        output["fault tally"] = asdict(tally)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say what was killed and what that did."""
    tally = config.stash.get(_TALLY, None)
    if tally is not None:
        terminalreporter.section("fault tests")
        terminalreporter.line(str(tally))
