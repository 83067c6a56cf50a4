"""The files of one project, each read once, and which of its packages are private."""

from __future__ import annotations

import os
from typing import NamedTuple

from codeartifact_pipenv.checks.files.project_file import ProjectFile, read_file
from codeartifact_pipenv.checks.files.source_tables import Sources
from codeartifact_pipenv.errors import ConfigurationError
from codeartifact_pipenv.project.pipfile import (
    entries_of,
    find_pipfile,
    is_pylock,
    locked_entries,
    matches,
    pylocks_in,
    working_directory,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from codeartifact_pipenv.project.pipfile import Entry


_HINT = "Name a Pipfile, a lock or a folder that contains one."


class ProjectPaths(NamedTuple):
    """The paths of one project's files.

    Attributes:
        pipfile: the Pipfile, which may not exist if a lock does.
        lock: the Pipfile.lock, which may not exist.
        pylocks: the lock files of PEP 751.
    """

    pipfile: str
    lock: str
    pylocks: tuple[str, ...]


def projects_at(paths: Sequence[str], environ: Mapping[str, str]) -> list[ProjectPaths]:
    """Return the projects at some paths, each once; without paths, the current project.

    Raises:
        ConfigurationError: a path does not lead to a project.
    """
    if not paths:
        found = find_pipfile(environ, working_directory(), lambda: None)
        if found is None:
            sentence = "No Pipfile was found here or above."
            raise ConfigurationError(sentence, _HINT, "pipfile-missing")
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
            raise ConfigurationError(f"No Pipfile was found in {path}.", _HINT)
        return found
    if not os.path.exists(path):
        raise ConfigurationError(f"{path} does not exist.", "Name a Pipfile, a lock or a folder.")
    if is_pylock(path):
        return os.path.join(os.path.dirname(path), "Pipfile")
    return path.removesuffix(".lock")


def project_paths(pipfile: str) -> ProjectPaths:
    """Return the paths of a project's files, given that of its Pipfile."""
    pylocks = tuple(pylocks_in(os.path.dirname(pipfile)))
    return ProjectPaths(pipfile, f"{pipfile}.lock", pylocks)


class PrivateNames(NamedTuple):
    """The private names of a project, as its repositories report them.

    Attributes:
        by_source: the normalised private names, by source.
        also_public: those names that the public index has, too.
    """

    by_source: Mapping[str, Collection[str]]
    also_public: Collection[str] = ()


class PrivatePackages(NamedTuple):
    """The private packages of one project.

    Attributes:
        patterns: private names, or prefixes that end in ``*``, from the settings.
        by_source: the private names in each source, from ``index`` in the lock and the Pipfile
            and from the repositories.
        repositories: the names of all CodeArtifact sources, in order.
    """

    patterns: Collection[str]
    by_source: Mapping[str, Collection[str]]
    repositories: tuple[str, ...]

    def is_private(self, name: str) -> bool:
        """Whether a package is known to be private."""
        return self.is_configured(name) or any(name in names for names in self.by_source.values())

    def sources(self, name: str) -> tuple[str, ...]:
        """Return the sources that may have a private package, given its normalised name."""
        found = tuple(source for source, names in self.by_source.items() if name in names)
        return found or (self.repositories if self.is_configured(name) else ())

    def is_configured(self, name: str) -> bool:
        """Whether the settings say that a package is private."""
        return matches(name, self.patterns)


class ProjectContents:
    """The parsed files of one project.

    Args:
        paths: the paths of its files.
        environ: the environment, for variables in the hosts and paths of URLs.
        pipfile: replaces the Pipfile at its path.

    Raises:
        ConfigurationError: a file cannot be read.

    Attributes:
        pipfile: the Pipfile, or None if it does not exist.
        lock: the Pipfile.lock, or None if it does not exist.
        pylocks: the lock files of PEP 751.
        lock_sources: the lock's sources.
        sources: the Pipfile's sources, or the lock's without a Pipfile.
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
        """Return the names that lock and Pipfile take from each CodeArtifact source."""
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
