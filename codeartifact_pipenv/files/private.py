"""Files and folders that belong to this user and that nobody else can read."""

from __future__ import annotations

import errno
import os
import stat
import sys

from codeartifact_pipenv.files.reading import MAXIMUM_BYTES, read_descriptor


class NotOwnError(PermissionError):
    """A file or folder belongs to another user, or others can read or change it."""


def read_private(path: str, limit: int = MAXIMUM_BYTES) -> bytes:
    """Read a regular file that belongs to this user and that only they can read; no links.

    Raises:
        NotOwnError: it belongs to another user, or others may read it.
        OSError: it cannot be read, or is larger than the limit in bytes.
    """
    flags = os.O_RDONLY
    for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY"):
        flags |= getattr(os, name, 0)
    descriptor = os.open(path, flags)
    status = os.fstat(descriptor)
    if sys.platform != "win32" and (status.st_uid != os.geteuid() or status.st_mode & 0o077):
        os.close(descriptor)
        raise NotOwnError(errno.EACCES, "others may read it, or own it", path)
    return read_descriptor(descriptor, path, limit)


def check_own_folder(path: str) -> None:
    """Raise unless a folder belongs to this user and is not writable by everybody.

    Raises:
        NotOwnError: it is not.
        OSError: it does not exist.
    """
    status = os.stat(path)
    if sys.platform != "win32":
        if status.st_uid != os.geteuid():
            raise NotOwnError(errno.EACCES, "it belongs to another user", path)
        if status.st_mode & stat.S_IWOTH:
            raise NotOwnError(errno.EACCES, "everybody can write there", path)


def make_folders(path: str) -> None:
    """Make a folder and its missing parents, each 0700 whatever the umask.

    ``os.makedirs`` gives its mode only to the last folder; with umask 000 ``~/.cache`` would be
    0777. Existing folders keep their mode.

    Raises:
        OSError: one cannot be made.
    """
    if not path or os.path.isdir(path):
        return
    make_folders(os.path.dirname(path))
    try:
        os.mkdir(path, 0o700)
        os.chmod(path, 0o700)  # the umask may have taken more
    except FileExistsError:
        if not os.path.isdir(path):
            raise


def make_private_folder(path: str) -> None:
    """Make a folder as ``make_folders`` does, and check that it belongs to this user.

    Raises:
        NotOwnError: it belongs to another user, or everybody can write there.
        OSError: it cannot be made.
    """
    make_folders(path)
    check_own_folder(path)
