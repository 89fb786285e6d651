"""Every link of README and docs leads somewhere."""

from pathlib import Path

import pytest

from tests.documents import ROOT, broken_links, documents


@pytest.mark.parametrize("page", documents(), ids=lambda one: str(one.relative_to(ROOT)))
def test_every_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    assert broken_links(page) == []
