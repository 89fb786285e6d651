"""What the OpenAPI document says can be asked, as requests that a test can send."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

Json = dict[str, Any]
METHODS: Final = ("get", "put", "post", "patch", "delete")
NAMES_A_ROW: Final = re.compile(r"(_ids?|Ids?|^fingerprint)$")
"""How fields and parameters end that name rows."""


@dataclass(frozen=True)
class Operation:
    """One method of one path, and the least that it accepts."""

    method: str
    path: str
    is_signed: bool
    body: Json | None
    media_type: str | None
    query: Mapping[str, str]
    headers: Mapping[str, str]
    path_names: tuple[str, ...]
    """Path parameters that name rows, in their order."""
    path_choices: Mapping[str, str]
    """Path parameters that are one of a list, and the first one of it."""
    query_names: tuple[str, ...]
    body_names: tuple[str, ...]
    nested_names: frozenset[str]
    """Fields further down in the body that name rows."""

    @property
    def label(self) -> str:
        """Return what to call it."""
        return f"{self.method} {self.path}"


def operations(document: Json) -> Iterator[Operation]:
    """Yield every operation of an OpenAPI document, with its smallest body."""
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield _operation(document, path, method, item[method])


def _operation(document: Json, path: str, method: str, described: Json) -> Operation:
    placed: dict[str, list[Json]] = {"path": [], "query": [], "header": []}
    for parameter in described.get("parameters", ()):
        placed[parameter["in"]].append(parameter)
    content: Json = described.get("requestBody", {}).get("content", {})
    media_type = next(iter(content), None)
    media = content.get(media_type or "", {})
    schema = resolve(document, media.get("schema", {}))
    properties: Json = schema.get("properties", {})
    body = media.get("example") or least(document, schema) if content else None
    nested = set(_names_below(document, properties)) - set(properties)
    return Operation(
        method=method.upper(),
        path=path,
        is_signed=bool(described.get("security")),
        body=body,
        media_type=media_type,
        query=_required(document, placed["query"]),
        headers=_required(document, placed["header"]),
        path_names=_naming(each["name"] for each in placed["path"]),
        path_choices={
            each["name"]: choices[0]
            for each in placed["path"]
            if (choices := resolve(document, each["schema"]).get("enum"))
        },
        query_names=_naming(each["name"] for each in placed["query"]),
        body_names=_naming(properties),
        nested_names=frozenset(_naming(nested)),
    )


def _required(document: Json, parameters: list[Json]) -> dict[str, str]:
    return {
        each["name"]: str(least(document, each["schema"]))
        for each in parameters
        if each.get("required")
    }


def _naming(names: Any) -> tuple[str, ...]:
    return tuple(name for name in names if NAMES_A_ROW.search(name))


def _names_below(document: Json, schema: Any, seen: frozenset[str] = frozenset()) -> Iterator[str]:
    """Yield the names of all properties at any depth."""
    if isinstance(schema, list):
        for each in schema:
            yield from _names_below(document, each, seen)
        return
    if not isinstance(schema, dict):
        return
    reference = schema.get("$ref")
    if isinstance(reference, str) and reference not in seen:
        yield from _names_below(document, resolve(document, schema), seen | {reference})
    properties = schema.get("properties")
    if isinstance(properties, dict):
        yield from properties
    for each in schema.values():
        yield from _names_below(document, each, seen)


def resolve(document: Json, schema: Json) -> Json:
    """Return what a schema refers to, or the schema itself."""
    reference = schema.get("$ref")
    if reference is None:
        return schema
    found: Any = document
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return resolve(document, found)


def least(document: Json, schema: Json) -> Any:
    """Return an example that a schema gives, or the least value that it accepts."""
    schema = resolve(document, schema)
    for name in ("const", "default"):
        if schema.get(name) is not None:
            return schema[name]
    for name in ("examples", "enum"):
        if schema.get(name):
            return schema[name][0]
    for name in ("anyOf", "oneOf", "allOf"):
        if name in schema:
            some = [each for each in schema[name] if each.get("type") != "null"]
            return least(document, some[0])
    return _least_of_type(document, schema)


def _least_of_type(document: Json, schema: Json) -> Any:
    match schema.get("type"):
        case "object":
            properties: Json = schema.get("properties", {})
            names = schema.get("required") or list(properties)[:1]
            return {name: least(document, properties[name]) for name in names}
        case "array":
            return [least(document, schema["items"])] * schema.get("minItems", 0)
        case "integer" | "number":
            return int(schema.get("minimum", 1))
        case "boolean":
            return False
        case _:
            return "x" * max(1, schema.get("minLength", 1))
