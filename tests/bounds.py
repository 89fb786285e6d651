"""How long something may take in a test, on a machine that has other things to do as well."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

NOT_FOR_EVER: Final = 30.0
"""Seconds within which ends what is to end: a busy machine takes less, an endless thing more."""


@contextmanager
def thinking_at_most(seconds: float) -> Iterator[None]:
    """Fail where this thread takes more than `seconds` of a processor in the block."""
    began = time.thread_time()
    yield
    assert time.thread_time() - began < seconds
