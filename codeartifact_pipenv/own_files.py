"""Files and folders that nobody but this user can have written."""

from __future__ import annotations

import errno
import os
import stat

_MAXIMUM_BYTES = 256 * 1024 * 1024


class NotOwnError(PermissionError):
    """It is another user's, or others may write to it or read it: not to be believed."""


def read_private(path: str, limit: int = _MAXIMUM_BYTES) -> bytes:
    """Read a file that only its owner, this user, can read; no further than a limit in bytes.

    Raises:
        NotOwnError: it is a link, no file, another user's, or others may read it.
        OSError: it cannot be read.
    """
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    with os.fdopen(os.open(path, flags), "rb") as file:
        status = os.fstat(file.fileno())
        is_private = os.name == "nt" or (
            status.st_uid == os.geteuid() and not status.st_mode & 0o077
        )
        if not (stat.S_ISREG(status.st_mode) and is_private):
            raise NotOwnError(errno.EACCES, "it is no private file of this user", path)
        return file.read(limit)


def check_own_folder(path: str) -> None:
    """Hold that a folder is this user's, and that not everybody can change what is in it.

    (Who can, but for files of others as in /tmp, could give one file of ours another's name.)

    Raises:
        NotOwnError: it is not.
        OSError: it is not there.
    """
    if os.name == "nt":
        return
    status = os.stat(path)
    if status.st_uid != os.geteuid():
        raise NotOwnError(errno.EACCES, "it is another user's", path)
    if status.st_mode & stat.S_IWOTH:
        raise NotOwnError(errno.EACCES, "everybody can write there", path)
