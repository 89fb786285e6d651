"""Serve a GGUF model on loopback, in this process, through llama.cpp's OpenAI-compatible server."""

import contextlib
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tools.errors import SetupError

CONTEXT_TOKENS: Final = 16_384
PARALLEL: Final = 6
"""Answers at once, out of one context: six together take three times as long as one alone."""
ERRORS_ONLY: Final = 1


@dataclass(frozen=True)
class LocalServer:
    """Where the model listens, and the key that it asks for."""

    base_url: str
    api_key: str


@contextlib.contextmanager
def serve_model(path: Path) -> Iterator[LocalServer]:
    """Load the GGUF file at `path` and serve it on a free loopback port until the block ends.

    Takes a few seconds and about the file's size in memory. Raises SetupError where the file is
    missing or llama.cpp refuses it.
    """
    if not path.is_file():
        raise SetupError(
            f"there is no model at {path}: run `goals models pull`, "
            "or set OPENAI_API_KEY, or name a GGUF file with GOALS_LOCAL_MODEL"
        )
    import xllamacpp

    key = secrets.token_urlsafe(24)
    server: Any = None
    try:
        server = xllamacpp.Server(_parameters(xllamacpp.CommonParams(), path, key))
    except Exception as error:
        raise SetupError(f"llama.cpp refuses the model at {path}: {error}") from error
    try:
        yield LocalServer(base_url=f"{server.listening_address}/v1", api_key=key)
    finally:
        del server


def _parameters(parameters: Any, path: Path, key: str) -> Any:
    parameters.model.path = str(path)
    parameters.model_alias = {path.stem}
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = 0
    parameters.api_keys = [key]
    parameters.n_ctx = CONTEXT_TOKENS
    parameters.n_parallel = PARALLEL
    parameters.kv_unified = True
    parameters.cache_ram_mib = 0
    parameters.offline = True
    parameters.ui = False
    parameters.warmup = False
    parameters.verbosity = ERRORS_ONLY
    # Spinning threads wait for one another: with another program on a core, 4 tokens/s, not 13.
    parameters.cpuparams.poll = parameters.cpuparams_batch.poll = 0
    return parameters
