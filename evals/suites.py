"""The suites by their names; each is imported where it is run."""

from importlib import import_module
from importlib.util import find_spec
from typing import Final

from evals.suite import Suite

_ALL: Final = ("suggestion", "breakdown", "validation", "retrieval", "chat", "injection")


def _is_here(name: str) -> bool:
    package = find_spec(f"evals.{name}")
    is_package = package is not None and package.submodule_search_locations is not None
    return is_package and find_spec(f"evals.{name}.suite") is not None


SUITES: Final = tuple(filter(_is_here, _ALL))
"""The names, in the order in which they are run and reported."""


def load_suite(name: str) -> Suite:
    """Return the suite of that name: `SUITE` of `evals/<name>/suite.py`."""
    suite: Suite = import_module(f"evals.{name}.suite").SUITE
    return suite
