"""One lock between processes; the system releases it when the last holder ends.

``fcntl.flock`` on POSIX; on Windows, the file is opened without sharing. A child that inherits the
descriptor also holds the lock.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_PAUSE_SECONDS = 0.05
_BUSY = (errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK)


def acquire(
    path: str,
    *,
    create: bool = True,
    seconds: float | None = 0.0,
    waiting: Callable[[], None] | None = None,
) -> int | None:
    """Lock a file against other processes.

    Args:
        path: the file; a link is not followed.
        create: whether to create it (0600); otherwise it must exist.
        seconds: how long to wait for another holder, or None for no limit.
        waiting: called once before waiting.

    Returns:
        The descriptor, or None if the file system has no locks. The lock ends when every process
        that has the descriptor has closed it.

    Raises:
        TimeoutError: another process holds it for longer than ``seconds``.
        OSError: the file cannot be opened.
    """
    told: list[None] = []

    def tell() -> None:
        if waiting is not None and not told:
            waiting()
        told.append(None)

    while True:
        descriptor = _wait(path, create, seconds, tell)
        # The last holder may have removed the file; a lock on a removed file has no effect.
        if descriptor is None or _is_at(descriptor, path):
            return descriptor
        os.close(descriptor)


def release(path: str, descriptor: int | None) -> None:
    """Remove a lock's file and release the lock.

    Args:
        path: the file.
        descriptor: the result of ``acquire``.
    """
    if sys.platform == "win32" and descriptor is not None:  # an open file cannot be removed there
        os.close(descriptor)
        descriptor = None
    with contextlib.suppress(OSError):
        os.unlink(path)
    if descriptor is not None:
        os.close(descriptor)


@contextlib.contextmanager
def locked(
    path: str, *, seconds: float | None, waiting: Callable[[], None] | None = None
) -> Iterator[None]:
    """Hold a lock for the block; a file system without locks does not stop it.

    Raises:
        TimeoutError: another process holds it for longer than ``seconds``.
        OSError: the file cannot be opened.
    """
    descriptor = acquire(path, seconds=seconds, waiting=waiting)
    try:
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _is_at(descriptor: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except OSError:
        return False


def _wait(
    path: str, create: bool, seconds: float | None, waiting: Callable[[], None]
) -> int | None:
    """Return the locked descriptor, or None if the file system has no locks."""
    end = None if seconds is None else time.monotonic() + seconds
    told = False
    while True:
        try:
            return _lock(path, create, wait=told and end is None)
        except BlockingIOError:
            pass
        if end is not None and time.monotonic() >= end:
            raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
        if not told:
            waiting()
        if end is not None or told:
            time.sleep(_PAUSE_SECONDS)
        told = True


if sys.platform == "win32":
    _NOT_SHARED = 32  # ERROR_SHARING_VIOLATION
    _OPEN_ALWAYS = 4

    def _lock(path: str, create: bool, *, wait: bool) -> int | None:
        import _winapi
        import msvcrt

        del wait
        access = _winapi.GENERIC_READ | _winapi.GENERIC_WRITE
        how = _OPEN_ALWAYS if create else _winapi.OPEN_EXISTING
        try:
            handle = _winapi.CreateFile(path, access, 0, _winapi.NULL, how, 0, _winapi.NULL)
        except OSError as error:
            if error.winerror == _NOT_SHARED:
                raise BlockingIOError(errno.EAGAIN, error.strerror, path) from error
            raise
        return msvcrt.open_osfhandle(handle, os.O_RDWR)

else:

    def _lock(path: str, create: bool, *, wait: bool) -> int | None:
        import fcntl

        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | (os.O_CREAT if create else 0), 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BaseException as error:
            os.close(descriptor)
            if not isinstance(error, OSError):
                raise
            if error.errno in _BUSY:
                raise BlockingIOError(*error.args) from error
            return None
        return descriptor
