"""Keeps Pipfile and lock right around a command that may write them.

A journal of the originals stands in a private folder for as long as the command runs. What a
failure leaves is put back; what a SIGKILL leaves is put back by the next run. A file that the
command is given another content of has a copy of the original beside it, so that putting it
back takes no room on a disk that has become full.
"""

from __future__ import annotations

import contextlib
import os

from codeartifact_pipenv.wrapper.journal import Journal
from codeartifact_pipenv.wrapper.whole_file import (
    read,
    remove_halves,
    replace,
    spare_of,
    unlink,
    write_spare,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping


class Guard:
    """The files of one project, as they were, while a command runs.

    Args:
        paths: the files to keep; those that do not exist are remembered as absent.
        directory: where journals are; None for no journal.
        named: the packages that the command names, normalised; None for any.

    Raises:
        CodeArtifactPipenvError: one of the files cannot be read.
    """

    def __init__(
        self, paths: list[str], directory: str | None, named: Collection[str] | None = ()
    ) -> None:
        self._journal = Journal(paths[0], directory, named)
        self.originals: dict[str, bytes | None] = {path: read(path) for path in paths}
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
                unlink(spare)
            self._journal.end()
        except BaseException:
            if not self._spares and all(read(p) == data for p, data in self.originals.items()):
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
        self._journal.add_staged(path, data)
        if original is not None:
            write_spare(path, original)
            self._spares[path] = spare_of(path)  # from here on it is whole
        self.staged[path] = data
        replace(path, data)

    def written(self, path: str) -> bytes | None:
        """Return what the command wrote; None where it left the file as it was given it."""
        data = read(path)
        return None if data == self.staged[path] else data

    def read(self, path: str) -> bytes | None:
        """Return what is in a file now; None where there is none."""
        return read(path)

    def put(self, path: str, data: bytes | None) -> None:
        """Give a file the content that the user gets; None removes it.

        Raises:
            CodeArtifactPipenvError: it cannot be written.
        """
        spare = self._spares.get(path)
        if spare is not None and data == self.originals[path]:
            with contextlib.suppress(OSError):  # writing says why it cannot be
                os.replace(spare, os.path.realpath(path))
                del self._spares[path]
                return
        if read(path) != data:
            replace(path, data)

    def conclude(self, results: Mapping[str, bytes | None]) -> None:
        """Give all files the content that the user gets; a kill in between puts all back.

        Raises:
            CodeArtifactPipenvError: one cannot be written.
        """
        self._journal.add_results(results)
        for path, data in results.items():
            self.put(path, data)

    def restore(self) -> None:
        """Put every file back as it was."""
        for path, data in self.originals.items():
            self.put(path, data)
        for folder in {os.path.dirname(path) for path in self.originals}:
            remove_halves(folder, self._journal.began)
