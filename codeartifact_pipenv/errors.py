"""What can go wrong, as one hierarchy.

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
    """Base of all errors that a user may see; raised itself where none below fits.

    Attributes:
        sentence: what is wrong, one clear sentence without a secret in it.
        hint: what to do next.
        code: the cause's name in the table of causes (``no-credentials``); None for a usage
            that has no more to say than its sentence.
        exit_code: the process's exit status.
        is_reported: whether the user has read it already, from a process before this one.
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
    """No authorization token can be had; the cause says why."""


class UnansweredError(CodeArtifactPipenvError):
    """An index did not answer what a verb has to know."""


class ListingError(CodeArtifactPipenvError):
    """AWS does not say what a repository holds; the cause says why."""


class PipenvNotExecutableError(CodeArtifactPipenvError):
    """The pipenv that was named exists and cannot be run."""

    exit_code = 126


class PipenvNotFoundError(CodeArtifactPipenvError):
    """There is no pipenv to run."""

    exit_code = 127


def check_length(path: object) -> None:
    """Say that a path which could not be used is too long for Windows.

    Raises:
        ConfigurationError: it is.
    """
    if sys.platform == "win32" and isinstance(path, str) and len(path) > _LONGEST_PATH:
        raise ConfigurationError(
            f"{path} has {len(path)} characters; Windows takes {_LONGEST_PATH}.",
            "Use a shorter folder, or enable long paths in Windows.",
        )
