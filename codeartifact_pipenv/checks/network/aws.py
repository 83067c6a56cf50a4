"""Checks of the AWS identity, and of access to each repository of a project."""

from __future__ import annotations

import time
from http import HTTPStatus

from codeartifact_pipenv.aws.origin import profile_in_environment
from codeartifact_pipenv.causes import finding_for
from codeartifact_pipenv.checks.network import repository
from codeartifact_pipenv.checks.network.repository import PROBE
from codeartifact_pipenv.endpoint import Domain
from codeartifact_pipenv.errors import CodeArtifactPipenvError
from codeartifact_pipenv.findings import WARNING, Finding, ok, warning
from codeartifact_pipenv.project import findings
from codeartifact_pipenv.project.sources import USERNAME

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from codeartifact_pipenv.auth.authorization_token import AuthorizationToken
    from codeartifact_pipenv.aws.caller import Terms
    from codeartifact_pipenv.checks.facts import Facts
    from codeartifact_pipenv.checks.network.repository import Login
    from codeartifact_pipenv.lookups.index_client import Answer
    from codeartifact_pipenv.project.sources import Source

# AWS accepts signatures for 5 minutes (AWS general reference, "Signature Version 4").
_MOST_SKEW = 300.0
_SOON_SECONDS = 900.0
# By botocore's name for the source of credentials.
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


def check_missing(facts: Facts) -> Iterator[Finding]:
    """Check for repositories and files that a failed command did not find."""
    network, logins = facts.network, facts.network.logins.values()
    yield from (_missing_repository(login) for login in logins if facts.run.says_missing(login))
    for absent in facts.run.absent_files():
        for login in logins:
            if login.endpoint == absent.endpoint:
                answer = network.answer_to(network.page_question(login.source, absent.project))
                if answer and any(file.name == absent.filename for file in answer.files):
                    yield _missing_file(login, absent.project, absent.filename)


def _missing_repository(login: Login) -> Finding:
    return login.finding(
        "repository-missing",
        f"There is no {login.place}.",
        f"Correct the URL of source {login.source}; `aws codeartifact list-repositories` lists "
        "the repositories.",
    )


def _missing_file(login: Login, project: str, filename: str) -> Finding:
    domain = login.endpoint.domain
    return finding_for(
        "file-missing",
        f"package {project}",
        f"{login.place[0].upper()}{login.place[1:]} lists {filename} and answers 404 for it.",
        "Try again in a minute: CodeArtifact may still be importing it. If it persists, ask the owner "
        "of the repository whether the version was deleted there or upstream: `aws "
        f"codeartifact list-package-versions --domain {domain.name} --domain-owner {domain.owner} "
        f"--region {domain.region} --repository {login.endpoint.repository} --format pypi --package "
        f"{project}`.",
    )


def check_logins(facts: Facts) -> Iterator[Finding]:
    """Check the logins in the URLs of a failed command; report those that AWS refuses."""
    if facts.run.failed is None or facts.run.combined_sources is not None:
        return
    environ = facts.local.environ
    for source in facts.local.sources:
        literal = findings.literal_token(source, environ)
        if literal and _is_refused(facts, source, literal, USERNAME):
            yield from findings.literal_tokens([source], environ)
        login = facts.network.logins.get(source.name)
        if login and _is_refused(facts, source, login.token.value, source.username):
            yield from findings.wrong_usernames([source])


def _is_refused(facts: Facts, source: Source, token: str, username: str) -> bool:
    endpoint, network = source.endpoint, facts.network
    if endpoint is None or not source.has_password:
        return False
    answer = network.answer_to(
        lambda: network.client.ask_repository(endpoint, token, PROBE, username)
    )
    return answer is not None and answer.status == HTTPStatus.UNAUTHORIZED


def check_identity(facts: Facts) -> Iterator[Finding]:
    """Check which identity AWS sees."""
    if facts.network.is_offline:
        return
    found, terms = facts.state.identity, facts.local.terms
    profile = terms.caller.profile or profile_in_environment()
    if found is None:
        yield warning(
            "no-answer",
            "identity",
            f"AWS did not answer within {facts.network.limits.answer:g} seconds, so your identity "
            "is unknown.",
            "Try again, or run `aws sts get-caller-identity`.",
        )
    elif isinstance(found, Exception):
        yield _unknown_identity(facts, found, profile)
    else:
        yield ok("identity", found.arn)
        yield ok("account", found.account)
        origin, end = _origin(terms, found.method, profile), found.expires_at
        origin = origin if end is None else f"{origin}; they end at {end:%Y-%m-%d %H:%M} UTC"
        ends_soon = end is not None and end.timestamp() - time.time() < _SOON_SECONDS
        expiring = finding_for("keys-expiring", "credentials", origin)
        yield expiring if ends_soon else ok("credentials", origin)


