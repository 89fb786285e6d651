"""What a user may ask about their own data: a copy of all of it, and to be forgotten."""

import asyncio
import json
import zipfile
from datetime import datetime
from enum import StrEnum
from typing import IO, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from db.base import as_text
from db.erasures import Erasures
from db.exports import TABLES, Row, read_pages
from db.external import EXTERNAL
from tools.context import ToolContext

MANIFEST: Final = "manifest.json"


class ErasureOut(BaseModel):
    """A request to be forgotten: the account is closed already, the rest follows."""

    model_config = ConfigDict(frozen=True)

    state: Literal["accepted"] = Field(description="Closed now; rows, files and copies follow")
    requested_at: datetime


async def request_erasure(tools: ToolContext) -> ErasureOut:
    """Close the user's account, and have all that is stored about them deleted.

    Nobody can sign in as them from the commit on. `events.erase` does the rest. An account that
    lives elsewhere is closed here only, until all is gone.
    """
    has_account = not tools.directory.is_elsewhere
    await Erasures(tools.session, tools.user_id).request(at=tools.now, has_account=has_account)
    return ErasureOut(state="accepted", requested_at=tools.now)


async def write_export(tools: ToolContext, target: IO[bytes]) -> dict[str, int]:
    """Write all that is stored about the user to `target`, as a zip of JSON lines.

    One file a table, one object a line, by the names of the columns, moments in UTC; beside them
    `manifest.json` with the number of rows of each. Returns these numbers by table. All is of
    one moment: the transaction must not have begun. Compresses in a thread. What lives elsewhere
    is not in it.
    """
    without = EXTERNAL if tools.directory.is_elsewhere else ()
    await tools.session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
    counts: dict[str, int] = {}
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in (one for one in TABLES if one not in without):
            counts[name] = 0
            with archive.open(f"{name}.jsonl", "w", force_zip64=True) as file:
                async for page in read_pages(tools.session, name, tools.user_id):
                    await asyncio.to_thread(_write_lines, file, page)
                    counts[name] += len(page)
        manifest = {"user_id": tools.user_id, "made_at": as_text(tools.now), "rows": counts}
        archive.writestr(MANIFEST, json.dumps(manifest, indent=2))
    return counts


def _write_lines(file: IO[bytes], rows: Any) -> None:
    for row in rows:
        file.write(_line(row))


def _line(row: Row) -> bytes:
    return (json.dumps(row, ensure_ascii=False, default=_as_json) + "\n").encode()


def _as_json(value: Any) -> Any:
    if isinstance(value, datetime):
        return as_text(value)
    if isinstance(value, StrEnum):
        return value.value
    return str(value)
