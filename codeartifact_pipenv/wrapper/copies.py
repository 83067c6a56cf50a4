"""Copies of Pipfile and lock, on which pipenv works; a command that succeeds publishes them.

pipenv is given the copy by PIPENV_PIPFILE. It stands beside the Pipfile, so that paths, ``.env``
and ``.venv`` stay what they are, and its lock beside it by pipenv's own rule. Until the command
has succeeded nobody's files change; then each is replaced as a whole, the Pipfile first.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import re
import stat
import sys
import time
from typing import Any

from codeartifact_pipenv.errors import ConfigurationError, check_length
from codeartifact_pipenv.files.atomic import (
    Replacement,
    copy_access,
    remove_file,
    replace_together,
    unwritable,
)
from codeartifact_pipenv.files.parsing import load_toml_bytes
from codeartifact_pipenv.files.reading import read_user_file
from codeartifact_pipenv.project import edit, lock
from codeartifact_pipenv.project.names import normalise
from codeartifact_pipenv.project.pipfile import is_true
from codeartifact_pipenv.settings import variable_name
from codeartifact_pipenv.wrapper import commands
from codeartifact_pipenv.wrapper.project_lock import copy_of, remove_halves

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from codeartifact_pipenv.cli import CommandLine
    from codeartifact_pipenv.project.pipfile import Project
    from codeartifact_pipenv.proxy_index.index import ProxyIndex
    from codeartifact_pipenv.report import Report
    from codeartifact_pipenv.wrapper.completion import Completion

    Reference = tuple[Completion, ProxyIndex]

# How often a file is looked at again that is changed while it is being replaced.
_TRIES = 50
# Characters that pipenv replaces in the name of an environment (_sanitize).
_UNSAFE = re.compile(r'[ &$`!*@"()\[\]\\\r\n\t]')
_LONGEST_NAME = 42


class ProjectCopies:
    """The copies of one run.

    Args:
        line: the command line.
        project: the project, with a Pipfile.
        completion: the sources made one, if pipenv gets the index on loopback.
        index: that index; None if pipenv sees the sources as they are written.
        reference: the sources and an index to verify the lock with, if pipenv does not use the
            proxy index; None to skip the check.

    Attributes:
        pipfile: where the copy of the Pipfile is.

    Raises:
        ConfigurationError: a file cannot be read, or a copy not be made.
    """

    def __init__(
        self,
        line: CommandLine,
        project: Project,
        completion: Completion | None,
        index: ProxyIndex | None,
        reference: Reference | None = None,
    ) -> None:
        self._line = line
        self._reference = reference
        self._project = project
        self._completion = completion
        self._index = index
        self._began = time.time()
        self._real = project.home
        self.pipfile = copy_of(self._real)
        self._lock = f"{self.pipfile}.lock"
        self._originals = {path: read_user_file(path) for path in self._paths()}
        try:
            self._make()
        except BaseException:
            self.remove()
            raise

    def environment(self) -> dict[str, str]:
        """Return the variables by which pipenv works on the copies, in its usual environment."""
        environ = self._project.environ
        own = environ.get("PIPENV_CUSTOM_VENV_NAME")
        name = own if own and is_true(own) else environment_name(self._real, environ)
        found = {"PIPENV_PIPFILE": self.pipfile, "PIPENV_CUSTOM_VENV_NAME": name}
        # (On Windows pipenv reads a Pipfile as UTF-8, and writes it in the code page.)
        return {**found, "PYTHONUTF8": "1"} if sys.platform == "win32" else found

    def wrote_lock(self) -> bool:
        """Whether pipenv has written the lock."""
        return _signature(self._lock) not in (None, self._given_lock)

    def publish(self, report: Report, pylock: tuple[str, str] | None, python: str | None) -> None:
        """Replace the user's files by what the command has made of the copies.

        Args:
            report: warns about edits of the user's that were kept.
            pylock: path and text of pylock.toml, if it is to be written.
            python: the Python that a new Pipfile requires, such as 3.12.

        Raises:
            ConfigurationError: a file cannot be written, and none is changed.
            CodeArtifactPipenvError: a locked file did not come from its source; no file is changed.
        """
        changes = self._changes()
        mine, _ = edit.with_changes(self._text(), changes)
        if self._project.new_text is not None and python is not None:
            mine += f'\n[requires]\npython_version = "{python}"\n'
        done = self._finished_lock(mine)
        if done is not None:
            self._verify(done)
        for number in range(_TRIES):
            said: list[str] = []
            files = [*self._for_pipfile(changes, mine, said), *self._for_lock(done, said)]
            if pylock is not None:
                path, text = pylock
                data = self._finished_pylock(text).encode()
                files.append(Replacement(path, read_user_file(path), data, None))
            try:
                is_done = replace_together(files, sync=number == 0)
            except OSError as error:
                named = error.filename2 or error.filename or self._real  # (a rename has two)
                raise unwritable(str(named), error) from error
            if is_done:
                for sentence in said:
                    report.warning(sentence)
                return
        raise ConfigurationError(
            f"{self._real} keeps changing, so the result of the command cannot be added.",
            "Run the command again when no other program is writing the file.",
        )

    def remove(self) -> None:
        """Remove the copies, and temporary files of a pipenv that was ended while it wrote."""
        for path in (self.pipfile, self._lock, f"{self._lock}.bak"):
            with contextlib.suppress(OSError):
                remove_file(path)
        remove_halves(os.path.dirname(self._real), self._began)

    def _verify(self, done: dict[str, Any]) -> None:
        from codeartifact_pipenv.wrapper.verify_lock import verify_resolved_hashes

        before = lock.parse_lock(self._originals[f"{self._real}.lock"] or b"")
        if self._index is not None:
            named = commands.changes_pipfile(self._line.command, self._line.arguments)
            verify_resolved_hashes(before, done, self._index, everything=not named)
        elif self._reference is not None:
            completion, index = self._reference

            def is_checked(name: str, entry: Mapping[str, Any]) -> bool:
                return index.sources.is_private(name) or completion.names_repository(entry)

            verify_resolved_hashes(before, done, index, everything=False, is_checked=is_checked)

    # --- before the command ---------------------------------------------------------------

    @property
    def _has_only_a_lock(self) -> bool:
        return self._project.pipfile is None

    def _paths(self) -> tuple[str, str]:
        return self._real, f"{self._real}.lock"

    def _text(self) -> str:
        data = self._originals[self._real]
        return (self._project.stand_in or "") if data is None else data.decode()

    def _make(self) -> None:
        text, data = self._text(), self._originals[f"{self._real}.lock"]
        staged = text
        if self._index is not None:
            staged = edit.with_sources_at(staged, self._index.url)
        if self._project.uses_pylock:
            staged = edit.without_pylock(staged)
        document = None if data is None else lock.parse_lock(data)
        if document is not None and (staged != text or self._has_only_a_lock):
            data = self._staged_lock(document, text, staged)
        _write_copy(self.pipfile, staged.encode(), self._real)
        if data is not None:
            _write_copy(self._lock, data, f"{self._real}.lock")
        self._given = staged
        self._given_lock = _signature(self._lock)

    def _staged_lock(self, document: dict[str, Any], text: str, staged: str) -> bytes:
        # Some pipenvs lock again, and so empty it, if the lock is not of the Pipfile that they see.
        kind = 0 if self._has_only_a_lock else _kind(document, edit.pipfile_hashes(text))
        digest = None if kind is None else edit.pipfile_hashes(staged)[kind]
        url = None if self._index is None else self._index.url
        return lock.format_lock(lock.with_sources_at(document, url, digest))

    # --- after it -------------------------------------------------------------------------

    def _changes(self) -> list[edit.Change]:
        line = self._line
        is_new = self._project.new_text is not None
        if not is_new and not commands.changes_pipfile(line.command, line.arguments):
            return []
        left = (read_user_file(self.pipfile) or b"").decode() or self._given
        names = commands.named_packages(line.command, line.arguments)
        return edit.changes(
            self._given,
            left,
            named={normalise(name) for name in names},
            index_of=self._index_in_pipfile(),
        )

    def _for_pipfile(
        self, changes: Sequence[edit.Change], mine: str, said: list[str]
    ) -> list[Replacement]:
        """Return what becomes of the Pipfile; what its user has edited stays."""
        now = read_user_file(self._real)
        text = mine
        refused: list[edit.Change] = []
        if now != self._originals[self._real]:
            text, refused = "", list(changes)
            with contextlib.suppress(ValueError):  # it is half written
                if now is not None:
                    text, refused = edit.with_changes(now.decode(), changes)
            said += self._of_edited(text, mine, refused)
        data = text.encode()
        is_new = now is None and self._project.new_text is not None
        is_left = len(refused) == len(changes) or data == now
        return [] if is_left and not is_new else [Replacement(self._real, now, data, None)]

    def _of_edited(self, text: str, mine: str, refused: Sequence[edit.Change]) -> list[str]:
        name = os.path.basename(self._real)
        said = [
            f"{name} was edited while this ran and is left as it is; the command would have "
            f"written: {change}."
            for change in refused
        ]
        try:
            is_current = edit.pipfile_hashes(text) == edit.pipfile_hashes(mine)
        except ConfigurationError:
            is_current = False
        if not is_current and self.wrote_lock():
            said.append(
                f"{name} has changed while this ran, and the lock was made for the version before. "
                "Run `pipenv-ca lock` to update it."
            )
        return said

    def _for_lock(self, done: dict[str, Any] | None, said: list[str]) -> list[Replacement]:
        """Return what becomes of the lock; what somebody else has changed in it stays."""
        if done is None or self._has_only_a_lock:
            return []
        path = f"{self._real}.lock"
        original, now = self._originals[path], read_user_file(path)
        if now not in (None, original):
            there = lock.parse_lock(now or b"")
            if there is None:
                said.append(
                    f"{path} has changed while this ran and is not valid now, so it is left as it is."
                )
                return []
            done, refused = lock.merged(lock.parse_lock(original or b""), done, there)
            kept = f"; its entries for {', '.join(refused)} are kept" if refused else ""
            said.append(
                f"{os.path.basename(path)} has changed while this ran{kept}. "
                "Run `pipenv-ca lock` to make it consistent."
            )
        data = lock.format_lock(done)
        if b"\r\n" in (read_user_file(self._lock) or b""):
            data = data.replace(b"\n", b"\r\n")
        # As pipenv does: a new file, with the mode that it chose, also in a link's place.
        return [Replacement(path, now, data, stat.S_IMODE(os.stat(self._lock).st_mode))]

    def _finished_lock(self, mine: str) -> dict[str, Any] | None:
        """Return the lock for the user, or None if pipenv has not written it."""
        document = lock.read_lock(self._lock) if self.wrote_lock() else None
        if document is None:
            return None
        left = (read_user_file(self.pipfile) or b"").decode() or self._given
        # Which of a Pipfile's hashes pipenv writes depends on its version.
        kind = _kind(document, edit.pipfile_hashes(left))
        digest = edit.pipfile_hashes(mine)[kind or 0]
        if self._project.new_text is not None:
            document["_meta"]["requires"] = load_toml_bytes(mine.encode()).get("requires", {})
        return lock.finished(document, edit.sources_of(mine), digest, self._index_in_lock())

    def _finished_pylock(self, text: str) -> str:
        index, completion = self._index, self._completion
        if index is None or completion is None:
            return text
        from codeartifact_pipenv.project import pylock

        done = lock.read_lock(self._lock)
        urls = {source.name: source.url for source in completion.sources}
        index_in_lock = self._index_in_lock()

        def url_of(name: str) -> str | None:
            entry = _entry(done, normalise(name)) or {}
            found = index_in_lock(name, entry) or entry.get("index") or completion.sources[0].name
            return urls.get(found)

        return pylock.finished(text, index.url, index.real_url, url_of)

    def _index_in_lock(self) -> Callable[[str, Mapping[str, Any]], str | None]:
        if self._completion is None or self._index is None or len(self._completion.sources) == 1:
            return lambda _name, _entry: None
        return self._completion.index_for_lock(
            self._index.observed.found, self._index.pages.is_public
        )

    def _index_in_pipfile(self) -> Callable[[str, Any], str | None]:
        if self._completion is None or self._index is None or len(self._completion.sources) == 1:
            return lambda _name, value: value.get("index") if isinstance(value, dict) else None
        document = lock.read_lock(self._lock) if self.wrote_lock() else None
        first, index_in_lock = self._completion.sources[0].name, self._index_in_lock()

        def index_of(name: str, _value: Any) -> str | None:
            found = index_in_lock(name, _entry(document, normalise(name)) or {})
            return None if found == first else found

        return index_of


def environment_name(pipfile: str, environ: Mapping[str, str]) -> str:
    """Return the name that pipenv gives the virtual environment of a Pipfile.

    Args:
        pipfile: its path, as pipenv has it.
        environ: the environment as pipenv will see it.

    Raises:
        ConfigurationError: the path is not UTF-8, at which pipenv fails with a traceback.
    """
    try:
        path = pipfile.encode()
    except UnicodeEncodeError:
        raise ConfigurationError(
            f"pipenv cannot work in {os.path.dirname(pipfile)}: its name is not UTF-8.",
            "Rename the folder, or set PIPENV_VENV_IN_PROJECT=1.",
        ) from None
    if (
        sys.platform == "win32"
    ):  # normalize_pipfile_path: as names are on disk, the drive in upper case
        import glob

        found = glob.glob(re.sub(r"([^:/\\])(?=[/\\]|$)", r"[\1]", pipfile))
        pipfile = found[0] if found else pipfile
        path = (pipfile[:1].upper() + pipfile[1:]).encode()
    # (pipenv/utils/venv_locator.py: name; the same in all versions.)
    folder = _UNSAFE.sub("_", os.path.basename(os.path.dirname(pipfile)))[:_LONGEST_NAME]
    encoded = base64.urlsafe_b64encode(hashlib.sha256(path).digest()[:6]).decode()
    python = environ.get("PIPENV_PYTHON")
    if not python or not is_true(python):
        return f"{folder}-{encoded}"
    suffix = os.path.basename(python) if os.path.isabs(python) else python
    return f"{folder}-{encoded}-{suffix}"


def dotenv_without(names: Sequence[str], text: str) -> str:
    """Return the text of a ``.env`` without some variables."""
    from io import StringIO

    from dotenv.parser import parse_stream

    bindings = parse_stream(StringIO(text))
    return "".join(
        binding.original.string
        for binding in bindings
        if variable_name(binding.key or "") not in names
    )


def _kind(document: dict[str, Any], hashes: tuple[str, ...]) -> int | None:
    """Return which of a Pipfile's hashes a lock has; None for another Pipfile's."""
    found = document["_meta"]["hash"]["sha256"]
    return hashes.index(found) if found in hashes else None


def _entry(document: dict[str, Any] | None, name: str) -> dict[str, Any] | None:
    found = (entry for known, entry in lock.entries_of(document) if normalise(known) == name)
    return next(found, None)


def _signature(path: str) -> tuple[int, int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


def _write_copy(path: str, data: bytes, original: str) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    try:
        with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
            file.write(data)
        copy_access(original, path)
    except OSError as error:
        check_length(path)
        raise ConfigurationError(
            f"No file can be written beside {original}: {error.strerror or error}.",
            "Make room there, or correct the folder's permissions; commands that change nothing, "
            "such as `sync`, work without.",
        ) from error
