"""Why a repository does not serve: its answers read, and AWS asked where they fit two causes."""

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

# A name that may be asked for without meaning anything by it.
PROBE = "pip"


class Login(NamedTuple):
    """A repository, and what is shown to it.

    Attributes:
        source: the name of the Pipfile's source.
        endpoint: where it is.
        token: its domain's token.
    """

    source: str
    endpoint: RepositoryEndpoint
    token: AuthorizationToken

    @property
    def subject(self) -> str:
        """What findings call it."""
        return f"source {self.source}"

    @property
    def place(self) -> str:
        """What sentences call it."""
        return f"repository {self.endpoint.repository} of {self.endpoint.domain}"

    def finding(self, code: str, sentence: str, hint: str | None = None) -> Finding:
        """Return a finding on it."""
        return finding_for(code, self.subject, sentence, hint)


def refusal(login: Login, answers: Iterable[Answer]) -> Finding | None:
    """Say why a repository refuses everybody or does not answer; None where it does.

    A refused token (401) is another matter: see ``refused_token``. A repository that gave any
    answer is reached, however slow the others are.
    """
    given = list(answers)
    if any(answer.is_definite for answer in given):
        given = [answer for answer in given if answer.status is not None]
    for answer in sorted(given, key=lambda answer: answer.trouble == SLOW):
        if answer.status is None:
            return _no_answer(login, answer.trouble)
        found = refusal_of_status(login, answer.status)
        if found is not None:
            return found
    return None


def refusal_of_status(login: Login, status: int | None) -> Finding | None:
    """Say what a status means with which a repository refused a client.

    None is for answers that broke off, of a repository that is reached otherwise.
    """
    if status is None:
        return login.finding(
            "service-fault",
            f"The answers of {login.endpoint.host} break off or are garbled.",
            "Try again; if it stays, look at what stands between here and AWS, such as a proxy.",
        )
    if status == HTTPStatus.FORBIDDEN:
        said = f"AWS accepts the token and denies reading from {login.place}."
        return login.finding("read-denied", said)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        said = f"AWS limits how fast packages may be asked for in {login.place}."
        return login.finding("throttled", said)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        said = f"AWS answers with {status} for {login.place}."
        return login.finding("service-fault", said)
    return None


def silence(login: Login, waited: str) -> Finding:
    """Return the finding for a repository that did not answer in time."""
    said = f"{login.endpoint.host} {waited}; whether it is slow or down is not known."
    return login.finding("no-answer", said)


def _no_answer(login: Login, trouble: str | None) -> Finding:
    host, region = login.endpoint.host, login.endpoint.domain.region
    if trouble == TLS:
        said = f"The TLS certificate of {host} is not trusted here."
        return login.finding("tls-untrusted", said)
    if trouble == SLOW:
        return silence(login, "is reached and has not answered in time")
    if trouble == PROXY:
        return login.finding("proxy-down", f"The proxy for {host} is not reached.")
    from codeartifact_pipenv.aws.failure import has_codeartifact

    if has_codeartifact(region):
        return login.finding("unreachable", f"{host} is not reached.")
    said = (
        f"AWS has no CodeArtifact in {region}, as far as is known here, and {host} is not reached."
    )
    return login.finding("region-unsupported", said)


def refused_token(
    login: Login, others: Iterable[Login], asker: IndexClient, account: BestEffortAwsApi
) -> Finding:
    """Say why a repository answers 401 to a token.

    A token does not say which domain it is for, so an inherited one is shown to the other
    domains of the project and of the account, which are CodeArtifact's as well. AWS does not
    say whether a missing permission to read is a 403 or a 401; a token that was made a moment
    ago has no other fault.
    """
    token, domain = login.token, login.endpoint.domain
    fetched = token.source in OWN_SOURCES
    place, _, name = token.source.rstrip(")").rpartition(" (")
    if fetched:
        renewal = "Run the command again with --ca-refresh."
    elif place == "the environment":
        renewal = f"Unset {name} to have a token fetched, or set it to a new one."
    elif not place:
        renewal = f"Have {token.source} give another token."
    else:
        # (pipenv loads that file over a fresh token, so that --ca-refresh does not help.)
        renewal = f"Remove {name} from {place} to have a token fetched."
    if token.has_expired():
        said = f"The token for {domain} from {token.source} has expired."
        return login.finding("token-expired", said, renewal)._replace(level=FAILURE)
    other = None if fetched else _accepting(login, others, asker, account)
    if other is not None:
        said = f"The token from {token.source} is one for {other}, and not for {domain}."
        hint = f"{renewal} Or name another variable in the URL of source {login.source}."
        return login.finding("token-wrong-domain", said, hint)
    if token.source == FROM_AWS:
        return login.finding(
            "read-denied",
            f"AWS has just made the token for {domain} and does not accept it in {login.place}: "
            "reading is denied there.",
        )
    return login.finding(
        "token-revoked",
        f"AWS does not accept the token for {domain} from {token.source} any more, although "
        "its time is not over: it was revoked, "
        + ("" if fetched else "is one for another domain, ")
        + "or may not read there.",
        renewal,
    )


def _accepting(
    login: Login, others: Iterable[Login], asker: IndexClient, account: BestEffortAwsApi
) -> str | None:
    domain = login.endpoint.domain
    places = [other.endpoint for other in others if other.endpoint.domain != domain]
    for other, repository in account.other_repositories(login.endpoint) or ():
        host = f"{other.name}-{other.owner}.d.codeartifact.{other.region}.amazonaws.com"
        places.append(RepositoryEndpoint(other, repository, "ipv4", host))
    for endpoint in dict.fromkeys(places):
        answer = asker.ask_repository(endpoint, login.token.value, PROBE)
        if answer.status not in {None, HTTPStatus.UNAUTHORIZED}:
            return str(endpoint.domain)
    return None
