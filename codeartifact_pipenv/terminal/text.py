"""The width of terminals and texts, colours, and tables."""

from __future__ import annotations

import os
import re
from itertools import zip_longest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import TextIO

_COLOURS = {
    "error": "31",
    "warning": "33",
    "hint": "36",
    "note": "2",
    "ok": "32",
    "fixed": "32",
    "title": "1",
}
_BETWEEN = "  "
_MOST_DIGITS = 5


def wants_colour(stream: TextIO | None) -> bool:
    """Whether a stream gets colours: terminals do, unless NO_COLOR, FORCE_COLOR or TERM differ."""
    if stream is None or os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return os.environ.get("TERM") != "dumb" and stream.isatty()


def painted(text: str, kind: str, *, wanted: bool) -> str:
    """Return a text in the colour of its kind, if colours are wanted."""
    return f"\x1b[{_COLOURS[kind]}m{text}\x1b[0m" if wanted else text


def columns_of(stream: TextIO) -> int | None:
    """Return a stream's width from COLUMNS or its terminal, or None if it has no limit."""
    given = os.environ.get("COLUMNS", "")
    if given.isdecimal() and len(given) <= _MOST_DIGITS and int(given) > 0:
        return int(given)
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except (OSError, ValueError):
        return None


def cells(text: str) -> int:
    """Return the width of a text in columns: two for a wide character, zero for an accent."""
    if text.isascii():
        return len(text)
    import unicodedata

    return sum(
        0
        if unicodedata.combining(character)
        else 1 + (unicodedata.east_asian_width(character) in "WF")
        for character in text
    )


def cut(text: str, width: int) -> str:
    """Return as much of a text as fits, but at least its first character."""
    used = 0
    for number, character in enumerate(text):
        used += cells(character)
        if used > width and number:
            return text[:number]
    return text


def wrap(text: str, width: int | None) -> list[str]:
    """Return a text in lines that fit; code in backquotes is broken only if it does not fit."""
    if width is None or cells(text) <= width:
        return [text]
    # Users copy code, so keep it on one line if it fits.
    text = re.sub(
        r"`[^`]*`",
        lambda code: code[0].replace(" ", "\0") if len(code[0]) < width else code[0],
        text,
    )
    lines = [""]
    for word in text.split(" "):
        joined = f"{lines[-1]} {word}" if lines[-1] else word
        if cells(joined) <= width:
            lines[-1] = joined
            continue
        rest = word
        while rest:
            part = cut(rest, width)
            lines.append(part)
            rest = rest[len(part) :]
    return [line.replace("\0", " ") for line in lines if line] or [""]


def table(rows: Sequence[Sequence[str]], width: int | None) -> Iterator[str]:
    """Yield the lines of a table whose cells are folded, the widest first, until it fits."""
    widths = [max(map(cells, column)) for column in zip(*rows, strict=True)]
    while width and sum(widths) + len(_BETWEEN) * (len(widths) - 1) > width and max(widths) > 1:
        widths[widths.index(max(widths))] -= 1
    for row in rows:
        folded = [wrap(text, most) for text, most in zip(row, widths, strict=True)]
        for parts in zip_longest(*folded, fillvalue=""):
            padded = [
                part + " " * (most - cells(part)) for part, most in zip(parts, widths, strict=True)
            ]
            yield _BETWEEN.join(padded).rstrip()
