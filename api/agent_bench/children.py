"""Processes beside the bench: each says where it listens, and none outlives the bench."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from typing import Final

from events.bench.figures import BenchFailed

START_SECONDS: Final = 60
STOP_SECONDS: Final = 15
LAST_WORDS: Final = 12
_ADDRESS: Final = re.compile(r"on (http://[\d.]+:\d+)")
_OURS: Final = ("GOALS_", "OPENAI_", "DATABASE_URL", "AMQP_URL", "LANGSMITH_", "LANGCHAIN_")


@contextlib.contextmanager
def started(module: str, environment: Mapping[str, str]) -> Iterator[str]:
    """Start `python -m module` with our environment but for what configures the program.

    Yields the address that it says it listens on, and stops it at the end. Raises BenchFailed with
    its last words where it ends before.
    """
    clean = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    process = subprocess.Popen(
        [sys.executable, "-m", module],
        env={**clean, "LANGGRAPH_STRICT_MSGPACK": "true", **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    address: Future[str] = Future()
    said: deque[str] = deque(maxlen=LAST_WORDS)
    listener = threading.Thread(target=_listen, args=(process, address, said), daemon=True)
    listener.start()
    try:
        try:
            yield address.result(timeout=START_SECONDS)
        except TimeoutError as error:
            raise BenchFailed(f"{module} did not listen in {START_SECONDS} s") from error
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        listener.join(timeout=STOP_SECONDS)
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()


def _listen(process: "subprocess.Popen[str]", address: "Future[str]", said: deque[str]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        said.append(line)
        found = None if address.done() else _ADDRESS.search(line)
        if found is not None:
            address.set_result(found[1])
    if not address.done():
        address.set_exception(BenchFailed("a child ended before it listened:\n" + "".join(said)))


def end_with_parent() -> None:
    """Have this process end, as by SIGTERM, when the one that started it is gone."""

    def wait() -> None:
        sys.stdin.buffer.read()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, daemon=True).start()
