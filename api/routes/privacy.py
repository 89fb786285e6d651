"""`/v1/users/me` as the law sees it: a copy of all that is stored, and to be forgotten."""

import tempfile
from collections.abc import Iterator
from typing import IO, Any, Final

from fastapi.responses import StreamingResponse

from api.deps import Tools, make_router
from tools import privacy
from tools.privacy import ErasureOut

MEDIA_TYPE: Final = "application/zip"
IN_MEMORY: Final = 4 << 20
CHUNK: Final = 64 << 10
ZIP: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "A zip of JSON lines, a file for each kind of row, and `manifest.json`",
        "content": {MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}},
    }
}

router = make_router("/v1/users/me", tag="users")


@router.get("/export", response_class=StreamingResponse, responses=ZIP)
async def export_everything(tools: Tools) -> StreamingResponse:
    """Download all that is stored about you, as it is at this moment."""
    file = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 - closed when it is sent
    try:
        await privacy.write_export(tools, file)
    except BaseException:
        file.close()
        raise
    name = f"goals-export-{tools.now:%Y-%m-%d}.zip"
    return StreamingResponse(
        _read(file),
        media_type=MEDIA_TYPE,
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Content-Length": str(file.tell()),
            "Cache-Control": "no-store",
        },
    )


@router.delete("", status_code=202)
async def forget_me(tools: Tools) -> ErasureOut:
    """Close your account now, and have everything of it deleted. It cannot be undone.

    From this answer on no token of yours is accepted. Rows, files of the lake and dead letters
    follow within a minute where they can be reached, and as soon as they can be otherwise.
    """
    return await privacy.request_erasure(tools)


def _read(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        file.seek(0)
        while chunk := file.read(CHUNK):
            yield chunk
