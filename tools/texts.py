"""The kinds of value that the product takes from outside.

Text is strict: no NUL and no lone surrogate, which PostgreSQL cannot store. Numbers are finite.
"""

import re
import unicodedata
from datetime import UTC, datetime
from typing import Annotated, Final

from pydantic import AfterValidator, AwareDatetime, Field, JsonValue, StringConstraints
from pydantic_core import PydanticCustomError

MAX_TITLE: Final = 500
MAX_DESCRIPTION: Final = 20_000
MAX_CRITERIA: Final = 20
MAX_CRITERION: Final = 1_000
MAX_CODE: Final = 1_000_000
MAX_REASON: Final = 500
MAX_METADATA_KEYS: Final = 50
MAX_HOURS: Final = 10_000
EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(2200, 1, 1, tzinfo=UTC)
_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")
TEXT_ERRORS: Final = frozenset({"text_invalid", "string_unicode"})
"""Types of pydantic errors that mean: this text cannot be stored at all."""


def is_storable(text: str) -> bool:
    """Tell whether PostgreSQL can store `text`: it has no NUL and no lone surrogate."""
    return _UNSTORABLE.search(text) is None


def _storable(text: str) -> str:
    if not is_storable(text):
        raise PydanticCustomError("text_invalid", "a NUL or a lone surrogate cannot be stored")
    return text


def _one_line(text: str) -> str:
    line = _storable(text).strip()
    if all(unicodedata.category(character)[0] in "CZ" for character in line):
        raise PydanticCustomError("text_blank", "nothing in this text can be seen")
    return line


def _plausible(moment: datetime) -> datetime:
    if not EARLIEST <= moment <= LATEST:
        raise PydanticCustomError("moment_range", "the moment must be between 2000 and 2200")
    return moment.astimezone(UTC)


def _any_text(value: JsonValue) -> JsonValue:
    if isinstance(value, str):
        _storable(value)
    elif isinstance(value, list):
        for item in value:
            _any_text(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            _storable(key)
            _any_text(item)
    return value


Text = Annotated[str, AfterValidator(_storable)]
"""Any text that can be stored, as it is."""
LINE: Final = AfterValidator(_one_line)
"""Space around it goes, and something of it can be seen; a limit counts what was sent."""
Line = Annotated[str, Field(min_length=1), LINE]
Title = Annotated[str, Field(min_length=1, max_length=MAX_TITLE), LINE]
FullName = Annotated[str, Field(min_length=1, max_length=255), LINE]
Description = Annotated[Text, Field(max_length=MAX_DESCRIPTION)]
CriterionText = Annotated[str, Field(min_length=1, max_length=MAX_CRITERION), LINE]
Criteria = Annotated[list[CriterionText], Field(max_length=MAX_CRITERIA)]
Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,36}$")]
Percentage = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False, strict=True)]
Hours = Annotated[float, Field(gt=0, le=MAX_HOURS, allow_inf_nan=False, strict=True)]
Score = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
TaskPriority = Annotated[int, Field(ge=0, le=1_000, strict=True)]
Moment = Annotated[AwareDatetime, AfterValidator(_plausible)]
Metadata = Annotated[
    dict[str, Annotated[JsonValue, AfterValidator(_any_text)]],
    Field(max_length=MAX_METADATA_KEYS),
    AfterValidator(_any_text),
]
AnyMetadata = Annotated[dict[str, JsonValue], AfterValidator(_any_text)]
"""Metadata of another service, of whatever size: every text in them can be stored."""
Language = Annotated[str, Field(min_length=1, max_length=50), LINE, AfterValidator(str.lower)]
FilePath = Annotated[str, Field(min_length=1, max_length=1_000), LINE]
Code = Annotated[Text, Field(max_length=MAX_CODE)]
Reason = Annotated[str, Field(min_length=1, max_length=MAX_REASON), LINE]
Fingerprint = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]
