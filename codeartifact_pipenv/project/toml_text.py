"""Positions in a TOML text, and edits that keep every other byte. Pure.

tomllib reports no positions, and the import of tomlkit takes as long as all of lint. An edit is a
splice at a known position, so comments, order, blanks and line ends survive; tomlkit would lose the
comment after a string that becomes a table, and add a carriage return. The scanner relies on
tomllib for validation, and the result of edits is parsed again and compared with what is expected.
"""

from __future__ import annotations

import contextlib
import copy
import re
from bisect import bisect_right
from typing import Any

from codeartifact_pipenv.errors import ConfigurationError
from codeartifact_pipenv.files.io import load_toml_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

    Keys = tuple[Hashable, ...]

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
        self.headers: dict[Keys, tuple[int, int]] = {}
        self.names: dict[Keys, tuple[int, int]] = {}
        self.values: dict[Keys, tuple[int, int]] = {}
        self._keys: dict[Keys, int] = {}

    def add(self, keys: Keys, line: int) -> None:
        """Record the first line of keys."""
        self._keys.setdefault(keys, line)

    def line_of(self, keys: Keys) -> int:
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
        self._tables: dict[Keys, int] = {}  # lengths of arrays of tables

    def document(self) -> None:
        table: Keys = ()
        while True:
            self._skip()
            if self._at >= len(self._text):
                return
            if self._text[self._at] == "[":
                table = self._header()
            else:
                self._pair(table)

    def _header(self) -> Keys:
        line, start = self._line(), self._at
        marks = 2 if self._text.startswith("[[", self._at) else 1
        self._at += marks
        keys: Keys = ()
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

    def _pair(self, table: Keys) -> None:
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

    def _value(self, keys: Keys) -> None:
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

    def _members(self, end: str, keys: Keys) -> None:
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


# --- edits ---------------------------------------------------------------------------------


