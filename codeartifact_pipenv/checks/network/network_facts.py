"""What AWS and the indexes answered: each question is asked once."""

from __future__ import annotations

import os
import time
from functools import cached_property, partial
from typing import Any, NamedTuple

from codeartifact_pipenv.checks.network.lookup import PUBLIC
from codeartifact_pipenv.checks.network.repository import PROBE, Login
from codeartifact_pipenv.errors import CodeArtifactPipenvError
from codeartifact_pipenv.findings import Finding
from codeartifact_pipenv.lookups.aws_api import BestEffortAwsApi
from codeartifact_pipenv.lookups.index_client import Answer, IndexClient
from codeartifact_pipenv.lookups.parallel import ask_all
from codeartifact_pipenv.project.public import public_index
from codeartifact_pipenv.project.sources import expand, login_of, variables_of, without_credentials

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from codeartifact_pipenv.auth.authorization_token import AuthorizationToken
    from codeartifact_pipenv.auth.resolver import Resolver
    from codeartifact_pipenv.checks.local_facts import LocalFacts
    from codeartifact_pipenv.endpoint import Domain, RepositoryEndpoint
    from codeartifact_pipenv.lookups.aws_api import Identity
    from codeartifact_pipenv.lookups.repository_api import Chain
    from codeartifact_pipenv.report import Report

_THREADS = 24


class Limits(NamedTuple):
    """How long facts may take, in seconds.

    Attributes:
        whole: everything.
        pages: the pages of packages.
        answer: one answer of an index, and one of AWS.
        python: each program that is asked for a version.
        end: when to stop asking, by time.monotonic().
    """

    whole: float
    pages: float
    answer: float
    python: float
    end: float = 0.0

    def started(self) -> Limits:
        """Return the limits with an end, counted from now."""
        return self._replace(end=time.monotonic() + self.whole)

    @property
    def left(self) -> float:
        """The seconds that are left."""
        return max(0.0, self.end - time.monotonic())


PATIENT = Limits(60.0, 20.0, 8.0, 8.0)
# A prompt waits for it.
QUICK = Limits(4.0, 2.5, 2.0, 2.0)


