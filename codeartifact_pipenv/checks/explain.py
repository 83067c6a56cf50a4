"""After a pipenv that failed: which of the causes that are ours it was, or that none was.

pipenv says "No matching distribution found" for nearly all of them. So the facts are looked
at: the indexes' own answers for the packages concerned, the token, the Pipfile, and AWS where
there are credentials. A failure that they do not account for is none of ours.
"""

from __future__ import annotations

import os
import time
from http import HTTPStatus

from codeartifact_pipenv.auth.terms import terms_of_first
from codeartifact_pipenv.checks.network import package_location, repository
from codeartifact_pipenv.checks.network import wanted as requirements
from codeartifact_pipenv.checks.network.dependencies import private_needs
from codeartifact_pipenv.checks.network.lookup_plan import Survey, python_of
from codeartifact_pipenv.checks.network.repository import PROBE, Login
from codeartifact_pipenv.diagnosis.account import Account
from codeartifact_pipenv.diagnosis.pages import Asker
from codeartifact_pipenv.diagnosis.parallel import ask_all
from codeartifact_pipenv.files.reading import read_text
from codeartifact_pipenv.project import findings
from codeartifact_pipenv.project.edit import pipfile_hashes
from codeartifact_pipenv.project.lock import read_lock
from codeartifact_pipenv.project.names import matches, normalise
from codeartifact_pipenv.project.sources import expand, without_credentials
from codeartifact_pipenv.wrapper import commands
from codeartifact_pipenv.wrapper.absent_files import AbsentFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from codeartifact_pipenv.checks.network.package_location import Sighting
    from codeartifact_pipenv.diagnosis.pages import Answer
    from codeartifact_pipenv.findings import Finding
    from codeartifact_pipenv.project.sources import Source
    from codeartifact_pipenv.settings import Settings
    from codeartifact_pipenv.simple_page import File
    from codeartifact_pipenv.wrapper.failed_run import FailedRun

# The most that an explanation may take, in seconds: the indexes' part and all of it.
_PAGES_SECONDS, _ALL_SECONDS = 2.5, 4.5
_MOST_PACKAGES = 200
_PYTHON_SECONDS = 2.0


def explain(failure: FailedRun, settings: Settings) -> Finding | None:
    """Return the one cause that fits, within five seconds; None where it is none of ours.

    Raises:
        Exception: whatever went wrong in looking for it.
    """

    def look() -> Finding | Exception | None:
        try:
            return _Explanation(failure, settings).cause()
        except Exception as error:  # noqa: BLE001 - for the caller, in its own thread
            return error

    found = ask_all({"cause": look}, _ALL_SECONDS).get("cause")
    if isinstance(found, Exception):
        raise found
    return found


