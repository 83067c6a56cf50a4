"""What this program itself says, on stderr; stdout belongs to pipenv."""

from __future__ import annotations

import os
import sys

_COLOURS = {"error": "31", "warning": "33", "hint": "36", "note": "2"}


class Report:
    """Prints ``error:``, ``hint:``, ``warning:`` and, when asked to be verbose, ``note:`` lines.

    Attributes:
        verbose: whether notes are shown.
    """

    def __init__(self, *, verbose: bool = False) -> None:
        self.verbose = verbose

    def error(self, sentence: str, hint: str, code: str | None = None) -> None:
        """Say what is wrong and what to do next, and the code of the cause if it has one."""
        self._labelled("error", _with_code(sentence, code))
        if hint:
            self._labelled("hint", hint)

    def warning(self, sentence: str, code: str | None = None) -> None:
        """Say something that the user should know although work goes on."""
        self._labelled("warning", _with_code(sentence, code))

    def note(self, sentence: str) -> None:
        """Say what is being done, to a user who asked for it."""
        if self.verbose:
            self._labelled("note", sentence)

    def ask(self, question: str) -> None:
        """Print a question, and stay on its line."""
        sys.stderr.write(printable(question))
        sys.stderr.flush()

    def line(self, text: str, head: str = "") -> None:
        """Print one line, secrets masked and control characters replaced.

        Args:
            text: what to say.
            head: printed before it as it is.
        """
        from codeartifact_pipenv.redact import redact

        # A closed stderr must not turn a message into a traceback.
        try:
            sys.stderr.write(f"{head}{printable(redact(text))}\n")
            sys.stderr.flush()
        except (OSError, ValueError, AttributeError):
            return

    def _labelled(self, label: str, text: str) -> None:
        head = f"\x1b[{_COLOURS[label]}m{label}:\x1b[0m" if _wants_colour() else f"{label}:"
        self.line(text, f"{head} ")


def _with_code(sentence: str, code: str | None) -> str:
    return f"{sentence} [{code}]" if code else sentence


def _wants_colour() -> bool:
    stream = sys.stderr
    return (
        not os.environ.get("NO_COLOR")
        and os.environ.get("TERM") != "dumb"
        and stream is not None
        and stream.isatty()
    )


def printable(text: str) -> str:
    """Return a text with its control characters replaced."""
    # Names and answers from outside must not steer the terminal.
    return "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text
    )
