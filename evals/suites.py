"""The suites by their names; each is imported where it is run."""

from importlib import import_module
from typing import Final

from evals.suite import Suite

SUITES: Final = ("suggestion", "breakdown", "validation", "retrieval", "chat", "injection")
"""The names, in the order in which they are run and reported."""


def load_suite(name: str) -> Suite:
    """Return the suite of that name: `SUITE` of `evals/<name>/suite.py`."""
    suite: Suite = import_module(f"evals.{name}.suite").SUITE
    return suite
