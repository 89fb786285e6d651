"""Names that a reader knows, for the ids that a run makes up: results are the same in each run."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, get_args

from db.base import IdPrefix

_ID: Final = re.compile(rf"(?P<prefix>{'|'.join(get_args(IdPrefix))})_[0-9a-f]{{32}}")


@dataclass
class Names:
    """The names of ids: a case's rows by their keys, others by their kind and order of appearance.

    `known` are the ids of the case's rows by their keys.
    """

    known: Mapping[str, str]
    _names: dict[str, str] = field(default_factory=dict)
    _counts: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Take the names that the case gives."""
        self._names.update({row_id: key for key, row_id in self.known.items()})

    def name(self, value: Any) -> Any:
        """Return JSON with a name for each id in its texts."""
        if isinstance(value, str):
            return _ID.sub(self._of, value)
        if isinstance(value, list):
            return [self.name(item) for item in value]
        if isinstance(value, dict):
            return {name: self.name(item) for name, item in value.items()}
        return value

    def _of(self, found: re.Match[str]) -> str:
        row_id = found[0]
        if row_id not in self._names:
            prefix = found["prefix"]
            self._counts[prefix] = self._counts.get(prefix, 0) + 1
            self._names[row_id] = f"{prefix}#{self._counts[prefix]}"
        return self._names[row_id]
