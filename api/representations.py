"""A resource as an answer: its JSON, once, with the ETag of these very bytes."""

import re
from typing import Any, Final

from fastapi import Request, Response
from pydantic import BaseModel

from api.idempotency import REPLAYED_HEADER
from api.problems import problems
from tools.errors import InputError
from tools.versions import ANY_VERSION, IfMatch, as_json, as_read, make_etag

_TAG: Final = r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"'
_TAGS: Final = re.compile(rf"[ \t,]*{_TAG}(?:[ \t]*,[ \t,]*{_TAG})*[ \t,]*")
_ONE: Final = re.compile(_TAG)

ETAG_HEADER: Final[dict[str, Any]] = {
    "ETag": {
        "description": "Version of what is in the answer, for `If-Match` and `If-None-Match`",
        "schema": {"type": "string"},
    }
}
LOCATION_HEADER: Final[dict[str, Any]] = {
    "Location": {"description": "Where it can be read", "schema": {"type": "string"}}
}
_IF_MATCH: Final = {
    "name": "If-Match",
    "in": "header",
    "required": False,
    "description": "Only if it still is one of these versions (ETags, or `*` for any), else 412",
    "schema": {"type": "string"},
}
_IF_NONE_MATCH: Final = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "The versions that you have: 304 if it still is one of them",
    "schema": {"type": "string"},
}

VERSIONED_READ: Final[dict[str, Any]] = {"parameters": [_IF_NONE_MATCH]}
"""`openapi_extra` of a GET of one thing."""
VERSIONED_DELETE: Final[dict[str, Any]] = {"parameters": [_IF_MATCH]}
"""`openapi_extra` of a DELETE of one thing."""

Responses = dict[int | str, dict[str, Any]]
READ: Final[Responses] = {
    200: {"headers": ETAG_HEADER},
    304: {"description": "It is what you have", "headers": ETAG_HEADER},
    **problems(404),
}
CHANGED: Final[Responses] = {
    200: {"headers": ETAG_HEADER},
    **problems(
        *(404, 409, 412, 413), codes={409: "CONFLICT_STATE, CONFLICT_VERSION: see the detail"}
    ),
}
DELETED: Final[Responses] = problems(404, 409, 412)
CREATED: Final[Responses] = {
    201: {"headers": {**ETAG_HEADER, **LOCATION_HEADER, **REPLAYED_HEADER}},
    **problems(
        *(404, 409, 413, 422),
        codes={
            409: "LIMIT_REACHED, IDEMPOTENCY_IN_PROGRESS or CONFLICT_VERSION",
            422: "VALIDATION, TEXT_INVALID, TOO_DEEP or IDEMPOTENCY_MISMATCH",
        },
    ),
}

CREATED_ANYWHERE: Final[Responses] = {**CREATED, 201: {"headers": REPLAYED_HEADER}}
"""Made, without an address of its own."""


def merge_patch_body(patch: type[BaseModel]) -> dict[str, Any]:
    """Return the `openapi_extra` of a PATCH of one thing with this JSON merge patch."""
    schema = {"$ref": f"#/components/schemas/{patch.__name__}"}
    return {
        **VERSIONED_DELETE,
        "requestBody": {"content": {"application/merge-patch+json": {"schema": schema}}},
    }


def represent(
    request: Request, out: BaseModel, *, status: int = 200, location: str | None = None
) -> Response:
    """Return a resource as it is now; 304 to a GET of who has this version."""
    is_read = request.method in {"GET", "HEAD"}
    body = as_json(out if is_read else as_read(out))
    headers = {"ETag": make_etag(body)}
    if location is not None:
        headers["Location"] = location
    if is_read and _has(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return Response(body, status_code=status, headers=headers, media_type="application/json")


def page(out: BaseModel) -> Response:
    """Return a page of a list: its JSON, once."""
    return Response(as_json(out), media_type="application/json")


def if_match(request: Request) -> IfMatch:
    """Return the versions that the caller wants to change, compared as strong ones.

    Raises InputError where `If-Match` is no list of entity tags.
    """
    given = request.headers.getlist("if-match")
    if not given:
        return ANY_VERSION
    tags = _read_tags(", ".join(given))
    return ANY_VERSION if tags is None else IfMatch(frozenset(tags))


def _has(request: Request, etag: str) -> bool:
    given = request.headers.getlist("if-none-match")
    if not given:
        return False
    tags = _read_tags(", ".join(given))
    return tags is None or etag in {tag.removeprefix("W/") for tag in tags}


def _read_tags(header: str) -> list[str] | None:
    """Return the entity tags of a header, None for `*`."""
    if header.strip() == "*":
        return None
    if not _TAGS.fullmatch(header):
        raise InputError(
            'entity tags stand in quotes, such as "abc", with commas between them; or *'
        )
    return _ONE.findall(header)