class _Explanation:
    def __init__(self, failure: FailedRun, settings: Settings) -> None:
        self._failure = failure
        self._end = time.monotonic() + _ALL_SECONDS - 1  # for questions that come late
        project = failure.project
        self._sources = project.sources()
        self._logins = {
            source.name: Login(source.name, source.endpoint, failure.tokens[source.endpoint.domain])
            for source in self._sources
            if source.endpoint is not None and source.endpoint.domain in failure.tokens
        }
        self._asker = Asker(os.environ, seconds=_PAGES_SECONDS)
        everywhere = failure.completion is not None or commands.is_run(failure.line.command)
        self._survey = Survey(
            self._sources,
            self._logins,
            project.environ,
            self._asker,
            everywhere=everywhere,
            is_private=self._is_private,
        )
        endpoints = (source.endpoint for source in self._sources)
        asked = terms_of_first(settings, os.environ, endpoints)
        self._account = Account(asked.profile, 2.0, asked.keys, may_prompt=False)
        self._lock = read_lock(project.lock or "")
        table = project.document.get("pipenv")
        self._prereleases = isinstance(table, dict) and bool(table.get("allow_prereleases"))
        self._wanted = list(self._concerned())[:_MOST_PACKAGES]
        self._known_python: str | None = None

    def cause(self) -> Finding | None:
        missing = self._missing()
        if missing is not None:
            return missing
        answers = self._ask()
        for look in (
            self._refusals,
            self._absent,
            self._urls,
            self._repository,
            self._packages,
            self._files,
        ):
            found = look(answers)
            if found is not None:
                return found
        return None

    def _is_private(self, name: str) -> bool:
        """Whether settings or lock say that a name is private; ``index`` of the Pipfile need not."""
        completion = self._failure.completion
        if completion is None or name in completion.explicit:
            return False
        return name in completion.private() or matches(name, completion.private_patterns)

    def _missing(self) -> Finding | None:
        """Say which repository does not exist, as AWS has said while the command ran."""
        index, completion = self._failure.proxy, self._failure.completion
        for number in sorted(index.missing) if index and completion else ():
            name = completion.source_of(number).name if completion else ""
            if name in self._logins:
                return repository.missing_repository(self._logins[name])
        return None

    # --- what was wanted ------------------------------------------------------------------

    def _concerned(self) -> Iterator[requirements.Wanted]:
        failure, project = self._failure, self._failure.project
        line = failure.line
        if commands.is_run(line.command):
            yield from requirements.wanted_by_words(commands.pip_requirements(line.arguments))
            return
        typed = commands.requirements(line.command, line.arguments)
        named = list(requirements.wanted_by_words(typed)) if line.command != "uninstall" else []
        listed = list(requirements.wanted_by_pipfile(project.document))
        if commands.writes_nothing(line.command, line.arguments):
            listed = list(requirements.wanted_by_lock(self._lock))
        known = {wanted.name: wanted for wanted in listed}
        for wanted in named:
            yield (
                wanted._replace(source=known[wanted.name].source)
                if wanted.name in known
                else wanted
            )
        yield from (wanted for wanted in listed if wanted.name not in {n.name for n in named})
        index = failure.proxy
        for name, number in (index.found if index else {}).items():
            if number < 0 and name not in known and name not in {n.name for n in named}:
                yield requirements.Wanted(name, "", None, "a package that needs it")

    # --- the questions --------------------------------------------------------------------

    def _ask(self) -> dict[tuple[str, str], Answer]:
        questions: dict[tuple[str, str], Callable[[], Answer]] = {}
        for login in self._logins.values():
            questions[login.source, PROBE] = self._survey.question(login.source, PROBE)
        for wanted in self._wanted:
            for place in self._survey.places(wanted):
                questions[place, wanted.name] = self._survey.question(place, wanted.name)
        return ask_all(questions, _PAGES_SECONDS)

    def _python(self, files: Sequence[File]) -> str | None:
        """Return the project's Python, where it matters; pipenv is asked once at the most."""
        if self._known_python is None and any(file.requires_python for file in files):
            failure = self._failure
            left = max(0.5, min(_PYTHON_SECONDS, self._end - time.monotonic()))
            self._known_python, _ = python_of(failure.project, failure.program, left)
        return self._known_python

    # --- the answers, most general cause first --------------------------------------------

    def _refusals(self, answers: Mapping[tuple[str, str], Answer]) -> Finding | None:
        for login in self._logins.values():
            given = [answer for (place, _), answer in answers.items() if place == login.source]
            if any(answer.status == HTTPStatus.UNAUTHORIZED for answer in given):
                return repository.refused_token(
                    login, self._logins.values(), self._asker, self._account
                )
            found = repository.refusal(login, given)
            if found is None:
                found = self._refused_before(login)
            if found is not None:
                return found
        for login in self._logins.values():
            if not any(place == login.source for place, _ in answers):
                return repository.silence(login, _PAGES_SECONDS)
        return None

    def _refused_before(self, login: Login) -> Finding | None:
        # What has healed since is what pipenv met all the same.
        index, completion = self._failure.proxy, self._failure.completion
        if index is None or completion is None or login.endpoint not in completion.endpoints:
            return None
        number = completion.endpoints.index(login.endpoint)
        for refused in index.refused.values():
            if refused.number == number:
                found = repository.refusal_of_status(login, refused.status)
                if found is not None:
                    return found
        return None

    def _absent(self, answers: Mapping[tuple[str, str], Answer]) -> Finding | None:
        """Say that a file was not there although its page lists it."""
        for absent in self._absent_files():
            for login in self._logins.values():
                if login.endpoint != absent.endpoint:
                    continue
                answer = answers.get((login.source, absent.project))
                if answer is None and self._has_time():
                    answer = self._asker.ask_repository(
                        login.endpoint, login.token.value, absent.project
                    )
                if answer and any(file.name == absent.filename for file in answer.files):
                    return repository.missing_file(login, absent.project, absent.filename)
        return None

    def _absent_files(self) -> Iterator[AbsentFile]:
        failure, index = self._failure, self._failure.proxy
        if failure.absent is not None:
            yield failure.absent
        for project, refused in (index.refused if index else {}).items():
            if index is not None and refused.filename:
                endpoint = index.upstreams[refused.number].endpoint
                yield AbsentFile(endpoint, project, refused.filename)

    def _urls(self, _answers: Mapping[tuple[str, str], Answer]) -> Finding | None:
        project = self._failure.project
        unset = findings.unset_variables(
            self._sources, project.environ, project.assign_variables(self._sources)
        )
        if unset or self._failure.completion is not None:
            return next(iter(unset), None)
        found = findings.urls_without_simple(self._sources, project.environ)
        for source in self._sources:
            # What clients show is shown again: a login that is taken is not at fault.
            literal = findings.literal_token(source, project.environ)
            if literal and self._is_refused(source, literal, findings.USERNAME):
                found += findings.literal_tokens([source], project.environ)
            login = self._logins.get(source.name)
            if login and self._is_refused(source, login.token.value, source.username):
                found += findings.wrong_usernames([source])
        return next(iter(found), None)

    def _is_refused(self, source: Source, token: str, username: str) -> bool:
        if source.endpoint is None or not source.has_password:
            return False
        answer = self._asker.ask_repository(source.endpoint, token, PROBE, username)
        return answer.status == HTTPStatus.UNAUTHORIZED

    def _repository(self, answers: Mapping[tuple[str, str], Answer]) -> Finding | None:
        for login in self._logins.values():
            given = [answer for (place, _), answer in answers.items() if place == login.source]
            if any(answer.found for answer in given) or not given:
                continue
            if self._has_time() and self._account.is_missing(login.endpoint):
                return repository.missing_repository(login)
        return None

    def _packages(self, answers: Mapping[tuple[str, str], Answer]) -> Finding | None:
        for wanted in self._wanted:
            found = self._package(self._survey.sighting(wanted, answers))
            if found is not None:
                return found
        return self._dependency()

    def _held_back(self, wanted: requirements.Wanted) -> Finding | None:
        """Say that a cool-down holds a package back, by the page that pipenv has seen."""
        proxy, completion = self._failure.proxy, self._failure.completion
        if proxy is None or completion is None or completion.cool_down is None:
            return None
        listing = proxy.seen(wanted.name)
        return requirements.held_back(
            wanted,
            (listing and listing.files) or (),
            completion.cool_down,
            prereleases=self._prereleases,
        )

    def _package(self, sighting: Sighting) -> Finding | None:
        server = sighting.server
        if server is None:
            if not self._has_time():
                return None
            return package_location.absence(sighting, self._logins, self._account, self._known())
        files = sighting.answers[server].files
        found = requirements.judge(
            sighting.wanted, files, self._python(files), prereleases=self._prereleases
        )
        if found is None:
            return self._held_back(sighting.wanted)
        if server in self._logins and self._has_time():
            blocked = package_location.blocked_version(
                sighting, self._logins[server], self._account, prereleases=self._prereleases
            )
            return blocked or found
        return found

    def _dependency(self) -> Finding | None:
        # By loopback they are found; pipenv itself looks for them in the first source.
        if self._failure.completion is not None or not self._sources or not self._has_time():
            return None
        first = self._sources[0]
        if first.endpoint is not None:
            return None
        index = without_credentials(expand(first.url, self._failure.project.environ))
        for login in self._logins.values():
            named = [wanted for wanted in self._wanted if wanted.source == login.source]
            for needed in private_needs(named, login, self._asker, index, self._end):
                return package_location.missing_index(needed.wanted, login.source, needed.by)
        return None

    def _known(self) -> list[str]:
        """Names that a misspelt one may have been meant for."""
        listed = [wanted.name for wanted in requirements.wanted_by_lock(self._lock)]
        found = self._failure.proxy.found.items() if self._failure.proxy else ()
        return [*listed, *(normalise(name) for name, number in found if number >= 0)]

    def _files(self, _answers: Mapping[tuple[str, str], Answer]) -> Finding | None:
        project, line = self._failure.project, self._failure.line
        if project.pipfile is None or "--deploy" not in line.arguments:
            return None
        return findings.outdated_lock(pipfile_hashes(read_text(project.pipfile)), self._lock)

    def _has_time(self) -> bool:
        return time.monotonic() < self._end
