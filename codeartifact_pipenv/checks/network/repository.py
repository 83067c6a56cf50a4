"""Why a repository does not serve: its answers read, and AWS asked where they fit two causes."""

from __future__ import annotations

from http import HTTPStatus
from typing import NamedTuple

from codeartifact_pipenv.auth.authorization_token import JUST_MADE, OWN_SOURCES
from codeartifact_pipenv.diagnosis.pages import PROXY, SLOW, TLS
from codeartifact_pipenv.endpoint import RepositoryEndpoint
from codeartifact_pipenv.findings import Finding, failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from codeartifact_pipenv.auth.authorization_token import AuthorizationToken
    from codeartifact_pipenv.diagnosis.account import Account
    from codeartifact_pipenv.diagnosis.pages import Answer, Asker

# A name that may be asked for without meaning anything by it.
PROBE = "pip"
_ASK_FOR_READING = "Ask for codeartifact:ReadFromRepository on that repository."


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


def refusal(login: Login, answers: Iterable[Answer]) -> Finding | None:
    """Say why a repository refuses everybody or does not answer; None where it does.

    A refused token (401) is another matter: see ``refused_token``. A repository that gave any
    answer is reached, however slow the others are.
    """
    given = list(answers)
    if any(answer.is_definite for answer in given):
        given = [answer for answer in given if answer.status is not None]
    for answer in sorted(given, key=lambda answer: answer.trouble == SLOW):
        found = _refusal(login, answer.status, answer.trouble)
        if found is not None:
            return found
    return None


def refusal_of_status(login: Login, status: int | None) -> Finding | None:
    """Say what a status means with which a repository refused a client.

    None is for answers that broke off, of a repository that is reached otherwise.
    """
    if status is None:
        return failure(
            "service-fault",
            login.subject,
            f"The answers of {login.endpoint.host} break off or are garbled.",
            "Try again; if it stays, look at what stands between here and AWS, such as a proxy.",
        )
    return _refusal(login, status, None)


def silence(login: Login, seconds: float) -> Finding:
    """Return the finding for a repository that did not answer within some seconds."""
    return failure(
        "no-answer",
        login.subject,
        f"{login.endpoint.host} has not answered within {seconds:g} seconds; whether it is slow or "
        "down is not known.",
        "Try again, or run `pipenv-ca explain`, which waits longer.",
    )


def _refusal(login: Login, status: int | None, trouble: str | None) -> Finding | None:
    subject, place = login.subject, login.place
    if status is None:
        return _no_answer(login, trouble)
    if status == HTTPStatus.FORBIDDEN:
        return failure(
            "read-denied",
            subject,
            f"AWS accepts the token and denies reading from {place}.",
            _ASK_FOR_READING,
        )
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return failure(
            "throttled",
            subject,
            f"AWS limits how fast packages may be asked for in {place}.",
            "Try again in a moment, with fewer jobs at a time.",
        )
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return failure(
            "service-fault",
            subject,
            f"AWS answers with {status} for {place}.",
            "Try again; if it stays, see the AWS Health Dashboard.",
        )
    return None


def _no_answer(login: Login, trouble: str | None) -> Finding:
    host, subject = login.endpoint.host, login.subject
    if trouble == TLS:
        return failure(
            "tls-untrusted",
            subject,
            f"The TLS certificate of {host} is not trusted here.",
            "Behind a proxy of your company, name its CA bundle in REQUESTS_CA_BUNDLE (for "
            "pipenv and pip) and AWS_CA_BUNDLE (for AWS).",
        )
    if trouble == SLOW:
        return failure(
            "no-answer",
            subject,
            f"{host} is reached and has not answered in time; whether it is slow or down is not "
            "known.",
            "Try again, or run `pipenv-ca explain`, which waits longer.",
        )
    if trouble == PROXY:
        return failure(
            "proxy-down",
            subject,
            f"The proxy for {host} is not reached.",
            "Check HTTPS_PROXY and NO_PROXY.",
        )
    from codeartifact_pipenv.auth.aws_errors import has_codeartifact

    region = login.endpoint.domain.region
    if not has_codeartifact(region):
        return failure(
            "region-unsupported",
            subject,
            f"AWS has no CodeArtifact in {region}, as far as is known here, and {host} is not "
            "reached.",
            "Check the region in the URL of the source.",
        )
    return failure(
        "unreachable",
        subject,
        f"{host} is not reached.",
        "Check the network, and domain, account and region in the URL of the source.",
    )


