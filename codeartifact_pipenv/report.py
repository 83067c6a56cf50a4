"""What this program itself says, on stderr; stdout belongs to pipenv."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from codeartifact_pipenv.terminal.progress import Working

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


class Report:
    """Prints ``error:``, ``hint:``, ``warning:`` and, when asked to be verbose, ``note:`` lines.

    Attributes:
        verbose: whether notes are shown.
        tells_progress: whether it is shown what takes longer than a second.
        speaker: what is before each line: who says it, and a colon; empty where the user knows.
        working_on: what is being done; None where nothing is that may take long.
    """

    def __init__(
        self, *, verbose: bool = False, tells_progress: bool = True, speaker: str = ""
    ) -> None:
        self.verbose = verbose
        self.speaker = f"{speaker}: " if speaker else ""
        self.tells_progress = tells_progress
        self.working_on: Working | None = None

    def working(self, what: str) -> Working:
        """Return what says on a terminal that a block takes longer than a second.

        Args:
            what: what is being done, such as ``asks AWS for a token``.
        """
        from codeartifact_pipenv.terminal.progress import Working

        return Working(self, what)

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
        self._end_working()
        sys.stderr.write(printable(question))
        sys.stderr.flush()

    def line(self, text: str, head: str = "") -> None:
        """Print one line, secrets masked and control characters replaced.

        Args:
            text: what to say.
            head: printed before it as it is.
        """
        from codeartifact_pipenv.terminal.redact import redact

        self._end_working()
        # A closed stderr must not turn a message into a traceback.
        try:
            sys.stderr.write(f"{head}{printable(redact(text))}\n")
            sys.stderr.flush()
        except (OSError, ValueError, AttributeError):
            return

    def _end_working(self) -> None:
        if self.working_on is not None:
            self.working_on.end()

    def _labelled(self, label: str, text: str) -> None:
        from codeartifact_pipenv.terminal.text import painted, wants_colour

        head = painted(f"{label}:", label, wanted=wants_colour(sys.stderr))
        self.line(text, f"{self.speaker}{head} ")


def _with_code(sentence: str, code: str | None) -> str:
    return f"{sentence} [{code}]" if code else sentence


def printable(text: str) -> str:
    """Return a text with its control characters replaced, and what CI would take for a command.

    A GitHub runner follows ``::NAME::`` at the beginning of a line and ``##[NAME]`` anywhere in
    it (actions/runner, ActionCommand.cs), an agent of Azure Pipelines ``##vso[NAME]``: by these
    a line in a log sets variables for the steps that follow.
    """
    # Names and answers from outside must not steer the terminal, nor the job.
    text = "".join(character if character.isprintable() else _REPLACEMENT for character in text)
    if "::" in text or "##" in text:
        import re

        text = re.sub(r"^(\s*):(?=:)", rf"\1{_REPLACEMENT}", text)
        text = re.sub(r"#(?=#\w*\[)", _REPLACEMENT, text)
    return text
