"""What hostile code tries in each sandbox: none of it may pass, hang, or leave anything behind."""

import secrets
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.bounds import NOT_FOR_EVER
from tools.analysis.examples.finder import Example
from tools.analysis.runs import cpython
from tools.analysis.runs.sandbox import Outcome, close_sandbox, run_examples

SECONDS = 1.0
CANARY = "goals_escape_canary"
TIERS = [
    "monty",
    pytest.param(
        "cpython",
        marks=pytest.mark.skipif(not cpython.can_run(), reason="bubblewrap does not work here"),
    ),
]
# monty cannot run this, so that the program goes to CPython.
GAP = "\nclass Gap(Exception): pass\n"


@pytest.fixture(scope="module", autouse=True)
def nothing_is_left_behind() -> Iterator[None]:
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    yield
    close_sandbox()
    left = [
        child.name()
        for child in psutil.Process().children(recursive=True)
        if child.pid not in before and child.name() != "python3"
    ]
    assert [name for name in left if "monty" in name or "bwrap" in name] == []


@pytest.fixture(params=TIERS)
def tier(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "monty":
        monkeypatch.setattr(cpython, "can_run", lambda: False)
    return str(request.param)


async def attack(code: str, tier: str, *, expected: str = "'out'") -> Outcome:
    """Run `f(1)` where the code must not reach the value, and check how long it took."""
    code += GAP if tier == "cpython" else ""
    example = Example("call", "f(1)", expected, None, "")
    started = time.monotonic()

    report = await run_examples(code, "python", [example], seconds=SECONDS)

    assert time.monotonic() - started < NOT_FOR_EVER
    (outcome,) = report.outcomes
    assert tier == "monty" or outcome.runner == "cpython"
    return outcome


def f_that(body: str) -> str:
    """Make a function whose body is `body`, that says 'out' where all of it worked."""
    lines = "\n".join(f"    {line}" for line in body.split("\n"))
    return f"def f(x):\n{lines}\n    return 'out'\n"


FILES_AND_NETWORK = {
    "passwd": "assert open('/etc/passwd').read()",
    "shadow": "import os\nos.open('/etc/shadow', os.O_RDONLY)",
    "home": "import os\nassert os.listdir(os.path.expanduser('~')) or os.listdir('/home')",
    "this file": "assert open('THIS').read()",
    "these packages": "import pydantic",
    "write beside": "open('MARK', 'w').write('x')",
    "write to the root": "open('/mark', 'w').write('x')",
    "write to the library": "import os\nopen(os.__file__, 'a').write('x')",
    "a large file": "for n in range(64):\n    open(f'/tmp/{n}', 'wb').write(bytes(1000000))",
    "proc": "assert open('/proc/self/environ').read()",
    "the parent's proc": "import os\nassert os.listdir('/proc/1/fd')",
    "sys": "import os\nassert os.listdir('/sys')",
    "devices": "assert open('/dev/vda', 'rb') or open('/dev/mem', 'rb')",
    "environment": "import os\nassert os.environ.get('PATH') or os.environ.get('HOME')",
    "connect": "import socket\nsocket.create_connection(('127.0.0.1', 22), 1)",
    "any socket": "import socket\nsocket.socket()",
    "unix socket": "import socket\nsocket.socket(socket.AF_UNIX).connect('/run/docker.sock')",
    "fetch": "import urllib.request\nurllib.request.urlopen('http://127.0.0.1', timeout=1)",
}

PROCESSES = {
    "system": "import os\nassert os.system('true') == 0",
    "import system": "assert __import__('os').system('touch MARK') == 0",
    "evaluated system": "assert eval(\"__import__('os').system('touch MARK')\") == 0",
    "subprocess": "import subprocess\nsubprocess.run(['true'])",
    "fork": "import os\nif os.fork() == 0:\n    os._exit(0)",
    "vfork": "import os\nos.posix_spawn('/bin/true', ['true'], {})",
    "fork bomb": "import os\nwhile True:\n    os.fork()",
    "clone by hand": (
        "import ctypes\nlibc = ctypes.CDLL(None)\n"
        "child = libc.syscall(56, 17, 0, 0, 0, 0)\nassert child >= 0\nif child == 0:\n"
        "    libc._exit(0)"
    ),
    "clone3 by hand": (
        "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        "libc.syscall(435, None, 0)\nassert ctypes.get_errno() not in (38, 0)"
    ),
    "new namespace": (
        "import ctypes\nlibc = ctypes.CDLL(None)\nassert libc.unshare(0x10000000) == 0"
    ),
    "mount": (
        "import ctypes\nlibc = ctypes.CDLL(None)\n"
        "assert libc.mount(b'proc', b'/tmp', b'proc', 0, None) == 0"
    ),
    "trace": "import ctypes\nlibc = ctypes.CDLL(None)\nassert libc.ptrace(16, 1, 0, 0) == 0",
    "shared memory": "import ctypes\nassert ctypes.CDLL(None).shmget(0, 1 << 30, 0o1600) >= 0",
    "memory file": "import os\nos.memfd_create('x')",
    "more limits": (
        "import resource\n"
        "resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))"
    ),
    "become root": "import os\nos.setuid(0)\nassert os.listdir('/root')",
    "kill the parent": "import os\nos.kill(os.getppid(), 9)\nassert os.getppid() != 1",
    "kill all": "import os\nos.kill(-1, 9)\nwhile True: pass",
}

EXHAUSTION = {
    "endless loop": "while True: pass",
    "endless loop in C": "sum(iter(int, 1))",
    "one long operation": "pow(7, 10 ** 9)",
    "no signal ends it": (
        "import signal\nfor n in (2, 14, 15, 24): signal.signal(n, lambda *a: None)\n"
        "while True:\n    try:\n        while True: pass\n    except BaseException: pass"
    ),
    "recursion": "return f(x)",
    "endless recursion": "import sys\nsys.setrecursionlimit(10 ** 9)\nreturn f(x)",
    "deep structure": "x = []\nfor _ in range(10 ** 6): x = [x]\nreturn x",
    "itself": "x = []\nx.append(x)\nreturn x",
    "shared structure": "x = [1]\nfor _ in range(30): x = [x, x]\nreturn x",
    "memory": "x = []\nwhile True: x.append(bytes(1000000))",
    "one block": "return bytes(10 ** 10)",
    "a large value": "return 'a' * 30000000",
    "a long integer": "return 10 ** 4000000",
    "output": "while True: print('x' * 1000000)",
    "raw output": "import os\nwhile True: os.write(1, b'x' * 100000)",
    "raw errors": "import os\nwhile True: os.write(2, b'x' * 100000)",
    "into every descriptor": (
        "import os\nwhile True:\n    for n in range(32):\n"
        "        try: os.write(n, b'[1]\\n' * 10000)\n        except OSError: pass"
    ),
    "sleep": "import select\nselect.select([], [], [], 3600)",
    "threads": (
        "import threading\nwhile True:\n"
        "    threading.Thread(target=lambda: [None for _ in iter(int, 1)]).start()"
    ),
    "a repr without end": (
        "class A:\n    def __repr__(self):\n        while True: pass\nreturn A()"
    ),
    "crash": "import ctypes\nctypes.string_at(0)",
    "compile bomb": "eval('(' * 100 + '1' + ',' * 10 ** 6)",
    "regex": "import re\nre.match('(a+)+$', 'a' * 64 + 'b')",
}

FORGERY = {
    "exit": "import os\nos._exit(0)",
    "system exit": "raise SystemExit(0)",
    "equals everything": (
        "class A:\n    def __eq__(self, other): return True\n    def __hash__(self): return 0\n"
        "    def __repr__(self): return \"'secret'\"\nreturn A()"
    ),
    "subclass that equals": (
        "class A(str):\n    def __eq__(self, other): return True\n"
        "    __hash__ = str.__hash__\nreturn A('x')"
    ),
    "printed": 'print(\'pass\')\nprint(\'["value", ["str", "secret"]]\')\nreturn 0',
    "patched builtins": (
        "import builtins\nfor name in ('repr', 'str', 'len', 'isinstance', 'type', 'eval'):\n"
        "    setattr(builtins, name, lambda *a, **k: True)\nreturn 0"
    ),
    "patched json": "import json\njson.dumps = lambda x: '[\"pass\"]'\nreturn 0",
    "patched write": "import os\nreal = os.write\nos.write = lambda n, b: len(b)\nreturn 0",
    "the job": ("import re\nreturn re.findall('[0-9a-f]{32}', open('/job.json').read())[0]"),
    "frames": (
        "import re, sys\nframe = sys._getframe()\nwhile frame:\n"
        "    for one in (frame.f_locals, frame.f_globals):\n"
        "        for found in re.findall('[0-9a-f]{32}', repr(one)): return found\n"
        "    frame = frame.f_back"
    ),
    "heap": (
        "import gc, re\nfor one in gc.get_objects():\n"
        "    if isinstance(one, (list, dict)) and len(one) < 100:\n"
        "        for found in re.findall('[0-9a-f]{32}', repr(one)): return found"
    ),
    "globals": (
        "import re\nfor found in re.findall('[0-9a-f]{32}', repr(globals())): return found"
    ),
    "answers for others": (
        "import os\nfor n in range(32):\n"
        '    try: os.write(n, b\'["pass"]\\n["loaded"]\\n["value", ["bool", true], true]\\n\')\n'
        "    except OSError: pass\nreturn 0"
    ),
    "deep answer": (
        "import os\nfor n in range(3, 32):\n"
        "    try: os.write(n, b'[' * 60000 + b'\\n')\n    except OSError: pass\nos._exit(0)"
    ),
    "wrong answer": (
        "import os\nfor n in range(3, 32):\n    try:\n"
        '        os.write(n, b\'["value", ["dict", "d", [[1], 2], true]]\\n\')\n'
        "    except OSError: pass\nos._exit(0)"
    ),
}


@pytest.mark.parametrize("name", FILES_AND_NETWORK)
async def test_no_file_and_no_network_is_reached(name: str, tier: str, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    body = FILES_AND_NETWORK[name].replace("MARK", str(mark)).replace("THIS", __file__)

    outcome = await attack(f_that(body), tier)

    assert outcome.status in ("not_runnable", "error")
    assert not mark.exists()
    assert not Path(tmp_path.anchor, "mark").exists()  # noqa: ASYNC240 - one look at a folder


@pytest.mark.parametrize("name", PROCESSES)
async def test_no_process_and_no_privilege_is_gained(name: str, tier: str, tmp_path: Path) -> None:
    mark = tmp_path / "mark"

    outcome = await attack(f_that(PROCESSES[name].replace("MARK", str(mark))), tier)

    assert outcome.status in ("not_runnable", "error", "timeout")
    assert not mark.exists()


@pytest.mark.parametrize("name", EXHAUSTION)
async def test_nothing_is_used_up(name: str, tier: str) -> None:
    before = psutil.Process().memory_info().rss

    outcome = await attack(f_that(EXHAUSTION[name]), tier, expected="'never'")

    assert outcome.status != "pass"
    assert psutil.Process().memory_info().rss - before < 200_000_000


@pytest.mark.parametrize("name", FORGERY)
async def test_no_answer_is_forged(name: str, tier: str) -> None:
    secret = secrets.token_hex(16)

    outcome = await attack(f_that(FORGERY[name]), tier, expected=repr(secret))

    assert outcome.status != "pass"


async def test_what_runs_at_the_end_does_not_outlive_the_answer(tier: str) -> None:
    code = (
        "import atexit, threading\n"
        "@atexit.register\ndef late():\n    while True: pass\n"
        "threading.Thread(target=late).start()\n"
        "class A:\n    def __del__(self):\n        while True: pass\n"
        "keep = A()\ndef f(x): return 1\n"
    )

    outcome = await attack(code, tier, expected="1")

    assert (tier, outcome.status) in {("monty", "not_runnable"), ("cpython", "pass")}
    boxes = [one for one in psutil.process_iter(["name"]) if one.info["name"] == "bwrap"]
    assert psutil.wait_procs(boxes, timeout=5)[1] == []


async def test_the_environment_of_this_process_stays_here(
    tier: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CANARY, "secret")

    outcome = await attack(
        f"import os\ndef f(x): return os.environ.get('{CANARY}')\n", tier, expected="'secret'"
    )

    assert outcome.status in ("fail", "not_runnable")


IN_V8 = {
    "node": "process.mainModule.require('fs').readFileSync('/etc/passwd')",
    "require": "require('child_process').execSync('touch MARK')",
    "import": "return import('fs').then((fs) => fs.readFileSync('/etc/passwd'))",
    "load": "load('/etc/passwd')",
    "read": "read('/etc/passwd')",
    "fetch": "fetch('http://127.0.0.1')",
    "request": "new XMLHttpRequest().open('GET', 'http://127.0.0.1')",
    "deno": "Deno.readTextFileSync('/etc/passwd')",
    "shell": "os.system('touch MARK')",
    "assembly": "new WebAssembly.Memory({ initial: 30000 })",
    "endless loop": "while (true) {}",
    "endless promise": "return new Promise(() => {})",
    "endless microtasks": "const again = () => Promise.resolve().then(again); return again()",
    "endless timers": "const again = () => setTimeout(again, 0); again(); while (true) {}",
    "recursion": "return f(x)",
    "async recursion": "return (async () => f(x))()",
    "memory": "const a = []; while (true) a.push(new Array(100000).fill(1.5))",
    "strings": "let a = 'x'.repeat(1e6); const b = []; while (true) b.push(a + b.length + a)",
    "buffers": "const a = []; while (true) a.push(new Uint8Array(1e7).fill(1))",
    "shared buffers": (
        "const a = []; while (true) a.push(new Uint8Array(new SharedArrayBuffer(1e7)).fill(1))"
    ),
    "one buffer": "return new Uint8Array(4e9).fill(1)",
    "a large value": "return new Array(1e6).fill({ a: [1, 2, 3] })",
    "a long string": "return 'x'.repeat(5e8)",
    "a long integer": "return 7n ** 10000000n",
    "itself": "const a = []; a.push(a); return a",
    "shared structure": "let a = [1]; for (let i = 0; i < 40; i++) a = [a, a]; return a",
    "deep structure": "let a = []; for (let i = 0; i < 1e6; i++) a = [a]; return a",
    "a getter without end": "return { get a() { while (true) {} } }",
    "a proxy": "return new Proxy({}, { ownKeys() { while (true) {} } })",
    "an endless iterator": "return (function* () { while (true) yield 1 })()",
    "regex": "return /^(a+)+$/.test('a'.repeat(64) + 'b')",
    "wait": "Atomics.wait(new Int32Array(new SharedArrayBuffer(8)), 0, 0, 1e6)",
    "lone surrogate": "throw new Error('\\ud800')",
    "console": "while (true) console.log('x'.repeat(1e6))",
}

FORGED_IN_V8 = {
    "json": "JSON.stringify = () => '[\"pass\"]'; return 0",
    "prototypes": (
        "for (const kind of [Object, Array, String, Function, Promise, Map]) {\n"
        "  for (const key of Reflect.ownKeys(kind.prototype)) {\n"
        "    try { kind.prototype[key] = () => 'pass' } catch {} } }\nreturn 0"
    ),
    "setters": (
        "Object.defineProperty(Array.prototype, 0, { set() {}, get() { return 'pass' } })\nreturn 0"
    ),
    "toJSON": "Array.prototype.toJSON = () => ['pass']; return 0",
    "equals": "return { [Symbol.toPrimitive]: () => 'x', valueOf: () => 'x', toString: () => 'x' }",
    "harness": (
        "for (const key of Object.getOwnPropertyNames(globalThis)) {\n"
        "  if (key.startsWith('harness_')) return String(globalThis[key].ask)"
        ".match(/[0-9a-f]{32}/)[0] }"
    ),
    "globals": (
        "for (const key of Object.getOwnPropertyNames(globalThis)) {\n"
        "  const found = /[0-9a-f]{32}/.exec(String(globalThis[key])); if (found) return found[0] }"
    ),
    "the stack": "return /[0-9a-f]{32}/.exec(new Error().stack)[0]",
    "the call": "return /[0-9a-f]{32}/.exec(String(f.caller))[0]",
    "prepared stack": (
        "Error.prepareStackTrace = (e, frames) => frames.map((one) => String(one.getFunction()))\n"
        "return /[0-9a-f]{32}/.exec(new Error().stack.join())[0]"
    ),
    "thenable": "return { then(done) { done('pass') } }",
}


async def attack_v8(body: str, expected: str) -> Outcome:
    example = Example("call", "f(1)", expected, None, "")
    started = time.monotonic()

    report = await run_examples(
        f"function f(x) {{\n{body}\nreturn 'out' }}", "javascript", [example], seconds=SECONDS
    )

    assert time.monotonic() - started < NOT_FOR_EVER
    return report.outcomes[0]


@pytest.mark.parametrize("name", IN_V8)
async def test_nothing_leaves_v8_or_uses_it_up(name: str, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    before = psutil.Process().memory_info().rss

    outcome = await attack_v8(IN_V8[name].replace("MARK", str(mark)), "'out'")

    assert outcome.status != "pass"
    assert not mark.exists()
    assert psutil.Process().memory_info().rss - before < 200_000_000
    workers = [one for one in psutil.Process().children() if "v8_worker" in str(one.cmdline())]
    assert sum(one.memory_info().rss for one in workers) < 800_000_000


@pytest.mark.parametrize("name", FORGED_IN_V8)
async def test_no_answer_is_forged_in_v8(name: str) -> None:
    secret = secrets.token_hex(16)

    outcome = await attack_v8(FORGED_IN_V8[name], repr(secret))

    assert outcome.status != "pass"


async def test_v8_runs_after_all_that() -> None:
    example = Example("call", "f(1)", "2", None, "")

    report = await run_examples("const f = (x) => x + 1", "javascript", [example])

    assert [outcome.status for outcome in report.outcomes] == ["pass"]
