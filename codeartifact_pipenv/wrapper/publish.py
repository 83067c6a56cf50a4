"""Publish the copies of a successful command as the user's files.

Each file is replaced as a whole, the Pipfile first; edits that the user made meanwhile stay.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import stat

from codeartifact_pipenv.errors import CodeArtifactPipenvError, ConfigurationError
from codeartifact_pipenv.files.io import load_toml_bytes, read_user_file, unwritable
from codeartifact_pipenv.files.replacing import Replacement, replace_together
from codeartifact_pipenv.lookups.parallel import ask_all
from codeartifact_pipenv.project import edit, lock
from codeartifact_pipenv.project.pipfile import entries_of_lock, normalise, parse_lock, read_lock
from codeartifact_pipenv.project.sources import check_package_url
from codeartifact_pipenv.project.toml_text import sources_of
from codeartifact_pipenv.wrapper import pipenv_cli

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from codeartifact_pipenv.proxy_index.index import ProxyIndex
    from codeartifact_pipenv.proxy_index.model import CombinedSources
    from codeartifact_pipenv.wrapper.plan import RunPlan
    from codeartifact_pipenv.wrapper.run_files import ProjectCopies

# How often to retry when a file changes while it is being replaced.
_TRIES = 50
# Time limit for fetching the pages that the run did not fetch.
_VERIFY_SECONDS = 60.0


class Publication:
    """The results of one command, which replace the user's files.

    Args:
        plan: the plan of the run.
        copies: the copies that pipenv has worked on.
        index: the proxy index, or None on the direct route.
    """

    def __init__(self, plan: RunPlan, copies: ProjectCopies, index: ProxyIndex | None) -> None:
        self._plan = plan
        self._copies = copies
        self._index = index
        self._home = plan.project.home
        self._changes = self._pipfile_changes()

    def publish(self, pylock: tuple[str, str] | None, python: str | None) -> None:
        """Replace the user's files.

        Args:
            pylock: the path and text of pylock.toml, if pipenv generated it.
            python: the Python that a new Pipfile requires, such as 3.12.

        Raises:
            ConfigurationError: a file cannot be written; no file is changed.
            CodeArtifactPipenvError: a locked file did not come from its source; no file is changed.
        """
        new_text, _ = edit.with_changes(self._copies.text, self._changes)
        if self._plan.project.new_text is not None and python is not None:
            new_text += f'\n[requires]\npython_version = "{python}"\n'
        new_lock = self._finished_lock(new_text)
        if new_lock is not None:
            self._verify(new_lock)
        self._refuse_new_tokens([new_text, lock.format_lock(new_lock or {}).decode()])
        for number in range(_TRIES):
            warnings: list[str] = []
            files = [
                *self._pipfile_replacements(new_text, warnings),
                *self._lock_replacements(new_lock, warnings),
            ]
            if pylock is not None:
                path, text = pylock
                data = self._finished_pylock(text).encode()
                files.append(Replacement(path, read_user_file(path), data, None))
            if self._replace(files, sync=number == 0):
                for sentence in warnings:
                    self._plan.context.report.warning(sentence)
                return
        raise ConfigurationError(
            f"{self._home} keeps changing, so the result of the command cannot be written.",
            "Run the command again when no other program is writing the file.",
        )

    def _replace(self, files: Sequence[Replacement], *, sync: bool) -> bool:
        try:
            return replace_together(files, sync=sync)
        except OSError as error:
            named = error.filename2 or error.filename or self._home  # a rename has two names
            raise unwritable(str(named), error) from error

    def _refuse_new_tokens(self, texts: Sequence[str]) -> None:
        """Raise ConfigurationError if the command would write the URL of a package with a token."""
        before = b"\n".join(filter(None, self._copies.originals.values())).decode()
        for text in texts:
            for url in re.findall(r"https?://[^\s\"']+", text, re.IGNORECASE):
                if "@" in url and url not in before:
                    check_package_url(url)

    def _verify(self, new_lock: dict[str, Any]) -> None:
        """Raise CodeArtifactPipenvError if a locked file did not come from its source."""
        line = self._plan.context.line
        before = parse_lock(self._copies.originals[f"{self._home}.lock"] or b"")
        if self._index is not None:
            named = pipenv_cli.changes_pipfile(line.command, line.arguments)
            verify_resolved_hashes(before, new_lock, self._index, everything=not named)
        elif pipenv_cli.resolves(line.command, line.arguments):
            self._verify_direct(before, new_lock)

    def _verify_direct(self, before: dict[str, Any] | None, new_lock: dict[str, Any]) -> None:
        from codeartifact_pipenv.proxy_index.model import combined_sources_of
        from codeartifact_pipenv.wrapper.plan import make_index

        patterns = self._plan.context.settings.words("private-packages")
        sources = combined_sources_of(self._plan.project, patterns)
        # A token that is part of a URL is unknown here.
        if not all(e.domain in self._plan.tokens.by_domain for e in sources.endpoints):
            return

        def is_checked(name: str, entry: Mapping[str, Any]) -> bool:
            return index.sources.is_private(name) or sources.names_repository(entry)

        with contextlib.closing(make_index(self._plan, sources, None)) as index:
            verify_resolved_hashes(before, new_lock, index, everything=False, is_checked=is_checked)

    def _pipfile_changes(self) -> list[edit.Change]:
        """Return the changes that the command made to the Pipfile."""
        line = self._plan.context.line
        is_new = self._plan.project.new_text is not None
        if not is_new and not pipenv_cli.changes_pipfile(line.command, line.arguments):
            return []
        names = pipenv_cli.named_packages(line.command, line.arguments)
        return edit.changes(
            self._copies.given,
            self._copies.text_after(),
            named={normalise(name) for name in names},
            index_of=self._index_in_pipfile(),
        )

    def _pipfile_replacements(self, new_text: str, warnings: list[str]) -> list[Replacement]:
        """Return the replacement of the Pipfile, if any; the user's edits stay."""
        now = read_user_file(self._home)
        text = new_text
        refused: list[edit.Change] = []
        if now != self._copies.originals[self._home]:
            text, refused = "", list(self._changes)
            with contextlib.suppress(ValueError):  # the file is partly written
                if now is not None:
                    text, refused = edit.with_changes(now.decode(), self._changes)
            warnings += self._warnings_of_edit(text, new_text, refused)
        data = text.encode()
        is_new = now is None and self._plan.project.new_text is not None
        is_left = len(refused) == len(self._changes) or data == now
        return [] if is_left and not is_new else [Replacement(self._home, now, data, None)]

    def _warnings_of_edit(
        self, text: str, new_text: str, refused: Sequence[edit.Change]
    ) -> list[str]:
        name = os.path.basename(self._home)
        warnings = [
            f"{name} was edited while this ran and is unchanged; the command would have written: "
            f"{change}."
            for change in refused
        ]
        try:
            is_current = _hashes_of(text) == _hashes_of(new_text)
        except (ConfigurationError, ValueError):
            is_current = False
        if not is_current and self._copies.wrote_lock():
            warnings.append(
                f"{name} has changed while this ran, and the lock matches the version before. "
                "Run `pipenv-ca lock` to update it."
            )
        return warnings

    def _lock_replacements(
        self, new_lock: dict[str, Any] | None, warnings: list[str]
    ) -> list[Replacement]:
        """Return the replacement of the lock, if any; changes by other programs stay."""
        if new_lock is None or self._copies.is_lock_only:
            return []
        path = f"{self._home}.lock"
        original, now = self._copies.originals[path], read_user_file(path)
        if now not in (None, original):
            there = parse_lock(now or b"")
            if there is None:
                warnings.append(
                    f"{path} has changed while this ran and is not valid, so it was not updated."
                )
                return []
            new_lock, refused = lock.merged_lock(parse_lock(original or b""), new_lock, there)
            kept = f"; its entries for {', '.join(refused)} are kept" if refused else ""
            warnings.append(
                f"{os.path.basename(path)} has changed while this ran{kept}. "
                "Run `pipenv-ca lock` to make it consistent."
            )
        data = lock.format_lock(new_lock)
        if b"\r\n" in (original or read_user_file(self._copies.lock) or b""):
            data = data.replace(b"\n", b"\r\n")
        # Like pipenv: a new file with the mode that pipenv chose, which also replaces a link.
        mode = stat.S_IMODE(os.stat(self._copies.lock).st_mode)
        return [Replacement(path, now, data, mode)]

    def _finished_lock(self, new_text: str) -> dict[str, Any] | None:
        """Return the lock for the user, or None if pipenv has not written it."""
        document = self._written_lock()
        if document is None:
            return None
        # pipenv's version decides which of a Pipfile's hashes it writes.
        kind = lock.hash_kind(document, load_toml_bytes(self._copies.text_after().encode()))
        new = load_toml_bytes(new_text.encode())
        digest = lock.pipfile_hashes(new)[kind or 0]
        if self._plan.project.new_text is not None:
            document["_meta"]["requires"] = new.get("requires", {})
        return lock.final_lock(document, sources_of(new_text), digest, self._index_in_lock())

    def _written_lock(self) -> dict[str, Any] | None:
        return read_lock(self._copies.lock) if self._copies.wrote_lock() else None

    def _finished_pylock(self, text: str) -> str:
        index, sources = self._index, self._plan.sources
        if index is None or sources is None:
            return text
        new_lock = read_lock(self._copies.lock)
        urls = {source.name: source.url for source in sources.sources}
        index_in_lock = self._index_in_lock()

        def url_of(name: str) -> str | None:
            entry = _lock_entry(new_lock, normalise(name)) or {}
            found = index_in_lock(name, entry) or entry.get("index") or sources.sources[0].name
            return urls.get(found)

        return edit.final_pylock(text, index.url, index.real_url, url_of)

    @property
    def _merged_sources(self) -> CombinedSources | None:
        """The sources, if the proxy index replaced several, so pipenv wrote one name for all."""
        sources = self._plan.sources
        return sources if sources is not None and len(sources.sources) > 1 else None

    def _index_in_lock(self) -> Callable[[str, Mapping[str, Any]], str | None]:
        sources, index = self._merged_sources, self._index
        if sources is None or index is None:
            return lambda _name, _entry: None
        return sources.index_for_lock(index.observed.found, index.pages.is_public)

    def _index_in_pipfile(self) -> Callable[[str, Any], str | None]:
        sources = self._merged_sources
        if sources is None:
            return lambda _name, value: value.get("index") if isinstance(value, dict) else None
        document = self._written_lock()
        first, index_in_lock = sources.sources[0].name, self._index_in_lock()

        def index_of(name: str, _value: Any) -> str | None:
            if normalise(name) in sources.explicit:
                return sources.explicit[normalise(name)].name
            found = index_in_lock(name, _lock_entry(document, normalise(name)) or {})
            return None if found == first else found

        return index_of


