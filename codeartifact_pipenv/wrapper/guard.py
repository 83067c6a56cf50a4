"""Keeps Pipfile and lock right around a command that may write them.

A journal of the originals stands in a private folder for as long as the command runs. What a
failure leaves is put back; what a SIGKILL leaves is put back by the next run, unless somebody
has edited the file since. A file that the command is given another content of has a copy of
the original beside it, so that putting it back takes no room on a disk that has become full.
"""

from __future__ import annotations

import contextlib
import json
import os

from codeartifact_pipenv.digest import digest
from codeartifact_pipenv.locks import hold
from codeartifact_pipenv.own_files import NotOwnError, check_own_folder, read_private

TYPE_CHECKING = False
if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator, Mapping

_BEAT_SECONDS = 0.5
# How long after the last beat of a killed run a write may still have been its child's.
_AFTERMATH_SECONDS = 5.0
# How the copies of originals are called that stand beside them.
_SPARE = ".pipenv-ca-"


class Guard:
    """The files of one project, as they were, while a command runs.

    Args:
        paths: the files to keep; those that do not exist are remembered as absent.
        directory: where journals are; None for no journal.
    """

    def __init__(self, paths: list[str], directory: str | None) -> None:
        self._journal = _Journal(paths[0], directory)
        self.originals: dict[str, bytes | None] = {path: _read(path) for path in paths}
        self.staged: dict[str, bytes | None] = dict(self.originals)
        self._spares: dict[str, str] = {}

    @contextlib.contextmanager
    def holding(self) -> Iterator[None]:
        """Keep the journal for the time of the block; what leaves it in an error restores.

        Raises:
            CodeArtifactPipenvError: a file cannot be put back; the journal stays, for the
                next run.
        """
        self._journal.begin(self.originals)
        try:
            try:
                yield
            except BaseException:
                self.restore()
                raise
            for spare in self._spares.values():
                _unlink(spare)
            self._journal.end()
        except BaseException:
            if not self._spares and all(_read(p) == data for p, data in self.originals.items()):
                self._journal.end()
            raise
        finally:
            self._journal.stop()

    def stage(self, path: str, data: bytes) -> None:
        """Give the command another content of a file.

        Raises:
            CodeArtifactPipenvError: it cannot be written.
        """
        original = self.originals[path]
        spare = _beside(path)
        self._journal.add_staged(path, data, spare)
        if original is not None:
            _write_spare(path, spare, original)
            self._spares[path] = spare  # from here on it is whole
        self.staged[path] = data
        _replace(path, data)

    def written(self, path: str) -> bytes | None:
        """Return what the command wrote; None where it left the file as it was given it."""
        data = _read(path)
        return None if data == self.staged[path] else data

    def read(self, path: str) -> bytes | None:
        """Return what is in a file now; None where there is none."""
        return _read(path)

    def put(self, path: str, data: bytes | None) -> None:
        """Give a file the content that the user gets; None removes it.

        Raises:
            CodeArtifactPipenvError: it cannot be written.
        """
        spare = self._spares.get(path)
        if spare is not None and data == self.originals[path] and os.path.exists(spare):
            os.replace(spare, os.path.realpath(path))
            del self._spares[path]
        elif _read(path) != data:
            _replace(path, data)

    def restore(self) -> None:
        """Put every file back as it was."""
        for path, data in self.originals.items():
            self.put(path, data)


@contextlib.contextmanager
def alone(
    pipfile: str | None, directory: str | None, waiting: Callable[[], None]
) -> Iterator[int | None]:
    """Keep other runs out of a project: what they would read may be another run's for now.

    The block gets a descriptor for the child to inherit: a pipenv that outlives a killed run
    keeps the next one waiting. None where there is no such thing.

    Args:
        pipfile: the project's Pipfile; None for no project.
        directory: where locks and journals are; None for none.
        waiting: called where another run is in the way, before waiting for it.
    """
    descriptor = None
    if pipfile is not None and directory is not None:
        path = f"{_journal_path(pipfile, directory)}.lock"
        with contextlib.suppress(OSError):
            _make_private(os.path.dirname(path))
            descriptor = hold(path, create=True, waiting=waiting)
    try:
        yield descriptor
    finally:
        if descriptor is not None:
            os.close(descriptor)


def recover(pipfile: str, directory: str | None) -> list[str]:
    """Put right what a killed run of the same project has left torn; call it ``alone``.

    Returns:
        The files that were put back.
    """
    return _Journal(pipfile, directory).recover()


