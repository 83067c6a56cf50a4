"""A pipenv command that failed, and what was known of it when it ended."""

from __future__ import annotations

from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from codeartifact_pipenv.auth.authorization_token import AuthorizationToken
    from codeartifact_pipenv.cli import CommandLine
    from codeartifact_pipenv.endpoint import Domain
    from codeartifact_pipenv.project.pipfile import Project
    from codeartifact_pipenv.proxy_index.index import ProxyIndex
    from codeartifact_pipenv.wrapper.absent_files import AbsentFile
    from codeartifact_pipenv.wrapper.combined_sources import CombinedSources


class FailedRun(NamedTuple):
    """A command that failed, and what was known of it.

    Attributes:
        line: the command line.
        program: the words that start pipenv.
        project: the project.
        tokens: by domain, its token; None if it is not known any more.
        combined_sources: what the proxy index served; None if pipenv saw them as they are written.
        proxy: the proxy index that it saw then; None for none.
        absent: the file that pip did not get from a repository that lists it; None for none.
    """

    line: CommandLine
    program: Sequence[str]
    project: Project
    tokens: Mapping[Domain, AuthorizationToken] | None
    combined_sources: CombinedSources | None
    proxy: ProxyIndex | None
    absent: AbsentFile | None = None
