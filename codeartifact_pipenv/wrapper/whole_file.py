"""The project's files while a command runs: read, replaced, and what a killed run left beside."""

from __future__ import annotations

import contextlib
import os

from codeartifact_pipenv.files.atomic import (
    copy_access,
    remove_leftovers,
    temporary_beside,
    write_file,
)
from codeartifact_pipenv.files.reading import read_bytes

# (pipenv/utils/locking.py, in every version: atomic_open_for_write)
_PIPENVS_PART = ".__atomic-write"


def read(path: str) -> bytes | None:
    """Return what is in a file; None if it does not exist.

    Raises:
        CodeArtifactPipenvError: it cannot be read, or is not a regular file.
    """
    try:
        return read_bytes(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from error


def replace(path: str, data: bytes | None, mode: int | None = None) -> None:
    """Write a file atomically, as ``write_file`` does; None removes it.

    Raises:
        CodeArtifactPipenvError: it cannot be written.
    """
    try:
        if data is None:
            unlink(os.path.realpath(path))
        else:
            write_file(path, data, mode)
    except OSError as error:
        raise _unwritable(path, error) from error


def write_spare(path: str, data: bytes) -> None:
    """Write a copy of an original beside it, with its owner and mode.

    Raises:
        CodeArtifactPipenvError: it cannot be written.
    """
    target = os.path.realpath(path)
    try:
        with temporary_beside(target, data) as temporary:
            copy_access(target, temporary)
            os.replace(temporary, spare_of(path))
    except OSError as error:
        raise _unwritable(path, error) from error


def spare_of(path: str) -> str:
    """Return where the copy of an original is."""
    folder, name = os.path.split(os.path.realpath(path))
    return os.path.join(folder, f".{name}.pipenv-ca-original")


def remove_beside(path: str) -> None:
    """Remove what a killed run has left beside a file."""
    remove_leftovers(path)
    with contextlib.suppress(OSError):
        os.unlink(spare_of(path))


def remove_halves(folder: str, since: float) -> None:
    """Remove what a pipenv that was ended while it wrote a lock has left.

    Args:
        folder: the project's.
        since: the Unix time at which the command began; what is older is not its.
    """
    try:
        found = [entry for entry in os.scandir(folder) if entry.name.startswith(_PIPENVS_PART)]
    except OSError:
        return
    for entry in found:
        with contextlib.suppress(OSError):
            if entry.stat(follow_symlinks=False).st_mtime >= since:
                os.unlink(entry.path)


def unlink(path: str) -> None:
    """Remove a file, if it is there."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def _unreadable(path: str, why: str) -> Exception:
    from codeartifact_pipenv.errors import CodeArtifactPipenvError

    return CodeArtifactPipenvError(
        f"{path} cannot be read: {why}.", "Make it a file that you can read, or name another one."
    )


def _unwritable(path: str, error: OSError) -> Exception:
    from codeartifact_pipenv.errors import CodeArtifactPipenvError

    return CodeArtifactPipenvError(
        f"{path} cannot be written: {error.strerror or error}.",
        "Make room, or correct the permissions of its folder, and run the command again.",
    )
