"""Each package of Pipfile and lock: where it is, which index serves it, who else has the name."""

from __future__ import annotations

import time

from codeartifact_pipenv.checks.network import package_location
from codeartifact_pipenv.checks.network.context import of_error
from codeartifact_pipenv.checks.network.dependencies import private_needs
from codeartifact_pipenv.checks.network.lookup_plan import Survey
from codeartifact_pipenv.checks.network.package_location import PUBLIC
from codeartifact_pipenv.checks.network.wanted import (
    Wanted,
    judge,
    newest,
    versions_of,
    wanted_by_lock,
    wanted_by_pipfile,
)
from codeartifact_pipenv.diagnosis.parallel import ask_all
from codeartifact_pipenv.errors import CodeArtifactPipenvError
from codeartifact_pipenv.files.reading import read_text
from codeartifact_pipenv.findings import Finding, failure, ok, warning
from codeartifact_pipenv.project import findings
from codeartifact_pipenv.project.edit import pipfile_hashes
from codeartifact_pipenv.project.names import normalise
from codeartifact_pipenv.project.sources import expand, without_credentials

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    from codeartifact_pipenv.checks.network.context import Context
    from codeartifact_pipenv.checks.network.package_location import Sighting
    from codeartifact_pipenv.checks.network.sources import Sources
    from codeartifact_pipenv.diagnosis.account import Account
    from codeartifact_pipenv.diagnosis.pages import Answer, Asker

_SECONDS = 20.0
_THREADS = 24


