"""The facts of a project that need no network, and observations of a failed command."""

from __future__ import annotations

import os
from functools import cached_property
from http import HTTPStatus
from typing import Any, NamedTuple

from codeartifact_pipenv.auth.resolver import first_token_request
from codeartifact_pipenv.checks.files.contents import project_paths
from codeartifact_pipenv.checks.files.review import ProjectReview
from codeartifact_pipenv.checks.machine.interpreter import interpreter_of
from codeartifact_pipenv.checks.network.wanted import packages_in_lock, packages_in_pipfile
from codeartifact_pipenv.errors import CodeArtifactPipenvError
from codeartifact_pipenv.lookups.index_client import Answer
from codeartifact_pipenv.project import findings
from codeartifact_pipenv.project.pipfile import (
    entries_of_lock,
    find_pipfile,
    load_project,
    matches,
    normalise,
    read_lock,
    working_directory,
)
from codeartifact_pipenv.project.sources import cool_down_cutoff
from codeartifact_pipenv.wrapper.absent_files import AbsentFile
from codeartifact_pipenv.wrapper.pipenv_cli import find_pipenv
from codeartifact_pipenv.wrapper.plan import DIRECT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from datetime import datetime

    from codeartifact_pipenv.aws.caller import Caller, TokenRequest
    from codeartifact_pipenv.checks.network.repository import Login
    from codeartifact_pipenv.checks.network.wanted import WantedPackage
    from codeartifact_pipenv.endpoint import RepositoryEndpoint
    from codeartifact_pipenv.findings import Finding
    from codeartifact_pipenv.project.pipfile import Project
    from codeartifact_pipenv.project.sources import Source
    from codeartifact_pipenv.proxy_index.index import ProxyIndex
    from codeartifact_pipenv.proxy_index.model import CombinedSources
    from codeartifact_pipenv.settings import Settings
    from codeartifact_pipenv.wrapper.failed_run import FailedRun


class RunFacts(NamedTuple):
    """Observations of a failed command.

    Attributes:
        failed: the command, or None to check the project without one.
    """

    failed: FailedRun | None

    @property
    def proxy(self) -> ProxyIndex | None:
        """The proxy index that the command used, if any."""
        return self.failed.proxy if self.failed else None

    @property
    def combined_sources(self) -> CombinedSources | None:
        """The project's sources as the command combined them into one index, if it did."""
        return self.failed.combined_sources if self.failed else None

    def source_of(self, name: str) -> str | None:
        """Return the source that the Pipfile or ``--index`` named for a package, if any."""
        explicit = self.combined_sources.explicit if self.combined_sources else {}
        return explicit[name].name if name in explicit else None

    @property
    def places(self) -> dict[str, int]:
        """The number of the repository that served each package; negative if none has it."""
        return dict(self.proxy.observed.found) if self.proxy else {}

    def _number(self, login: Login) -> int | None:
        """Return the number of a repository in the command's proxy index, if any."""
        endpoints = self.combined_sources.endpoints if self.combined_sources and self.proxy else ()
        return endpoints.index(login.endpoint) if login.endpoint in endpoints else None

    def says_missing(self, login: Login) -> bool:
        """Whether the command saw that a repository does not exist."""
        return self.proxy is not None and self._number(login) in self.proxy.observed.missing

    def refusals_of(self, login: Login) -> list[int | None]:
        """Return the HTTP statuses with which a repository refused the command."""
        number = self._number(login)
        refused = self.proxy.observed.refused.values() if self.proxy and number is not None else ()
        return [each.status for each in refused if each.number == number and not each.filename]

    def absent_files(self) -> Iterator[AbsentFile]:
        """Yield the files that repositories list but did not serve."""
        if self.failed is not None and self.failed.absent is not None:
            yield self.failed.absent
        index = self.proxy
        for project, refused in (index.observed.refused if index else {}).items():
            if index is not None and refused.filename:
                endpoint = index.sources.upstreams[refused.number].endpoint
                yield AbsentFile(endpoint, project, refused.filename)

    def pages(self, logins: Iterable[Login]) -> dict[tuple[str, str], Answer]:
        """Return the repositories' answers to the proxy index while the command ran."""
        proxy = self.proxy if self.combined_sources else None
        if proxy is None:
            return {}
        numbers = {login.source: self._number(login) for login in logins}
        found: dict[tuple[str, str], Answer] = {}
        for name, number in proxy.observed.found.items():
            listing = proxy.known_listing(name)
            for source, own in numbers.items():
                if own is None:
                    continue
                if own == number and listing is not None and listing.files is not None:
                    found[source, name] = Answer(HTTPStatus.OK, None, listing.files)
                elif own in proxy.sources.candidates(name) and (number < 0 or own < number):
                    found[source, name] = Answer(HTTPStatus.NOT_FOUND)
        return found


