"""Locks between processes that end with their holders, and with nothing else.

(filelock waits by asking again and again and costs 40 ms to import; it serves where AWS is
asked, which is rare. These are on the path of every command that installs.)
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def hold(path: str, *, create: bool, waiting: Callable[[], None] | None = None) -> int | None:
    """Lock a file against other processes.

    Args:
        path: the file; never a link.
        create: whether to make it; else it must exist.
        waiting: called before waiting for another holder; None for not waiting at all.

    Returns:
        The file's descriptor, which holds the lock for as long as anybody has it open. None
        where somebody else holds it, and on systems without such locks.

    Raises:
        OSError: the file cannot be opened.
    """
    if os.name == "nt":
        return None
    import fcntl

    flags = os.O_RDWR | os.O_NOFOLLOW | (os.O_CREAT if create else 0)
    descriptor = os.open(path, flags, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        if waiting is None:
            os.close(descriptor)
            return None
        waiting()
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        except BaseException:
            os.close(descriptor)
            raise
    except OSError:  # a file system without locks
        os.close(descriptor)
        return None
    return descriptor
