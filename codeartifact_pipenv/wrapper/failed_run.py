"""A failed pipenv command, as the explanation of the failure needs it."""

from __future__ import annotations

from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from codeartifact_pipenv.auth.authorization_token import AuthorizationToken
    from codeartifact_pipenv.endpoint import Domain
    from codeartifact_pipenv.project.pipfile import Project
    from codeartifact_pipenv.proxy_index.index import ProxyIndex
    from codeartifact_pipenv.proxy_index.model import CombinedSources
    from codeartifact_pipenv.settings import CommandLine
    from codeartifact_pipenv.wrapper.absent_files import AbsentFile


class FailedRun(NamedTuple):
    """A command that failed.

    Attributes:
        line: the command line.
        program: the words that start pipenv.
        project: the project.
        tokens: by domain, its token, or None if the tokens are unknown.
        combined_sources: the sources that the proxy index served, or None on the direct route.
        proxy: the proxy index, or None on the direct route.
        absent: the file for which pip got 404 although the repository lists it, if any.
    """

    line: CommandLine
    program: Sequence[str]
    project: Project
    tokens: Mapping[Domain, AuthorizationToken] | None
    combined_sources: CombinedSources | None
    proxy: ProxyIndex | None
    absent: AbsentFile | None = None