def refused_token(login: Login, others: Iterable[Login], asker: Asker, account: Account) -> Finding:
    """Say why a repository answers 401 to a token.

    A token does not say which domain it is for, so an inherited one is shown to the other
    domains of the project and of the account, which are CodeArtifact's as well. AWS does not
    say whether a missing permission to read is a 403 or a 401; a token that was made a moment
    ago has no other fault.

    Args:
        login: the repository that refuses.
        others: the project's repositories.
        asker: asks them.
        account: lists the domains of the caller's account.
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
        return failure(
            "token-expired",
            login.subject,
            f"The token for {domain} from {token.source} has expired.",
            renewal,
        )
    if not fetched:
        other = _accepting(login, others, asker, account)
        if other is not None:
            return failure(
                "token-wrong-domain",
                login.subject,
                f"The token from {token.source} is one for {other}, and not for {domain}.",
                f"{renewal} Or name another variable in the URL of source {login.source}.",
            )
    if token.source == JUST_MADE:
        return failure(
            "read-denied",
            login.subject,
            f"AWS has just made the token for {domain} and does not accept it in {login.place}: "
            "reading is denied there.",
            _ASK_FOR_READING,
        )
    return failure(
        "token-revoked",
        login.subject,
        f"AWS does not accept the token for {domain} from {token.source} any more, although "
        "its time is not over: it was revoked, "
        + ("" if fetched else "is one for another domain, ")
        + "or may not read there.",
        renewal,
    )


def _accepting(login: Login, others: Iterable[Login], asker: Asker, account: Account) -> str | None:
    domain = login.endpoint.domain
    places = [other.endpoint for other in others if other.endpoint.domain != domain]
    for other, repository in account.other_repositories(domain) or ():
        host = f"{other.name}-{other.owner}.d.codeartifact.{other.region}.amazonaws.com"
        places.append(RepositoryEndpoint(other, repository, "ipv4", host))
    for endpoint in dict.fromkeys(places):
        answer = asker.ask_repository(endpoint, login.token.value, PROBE)
        if answer.status not in {None, HTTPStatus.UNAUTHORIZED}:
            return str(endpoint.domain)
    return None


def hidden_package(login: Login, name: str) -> Finding:
    """Return the finding for a package that AWS lists, and the repository does not show."""
    return failure(
        "read-denied",
        login.subject,
        f"AWS lists {name} in {login.place} and does not show it: reading is denied, or no "
        "version of it is published.",
        f"{_ASK_FOR_READING} If other packages are shown, see the status of its versions: "
        "`aws codeartifact list-package-versions`.",
    )


def missing_file(login: Login, project: str, filename: str) -> Finding:
    """Return the finding for a file that a page lists, and that the repository does not give."""
    domain = login.endpoint.domain
    return failure(
        "file-missing",
        f"package {project}",
        f"{login.place[0].upper()}{login.place[1:]} lists {filename} and answers 404 for it.",
        "Try again in a minute: CodeArtifact may still be importing it. If it stays, ask the owner of "
        "the repository whether that version was deleted, or is gone from its upstream: `aws "
        f"codeartifact list-package-versions --domain {domain.name} --domain-owner {domain.owner} "
        f"--region {domain.region} --repository {login.endpoint.repository} --format pypi --package "
        f"{project}`.",
    )


def missing_repository(login: Login) -> Finding:
    """Return the finding for a repository that does not exist."""
    return failure(
        "repository-missing",
        login.subject,
        f"There is no {login.place}.",
        f"Correct the URL of source {login.source}; `aws codeartifact list-repositories` shows "
        "what there is.",
    )
