"""Explains why a repository cannot be read, from its responses and the AWS API."""

from __future__ import annotations

from http import HTTPStatus
from typing import NamedTuple

from codeartifact_pipenv.auth.authorization_token import FROM_AWS, OWN_SOURCES
from codeartifact_pipenv.causes import finding_for
from codeartifact_pipenv.endpoint import RepositoryEndpoint
from codeartifact_pipenv.findings import FAILURE, Finding
from codeartifact_pipenv.lookups.index_client import PROXY, SLOW, TLS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from codeartifact_pipenv.auth.authorization_token import AuthorizationToken
    from codeartifact_pipenv.lookups.aws_api import BestEffortAwsApi
    from codeartifact_pipenv.lookups.index_client import Answer, IndexClient

# A package name for test requests.
PROBE = "pip"


class Login(NamedTuple):
    """A repository and its token.

    Attributes:
        source: the name of the Pipfile's source.
        endpoint: the repository's endpoint.
        token: the token of its domain.
    """

    source: str
    endpoint: RepositoryEndpoint
    token: AuthorizationToken

    @property
    def subject(self) -> str:
        """Its name as the subject of findings."""
        return f"source {self.source}"

    @property
    def place(self) -> str:
        """Its name in sentences."""
        return f"repository {self.endpoint.repository} of {self.endpoint.domain}"

    def finding(self, code: str, sentence: str, hint: str | None = None) -> Finding:
        """Return a finding about it."""
        return finding_for(code, self.subject, sentence, hint)


def explain_refusal(login: Login, answers: Iterable[Answer]) -> Finding | None:
    """Explain why a repository fails all requests, if it does.

    ``explain_refused_token`` explains 401. One definite answer shows that the repository can be
    reached, even if others time out.
    """
    given = list(answers)
    if any(answer.is_definite for answer in given):
        given = [answer for answer in given if answer.status is not None]
    for answer in sorted(given, key=lambda answer: answer.failure == SLOW):
        if answer.status is None:
            return _explain_failure(login, answer.failure)
        found = explain_status(login, answer.status)
        if found is not None:
            return found
    return None


def explain_status(login: Login, status: int | None) -> Finding | None:
    """Explain an error status of a repository; None stands for a truncated response."""
    if status is None:
        return login.finding(
            "service-fault",
            f"The responses of {login.endpoint.host} are incomplete or damaged.",
            "Try again; if it persists, check proxies between here and AWS.",
        )
    if status == HTTPStatus.FORBIDDEN:
        sentence = f"AWS accepts the token but denies reading from {login.place}."
        return login.finding("read-denied", sentence)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        sentence = f"AWS limits the request rate for {login.place}."
        return login.finding("throttled", sentence)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        sentence = f"AWS answers {status} for {login.place}."
        return login.finding("service-fault", sentence)
    return None


def no_answer(login: Login, waited: str) -> Finding:
    """Return the finding for a repository that did not answer in time."""
    sentence = f"{login.endpoint.host} {waited}; it is slow or down."
    return login.finding("no-answer", sentence)


def _explain_failure(login: Login, failure: str | None) -> Finding:
    host, region = login.endpoint.host, login.endpoint.domain.region
    if failure == TLS:
        sentence = f"The TLS certificate of {host} is not trusted here."
        return login.finding("tls-untrusted", sentence)
    if failure == SLOW:
        return no_answer(login, "accepted the connection but did not answer in time")
    if failure == PROXY:
        return login.finding("proxy-down", f"The proxy for {host} cannot be reached.")
    from codeartifact_pipenv.aws.failure import has_codeartifact

    if has_codeartifact(region):
        return login.finding("unreachable", f"{host} cannot be reached.")
    sentence = f"{host} cannot be reached; CodeArtifact may not exist in {region}."
    return login.finding("region-unsupported", sentence)


def explain_refused_token(
    login: Login, others: Iterable[Login], client: IndexClient, account: BestEffortAwsApi
) -> Finding:
    """Explain why a repository answers 401 to a token.

    A token does not name its domain, so an inherited one is tried in the other CodeArtifact
    domains of the project and of the account. AWS does not document whether a missing read
    permission is 403 or 401; for a new token it is the only explanation.
    """
    token, domain = login.token, login.endpoint.domain
    fetched = token.source in OWN_SOURCES
    place, _, name = token.source.rstrip(")").rpartition(" (")
    if fetched:
        renewal = "Run the command again with --ca-refresh."
    elif place == "the environment":
        renewal = f"Unset {name} so that pipenv-ca gets a token, or set it to a new one."
    elif not place:
        renewal = f"Make {token.source} return another token."
    else:
        # pipenv loads that file over a fresh token, so --ca-refresh does not help.
        renewal = f"Remove {name} from {place} so that pipenv-ca gets a token."
    if token.has_expired():
        sentence = f"The token for {domain} from {token.source} has expired."
        return login.finding("token-expired", sentence, renewal)._replace(level=FAILURE)
    other = None if fetched else _accepting_domain(login, others, client, account)
    if other is not None:
        sentence = f"The token from {token.source} is for {other}, not for {domain}."
        hint = f"{renewal} Or use another variable in the URL of source {login.source}."
        return login.finding("token-wrong-domain", sentence, hint)
    if token.source == FROM_AWS:
        return login.finding(
            "read-denied",
            f"AWS does not accept the new token for {domain} in {login.place}: reading is denied "
            "there.",
        )
    return login.finding(
        "token-revoked",
        f"AWS no longer accepts the token for {domain} from {token.source}, although it has not "
        "expired: it was revoked, "
        + ("" if fetched else "is for another domain, ")
        + "or may not read there.",
        renewal,
    )


def _accepting_domain(
    login: Login, others: Iterable[Login], client: IndexClient, account: BestEffortAwsApi
) -> str | None:
    domain = login.endpoint.domain
    places = [other.endpoint for other in others if other.endpoint.domain != domain]
    for other, repository in account.other_repositories(login.endpoint) or ():
        host = f"{other.name}-{other.owner}.d.codeartifact.{other.region}.amazonaws.com"
        places.append(RepositoryEndpoint(other, repository, "ipv4", host))
    for endpoint in dict.fromkeys(places):
        answer = client.ask_repository(endpoint, login.token.value, PROBE)
        if answer.status not in {None, HTTPStatus.UNAUTHORIZED}:
            return str(endpoint.domain)
    return None
