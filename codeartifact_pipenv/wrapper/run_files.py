"""Files that exist while a command runs: its private folder, and its copies beside the Pipfile.

Both have a lock, a file that the run and its pipenv hold: what is left of a killed run is removed by
the next command, since nobody holds its lock. If locks are not available (ENOLCK, a read-only
folder), commands do not wait for each other; each touches only its own files, and those of a day ago.

pipenv and pip make their temporary files in the private folder, and some hold a token (pipenv
2026.10 leaves request files with expanded URLs).
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import time

from codeartifact_pipenv.files.lock import acquire, release

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_PREFIX, _FOLDER_LOCK = "pipenv-ca-", ".lock"
_MARK, _LOCK = ".pipenv-ca-", "lock"
# How many digits tell runs apart: in the name of a folder, and of a copy.
_FOLDER_DIGITS, _COPY_DIGITS = 16, 12
# (pipenv/utils/locking.py, in every version: atomic_open_for_write)
_PIPENVS_HALF = ".__atomic-write"
_DAY_SECONDS = 86400.0
# How much older a file may look than it is: clocks of file systems tick.
_TICK_SECONDS = 0.05
_TRIES, _PAUSE = 100, 0.02
# How far up pipenv looks for a Pipfile.
_DEPTH = 10


def sweep() -> None:
    """Remove what killed commands have left: private folders, and copies in this project.

    If nothing was left, that costs a look into two folders. Files of a run at work are left alone,
    without waiting for it.
    """
    _sweep_folders()
    with contextlib.suppress(OSError):
        for folder in _project_folders():
            found = [_parts(name) for name in os.listdir(folder) if _MARK in name]
            for name in {pipfile for pipfile, _ in found if pipfile}:
                with contextlib.suppress(OSError):  # (TimeoutError: it is in use)
                    _sweep_project(os.path.join(folder, name))


def _is_run(digits: str, length: int) -> bool:
    return len(digits) == length and not digits.strip("0123456789abcdef")


# --- the private folder --------------------------------------------------------------------


class PrivateFolder:
    """The folder while it exists.

    Attributes:
        path: where it is: the folder for the children's temporary files.
        descriptor: holds its lock; a child that inherits it holds the lock, too. None if
            locks are not available.
        pylock: where pipenv writes pylock.toml for the run.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.descriptor: int | None = None
        self.pylock = os.path.join(path, "pylock.toml")

    def write(self, name: str, text: str) -> str:
        """Write a file that only its owner can read; return its path.

        Raises:
            CodeArtifactPipenvError: it cannot be written.
        """
        path = os.path.join(self.path, name)
        with _told(path):
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
        return path

    def make(self) -> None:
        """Lock it, fill the lock's file, and make it.

        (On a full disk folders can be made and files cannot: the children would turn to a
        folder that is not private.)
        """
        self.descriptor = acquire(self.path + _FOLDER_LOCK, seconds=None)
        if self.descriptor is not None:
            os.write(self.descriptor, bytes(4096))
        os.mkdir(self.path, 0o700)


def prepare_removal() -> None:
    """Import what removing the folder needs, while pipenv runs."""
    import shutil  # noqa: F401


@contextlib.contextmanager
def private_folder() -> Iterator[PrivateFolder]:
    """Remove what killed runs left, make the folder, and remove it at the end.

    Raises:
        CodeArtifactPipenvError: it cannot be made.
    """
    with _told("The folder for temporary files"):
        parent = _parent()
        _sweep_folders(parent)
        # As tempfile.mkdtemp() does, whose import takes a hundredth of `pipenv-ca sync`.
        name = f"{_PREFIX}{os.urandom(_FOLDER_DIGITS // 2).hex()}"
        folder = PrivateFolder(os.path.join(parent, name))
    try:
        with _told(folder.path):
            folder.make()
        yield folder
    finally:
        _remove_folder(folder.path, folder.descriptor, _TRIES)


