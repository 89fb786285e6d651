"""Count lines, functions and branches with lizard, in a process that can be killed."""

import importlib.util
import json
import sys
from pathlib import Path
from typing import Final

from tools.analysis.facts.external import run_program
from tools.analysis.facts.fact import Metrics, Unusable

_SUFFIXES: Final = {
    "python": ".py",
    "javascript": ".js",
    "typescript": ".ts",
    "tsx": ".tsx",
    "java": ".java",
    "go": ".go",
    "rust": ".rs",
    "c": ".c",
    "cpp": ".cpp",
    "csharp": ".cs",
    "php": ".php",
    "ruby": ".rb",
    "kotlin": ".kt",
}
LANGUAGES: Final = frozenset(_SUFFIXES)

# Lizard reads with regular expressions in Python: hostile text can keep those busy for ever.
# Its comments that leave functions out belong to the author of the code, and are not heeded.
_SCRIPT: Final = """
import json, sys
try:
    import resource
    resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
except (ImportError, ValueError, OSError):
    pass
sys.path.append(sys.argv[1])
import lizard
code = sys.stdin.buffer.read().decode("utf-8", "replace")
code = code.replace("forgive", "f0rgive").replace("GENERATED CODE", "GENERATED_CODE")
found = lizard.analyze_file.analyze_source_code("submission" + sys.argv[2], code)
functions = found.function_list
json.dump(
    {
        "code_lines": found.nloc,
        "functions": len(functions),
        "max_complexity": max([0, *(one.cyclomatic_complexity for one in functions)]),
        "longest_function": max([0, *(one.end_line - one.start_line + 1 for one in functions)]),
    },
    sys.stdout,
)
"""


async def measure(code: str, language: str, *, seconds: float) -> Metrics:
    """Measure code in one of `LANGUAGES`; Unusable where lizard is absent, slow or confused."""
    found = importlib.util.find_spec("lizard")
    if found is None or found.origin is None:
        raise Unusable("lizard is not installed")
    libraries = str(Path(found.origin).parent)
    command = [sys.executable, "-I", "-S", "-c", _SCRIPT, libraries, _SUFFIXES[language]]
    data = code.removeprefix("\ufeff").encode("utf-8", "replace")
    finished = await run_program(command, stdin=data, folder=None, seconds=seconds)
    try:
        counted = json.loads(finished.output)
        return Metrics(lines=len(code.splitlines()), **counted)
    except (ValueError, TypeError):
        raise Unusable(f"it ended with code {finished.code} and no answer") from None
