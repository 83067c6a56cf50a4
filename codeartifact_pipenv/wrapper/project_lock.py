"""One command at a time in a project; files left behind by a killed command are removed.

The lock is a file beside the Pipfile. The run and its child hold it, so whoever gets the lock
knows that all existing copies are orphans. If locks are not available (ENOLCK, a read-only
folder), commands do not wait for each other; each touches only its own copies.
"""

from __future__ import annotations

import contextlib
import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_MARK, _LOCK = ".pipenv-ca-", "lock"
_RUN_LENGTH = 12  # of the digits that tell runs apart
# (pipenv/utils/locking.py, in every version: atomic_open_for_write)
_PIPENVS_HALF = ".__atomic-write"
_DAY_SECONDS = 86400.0
# How much older a file may look than it is: clocks of file systems tick.
_TICK_SECONDS = 0.05
# How far up pipenv looks for a Pipfile.
_DEPTH = 10


def copy_of(pipfile: str) -> str:
    """Return where a run may put its copy of a Pipfile; its lock is beside it."""
    return _beside(pipfile, os.urandom(_RUN_LENGTH // 2).hex())


@contextlib.contextmanager
def alone(pipfile: str, waiting: Callable[[], None]) -> Iterator[int | None]:
    """Keep other commands out of a project for the time of the block.

    The block gets a descriptor for the child to inherit: a pipenv that outlives a killed run
    keeps the next one waiting. It is None if locks are not available.

    Args:
        pipfile: the project's Pipfile, which need not exist.
        waiting: called once, where another command is in the way, before waiting for it.
    """
    path = _beside(pipfile, _LOCK)
    descriptor = _hold(path, waiting)
    try:
        _remove_copies(pipfile, 0.0 if descriptor is not None else _DAY_SECONDS)
        yield descriptor
    finally:
        _release(path, descriptor)


def sweep() -> None:
    """Remove what killed commands have left in the project of the working directory.

    Where a command is at work, or its pipenv is, nothing happens; nobody is waited for.
    """
    with contextlib.suppress(OSError):
        for folder in _folders():
            found = [_parts(name) for name in os.listdir(folder) if _MARK in name]
            for name in {pipfile for pipfile, _ in found if pipfile}:
                with contextlib.suppress(OSError):  # (TimeoutError: it is in use)
                    _sweep_one(os.path.join(folder, name))


def has_pipfile() -> bool:
    """Whether the working directory has a Pipfile, or a folder above it."""
    try:
        return bool(_folders())
    except OSError:
        return False


def remove_halves(folder: str, since: float) -> None:
    """Remove what a pipenv that was ended while it wrote a lock has left.

    Args:
        folder: the project's.
        since: the Unix time at which the command began; what is older is not its.
    """
    with contextlib.suppress(OSError):
        for entry in os.scandir(folder):
            if entry.name.startswith(_PIPENVS_HALF):
                with contextlib.suppress(OSError):
                    if entry.stat(follow_symlinks=False).st_mtime >= since - _TICK_SECONDS:
                        os.unlink(entry.path)


def _parts(name: str) -> tuple[str, str]:
    """Return the Pipfile and the run that a file belongs to; empty texts for other files."""
    head, _, run = name.rpartition(_MARK)
    run = run.removesuffix(".bak").removesuffix(".lock")
    is_run = len(run) == _RUN_LENGTH and not run.strip("0123456789abcdef")
    return (head[1:], run) if head.startswith(".") and (is_run or run == _LOCK) else ("", "")


def _beside(pipfile: str, run: str) -> str:
    folder, name = os.path.split(pipfile)
    return os.path.join(folder, f".{name}{_MARK}{run}")


def _hold(path: str, waiting: Callable[[], None]) -> int | None:
    from codeartifact_pipenv.files.lock import acquire

    try:
        return acquire(path, seconds=None, waiting=waiting)
    except OSError:
        return None


def _release(path: str, descriptor: int | None) -> None:
    from codeartifact_pipenv.files.lock import release

    release(path, descriptor)


def _sweep_one(pipfile: str) -> None:
    from codeartifact_pipenv.files.lock import acquire

    path = _beside(pipfile, _LOCK)
    descriptor = acquire(path)
    _remove_copies(pipfile, 0.0 if descriptor is not None else _DAY_SECONDS)
    _release(path, descriptor)


def _remove_copies(pipfile: str, seconds: float) -> None:
    """Remove the copies beside a Pipfile that are older, and what else their runs have left."""
    folder, name = os.path.split(pipfile)
    found = []
    with contextlib.suppress(OSError):
        for entry in os.scandir(folder):
            whose, run = _parts(entry.name)
            if whose == name and run != _LOCK:
                changed = entry.stat(follow_symlinks=False).st_mtime
                if not seconds or time.time() - changed >= seconds:
                    found.append((entry.path, changed))
    if not found:
        return
    from codeartifact_pipenv.files.atomic import remove_file, remove_leftovers

    remove_halves(folder, min(changed for _, changed in found))
    for path in (pipfile, f"{pipfile}.lock"):
        remove_leftovers(path, seconds)
    for path, _ in found:
        with contextlib.suppress(OSError):
            remove_file(path)


def _folders() -> list[str]:
    """Return where the copies of this folder's project would be."""
    pipfile = os.environ.get("PIPENV_PIPFILE")
    if not pipfile:
        folder = os.getcwd()
        for _ in range(_DEPTH):
            pipfile = os.path.join(folder, "Pipfile")
            if os.path.isfile(pipfile):
                break
            folder = os.path.dirname(folder)
        else:
            return []
    return list(
        {os.path.dirname(os.path.abspath(pipfile)), os.path.dirname(os.path.realpath(pipfile))}
    )
