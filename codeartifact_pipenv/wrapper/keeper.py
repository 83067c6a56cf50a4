"""Gives pipenv the files that it is to see, and the user the files that are right."""

from __future__ import annotations

import contextlib
import os
from typing import Any

from codeartifact_pipenv.project import edit, lock, pylock
from codeartifact_pipenv.project.names import normalise
from codeartifact_pipenv.wrapper import commands
from codeartifact_pipenv.wrapper.guard import Guard

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from codeartifact_pipenv.cli import CommandLine
    from codeartifact_pipenv.project.pipfile import Project
    from codeartifact_pipenv.wrapper.completion import Completion
    from codeartifact_pipenv.wrapper.loopback import Loopback


class Keeper:
    """Pipfile and lock of one command.

    Args:
        line: the command line.
        project: the project, with a Pipfile.
        completion: the sources made one; None where pipenv sees them as they are written.
        state_directory: where the journal is kept; None for none.

    Attributes:
        paths: the files that are kept.
    """

    def __init__(
        self,
        line: CommandLine,
        project: Project,
        completion: Completion | None,
        state_directory: str | None,
    ) -> None:
        self._line = line
        self._pipfile = project.pipfile or ""
        self._lock = project.lock or ""
        self._completion = completion
        self._pylock = _pylock(line, project)
        self.paths = [self._pipfile, self._lock, *([self._pylock] if self._pylock else [])]
        named = commands.changed_packages(line.command, line.arguments)
        self._guard = Guard(
            self.paths, state_directory, named and {normalise(name) for name in named}
        )

    @contextlib.contextmanager
    def keeping(self) -> Iterator[None]:
        """Keep the files for the time of the block; what leaves it in an error restores them."""
        with self._guard.holding():
            yield

    def stage(self, url: str) -> None:
        """Let every source of Pipfile and lock lead to one URL."""
        text = self._original_text()
        staged = edit.with_sources_at(text, url)
        data = self._guard.originals[self._lock]
        document = None if data is None else lock.parse_lock(data)
        if document is not None:
            known = edit.pipfile_hashes(text)
            kind = _kind(document, known)
            digest = None if kind is None else edit.pipfile_hashes(staged)[kind]
            moved = lock.with_sources_at(document, url, digest)
            self._guard.stage(self._lock, lock.format_lock(moved))
        self._guard.stage(self._pipfile, staged.encode())

    def finish(self, status: int, index: Loopback | None) -> None:
        """Put the files right after the command.

        Args:
            status: its exit status.
            index: the index that it saw; None where it saw the sources as they are.
        """
        if status != 0:
            self._guard.restore()
            return
        left, text = self._left_pipfile(), self._finished_pipfile(index)
        locked = self._finished_lock(left, text, index)
        results = {self._pipfile: text.encode(), self._lock: locked}
        if index is not None and self._completion is not None:
            results |= self._finished_pylock(index, self._completion, locked)
        self._guard.conclude(results)

    def _original_text(self) -> str:
        return (self._guard.originals[self._pipfile] or b"").decode()

    def _left_pipfile(self) -> str:
        """Return the Pipfile as pipenv left it."""
        written = self._guard.written(self._pipfile)
        staged = self._guard.staged.get(self._pipfile)
        return (written or staged or b"").decode() or self._original_text()

    def _finished_pipfile(self, index: Loopback | None) -> str:
        original = self._original_text()
        written = self._guard.written(self._pipfile)
        if not commands.changes_pipfile(self._line.command, self._line.arguments):
            return original
        names = commands.named_packages(self._line.command, self._line.arguments)
        return edit.with_changes(
            original,
            (self._guard.staged[self._pipfile] or b"").decode(),
            (self._guard.staged[self._pipfile] or b"" if written is None else written).decode(),
            named={normalise(name) for name in names},
            index_of=self._pipfile_index(index),
        )

    def _pipfile_index(self, index: Loopback | None) -> Callable[[str, Any], str | None]:
        completion = self._completion
        if completion is None or index is None:
            return lambda _name, value: value.get("index") if isinstance(value, dict) else None
        written = self._guard.written(self._lock)
        document = None if written is None else lock.parse_lock(written)
        first = completion.sources[0].name

        def index_of(name: str, _value: Any) -> str | None:
            entry = _entry(document, normalise(name)) or {}
            found = completion.index_for_lock(index.found, index.is_public)(name, entry)
            return None if found == first else found

        return index_of

    def _finished_pylock(
        self, index: Loopback, completion: Completion, locked: bytes | None
    ) -> dict[str, bytes | None]:
        written = self._guard.written(self._pylock) if self._pylock else None
        if self._pylock is None or written is None:
            return {}
        document = lock.parse_lock(locked or b"")
        urls = {source.name: source.url for source in completion.sources}

        def index_of(name: str) -> str | None:
            entry = _entry(document, normalise(name)) or {}
            return urls.get(entry.get("index", completion.sources[0].name))

        done = pylock.finished(written.decode(), index.url, index.places(), index_of)
        return {self._pylock: done.encode()}

    def _finished_lock(self, left: str, pipfile: str, index: Loopback | None) -> bytes | None:
        written = self._guard.written(self._lock)
        document = None if written is None else lock.parse_lock(written)
        if document is None:
            return self._guard.originals[self._lock] if written is None else written
        sources = edit.sources_of(pipfile)
        # Which of a Pipfile's hashes pipenv writes depends on its version.
        kind = _kind(document, edit.pipfile_hashes(left))
        digest = edit.pipfile_hashes(pipfile)[kind or 0]
        if self._completion is None or index is None:
            done = lock.finished(document, sources, digest, lambda _name, _entry: None)
        else:
            decide = self._completion.index_for_lock(index.found, index.is_public)
            done = lock.finished(document, sources, digest, decide)
        before = self._guard.originals[self._lock] or b""
        data = lock.format_lock(done)
        return data.replace(b"\n", b"\r\n") if b"\r\n" in before else data


def _kind(document: dict[str, Any], hashes: tuple[str, ...]) -> int | None:
    """Return which of a Pipfile's hashes a lock has; None for another Pipfile's."""
    found = document["_meta"]["hash"]["sha256"]
    return hashes.index(found) if found in hashes else None


def _pylock(line: CommandLine, project: Project) -> str | None:
    if line.command == "pylock":
        named = commands.pylock_output(line.command, line.arguments)
        return os.path.abspath(named) if named else project.pylock
    return project.pylock if project.uses_pylock else None


def _entry(document: dict[str, Any] | None, name: str) -> dict[str, Any] | None:
    for category, entries in (document or {}).items():
        if category != "_meta" and isinstance(entries, dict):
            for known, entry in entries.items():
                if normalise(known) == name and isinstance(entry, dict):
                    return entry
    return None
