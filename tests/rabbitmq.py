"""A RabbitMQ for the tests, as a pytest plugin: the fixture `amqp_url`.

In this order: the broker of `AMQP_URL` if it answers; a private node of an installed
`rabbitmq-server`; as root on Debian or Ubuntu one that apt installs; a container. Where none can
be had a laptop skips and says so at the end of the run, and `CI=true` fails.
"""

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import fasteners
import pika
import pika.exceptions
import pytest

from tests.scratch import open_scratch

START_SECONDS: Final = 90.0
PROBE: Final = "goals.probe"
STOP_SECONDS: Final = 20.0
PORTS: Final = range(20_000, 30_000)
"""Below those that Linux gives to clients (32,768 and more)."""
IMAGE: Final = "rabbitmq:4"
ADVICE: Final = (
    "set AMQP_URL to a broker that answers, or install rabbitmq-server"
    " (Debian, Ubuntu: apt install rabbitmq-server), or start Docker"
)

# Debian's `rabbitmq-server` on the PATH insists on the system's own node and user: the script that
# it wraps does not.
SERVER_SCRIPT: Final = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
SBIN: Final = "/usr/local/sbin:/usr/sbin:/sbin"
"""Where dpkg looks for its programs, and which root's PATH may not have."""
APT_POLICY: Final = Path("/usr/sbin/policy-rc.d")

# The node lives as long as the pipe on standard input, so a killed pytest leaves none behind. Its
# port mapper is its own too: the machine's, on 4369, is neither needed nor left running.
GUARD: Final = """
exec 3<&0
epmd -address 127.0.0.1 -port "$ERL_EPMD_PORT" 3<&- & epmd=$!
until epmd -port "$ERL_EPMD_PORT" -names; do kill -0 "$epmd" || exit 70; done
"$0" 3<&- & server=$!
{ read -r _; kill -TERM "$server"; } <&3 & reader=$!
wait "$server"; code=$?
kill "$epmd" "$reader"; wait
exit "$code"
"""

_SKIPPED = pytest.StashKey[str]()


class BrokerMissing(Exception):
    """No broker can be had here; the text says why."""


@dataclass(frozen=True)
class PrivateNode:
    """A broker of our own at `url`; its files are in the folder that it was given."""

    url: str
    process: subprocess.Popen[bytes]

    def stop(self) -> None:
        """Stop the node and its port mapper, by force after STOP_SECONDS."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def start_private_node(folder: Path, *, port: int | None = None) -> PrivateNode:
    """Start a node that keeps everything in `folder` and listens on the loopback only.

    The same folder and port bring the same node back, with its durable messages.
    Raises BrokerMissing where no rabbitmq-server is installed or it does not start.
    """
    server = _server_script()
    if server is None:
        raise BrokerMissing("rabbitmq-server is not installed")
    folder.mkdir(parents=True, exist_ok=True)
    free_port, dist_port, epmd_port = _free_ports(3)
    port = port or free_port

    with (folder / "node.log").open("ab") as log:
        process = subprocess.Popen(
            ["sh", "-c", GUARD, str(server)],
            env=_environment(folder, port=port, dist_port=dist_port, epmd_port=epmd_port),
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            cwd=folder,
            start_new_session=True,
        )
    node = PrivateNode(f"amqp://guest:guest@127.0.0.1:{port}/%2F", process)
    if _wait_until_it_answers(node):
        return node
    node.stop()
    last_words = (folder / "node.log").read_text(errors="replace")[-2000:]
    raise BrokerMissing(f"{server} did not start:\n{last_words}")


def answers(url: str) -> bool:
    """Return whether a broker completes the AMQP handshake at `url` within five seconds."""
    parameters = pika.URLParameters(url)
    parameters.socket_timeout = parameters.blocked_connection_timeout = 5
    parameters.stack_timeout = 5
    try:
        pika.BlockingConnection(parameters).close()
    except (pika.exceptions.AMQPError, OSError):
        return False
    return True


@pytest.fixture(scope="session")
def amqp_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """Yield the URL of a broker that answers; see the module's docstring for where it is from."""
    announce = _announcer(request.config)
    with contextlib.ExitStack() as stack:
        try:
            url = stack.enter_context(open_broker(announce))
        except BrokerMissing as error:
            reason = f"no RabbitMQ: {error}; {ADVICE}"
            if os.environ.get("CI") == "true":
                pytest.fail(reason, pytrace=False)
            request.config.stash[_SKIPPED] = reason
            pytest.skip(reason)
        yield url


@contextlib.contextmanager
def open_broker(announce: Callable[[str], None]) -> Iterator[str]:
    """Yield the URL of the first broker that can be had; tell `announce` what takes a while.

    Raises BrokerMissing.
    """
    given = os.environ.get("AMQP_URL")
    if given and answers(given):
        yield given
        return
    if given:
        announce("AMQP_URL does not answer: looking for another RabbitMQ")

    if _server_script() is None and _can_use_apt():
        # pytest-xdist's workers come here at the same time, and apt has a lock of its own.
        with fasteners.InterProcessLock(Path(tempfile.gettempdir()) / "goals-tests-apt.lock"):
            if _server_script() is None:
                announce("installing rabbitmq-server with apt (once; about a minute)")
                _install_with_apt()
    if _server_script() is not None:
        announce("starting a private RabbitMQ node")
        with open_scratch("goals-rabbitmq-") as folder:
            node = start_private_node(folder)
            try:
                yield node.url
            finally:
                node.stop()
        return

    if not _docker_answers():
        raise BrokerMissing("no rabbitmq-server and no Docker engine")
    announce(f"starting the container {IMAGE}")
    with _open_container() as url:
        yield url


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say at the end of the run that the broker's tests were not run."""
    reason = config.stash.get(_SKIPPED, None)
    if reason is not None:
        terminalreporter.section("RABBITMQ TESTS WERE SKIPPED", yellow=True, bold=True)
        terminalreporter.line(reason)


