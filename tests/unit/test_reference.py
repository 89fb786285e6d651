"""docs/reference/ says what the code says."""

import re
from pathlib import Path
from typing import Final

import pytest

from api.reference import CODES, FOLDER, SET_LIMITS, make_pages, own_codes
from api.settings import Settings

ROOT: Final = Path(__file__).parents[2]
GIVEN: Final = re.compile(r"""code(?::\s*str)?\s*=\s*"([A-Z_]{3,})\"""")
BY_STATUS: Final = {"METHOD_NOT_ALLOWED"}


@pytest.mark.parametrize("name", sorted(make_pages()))
def test_the_page_is_what_the_code_says(name: str) -> None:
    written = (FOLDER / name).read_text(encoding="utf-8")

    assert written == make_pages()[name], "run `python -m api.reference`"


def test_every_code_that_the_program_gives_is_told() -> None:
    sources = [
        path
        for folder in ("api", "agent", "tools", "db")
        for path in ROOT.glob(f"{folder}/**/*.py")
    ]
    given = {code for path in sources for code in GIVEN.findall(path.read_text(encoding="utf-8"))}

    assert given | own_codes() | BY_STATUS == set(CODES)


def test_every_limit_that_is_set_is_a_setting() -> None:
    assert {field.alias for field in Settings.model_fields.values()} >= SET_LIMITS
