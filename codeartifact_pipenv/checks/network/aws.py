"""Who AWS takes us for, and whether each repository of a project serves us."""

from __future__ import annotations

import time
from http import HTTPStatus

from codeartifact_pipenv.auth.authorization_token import AuthorizationToken
from codeartifact_pipenv.aws.origin import profile_in_environment
from codeartifact_pipenv.causes import finding_for
from codeartifact_pipenv.checks.network import repository
from codeartifact_pipenv.checks.network.repository import PROBE
from codeartifact_pipenv.endpoint import Domain
from codeartifact_pipenv.errors import CodeArtifactPipenvError
from codeartifact_pipenv.findings import WARNING, Finding, ok, warning
from codeartifact_pipenv.project import findings
from codeartifact_pipenv.project.sources import USERNAME
from codeartifact_pipenv.wrapper.absent_files import AbsentFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from codeartifact_pipenv.aws.caller import Terms
    from codeartifact_pipenv.checks.facts import Facts
    from codeartifact_pipenv.checks.network.repository import Login
    from codeartifact_pipenv.lookups.index_client import Answer
    from codeartifact_pipenv.project.sources import Source

# AWS accepts a signature for 5 minutes (AWS general reference, "Signature Version 4").
_MOST_SKEW = 300.0
_SOON_SECONDS = 900.0
# botocore's names for where it found credentials.
_ORIGINS = {
    "env": "the environment",
    "shared-credentials-file": "the credentials file",
    "config-file": "the configuration file",
    "assume-role": "an assumed role",
    "assume-role-with-web-identity": "a web identity",
    "sso": "AWS SSO",
    "login": "aws login",
    "custom-process": "a credential process",
    "container-role": "the container's role",
    "github": "a web identity",
    "iam-role": "the instance's role",
}


def check_run(facts: Facts) -> Iterator[Finding]:
    """Check what a failed command has seen: repositories and files that do not exist."""
    for login in facts.logins.values():
        if facts.says_missing(login):
            yield repository.missing_repository(login)
    for absent in _absent_files(facts):
        for login in facts.logins.values():
            if login.endpoint == absent.endpoint:
                answer = facts.ask_now(facts.question(login.source, absent.project))
                if answer and any(file.name == absent.filename for file in answer.files):
                    yield _missing_file(login, absent.project, absent.filename)


def _absent_files(facts: Facts) -> Iterator[AbsentFile]:
    if facts.failed is not None and facts.failed.absent is not None:
        yield facts.failed.absent
    index = facts.proxy
    for project, refused in (index.observed.refused if index else {}).items():
        if index is not None and refused.filename:
            endpoint = index.sources.upstreams[refused.number].endpoint
            yield AbsentFile(endpoint, project, refused.filename)


def _missing_file(login: Login, project: str, filename: str) -> Finding:
    domain = login.endpoint.domain
    return finding_for(
        "file-missing",
        f"package {project}",
        f"{login.place[0].upper()}{login.place[1:]} lists {filename} and answers 404 for it.",
        "Try again in a minute: CodeArtifact may still be importing it. If it stays, ask the owner of "
        "the repository whether that version was deleted, or is gone from its upstream: `aws "
        f"codeartifact list-package-versions --domain {domain.name} --domain-owner {domain.owner} "
        f"--region {domain.region} --repository {login.endpoint.repository} --format pypi --package "
        f"{project}`.",
    )


def check_logins(facts: Facts) -> Iterator[Finding]:
    """Check the logins that the URLs of a failed command hold: one that works is not a cause."""
    if facts.failed is None or facts.failed.completion is not None:
        return
    for source in facts.sources:
        literal = findings.literal_token(source, facts.environ)
        if literal and _is_refused(facts, source, literal, USERNAME):
            yield from findings.literal_tokens([source], facts.environ)
        login = facts.logins.get(source.name)
        if login and _is_refused(facts, source, login.token.value, source.username):
            yield from findings.wrong_usernames([source])


def _is_refused(facts: Facts, source: Source, token: str, username: str) -> bool:
    endpoint = source.endpoint
    if endpoint is None or not source.has_password:
        return False
    answer = facts.ask_now(lambda: facts.client.ask_repository(endpoint, token, PROBE, username))
    return answer is not None and answer.status == HTTPStatus.UNAUTHORIZED