def _sweep_folders(parent: str | None = None) -> None:
    with contextlib.suppress(OSError):
        parent = _parent() if parent is None else parent
        for name in os.listdir(parent):
            if name.startswith(_PREFIX) and name.endswith(_FOLDER_LOCK):
                run = name[len(_PREFIX) : -len(_FOLDER_LOCK)]
                with contextlib.suppress(OSError):
                    _sweep_folder(os.path.join(parent, f"{_PREFIX}{run}"), run)


def _parent() -> str:
    # As tempfile.gettempdir() finds it, which takes 4 ms to import: every command looks there.
    if sys.platform != "win32":
        for place in (*map(os.environ.get, ("TMPDIR", "TEMP", "TMP")), "/tmp"):  # noqa: S108
            if place and os.path.isdir(place) and os.access(place, os.W_OK | os.X_OK):
                return os.path.abspath(place)
    import tempfile

    return tempfile.gettempdir()


def _sweep_folder(path: str, run: str) -> None:
    status = os.lstat(path + _FOLDER_LOCK)
    is_old = time.time() - status.st_mtime > _DAY_SECONDS
    is_own = sys.platform == "win32" or status.st_uid == os.geteuid()
    if is_own and stat.S_ISREG(status.st_mode) and _is_run(run, _FOLDER_DIGITS):
        # (TimeoutError: it is in use)
        descriptor = acquire(path + _FOLDER_LOCK, create=False)
        if descriptor is not None or is_old:
            _remove_folder(path, descriptor, 1)


def _remove_folder(path: str, descriptor: int | None, tries: int) -> None:
    # A process that pipenv left behind may write there for a moment. The lock goes last, so
    # that the next sweep finds what is left.
    import shutil

    for _ in range(tries):
        shutil.rmtree(path, ignore_errors=True)
        if not os.path.lexists(path):
            release(path + _FOLDER_LOCK, descriptor)
            return
        time.sleep(_PAUSE)
    if descriptor is not None:
        os.close(descriptor)


@contextlib.contextmanager
def _told(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        from codeartifact_pipenv.errors import CodeArtifactPipenvError

        raise CodeArtifactPipenvError(
            f"{path} cannot be written: {error.strerror or error}.",
            "Make room, or name another folder for temporary files in TMPDIR.",
        ) from error


# --- the copies ----------------------------------------------------------------------------


def copy_of(pipfile: str) -> str:
    """Return where a run may put its copy of a Pipfile; its lock is beside it."""
    return _beside(pipfile, os.urandom(_COPY_DIGITS // 2).hex())


@contextlib.contextmanager
def alone(pipfile: str, waiting: Callable[[], None]) -> Iterator[int | None]:
    """Keep other commands out of a project for the time of the block.

    The block gets a descriptor for the child to inherit: a pipenv that outlives a killed run
    keeps the next one waiting. It is None if locks are not available.

    Args:
        pipfile: the project's Pipfile, which need not exist.
        waiting: called once, where another command is in the way, before waiting for it.
    """
    path, descriptor = _beside(pipfile, _LOCK), None
    with contextlib.suppress(OSError):
        descriptor = acquire(path, seconds=None, waiting=waiting)
    try:
        _remove_copies(pipfile, 0.0 if descriptor is not None else _DAY_SECONDS)
        yield descriptor
    finally:
        release(path, descriptor)


def has_pipfile() -> bool:
    """Whether the working directory has a Pipfile, or a folder above it."""
    try:
        return bool(_project_folders())
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
    is_ours = head.startswith(".") and (run == _LOCK or _is_run(run, _COPY_DIGITS))
    return (head[1:], run) if is_ours else ("", "")


def _beside(pipfile: str, run: str) -> str:
    folder, name = os.path.split(pipfile)
    return os.path.join(folder, f".{name}{_MARK}{run}")


def _sweep_project(pipfile: str) -> None:
    path = _beside(pipfile, _LOCK)
    descriptor = acquire(path)
    _remove_copies(pipfile, 0.0 if descriptor is not None else _DAY_SECONDS)
    release(path, descriptor)


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


def _project_folders() -> list[str]:
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
