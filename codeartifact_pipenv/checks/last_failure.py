"""The last failed command of a project, kept for ``pipenv-ca explain``."""

from __future__ import annotations

import os
import time
from typing import NamedTuple

from codeartifact_pipenv.auth.authorization_token import TokenCache
from codeartifact_pipenv.files.io import digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from codeartifact_pipenv.settings import CommandLine, Settings

_SUFFIX = ".failure"


class LastFailure(NamedTuple):
    """A command that failed.

    Attributes:
        words: pipenv's arguments with secrets masked.
        is_direct: whether pipenv used the sources directly, without the proxy index.
        code: the code of its cause, if known.
        ended_at: when it ended, in seconds since the epoch.
    """

    words: list[str]
    is_direct: bool
    code: str | None
    ended_at: float


def save_failure(
    settings: Settings, line: CommandLine, *, is_direct: bool, code: str | None
) -> None:
    """Save a failed command of the project in the working directory."""
    from codeartifact_pipenv.checks.files.secrets import mask
    from codeartifact_pipenv.wrapper import pipenv_cli

    words = line.rest
    if pipenv_cli.runs_program(line.command) and not pipenv_cli.pip_requirements(line.arguments):
        words = ["run"]  # arguments of other programs can be secret
    failure = LastFailure([mask(word) for word in words], is_direct, code, time.time())
    _store(settings).write(_project_key(), failure._asdict(), _SUFFIX)


def last_failure(settings: Settings) -> LastFailure | None:
    """Return the last failure of the project in the working directory, if any."""
    found = _store(settings).read(_project_key(), _SUFFIX) or {}
    try:
        words = [str(word) for word in found["words"]]
        return LastFailure(words, bool(found["is_direct"]), found["code"], found["ended_at"])
    except (KeyError, TypeError):
        return None


def _store(settings: Settings) -> TokenCache:
    return TokenCache(None if settings.flag("no-cache") else settings.state_directory())


def _project_key() -> str:
    """Return the cache key of the project in the working directory."""
    from codeartifact_pipenv.errors import CodeArtifactPipenvError
    from codeartifact_pipenv.project.pipfile import find_pipfile, working_directory

    try:
        folder = working_directory()
        place = find_pipfile(os.environ, folder, lambda: None) or folder
    except CodeArtifactPipenvError:
        place = os.environ.get("PIPENV_PIPFILE", "")
    return digest(os.fsencode(os.path.realpath(place)))
