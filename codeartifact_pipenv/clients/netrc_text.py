"""Edits to a netrc file that leave every other entry, macro and comment as it is."""

from __future__ import annotations

import netrc
import os
import re
import tempfile

from codeartifact_pipenv.errors import ConfigurationError
from codeartifact_pipenv.terminal.redact import redact

# A word with the quotes and backslashes of Python's netrc, by which pip and requests read.
_VALUE = r'(?:"(?:\\.|[^"\\])*"|(?:\\.|[^\s\\])+)'
_PAIR = rf"\s+(?:\#[^\n]*\n\s*)*(?:login|user|account|password)\s+{_VALUE}"


def machines_in(path: str, text: str) -> list[str]:
    """Return the names of all machines that have an entry.

    Raises:
        ConfigurationError: Python's netrc cannot read the text.
    """
    return [name for name in _parse(path, text).hosts if name != "default"]


def replace_entry(path: str, text: str, machine: str, entry: str = "") -> str:
    """Remove a machine's entries and put another one, if given, at the beginning.

    Raises:
        ConfigurationError: Python's netrc cannot read the text, or would not read the other
            entries as before.
    """
    before = _parse(path, text)
    pattern = rf'(?<!\S)machine\s+"?{re.escape(machine)}"?(?!\S)(?:{_PAIR})*(?P<end>[ \t]*\n)?'
    is_there = machine in before.hosts
    rest = re.sub(pattern, _rest_of_line, text, flags=re.DOTALL) if is_there else text
    edited = f"{entry}\n{rest}" if entry else rest
    try:
        after = _parse(path, edited)
    except ConfigurationError:
        after = None
    if (
        after is None
        or (machine in after.hosts) != bool(entry)
        or _others(after, machine) != _others(before, machine)
    ):
        raise ConfigurationError(
            f"{path} has an entry that cannot be separated from the one for {machine}.",
            f"Put the entry for {machine} on a separate line; nothing was changed.",
        )
    return edited


def _rest_of_line(entry: re.Match[str]) -> str:
    """Return the rest of an entry's line, if there is something else on it."""
    line_before = entry.string[: entry.start()].rpartition("\n")[2].strip()
    if line_before.startswith("#"):
        return entry[0]
    return (entry["end"] or "") if line_before else ""


def _others(read: netrc.netrc, machine: str) -> object:
    return {n: login for n, login in read.hosts.items() if n != machine}, read.macros


def unreadable_line(text: str) -> int | None:
    """Return the line that Python's netrc cannot read, or None if it can read the text."""
    try:
        _read(text)
    except netrc.NetrcParseError as error:
        return error.lineno or 1
    return None


def _parse(path: str, text: str) -> netrc.netrc:
    try:
        return _read(text)
    except netrc.NetrcParseError as error:
        line = f", line {error.lineno}" if error.lineno else ""
        raise ConfigurationError(
            f"{path}{line} is not a netrc file that Python's netrc can read.",
            "Correct it; nothing was changed.",
        ) from None


def _read(text: str) -> netrc.netrc:
    # netrc reads only files: here a private one, without tokens, that is removed at once. Windows
    # cannot open a NamedTemporaryFile a second time.
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "netrc")
        with open(path, "w", encoding="utf-8") as file:
            file.write(redact(text))
        return netrc.netrc(path)
