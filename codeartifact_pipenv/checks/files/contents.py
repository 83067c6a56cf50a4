"""The files of one project, each read once, and which of its packages are private."""

from __future__ import annotations

import os
from typing import NamedTuple

from codeartifact_pipenv.checks.files.project_file import ProjectFile, is_pylock, read_file
from codeartifact_pipenv.checks.files.source_tables import Sources
from codeartifact_pipenv.errors import ConfigurationError
from codeartifact_pipenv.project.entries import entries_of, locked_entries
from codeartifact_pipenv.project.names import matches
from codeartifact_pipenv.project.pipfile import find_pipfile, working_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from codeartifact_pipenv.project.entries import Entry


_HINT = "Name a Pipfile, a lock or a folder that has one."


class ProjectPaths(NamedTuple):
    """The files of one project.

    Attributes:
        pipfile: its Pipfile, which may be missing where a lock stands alone.
        lock: its Pipfile.lock, which may be missing.
        pylocks: its locks of PEP 751.
    """

    pipfile: str
    lock: str
    pylocks: tuple[str, ...]


def projects_at(paths: Sequence[str], environ: Mapping[str, str]) -> list[ProjectPaths]:
    """Return the projects that some words of a command line mean, each once.

    Raises:
        ConfigurationError: there is no project at one of them.
    """
    if not paths:
        found = find_pipfile(environ, working_directory(), lambda: None)
        if found is None:
            said = "There is no Pipfile here or above."
            raise ConfigurationError(said, _HINT, "pipfile-missing")
        return [project_paths(found)]
    projects: dict[str, ProjectPaths] = {}
    for path in paths:
        pipfile = _pipfile_of(path)
        projects.setdefault(os.path.realpath(pipfile), project_paths(pipfile))
    return list(projects.values())


def _pipfile_of(path: str) -> str:
    if os.path.isdir(path):
        found = os.path.join(path, "Pipfile")
        if not any(map(os.path.exists, (found, f"{found}.lock"))):
            raise ConfigurationError(f"There is no Pipfile in {path}.", _HINT)
        return found
    if not os.path.exists(path):
        raise ConfigurationError(f"There is no {path}.", "Name a Pipfile, a lock or a folder.")
    if is_pylock(path):
        return os.path.join(os.path.dirname(path), "Pipfile")
    return path.removesuffix(".lock")


def project_paths(pipfile: str) -> ProjectPaths:
    """Return the files of a project whose Pipfile is, or would be, at a path."""
    folder = os.path.dirname(pipfile)
    try:
        pylocks = sorted(name for name in os.listdir(folder or ".") if is_pylock(name))
    except OSError:
        pylocks = []
    return ProjectPaths(
        pipfile, f"{pipfile}.lock", tuple(os.path.join(folder, name) for name in pylocks)
    )


class Holdings(NamedTuple):
    """What the repositories themselves say of a project's packages.

    Attributes:
        private: by name of a source, the normalised names that are private in it.
        namesakes: those of them of which the public index has a package, too.
    """

    private: Mapping[str, Collection[str]]
    namesakes: Collection[str] = ()


class PrivatePackages(NamedTuple):
    """What is known of the private packages of one project.

    Attributes:
        patterns: names, or beginnings of names with a ``*`` behind, that are private.
        placed: by source, the names that are known to be in it: from ``index`` of the lock
            and the Pipfile, or from the repositories themselves.
        repositories: the names of all sources that are CodeArtifact's, in order.
    """

    patterns: Collection[str]
    placed: Mapping[str, Collection[str]]
    repositories: tuple[str, ...]

    def is_private(self, name: str) -> bool:
        """Whether a package is private, as far as is known."""
        return self.is_listed(name) or any(name in names for names in self.placed.values())

    def sources(self, name: str) -> tuple[str, ...]:
        """Return the sources that may have a private package, by its normalised name."""
        found = tuple(source for source, names in self.placed.items() if name in names)
        return found or (self.repositories if self.is_listed(name) else ())

    def is_listed(self, name: str) -> bool:
        """Whether somebody has said that a package is private."""
        return matches(name, self.patterns)


class ProjectContents:
    """What was read of one project.

    Args:
        paths: its files.
        environ: the environment, for variables in the hosts and paths of URLs.
        pipfile: the Pipfile, to review another one than the file has.

    Raises:
        ConfigurationError: a file cannot be read.

    Attributes:
        lock: the Pipfile.lock, if there is one.
        pylocks: its locks of PEP 751.
        lock_sources: the lock's own sources.
        sources: the Pipfile's sources; the lock's without a Pipfile.
        listed: the Pipfile's packages.
        locked: the lock's packages.
    """

    def __init__(
        self, paths: ProjectPaths, environ: Mapping[str, str], pipfile: ProjectFile | None = None
    ) -> None:
        self.pipfile = pipfile or read_file(paths.pipfile)
        self.lock = read_file(paths.lock)
        self.pylocks = [file for path in paths.pylocks if (file := read_file(path))]
        lock = self.lock or ProjectFile("Pipfile", b"")
        self.lock_sources = Sources(lock, ("_meta", "sources"), environ)
        parsed = self.parsed_pipfile
        self.sources = Sources(parsed, ("source",), environ) if parsed else self.lock_sources
        self.listed: list[Entry] = list(entries_of(parsed.document if parsed else None))
        self.locked: list[Entry] = list(locked_entries(self.lock.document if self.lock else None))

    @property
    def files(self) -> list[ProjectFile]:
        """All files that were read."""
        return [file for file in (self.pipfile, self.lock, *self.pylocks) if file is not None]

    @property
    def parsed_pipfile(self) -> ProjectFile | None:
        """The Pipfile, if it is valid TOML."""
        is_parsed = self.pipfile is not None and self.pipfile.document is not None
        return self.pipfile if is_parsed else None

    def names_by_source(self) -> dict[str, set[str]]:
        """Return by source at CodeArtifact the names that lock and Pipfile have from it."""
        repositories = self.sources.repositories
        found: dict[str, set[str]] = {name: set() for name in repositories}
        own = {endpoint: name for name, endpoint in repositories.items()}
        for entry in self.locked:
            # A source may have another name in the lock.
            endpoint = self.lock_sources.repositories.get(entry.source or "")
            if endpoint in own:
                found[own[endpoint]].add(entry.name)
        for entry in self.listed:
            if entry.source in found and entry.is_indexed:
                found[entry.source].add(entry.name)
        return found
