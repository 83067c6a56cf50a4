"""Reads regular files up to a limit: never a device, a named pipe or a file without end."""

from __future__ import annotations

import errno
import os
import stat
import sys

from codeartifact_pipenv.errors import ConfigurationError

MAXIMUM_BYTES = 64 * 1024 * 1024
# Opening a named pipe must not wait for its writer; on Windows, bytes are read as they are.
_WITHOUT_WAITING = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def read_bytes(path: str, limit: int = MAXIMUM_BYTES) -> bytes:
    """Read a regular file, also through links; the null device is an empty one.

    Args:
        path: the file.
        limit: the largest size in bytes that is accepted.

    Raises:
        FileNotFoundError: it does not exist.
        OSError: it cannot be read, is not a regular file, or is larger than the limit.
    """
    descriptor = os.open(path, os.O_RDONLY | _WITHOUT_WAITING)
    return read_descriptor(descriptor, path, limit)


def read_descriptor(descriptor: int, path: str, limit: int = MAXIMUM_BYTES) -> bytes:
    """Read an open regular file and close it; like ``read_bytes`` otherwise."""
    status = os.fstat(descriptor)
    if not (stat.S_ISREG(status.st_mode) or _is_null(status, path)):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is not a regular file", path)
    with os.fdopen(descriptor, "rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise OSError(errno.EFBIG, f"it is larger than {limit} bytes", path)
    return data


def _is_null(status: os.stat_result, path: str) -> bool:
    if sys.platform == "win32":  # where CON and pipes have the same numbers as NUL
        is_null = os.path.abspath(path).lower() == os.path.abspath(os.devnull).lower()
    else:
        is_null = os.path.samestat(status, os.stat(os.devnull))
    return is_null


def read_text(path: str, limit: int = MAXIMUM_BYTES) -> str:
    """Read a regular UTF-8 file as ``open()`` does: every line ends in a line feed.

    Raises:
        OSError: as for ``read_bytes``.
        UnicodeDecodeError: it is not UTF-8.
    """
    text = read_bytes(path, limit).decode()
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_end(path: str, start: int, limit: int) -> bytes:
    """Read the last bytes that were appended to a regular file since it had a size.

    Args:
        path: the file.
        start: its size then.
        limit: the most bytes that are read.

    Raises:
        OSError: it cannot be read, or is not a regular file.
    """
    descriptor = os.open(path, os.O_RDONLY | _WITHOUT_WAITING)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file", path)
        file.seek(max(start, status.st_size - limit))
        return file.read(limit)


def read_user_file(path: str, limit: int = MAXIMUM_BYTES) -> bytes | None:
    """Read a file and explain failures; return None if it does not exist.

    Raises:
        ConfigurationError: it cannot be read, is not a regular file, or is too large.
    """
    try:
        return read_bytes(path, limit)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise unreadable(path, error) from error


def unreadable(path: str, error: OSError) -> ConfigurationError:
    """Return the error that tells a user why a file cannot be read."""
    return ConfigurationError(
        f"{path} cannot be read: {error.strerror or error}.",
        "Make it a regular file that you can read, or remove it.",
    )
