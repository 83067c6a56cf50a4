"""The errors that a user may see.

Each error carries one sentence, a next step and an exit code; the entry point prints the
first two and exits with the third. Every command loads this module, so that it imports nothing.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing_extensions import Self

    from codeartifact_pipenv.findings import Finding

_LONGEST_PATH = 259


class CodeArtifactPipenvError(Exception):
    """Base of all errors that a user may see; raised itself if no subclass fits.

    Attributes:
        sentence: the problem in one sentence, without a secret.
        hint: what to do next.
        code: the cause's name in the table of causes (``no-credentials``), or None if the
            sentence says everything, as for wrong usage.
        exit_code: the process's exit status.
        is_reported: whether another process has already shown it to the user.
    """

    exit_code = 1
    is_reported = False

    def __init__(self, sentence: str, hint: str, code: str | None = None) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.hint = hint
        self.code = code

    @classmethod
    def of(cls, finding: Finding) -> Self:
        """Return the error that carries a finding."""
        return cls(finding.sentence, finding.hint, finding.code)

    def finding(self, subject: str) -> Finding:
        """Return the error as a finding about something."""
        from codeartifact_pipenv.findings import failure

        return failure(self.code, subject, self.sentence, self.hint)


class UsageError(CodeArtifactPipenvError):
    """The command line is not understood."""

    exit_code = 2


class ConfigurationError(CodeArtifactPipenvError):
    """A setting, a Pipfile or a ``.env`` says something that cannot be followed."""

    exit_code = 2


class TokenError(CodeArtifactPipenvError):
    """An authorization token could not be obtained."""


class UnansweredError(CodeArtifactPipenvError):
    """An index did not answer a query that a verb needs."""


class ListingError(CodeArtifactPipenvError):
    """AWS did not list the contents of a repository."""


class PipenvNotExecutableError(CodeArtifactPipenvError):
    """The named pipenv exists but cannot be run."""

    exit_code = 126


class PipenvNotFoundError(CodeArtifactPipenvError):
    """pipenv was not found."""

    exit_code = 127


def check_length(path: object) -> None:
    """Check that a path is short enough for Windows.

    Raises:
        ConfigurationError: it is too long.
    """
    if sys.platform == "win32" and isinstance(path, str) and len(path) > _LONGEST_PATH:
        raise ConfigurationError(
            f"{path} has {len(path)} characters; Windows takes {_LONGEST_PATH}.",
            "Use a shorter folder, or enable long paths in Windows.",
        )
