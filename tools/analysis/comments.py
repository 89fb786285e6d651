"""Find the comments and the strings of code, in every language that has a grammar here."""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

from tools.analysis.facts.fact import Unusable
from tools.analysis.syntax import parse_code, split_lines

if TYPE_CHECKING:
    from tree_sitter import Language, Node, Tree

WALK_SECONDS: Final = 1.0
_LONE_RETURN: Final = re.compile(r"\r(?!\n)")
_COMMENT_KINDS: Final = """
    comment html_comment block_comment line_comment doc_comment js_comment marginalia
"""
_STRING_KINDS: Final = """
    string string_literal raw_string_literal interpreted_string_literal verbatim_string_literal
    multiline_string_literal template_string encapsed_string
"""
# These hold text and no code, unless one of `_HOLDS_CODE` is inside.
_TEXT_KINDS: Final = """
    string_content string_fragment multiline_string_fragment raw_string_content
    string_literal_content interpolated_string_expression character_literal char_literal
    rune_literal character heredoc heredoc_body heredoc_content nowdoc_string bare_string
    string_array regex regex_pattern ansi_c_string raw_string translated_string string_value
    jsx_text text raw_text attribute_value quoted_attribute_value literal hash_bang_line
"""
_COMMENTS: Final = frozenset(_COMMENT_KINDS.split())
_STRINGS: Final = frozenset(["concatenated_string", *_STRING_KINDS.split()])
_TEXTS: Final = frozenset([*_COMMENTS, *_STRING_KINDS.split(), *_TEXT_KINDS.split()])
_STATEMENT: Final = frozenset({"expression_statement"})
_HOLDS_CODE: Final = frozenset(
    {"interpolation", "template_substitution", "string_interpolation", "command_substitution"}
)
# For languages without a grammar: what most of them begin a comment with.
_COMMENT_LIKE: Final = re.compile(r"(?:^|(?<=\s))(?:#|//|--|;|%|/\*|<!--|\"\"\"|'''|\*).*")


@dataclass(frozen=True)
class Comment:
    """Text that speaks to readers only; 1-based inclusive lines; `alone`: it begins its line."""

    text: str
    line: int
    end_line: int
    alone: bool


def find_comments(code: str, language: str) -> list[Comment]:
    """List comments, docstrings and strings that stand alone as statements, in order.

    Where no grammar knows the language, whatever follows a common comment mark is taken.
    """
    code = _LONE_RETURN.sub("\n", code)
    data = code.encode("utf-8", "replace")
    tree = parse_code(data, language)
    if tree is None:
        return list(_comment_like(code))
    nodes: list[Node] = []
    for node in _find_nodes(tree, _COMMENTS | _STATEMENT):
        inside = node.named_children if node.type in _STATEMENT else []
        if node.type in _COMMENTS:
            nodes.append(node)
        elif len(inside) == 1 and inside[0].type in _STRINGS:
            nodes.append(inside[0])
    found: list[Comment] = []
    position = 0
    for node in sorted(nodes, key=_outermost_first):
        if node.start_byte < position:
            continue
        position = node.end_byte
        text = data[node.start_byte : position].decode("utf-8", "replace").rstrip()
        line = node.start_point[0] + 1
        before = data[data.rfind(b"\n", 0, node.start_byte) + 1 : node.start_byte]
        end_line = line + len(split_lines(text)) - 1
        found.append(Comment(text, line, end_line, not before.strip()))
    return found


def blank_text(code: str, language: str) -> str | None:
    """Return the code with comments, strings and other text blanked; None without a grammar.

    Characters and lines keep their places.
    """
    data = _LONE_RETURN.sub("\n", code).encode("utf-8", "replace")
    tree = parse_code(data, language)
    if tree is None:
        return None
    pieces: list[str] = []
    position = 0
    for node in sorted(_find_nodes(tree, _TEXTS), key=_outermost_first):
        if node.start_byte < position or _is_more_than_text(node):
            continue
        pieces.append(data[position : node.start_byte].decode("utf-8", "replace"))
        position = node.end_byte
        text = data[node.start_byte : position].decode("utf-8", "replace")
        pieces.append(re.sub(r"[^\n]", " ", text))
    return "".join([*pieces, data[position:].decode("utf-8", "replace")])


def _is_more_than_text(node: "Node") -> bool:
    """Tell whether code is inside, or an error: a string that never ends is most of the file."""
    return node.has_error or any(child.type in _HOLDS_CODE for child in node.named_children)


def _find_nodes(tree: "Tree", kinds: frozenset[str]) -> "list[Node]":
    """List the nodes of some kinds, in order; Unusable after `WALK_SECONDS`.

    A query would be shorter, and takes minutes for half a million brackets.
    """
    wanted = _kind_ids(tree.language, kinds)
    deadline = time.monotonic() + WALK_SECONDS
    found: list[Node] = []
    cursor = tree.walk()
    steps = 0
    while True:
        node = cursor.node
        if node is not None and node.kind_id in wanted:
            found.append(node)
        steps += 1
        if steps % 4_096 == 0 and time.monotonic() > deadline:
            raise Unusable(f"reading its tree took longer than {WALK_SECONDS:g} s")
        if cursor.goto_first_child():
            continue
        while not cursor.goto_next_sibling():
            if not cursor.goto_parent():
                return found


@cache
def _kind_ids(language: "Language", kinds: frozenset[str]) -> frozenset[int]:
    return frozenset(
        number
        for number in range(language.node_kind_count)
        if language.node_kind_is_named(number) and language.node_kind_for_id(number) in kinds
    )


def _outermost_first(node: "Node") -> tuple[int, int]:
    return node.start_byte, -node.end_byte


def _comment_like(code: str) -> Iterator[Comment]:
    for number, line in enumerate(split_lines(code), 1):
        match = _COMMENT_LIKE.search(line)
        if match is not None:
            alone = not line[: match.start()].strip()
            yield Comment(match[0].strip(), number, number, alone)
