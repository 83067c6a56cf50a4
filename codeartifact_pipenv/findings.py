"""What a check found: the one shape in which doctor, explain, lint and the assistant tell it."""

from __future__ import annotations

from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable

OK, WARNING, FAILURE = "ok", "warning", "failure"


class Place(NamedTuple):
    """Where in a file a finding is.

    Attributes:
        path: the file, as it is shown.
        line: its line, from 1.
        keys: the keys that lead to the place in the parsed file; empty for the whole file.
    """

    path: str
    line: int
    keys: tuple[Hashable, ...] = ()


class Finding(NamedTuple):
    """One thing that was checked.

    Attributes:
        code: the cause's name in the table of causes (``read-denied``); None if nothing is wrong.
        level: OK, WARNING (works now, and may not for others or later) or FAILURE.
        subject: what was checked, such as ``source codeartifact``.
        sentence: what was seen.
        hint: what to do next; '' if nothing.
        place: where in a file; None if it is not about a file.
    """

    code: str | None
    level: str
    subject: str
    sentence: str
    hint: str = ""
    place: Place | None = None

    @property
    def path(self) -> str:
        """The file that it is about; '' for none."""
        return self.place.path if self.place else ""

    @property
    def line(self) -> int:
        """The line in that file; 0 for none."""
        return self.place.line if self.place else 0

    @property
    def keys(self) -> tuple[Hashable, ...]:
        """The keys of its place in that file."""
        return self.place.keys if self.place else ()

    def told_with_place(self) -> Finding:
        """Return the finding with its place in the sentence, for a message without one."""
        place = f"{self.path}:{self.line}: " if self.place else ""
        return self._replace(sentence=f"{place}{self.sentence}")


def ok(subject: str, sentence: str) -> Finding:
    """Return a finding that nothing is wrong."""
    return Finding(None, OK, subject, sentence)


def warning(code: str, subject: str, sentence: str, hint: str) -> Finding:
    """Return a finding that works now, and may not for others or later."""
    return Finding(code, WARNING, subject, sentence, hint)


def failure(code: str | None, subject: str, sentence: str, hint: str) -> Finding:
    """Return a finding that keeps the project from working."""
    return Finding(code, FAILURE, subject, sentence, hint)
