"""Skip tests of languages whose tools are not on this machine, with the reason."""

import pytest

from tools.analysis.runs.native.registry import find_runner


def skip_without(language: str) -> None:
    """Skip the test where programs in `language` cannot be built and run in a box here."""
    reason = find_runner(language)
    if reason is not None:
        pytest.skip(reason)
