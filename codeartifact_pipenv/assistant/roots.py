"""Which folders an assistant may have looked at."""

from __future__ import annotations

import os
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from codeartifact_pipenv.errors import ConfigurationError
from codeartifact_pipenv.lint.files import is_pylock
from codeartifact_pipenv.project.pipfile import pipfile_in_force

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# What doctor, lint and fix read of a project.
_FILES = ("Pipfile", "Pipfile.lock", "pyproject.toml", ".env")


class Roots:
    """The folders that may be read.

    Args:
        named: those of the command line; empty for the working directory alone.
    """

    def __init__(self, named: Sequence[str]) -> None:
        self._named = [os.path.realpath(folder) for folder in named]

    def project(self, path: str, of_client: Iterable[str] | None) -> str:
        """Return the folder of the project that a path names, links resolved.

        Args:
            path: a folder, or a Pipfile in it; a relative one begins at the first root.
            of_client: the URIs of the roots that the client declares; None where it declares
                none, which leaves the command line's, or else the working directory.

        Raises:
            ConfigurationError: it is not within the roots, or is no project.
        """
        declared = None if of_client is None else [_path_of(uri) for uri in of_client]
        limits = [roots for roots in (declared, self._named or None) if roots is not None]
        limits = limits or [_working_directory()]
        start = next((root for roots in limits for root in roots), os.sep)
        whole = os.path.realpath(os.path.join(start, os.path.expanduser(path)))
        folder = os.path.dirname(whole) if os.path.basename(whole) == "Pipfile" else whole
        _check(folder, path, limits)
        if not any(os.path.exists(os.path.join(folder, name)) for name in _FILES[:2]):
            raise ConfigurationError(
                f"There is no Pipfile in {path}.", "Name the folder that has it."
            )
        for name in _read_there(folder):
            _check(os.path.realpath(os.path.join(folder, name)), name, limits)
        for read in _pipfile_and_lock(folder):
            _check(os.path.realpath(read), read, limits)
        return folder


def _check(whole: str, shown: str, limits: Sequence[Sequence[str]]) -> None:
    for roots in limits:
        if not any(_is_within(whole, root) for root in roots):
            raise ConfigurationError(
                f"{shown} is outside of the folders that may be read.",
                "The user decides: by the folders open in the client, and by `--root DIR` of "
                "`pipenv-ca mcp`.",
            )


def _is_within(path: str, root: str) -> bool:
    return path == root or path.startswith(os.path.join(root, ""))


def _read_there(folder: str) -> list[str]:
    try:
        locks = [name for name in os.listdir(folder) if is_pylock(name)]
    except OSError:
        locks = []  # nor will lint find any
    return [*_FILES, *locks]


def _pipfile_and_lock(folder: str) -> list[str]:
    """Return what is read as the project's Pipfile and lock: its .env may name others."""
    environ = {**os.environ, "PIPENV_PIPFILE": os.path.join(folder, "Pipfile")}
    try:
        pipfile = pipfile_in_force(environ, folder, lambda: None)
    except ConfigurationError:
        return []  # nor will anybody find them
    return [] if pipfile is None else [pipfile, f"{pipfile}.lock"]


def _working_directory() -> list[str]:
    # A client on a desktop may start its servers at the top: that is nobody's choice.
    here = os.path.realpath(os.getcwd())
    return [] if here == os.path.dirname(here) else [here]


def _path_of(uri: str) -> str:
    parts = urlsplit(uri)
    if parts.scheme != "file" or parts.netloc not in {"", "localhost"}:
        return os.devnull  # nothing is within it
    return os.path.realpath(url2pathname(parts.path) if os.name == "nt" else unquote(parts.path))
