"""Edits of a TOML text that keep every other byte. Pure.

Each edit is a splice at a known position, so comments, order, blanks and line ends survive.
tomlkit would lose the comment after a string that becomes a table, and add a carriage return. The
result is parsed again and compared with the expected document.
"""

from __future__ import annotations

import copy
import re
from typing import Any

from codeartifact_pipenv.errors import ConfigurationError
from codeartifact_pipenv.files.io import load_toml_bytes
from codeartifact_pipenv.project.toml_positions import toml_positions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

    Keys = tuple[Hashable, ...]

_BARE = re.compile(r"[A-Za-z0-9_-]+")


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

    def set_text(self, keys: Keys, value: str) -> None:
        """Replace a string."""
        start, end = self._span(keys)
        self._splice(start, end, _quoted(value, self._text[start:end]))
        self._parent(keys)[keys[-1]] = value

    def add_text(self, keys: Keys, name: str, value: str) -> None:
        """Add a key to an entry; a string becomes an inline table with ``version``.

        Args:
            keys: the entry's keys.
            name: the new bare key.
            value: the new string.
        """
        pair = f"{name} = {_quoted(value)}"
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
        key = name if _BARE.fullmatch(name) else _quoted(name)
        line = f"{key} = {{version = {_quoted(version)}, index = {_quoted(index)}}}"
        if (table,) in self._positions.headers:
            self._add_line(self._end_of_table((table,)), line)
        elif table in self._document:
            self._add_subtable(
                table, key, [f"version = {_quoted(version)}", f"index = {_quoted(index)}"]
            )
        else:
            head = table if _BARE.fullmatch(table) else _quoted(table)
            first = table not in self._expected
            self._add_block(len(self._text), [f"[{head}]", line] if first else [line], apart=first)
        self._expected.setdefault(table, {})[name] = {"version": version, "index": index}

    def _add_subtable(self, table: str, key: str, lines: list[str]) -> None:
        """Add an entry to a table whose entries all have headers, such as ``[packages.x]``."""
        below = [keys for keys in self._positions.headers if _is_in(keys, (table,))]
        if not below:
            raise _edit_error((table, key))
        head = table if _BARE.fullmatch(table) else _quoted(table)
        at = self._after_line(max(map(self._end_of_table, below)))
        self._add_block(at, ["", f"[{head}.{key}]", *lines])

    def add_source(self, values: dict[str, str | bool], *, first: bool) -> None:
        """Add a source before or after the others."""
        sources = self._document.get("source", [])
        if not isinstance(sources, list):
            raise _edit_error(("source",))
        pairs = [
            f"{k} = {_quoted(v) if isinstance(v, str) else str(v).lower()}"
            for k, v in values.items()
        ]
        lines = ["[[source]]", *pairs]
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
