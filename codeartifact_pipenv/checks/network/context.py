"""What all checks of the doctor start from, worked out once."""

from __future__ import annotations

import os
from typing import NamedTuple

from codeartifact_pipenv.auth.terms import Terms, terms_of_first
from codeartifact_pipenv.errors import CodeArtifactPipenvError
from codeartifact_pipenv.findings import Finding, failure
from codeartifact_pipenv.project.lock import read_lock
from codeartifact_pipenv.project.pipfile import load_project, working_directory
from codeartifact_pipenv.wrapper.executable import find_pipenv

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from codeartifact_pipenv.project.pipfile import Project
    from codeartifact_pipenv.project.sources import Source
    from codeartifact_pipenv.report import Report
    from codeartifact_pipenv.settings import Settings
    from codeartifact_pipenv.wrapper.executable import Pipenv


class Section(NamedTuple):
    """One part of what the doctor says.

    Attributes:
        title: its heading.
        findings: what was found, in order.
    """

    title: str
    findings: list[Finding]


class Context:
    """One visit.

    Attributes:
        settings: the settings in force.
        report: where notes go.
        names: the packages that were asked about; empty for all of the project's.
        offline: whether the network is left alone.
        pipenv: the pipenv that would run; None where there is none.
        project: the project; None where its files cannot be read.
        sources: its sources; empty where they cannot be read.
        lock: its lock; None where there is none.
        troubles: what went wrong in finding out all that.
    """

    def __init__(
        self, settings: Settings, report: Report, names: Sequence[str], *, offline: bool
    ) -> None:
        self.settings = settings
        self.report = report
        self.names = list(names)
        self.offline = offline
        self.troubles: list[Finding] = []
        self.pipenv = self._find_pipenv()
        self.project = self._load_project()
        self.sources = self._read_sources()
        self.lock: dict[str, Any] | None = (
            read_lock(self.project.lock or "") if self.project else None
        )

    def terms(self) -> Terms:
        """Return how AWS is asked for the first source."""
        endpoints = (source.endpoint for source in self.sources)
        return terms_of_first(self.settings, os.environ, endpoints)

    def _find_pipenv(self) -> Pipenv | None:
        try:
            return find_pipenv(self.settings)
        except CodeArtifactPipenvError as error:
            self.troubles.append(of_error(error, "pipenv"))
        return None

    def _load_project(self) -> Project | None:
        version = self.pipenv.version if self.pipenv else lambda: None
        try:
            project = load_project(os.environ, working_directory(), version)
            self.settings.read_project(project.directory)
        except CodeArtifactPipenvError as error:
            self.troubles.append(of_error(error, "project"))
            return None
        return project

    def _read_sources(self) -> list[Source]:
        if self.project is None:
            return []
        try:
            return self.project.sources()
        except CodeArtifactPipenvError as error:
            self.troubles.append(of_error(error, "sources"))
        return []


def of_error(error: CodeArtifactPipenvError, subject: str) -> Finding:
    """Return an error of ours as a failed finding."""
    return failure(error.code, subject, error.sentence, error.hint)
