"""Writes a file atomically: readers see the old content or the new, never a part."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
import time
from typing import NamedTuple

from codeartifact_pipenv.errors import ConfigurationError
from codeartifact_pipenv.files.private import make_folders
from codeartifact_pipenv.files.reading import read_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


# On Windows, a reader such as a virus scanner blocks the replacement for a moment.
_HELD_SECONDS = 2.0 if sys.platform == "win32" else 0.0
_PAUSE_SECONDS = 0.05


class Replacement(NamedTuple):
    """A file to replace.

    Attributes:
        path: the file.
        before: its present content, or None if it does not exist.
        data: its new content.
        mode: its new mode, which also replaces a link. None keeps the mode and the owner of an
            existing file, and writes through a link.
    """

    path: str
    before: bytes | None
    data: bytes
    mode: int | None


_SUFFIX = ".pipenv-ca"
_LEFTOVER_SECONDS = 60.0


def write_file(path: str, data: bytes, mode: int | None = None) -> None:
    """Replace a file atomically; if it is a link, replace its target.

    Args:
        path: the file; its folder exists.
        data: the new content.
        mode: its permission bits. None keeps the mode, and where allowed the owner, of the
            existing file; a new one follows the umask.

    Raises:
        OSError: it cannot be written, and is unchanged.
    """
    target = os.path.realpath(path)
    if os.path.exists(target) and not os.path.isfile(target):  # such as a link to /dev/null
        raise OSError(errno.EINVAL, "it is not a regular file", path)
    with temporary_beside(target, data, mode) as temporary:
        _rename(temporary, target)
    remove_leftovers(path, _LEFTOVER_SECONDS)


def replace_together(files: Sequence[Replacement], *, sync: bool = True) -> bool:
    """Write all new files first, then rename each into place, in order.

    Args:
        files: the files.
        sync: whether to wait until the new files are on the disk, which may take longer than the
            time between two changes in an editor.

    Returns:
        False if a file has changed since ``before`` was read. This file and those after it are
        then not replaced.

    Raises:
        OSError: a file cannot be written; all are unchanged.
    """
    with contextlib.ExitStack() as stack:
        written = []
        for file in files:
            target = os.path.realpath(file.path) if file.mode is None else file.path
            temporary = stack.enter_context(
                temporary_beside(target, file.data, file.mode, sync=sync)
            )
            written.append((temporary, target, file))
        is_same = all(_content(file.path) == file.before for file in files)
        with contextlib.ExitStack() as undo:
            for temporary, target, file in written:
                is_same = is_same and _put(temporary, target, file.before, file.data)
                if is_same:
                    undo.callback(_put_back, target, file.before)
                    continue
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(temporary)
            undo.pop_all()
    return is_same


def _put_back(target: str, before: bytes | None) -> None:
    with contextlib.suppress(OSError):
        if before is None:
            os.unlink(target)
        else:
            write_file(target, before)


def _put(temporary: str, target: str, before: bytes | None, data: bytes | None) -> bool:
    """Rename a file into place, unless another program has just changed the target.

    The two files are swapped, so the result shows the target's last content.
    """
    if before is None or not exchange(temporary, target):
        _rename(temporary, target)
        return True
    found = _content(temporary)
    if found != before:
        _put(temporary, target, data, found)
        return False
    os.unlink(temporary)
    return True


def exchange(one: str, other: str) -> bool:
    """Swap two files in one step; return False, with both unchanged, if the system cannot."""
    if sys.platform != "win32":
        with contextlib.suppress(ImportError):  # some small Pythons have no ctypes
            import ctypes

            libc = ctypes.CDLL(None)
            paths = os.fsencode(one), os.fsencode(other)
            if hasattr(libc, "renameat2"):  # AT_FDCWD, RENAME_EXCHANGE
                return bool(libc.renameat2(-100, paths[0], -100, paths[1], 2) == 0)
            if hasattr(libc, "renamex_np"):  # RENAME_SWAP
                return bool(libc.renamex_np(*paths, 2) == 0)
    return False


def _rename(temporary: str, target: str) -> None:
    end = time.monotonic() + _HELD_SECONDS
    while True:
        try:
            os.replace(temporary, target)
        except PermissionError:
            if time.monotonic() >= end:
                raise
            time.sleep(_PAUSE_SECONDS)
        else:
            return


def _content(path: str) -> bytes | None:
    try:
        return read_bytes(path)
    except FileNotFoundError:
        return None


def write_private_file(path: str, data: bytes) -> None:
    """Replace a file or link atomically with a file that only this user can read.

    Raises:
        OSError: it cannot be written, and is unchanged.
    """
    with temporary_beside(path, data) as temporary:
        _rename(temporary, path)
    remove_leftovers(path, _LEFTOVER_SECONDS)


def write_user_file(path: str, data: bytes, mode: int | None = None) -> None:
    """Write as ``write_file`` does, create missing folders (0700), and explain failures.

    Raises:
        ConfigurationError: it cannot be written, and is unchanged.
    """
    try:
        make_folders(os.path.dirname(os.path.realpath(path)))
        write_file(path, data, mode)
    except OSError as error:
        raise unwritable(path, error) from error


def remove_user_file(path: str) -> None:
    """Remove a file, or the target of a link, if it exists.

    Raises:
        ConfigurationError: it cannot be removed.
    """
    try:
        os.unlink(os.path.realpath(path))
    except FileNotFoundError:
        return
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be removed: {error.strerror or error}.", "Remove it yourself."
        ) from error


def unwritable(path: str, error: OSError) -> ConfigurationError:
    """Return the error that tells a user why a file cannot be written."""
    return ConfigurationError(
        f"{path} cannot be written: {error.strerror or error}.",
        "Check its permissions and the space on the disk, then run the command again.",
    )


@contextlib.contextmanager
def temporary_beside(
    target: str, data: bytes, mode: int | None = 0o600, *, sync: bool = True
) -> Iterator[str]:
    """Write a temporary file in the target's folder; the block renames it.

    With None as mode it gets the target's mode and owner. If the block raises, also
    KeyboardInterrupt, the temporary file is removed.

    Raises:
        OSError: it cannot be written.
    """
    folder, name = os.path.split(target)
    temporary = os.path.join(folder, f".{name}.{os.urandom(6).hex()}{_SUFFIX}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    try:
        with os.fdopen(os.open(temporary, flags, 0o600), "wb") as file:
            file.write(data)
            if sync:
                file.flush()
                os.fsync(file.fileno())
        if mode is None:
            copy_access(target, temporary)
        else:
            os.chmod(temporary, mode)
        yield temporary
    except BaseException:
        with contextlib.suppress(OSError):
            remove_file(temporary)
        raise


def remove_file(path: str) -> None:
    """Remove a file; on Windows a read-only one, too.

    Raises:
        OSError: it cannot be removed.
    """
    if sys.platform == "win32":
        os.chmod(path, stat.S_IWRITE)
    os.unlink(path)


def copy_access(source: str, target: str) -> None:
    """Give a file the mode of another, and its owner where allowed; else the umask's mode."""
    try:
        status = os.stat(source)
    except FileNotFoundError:
        mask = os.umask(0o077)
        os.umask(mask)
        os.chmod(target, 0o666 & ~mask)
        return
    if hasattr(os, "chown"):
        with contextlib.suppress(OSError):
            os.chown(target, status.st_uid, status.st_gid)
    os.chmod(target, stat.S_IMODE(status.st_mode))


def remove_leftovers(path: str, seconds: float = 0.0) -> None:
    """Remove temporary files that killed writers of a file left in its folder.

    Args:
        path: the file.
        seconds: the minimum age; a younger file may belong to a running process.
    """
    folder, name = os.path.split(os.path.realpath(path))
    with contextlib.suppress(OSError):
        found = [entry for entry in os.scandir(folder) if _is_temporary(entry.name, name)]
        for entry in found:
            with contextlib.suppress(OSError):
                if time.time() - entry.stat(follow_symlinks=False).st_mtime >= seconds:
                    remove_file(entry.path)


def _is_temporary(found: str, name: str) -> bool:
    # ".Pipfile.lock.1f.pipenv-ca" does not belong to Pipfile. Version 1.0 wrote
    # ".Pipfile.pipenv-ca".
    middle = found.removeprefix(f".{name}").removesuffix(_SUFFIX)
    return found == f".{name}{middle}{_SUFFIX}" and "." not in middle[1:]
