"""One project, reviewed: its files read once, every check run over them."""

from __future__ import annotations

import os

from codeartifact_pipenv.checks.files import locks
from codeartifact_pipenv.checks.files.contents import Holdings, PrivatePackages, ProjectContents
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

    # What asks the repositories themselves.
    Online = Callable[[ProjectContents], Holdings]


class ProjectReview:
    """The findings on the files of one project.

    Args:
        paths: its files.
        settings: the settings; the project's own are read here.
        environ: the environment, for variables in the hosts and paths of URLs.
        online: asks the repositories; None to leave the network alone.
        pipfile: the Pipfile, to review another one than the file has.

    Raises:
        ConfigurationError: a file or a setting cannot be read.

    Attributes:
        contents: what was read.
        holdings: what the repositories said; empty where they were not asked.
        private: what is known of private packages.
        files: all that was read, by its path as findings have it.
        findings: everything that is wrong, in order, what is ignored left out.
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
        self.holdings = Holdings({}) if online is None else online(self.contents)
        placed = self.contents.names_by_source()
        for source, names in self.holdings.private.items():
            placed.setdefault(source, set()).update(names)
        sources = self.contents.sources
        self.private = PrivatePackages(
            settings.words("private-packages"), placed, tuple(sources.repositories)
        )
        codes = settings.words("lint-ignore")
        check_codes(codes)
        requirements = RequirementsFiles(folder, sources, self.private, environ)
        dotenv, scripts = read_dotenv(environ, folder), read_scripts(folder)
        findings = [*self._review_files(), *requirements.review()]
        findings += self._review_beside(scripts, dotenv)
        if self.contents.pipfile is not None:
            findings += tokens_elsewhere(self.contents.pipfile, findings)
        beside = [*requirements.files, *scripts]
        shown = [*self.contents.files, *beside, *([dotenv.without_values()] if dotenv else [])]
        self.files = {file.shown: file for file in shown}
        with_comments = [self.contents.parsed_pipfile, *beside, dotenv]
        kept = without_ignored(findings, filter(None, with_comments), codes)
        self.findings = sorted(kept, key=lambda finding: (finding.path, finding.line))

    def with_text(self, pipfile: ProjectFile, text: str, online: Online | None) -> ProjectReview:
        """Return the review of the project with another text in its Pipfile."""
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
            yield from locks.review_namesakes(self.holdings.namesakes, pipfile, contents)
        if contents.lock is not None:
            yield from locks.review_lock(contents.lock, contents)
            if pipfile is not None:
                yield from locks.review_unlisted(contents.lock, pipfile, contents, self.private)
        for pylock in contents.pylocks:
            yield from locks.review_pylock(pylock)

    def _review_beside(self, scripts: list[TextFile], dotenv: TextFile | None) -> Iterator[Finding]:
        sources = self.contents.sources
        variables = [source.variable for source in sources.read.values() if source.variable]
        yield from review_scripts(self.contents.parsed_pipfile, scripts, variables)
        is_ours = bool(sources.repositories) or sources.may_be_ours
        if dotenv is not None:
            yield from review_dotenv(dotenv, variables, is_ours=is_ours)
