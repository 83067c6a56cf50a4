"""What can go wrong in the sandbox itself (not in the AWS that it plays)."""

from __future__ import annotations

from codeartifact_pipenv.errors import CodeArtifactPipenvError


class SandboxError(CodeArtifactPipenvError):
    """The sandbox cannot do what it was asked to do."""


class SandboxUsageError(SandboxError):
    """A name or a folder that was given cannot be used."""

    exit_code = 2


class CommandNotFoundError(SandboxError):
    """The command to run inside the sandbox does not exist."""

    exit_code = 127


class CommandNotExecutableError(SandboxError):
    """The command to run inside the sandbox exists and cannot be run."""

    exit_code = 126
