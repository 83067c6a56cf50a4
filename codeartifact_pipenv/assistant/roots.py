"""The folders that an assistant may read."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from codeartifact_pipenv.errors import ConfigurationError
from codeartifact_pipenv.project.pipfile import is_pylock, locate_pipfile
from codeartifact_pipenv.project.requirements_files import path_of_url

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Roots:
    """The folders that may be read.

    Args:
        named: the folders of the command line; empty for the working directory.
    """

    def __init__(self, named: Sequence[str]) -> None:
        self._named = [os.path.realpath(folder) for folder in named]

    def project(self, path: str, of_client: Iterable[str] | None) -> str:
        """Return a project's folder, links resolved.

        Args:
            path: a folder, or the Pipfile in it; a relative one starts at the first root.
            of_client: the URIs of the roots that the client declares, or None if it cannot. The
                roots of the command line then apply, or the working directory.

        Raises:
            ConfigurationError: it is outside the roots, or has no Pipfile.
        """
        limits = self._limits(of_client)
        start = next((root for roots in limits for root in roots), os.sep)
        whole = os.path.realpath(os.path.join(start, os.path.expanduser(path)))
        folder = os.path.dirname(whole) if os.path.basename(whole) == "Pipfile" else whole
        _check(folder, path, limits)
        if not any(os.path.exists(os.path.join(folder, x)) for x in ("Pipfile", "Pipfile.lock")):
            raise ConfigurationError(
                f"A Pipfile was not found in {path}.", "Name the folder that contains it."
            )
        for read in (*_own_files(folder), *_pipfile_and_lock(folder)):
            _check(os.path.realpath(os.path.join(folder, read)), read, limits)
        return folder

    def _limits(self, of_client: Iterable[str] | None) -> list[list[str]]:
        declared = None if of_client is None else [_path_of(uri) for uri in of_client]
        limits = [roots for roots in (declared, self._named or None) if roots is not None]
        return limits or [_working_directory()]


def _check(whole: str, shown: str, limits: Sequence[Sequence[str]]) -> None:
    for roots in limits:
        if not any(_is_within(whole, root) for root in roots):
            raise ConfigurationError(
                f"{shown} is outside of the folders that may be read.",
                "The user chooses them: the folders open in the client, and `--root DIR` of "
                "`pipenv-ca mcp`.",
            )


def _is_within(path: str, root: str) -> bool:
    return path == root or path.startswith(os.path.join(root, ""))


def _own_files(folder: str) -> list[str]:
    """Return the names of the files in a project's folder that doctor and lint read."""
    try:
        locks = [name for name in os.listdir(folder) if is_pylock(name)]
    except OSError:
        locks = []  # lint cannot list them either
    return ["Pipfile", "Pipfile.lock", "pyproject.toml", ".env", *locks]


def _pipfile_and_lock(folder: str) -> list[str]:
    """Return the paths of the Pipfile and lock that are used: .env may name other ones."""
    environ = {**os.environ, "PIPENV_PIPFILE": os.path.join(folder, "Pipfile")}
    try:
        pipfile = locate_pipfile(environ, folder, lambda: None)
    except ConfigurationError:
        return []  # doctor and lint do not find them either
    return [] if pipfile is None else [pipfile, f"{pipfile}.lock"]


def _working_directory() -> list[str]:
    # A desktop client may start its servers in the file system's top folder, which nobody chose.
    here = os.path.realpath(os.getcwd())
    return [] if here == os.path.dirname(here) else [here]


def _path_of(uri: str) -> str:
    parts = urlsplit(uri)
    if parts.scheme != "file" or parts.netloc not in {"", "localhost"}:
        return os.devnull  # contains nothing
    return os.path.realpath(path_of_url(uri))
