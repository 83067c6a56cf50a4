"""One project, reviewed: its files read once, every check run over them."""

from __future__ import annotations

import os
from typing import NamedTuple

from codeartifact_pipenv.checks.files.dotenv import read_dotenv, review_dotenv
from codeartifact_pipenv.checks.files.ignores import check_codes, without_ignored
from codeartifact_pipenv.checks.files.locks import (
    review_lock,
    review_namesakes,
    review_pylock,
    review_unlisted,
)
from codeartifact_pipenv.checks.files.login_scripts import read_scripts, review_scripts
from codeartifact_pipenv.checks.files.package_entries import review_packages
from codeartifact_pipenv.checks.files.pipfile_shape import review_shape
from codeartifact_pipenv.checks.files.private import Holdings, Private
from codeartifact_pipenv.checks.files.project_file import (
    File,
    is_pylock,
    read_file,
    tokens_elsewhere,
)
from codeartifact_pipenv.checks.files.requirements import Requirements
from codeartifact_pipenv.checks.files.source_tables import Sources
from codeartifact_pipenv.errors import ConfigurationError
from codeartifact_pipenv.project.entries import entries_of, locked_entries
from codeartifact_pipenv.project.pipfile import find_pipfile, working_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from codeartifact_pipenv.findings import Finding
    from codeartifact_pipenv.settings import Settings

    # What asks the repositories themselves.
    Online = Callable[["Reviewed"], Holdings]


class Paths(NamedTuple):
    """The files of one project.

    Attributes:
        pipfile: its Pipfile, which may be missing where a lock stands alone.
        lock: its Pipfile.lock, which may be missing.
        pylocks: its locks of PEP 751.
    """

    pipfile: str
    lock: str
    pylocks: tuple[str, ...]


def projects_at(paths: Sequence[str], environ: Mapping[str, str]) -> list[Paths]:
    """Return the projects that some words of a command line mean, each once.

    Raises:
        ConfigurationError: there is no project at one of them.
    """
    if not paths:
        found = find_pipfile(environ, working_directory(), lambda: None)
        if found is None:
            raise ConfigurationError(
                "There is no Pipfile here or above.",
                "Name a Pipfile, a lock or a folder that has one.",
                "pipfile-missing",
            )
        return [project_paths(found)]
    projects: dict[str, Paths] = {}
    for path in paths:
        pipfile = _pipfile_of(path)
        projects.setdefault(os.path.realpath(pipfile), project_paths(pipfile))
    return list(projects.values())


def _pipfile_of(path: str) -> str:
    if os.path.isdir(path):
        found = os.path.join(path, "Pipfile")
        if not any(map(os.path.exists, (found, f"{found}.lock"))):
            raise ConfigurationError(
                f"There is no Pipfile in {path}.",
                "Name a Pipfile, a lock or a folder that has one.",
            )
        return found
    if not os.path.exists(path):
        raise ConfigurationError(f"There is no {path}.", "Name a Pipfile, a lock or a folder.")
    if is_pylock(path):
        return os.path.join(os.path.dirname(path), "Pipfile")
    return path.removesuffix(".lock")


def project_paths(pipfile: str) -> Paths:
    """Return the files of a project whose Pipfile is, or would be, at a path."""
    folder = os.path.dirname(pipfile)
    try:
        pylocks = sorted(name for name in os.listdir(folder or ".") if is_pylock(name))
    except OSError:
        pylocks = []
    return Paths(pipfile, f"{pipfile}.lock", tuple(os.path.join(folder, name) for name in pylocks))