def _unknown_identity(facts: Facts, error: Exception, profile: str | None) -> Finding:
    from codeartifact_pipenv.aws.errors import explain

    repositories = [source for source in facts.local.sources if source.endpoint]
    domain = next((s.endpoint.domain for s in repositories if s.endpoint), Domain("", "", ""))
    if isinstance(error, CodeArtifactPipenvError):
        found = error.finding("identity")
    else:
        found = explain(error, domain, profile, token=True)._replace(subject="identity")
    # Without a missing token, the project works without an identity.
    lacks_token = any(source.name not in facts.network.logins for source in repositories)
    return found if lacks_token else found._replace(level=WARNING)


def check_tokens(facts: Facts) -> Iterator[Finding]:
    """Check that each repository has a token."""
    network, reported = facts.network, set[Finding]()
    in_files = {finding.code for finding in facts.local.file_findings} & {"dotenv-token"}
    for source in facts.local.sources:
        if source.endpoint is None:
            continue
        token = network.tokens.get(source.name)
        if isinstance(token, Finding):
            if token not in reported and token.code not in in_files:
                yield token
            reported.add(token)
        elif token is None and facts.run.failed is None:
            place = f"repository {source.endpoint.repository} of {source.endpoint.domain}"
            yield ok(f"source {source.name}", f"{place}; no token at hand")
        elif token is not None and network.is_offline:
            yield _login_line(network.logins[source.name], "")


def check_repositories(facts: Facts) -> Iterator[Finding]:
    """Check that each repository exists and can be read."""
    for login in () if facts.network.is_offline else facts.network.logins.values():
        answers = facts.answers_of(login)
        skews = [abs(answer.skew) for answer in answers if answer.skew is not None]
        skew = min(skews, default=None)
        if skew is not None and skew > _MOST_SKEW:
            sentence = f"This machine's clock differs from AWS's by {skew / 60:.0f} minutes."
            yield login.finding("clock-wrong", sentence)
        found = _refusal(facts, login, answers)
        if found is not None:
            yield found
            continue
        facts.serving.add(login.source)
        if facts.run.failed is None:
            clock = "" if skew is None else f", clock {skew:.0f} s apart"
            yield _login_line(login, f", reads allowed, {_upstreams(facts, login)}{clock}")


def _refusal(facts: Facts, login: Login, answers: Sequence[Answer]) -> Finding | None:
    """Explain why a repository cannot be read, if that is so."""
    network, seen = facts.network, facts.run.refusals_of(login)
    statuses = [answer.status for answer in answers if answer.status is not None]
    if facts.run.says_missing(login):
        return _missing_repository(login)
    if HTTPStatus.UNAUTHORIZED in (statuses or seen):
        others = network.logins.values()
        return repository.explain_refused_token(login, others, network.client, network.account)
    refusals = (repository.explain_status(login, status) for status in seen)
    found = repository.explain_refusal(login, answers) or next(filter(None, refusals), None)
    if found is None and not answers:
        waited = f"did not answer within {network.limits.answer:g} seconds"
        return repository.no_answer(login, waited)
    is_seen = facts.run.failed is not None and any(answer.has_page for answer in answers)
    if found is None and not is_seen and network.is_missing(login):
        return _missing_repository(login)
    return found


def _login_line(login: Login, more: str) -> Finding:
    domain, token = login.endpoint.domain, login.token
    return ok(
        login.subject,
        f"repository {login.endpoint.repository} of domain {domain.name}, owner {domain.owner}, "
        f"{domain.region} ({login.endpoint.kind}); token from {token.source}, "
        f"{describe_validity(token)}{more}",
    )


def describe_validity(token: AuthorizationToken) -> str:
    """Describe how long a token is valid."""
    if token.expires_at is None:
        return "of unknown expiry"
    return f"valid until {token.expires_at:%Y-%m-%d %H:%M} UTC"


def _origin(terms: Terms, method: str, profile: str | None) -> str:
    keys, role = terms.caller.keys, terms.caller.role
    in_role = f", in role {role}" if role else ""
    if keys is not None:
        return f"access key {keys.key_id}, from {terms.origin}{in_role}"
    where = _ORIGINS.get(method, method or "an unknown place")
    return f"from {where}" + (f", profile {profile}" if profile else "") + in_role


def _upstreams(facts: Facts, login: Login) -> str:
    chain = facts.network.chain(login)
    if chain is None:
        denied = "DescribeRepository" in facts.network.account.denied
        why = "codeartifact:DescribeRepository is not allowed" if denied else "AWS did not answer"
        return f"upstreams unknown ({why})"
    behind = f"upstreams {', '.join(chain.upstreams)}" if chain.upstreams else "no upstreams"
    reach = f"reaches public PyPI by {chain.public}" if chain.public else "does not reach PyPI"
    return f"{behind}, {reach}"