class Packages:
    """What was found out about packages.

    Args:
        context: the visit.
        sources: what is known of the sources.
        asker: asks indexes.
        account: asks AWS.
        python: the version of the project's interpreter; None where it is not known.

    Attributes:
        findings: one line a package, and those on the lock.
    """

    def __init__(
        self,
        context: Context,
        sources: Sources,
        asker: Asker,
        account: Account,
        python: str | None,
    ) -> None:
        self._context = context
        self._account = account
        self._python = python
        self._logins = {
            name: login for name, login in sources.logins.items() if name in sources.serving
        }
        self.findings: list[Finding] = []
        if context.project is None or context.project.pipfile is None:
            return
        self._look_at_lock()
        table = context.project.document.get("pipenv")
        self._prereleases = isinstance(table, dict) and bool(table.get("allow_prereleases"))
        self._locked = {wanted.name: wanted for wanted in wanted_by_lock(context.lock)}
        self._listed = {w.name: w for w in wanted_by_pipfile(context.project.document)}
        # Everything that a refused repository would have is missing for one cause only.
        complete = sources.is_readable and all(
            not source.endpoint or source.name in self._logins for source in context.sources
        )
        if not context.offline and context.sources and complete:
            self._survey = Survey(
                context.sources, self._logins, context.project.environ, asker, everywhere=True
            )
            self._look_at_packages(asker)

    def _look_at_lock(self) -> None:
        project = self._context.project
        if project is None or project.pipfile is None:
            return
        try:
            digests = pipfile_hashes(read_text(project.pipfile))
        except CodeArtifactPipenvError as error:
            self.findings.append(of_error(error, "Pipfile"))
            return
        outdated = findings.outdated_lock(digests, self._context.lock)
        if outdated is not None:
            self.findings.append(outdated)
        elif self._context.lock is not None:
            self.findings.append(ok("Pipfile.lock", "was made of this Pipfile"))

    def _wanted(self) -> list[Wanted]:
        known = {**self._locked, **self._listed}
        if not self._context.names:
            return list(known.values())
        names = map(normalise, self._context.names)
        return [known.get(name, Wanted(name, "", None, "the command")) for name in names]

    def _look_at_packages(self, asker: Asker) -> None:
        self._end = time.monotonic() + 2 * _SECONDS
        wanted = self._wanted()
        questions: dict[tuple[str, str], Callable[[], Answer]] = {}
        for package in wanted:
            for place in self._survey.places(package):
                questions[place, package.name] = self._survey.question(
                    place, package.name, head=place == PUBLIC
                )
        answers = ask_all(questions, _SECONDS, _THREADS)
        answers |= self._public_pages(wanted, answers)
        sightings = [self._survey.sighting(package, answers) for package in wanted]
        # What a misspelt name may stand for is there, itself.
        self._seen = [s.wanted.name for s in sightings if s.server is not None]
        for sighting in sightings:
            self.findings += self._package(sighting)
        if not self._context.names:
            self.findings += self._unlisted(asker)

    def _public_pages(
        self, wanted: list[Wanted], answers: Mapping[tuple[str, str], Answer]
    ) -> dict[tuple[str, str], Answer]:
        """Fetch the public page where it says more than that it is there."""
        questions: dict[tuple[str, str], Callable[[], Answer]] = {}
        for package in wanted:
            public = answers.get((PUBLIC, package.name))
            server = self._survey.sighting(package, answers).server
            if public is not None and public.found and server in self._logins:
                questions[PUBLIC, package.name] = self._survey.question(PUBLIC, package.name)
        return ask_all(questions, _SECONDS, _THREADS)

    def _package(self, sighting: Sighting) -> Iterator[Finding]:
        wanted, server = sighting.wanted, sighting.server
        subject = f"package {wanted.name}"
        if server is None:
            found = None
            if time.monotonic() < self._end:
                found = package_location.absence(sighting, self._logins, self._account, self._seen)
            yield found or failure(
                "package-not-seen",
                subject,
                f"Not all indexes have answered for {wanted.name}.",
                f"Try again, or ask for this package alone: `pipenv-ca doctor {wanted.name}`.",
            )
            return
        files = sighting.answers[server].files
        wrong = judge(wanted, files, self._python, prereleases=self._prereleases)
        if wrong is not None and server in self._logins and time.monotonic() < self._end:
            blocked = package_location.blocked_version(
                sighting, self._logins[server], self._account, prereleases=self._prereleases
            )
            wrong = blocked or wrong
        if wrong is not None:
            yield wrong
            return
        hint = self._for_bare_pipenv(sighting, server)
        if hint is not None:
            yield hint
            return
        last = newest(versions_of(files))
        namesake = _namesake(sighting, server, self._logins)
        yield ok(subject, f"served by {server}, newest {last or 'unknown'}{namesake}")

    def _for_bare_pipenv(self, sighting: Sighting, server: str) -> Finding | None:
        """Say what pipenv without this program would not find, or find in the wrong place."""
        wanted = sighting.wanted
        first = self._context.sources[0].name
        listed = self._listed.get(wanted.name)
        if server == first or server not in self._logins or (listed and listed.source):
            return None
        if sighting.is_public and _is_same(sighting, server):
            return None
        by = None if listed else "another package"
        return _only_bare(package_location.missing_index(wanted, server, by))

    def _unlisted(self, asker: Asker) -> Iterator[Finding]:
        """Yield private packages that others need, where no lock lists them yet."""
        context = self._context
        first = context.sources[0]
        if self._locked or first.endpoint is not None or context.project is None:
            return
        end = time.monotonic() + _SECONDS
        index = without_credentials(expand(first.url, context.project.environ))
        for name, login in self._logins.items():
            named = [wanted for wanted in self._listed.values() if wanted.source == name]
            for needed in private_needs(named, login, asker, index, end):
                if needed.wanted.name not in self._listed:
                    yield _only_bare(package_location.missing_index(needed.wanted, name, needed.by))


def _only_bare(found: Finding) -> Finding:
    said = f"{found.sentence} That concerns bare pipenv; pipenv-ca finds it."
    return warning(found.code or "", found.subject, said, found.hint)


def _is_same(sighting: Sighting, server: str) -> bool:
    """Whether a repository has the public package of a name: they have a file in common."""
    public = {file.sha256 for file in sighting.answers[PUBLIC].files if file.sha256}
    return any(file.sha256 in public for file in sighting.answers[server].files)


def _namesake(sighting: Sighting, server: str, logins: Mapping[str, Any]) -> str:
    if server not in logins or sighting.is_public is None:
        return ""
    if not sighting.is_public:
        return ", no public package of that name"
    if _is_same(sighting, server):
        return ", the public package"
    return ", private; a public package has the same name"
