"""What hostile programs try that are compiled: none of it may pass, hang or leave anything."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.bounds import NOT_FOR_EVER
from tests.toolchains import skip_without
from tools.analysis.examples.finder import Example
from tools.analysis.runs.sandbox import Outcome, run_examples

SECONDS = 1.0
BUILDING = 10.0
MARK = "goals_native_escape"


@pytest.fixture(scope="module", autouse=True)
def nothing_is_left_behind() -> Iterator[None]:
    yield
    left = [child.name() for child in psutil.Process().children(recursive=True)]
    assert [name for name in left if name in ("bwrap", "goals_attack")] == []
    assert not Path(tempfile.gettempdir(), MARK).exists()


async def attack(code: str, language: str, *, stdin: str | None = None) -> Outcome:
    """Run `f(1)`, or a program with an input, that answers 77 where its attack worked."""
    example = Example("call", "f(1)", "77", None, "")
    if stdin is not None:
        example = Example("io", repr(stdin), "'77'", None, "")
    started = time.monotonic()

    report = await run_examples(code, language, [example], seconds=SECONDS)

    assert time.monotonic() - started < BUILDING + NOT_FOR_EVER
    (outcome,) = report.outcomes
    return outcome


HEAD = """
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <fcntl.h>
#include <errno.h>
#include <signal.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/resource.h>
#include <sys/mount.h>
#include <sched.h>
int f(int x) {
"""
IN_C = {
    "passwd": 'return open("/etc/passwd", O_RDONLY) >= 0 ? 77 : 0;',
    "the home of who runs it": f'return open("{Path.home()}", O_RDONLY) >= 0 ? 77 : 0;',
    "this file": f'return open("{__file__}", O_RDONLY) >= 0 ? 77 : 0;',
    "proc": 'return open("/proc/self/environ", O_RDONLY) >= 0 ? 77 : 0;',
    "sys": 'return open("/sys/kernel", O_RDONLY) >= 0 ? 77 : 0;',
    "a disk": 'return open("/dev/vda", O_RDONLY) >= 0 ? 77 : 0;',
    "write to a library": 'return open("/usr/lib/os-release", O_WRONLY) >= 0 ? 77 : 0;',
    "write to the root": f'return open("/{MARK}", O_WRONLY | O_CREAT, 0600) >= 0 ? 77 : 0;',
    "environment": 'return getenv("USER") || getenv("DATABASE_URL") ? 77 : 0;',
    "socket": "return socket(AF_INET, SOCK_STREAM, 0) >= 0 ? 77 : 0;",
    "unix socket": "return socket(AF_UNIX, SOCK_STREAM, 0) >= 0 ? 77 : 0;",
    "fork": "int p = fork(); if (p == 0) _exit(0); return p > 0 ? 77 : 0;",
    "vfork by hand": "long p = syscall(58); if (p == 0) _exit(0); return p > 0 ? 77 : 0;",
    "system": 'return system("true") == 0 ? 77 : 0;',
    "another program": 'return execl("/usr/bin/id", "id", NULL) == 0 ? 77 : 0;',
    "fork bomb": "for (;;) if (fork() < 0) return 0; return 77;",
    "new namespace": "return unshare(CLONE_NEWUSER) == 0 ? 77 : 0;",
    "mount": 'return mount("proc", "/tmp", "proc", 0, NULL) == 0 ? 77 : 0;',
    "memory file": 'return syscall(319, "x", 0) >= 0 ? 77 : 0;',
    "trace": "return syscall(101, 16, 1, 0, 0) == 0 ? 77 : 0;",
    "more limits": "struct rlimit r = {-1, -1}; return setrlimit(RLIMIT_AS, &r) == 0 ? 77 : 0;",
    "become root": "return setuid(0) == 0 ? 77 : 0;",
    "kill the parent": "return kill(getppid(), 9) == 0 && kill(-1, 9) == 0 ? 77 : 0;",
    "memory": (
        "long n = 0; for (; n < 4000; n++) { char *p = malloc(1 << 20); if (!p) return 0;"
        " memset(p, 1, 1 << 20); } return 77;"
    ),
    "large file": (
        'FILE *o = fopen("/tmp/big", "w"); static char b[1 << 20]; memset(b, 1, sizeof b);'
        " for (int n = 0; n < 64; n++) if (fwrite(b, sizeof b, 1, o) != 1 || fflush(o)) return 0;"
        " return 77;"
    ),
    "endless loop": "for (;;) {} return 77;",
    "endless recursion": "return f(x + 1) + 77;",
    "endless output": 'for (;;) puts("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"); return 77;',
    "endless errors": 'for (;;) fputs("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\\n", stderr); return 77;',
    "abort": "abort();",
    "exit": "exit(0);",
    "closed answers": "close(2); return 77;",
}


@pytest.mark.parametrize("body", IN_C.values(), ids=IN_C)
async def test_a_program_in_c_does_not_get_out(body: str) -> None:
    skip_without("c")

    outcome = await attack(HEAD + body + "\n}\n", "c")

    assert outcome.status in ("fail", "error", "timeout", "not_runnable"), outcome
    assert not (outcome.status == "not_runnable" and "compile" in (outcome.detail or "")), outcome


async def test_a_forged_answer_is_no_pass_for_another_value() -> None:
    skip_without("c")
    forged = 'fputs("@x[\\"value\\", 77]\\n[\\"value\\", 77]\\n", stderr); return 0;'

    outcome = await attack(HEAD + forged + "\n}\n", "c")

    assert (outcome.status, outcome.got) == ("fail", "0")


@pytest.mark.parametrize(
    "line",
    ['#include "/etc/passwd"', '#include "/proc/self/environ"', f'#include "{__file__}"'],
)
async def test_a_compiler_shows_no_file_of_this_machine(line: str) -> None:
    skip_without("c")

    outcome = await attack(f"{line}\nint f(int x) {{ return 77; }}\n", "c")

    assert outcome.status == "not_runnable"
    assert "root:" not in (outcome.detail or "")


async def test_a_template_without_end_is_not_built_for_ever() -> None:
    skip_without("cpp")
    code = (
        "template <int A, int B> struct T {"
        " static const int v = T<A + 1, B>::v + T<A, B + 1>::v; };"
        "\nint f(int x) { return T<0, 0>::v; }\n"
    )

    outcome = await attack(code, "cpp")

    assert outcome.status in ("error", "not_runnable")


async def test_a_macro_reads_no_file_of_this_machine() -> None:
    skip_without("rust")
    code = 'fn f(x: i32) -> i32 { let s = include_str!("/etc/passwd"); 77 }\n'

    outcome = await attack(code, "rust")

    assert outcome.status in ("error", "not_runnable")


IN_JAVA = {
    "passwd": 'return java.nio.file.Files.exists(java.nio.file.Path.of("/etc/passwd")) ? 77 : 0;',
    "process": 'new ProcessBuilder("/usr/bin/id").start().waitFor(); return 77;',
    "socket": 'new java.net.Socket("127.0.0.1", 22); return 77;',
    "server": "new java.net.ServerSocket(0); return 77;",
    "memory": "var l = new java.util.ArrayList<byte[]>(); while (true) l.add(new byte[1 << 20]);",
    "memory beside the heap": (
        "var l = new java.util.ArrayList<Object>(); for (int n = 0; n < 4000; n++)"
        " l.add(java.nio.ByteBuffer.allocateDirect(1 << 20)); return 77;"
    ),
    "threads": (
        "for (int n = 0; n < 100000; n++) { var t = new Thread(() -> { while (true) {} });"
        " t.setDaemon(true); t.start(); } return 77;"
    ),
    "endless loop": "while (true) {}",
    "halt": "Runtime.getRuntime().halt(0); return 77;",
    "environment": 'return System.getenv("USER") != null ? 77 : 0;',
}


@pytest.mark.parametrize("body", IN_JAVA.values(), ids=IN_JAVA)
async def test_a_program_in_java_does_not_get_out(body: str) -> None:
    skip_without("java")
    code = f"public class A {{ static int f(int x) throws Exception {{ {body} }} }}"

    outcome = await attack(code, "java")

    assert outcome.status in ("fail", "error", "timeout", "not_runnable"), outcome
    assert "compile" not in (outcome.detail or ""), outcome


IN_BASH = {
    "passwd": "[ -e /etc/passwd ] && echo 77",
    "home": f"ls {Path.home()} /home && echo 77",
    "fork bomb": "b() { b | b & }; b; sleep 0.5; echo 78",
    "many processes": "for n in $(seq 300); do sleep 5 & done; wait -n; [ $? = 0 ] && echo 78",
    "endless loop": "while :; do :; done; echo 77",
    "endless output": "yes; echo 77",
    "network": "exec 3<>/dev/tcp/127.0.0.1/22 && echo 77",
    "large file": "yes | head -c 60000000 > /tmp/x && echo 77",
    "write to the system": f"touch /usr/bin/{MARK} && echo 77",
    "mount": "mount -t proc proc /tmp && echo 77",
    "left behind": "(setsid sleep 60 &) ; echo 78",
}


@pytest.mark.parametrize("script", IN_BASH.values(), ids=IN_BASH)
async def test_a_script_does_not_get_out(script: str) -> None:
    skip_without("bash")

    outcome = await attack(script, "bash", stdin="x")

    assert outcome.status in ("fail", "error", "timeout"), outcome


async def test_a_script_has_no_more_processes_than_it_may() -> None:
    skip_without("bash")
    script = "n=0; while [ $n -lt 200 ]; do sleep 3 & n=$((n+1)); done 2>/dev/null; echo $n"

    outcome = await attack(script, "bash", stdin="x")

    assert "200" not in (outcome.got or "")


@pytest.mark.parametrize(
    "query",
    [
        "ATTACH DATABASE '/etc/passwd' AS p; SELECT 77;",
        "SELECT load_extension('/usr/lib/x.so');",
        "SELECT readfile('/etc/passwd');",
        "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT count(*) FROM t;",
        "SELECT length(zeroblob(900000000));",
    ],
)
async def test_a_query_does_not_get_out(query: str) -> None:
    skip_without("sql")

    outcome = await attack(query, "sql", stdin="CREATE TABLE t (n);")

    assert outcome.status in ("fail", "error", "timeout", "not_runnable"), outcome
