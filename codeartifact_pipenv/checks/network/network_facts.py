"""The answers of AWS and the indexes; each request is made once."""

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
from codeartifact_pipenv.project.sources import (
    expand,
    login_of,
    public_index_url,
    token_variables,
    without_credentials,
)

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
    """Time limits in seconds.

    Attributes:
        whole: for everything.
        pages: for all package pages.
        answer: for one response of an index or of AWS.
        python: for each program that prints a version.
        end: when to stop, by time.monotonic().
    """

    whole: float
    pages: float
    answer: float
    python: float
    end: float = 0.0

    def started(self) -> Limits:
        """Return the limits with their end, counted from now."""
        return self._replace(end=time.monotonic() + self.whole)

    @property
    def left(self) -> float:
        """The seconds that are left."""
        return max(0.0, self.end - time.monotonic())


PATIENT = Limits(60.0, 20.0, 8.0, 8.0)
# The user waits for the prompt.
QUICK = Limits(4.0, 2.5, 2.0, 2.0)


class NetworkFacts:
    """Fetches and keeps the answers of AWS and of a project's indexes.

    Args:
        local: the facts from files.
        report: takes notes for the user.
        limits: the time limits.
        offline: whether to make no requests.

    Attributes:
        is_offline: whether no requests are made.
        client: the client for indexes.
        account: the AWS API.
        answers: pages by name of the source, or PUBLIC, and package.
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
        """The tokens by CodeArtifact source: a finding for a failure; None offline."""
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
                    by_domain[domain] = get(source.endpoint, token_variables(domain, sources))
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
        """The repositories with a token, by name of the source."""
        return {
            source.name: Login(source.name, source.endpoint, token)
            for source in self._local.sources
            if source.endpoint is not None
            and (token := self.tokens.get(source.name)) is not None
            and not isinstance(token, Finding)
        }

    def fetch(self, questions: Mapping[Any, Callable[[], Any]], seconds: float) -> dict[Any, Any]:
        """Make requests in parallel and return the answers that arrive in time."""
        seconds = min(seconds, self.limits.left)
        return ask_all(questions, seconds, _THREADS) if questions else {}

    def answer_to(self, question: Callable[[], Any]) -> Any:
        """Return the answer to a request, or None if it does not arrive in time."""
        return self.fetch({0: question}, self.limits.answer).get(0)

    def page_question(self, place: str, name: str, *, head: bool = False) -> Callable[[], Answer]:
        """Return a function that fetches a source's page of a name; ``head`` fetches no body."""
        login = self.logins.get(place)
        if login is not None:
            token = login.token.value
            return partial(self.client.ask_repository, login.endpoint, token, name)
        full = public_index_url(self._local.environ)
        if place != PUBLIC:
            urls = (source.url for source in self._local.sources if source.name == place)
            full = expand(next(urls), self._local.environ)
        _, login_there = login_of(full) or (None, None)
        ask = self.client.ask_index
        return partial(ask, without_credentials(full), name, login_there, head=head)

    def probes(self) -> dict[tuple[str, str], Callable[[], Any]]:
        """Return requests that show whether each repository can be read."""
        return {(name, PROBE): self.page_question(name, PROBE) for name in self.logins}

    def fetch_state(self) -> None:
        """Fetch the identity, and each repository's state and upstreams."""
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
        except Exception as error:  # noqa: BLE001 - botocore raises many types
            return error

    @property
    def identity(self) -> Identity | Exception | None:
        """The identity that AWS sees, or the error; None without an answer."""
        found: Identity | Exception | None = self._of_aws.get(("identity", ""))
        return found

    def chain(self, login: Login) -> Chain | None:
        """Return the upstreams of a repository, if known."""
        found: Chain | None = self._late("chain", login, self.account.chain)
        return found

    def is_missing(self, login: Login) -> bool | None:
        """Whether a repository does not exist, or None if unknown."""
        found: bool | None = self._late("missing", login, self.account.is_missing)
        return found

    def _late(self, about: str, login: Login, call: Callable[[RepositoryEndpoint], Any]) -> Any:
        """Return the answer to a request that only some checks need, or None if unknown."""
        key = (about, login)
        if key not in self._of_aws:
            self._of_aws[key] = self.answer_to(partial(call, login.endpoint))
        return self._of_aws[key]
