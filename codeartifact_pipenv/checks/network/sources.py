"""AWS and the project's sources: who we are there, and whether each repository serves us."""

from __future__ import annotations

import os
import time
from email.utils import parsedate_to_datetime
from functools import partial
from http import HTTPStatus
from typing import NamedTuple

from codeartifact_pipenv.auth.resolver import Resolver
from codeartifact_pipenv.checks.network import repository
from codeartifact_pipenv.checks.network.context import of_error
from codeartifact_pipenv.checks.network.environment import until
from codeartifact_pipenv.checks.network.repository import PROBE, Login
from codeartifact_pipenv.diagnosis.parallel import ask_all
from codeartifact_pipenv.errors import CodeArtifactPipenvError
from codeartifact_pipenv.findings import Finding, failure, ok, warning
from codeartifact_pipenv.project import findings
from codeartifact_pipenv.project.sources import variables_of, without_credentials
from codeartifact_pipenv.wrapper.route import choose_route

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from codeartifact_pipenv.auth.terms import Terms
    from codeartifact_pipenv.checks.network.context import Context
    from codeartifact_pipenv.diagnosis.account import Account
    from codeartifact_pipenv.diagnosis.pages import Answer, Asker
    from codeartifact_pipenv.diagnosis.repository_api import Chain
    from codeartifact_pipenv.endpoint import Domain
    from codeartifact_pipenv.project.sources import Source

_SECONDS = 8.0
# AWS takes a signature for 5 minutes (AWS general reference, "Signature Version 4").
_MOST_SKEW = 300.0
_SOON_SECONDS = 900.0


class Sources:
    """What was found out about AWS and the sources.

    Args:
        context: the visit.
        asker: asks indexes.
        account: asks AWS.

    Attributes:
        aws: the lines on the identity.
        findings: the lines on the sources.
        logins: the repositories that may be asked, by name of the source.
        serving: those of them that serve.
        is_readable: whether it is clear where every source is.
    """

    def __init__(self, context: Context, asker: Asker, account: Account) -> None:
        self._context = context
        self._asker = asker
        self._account = account
        self.aws: list[Finding] = []
        self.findings: list[Finding] = []
        self.logins: dict[str, Login] = {}
        self.serving: set[str] = set()
        self.is_readable = True
        self._errors: dict[Domain, CodeArtifactPipenvError] = {}
        self._look_at_files()
        self._get_tokens()
        if not context.offline:
            self._look_at_repositories()

    def _look_at_files(self) -> None:
        context = self._context
        project = context.project
        if project is None:
            return
        if project.pipfile is None:
            self.findings.append(
                warning(
                    "pipfile-missing",
                    "Pipfile",
                    "There is no Pipfile here or above.",
                    "Run this in a project, or make one with `pipenv-ca install`.",
                )
            )
        near = False
        for source in context.sources:
            if source.endpoint is not None:
                continue
            if source.resembles:
                said = f"It resembles CodeArtifact and gets no token: {source.resembles}."
                hint = f"Correct the URL in {source.origin}."
                self.findings.append(warning("near-miss", f"source {source.name}", said, hint))
                near = True
            else:
                url = without_credentials(source.url)
                said = f"{url}: another index, left alone"
                self.findings.append(ok(f"source {source.name}", said))
        passwords = {source.variable for source in context.sources if source.variable}
        unset = findings.unset_variables(context.sources, project.environ, passwords)
        self.is_readable = not unset and not near
        if not unset:
            try:
                project.assign_variables(context.sources)
            except CodeArtifactPipenvError as error:
                # Nor may a question of ours take a token to where it does not belong.
                self.is_readable = False
                self.findings.append(of_error(error, "sources"))
        self.findings += [
            *unset,
            *findings.wrong_usernames(context.sources),
            *findings.literal_tokens(context.sources, project.environ),
            *findings.urls_without_simple(context.sources, project.environ),
        ]

    def _get_tokens(self) -> None:
        context = self._context
        dotenv = context.project.dotenv if context.project else None
        resolver = Resolver(context.settings, os.environ, context.report, dotenv)
        for source in context.sources:
            endpoint = source.endpoint
            if endpoint is None or endpoint.domain in self._errors:
                continue
            variables = variables_of(endpoint.domain, context.sources)
            try:
                if context.offline:
                    token = resolver.known(endpoint, variables)
                else:
                    token = resolver.token(endpoint, variables)
            except CodeArtifactPipenvError as error:
                self._errors[endpoint.domain] = error
                found = of_error(error, f"source {source.name}")
                self.findings.append(found)
                continue
            if token is None:
                said = f"repository {endpoint.repository} of {endpoint.domain}; no token at hand"
                self.findings.append(ok(f"source {source.name}", said))
            else:
                self.logins[source.name] = Login(source.name, endpoint, token)
                if context.offline:
                    self.findings.append(self._login_line(self.logins[source.name], ""))

    def _look_at_repositories(self) -> None:
        region = next((s.endpoint.domain.region for s in self._context.sources if s.endpoint), None)
        questions: dict[Any, Callable[[], Any]] = {}
        if region is not None:
            questions["identity"] = lambda: self._identity(region)
        for login in self.logins.values():
            endpoint, token = login.endpoint, login.token.value
            ask = partial(self._asker.ask_repository, endpoint, token, PROBE)
            questions["probe", login.source] = ask
            questions["chain", login.source] = partial(self._account.chain, endpoint)
            questions["missing", login.source] = partial(self._account.is_missing, endpoint)
        answers = ask_all(questions, _SECONDS)
        self.aws += answers.get("identity", [])
        for login in self.logins.values():
            self.findings += self._repository(
                login,
                answers.get(("probe", login.source)),
                answers.get(("chain", login.source)),
                missing=answers.get(("missing", login.source)),
            )

    def _identity(self, region: str) -> list[Finding]:
        from codeartifact_pipenv.auth.aws_errors import explain
        from codeartifact_pipenv.endpoint import Domain
        from codeartifact_pipenv.errors import TokenError

        asked = self._context.terms()
        profile = asked.profile or os.environ.get("AWS_PROFILE")
        try:
            found = self._account.identity(region)
        except Exception as error:  # noqa: BLE001 - botocore raises what it likes
            domain = next(
                (s.endpoint.domain for s in self._context.sources if s.endpoint),
                Domain("", "", region),
            )
            said = of_error(TokenError(*explain(error, domain, profile, token=True)), "identity")
            if self.logins and not self._errors:
                # It works with the tokens that are there.
                said = said._replace(level="warning")
            return [said]
        lines = [
            ok("identity", found.arn),
            ok("account", found.account),
            ok("credentials", _origin(asked, found.method, profile)),
        ]
        if found.expires_at is not None:
            left = found.expires_at.timestamp() - time.time()
            text = f"end at {found.expires_at:%Y-%m-%d %H:%M} UTC"
            lines[-1] = lines[-1]._replace(sentence=f"{lines[-1].sentence}; they {text}")
            if left < _SOON_SECONDS:
                hint = "Log in again before a longer command."
                lines[-1] = warning("keys-expiring", "credentials", lines[-1].sentence, hint)
        return lines

    def _repository(
        self, login: Login, probe: Answer | None, chain: Chain | None, *, missing: bool | None
    ) -> Iterator[Finding]:
        if probe is None:
            yield failure(
                "unreachable",
                login.subject,
                f"{login.endpoint.host} has not answered within {_SECONDS:.0f} seconds.",
                "Check the network.",
            )
            return
        skew = _skew(probe.date)
        if skew is not None and abs(skew) > _MOST_SKEW:
            yield failure(
                "clock-wrong",
                login.subject,
                f"The clock of this machine differs from AWS's by {abs(skew) / 60:.0f} minutes.",
                "Set the clock; AWS takes no signature that is 5 minutes off.",
            )
        if probe.status == HTTPStatus.UNAUTHORIZED:
            others = self.logins.values()
            yield repository.refused_token(login, others, self._asker, self._account)
            return
        refused = repository.refusal(login, [probe])
        if refused is not None:
            yield refused
            return
        if missing:
            yield repository.missing_repository(login)
            return
        self.serving.add(login.source)
        clock = "" if skew is None else f", clock {abs(skew):.0f} s apart"
        yield self._login_line(login, f", reads allowed, {_public(chain)}{clock}")

    def _login_line(self, login: Login, more: str) -> Finding:
        domain = login.endpoint.domain
        token = login.token
        return ok(
            login.subject,
            f"repository {login.endpoint.repository} of domain {domain.name}, owner "
            f"{domain.owner}, {domain.region} ({login.endpoint.kind}); token from {token.source}, "
            f"{until(token)}{more}",
        )