class Reviewed:
    """What was read of one project, and what is said of it.

    Args:
        paths: its files.
        settings: the settings; the project's own are read here.
        environ: the environment, for variables in the hosts and paths of URLs.
        online: asks the repositories; None to leave the network alone.
        pipfile: the Pipfile, where it is to be another than the one that is there.

    Raises:
        ConfigurationError: a file or a setting cannot be read.

    Attributes:
        pipfile: the Pipfile; None where there is none.
        lock: the lock; None likewise.
        files: all that was read, by its path as findings have it.
        sources: the Pipfile's sources; the lock's where there is no Pipfile.
        locked: the lock's packages.
        holdings: what the repositories said; empty where they were not asked.
        private: what is known of private packages.
        findings: everything that is wrong, in order, what is ignored left out.
    """

    def __init__(
        self,
        paths: Paths,
        settings: Settings,
        environ: Mapping[str, str],
        online: Online | None = None,
        pipfile: File | None = None,
    ) -> None:
        settings.read_project(os.path.dirname(paths.pipfile) or os.curdir)
        self.pipfile = pipfile or read_file(paths.pipfile)
        self.lock = read_file(paths.lock)
        pylocks = [file for path in paths.pylocks if (file := read_file(path))]
        read = (self.pipfile, self.lock, *pylocks)
        self.files = {file.shown: file for file in read if file is not None}
        nothing = File("Pipfile", b"")
        self._its_sources = Sources(self.lock or nothing, ("_meta", "sources"), environ)
        is_read = self.pipfile is not None and self.pipfile.document is not None
        self.sources = (
            Sources(self.pipfile, ("source",), environ)
            if is_read and self.pipfile
            else self._its_sources
        )
        self.locked = list(locked_entries(self.lock.document if self.lock else None))
        placed = self._placed()
        self.holdings = Holdings({}) if online is None else online(self)
        for source, names in self.holdings.private.items():
            placed.setdefault(source, set()).update(names)
        patterns = settings.words("private-packages")
        self.private = Private(patterns, placed, self.sources.repositories)
        codes = settings.words("lint-ignore")
        check_codes(codes)
        folder = os.path.dirname(paths.pipfile)
        requirements = Requirements(folder, self.sources, self.private, environ)
        dotenv = read_dotenv(environ, folder)
        findings = list(self._review(pylocks))
        findings += requirements.review()
        self.files |= {file.shown: file for file in requirements.files}
        variables = [s.variable for s in self.sources.read.values() if s.variable]
        scripts = read_scripts(folder)
        self.files |= {file.shown: file for file in scripts}
        findings += review_scripts(self.pipfile if is_read else None, scripts, variables)
        if dotenv is not None:
            self.files[dotenv.shown] = dotenv.without_values()
            is_ours = bool(self.sources.repositories) or self.sources.may_be_ours
            findings += review_dotenv(dotenv, variables, is_ours=is_ours)
        if self.pipfile is not None:
            findings += tokens_elsewhere(self.pipfile, findings)
        with_comments = [self.pipfile if is_read else None, *requirements.files, *scripts, dotenv]
        kept = without_ignored(findings, filter(None, with_comments), codes)
        self.findings = sorted(kept, key=lambda finding: (finding.path, finding.line))

    def _placed(self) -> dict[str, set[str]]:
        """Return by source at CodeArtifact the names that lock and Pipfile have from it."""
        found: dict[str, set[str]] = {name: set() for name in self.sources.repositories}
        own = {endpoint: name for name, endpoint in self.sources.repositories.items()}
        theirs = self._its_sources.repositories
        for entry in self.locked:
            # A source may have another name in the lock.
            endpoint = theirs.get(entry.source or "")
            if endpoint in own:
                found[own[endpoint]].add(entry.name)
        for entry in entries_of(self.pipfile.document if self.pipfile else None):
            if entry.source in found and entry.is_indexed:
                found[entry.source].add(entry.name)
        return found

    def _review(self, pylocks: Sequence[File]) -> Iterator[Finding]:
        for file in (self.pipfile, self.lock, *pylocks):
            if file is not None:
                yield from file.faults
        pipfile = self.pipfile if self.pipfile and self.pipfile.document is not None else None
        if pipfile is not None:
            yield from review_shape(pipfile)
            yield from self.sources.review()
            yield from review_packages(pipfile, self.sources, self.private)
            yield from review_namesakes(
                set(self.holdings.namesakes), pipfile, self.lock, self.locked
            )
        if self.lock is not None:
            yield from review_lock(self.lock, self.locked, self._its_sources, pipfile, self.sources)
            if pipfile is not None:
                yield from review_unlisted(
                    self.lock, self.locked, pipfile, self.sources, self.private
                )
        for pylock in pylocks:
            yield from review_pylock(pylock)