def _announcer(config: pytest.Config) -> Callable[[str], None]:
    def announce(text: str) -> None:
        capture = config.pluginmanager.getplugin("capturemanager")
        terminal = config.pluginmanager.getplugin("terminalreporter")
        with capture.global_and_fixture_disabled() if capture else contextlib.nullcontext():
            if terminal:
                terminal.write(f"\n{text}\n", flush=True)

    return announce


def _server_script() -> Path | None:
    if SERVER_SCRIPT.exists():
        return SERVER_SCRIPT
    found = shutil.which("rabbitmq-server")
    return Path(found) if found else None


def _free_ports(count: int) -> list[int]:
    """Return ports that no client is ever given: a node can have its own again after a stop."""
    found: list[int] = []
    while len(found) < count:
        port = secrets.choice(PORTS)
        with socket.socket() as tried, contextlib.suppress(OSError):
            tried.bind(("127.0.0.1", port))
            found.append(port)
    return found


def _environment(folder: Path, *, port: int, dist_port: int, epmd_port: int) -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if "RABBITMQ" not in name}
    (folder / "rabbitmq.conf").write_text("loopback_users.guest = true\n")
    (folder / "enabled_plugins").write_text("[].\n")
    return ours | {
        "HOME": str(folder),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "ERL_EPMD_PORT": str(epmd_port),
        "RABBITMQ_NODENAME": f"goals-{port}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(dist_port),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        "RABBITMQ_CONF_ENV_FILE": str(folder / "rabbitmq-env.conf"),
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
        "RABBITMQ_ADVANCED_CONFIG_FILE": str(folder / "advanced.config"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
        "RABBITMQ_GENERATED_CONFIG_DIR": str(folder / "config"),
        "RABBITMQ_SCHEMA_DIR": str(folder / "schema"),
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_PID_FILE": str(folder / "pid"),
    }


def _wait_until_it_answers(node: PrivateNode) -> bool:
    """Return whether the node answers by the deadline; a node that died is not waited for."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if answers(node.url) and _makes_quorum_queues(node.url):
            return True
        with contextlib.suppress(subprocess.TimeoutExpired):
            node.process.wait(0.1)
            return False
    return False


def _makes_quorum_queues(url: str) -> bool:
    """Return whether the node can declare one: a fresh node shakes hands before it can."""
    try:
        with pika.BlockingConnection(pika.URLParameters(url)) as connection:
            channel = connection.channel()
            channel.queue_declare(PROBE, durable=True, arguments={"x-queue-type": "quorum"})
            channel.queue_delete(PROBE)
    except (pika.exceptions.AMQPError, OSError):
        return False
    return True


def _can_use_apt() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get") is not None


def _install_with_apt() -> None:
    """Install Debian's package without letting it start the machine's own node."""
    ours = not APT_POLICY.exists()
    if ours:
        APT_POLICY.write_text("#!/bin/sh\nexit 101\n")
        APT_POLICY.chmod(0o755)
    try:
        for arguments in (["update"], ["install", "--no-install-recommends", "rabbitmq-server"]):
            done = subprocess.run(
                ["apt-get", "-qq", "-y", *arguments],
                env=os.environ
                | {"DEBIAN_FRONTEND": "noninteractive", "PATH": f"{os.environ['PATH']}:{SBIN}"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode != 0:
                raise BrokerMissing(f"apt-get {arguments[0]} failed: {done.stderr[-1000:]}")
    finally:
        if ours:
            APT_POLICY.unlink()


def _docker_answers() -> bool:
    if shutil.which("docker") is None:
        return False
    try:
        done = subprocess.run(["docker", "info"], capture_output=True, timeout=10, check=False)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


@contextlib.contextmanager
def _open_container() -> Iterator[str]:
    """Yield the URL of a throw-away container; the first start downloads its image."""
    started = subprocess.run(
        ["docker", "run", "--rm", "--detach", "--publish", "127.0.0.1::5672", IMAGE],
        capture_output=True,
        text=True,
        check=False,
    )
    if started.returncode != 0:
        raise BrokerMissing(f"docker run {IMAGE} failed: {started.stderr[-1000:]}")
    container = started.stdout.strip()
    try:
        address = subprocess.check_output(["docker", "port", container, "5672/tcp"], text=True)
        url = f"amqp://guest:guest@{address.splitlines()[0].strip()}/%2F"
        patient = pika.URLParameters(f"{url}?connection_attempts=180&retry_delay=0.5")
        try:
            pika.BlockingConnection(patient).close()
        except (pika.exceptions.AMQPError, OSError) as error:
            raise BrokerMissing(f"the container {IMAGE} did not answer: {error!r}") from error
        yield url
    finally:
        subprocess.run(["docker", "stop", container], capture_output=True, check=False)


def run_with_broker(command: Sequence[str]) -> int:
    """Run `command` with the URL of a broker in AMQP_URL; return its exit code.

    Ctrl-C is for the command: the broker stops when it has cleaned up.
    """
    with open_broker(lambda text: print(text, file=sys.stderr)) as url:
        process = subprocess.Popen(command, env=os.environ | {"AMQP_URL": url})
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:
                continue


if __name__ == "__main__":
    try:
        sys.exit(run_with_broker(sys.argv[1:]))
    except BrokerMissing as missing:
        sys.exit(f"no RabbitMQ: {missing}; {ADVICE}")
