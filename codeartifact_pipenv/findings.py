"""The result of a check, as doctor, explain, lint and the assistant report it."""

from __future__ import annotations

from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable

OK, WARNING, FAILURE = "ok", "warning", "failure"


class Place(NamedTuple):
    """A finding's place in a file.

    Attributes:
        path: the file's path, as it is shown.
        line: the line number, from 1.
        keys: the keys that lead to the place in the parsed file; empty for the whole file.
    """

    path: str
    line: int
    keys: tuple[Hashable, ...] = ()


class Finding(NamedTuple):
    """The result of one check.

    Attributes:
        code: the code in the table of causes, such as ``read-denied``, or None if all is well.
        level: OK, FAILURE, or WARNING for what works now, but may fail later or for others.
        subject: what was checked, such as ``source codeartifact``.
        sentence: what was seen.
        hint: the next step, or ''.
        place: the place in a file, or None if the finding is not about a file.
    """

    code: str | None
    level: str
    subject: str
    sentence: str
    hint: str = ""
    place: Place | None = None

    @property
    def path(self) -> str:
        """The file's path, or '' without a place."""
        return self.place.path if self.place else ""

    @property
    def line(self) -> int:
        """The line number, or 0 without a place."""
        return self.place.line if self.place else 0

    @property
    def keys(self) -> tuple[Hashable, ...]:
        """The keys that lead to the place, or () without a place."""
        return self.place.keys if self.place else ()

    def with_place_in_sentence(self) -> Finding:
        """Return the finding with its place at the beginning of the sentence."""
        place = f"{self.path}:{self.line}: " if self.place else ""
        return self._replace(sentence=f"{place}{self.sentence}")


def ok(subject: str, sentence: str) -> Finding:
    """Return a finding that all is well."""
    return Finding(None, OK, subject, sentence)


def warning(code: str, subject: str, sentence: str, hint: str) -> Finding:
    """Return a finding that may fail later or for others."""
    return Finding(code, WARNING, subject, sentence, hint)


def failure(code: str | None, subject: str, sentence: str, hint: str) -> Finding:
    """Return a finding that breaks the project."""
    return Finding(code, FAILURE, subject, sentence, hint)
