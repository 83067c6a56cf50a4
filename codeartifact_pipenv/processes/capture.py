"""Runs a program without input and returns what it printed."""

from __future__ import annotations

import subprocess
from typing import NamedTuple

from codeartifact_pipenv.errors import CodeArtifactPipenvError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Captured(NamedTuple):
    """A program that has ended.

    Attributes:
        status: its exit status; -N if signal N ended it.
        stdout: what it printed, as UTF-8 with other bytes replaced.
        stderr: its messages, likewise.
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
    """Run a program to its end; it has no standard input.

    Args:
        words: the program and its arguments.
        seconds: how long it may take before it is killed; None for as long as it takes.
        folder: its working directory; None for this process's.
        environ: its environment; None for this process's.

    Raises:
        CaptureError: it cannot be started, or takes longer.
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
            "Check that it is a program that you may run.",
        ) from None
    return Captured(done.returncode, done.stdout, done.stderr)


def output_of(
    words: Sequence[str],
    *,
    seconds: float,
    folder: str | None = None,
    environ: Mapping[str, str] | None = None,
) -> str | None:
    """Return what a program printed, stripped; None if it fails in any way. As ``capture``."""
    try:
        done = capture(words, seconds=seconds, folder=folder, environ=environ)
    except CaptureError:
        return None
    return done.stdout.strip() if done.status == 0 else None
