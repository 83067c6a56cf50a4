"""What a command that failed has seen while it ran."""

from __future__ import annotations

from http import HTTPStatus

from codeartifact_pipenv.checks.network import repository
from codeartifact_pipenv.checks.network.repository import PROBE
from codeartifact_pipenv.project import findings
from codeartifact_pipenv.wrapper.absent_files import AbsentFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from codeartifact_pipenv.checks.facts import Facts
    from codeartifact_pipenv.findings import Finding
    from codeartifact_pipenv.project.sources import Source


def check_run(facts: Facts) -> Iterator[Finding]:
    """Check for repositories that do not exist, and for files that their pages list in vain."""
    for login in facts.logins.values():
        if facts.says_missing(login):
            yield repository.missing_repository(login)
    for absent in _absent_files(facts):
        for login in facts.logins.values():
            if login.endpoint != absent.endpoint:
                continue
            question = facts.plan.question(login.source, absent.project)
            answer = facts.ask({0: question}, facts.limits.answer).get(0)
            if answer and any(file.name == absent.filename for file in answer.files):
                yield repository.missing_file(login, absent.project, absent.filename)


def _absent_files(facts: Facts) -> Iterator[AbsentFile]:
    failed = facts.failed
    if failed is None:
        return
    if failed.absent is not None:
        yield failed.absent
    index = failed.proxy
    for project, refused in (index.refused if index else {}).items():
        if index is not None and refused.filename:
            endpoint = index.upstreams[refused.number].endpoint
            yield AbsentFile(endpoint, project, refused.filename)


def check_logins(facts: Facts) -> Iterator[Finding]:
    """Check the logins that the URLs themselves hold: one that works is not a cause."""
    if facts.failed is None or facts.failed.completion is not None:
        return
    for source in facts.sources:
        literal = findings.literal_token(source, facts.environ)
        if literal and _is_refused(facts, source, literal, findings.USERNAME):
            yield from findings.literal_tokens([source], facts.environ)
        login = facts.logins.get(source.name)
        if login and _is_refused(facts, source, login.token.value, source.username):
            yield from findings.wrong_usernames([source])


def _is_refused(facts: Facts, source: Source, token: str, username: str) -> bool:
    endpoint = source.endpoint
    if endpoint is None or not source.has_password:
        return False
    question = lambda: facts.client.ask_repository(endpoint, token, PROBE, username)  # noqa: E731
    answer = facts.ask({0: question}, facts.limits.answer).get(0)
    return answer is not None and answer.status == HTTPStatus.UNAUTHORIZED
