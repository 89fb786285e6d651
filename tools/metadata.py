"""Metadata: what a caller keeps with a row, changed by merging (RFC 7396)."""

from collections.abc import Collection
from typing import Any

from tools.errors import InputError
from tools.texts import MAX_METADATA_KEYS


def merge_patch(target: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """Return `target` with `patch` merged into it (RFC 7396): null removes, objects merge."""
    merged = dict(target)
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict):
            inner = merged.get(key)
            merged[key] = merge_patch(inner if isinstance(inner, dict) else {}, value)
        else:
            merged[key] = value
    return merged


def require_small(metadata: dict[str, Any]) -> dict[str, Any]:
    """Return metadata. Raises InputError where merging gave them too many keys."""
    if len(metadata) > MAX_METADATA_KEYS:
        raise InputError(f"metadata have at most {MAX_METADATA_KEYS} keys")
    return metadata


def require_free(patch: dict[str, Any], taken: Collection[str]) -> None:
    """Raise InputError where a caller names a key that the service itself keeps something in."""
    ours = sorted(set(patch) & set(taken))
    if ours:
        raise InputError(f"these keys of the metadata are the service's own: {', '.join(ours)}")
