"""A temporary folder for one run that only its user can enter, removed at the end of the run.

pipenv and pip make their temporary files there, and some hold a token (pipenv 2026.10 leaves
request files with expanded URLs). The next run removes what a killed one left: a folder is in
use as long as the lock beside it is held, by the run or by the pipenv that inherited it.
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
    from collections.abc import Iterator

_PREFIX = "pipenv-ca-"
_LOCK = ".lock"
_RUN_LENGTH = 16  # of the digits that tell runs apart
_TRIES, _PAUSE = 100, 0.02
_DAY_SECONDS = 86400.0


class PrivateFolder:
    """The folder while it exists.

    Attributes:
        path: where it is: the folder for the children's temporary files.
        descriptor: holds its lock; a child that inherits it holds the lock, too. None where
            there are no locks.
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
        self.descriptor = acquire(self.path + _LOCK, seconds=None)
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
        sweep(parent)
        # As tempfile.mkdtemp() does, whose import takes a hundredth of `pipenv-ca sync`.
        folder = PrivateFolder(
            os.path.join(parent, f"{_PREFIX}{os.urandom(_RUN_LENGTH // 2).hex()}")
        )
    try:
        with _told(folder.path):
            folder.make()
        yield folder
    finally:
        _remove(folder.path, folder.descriptor, _TRIES)


def sweep(parent: str | None = None) -> None:
    """Remove the folders of killed runs of this user.

    Args:
        parent: where they are; None for the system's folder for temporary files.
    """
    with contextlib.suppress(OSError):
        parent = _parent() if parent is None else parent
        for entry in [entry for entry in os.scandir(parent) if _is_lock(entry.name)]:
            with contextlib.suppress(OSError):
                _sweep_one(entry)


def _parent() -> str:
    # As tempfile.gettempdir() finds it, which takes 4 ms to import: every command looks there.
    if sys.platform != "win32":
        for place in (*map(os.environ.get, ("TMPDIR", "TEMP", "TMP")), "/tmp"):  # noqa: S108
            if place and os.path.isdir(place) and os.access(place, os.W_OK | os.X_OK):
                return os.path.abspath(place)
    import tempfile

    return tempfile.gettempdir()


def _is_lock(name: str) -> bool:
    run = name.removeprefix(_PREFIX).removesuffix(_LOCK)
    is_run = len(run) == _RUN_LENGTH and not run.strip("0123456789abcdef")
    return is_run and name == f"{_PREFIX}{run}{_LOCK}"


def _sweep_one(entry: os.DirEntry[str]) -> None:
    status = entry.stat(follow_symlinks=False)
    is_old = time.time() - status.st_mtime > _DAY_SECONDS
    is_own = sys.platform == "win32" or status.st_uid == os.geteuid()
    if is_own and stat.S_ISREG(status.st_mode):
        descriptor = acquire(entry.path, create=False)  # (TimeoutError: it is in use)
        if descriptor is not None or is_old:
            _remove(entry.path.removesuffix(_LOCK), descriptor, 1)


def _remove(path: str, descriptor: int | None, tries: int) -> None:
    # A process that pipenv left behind may write there for a moment. The lock goes last, so
    # that the next sweep finds what is left.
    import shutil

    for _ in range(tries):
        shutil.rmtree(path, ignore_errors=True)
        if not os.path.lexists(path):
            release(path + _LOCK, descriptor)
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
