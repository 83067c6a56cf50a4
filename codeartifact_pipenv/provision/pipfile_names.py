"""Which packages of a project are private, as its Pipfile and lock say."""

from __future__ import annotations

import os

from codeartifact_pipenv.errors import ConfigurationError, UsageError
from codeartifact_pipenv.project.entries import entries_of
from codeartifact_pipenv.project.lock import read_lock
from codeartifact_pipenv.project.names import normalise
from codeartifact_pipenv.project.pipfile import load_project, working_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from codeartifact_pipenv.clients.targets import Chosen
    from codeartifact_pipenv.endpoint import RepositoryEndpoint
    from codeartifact_pipenv.project.pipfile import Project
    from codeartifact_pipenv.project.sources import Source


def private_names(
    path: str, chosen: Chosen, environ: Mapping[str, str]
) -> tuple[RepositoryEndpoint, dict[str, bool]]:
    """Return a project's CodeArtifact repository, and the names that have it as their index.

    Args:
        path: the Pipfile, or its folder; '' for the project here.
        chosen: which repository, where the project has several.
        environ: the environment.

    Returns:
        The repository; and by normalised name whether it is private for certain: the Pipfile
        says so itself. (A lock names the index of public packages, too, that came through the
        repository.)

    Raises:
        UsageError: the project has no CodeArtifact source, or several.
        ConfigurationError: there is no Pipfile, or it cannot be read.
    """
    project = _load(path, environ)
    sources = project.sources()
    endpoint = _endpoint(sources, chosen)
    indexes = {source.name for source in sources if source.endpoint == endpoint}
    locked = read_lock(project.lock or "") or {}
    names = {normalise(name): False for name in _named(_locked(locked), indexes)}
    listed = ((name, value) for _, name, value in entries_of(project.document))
    names |= {normalise(name): True for name in _named(listed, indexes)}
    return endpoint, names


def _load(path: str, environ: Mapping[str, str]) -> Project:
    if path:
        given = os.path.abspath(path)
        pipfile = os.path.join(given, "Pipfile") if os.path.isdir(given) else given
        environ = {**environ, "PIPENV_PIPFILE": pipfile}
    project = load_project(environ, working_directory(), lambda: None)
    if project.pipfile is None:
        raise ConfigurationError(
            "There is no Pipfile here or above.", "Name it: --from-pipfile PATH."
        )
    return project


def _endpoint(sources: Sequence[Source], chosen: Chosen) -> RepositoryEndpoint:
    found = {
        source.endpoint
        for source in sources
        if source.endpoint is not None
        and chosen.repository in {None, source.endpoint.repository}
        and chosen.domain in {None, source.endpoint.domain.name}
        and chosen.domain_owner in {None, source.endpoint.domain.owner}
        and chosen.region in {None, source.endpoint.domain.region}
    }
    if len(found) == 1:
        return found.pop()
    raise UsageError(
        f"The Pipfile has {'several' if found else 'no such'} CodeArtifact sources.",
        "Say which one is meant by --domain and --repository, or name packages.",
    )


def _locked(lock: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    for category, entries in lock.items():
        if category != "_meta" and isinstance(entries, dict):
            yield from entries.items()


def _named(entries: Iterator[tuple[str, object]], indexes: set[str]) -> Iterator[str]:
    for name, value in entries:
        index = value.get("index") if isinstance(value, dict) else None
        if isinstance(index, str) and index in indexes:
            yield name
