"""A folder for one run that only its user can enter, and that is gone with the run.

pipenv and pip make their temporary files there; some of them hold a token (pipenv 2026.10
leaves request files with expanded URLs). What a killed run left is swept by the next one:
a folder is in use as long as anybody holds the lock on the file in it, this process or the
pipenv that inherited it.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time

from codeartifact_pipenv.locks import hold

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_PREFIX = "pipenv-ca-"
_LOCK = ".in-use"
_TRIES, _PAUSE = 100, 0.02
_BIRTH_SECONDS = 60


class PrivateFolder:
    """The folder while it exists.

    Attributes:
        path: where it is.
        descriptor: holds it; a child that inherits it holds it too. None on Windows.
    """

    def __init__(self, path: str, descriptor: int | None) -> None:
        self.path = path
        self.descriptor = descriptor

    @property
    def temporary(self) -> str:
        """The folder for the children's temporary files."""
        return os.path.join(self.path, "tmp")

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


@contextlib.contextmanager
def private_folder() -> Iterator[PrivateFolder]:
    """Make the folder, sweep what killed runs left, and remove it at the end.

    Raises:
        CodeArtifactPipenvError: it cannot be made.
    """
    with _told("The folder for temporary files"):
        parent = _parent()
    _sweep(parent)
    path = os.path.join(parent, f"{_PREFIX}{os.urandom(8).hex()}")
    with _told(parent):
        os.mkdir(path, 0o700)
    descriptor = None
    try:
        with _told(path):
            # Locked before it has its name: a sweep must not find it free.
            descriptor = hold(os.path.join(path, f"{_LOCK}.new"), create=True)
            if descriptor is not None:
                os.rename(os.path.join(path, f"{_LOCK}.new"), os.path.join(path, _LOCK))
            os.mkdir(os.path.join(path, "tmp"), 0o700)
            _try_room(path)
        yield PrivateFolder(path, descriptor)
    finally:
        _remove(path)
        if descriptor is not None:
            os.close(descriptor)


def _try_room(path: str) -> None:
    # On a full disk folders can be made and files cannot: the children would turn to another
    # folder for temporary files, which is not private.
    room = os.path.join(path, ".room")
    descriptor = os.open(room, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(descriptor, bytes(4096))
    finally:
        os.close(descriptor)
        os.unlink(room)


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


def prepare_removal() -> None:
    """Load what the removal will need, while there is time."""
    import shutil  # noqa: F401


def _parent() -> str:
    # As tempfile.gettempdir() finds it, which takes 4 ms to import: most users have one of these.
    if os.name != "nt":
        for place in (*map(os.environ.get, ("TMPDIR", "TEMP", "TMP")), "/tmp"):  # noqa: S108 - the folder in it is private
            if place and os.path.isdir(place) and os.access(place, os.W_OK | os.X_OK):
                return os.path.abspath(place)
    import tempfile

    return tempfile.gettempdir()


def _sweep(parent: str) -> None:
    if os.name == "nt":
        return
    try:
        found = [entry for entry in os.scandir(parent) if entry.name.startswith(_PREFIX)]
    except OSError:
        return
    for entry in found:
        try:
            status = entry.stat(follow_symlinks=False)
            if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
                continue
            descriptor = hold(os.path.join(entry.path, _LOCK), create=False)
        except OSError:
            _remove_unborn(entry)
            continue
        if descriptor is not None:
            _remove(entry.path)
            os.close(descriptor)


def _remove_unborn(entry: os.DirEntry[str]) -> None:
    # A run that was killed before it held its folder left nothing in it.
    with contextlib.suppress(OSError):
        if time.time() - entry.stat(follow_symlinks=False).st_mtime > _BIRTH_SECONDS:
            os.rmdir(entry.path)


def _remove(path: str) -> None:
    # A process that pipenv left behind may write there until its folder is gone. The lock
    # goes last: without it the next run would not know the folder for an abandoned one.
    import shutil

    temporary = os.path.join(path, "tmp")
    for _ in range(_TRIES):
        shutil.rmtree(temporary, ignore_errors=True)
        if not os.path.lexists(temporary):
            shutil.rmtree(path, ignore_errors=True)
            return
        time.sleep(_PAUSE)
