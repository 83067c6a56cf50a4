"""What was found out about one thing: well, to be watched, or wrong; and what to do about it."""

from __future__ import annotations

from typing import NamedTuple

OK, WARNING, FAILURE = "ok", "warning", "failure"


class Finding(NamedTuple):
    """One thing that was looked at.

    Attributes:
        level: OK, WARNING or FAILURE.
        subject: what was looked at, such as ``source codeartifact``.
        sentence: what was seen.
        hint: what to do next; '' where nothing is to be done.
        code: the cause's name (``read-denied``); None where there is none to name.
    """

    level: str
    subject: str
    sentence: str
    hint: str = ""
    code: str | None = None


def failure(code: str, subject: str, sentence: str, hint: str) -> Finding:
    """Return a finding that keeps the project from working."""
    return Finding(FAILURE, subject, sentence, hint, code)


def warning(code: str, subject: str, sentence: str, hint: str) -> Finding:
    """Return a finding that works now, and may not for others or later."""
    return Finding(WARNING, subject, sentence, hint, code)