class _Journal:
    """The originals on disk, and a heartbeat that says until when the run was alive."""

    def __init__(self, pipfile: str, directory: str | None) -> None:
        self._path = _journal_path(pipfile, directory) if directory else None
        self._document: dict[str, dict[str, str | None]] = {}  # by path
        self._stop: threading.Event | None = None

    def begin(self, originals: Mapping[str, bytes | None]) -> None:
        self._document = {
            path: {"original": _encode(data), "staged": None, "spare": None}
            for path, data in originals.items()
        }
        self._write()
        import threading

        self._stop = threading.Event()
        threading.Thread(target=self._beat, args=(self._stop,), daemon=True).start()

    def add_staged(self, path: str, data: bytes, spare: str) -> None:
        self._document[path] |= {"staged": _encode(data), "spare": spare}
        self._write()

    def stop(self) -> None:
        if self._stop is not None:
            self._stop.set()

    def end(self) -> None:
        self.stop()
        if self._path is not None:
            with contextlib.suppress(OSError):
                os.unlink(self._path)

    def recover(self) -> list[str]:
        if self._path is None or not os.path.isfile(self._path):
            return []
        try:
            return self._recover(self._path)
        except NotOwnError:
            return []
        except OSError as error:
            from codeartifact_pipenv.errors import CodeArtifactPipenvError

            raise CodeArtifactPipenvError(
                f"What a killed run has left cannot be put right: {error}.",
                f"Make the file writable and run this again; the originals are in {self._path}.",
            ) from error

    def _recover(self, journal: str) -> list[str]:
        _check_private(os.path.dirname(journal))
        try:
            alive_until = os.stat(journal).st_mtime
            document = json.loads(read_private(journal))
            torn = [
                (path, _decode(entry["original"]))
                if _is_torn(path, entry, alive_until)
                else (path, _unstaged(path, entry))
                for path, entry in document.items()
            ]
            torn = [(path, data) for path, data in torn if data != _read(path)]
            spares = [entry.get("spare") for entry in document.values()]
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            torn, spares = [], []
        for path, original in torn:
            _replace(path, original)
        for spare in spares:
            if spare and os.path.basename(spare).startswith(_SPARE):
                _unlink(spare)
        os.unlink(journal)
        return [path for path, _ in torn]

    def _beat(self, stop: threading.Event) -> None:
        while not stop.wait(_BEAT_SECONDS):
            with contextlib.suppress(OSError):
                os.utime(self._path or "")

    def _make_directory(self) -> bool:
        try:
            _make_private(os.path.dirname(self._path or ""))
        except OSError:
            return False
        return True

    def _write(self) -> None:
        if self._path is not None and self._make_directory():
            with contextlib.suppress(OSError):
                _write_whole(self._path, json.dumps(self._document).encode(), new_mode=0o600)


def _journal_path(pipfile: str, directory: str) -> str:
    name = f"{digest(os.path.realpath(pipfile).encode())}.json"
    return os.path.join(directory, "journal", name)


def _make_private(directory: str) -> None:
    # makedirs gives its mode to the last folder only, and tokens are kept in the one above.
    for path in (os.path.dirname(directory), directory):
        os.makedirs(path, mode=0o700, exist_ok=True)
    _check_private(directory)


def _check_private(directory: str) -> None:
    # Who else can write there could hold the locks for ever, or say what is to be put back where.
    for path in (os.path.dirname(directory), directory):
        check_own_folder(path)


def _is_torn(path: str, entry: Mapping[str, str | None], alive_until: float) -> bool:
    if not os.path.isdir(os.path.dirname(path)):
        return False  # the project is gone
    now = _read(path)
    if now == _decode(entry["original"]):
        return False
    if entry["staged"] is not None and now == _decode(entry["staged"]):
        return True
    if now is None:
        return True
    return os.stat(path).st_mtime <= alive_until + _AFTERMATH_SECONDS


def _unstaged(path: str, entry: Mapping[str, str | None]) -> bytes | None:
    """Return what is in a file that its user has edited, with the sources that he had."""
    now, original = _read(path), _decode(entry["original"])
    if now is None or original is None or b"://127." not in now:
        return now
    from codeartifact_pipenv.project import edit

    try:
        return edit.with_sources_of(now.decode(), original.decode()).encode()
    except ValueError:  # the lock, or no TOML (any more)
        return now


def _encode(data: bytes | None) -> str | None:
    return None if data is None else data.decode("latin-1")


def _decode(text: str | None) -> bytes | None:
    return None if text is None else text.encode("latin-1")


def _read(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


def _unlink(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def _beside(path: str) -> str:
    folder = os.path.dirname(os.path.realpath(path))
    return os.path.join(folder, f"{_SPARE}{os.urandom(8).hex()}")


def _write_spare(path: str, spare: str, data: bytes) -> None:
    try:
        descriptor = os.open(spare, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        _make_alike(spare, os.path.realpath(path), None)
    except OSError as error:
        _unlink(spare)
        raise _unwritable(path, error) from error


def _replace(path: str, data: bytes | None) -> None:
    """Write a file whole or not at all, where a link leads, with the owner and mode it has.

    Raises:
        CodeArtifactPipenvError: it cannot be written.
    """
    path = os.path.realpath(path)
    try:
        if data is None:
            _unlink(path)
        else:
            _write_whole(path, data)
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: str, error: OSError) -> Exception:
    from codeartifact_pipenv.errors import CodeArtifactPipenvError

    return CodeArtifactPipenvError(
        f"{path} cannot be written: {error.strerror or error}.",
        "Make room, or correct the permissions of its folder, and run the command again.",
    )


def _write_whole(path: str, data: bytes, new_mode: int | None = None) -> None:
    import tempfile

    descriptor, temporary = tempfile.mkstemp(prefix=".pipenv-ca-", dir=os.path.dirname(path))
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        _make_alike(temporary, path, new_mode)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def _make_alike(temporary: str, path: str, new_mode: int | None) -> None:
    try:
        status = os.stat(path)
    except FileNotFoundError:
        if new_mode is None:
            mask = os.umask(0)
            os.umask(mask)
            new_mode = 0o666 & ~mask
        os.chmod(temporary, new_mode)
        return
    if hasattr(os, "chown"):
        with contextlib.suppress(OSError):
            os.chown(temporary, status.st_uid, status.st_gid)
    os.chmod(temporary, status.st_mode & 0o7777)
