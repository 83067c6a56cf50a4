"""The positions of keys, values and comments in a TOML text. Pure.

tomllib does not report positions, and importing tomlkit takes as long as everything else in lint.
The scanner relies on tomllib for validation.
"""

from __future__ import annotations

import contextlib
import re
from bisect import bisect_right

from codeartifact_pipenv.files.io import load_toml_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable

_BLANK = re.compile(r"[ \t]*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_COMMENT = re.compile(r"#[^\n]*")
_SCALAR = re.compile(r"[^,\]}#\n]+")
_STRINGS = (
    re.compile(r'"""(?:\\.|[^\\])*?"""(?!")', re.DOTALL),
    re.compile(r"'''.*?'''(?!')", re.DOTALL),
    re.compile(r'"(?:\\.|[^"\\\n])*"'),
    re.compile(r"'[^'\n]*'"),
)


class Positions:
    """Positions in a text: lines from 1, and spans of start and end offsets.

    Attributes:
        comments: by line, its comment with the ``#``.
        headers: by the keys of a table, the span of its header ``[...]``.
        names: by the keys of a value, the span left of ``=``.
        values: by keys, the spans of values, also in arrays and inline tables.
    """

    def __init__(self) -> None:
        self.comments: dict[int, str] = {}
        self.headers: dict[tuple[Hashable, ...], tuple[int, int]] = {}
        self.names: dict[tuple[Hashable, ...], tuple[int, int]] = {}
        self.values: dict[tuple[Hashable, ...], tuple[int, int]] = {}
        self._keys: dict[tuple[Hashable, ...], int] = {}

    def add(self, keys: tuple[Hashable, ...], line: int) -> None:
        """Record the first line of keys."""
        self._keys.setdefault(keys, line)

    def line_of(self, keys: tuple[Hashable, ...]) -> int:
        """Return the line of a key, or of the nearest enclosing table."""
        for length in range(len(keys), 0, -1):
            if keys[:length] in self._keys:
                return self._keys[keys[:length]]
        return 1


def toml_positions(text: str) -> Positions:
    """Return the positions of the keys of a TOML text.

    Keys are the path to a value in the parsed document; an element of an array is a number from
    0. In invalid TOML, everything after the error is missing.
    """
    scanner = _Scanner(text)
    with contextlib.suppress(IndexError, ValueError, RecursionError):  # invalid TOML
        scanner.document()
    return scanner.found


class _Scanner:
    def __init__(self, text: str) -> None:
        self.found = Positions()
        self._text = text
        self._at = 0
        self._breaks = [place for place, sign in enumerate(text) if sign == "\n"]
        self._tables: dict[tuple[Hashable, ...], int] = {}  # lengths of arrays of tables

    def document(self) -> None:
        table: tuple[Hashable, ...] = ()
        while True:
            self._skip()
            if self._at >= len(self._text):
                return
            if self._text[self._at] == "[":
                table = self._header()
            else:
                self._pair(table)

    def _header(self) -> tuple[Hashable, ...]:
        line, start = self._line(), self._at
        marks = 2 if self._text.startswith("[[", self._at) else 1
        self._at += marks
        keys: tuple[Hashable, ...] = ()
        for key in self._key():
            # A header below an array of tables belongs to its last table.
            if keys in self._tables:
                keys = (*keys, self._tables[keys] - 1)
            keys = (*keys, key)
            self.found.add(keys, line)
        self._at += marks
        if marks > 1:
            self._tables[keys] = self._tables.get(keys, 0) + 1
        if keys in self._tables:
            keys = (*keys, self._tables[keys] - 1)
            self.found.add(keys, line)
        self.found.headers[keys] = (start, self._at)
        return keys

    def _pair(self, table: tuple[Hashable, ...]) -> None:
        line, start = self._line(), self._at
        keys = table
        for key in self._key():
            keys = (*keys, key)
            self.found.add(keys, line)
        if self._text[self._at] != "=":
            raise ValueError(self._text[self._at])
        self.found.names[keys] = (start, start + len(self._text[start : self._at].rstrip()))
        self._at += 1
        self._value(keys)

    def _key(self) -> list[str]:
        names = []
        while True:
            self._match(_BLANK)
            if self._text[self._at] in "\"'":
                names.append(_unquoted(self._string()))
            else:
                names.append(self._match(_BARE_KEY))
            self._match(_BLANK)
            if self._text[self._at] != ".":
                return names
            self._at += 1

    def _value(self, keys: tuple[Hashable, ...]) -> None:
        self._match(_BLANK)
        start = self._at
        sign = self._text[start]
        if sign in "\"'":
            self._string()
        elif sign == "[":
            self._members("]", keys)
        elif sign == "{":
            self._members("}", keys)
        else:
            scalar = self._match(_SCALAR)
            self._at -= len(scalar) - len(scalar.rstrip())
        self.found.values[keys] = (start, self._at)

    def _members(self, end: str, keys: tuple[Hashable, ...]) -> None:
        self._at += 1
        number = 0
        while True:
            self._skip()
            if self._text[self._at] == end:
                self._at += 1
                return
            if end == "}":
                self._pair(keys)
            else:
                self.found.add((*keys, number), self._line())
                self._value((*keys, number))
            number += 1
            self._skip()
            if self._text[self._at] == ",":
                self._at += 1

    def _string(self) -> str:
        for pattern in _STRINGS:
            match = pattern.match(self._text, self._at)
            if match:
                self._at = match.end()
                return match[0]
        raise ValueError(self._text[self._at])

    def _match(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self._at)
        if match is None:
            raise ValueError(self._text[self._at])
        self._at = match.end()
        return match[0]

    def _skip(self) -> None:
        """Skip blanks, newlines and comments."""
        while self._at < len(self._text):
            sign = self._text[self._at]
            if sign == "#":
                line = self._line()
                self.found.comments[line] = self._match(_COMMENT)
            elif sign in " \t\r\n":
                self._at += 1
            else:
                return

    def _line(self) -> int:
        return bisect_right(self._breaks, self._at - 1) + 1


def _unquoted(text: str) -> str:
    return str(load_toml_bytes(f"name = {text}".encode())["name"])
