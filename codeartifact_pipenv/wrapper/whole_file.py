"""Reads and writes the files of a project whole, and keeps what stands beside them findable.

What is written goes to a file beside the target first, under a name that follows from the
target's: so that what a run that was killed while it wrote has left is found, and removed.
"""

from __future__ import annotations

import contextlib
import os

from codeartifact_pipenv.kept_file import make_alike, part_of, written_beside

# (pipenv/utils/locking.py, in every version: atomic_open_for_write)
_PIPENVS_PART = ".__atomic-write"


def read(path: str) -> bytes | None:
    """Return what is in a file; None where there is none.

    Raises:
        CodeArtifactPipenvError: it cannot be read, or is no file.
    """
    if os.path.exists(path) and not os.path.isfile(path):  # a device would be read without end
        raise _unreadable(path, "it is no file")
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from error


def replace(path: str, data: bytes | None, new_mode: int | None = None) -> None:
    """Write a file whole or not at all, where a link leads, with the owner and mode it has.

    Args:
        path: the file.
        data: its content; None removes it.
        new_mode: the mode of a file that is not there yet; None for the umask's.

    Raises:
        CodeArtifactPipenvError: it cannot be written.
    """
    target = os.path.realpath(path)
    try:
        if data is None:
            unlink(target)
        else:
            with written_beside(part_of(path), data):
                _make_alike(part_of(path), target, new_mode)
                os.replace(part_of(path), target)
    except OSError as error:
        raise _unwritable(path, error) from error


def write_spare(path: str, data: bytes) -> None:
    """Write a copy of an original beside it, with its owner and mode.

    Raises:
        CodeArtifactPipenvError: it cannot be written.
    """
    try:
        with written_beside(spare_of(path), data):
            _make_alike(spare_of(path), os.path.realpath(path), None)
    except OSError as error:
        raise _unwritable(path, error) from error


def spare_of(path: str) -> str:
    """Return where the copy of an original is."""
    return f"{part_of(path)}-original"


def remove_beside(path: str) -> None:
    """Remove what a killed run has left beside a file."""
    for left in (part_of(path), spare_of(path)):
        with contextlib.suppress(OSError):
            os.unlink(left)


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


def _make_alike(place: str, target: str, new_mode: int | None) -> None:
    try:
        make_alike(place, target)
    except FileNotFoundError:
        if new_mode is None:
            mask = os.umask(0)
            os.umask(mask)
            new_mode = 0o666 & ~mask
        os.chmod(place, new_mode)


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
