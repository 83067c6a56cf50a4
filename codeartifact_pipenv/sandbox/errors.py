"""Errors of the sandbox itself, as opposed to errors that it simulates."""

from __future__ import annotations

from codeartifact_pipenv.errors import CodeArtifactPipenvError


class SandboxError(CodeArtifactPipenvError):
    """The sandbox cannot carry out a request of its user."""


class SandboxUsageError(SandboxError):
    """An argument is invalid."""

    exit_code = 2


class CommandNotFoundError(SandboxError):
    """The command does not exist."""

    exit_code = 127


class CommandNotExecutableError(SandboxError):
    """The command exists but cannot be run."""

    exit_code = 126
