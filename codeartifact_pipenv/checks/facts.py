"""What checks start from: the facts of one project, each read or fetched once.

What a command has seen while it ran comes first: only what it has not seen is asked for.
"""

from __future__ import annotations

import os
import time
from functools import cached_property, partial
from http import HTTPStatus
from typing import Any, NamedTuple

from codeartifact_pipenv.auth.terms import terms_of_first
from codeartifact_pipenv.checks.files.review import Reviewed, project_paths
from codeartifact_pipenv.checks.machine.programs import python_of
from codeartifact_pipenv.checks.network import wanted as packages
from codeartifact_pipenv.checks.network.lookup import PUBLIC, LookupResult
from codeartifact_pipenv.checks.network.repository import PROBE, Login
from codeartifact_pipenv.errors import CodeArtifactPipenvError
from codeartifact_pipenv.findings import Finding
from codeartifact_pipenv.lookups.aws_api import BestEffortAwsApi
from codeartifact_pipenv.lookups.index_client import Answer, IndexClient
from codeartifact_pipenv.lookups.parallel import ask_all
from codeartifact_pipenv.project import findings
from codeartifact_pipenv.project.cool_down import cool_down_of
from codeartifact_pipenv.project.lock import entries_of, read_lock
from codeartifact_pipenv.project.names import matches, normalise
from codeartifact_pipenv.project.pipfile import find_pipfile, load_project, working_directory
from codeartifact_pipenv.project.public import public_index
from codeartifact_pipenv.project.sources import (
    expand,
    login_of,
    variables_of,
    without_credentials,
)
from codeartifact_pipenv.wrapper import commands
from codeartifact_pipenv.wrapper.executable import find_pipenv
from codeartifact_pipenv.wrapper.route import DIRECT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from datetime import datetime

    from codeartifact_pipenv.auth.authorization_token import AuthorizationToken
    from codeartifact_pipenv.auth.resolver import Resolver
    from codeartifact_pipenv.aws.caller import Caller, Terms
    from codeartifact_pipenv.endpoint import Domain, RepositoryEndpoint
    from codeartifact_pipenv.lookups.aws_api import Identity
    from codeartifact_pipenv.lookups.repository_api import Chain
    from codeartifact_pipenv.lookups.simple_page import File
    from codeartifact_pipenv.project.pipfile import Project
    from codeartifact_pipenv.project.sources import Source
    from codeartifact_pipenv.proxy_index.index import ProxyIndex
    from codeartifact_pipenv.report import Report
    from codeartifact_pipenv.settings import Settings
    from codeartifact_pipenv.wrapper.combined_sources import CombinedSources
    from codeartifact_pipenv.wrapper.failed_run import FailedRun

_THREADS = 24
_MOST_EXPLAINED = 200  # packages that are looked up after a failure


class Limits(NamedTuple):
    """How long facts may take, in seconds.

    Attributes:
        whole: everything.
        pages: the pages of packages.
        answer: one answer of an index, and one of AWS.
        python: each program that is asked for a version.
    """

    whole: float
    pages: float
    answer: float
    python: float


PATIENT = Limits(60.0, 20.0, 8.0, 8.0)
# A prompt waits for it.
QUICK = Limits(4.0, 2.5, 2.0, 2.0)


