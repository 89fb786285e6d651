"""Make a script, which V8 can load alone, of a JavaScript or TypeScript module."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tools.analysis.runs.erase_types import NotErasable, erase_types
from tools.analysis.syntax import normalise_language, parse_code

if TYPE_CHECKING:
    from tree_sitter import Node

_HASH_BANG = re.compile(r"\A#![^\n]*")


@dataclass(frozen=True)
class Script:
    """A script of the same lines; `refused` is why there is none."""

    code: str
    refused: str | None


def make_script(code: str, language: str) -> Script:
    """Erase types and `export`; a program that imports another module is refused."""
    name = normalise_language(language) or "javascript"
    code = _HASH_BANG.sub("", code.removeprefix("\ufeff"))
    try:
        if name in ("typescript", "tsx"):
            code = erase_types(code, name)
    except NotErasable as error:
        return Script("", str(error))
    data = code.encode("utf-8", "replace")
    tree = parse_code(data, "javascript")
    if tree is None:
        return Script("", "it cannot be read in time")
    edits: list[tuple[int, int, bytes]] = []
    for node in tree.root_node.children:
        if node.type == "import_statement":
            return Script("", f"the sandbox has no modules: {_text(node)}")
        if node.type == "export_statement":
            if node.child_by_field_name("source") is not None:
                return Script("", f"the sandbox has no modules: {_text(node)}")
            edits.append(_without_export(node))
    for start, end, instead in reversed(edits):
        data = data[:start] + instead + data[end:]
    return Script(data.decode("utf-8"), None)


def _text(node: "Node") -> str:
    return (node.text or b"").decode("utf-8", "replace").split("\n")[0][:80]


def _without_export(node: "Node") -> tuple[int, int, bytes]:
    """Give what replaces `export …` up to what it exports."""
    declared = node.child_by_field_name("declaration")
    value = node.child_by_field_name("value")
    default = any(child.type == "default" for child in node.children)
    kept = declared or value
    if kept is None:
        # `export { a, b }`: the names are there already.
        return node.start_byte, node.end_byte, b";"
    named = kept.child_by_field_name("name") is not None and kept.type.endswith("_declaration")
    instead = b"module.exports.default = " if default and not named else b""
    return node.start_byte, kept.start_byte, instead
