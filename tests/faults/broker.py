"""A RabbitMQ node that a test may stop, alarm, kill and bring back, with or without its disk."""

import contextlib
import shutil
import subprocess
from pathlib import Path
from typing import Final

import psutil

from tests.rabbitmq import start_private_node

# RabbitMQ 3.10 does not elect a leader for the only member of a quorum queue after a crash: until
# somebody asks for it, each publish waits (rabbitmq-server issue 10070).
ELECT: Final = """
[catch ra:trigger_election({binary_to_atom(<<"%2F_", Queue/binary>>), node()}) ||
 Queue <- [<<"goals.lake">>, <<"goals.events.dead">>]].
"""


class Broker:
    """A private node in `folder`; its URL stays the same whatever happens to it."""

    def __init__(self, folder: Path) -> None:
        """Start it; raises BrokerMissing."""
        self._folder = folder
        self._node = start_private_node(folder)
        self.url = self._node.url

    @property
    def port(self) -> int:
        """Return the port that it listens on."""
        return int(self.url.rsplit(":", 1)[1].split("/")[0])

    def start(self) -> None:
        """Start the node again after `stop` or `kill`."""
        self._node = start_private_node(self._folder, port=self.port)
        self.control("eval", ELECT)

    def stop(self) -> None:
        """Stop the node in peace; stopping twice is no error."""
        if self._node.process.poll() is None:
            self._node.stop()

    def kill(self) -> None:
        """Kill the node with SIGKILL, as a lost machine does."""
        shell = self._node.process
        for process in psutil.Process(shell.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):  # Erlang's passing children
                if process.name() == "beam.smp":
                    process.kill()
        shell.wait()
        if shell.stdin is not None:
            shell.stdin.close()

    def lose_disk(self) -> None:
        """Forget everything that a stopped node had: queues, exchanges, messages."""
        shutil.rmtree(self._folder / "mnesia")

    def control(self, *arguments: str) -> str:
        """Run `rabbitmqctl` on the node and return what it says."""
        shell = psutil.Process(self._node.process.pid)
        server = Path(next(word for word in shell.cmdline() if word.endswith("rabbitmq-server")))
        return subprocess.run(
            [server.resolve().with_name("rabbitmqctl"), *arguments],
            env=shell.environ(),
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
        ).stdout
