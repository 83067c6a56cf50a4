"""Messages of this program, on stderr; stdout belongs to pipenv."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from codeartifact_pipenv.terminal.progress import Working

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


class Report:
    """Prints ``error:``, ``hint:`` and ``warning:`` lines, and ``note:`` lines if verbose.

    Attributes:
        verbose: whether notes are shown.
        tells_progress: whether progress is shown for work that takes longer than a second.
        speaker: the program's name and a colon before each line, or '' if the user knows it.
        working_on: the current long-running work, or None.
    """

    def __init__(
        self, *, verbose: bool = False, tells_progress: bool = True, speaker: str = ""
    ) -> None:
        self.verbose = verbose
        self.speaker = f"{speaker}: " if speaker else ""
        self.tells_progress = tells_progress
        self.working_on: Working | None = None

    def working(self, what: str) -> Working:
        """Return a context that shows progress once its block takes longer than a second.

        Args:
            what: the work, such as ``asks AWS for a token``.
        """
        from codeartifact_pipenv.terminal.progress import Working

        return Working(self, what)

    def error(self, sentence: str, hint: str, code: str | None = None) -> None:
        """Print an error with its code, if any, and the next step."""
        self._labelled("error", _with_code(sentence, code))
        if hint:
            self._labelled("hint", hint)

    def warning(self, sentence: str, code: str | None = None) -> None:
        """Print a warning; work goes on."""
        self._labelled("warning", _with_code(sentence, code))

    def note(self, sentence: str) -> None:
        """Print what is being done, if verbose."""
        if self.verbose:
            self._labelled("note", sentence)

    def ask(self, question: str) -> None:
        """Print a question without a line break."""
        self._end_working()
        sys.stderr.write(printable(question))
        sys.stderr.flush()

    def line(self, text: str, head: str = "") -> None:
        """Print one line with secrets masked and control characters replaced.

        Args:
            text: the line.
            head: a prefix, printed unchanged.
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
    """Replace control characters and CI commands in a text.

    A GitHub runner runs ``::NAME::`` at the start of a line and ``##[NAME]`` anywhere in it
    (actions/runner, ActionCommand.cs); an Azure Pipelines agent runs ``##vso[NAME]``. Such a line
    in a log can set variables for later steps.
    """
    # Names and answers from outside must not control the terminal or the job.
    text = "".join(character if character.isprintable() else _REPLACEMENT for character in text)
    if "::" in text or "##" in text:
        import re

        text = re.sub(r"^(\s*):(?=:)", rf"\1{_REPLACEMENT}", text)
        text = re.sub(r"#(?=#\w*\[)", _REPLACEMENT, text)
    return text
