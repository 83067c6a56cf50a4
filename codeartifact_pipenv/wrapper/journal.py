"""The originals of a project's files on disk, for the time of a command that may write them.

What a SIGKILL leaves of such a command is put back by the next one, whatever that is. What
somebody has edited since stays his. A file's time says who wrote it, but for the moments between
the last beat of the journal and the kill; there it is the content that says it, and where
that is no proof either, what was there is kept.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from typing import NamedTuple

from codeartifact_pipenv.digest import digest
from codeartifact_pipenv.files.lock import acquire
from codeartifact_pipenv.files.private import (
    NotOwnError,
    check_own_folder,
    make_private_folder,
    read_private,
)
from codeartifact_pipenv.wrapper import authorship
from codeartifact_pipenv.wrapper.aftermath import journal_folder
from codeartifact_pipenv.wrapper.whole_file import read, remove_beside, remove_halves, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Collection, Iterator, Mapping

_BEAT_SECONDS = 0.1
# How long a command that needs no index waits for the pipenv of a killed run to end, and how
# long after the last beat of the run a write may still have been that pipenv's.
_AFTERMATH_SECONDS = 5.0
_ORPHAN_SECONDS = 60.0
_PAUSE_SECONDS = 0.02
# How much older a file may look than it is: clocks of file systems tick.
_TICK_SECONDS = 0.05


class PutBack(NamedTuple):
    """A file that is as it was before a killed run.

    Attributes:
        path: where it is.
        kept: where that is kept which was in it and may have been its user's; None for nothing.
    """

    path: str
    kept: str | None


@contextlib.contextmanager
def alone(
    pipfile: str | None, directory: str | None, waiting: Callable[[], None] | None
) -> Iterator[int | None]:
    """Keep other runs out of a project: what they would read may be another run's for now.

    The block gets a descriptor for the child to inherit: a pipenv that outlives a killed run
    keeps the next one waiting. None where there is no such thing.

    Args:
        pipfile: the project's Pipfile; None for no project.
        directory: where locks and journals are; None for none.
        waiting: called where another run is in the way, before waiting for it; None for not
            waiting for one that lives: the block gets None then, too.
    """
    held: list[int] = []
    if pipfile is not None and directory is not None:
        path = _journal_path(pipfile, directory)
        with contextlib.suppress(OSError):
            _make_private(os.path.dirname(path))
            lock, owner = f"{path}.lock", f"{path}.owner.lock"
            found = _hold_of_killed(lock, owner) if waiting is None else None
            if found is None:
                found = acquire(lock, seconds=None if waiting else 0.0, waiting=waiting)
            if found is not None:
                held.append(found)
                # This one is not inherited: it says whether the run itself lives.
                found = acquire(owner, seconds=None)
                held += [] if found is None else [found]
    try:
        yield held[0] if held else None
    finally:
        for descriptor in held:
            os.close(descriptor)


def _hold_of_killed(lock: str, owner: str) -> int | None:
    """Hold the lock of a run that was killed, as soon as its pipenv has ended, too."""
    end = time.monotonic() + _AFTERMATH_SECONDS
    while time.monotonic() < end:
        living = acquire(owner)
        if living is None:
            return None
        os.close(living)
        found = acquire(lock)
        if found is not None:
            return found
        time.sleep(_PAUSE_SECONDS)
    return None


def recover(pipfile: str, directory: str | None, *, waited: bool = False) -> list[PutBack]:
    """Put right what a killed run of the same project has left torn; call it ``alone``.

    Args:
        pipfile: the project's Pipfile.
        directory: where journals are; None for none.
        waited: whether what is in the files may have been written until now, by a pipenv that
            has outlived its run.

    Returns:
        The files that were put back.

    Raises:
        CodeArtifactPipenvError: that cannot be done; the journal stays.
    """
    journal = _journal_path(pipfile, directory) if directory else None
    if journal is None:
        return []
    if not os.path.isfile(journal):
        remove_beside(journal)
        return []
    try:
        return _recover(journal, waited=waited)
    except NotOwnError:
        return []
    except OSError as error:
        from codeartifact_pipenv.errors import CodeArtifactPipenvError

        raise CodeArtifactPipenvError(
            f"What a killed run has left cannot be put right: {error}.",
            f"Make the file writable and run this again; the originals are in {journal}.",
        ) from error


class Journal:
    """The originals on disk, and a heartbeat that says until when the run was alive.

    Args:
        pipfile: the project's Pipfile.
        directory: where journals are; None for no journal.
        named: the packages that the command names, normalised; None for any.

    Attributes:
        began: the Unix time before which no file is the command's.
    """

    def __init__(
        self, pipfile: str, directory: str | None, named: Collection[str] | None = ()
    ) -> None:
        self._path = _journal_path(pipfile, directory) if directory else None
        self._files: dict[str, dict[str, str | None]] = {}  # by path
        self._named = None if named is None else sorted(named)
        self._stop: threading.Event | None = None
        self.began = time.time() - _TICK_SECONDS

    def begin(self, originals: Mapping[str, bytes | None]) -> None:
        """Keep the originals of some files, until the end."""
        self._files = {
            path: {"original": _encode(data), "staged": None, "result": None}
            for path, data in originals.items()
        }
        self._write()
        import threading

        self._stop = threading.Event()
        threading.Thread(target=self._beat, args=(self._stop,), daemon=True).start()

    def add_staged(self, path: str, data: bytes) -> None:
        """Note what a file is about to become for the command."""
        self._files[path]["staged"] = _encode(data)
        self._write()

    def add_results(self, results: Mapping[str, bytes | None]) -> None:
        """Note what the files are about to become for the user."""
        for path, data in results.items():
            self._files[path]["result"] = _encode(data)
        self._write()

    def stop(self) -> None:
        """Let the heart stand still; the journal stays."""
        if self._stop is not None:
            self._stop.set()

    def end(self) -> None:
        """Forget the originals."""
        self.stop()
        if self._path is not None:
            with contextlib.suppress(OSError):
                os.unlink(self._path)

    def _beat(self, stop: threading.Event) -> None:
        while not stop.wait(_BEAT_SECONDS):
            with contextlib.suppress(OSError):
                os.utime(self._path or "")

    def _write(self) -> None:
        if self._path is None:
            return
        from codeartifact_pipenv.errors import CodeArtifactPipenvError

        document = {"files": self._files, "named": self._named, "began": self.began}
        with contextlib.suppress(OSError, CodeArtifactPipenvError):
            _make_private(os.path.dirname(self._path))
            replace(self._path, json.dumps(document).encode(), mode=0o600)


def _recover(journal: str, *, waited: bool) -> list[PutBack]:
    _check_private(os.path.dirname(journal))
    alive_until = os.stat(journal).st_mtime
    try:
        document = json.loads(read_private(journal))
        until = time.time() if waited else alive_until + _ORPHAN_SECONDS
        named, began = document["named"], float(document["began"])
        # The Pipfile is the first one.
        authors = (
            lambda now, given: authorship.author(now, given, named),
            authorship.author_of_lock,
        )
        changes = [
            (path, _after(path, entry, alive_until, until, authors[number > 0]))
            for number, (path, entry) in enumerate(document["files"].items())
        ]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        changes, began = [], alive_until
    done = []
    for path, (data, is_proven) in changes:
        now = read(path)
        if data != now:
            kept = None if is_proven else _keep(journal, path, now)
            replace(path, data)
            done.append(PutBack(path, kept))
    for path, _ in changes:
        remove_beside(path)
        remove_halves(os.path.dirname(path), began)
    remove_beside(journal)
    os.unlink(journal)
    return done


def _after(
    path: str,
    entry: Mapping[str, str | None],
    alive_until: float,
    until: float,
    whose: Callable[[bytes, bytes | None], str],
) -> tuple[bytes | None, bool]:
    """Return what is to be in a file now, and whether nothing of its user's is lost by that."""
    original, staged = _decode(entry["original"]), _decode(entry["staged"])
    now = read(path)
    if now == original or not os.path.isdir(os.path.dirname(path)):
        return now, True  # or the project is gone
    if now is None or now in {staged, _decode(entry["result"])}:
        return original, True
    status = os.stat(path)
    if max(status.st_mtime, status.st_ctime) <= alive_until:
        return original, True  # (a file that was moved there has its old time, but a new change)
    author = whose(now, staged or original) if status.st_mtime <= until else authorship.USER
    if author != authorship.USER:
        return original, author == authorship.COMMAND
    return authorship.without_staged_sources(now, original), True


def _keep(journal: str, path: str, data: bytes | None) -> str | None:
    if not data:
        return None
    place = f"{journal.removesuffix('.json')}-{os.path.basename(path)}.kept"
    replace(place, data, mode=0o600)
    return place


def _journal_path(pipfile: str, directory: str) -> str:
    name = f"{digest(os.path.realpath(pipfile).encode())}.json"
    return os.path.join(journal_folder(directory), name)


def _make_private(directory: str) -> None:
    for path in (os.path.dirname(directory), directory):
        make_private_folder(path)


def _check_private(directory: str) -> None:
    # Who else can write there could hold the locks for ever, or say what is to be put back where.
    for path in (os.path.dirname(directory), directory):
        check_own_folder(path)


def _encode(data: bytes | None) -> str | None:
    return None if data is None else data.decode("latin-1")


def _decode(text: str | None) -> bytes | None:
    return None if text is None else text.encode("latin-1")