def check_identity(facts: Facts) -> Iterator[Finding]:
    """Check who AWS takes us for."""
    if facts.offline:
        return
    found, asked = facts.identity, facts.terms
    profile = asked.caller.profile or profile_in_environment()
    if found is None:
        yield warning(
            "no-answer",
            "identity",
            f"AWS has not answered within {facts.limits.answer:g} seconds, so it is not known "
            "who it takes you for.",
            "Try again; `aws sts get-caller-identity` asks the same.",
        )
        return
    if isinstance(found, Exception):
        from codeartifact_pipenv.aws.errors import explain

        domains = (source.endpoint.domain for source in facts.sources if source.endpoint)
        domain = next(domains, Domain("", "", ""))
        result = explain(found, domain, profile, token=True)._replace(subject="identity")
        if isinstance(found, CodeArtifactPipenvError):
            result = found.finding("identity")
        # It works with the tokens that are there, or needs none.
        lacks_token = any(s.endpoint and s.name not in facts.logins for s in facts.sources)
        yield result if lacks_token else result._replace(level=WARNING)
        return
    yield ok("identity", found.arn)
    yield ok("account", found.account)
    said = _origin(asked, found.method, profile)
    if found.expires_at is not None:
        said = f"{said}; they end at {found.expires_at:%Y-%m-%d %H:%M} UTC"
        if found.expires_at.timestamp() - time.time() < _SOON_SECONDS:
            yield finding_for("keys-expiring", "credentials", said)
            return
    yield ok("credentials", said)


def check_tokens(facts: Facts) -> Iterator[Finding]:
    """Check whether there is a token for each repository."""
    told: set[Finding] = set()
    in_files = {finding.code for finding in facts.files.findings} if facts.files else set()
    for source in facts.sources:
        found = facts.tokens.get(source.name) if source.endpoint else None
        if isinstance(found, Finding):
            if found not in told and not (found.code == "dotenv-token" and found.code in in_files):
                yield found
            told.add(found)
        elif found is None and source.endpoint and facts.failed is None:
            place = f"repository {source.endpoint.repository} of {source.endpoint.domain}"
            yield ok(f"source {source.name}", f"{place}; no token at hand")
        elif facts.offline and isinstance(found, AuthorizationToken):
            yield _login_line(facts.logins[source.name], "")


def check_repositories(facts: Facts) -> Iterator[Finding]:
    """Check whether each repository exists and serves us."""
    if facts.offline:
        return
    for login in facts.logins.values():
        answers = facts.answers_of(login)
        skews = [abs(answer.skew) for answer in answers if answer.skew is not None]
        skew = min(skews, default=None)
        if skew is not None and skew > _MOST_SKEW:
            said = f"The clock of this machine differs from AWS's by {skew / 60:.0f} minutes."
            yield login.finding("clock-wrong", said)
        found = _refusal(facts, login, answers)
        if found is not None:
            yield found
            continue
        facts.serving.add(login.source)
        if facts.failed is None:
            clock = "" if skew is None else f", clock {skew:.0f} s apart"
            yield _login_line(login, f", reads allowed, {_public(facts, login)}{clock}")


def _refusal(facts: Facts, login: Login, answers: Sequence[Answer]) -> Finding | None:
    """Say why a repository does not serve us; None if it does, or if that is not known."""
    seen = facts.refusals_of(login)
    statuses = [answer.status for answer in answers if answer.status is not None]
    if facts.says_missing(login):
        return repository.missing_repository(login)
    if HTTPStatus.UNAUTHORIZED in (statuses or seen):
        others = facts.logins.values()
        return repository.refused_token(login, others, facts.client, facts.account)
    refusals = (repository.refusal_of_status(login, status) for status in seen)
    found = repository.refusal(login, answers) or next(filter(None, refusals), None)
    if found is None and not answers:
        return repository.silence(login, f"has not answered within {facts.limits.answer:g} seconds")
    is_seen = facts.failed is not None and any(answer.has_page for answer in answers)
    if found is None and not is_seen and facts.is_missing(login):
        return repository.missing_repository(login)
    return found


def _login_line(login: Login, more: str) -> Finding:
    domain, token = login.endpoint.domain, login.token
    return ok(
        login.subject,
        f"repository {login.endpoint.repository} of domain {domain.name}, owner {domain.owner}, "
        f"{domain.region} ({login.endpoint.kind}); token from {token.source}, "
        f"{until(token)}{more}",
    )


def until(token: AuthorizationToken) -> str:
    """Say until when a token is valid."""
    if token.expires_at is None:
        return "until when is not known"
    return f"good until {token.expires_at:%Y-%m-%d %H:%M} UTC"


def _origin(asked: Terms, method: str, profile: str | None) -> str:
    keys, role = asked.caller.keys, asked.caller.role
    in_role = f", in role {role}" if role else ""
    if keys is not None:
        return f"access key {keys.key_id}, from {asked.origin}{in_role}"
    where = _ORIGINS.get(method, method or "an unknown place")
    return f"from {where}" + (f", profile {profile}" if profile else "") + in_role


def _public(facts: Facts, login: Login) -> str:
    chain = facts.chain(login)
    if chain is None:
        denied = "DescribeRepository" in facts.account.denied
        why = "codeartifact:DescribeRepository is not allowed" if denied else "AWS did not answer"
        return f"upstreams not known ({why})"
    behind = f"upstreams {', '.join(chain.upstreams)}" if chain.upstreams else "no upstreams"
    reach = f"reaches public PyPI by {chain.public}" if chain.public else "does not reach PyPI"
    return f"{behind}, {reach}"
