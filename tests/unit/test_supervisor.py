"""Processes on one port: replaced where they die, not at once where they die young, and stopped."""

import socket
import sys
import time
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from api import supervisor
from api.supervisor import _Crew, _watch, _Worker

SERVES = """
import socket, sys, signal
line = socket.socket(fileno=int(sys.argv[1]))
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
line.sendall(b"r")
line.recv(1)
"""
STUBBORN = SERVES.replace("lambda *_: sys.exit(0)", "signal.SIG_IGN")
BROKEN = "import sys; sys.exit(1)"
PATIENCE = 30.0


@pytest.fixture
def crew() -> Iterator[_Crew]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        made = _Crew(listener, {}, [_Worker(0), _Worker(1)])
        yield made
        made.stop()
        made.selector.close()
        for worker in made.workers:
            if worker.line is not None:
                worker.line.close()


def runs(monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    def command(_number: int, *, listener: socket.socket, line: socket.socket) -> list[str]:
        return [sys.executable, "-S", "-c", program, str(line.fileno())]

    monkeypatch.setattr(supervisor, "_command", command)


def look_until_ready(crew: _Crew) -> list[int]:
    """Keep the crew until all are ready, and return their process ids."""
    deadline = time.monotonic() + PATIENCE
    while not all(worker.ready for worker in crew.workers):
        assert time.monotonic() < deadline
        crew.replace()
        crew.look(0.05)
    return [worker.process.pid for worker in crew.workers if worker.process]


def test_who_dies_is_replaced_at_once_and_the_others_stay(
    crew: _Crew, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs(monkeypatch, SERVES)
    first, second = look_until_ready(crew)
    assert crew.workers[1].process is not None

    crew.workers[1].process.kill()
    while crew.workers[1].process is not None:
        crew.look(0.05)
    crew.workers[1].ready = False
    after = look_until_ready(crew)

    assert after[0] == first
    assert after[1] != second


def test_who_dies_again_and_again_is_waited_with_longer_each_time(
    crew: _Crew, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs(monkeypatch, BROKEN)
    monkeypatch.setattr(supervisor, "time", SimpleNamespace(monotonic=lambda: 0.0))
    worker = crew.workers[0]

    pauses = []
    for _ in range(4):
        crew.start(worker)
        while worker.process is not None:
            crew.look(0.05)
        pauses.append(worker.start_again_at)

    assert pauses == [0, 1, 2, 4]


def test_where_the_first_one_cannot_start_nothing_is_tried_again(
    crew: _Crew, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs(monkeypatch, BROKEN)

    assert _watch(crew, []) == 1
    assert crew.workers[1].process is None


def test_who_does_not_end_in_time_is_killed(crew: _Crew, monkeypatch: pytest.MonkeyPatch) -> None:
    runs(monkeypatch, STUBBORN)
    look_until_ready(crew)
    monkeypatch.setattr(supervisor, "STOP_SECONDS", 0.1)

    crew.stop()

    processes = [worker.process for worker in crew.workers if worker.process is not None]
    assert [process.returncode for process in processes] == [-9, -9]
