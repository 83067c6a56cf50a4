"""Edits to a netrc file that leave every other entry, macro and comment as it is.

A machine's entry is what stands from the word ``machine`` to the next word that begins an
entry. Comments and macros are read as Python's netrc reads them, by which pip and requests
find their logins.
"""

from __future__ import annotations

import netrc
import re
import tempfile
from typing import NamedTuple

from codeartifact_pipenv.errors import ConfigurationError
from codeartifact_pipenv.redact import redact

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    _Hosts = dict[str, tuple[str, str | None, str | None]]

# A word, with the quotes and backslashes that Python's netrc knows; where no value is expected
# it may be a comment, to the end of its line.
_VALUE = re.compile(r'"(?:\\.|[^"\\])*"|(?:\\.|[^\s\\])+|\S', re.DOTALL)
_WORD = re.compile(rf"#[^\n]*|{_VALUE.pattern}", re.DOTALL)
_WITH_VALUE = ("login", "user", "account", "password")
_BEGINNINGS = ("machine", "default", "macdef")


class _Span(NamedTuple):
    machine: str
    begin: int
    end: int


class NetrcText:
    """The text of a netrc file while it is edited.

    Raises:
        ConfigurationError: Python's netrc does not take it.
    """

    def __init__(self, path: str, text: str) -> None:
        self._path = path
        self._hosts = _parse(path, text)
        self.text = text

    @property
    def machines(self) -> list[str]:
        """The names of all machines that have an entry."""
        return [name for name in self._hosts if name != "default"]

    def put(self, machine: str, entry: str) -> None:
        """Remove a machine's entries, and put another one first; '' for none.

        Raises:
            ConfigurationError: the other entries would not be read as before.
        """
        rest = self.text
        for span in reversed([span for span in _entries(rest) if span.machine == machine]):
            rest = _without(rest, span)
        text = f"{entry}\n{rest}" if entry else rest
        hosts = _read(text)
        others = {name: login for name, login in self._hosts.items() if name != machine}
        if (
            isinstance(hosts, netrc.NetrcParseError)
            or {name: login for name, login in hosts.items() if name != machine} != others
            or (machine in hosts) != bool(entry)
        ):
            raise ConfigurationError(
                f"{self._path} has an entry that cannot be told from the one for {machine}.",
                f"Put what it says of {machine} on a line of its own; nothing was changed.",
            )
        self.text, self._hosts = text, hosts


def _without(text: str, span: _Span) -> str:
    """Return a text without an entry; what ends its line, and comments after it, stay."""
    end = span.begin + len(text[span.begin : span.end].rstrip())
    if text[: span.begin][-1:] in {"", "\n"} and text[end : end + 1] == "\n":
        end += 1  # the line as a whole
    return text[: span.begin] + text[end:]


def _entries(text: str) -> Iterator[_Span]:
    machine, begin, end = None, 0, 0
    at = 0
    while match := _WORD.search(text, at):
        word, at = match[0], match.end()
        if word.startswith("#") and (machine is None or _begins_line(text, match.start())):
            continue
        if word in _BEGINNINGS:
            if machine is not None:
                yield _Span(machine, begin, _with_line_end(text, end))
            machine = None
            if word == "machine":
                name = _VALUE.search(text, at)
                if name is None:
                    return
                machine, begin, at = name[0].strip('"'), match.start(), name.end()
            elif word == "macdef":
                # It ends with an empty line.
                blank = re.compile(r"\n[ \t]*\n|\Z").search(text, at)
                at = len(text) if blank is None else blank.end()
        elif machine is not None and word in _WITH_VALUE:
            value = _VALUE.search(text, at)
            at = len(text) if value is None else value.end()
        end = at
    if machine is not None:
        yield _Span(machine, begin, _with_line_end(text, end))


def _begins_line(text: str, at: int) -> bool:
    return not text[text.rfind("\n", 0, at) + 1 : at].strip()


def _with_line_end(text: str, end: int) -> int:
    rest = re.compile(r"[ \t]*\n?").match(text, end)
    return end if rest is None else rest.end()


def _parse(path: str, text: str) -> _Hosts:
    found = _read(text)
    if isinstance(found, netrc.NetrcParseError):
        line = f", line {found.lineno}" if found.lineno else ""
        raise ConfigurationError(
            f"{path}{line} is not a netrc file that Python's netrc can read.",
            "Correct it; nothing was changed.",
        )
    return found


def _read(text: str) -> _Hosts | netrc.NetrcParseError:
    # It reads files only; a private one, for the time of it, and without tokens.
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".netrc") as file:
        file.write(redact(text))
        file.flush()
        try:
            return dict(netrc.netrc(file.name).hosts)
        except netrc.NetrcParseError as error:
            return error
