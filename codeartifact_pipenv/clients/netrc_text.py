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

    def login(self, machine: str) -> str | None:
        """Return the login name of a machine; None where it has no entry."""
        found = self._hosts.get(machine)
        return None if found is None else str(found[0])

    def entry(self, machine: str) -> str:
        """Return a machine's entries as they are written; '' for none."""
        return "\n".join(self.text[s.begin : s.end].rstrip() for s in self._spans(machine))

    def put(self, machine: str, entry: str) -> None:
        """Put an entry in the place of a machine's, or first; '' takes them away.

        Raises:
            ConfigurationError: the other entries would not be read as before.
        """
        others = {name: login for name, login in self._hosts.items() if name != machine}
        for text in self._ways(machine, entry):
            hosts = _read(text)
            if isinstance(hosts, netrc.NetrcParseError):
                continue
            if {name: login for name, login in hosts.items() if name != machine} == others:
                self.text, self._hosts = text, hosts
                return
        raise ConfigurationError(
            f"{self._path} has an entry that cannot be kept apart from the one for {machine}.",
            f"Put what it says of {machine} on a line of its own; nothing was changed.",
        )

    def _ways(self, machine: str, entry: str) -> Iterator[str]:
        """Yield texts with an entry in the place of a machine's: the least changed one first."""
        found = any(True for _ in self._spans(machine))
        if found:
            yield self._with_spans(machine, entry)
        if entry:
            # Where comments beside the old one would be taken for a part of it.
            yield f"{entry}\n{self._with_spans(machine, '')}"
        elif not found:
            yield self.text

    def _with_spans(self, machine: str, entry: str) -> str:
        text = self.text
        for number, span in reversed(list(enumerate(self._spans(machine)))):
            written = text[span.begin : span.end]
            # What ends the line, and the comments after it, are not the entry's.
            rest = written[len(written.rstrip()) :]
            here = entry if number == 0 else ""
            if not here and text[: span.begin][-1:] in {"", "\n"}:
                rest = rest[1:]  # the line as a whole
            text = text[: span.begin] + here + rest + text[span.end :]
        return text

    def _spans(self, machine: str) -> Iterator[_Span]:
        return (span for span in _entries(self.text) if span.machine == machine)


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
            f"{path}{line} is no netrc file as Python's netrc reads it.",
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
