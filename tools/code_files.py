"""Code as a file has it: text, or bytes that are no UTF-8.

PostgreSQL keeps text only. So bytes are read with replacement characters, by people, analyzers and
models alike, and kept beside it as they came.
"""

import base64
import binascii
from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from tools.texts import Code

KEPT_BYTES: Final = "code_base64"
"""Where a snapshot's metadata keep them."""
MAX_BASE64: Final = 1_048_576
_REPLACEMENT: Final = "\ufffd"

Base64 = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9+/]*={0,2}$", max_length=MAX_BASE64),
    Field(description="Instead of `code`: the bytes of a file that may not be UTF-8"),
]


class CodeFile(BaseModel):
    """One of `code` and `code_base64`; afterwards `code` is there in both cases."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    code: Code = Field(default_factory=str)
    code_base64: Base64 | None = None

    @model_validator(mode="before")
    @classmethod
    def _read_bytes(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        encoded = value.get("code_base64")
        if encoded is None and "code" not in value:
            raise PydanticCustomError("missing", "code or code_base64 is missing")
        if isinstance(encoded, str) and "code" not in value:
            return {**value, "code": as_text(_decode(encoded))}
        return value

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.code_base64 is not None and as_text(_decode(self.code_base64)) != self.code:
            raise PydanticCustomError("code_twice", "code_base64 is not the same as code")
        return self


def as_text(content: bytes) -> str:
    """Return a file's content as text that can be stored, with U+FFFD for what is none."""
    return content.decode(errors="replace").replace("\0", _REPLACEMENT)


def content_of(code: str, code_base64: str | None) -> bytes:
    """Return the file's bytes, as they were sent. Raises ValueError for what is not base64."""
    return code.encode() if code_base64 is None else base64.b64decode(code_base64, validate=True)


def kept_bytes(code: str, code_base64: str | None) -> dict[str, str]:
    """Return what a snapshot's metadata keep of the bytes: nothing where the text has it all."""
    if code_base64 is None or content_of(code, code_base64) == code.encode():
        return {}
    return {KEPT_BYTES: code_base64}


def _decode(encoded: str) -> bytes:
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise PydanticCustomError("base64_invalid", "it is not base64") from error
