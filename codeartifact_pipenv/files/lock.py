"""One lock between processes; the system releases it when the last holder ends.

``fcntl.flock`` on POSIX, ``msvcrt.locking`` on Windows. A child that inherits the descriptor
holds the lock, too (POSIX).
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
# (Wine's msvcrt sets no error number.)
_BUSY = (errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK, 0)


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
        seconds: how long to wait for another holder; None for as long as it takes.
        waiting: called once before waiting.

    Returns:
        The descriptor that holds the lock until it is closed by everybody who has it. None if
        the file system has no locks.

    Raises:
        TimeoutError: another process holds it for longer than ``seconds``.
        OSError: the file cannot be opened.
    """
    flags = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | (os.O_CREAT if create else 0)
    told: list[None] = []

    def tell() -> None:
        if waiting is not None and not told:
            waiting()
        told.append(None)

    while True:
        descriptor = os.open(path, flags, 0o600)
        try:
            has_lock = _wait(descriptor, seconds, tell)
        except BaseException:
            os.close(descriptor)
            raise
        # Who held it before may have removed it: then it keeps nobody out.
        if has_lock and _is_at(descriptor, path):
            return descriptor
        os.close(descriptor)
        if not has_lock:
            return None


def release(path: str, descriptor: int | None) -> None:
    """Remove a lock's file, and give the lock back.

    Args:
        path: the file.
        descriptor: holds the lock; None if the file system has no locks.
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


def _wait(descriptor: int, seconds: float | None, waiting: Callable[[], None]) -> bool:
    """Return whether the lock is held; False where there are no locks."""
    end = None if seconds is None else time.monotonic() + seconds
    told = False
    while True:
        try:
            _lock(descriptor, wait=told and end is None)
        except OSError as error:
            if error.errno not in _BUSY:
                return False
        else:
            return True
        if end is not None and time.monotonic() >= end:
            raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
        if not told:
            waiting()
        if end is not None or told:
            time.sleep(_PAUSE_SECONDS)
        told = True


if sys.platform == "win32":

    def _lock(descriptor: int, *, wait: bool) -> None:
        import msvcrt

        # (LK_LOCK waits for ten seconds, then fails as busy.)
        os.lseek(descriptor, 0, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)

else:

    def _lock(descriptor: int, *, wait: bool) -> None:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