class Facts:
    """The facts of one project.

    Args:
        settings: the settings in force.
        report: where notes go.
        names: the packages to check; empty for all of the project's.
        offline: True to leave the network alone.
        failed: a command that failed; None to check the project as it is.
        pipfile: the path of the project's Pipfile; None to look for it as pipenv does.
        limits: how long the network may take.

    Attributes:
        errors: why the project or its programs cannot be read.
        pipenv: the pipenv that would run; None if there is none.
        project: the project; None if its files cannot be read.
        sources: its sources; empty if they cannot be read.
        lock: its lock; None if there is none.
        client: asks indexes.
        account: asks AWS.
        serving: the sources whose repositories were found to serve us.
        end: when to stop asking, by time.monotonic().
    """

    def __init__(
        self,
        settings: Settings,
        report: Report,
        *,
        names: Iterable[str] = (),
        offline: bool = False,
        failed: FailedRun | None = None,
        pipfile: str | None = None,
        limits: Limits = PATIENT,
    ) -> None:
        self.settings = settings
        self._named = {} if pipfile is None else {"PIPENV_PIPFILE": os.path.abspath(pipfile)}
        self.report = report
        self.names = [normalise(name) for name in names]
        self.offline = offline
        self.failed = failed
        self.limits = limits
        self.end = time.monotonic() + limits.whole
        self.errors: list[Finding] = []
        self.pipenv = self._attempt("pipenv", lambda: find_pipenv(settings))
        self.project = failed.project if failed else self._attempt("project", self._load)
        project: Project | None = self.project
        found = self._attempt("sources", project.sources) if project else None
        self.sources: list[Source] = found or []
        self.lock = read_lock(self.project.lock or "") if self.project else None
        self.client = IndexClient(os.environ, limits.answer)
        self.account = BestEffortAwsApi(self._caller_of, limits.answer, may_prompt=failed is None)
        self.serving: set[str] = set()
        self._answers: dict[tuple[str, str], Answer] = {}
        self._of_aws: dict[tuple[str, str], Any] = {}
        self._is_fetched = False

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
    def proxy(self) -> ProxyIndex | None:
        """The proxy index that the command that failed saw; None for none."""
        return self.failed.proxy if self.failed else None

    @property
    def completion(self) -> CombinedSources | None:
        """The one index that the sources made for the command that failed; None for none."""
        return self.failed.completion if self.failed else None

    # --- files ----------------------------------------------------------------------------

    @property
    def environ(self) -> Mapping[str, str]:
        """The environment as pipenv will see it."""
        return self.project.environ if self.project else os.environ

    @cached_property
    def files(self) -> Reviewed | None:
        """The project's files, and what is wrong with them; None without any."""
        path = self._attempt("Pipfile", self._pipfile)
        if path is None:
            return None
        found = self._attempt(
            "Pipfile", lambda: Reviewed(project_paths(path), self.settings, self.environ)
        )
        return found if isinstance(found, Reviewed) else None

    def _pipfile(self) -> str | None:
        if self.project is None:
            return find_pipfile({**os.environ, **self._named}, working_directory(), lambda: None)
        return self.project.pipfile or (self.project.home if self.project.lock else None)

    @property
    def terms(self) -> Terms:
        """How AWS is asked for the first source."""
        endpoints = (source.endpoint for source in self.sources)
        return terms_of_first(self.settings, os.environ, endpoints)

    def _caller_of(self, endpoint: RepositoryEndpoint | None) -> Caller:
        if endpoint is None:
            return self.terms.caller
        return terms_of_first(self.settings, os.environ, [endpoint]).caller

    @cached_property
    def unset(self) -> list[Finding]:
        """Variables in the URLs of sources that nothing sets."""
        variables = {source.variable for source in self.sources if source.variable}
        return findings.unset_variables(self.sources, self.environ, variables)

    @cached_property
    def stray(self) -> Finding | None:
        """Why no token may be asked for: it would go to another host."""
        if self.project is None or self.unset:
            return None
        try:
            self.project.assign_variables(self.sources)
        except CodeArtifactPipenvError as error:
            return error.finding("sources")
        return None

    @property
    def is_readable(self) -> bool:
        """Whether it is clear where every source is."""
        near = any(source.resembles for source in self.sources if source.endpoint is None)
        return not (self.unset or self.stray or near)

    @cached_property
    def cool_down(self) -> datetime | None:
        """The moment before which files must have been uploaded; None for any."""
        if self.completion is not None:
            return self.completion.cool_down
        return cool_down_of(self.project.document, self.environ) if self.project else None

    @property
    def allows_prereleases(self) -> bool:
        """Whether the project takes pre-releases."""
        table = self.project.document.get("pipenv") if self.project else None
        return isinstance(table, dict) and bool(table.get("allow_prereleases"))

    # --- packages that are wanted ---------------------------------------------------------

    @cached_property
    def listed(self) -> dict[str, packages.Wanted]:
        """The packages of the Pipfile."""
        document = self.project.document if self.project else {}
        return {wanted.name: wanted for wanted in packages.wanted_by_pipfile(document)}

    @cached_property
    def locked(self) -> dict[str, packages.Wanted]:
        """The packages of the lock."""
        return {wanted.name: wanted for wanted in packages.wanted_by_lock(self.lock)}

    @cached_property
    def locked_hashes(self) -> dict[str, set[str]]:
        """The SHA-256 digests that the lock has of each package."""
        return {
            normalise(name): {str(one).removeprefix("sha256:") for one in entry["hashes"]}
            for name, entry in entries_of(self.lock)
            if isinstance(entry.get("hashes"), list)
        }

    @cached_property
    def wanted(self) -> list[packages.Wanted]:
        """The packages to check."""
        if self.failed is not None:
            return list(self._wanted_by_command(self.failed))[:_MOST_EXPLAINED]
        known = {**self.locked, **self.listed}
        if not self.names:
            return list(known.values())
        return [known.get(n, packages.Wanted(n, "", None, "the command")) for n in self.names]

    def _wanted_by_command(self, failed: FailedRun) -> Iterator[packages.Wanted]:
        command, arguments = failed.line.command, failed.line.arguments
        of_files = packages.wanted_by_files(arguments, os.getcwd())
        if commands.is_run(command):
            yield from packages.wanted_by_words(commands.pip_requirements(arguments))
            yield from of_files
            return
        typed = commands.requirements(command, arguments) if command != "uninstall" else ()
        known = self.listed if commands.resolves(command, arguments) else self.locked
        named = {w.name: w for w in (*packages.wanted_by_words(typed), *of_files)}
        for name, wanted in named.items():
            yield wanted._replace(source=known[name].source) if name in known else wanted
        yield from (wanted for name, wanted in known.items() if name not in named)
        for name, number in (self.proxy.observed.found if self.proxy else {}).items():
            if number < 0 and name not in known and name not in named:
                yield packages.Wanted(name, "", None, "a package that needs it")

    def python(self, files: Iterable[File] = ()) -> str | None:
        """Return the version of the project's Python, if files depend on it; else None."""
        return self.interpreter[0] if any(file.requires_python for file in files) else None

    @cached_property
    def interpreter(self) -> tuple[str | None, str | None]:
        """The version of the project's Python, and its path if it has an environment."""
        words = self.failed.program if self.failed else self.pipenv and self.pipenv.command
        if self.project is None or not words:
            return None, None
        return python_of(self.project, words, max(0.5, min(self.limits.python, self.left)))

    # --- tokens ---------------------------------------------------------------------------

    @cached_property
    def tokens(self) -> dict[str, AuthorizationToken | Finding | None]:
        """By source of CodeArtifact, its token, or why there is none; None if nobody may ask."""
        given = self.failed.tokens if self.failed else None
        by_domain: dict[Domain, AuthorizationToken | Finding | None] = {**(given or {})}
        found: dict[str, AuthorizationToken | Finding | None] = {}
        for source in self.sources:
            if source.endpoint is None:
                continue
            domain = source.endpoint.domain
            if given is None and domain not in by_domain:
                try:
                    by_domain[domain] = self._get_token(source.endpoint)
                except CodeArtifactPipenvError as error:
                    by_domain[domain] = error.finding(f"source {source.name}")
            if domain in by_domain:
                found[source.name] = by_domain[domain]
        return found

    def _get_token(self, endpoint: RepositoryEndpoint) -> AuthorizationToken | None:
        get = self._resolver.known if self.offline else self._resolver.token
        return get(endpoint, variables_of(endpoint.domain, self.sources))

    @cached_property
    def _resolver(self) -> Resolver:
        from codeartifact_pipenv.auth.resolver import Resolver

        dotenv = self.project.dotenv if self.project else None
        return Resolver(self.settings, os.environ, self.report, dotenv)

    @cached_property
    def logins(self) -> dict[str, Login]:
        """The repositories that may be asked, by name of the source."""
        return {
            source.name: Login(source.name, source.endpoint, token)
            for source in self.sources
            if source.endpoint is not None
            and (token := self.tokens.get(source.name)) is not None
            and not isinstance(token, Finding)
        }

    # --- the network ----------------------------------------------------------------------

    @property
    def left(self) -> float:
        """The seconds that are left."""
        return max(0.0, self.end - time.monotonic())

    def ask(self, questions: Mapping[Any, Callable[[], Any]], seconds: float) -> dict[Any, Any]:
        """Ask questions in parallel, and return the answers that came in time."""
        return ask_all(questions, min(seconds, self.left), _THREADS) if questions else {}

    def ask_now(self, question: Callable[[], Any]) -> Any:
        """Return the answer to one question; None if it does not come in time."""
        return self.ask({0: question}, self.limits.answer).get(0)

    def chain(self, login: Login) -> Chain | None:
        """What is behind a repository; None if it is not known."""
        found: Chain | None = self._late("chain", login, self.account.chain)
        return found

    def is_missing(self, login: Login) -> bool | None:
        """Whether a repository does not exist; None if it is not known."""
        found: bool | None = self._late("missing", login, self.account.is_missing)
        return found

    def _late(self, about: str, login: Login, ask: Callable[[RepositoryEndpoint], Any]) -> Any:
        """Return the answer to a question that only some checks ask; None if it is not known."""
        key = (about, login.source)
        if key not in self._of_aws:
            self._of_aws[key] = self.ask_now(partial(ask, login.endpoint))
        return self._of_aws[key]

    @cached_property
    def identity(self) -> Identity | Exception | None:
        """Who AWS takes us for; the error if it takes us for nobody; None if it is not known."""
        self._fetch()
        found: Identity | Exception | None = self._of_aws.get(("identity", ""))
        return found

    @cached_property
    def pages(self) -> dict[tuple[str, str], Answer]:
        """By name of a source (or PUBLIC) and package, the answers for pages."""
        self._fetch()
        if self.failed is None:
            self._answers |= self.ask(dict(self._page_questions()), self.limits.pages)
            whole = {
                (PUBLIC, wanted.name): self.question(PUBLIC, wanted.name)
                for wanted in self.wanted
                if self._is_in_both(wanted)
            }
            self._answers |= self.ask(whole, self.limits.pages)
        return self._answers

    def _is_in_both(self, wanted: packages.Wanted) -> bool:
        public = self._answers.get((PUBLIC, wanted.name))
        server = self._result(wanted, self._answers).server
        return public is not None and public.has_page and server in self.logins

    def _fetch(self) -> None:
        if self._is_fetched:
            return
        self._is_fetched = True
        questions: dict[Any, Callable[[], Any]] = {
            (login.source, PROBE): self.question(login.source, PROBE)
            for login in self.logins.values()
        }
        seconds = self.limits.answer
        if self.failed is not None:
            self._answers |= self._seen()
            questions |= dict(self._page_questions())
            seconds = self.limits.pages
        else:
            questions["identity", ""] = self._identity
            for login in self.logins.values():
                place = login.source
                questions["chain", place, ""] = partial(self.account.chain, login.endpoint)
                questions["missing", place, ""] = partial(self.account.is_missing, login.endpoint)
        for key, answer in self.ask(questions, seconds).items():
            if isinstance(answer, Answer):
                self._answers[key] = answer
            else:
                self._of_aws[key[0], key[1]] = answer

    def _identity(self) -> Identity | Exception:
        region = next((s.endpoint.domain.region for s in self.sources if s.endpoint), None)
        try:
            return self.account.identity(region)
        except Exception as error:  # noqa: BLE001 - botocore raises what it likes
            return error

    def _page_questions(self) -> Iterator[tuple[tuple[str, str], Callable[[], Answer]]]:
        for wanted in self.wanted:
            for place in self.places(wanted):
                if (place, wanted.name) not in self._answers:
                    # Whether it is public is all that is wanted, first of all.
                    head = place == PUBLIC and self.failed is None
                    question = self.question(place, wanted.name, head=head)
                    yield (place, wanted.name), question

    def _seen(self) -> dict[tuple[str, str], Answer]:
        """Return what the repositories answered to the proxy index while the command ran."""
        proxy = self.proxy if self.completion else None
        found: dict[tuple[str, str], Answer] = {}
        for name, number in (proxy.observed.found if proxy else {}).items():
            listing = proxy.known_listing(name) if proxy else None
            for login in self.logins.values():
                own = self._number(login)
                if own is None:
                    continue
                if own == number and listing is not None and listing.files is not None:
                    found[login.source, name] = Answer(HTTPStatus.OK, None, listing.files)
                elif (
                    proxy and own in proxy.sources.candidates(name) and (number < 0 or own < number)
                ):
                    found[login.source, name] = Answer(HTTPStatus.NOT_FOUND)
        return found

    def lookup(self, wanted: packages.Wanted) -> LookupResult:
        """Return what all places said of one package."""
        return self._result(wanted, self.pages)

    def _result(
        self, wanted: packages.Wanted, answers: Mapping[tuple[str, str], Answer]
    ) -> LookupResult:
        places = [place for place in self.places(wanted) if (place, wanted.name) in answers]
        said = {place: answers[place, wanted.name] for place in places}
        return LookupResult(wanted, said, self._serving(wanted), self._is_private(wanted.name))

    def _serving(self, wanted: packages.Wanted) -> tuple[str, ...]:
        """Return the sources in which a package is looked for, in order."""
        names = [source.name for source in self.sources]
        if wanted.source is not None and wanted.source in names:
            return (wanted.source,)
        # pipenv itself looks in the first source alone.
        if not (
            self.failed is None or self.completion or commands.is_run(self.failed.line.command)
        ):
            return tuple(names[:1])
        if self._is_private(wanted.name):
            return tuple(self.logins)
        others = [source.name for source in self.sources if source.endpoint is None]
        return (*self.logins, *others[:1])

    def places(self, wanted: packages.Wanted) -> list[str]:
        """Return all places that are worth asking about a package."""
        # What only resembles CodeArtifact may be where a password must not go, as over http.
        safe = {s.name for s in self.sources if s.endpoint is None and s.resembles is None}
        # Strangers need not hear of a private name.
        others = [] if self._is_private(wanted.name) else [PUBLIC]
        found = dict.fromkeys([*self._serving(wanted), *self.logins, *others])
        return [place for place in found if place in {PUBLIC, *self.logins, *safe}]

    def question(self, place: str, name: str, *, head: bool = False) -> Callable[[], Answer]:
        """Return the function that asks a place about a name; ``head``: only if it is there."""
        login = self.logins.get(place)
        if login is not None:
            token = login.token.value
            return partial(self.client.ask_repository, login.endpoint, token, name)
        full = public_index(self.environ)
        if place != PUBLIC:
            full = next(expand(s.url, self.environ) for s in self.sources if s.name == place)
        _, login_there = login_of(full) or (None, None)
        ask = self.client.ask_index
        return partial(ask, without_credentials(full), name, login_there, head=head)

    def _is_private(self, name: str) -> bool:
        """Whether settings or lock say that a name is private; ``index`` of the Pipfile need not."""
        completion = self.completion
        if completion is None:
            return matches(name, self.settings.words("private-packages"))
        if name in completion.explicit:
            return False
        return name in completion.private() or matches(name, completion.private_patterns)

    @property
    def is_direct(self) -> bool:
        """Whether a setting of the user keeps pipenv-ca from using its own index."""
        return self.settings.text("route") == DIRECT

    def _number(self, login: Login) -> int | None:
        """Return the number of a repository in the proxy index of the command that failed."""
        endpoints = self.completion.endpoints if self.completion and self.proxy else ()
        return endpoints.index(login.endpoint) if login.endpoint in endpoints else None

    def says_missing(self, login: Login) -> bool:
        """Whether a repository was found not to exist while the command ran."""
        return self.proxy is not None and self._number(login) in self.proxy.observed.missing

    def refusals_of(self, login: Login) -> list[int | None]:
        """Return the statuses with which a repository refused the command that failed."""
        number = self._number(login)
        refused = self.proxy.observed.refused.values() if self.proxy and number is not None else ()
        return [each.status for each in refused if each.number == number and not each.filename]

    def answers_of(self, login: Login) -> list[Answer]:
        """Return what a repository answered, as far as it was asked."""
        self._fetch()
        return [answer for (place, _), answer in self._answers.items() if place == login.source]