class NetworkFacts:
    """Asks AWS and the indexes of a project, and keeps their answers.

    Args:
        local: what the project's files say.
        report: where notes go.
        limits: how long the network may take.
        offline: True to leave the network alone.

    Attributes:
        is_offline: whether the network is left alone.
        client: asks indexes.
        account: asks AWS.
        answers: the answers for pages, by name of a source (or PUBLIC) and package.
    """

    def __init__(self, local: LocalFacts, report: Report, limits: Limits, *, offline: bool) -> None:
        self._local = local
        self._report = report
        self.is_offline = offline
        self.limits = limits.started()
        self.client = IndexClient(os.environ, limits.answer)
        prompts = local.run.failed is None
        self.account = BestEffortAwsApi(local.caller_of, limits.answer, may_prompt=prompts)
        self.answers: dict[tuple[str, str], Answer] = {}
        self._of_aws: dict[tuple[str, object], Any] = {}

    @cached_property
    def tokens(self) -> dict[str, AuthorizationToken | Finding | None]:
        """By source of CodeArtifact, its token, or why there is none; None if nobody may ask."""
        failed, sources = self._local.run.failed, self._local.sources
        given = failed.tokens if failed else None
        by_domain: dict[Domain, AuthorizationToken | Finding | None] = {**(given or {})}
        found: dict[str, AuthorizationToken | Finding | None] = {}
        for source in sources:
            if source.endpoint is None:
                continue
            domain = source.endpoint.domain
            if given is None and domain not in by_domain:
                try:
                    get = self._resolver.find_offline if self.is_offline else self._resolver.token
                    by_domain[domain] = get(source.endpoint, variables_of(domain, sources))
                except CodeArtifactPipenvError as error:
                    by_domain[domain] = error.finding(f"source {source.name}")
            if domain in by_domain:
                found[source.name] = by_domain[domain]
        return found

    @cached_property
    def _resolver(self) -> Resolver:
        from codeartifact_pipenv.auth.resolver import Resolver

        project = self._local.project
        dotenv = project.dotenv if project else None
        return Resolver(self._local.settings, os.environ, self._report, dotenv)

    @cached_property
    def logins(self) -> dict[str, Login]:
        """The repositories that may be asked, by name of the source."""
        return {
            source.name: Login(source.name, source.endpoint, token)
            for source in self._local.sources
            if source.endpoint is not None
            and (token := self.tokens.get(source.name)) is not None
            and not isinstance(token, Finding)
        }

    def fetch(self, questions: Mapping[Any, Callable[[], Any]], seconds: float) -> dict[Any, Any]:
        """Ask questions in parallel, and return the answers that came in time."""
        seconds = min(seconds, self.limits.left)
        return ask_all(questions, seconds, _THREADS) if questions else {}

    def answer_to(self, question: Callable[[], Any]) -> Any:
        """Return the answer to one question; None if it does not come in time."""
        return self.fetch({0: question}, self.limits.answer).get(0)

    def page_question(self, place: str, name: str, *, head: bool = False) -> Callable[[], Answer]:
        """Return the function that asks a place about a name; ``head``: only if it is there."""
        login = self.logins.get(place)
        if login is not None:
            token = login.token.value
            return partial(self.client.ask_repository, login.endpoint, token, name)
        full = public_index(self._local.environ)
        if place != PUBLIC:
            urls = (source.url for source in self._local.sources if source.name == place)
            full = expand(next(urls), self._local.environ)
        _, login_there = login_of(full) or (None, None)
        ask = self.client.ask_index
        return partial(ask, without_credentials(full), name, login_there, head=head)

    def probes(self) -> dict[tuple[str, str], Callable[[], Any]]:
        """Return the questions whether each repository serves us."""
        return {(name, PROBE): self.page_question(name, PROBE) for name in self.logins}

    def fetch_state(self) -> None:
        """Ask AWS who we are and what is behind each repository, and each whether it serves us."""
        questions: dict[Any, Callable[[], Any]] = {
            **self.probes(),
            ("identity", ""): self._identity,
        }
        for login in self.logins.values():
            questions["chain", login] = partial(self.account.chain, login.endpoint)
            questions["missing", login] = partial(self.account.is_missing, login.endpoint)
        for key, answer in self.fetch(questions, self.limits.answer).items():
            store: dict[Any, Any] = self.answers if isinstance(answer, Answer) else self._of_aws
            store[key] = answer

    def _identity(self) -> Identity | Exception:
        endpoints = (source.endpoint for source in self._local.sources)
        region = next((endpoint.domain.region for endpoint in endpoints if endpoint), None)
        try:
            return self.account.identity(region)
        except Exception as error:  # noqa: BLE001 - botocore raises what it likes
            return error

    @property
    def identity(self) -> Identity | Exception | None:
        """Who AWS takes us for; the error if it takes us for nobody; None if it is not known."""
        found: Identity | Exception | None = self._of_aws.get(("identity", ""))
        return found

    def chain(self, login: Login) -> Chain | None:
        """Return what is behind a repository; None if it is not known."""
        found: Chain | None = self._late("chain", login, self.account.chain)
        return found

    def is_missing(self, login: Login) -> bool | None:
        """Whether a repository does not exist; None if it is not known."""
        found: bool | None = self._late("missing", login, self.account.is_missing)
        return found

    def _late(self, about: str, login: Login, call: Callable[[RepositoryEndpoint], Any]) -> Any:
        """Return the answer to a question that only some checks ask; None if it is not known."""
        key = (about, login)
        if key not in self._of_aws:
            self._of_aws[key] = self.answer_to(partial(call, login.endpoint))
        return self._of_aws[key]
