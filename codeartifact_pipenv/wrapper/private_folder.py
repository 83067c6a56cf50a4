"""A folder for one run that only its user can enter, and that is gone with the run.

pipenv and pip make their temporary files there; some of them hold a token (pipenv 2026.10
leaves request files with expanded URLs). What a killed run left is swept by the next one:
a folder is in use as long as anybody holds the lock on the file in it, this process or the
pipenv that inherited it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import stat
import time

from codeartifact_pipenv.locks import hold
from codeartifact_pipenv.own_files import check_own_folder, read_private

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_PREFIX = "pipenv-ca-"
_LOCK = ".in-use"
# The folder for temporary files of what ends with the run, and of what may outlast it.
_ENDING, _LASTING = "tmp", "temporary"
# How the name of a note ends that says where a folder is.
NOTE = ".folder"
_TRIES, _PAUSE = 100, 0.02
_BIRTH_SECONDS = 60


class PrivateFolder:
    """The folder while it exists.

    Attributes:
        path: where it is.
        descriptor: holds it; a child that inherits it holds it too. None on Windows.
        temporary: the folder for the children's temporary files.
    """

    def __init__(self, path: str, descriptor: int | None, temporary: str) -> None:
        self.path = path
        self.descriptor = descriptor
        self.temporary = temporary

    def end_users(self) -> None:
        """End the processes that have their temporary files there: what pipenv started.

        (pipenv, ended by a signal, leaves its resolver and pip behind.)
        """
        _end_users(self.temporary)

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
def private_folder(directory: str | None = None, *, ends: bool = True) -> Iterator[PrivateFolder]:
    """Make the folder, sweep what killed runs left, and remove it at the end.

    Args:
        directory: where it is noted that there is one, for any command to sweep; None for
            the next one of this kind only.
        ends: whether the processes that use it end with the run.

    Raises:
        CodeArtifactPipenvError: it cannot be made.
    """
    with _told("The folder for temporary files"):
        parent = _parent()
    _sweep(parent)
    if directory is not None:
        with contextlib.suppress(OSError):
            sweep_noted(directory)
    path = os.path.join(parent, f"{_PREFIX}{os.urandom(8).hex()}")
    temporary = os.path.join(path, _ENDING if ends else _LASTING)
    with _told(parent):
        os.mkdir(path, 0o700)
    note = descriptor = None
    try:
        note = _note(directory, path)
        with _told(path):
            # Locked before it has its name: a sweep must not find it free.
            descriptor = hold(os.path.join(path, f"{_LOCK}.new"), create=True)
            if descriptor is not None:
                os.rename(os.path.join(path, f"{_LOCK}.new"), os.path.join(path, _LOCK))
            os.mkdir(temporary, 0o700)
            _try_room(path)
        yield PrivateFolder(path, descriptor, temporary)
    finally:
        _remove(path)
        if descriptor is not None:
            os.close(descriptor)
        if note is not None:
            with contextlib.suppress(OSError):
                os.unlink(note)


def sweep_noted(directory: str) -> None:
    """Sweep the folders that are noted and that no run has any more.

    Args:
        directory: where notes are.

    Raises:
        OSError: it cannot be read, or somebody else may have written there.
    """
    check_own_folder(directory)
    for name in os.listdir(directory):
        if name.endswith(NOTE):
            note = os.path.join(directory, name)
            with contextlib.suppress(OSError, ValueError):
                path = os.fsdecode(read_private(note))
                if os.path.lexists(path):
                    _sweep(os.path.dirname(path), name.removesuffix(NOTE))
                if not os.path.lexists(path):
                    os.unlink(note)


def _note(directory: str | None, path: str) -> str | None:
    if directory is None:
        return None
    note = os.path.join(directory, f"{os.path.basename(path)}{NOTE}")
    try:
        for folder in (os.path.dirname(directory), directory):
            os.makedirs(folder, mode=0o700, exist_ok=True)
        descriptor = os.open(note, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(os.fsencode(path))
    except OSError:
        return None
    return note


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


def _sweep(parent: str, prefix: str = _PREFIX) -> None:
    if os.name == "nt":
        return
    try:
        found = [entry for entry in os.scandir(parent) if entry.name.startswith(prefix)]
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
            _end_users(os.path.join(entry.path, _ENDING))
            _remove(entry.path)
            os.close(descriptor)


def _end_users(temporary: str) -> None:
    number = signal.SIGTERM
    for _ in range(_TRIES):
        found = _users(temporary)
        for pid in found:
            with contextlib.suppress(OSError):
                os.kill(pid, number)
        if not found:
            return
        time.sleep(_PAUSE)
        number = signal.SIGKILL


def _users(temporary: str) -> list[int]:
    # Where there is no /proc they end by themselves.
    needle, found = os.fsencode(f"TMPDIR={temporary}"), []
    with contextlib.suppress(OSError):
        for name in os.listdir("/proc"):
            if name.isdecimal() and name != str(os.getpid()):
                with contextlib.suppress(OSError), open(f"/proc/{name}/environ", "rb") as file:
                    if needle in file.read().split(b"\0"):
                        found.append(int(name))
    return found


def _remove_unborn(entry: os.DirEntry[str]) -> None:
    # A run that was killed before it held its folder left nothing in it.
    with contextlib.suppress(OSError):
        if time.time() - entry.stat(follow_symlinks=False).st_mtime > _BIRTH_SECONDS:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(entry.path, f"{_LOCK}.new"))
            os.rmdir(entry.path)


def _remove(path: str) -> None:
    # A process that pipenv left behind may write there until its folder is gone. The lock
    # goes last: without it the next run would not know the folder for an abandoned one.
    import shutil

    temporary = [os.path.join(path, name) for name in (_ENDING, _LASTING)]
    for _ in range(_TRIES):
        for place in temporary:
            shutil.rmtree(place, ignore_errors=True)
        if not any(map(os.path.lexists, temporary)):
            shutil.rmtree(path, ignore_errors=True)
            return
        time.sleep(_PAUSE)
