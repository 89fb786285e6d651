"""`/`: the page for people. Its files are in `api/page/`, and served as they are."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Request, Response

from tools.errors import NotFound

FOLDER: Final = Path(__file__).resolve().parents[1] / "page"
TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
INDEX: Final = "index.html"
POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
"""Nothing from elsewhere, nothing inline, and no text that becomes markup: not even by us."""
GUARDED: Final[Mapping[str, str]] = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
FOR_EVER: Final = "public, max-age=31536000, immutable"
_PLACE: Final = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, kw_only=True)
class Page:
    """The page in memory; its files are under an address with the hash of all of them."""

    index: bytes
    etag: str
    version: str
    assets: Mapping[str, bytes]


def load_page(*, signs_in: bool, folder: Path = FOLDER) -> Page:
    """Return the page; `signs_in` tells it to ask for a name and a password, or for a token."""
    assets = {
        path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.suffix in TYPES
    }
    whole = hashlib.sha256()
    for name, content in assets.items():
        whole.update(f"{name}\0{len(content)}\0".encode() + content)
    version = whole.hexdigest()[:16]
    values = {"version": version, "sign_in": "password" if signs_in else "token"}
    text = (folder / INDEX).read_text(encoding="utf-8")
    index = _PLACE.sub(lambda place: values[place[1]], text).encode()
    etag = f'"{hashlib.sha256(index).hexdigest()[:16]}"'
    return Page(index=index, etag=etag, version=version, assets=assets)


def make_page_router(*, signs_in: bool) -> APIRouter:
    """Return the routes of the page, which are no part of the API's document."""
    page = load_page(signs_in=signs_in)
    router = APIRouter(include_in_schema=False)

    @router.get("/")
    async def show_page(request: Request) -> Response:
        """Answer with the page; where the browser has it already, with nothing."""
        headers = {**GUARDED, "ETag": page.etag, "Cache-Control": "no-cache"}
        if page.etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(page.index, headers=headers, media_type="text/html")

    @router.get("/page/{version}/{name}")
    async def show_asset(version: str, name: str) -> Response:
        """Answer with a file of the page, which never changes at its address."""
        content = page.assets.get(name)
        if content is None or version != page.version:
            raise NotFound("this page has no such file, or not any more: load it again")
        headers = {**GUARDED, "Cache-Control": FOR_EVER}
        return Response(content, headers=headers, media_type=TYPES[Path(name).suffix])

    return router