class LocalFacts:
    """The facts of a project that need no network.

    Args:
        settings: the settings in force.
        failed: a failed command, or None to check the project without one.
        pipfile: the path of the Pipfile, or None to find it as pipenv does.

    Attributes:
        run: observations of the failed command.
        errors: errors from reading the project and finding its programs.
        pipenv: the pipenv that would run, or None if not found.
        project: the project, or None if its files cannot be read.
        sources: its sources; empty if they cannot be read.
        lock: its parsed lock, if it can be read.
    """

    def __init__(
        self, settings: Settings, failed: FailedRun | None = None, pipfile: str | None = None
    ) -> None:
        self.settings = settings
        self.run = RunFacts(failed)
        self._named = {} if pipfile is None else {"PIPENV_PIPFILE": os.path.abspath(pipfile)}
        self.errors: list[Finding] = []
        self.pipenv = self._attempt("pipenv", lambda: find_pipenv(settings))
        project = failed.project if failed else self._attempt("project", self._load)
        self.project: Project | None = project
        self.sources: list[Source] = []
        if project is not None:
            self.sources = self._attempt("sources", project.sources) or []
        self.lock = read_lock(project.lock or "") if project else None

    def _attempt(self, subject: str, read: Callable[[], Any]) -> Any:
        try:
            return read()
        except CodeArtifactPipenvError as error:
            self.errors.append(error.finding(subject))
        return None

    def _load(self) -> Project:
        version = self.pipenv.version if self.pipenv else lambda: None
        project = load_project({**os.environ, **self._named}, working_directory(), version)
        self.settings.read_project(project.directory)
        return project

    @property
    def environ(self) -> Mapping[str, str]:
        """The environment as pipenv will see it."""
        return self.project.environ if self.project else os.environ

    @cached_property
    def review(self) -> ProjectReview | None:
        """The project's files and the findings on them, or None without files."""
        path = self._attempt("Pipfile", self._pipfile)
        if path is None:
            return None
        paths = project_paths(path)
        found: ProjectReview | None = self._attempt(
            "Pipfile", lambda: ProjectReview(paths, self.settings, self.environ)
        )
        return found

    def _pipfile(self) -> str | None:
        if self.project is None:
            return find_pipfile({**os.environ, **self._named}, working_directory(), lambda: None)
        return self.project.pipfile or (self.project.home if self.project.lock else None)

    @property
    def file_findings(self) -> list[Finding]:
        """The findings on the project's files."""
        return self.review.findings if self.review else []

    @property
    def token_request(self) -> TokenRequest:
        """The AWS settings for the first source."""
        endpoints = (source.endpoint for source in self.sources)
        return first_token_request(self.settings, os.environ, endpoints)

    def caller_of(self, endpoint: RepositoryEndpoint | None) -> Caller:
        """Return the AWS caller for a repository, or for the first source if None."""
        if endpoint is None:
            return self.token_request.caller
        return first_token_request(self.settings, os.environ, [endpoint]).caller

    @cached_property
    def unset_variables(self) -> list[Finding]:
        """Findings on variables in sources' URLs that are not set."""
        variables = {source.variable for source in self.sources if source.variable}
        return findings.unset_variables(self.sources, self.environ, variables)

    @cached_property
    def stray_token(self) -> Finding | None:
        """The reason why a token must not be requested: it would go to another host."""
        if self.project is None or self.unset_variables:
            return None
        try:
            self.project.assign_variables(self.sources)
        except CodeArtifactPipenvError as error:
            return error.finding("sources")
        return None

    @property
    def is_readable(self) -> bool:
        """Whether the host of every source is known."""
        is_mismatched = any(
            source.mismatch_reason for source in self.sources if source.endpoint is None
        )
        return not (self.unset_variables or self.stray_token or is_mismatched)

    @cached_property
    def cool_down(self) -> datetime | None:
        """The time before which files must have been uploaded, or None without a limit."""
        if self.run.combined_sources is not None:
            return self.run.combined_sources.cool_down
        return cool_down_cutoff(self.project.document, self.environ) if self.project else None

    @property
    def allows_prereleases(self) -> bool:
        """Whether the project allows pre-releases."""
        table = self.project.document.get("pipenv") if self.project else None
        return isinstance(table, dict) and bool(table.get("allow_prereleases"))

    @property
    def is_direct(self) -> bool:
        """Whether the user's settings turn off the proxy index."""
        return self.settings.text("route") == DIRECT

    def is_private(self, name: str) -> bool:
        """Whether the settings or the lock say that a name is private."""
        combined_sources = self.run.combined_sources
        if combined_sources is None:
            return matches(name, self.settings.words("private-packages"))
        if name in combined_sources.explicit:
            return False
        return name in combined_sources.private() or matches(
            name, combined_sources.private_patterns
        )

    @cached_property
    def listed(self) -> dict[str, WantedPackage]:
        """The packages of the Pipfile."""
        return self._by_name(packages_in_pipfile(self.project.document if self.project else {}))

    @cached_property
    def locked(self) -> dict[str, WantedPackage]:
        """The packages of the lock."""
        return self._by_name(packages_in_lock(self.lock))

    def _by_name(self, wanted: Iterable[WantedPackage]) -> dict[str, WantedPackage]:
        takes = self.allows_prereleases
        return {package.name: package._replace(prereleases=takes) for package in wanted}

    @cached_property
    def locked_hashes(self) -> dict[str, set[str]]:
        """The SHA-256 digests in the lock, by package."""
        return {
            normalise(name): {str(one).removeprefix("sha256:") for one in entry["hashes"]}
            for name, entry in entries_of_lock(self.lock)
            if isinstance(entry.get("hashes"), list)
        }

    def interpreter(self, seconds: float) -> tuple[str | None, str | None]:
        """Return the version of the project's Python, and its path if an environment exists."""
        failed = self.run.failed
        words = failed.program if failed else self.pipenv and self.pipenv.command
        if self.project is None or not words:
            return None, None
        return interpreter_of(self.project, words, seconds)
