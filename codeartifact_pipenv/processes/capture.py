"""Run a program without input and return its output."""

from __future__ import annotations

import subprocess
from typing import NamedTuple

from codeartifact_pipenv.errors import CodeArtifactPipenvError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Captured(NamedTuple):
    """The result of a program.

    Attributes:
        status: the exit status; -N if signal N ended the program.
        stdout: standard output, decoded as UTF-8 with other bytes replaced.
        stderr: standard error, decoded in the same way.
    """

    status: int
    stdout: str
    stderr: str


class CaptureError(CodeArtifactPipenvError):
    """The program cannot be started, or took too long."""


def capture(
    words: Sequence[str],
    *,
    seconds: float | None,
    folder: str | None = None,
    environ: Mapping[str, str] | None = None,
) -> Captured:
    """Run a program without standard input and wait for it.

    Args:
        words: the program and its arguments.
        seconds: the time limit after which it is killed, if any.
        folder: the working directory; by default that of this process.
        environ: the environment; by default that of this process.

    Raises:
        CaptureError: the program cannot be started, or exceeds the time limit.
    """
    try:
        done = subprocess.run(
            words,
            cwd=folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise CaptureError(
            f"{words[0]} did not end within {seconds:g} s.", "Run it yourself to see why."
        ) from None
    except (OSError, ValueError) as error:
        raise CaptureError(
            f"{words[0]} cannot be started: {getattr(error, 'strerror', None) or error}.",
            "Check that the file exists and is executable.",
        ) from None
    return Captured(done.returncode, done.stdout, done.stderr)


def output_of(
    words: Sequence[str],
    *,
    seconds: float,
    folder: str | None = None,
    environ: Mapping[str, str] | None = None,
) -> str | None:
    """Return the stripped output of a program, or None if it fails. Arguments as for ``capture``."""
    try:
        done = capture(words, seconds=seconds, folder=folder, environ=environ)
    except CaptureError:
        return None
    return done.stdout.strip() if done.status == 0 else None
