"""Which packages of a project are private, as its Pipfile and lock say."""

from __future__ import annotations

import os

from codeartifact_pipenv.errors import ConfigurationError, UsageError
from codeartifact_pipenv.project.entries import entries_of
from codeartifact_pipenv.project.lock import read_lock
from codeartifact_pipenv.project.pipfile import load_project, working_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from codeartifact_pipenv.endpoint import RepositoryEndpoint
    from codeartifact_pipenv.project.pipfile import Project
    from codeartifact_pipenv.project.sources import Source


def private_names(
    path: str, options: argparse.Namespace, environ: Mapping[str, str]
) -> tuple[RepositoryEndpoint, dict[str, bool]]:
    """Return a project's CodeArtifact repository, and the names that have it as their index.

    Args:
        path: the Pipfile, or its folder; '' for the project here.
        options: which repository, if the project has several.
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
    endpoint = _endpoint(sources, options)
    indexes = {source.name for source in sources if source.endpoint == endpoint}
    locked = read_lock(project.lock or "")
    return endpoint, {
        entry.name: is_listed
        for document, is_listed in ((locked, False), (project.document, True))
        for entry in entries_of(document)
        if entry.source in indexes
    }


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


def _endpoint(sources: Sequence[Source], options: argparse.Namespace) -> RepositoryEndpoint:
    wanted = (options.domain, options.domain_owner, options.region, options.repository)
    found = {
        each.endpoint
        for each in sources
        if each.endpoint is not None
        and all(
            word in {None, part}
            for word, part in zip(
                wanted, (*each.endpoint.domain, each.endpoint.repository), strict=True
            )
        )
    }
    if len(found) == 1:
        return found.pop()
    raise UsageError(
        f"The Pipfile has {'several' if found else 'no such'} CodeArtifact sources.",
        "Say which one is meant by --domain and --repository, or name packages.",
    )
