"""Cut what is indexed into chunks that an embedding model reads whole.

A chunk begins with a title line; below the titles, the chunks are the source, piece by piece.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from tools.analysis.outline import Definition, find_definitions

LONGEST_CHUNK: Final = 1_200
"""Characters: about 400 tokens; the local model reads 512."""
LONGEST_TITLE: Final = 199
LONGEST_SYMBOL: Final = 90
LONGEST_BODY: Final = LONGEST_CHUNK - LONGEST_TITLE - 1
MOST_CHUNKS: Final = 64
SMALL: Final = 250
"""A piece shorter than this, as the head of a class, joins what follows it."""

_LINE = re.compile(r"[^\r\n]*+(?:\r\n|\r|\n)|[^\r\n]++")


@dataclass(frozen=True)
class Chunk:
    """One piece of an entity's text; its first line is a title.

    `metadata` of code: `start_line` and `end_line` (from 1, both inclusive) and, where it is of a
    definition, `symbol`. The last chunk of what was too long says `left_out`, in characters.
    """

    content: str
    metadata: dict[str, Any] | None = None


@dataclass(frozen=True)
class _Piece:
    """Consecutive source text, from line `start` (from 0) to before line `end`."""

    text: str
    start: int
    end: int
    symbols: tuple[str, ...] = ()


def cut_text(text: str) -> list[Chunk]:
    """Cut prose by paragraphs; its first line is its title. Short text is one chunk, as it is."""
    if len(text) <= LONGEST_CHUNK:
        return [Chunk(text)]
    title, _, body = text.partition("\n")
    if len(title) > LONGEST_TITLE:
        title, body = _beginning(title), text
    pieces = _packed(_fitted(_Piece(body[: MOST_CHUNKS * LONGEST_BODY], 0, 0)), small=LONGEST_BODY)
    kept = pieces[:MOST_CHUNKS]
    chunks = [Chunk(f"{title.rstrip()}\n{piece.text}") for piece in kept]
    return _with_left_out(chunks, len(body) - sum(len(piece.text) for piece in kept))


def cut_code(file_path: str, code: str, *, language: str) -> list[Chunk]:
    """Cut code along its definitions, or by lines where no grammar knows its language.

    A title is `path · symbol`. Short code is one chunk under its path.
    """
    lines = _LINE.findall(code[: MOST_CHUNKS * LONGEST_BODY])
    whole = _Piece("".join(lines), 0, len(lines))
    if len(file_path) + 1 + len(code) <= LONGEST_CHUNK:
        content = f"{file_path}\n{code}" if code else file_path
        return [Chunk(content, _metadata(whole) if code else None)]
    definitions = find_definitions(lines, language)
    pieces = list(_along(lines, definitions, around=whole))
    packed = _packed(pieces, small=SMALL)
    if len(packed) > MOST_CHUNKS:
        packed = _packed(pieces, small=LONGEST_BODY)
    kept = packed[:MOST_CHUNKS]
    chunks = [
        Chunk(f"{_title(file_path, piece)}\n{piece.text}", _metadata(piece)) for piece in kept
    ]
    return _with_left_out(chunks, len(code) - sum(len(piece.text) for piece in kept))


def _along(lines: list[str], inside: Iterable[Definition], *, around: _Piece) -> Iterator[_Piece]:
    """Yield the pieces of `around`: a definition that is too long by what is inside it."""
    if len(around.text) <= LONGEST_BODY:
        yield around
        return
    at = around.start
    for definition in inside:
        start, end = max(definition.start, at), min(definition.end, around.end)
        if start >= end:
            continue  # two on one line
        yield from _fitted(_piece(lines, at, start, around.symbols))
        own = _piece(lines, start, end, (definition.symbol,))
        yield from _along(lines, definition.inside, around=own)
        at = end
    yield from _fitted(_piece(lines, at, around.end, around.symbols))


def _piece(lines: list[str], start: int, end: int, symbols: tuple[str, ...]) -> _Piece:
    return _Piece("".join(lines[start:end]), start, end, symbols)


def _fitted(piece: _Piece) -> Iterator[_Piece]:
    """Yield `piece` in blocks of lines that fit, cut after a blank line where one is near."""
    parts = [
        (part, number)
        for number, line in enumerate(_LINE.findall(piece.text), start=piece.start)
        for part in _parts(line)
    ]
    first = 0
    while first < len(parts):
        size, at, blank = 0, first, None
        while at < len(parts) and size + len(parts[at][0]) <= LONGEST_BODY:
            size += len(parts[at][0])
            at += 1
            if size * 2 >= LONGEST_BODY and not parts[at - 1][0].strip():
                blank = at
        if at < len(parts) and blank is not None:
            at = blank
        text = "".join(part for part, _ in parts[first:at])
        yield _Piece(text, parts[first][1], parts[at - 1][1] + 1, piece.symbols)
        first = at


def _parts(line: str) -> Iterator[str]:
    """Yield a line that is too long in parts, cut after a space where one is near."""
    start = 0
    while len(line) - start > LONGEST_BODY:
        end = line.rfind(" ", start + LONGEST_BODY * 2 // 3, start + LONGEST_BODY) + 1
        end = end or start + LONGEST_BODY
        if line[end - 1] == "\r":
            end -= 1
        yield line[start:end]
        start = end
    yield line[start:]


def _packed(pieces: Iterable[_Piece], *, small: int) -> list[_Piece]:
    """Join a piece shorter than `small` to the next one where both fit; blank ones to the last."""
    packed: list[_Piece] = []
    for piece in pieces:
        if packed:
            last = packed[-1]
            fits = len(last.text) + len(piece.text) <= LONGEST_BODY
            if fits and (len(last.text) < small or not piece.text.strip()):
                more = piece.symbols if piece.text.strip() else ()
                symbols = tuple(dict.fromkeys((*last.symbols, *more)))
                packed[-1] = _Piece(last.text + piece.text, last.start, piece.end, symbols)
                continue
        packed.append(piece)
    return packed


def _title(file_path: str, piece: _Piece) -> str:
    symbol = _beginning(", ".join(piece.symbols), at_most=LONGEST_SYMBOL)
    room = LONGEST_TITLE - (len(symbol) + 3 if symbol else 0)
    path = file_path if len(file_path) <= room else "…" + file_path[1 - room :]
    return f"{path} · {symbol}" if symbol else path


def _beginning(text: str, *, at_most: int = LONGEST_TITLE) -> str:
    return text if len(text) <= at_most else text[: at_most - 1] + "…"


def _metadata(piece: _Piece) -> dict[str, Any]:
    lines: dict[str, Any] = {"start_line": piece.start + 1, "end_line": piece.end}
    return lines | ({"symbol": ", ".join(piece.symbols)} if piece.symbols else {})


def _with_left_out(chunks: list[Chunk], left_out: int) -> list[Chunk]:
    if not left_out:
        return chunks
    last = chunks[-1]
    return [*chunks[:-1], Chunk(last.content, {**(last.metadata or {}), "left_out": left_out})]