class Route(NamedTuple):
    """By which way a ``lock`` would see the sources, and why."""

    name: str
    why: str


def route_of(context: Context) -> Route | None:
    """Return the route that a ``lock`` would take; None without a project."""
    if context.project is None or context.project.pipfile is None:
        return None
    try:
        sources: list[Source] = context.project.pipfile_sources()
    except CodeArtifactPipenvError:
        return None
    version = context.pipenv.version() if context.pipenv else None
    name, why = choose_route("lock", [], sources, pip=False, version=version, builds=False)
    wanted = context.settings.text("route")
    return Route(wanted, "it is set so") if wanted else Route(name, why)


def _origin(asked: Terms, method: str, profile: str | None) -> str:
    if asked.keys is not None:
        return f"access key {asked.keys.key_id}, from {asked.origin}"
    # botocore's names for where it found them.
    names = {
        "env": "the environment",
        "shared-credentials-file": "the credentials file",
        "config-file": "the configuration file",
        "assume-role": "an assumed role",
        "assume-role-with-web-identity": "a web identity",
        "sso": "AWS SSO",
        "login": "aws login",
        "custom-process": "a credential process",
        "container-role": "the container's role",
        "iam-role": "the instance's role",
    }
    where = names.get(method, method or "an unknown place")
    return f"from {where}" + (f", profile {profile}" if profile else "")


def _public(chain: Chain | None) -> str:
    if chain is None:
        return "upstreams not known (codeartifact:DescribeRepository is not allowed)"
    behind = f"upstreams {', '.join(chain.upstreams)}" if chain.upstreams else "no upstreams"
    reach = f"reaches public PyPI by {chain.public}" if chain.public else "does not reach PyPI"
    return f"{behind}, {reach}"


def _skew(date: str) -> float | None:
    try:
        return time.time() - parsedate_to_datetime(date).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None
