"""The review of one project: read its files once and run every check on them."""

from __future__ import annotations

import os

from codeartifact_pipenv.checks.files import locks
from codeartifact_pipenv.checks.files.contents import PrivateNames, PrivatePackages, ProjectContents
from codeartifact_pipenv.checks.files.dotenv import read_dotenv, review_dotenv
from codeartifact_pipenv.checks.files.ignores import check_codes, without_ignored
from codeartifact_pipenv.checks.files.login_scripts import read_scripts, review_scripts
from codeartifact_pipenv.checks.files.package_entries import review_packages
from codeartifact_pipenv.checks.files.pipfile_shape import review_shape
from codeartifact_pipenv.checks.files.project_file import tokens_elsewhere
from codeartifact_pipenv.checks.files.requirements import RequirementsFiles

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from codeartifact_pipenv.checks.files.contents import ProjectPaths
    from codeartifact_pipenv.checks.files.project_file import ProjectFile, TextFile
    from codeartifact_pipenv.findings import Finding
    from codeartifact_pipenv.settings import Settings

    # Asks the repositories which packages are private.
    Online = Callable[[ProjectContents], PrivateNames]


class ProjectReview:
    """The findings on the files of one project.

    Args:
        paths: the paths of its files.
        settings: the settings; the project's settings are added to them.
        environ: the environment, for variables in the hosts and paths of URLs.
        online: asks the repositories, or None to not use the network.
        pipfile: replaces the Pipfile at its path.

    Raises:
        ConfigurationError: a file or a setting cannot be read.

    Attributes:
        environ: the environment.
        contents: the parsed files.
        private_names: the private names that the repositories reported; empty unless asked.
        private: the private packages.
        files: all files that were read, by their path in findings.
        findings: the findings that are not ignored, by path and line.
    """

    def __init__(
        self,
        paths: ProjectPaths,
        settings: Settings,
        environ: Mapping[str, str],
        online: Online | None = None,
        pipfile: ProjectFile | None = None,
    ) -> None:
        self._paths, self._settings, self.environ = paths, settings, environ
        folder = os.path.dirname(paths.pipfile)
        settings.read_project(folder or os.curdir)
        self.contents = ProjectContents(paths, environ, pipfile)
        self.private_names = PrivateNames({}) if online is None else online(self.contents)
        by_source = self.contents.names_by_source()
        for source, names in self.private_names.by_source.items():
            by_source.setdefault(source, set()).update(names)
        sources = self.contents.sources
        self.private = PrivatePackages(
            settings.words("private-packages"), by_source, tuple(sources.repositories)
        )
        codes = settings.words("lint-ignore")
        check_codes(codes)
        requirements = RequirementsFiles(folder, sources, self.private, environ)
        dotenv, scripts = read_dotenv(environ, folder), read_scripts(folder)
        findings = [*self._review_files(), *requirements.review()]
        findings += self._review_scripts_and_dotenv(scripts, dotenv)
        if self.contents.pipfile is not None:
            findings += tokens_elsewhere(self.contents.pipfile, findings)
        beside = [*requirements.files, *scripts]
        shown = [*self.contents.files, *beside, *([dotenv.without_values()] if dotenv else [])]
        self.files = {file.shown: file for file in shown}
        with_comments = [self.contents.parsed_pipfile, *beside, dotenv]
        kept = without_ignored(findings, filter(None, with_comments), codes)
        self.findings = sorted(kept, key=lambda finding: (finding.path, finding.line))

    def with_text(self, pipfile: ProjectFile, text: str, online: Online | None) -> ProjectReview:
        """Return the review of the project with another text of its Pipfile."""
        changed = pipfile.with_text(text)
        return ProjectReview(self._paths, self._settings, self.environ, online, changed)

    def _review_files(self) -> Iterator[Finding]:
        contents = self.contents
        pipfile = contents.parsed_pipfile
        for file in contents.files:
            yield from file.faults
        if pipfile is not None:
            yield from review_shape(pipfile)
            yield from contents.sources.review()
            yield from review_packages(pipfile, contents, self.private)
            yield from locks.review_public_names(self.private_names.also_public, pipfile, contents)
        if contents.lock is not None:
            yield from locks.review_lock(contents.lock, contents)
            if pipfile is not None:
                yield from locks.review_unlisted(contents.lock, pipfile, contents, self.private)
        for pylock in contents.pylocks:
            yield from locks.review_pylock(pylock)

    def _review_scripts_and_dotenv(
        self, scripts: list[TextFile], dotenv: TextFile | None
    ) -> Iterator[Finding]:
        sources = self.contents.sources
        variables = [source.variable for source in sources.read.values() if source.variable]
        yield from review_scripts(self.contents.parsed_pipfile, scripts, variables)
        uses_codeartifact = bool(sources.repositories) or sources.may_be_codeartifact
        if dotenv is not None:
            yield from review_dotenv(dotenv, variables, uses_codeartifact=uses_codeartifact)