def _lock_entry(document: dict[str, Any] | None, name: str) -> dict[str, Any] | None:
    found = (entry for known, entry in entries_of_lock(document) if normalise(known) == name)
    return next(found, None)


def verify_resolved_hashes(
    before: Mapping[str, Any] | None,
    new_lock: Mapping[str, Any],
    index: ProxyIndex,
    *,
    everything: bool,
    is_checked: Callable[[str, Mapping[str, Any]], bool] = lambda _name, _entry: True,
) -> None:
    """Compare the hashes that a command has locked with the pages that its sources served.

    This proves that packages came from the project's sources, whatever pip's settings: these pages
    do not list the hash of a file from another place. Entries that the command did not resolve are
    not checked.

    Args:
        before: the lock before the command, if any.
        new_lock: the lock that the command wrote.
        index: the proxy index, which fetched the pages or fetches them now.
        everything: True if every package whose page was requested was resolved.
        is_checked: takes a normalised name and its entry; returns False to skip the entry.

    Raises:
        CodeArtifactPipenvError: an entry has a hash that its source does not list.
    """
    known: dict[tuple[str, str], set[str]] = {}
    for name, entry in entries_of_lock(before):
        version = str(entry.get("version") or "")
        known.setdefault((normalise(name), version), set()).update(_hashes(entry))
    resolved: list[tuple[str, str, set[str]]] = []
    for name, entry in ((normalise(name), entry) for name, entry in entries_of_lock(new_lock)):
        version = str(entry.get("version") or "")
        wanted = _hashes(entry)
        if not (everything and name in index.observed.found):
            wanted -= known.get((name, version), set())
        if wanted and version and is_checked(name, entry):
            resolved.append((name, version, wanted))

    def served_hashes(name: str) -> set[str] | None:
        return index.pages.hashes(name)

    asked = {name: functools.partial(served_hashes, name) for name, _, _ in resolved}
    answers = ask_all(asked, _VERIFY_SECONDS)
    for name, version, wanted in resolved:
        served = answers.get(name)
        if served is None or wanted <= served:
            continue
        unlisted = min(wanted - served)
        raise CodeArtifactPipenvError(
            f"{name} {version.lstrip('=')} did not come from {index.pages.place_of(name)}, which does "
            f"not list that file ({unlisted}).",
            "Nothing was locked. pip found the file in another place: check `pip config list`, the "
            "variables that begin with PIP_, and the Pipfile; then run the command again.",
            "not-served",
        )


def _hashes(entry: Mapping[str, Any]) -> set[str]:
    found = entry.get("hashes")
    return {each for each in found if isinstance(each, str)} if isinstance(found, list) else set()


def _hashes_of(pipfile: str) -> tuple[str, str]:
    return lock.pipfile_hashes(load_toml_bytes(pipfile.encode()))