class TomlEdit:
    """Collects edits of a text and applies them.

    Args:
        text: valid TOML.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._positions = toml_positions(text)
        self._document: Any = load_toml_bytes(text.encode())
        self._expected: Any = copy.deepcopy(self._document)
        self._splices: list[tuple[int, int, str]] = []
        self._newline = "\r\n" if re.search(r"^[^\n]*\r\n", text) else "\n"

    @property
    def is_empty(self) -> bool:
        """Whether nothing was edited."""
        return not self._splices

    def set(self, keys: Keys, value: str | bool) -> None:
        """Replace a value."""
        start, end = self._span(keys)
        self._splice(start, end, _written(value, self._text[start:end]))
        self._parent(keys)[keys[-1]] = value

    def add(self, keys: Keys, name: str, value: str | bool) -> None:
        """Add a key to an entry; a string becomes an inline table with ``version``.

        Args:
            keys: the entry's keys.
            name: the new bare key.
            value: its value.
        """
        pair = f"{name} = {_written(value)}"
        parent = self._parent(keys)
        if isinstance(parent[keys[-1]], str):
            start, end = self._span(keys)
            self._splice(start, end, f"{{version = {self._text[start:end]}, {pair}}}")
            parent[keys[-1]] = {"version": parent[keys[-1]]}
        elif keys in self._positions.values:
            self._add_to_inline_table(keys, pair)
        elif keys in self._positions.headers:
            self._add_line(self._end_of_table(keys), pair)
        else:
            self._add_dotted(keys, pair)
        parent[keys[-1]][name] = value

    def _add_to_inline_table(self, keys: Keys, pair: str) -> None:
        members = [end for other, (_, end) in self._positions.values.items() if _is_in(other, keys)]
        if members:
            self._splice(max(members), max(members), f", {pair}")
        else:
            self._splice(*self._span(keys), f"{{{pair}}}")

    def _add_dotted(self, keys: Keys, pair: str) -> None:
        """Add to an entry written as ``name.version = "*"``."""
        other = next((known for known in self._positions.names if _is_in(known, keys)), None)
        if other is None or len(other) != len(keys) + 1:
            raise _edit_error(keys)
        start, end = self._positions.names[other]
        written = self._text[start:end].rpartition(".")[0].rstrip()
        end = self._span(other)[1]
        if any(other[:length] in self._positions.values for length in range(1, len(keys))):
            self._splice(end, end, f", {written}.{pair}")
        else:
            self._add_line(end, f"{written}.{pair}", self._indent(start))

    def add_entry(self, table: str, name: str, version: str, index: str) -> None:
        """Add a package to a table; create the table if needed."""
        key = name if _BARE_KEY.fullmatch(name) else _quoted(name)
        line = f"{key} = {{version = {_quoted(version)}, index = {_quoted(index)}}}"
        if (table,) in self._positions.headers:
            self._add_line(self._end_of_table((table,)), line)
        elif table in self._document:
            self._add_subtable(
                table, key, [f"version = {_quoted(version)}", f"index = {_quoted(index)}"]
            )
        else:
            head = table if _BARE_KEY.fullmatch(table) else _quoted(table)
            first = table not in self._expected
            self._add_block(len(self._text), [f"[{head}]", line] if first else [line], apart=first)
        self._expected.setdefault(table, {})[name] = {"version": version, "index": index}

    def _add_subtable(self, table: str, key: str, lines: list[str]) -> None:
        """Add an entry to a table whose entries all have headers, such as ``[packages.x]``."""
        below = [keys for keys in self._positions.headers if _is_in(keys, (table,))]
        if not below:
            raise _edit_error((table, key))
        head = table if _BARE_KEY.fullmatch(table) else _quoted(table)
        at = self._after_line(max(map(self._end_of_table, below)))
        self._add_block(at, ["", f"[{head}.{key}]", *lines])

    def add_source(self, values: dict[str, str | bool], *, first: bool) -> None:
        """Add a source before or after the others."""
        sources = self._document.get("source", [])
        if not isinstance(sources, list):
            raise _edit_error(("source",))
        lines = ["[[source]]", *(f"{k} = {_written(v)}" for k, v in values.items())]
        headers = self._positions.headers
        if sources and ("source", 0) not in headers:
            raise _edit_error(("source",))
        if sources and not first:
            at = self._after_line(self._end_of_table(("source", len(sources) - 1)))
            self._add_block(at, ["", *lines])
        elif headers:
            begin = headers["source", 0][0] if sources else min(s for s, _ in headers.values())
            self._add_block(self._with_comments(begin), [*lines, ""])
        else:
            self._add_block(len(self._text), lines, apart=True)
        expected = self._expected.setdefault("source", [])
        expected.insert(0 if first else len(expected), dict(values))

    def text(self) -> str:
        """Return the edited text.

        Raises:
            ConfigurationError: the result is not the expected document.
        """
        parts, at = [], 0
        # Sorting is stable, so additions at one position stay in order.
        for start, end, new in sorted(self._splices, key=lambda splice: splice[:2]):
            if start < at:
                raise _edit_error(())
            parts += [self._text[at:start], new]
            at = end
        done = "".join([*parts, self._text[at:]])
        try:
            says = load_toml_bytes(done.encode())
        except ValueError:
            says = {}
        if says != self._expected:
            raise _edit_error(())
        return done

    def _splice(self, start: int, end: int, new: str) -> None:
        self._splices.append((start, end, new))

    def _span(self, keys: Keys) -> tuple[int, int]:
        if keys not in self._positions.values:
            raise _edit_error(keys)
        return self._positions.values[keys]

    def _parent(self, keys: Keys) -> Any:
        found = self._expected
        for key in keys[:-1]:
            found = found[key]
        return found

    def _end_of_table(self, keys: Keys) -> int:
        """Return the end offset of the last value below a header."""
        start, end = self._positions.headers[keys]
        others = [begin for begin, _ in self._positions.headers.values() if begin > start]
        limit = min(others, default=len(self._text))
        below = [e for s, e in self._positions.values.values() if end <= s < limit]
        return max(below, default=end)

    def _after_line(self, at: int) -> int:
        found = self._text.find("\n", at)
        return len(self._text) if found < 0 else found + 1

    def _with_comments(self, at: int) -> int:
        """Return the offset of the comments above a line, except those at the top of the file."""
        line = begin = self._text.rfind("\n", 0, at) + 1
        while begin > 0:
            above = self._text.rfind("\n", 0, begin - 1) + 1
            if not self._text[above:begin].lstrip().startswith("#"):
                return begin
            begin = above
        return line

    def _indent(self, at: int) -> str:
        line = self._text[self._text.rfind("\n", 0, at) + 1 : at]
        return line if not line.strip() else ""

    def _add_line(self, at: int, line: str, indent: str = "") -> None:
        """Add a line below the line of an offset."""
        self._add_block(self._after_line(at), [indent + line])

    def _add_block(self, at: int, lines: list[str], *, apart: bool = False) -> None:
        """Add lines at the start of a line or at the end of the text.

        Args:
            at: the offset.
            lines: the lines.
            apart: whether an empty line must precede them.
        """
        before = self._text[:at]
        added = [""] if apart and before.strip() and not before.endswith(self._newline * 2) else []
        block = self._newline.join([*added, *lines])
        if before and not before.endswith("\n"):  # keep the last line without a newline
            self._splice(at, at, self._newline + block)
        else:
            self._splice(at, at, block + self._newline)


def _is_in(keys: Keys, table: Keys) -> bool:
    return len(keys) > len(table) and keys[: len(table)] == table


def _written(value: str | bool, like: str = '"') -> str:
    return _quoted(value, like) if isinstance(value, str) else str(value).lower()


def _quoted(value: str, like: str = '"') -> str:
    """Return a TOML string, in single quotes if the old one was."""
    if like[:1] == "'" and like[:3] != "'''" and value.isprintable() and "'" not in value:
        return f"'{value}'"
    if value.isprintable() and not set(value) & set('"\\'):
        return f'"{value}"'
    import tomlkit

    return str(tomlkit.string(value).as_string())


def _edit_error(keys: Keys) -> ConfigurationError:
    where = ".".join(map(str, keys))
    return ConfigurationError(
        f"{where or 'An entry'} in the Pipfile cannot be changed without touching the rest.",
        "Change it by hand, as `pipenv-ca lint` says.",
    )


def pipfile_text(sources: Iterable[dict[str, str | bool]]) -> str:
    """Return the text of a Pipfile with these sources and no packages."""
    edit = TomlEdit("[packages]\n\n[dev-packages]\n")
    for source in sources:
        edit.add_source(source, first=False)
    return edit.text()


# Tables of sources, one after the other; a line that begins with "[" begins another table.
_SOURCES = re.compile(
    r"^[ \t]*\[\[[ \t]*source[ \t]*\]\].*(?:\n(?![ \t]*\[(?!\[[ \t]*source[ \t]*\]\])).*)*",
    re.MULTILINE,
)


def with_sources_at(text: str, url: str, sources: Sequence[Any] | None = None) -> str:
    """Return a Pipfile's text with every source at one URL; sources keep their names.

    Args:
        text: valid TOML.
        url: the URL.
        sources: the sources of the text, if they are known: then 1,000 packages beside them cost
            no time.

    Raises:
        ConfigurationError: the sources cannot be edited.
    """
    tables = list(_SOURCES.finditer(text))
    found: Any = None
    with contextlib.suppress(ValueError):
        found = [source for table in tables for source in sources_of(table[0])]
    # Otherwise a table is written in another way, or a long text holds what looks like one.
    is_found = found is not None and found == sources
    spans = [table.span() for table in tables] if is_found else [(0, len(text))]
    for start, end in reversed(spans):
        text = text[:start] + _with_sources_at(text[start:end], url) + text[end:]
    return text


def _with_sources_at(text: str, url: str) -> str:
    edit = TomlEdit(text)
    for number, source in enumerate(sources_of(text)):
        wanted: dict[str, str | bool] = {"url": url, "verify_ssl": True}
        for key, value in wanted.items():
            if key in source:
                edit.set(("source", number, key), value)
            else:
                edit.add(("source", number), key, value)
    return edit.text()


def without_pylock(text: str) -> str:
    """Return a Pipfile's text with ``use_pylock`` turned off."""
    edit = TomlEdit(text)
    edit.set(("pipenv", "use_pylock"), value=False)
    return edit.text()


def sources_of(text: str) -> list[Any]:
    """Return the sources of a Pipfile's text as plain data, as in a lock."""
    sources = load_toml_bytes(text.encode()).get("source", [])
    return list(sources) if isinstance(sources, list) else []
