"""Gives others access to a repository, with statements in the policies of domain and repository.

A principal is added to a statement that allows exactly the same, or with a new statement. Other
statements stay.
"""

from __future__ import annotations

import json
import re
from typing import Any

from codeartifact_pipenv.errors import UsageError
from codeartifact_pipenv.provision.aws import OvertakenError
from codeartifact_pipenv.provision.documents import READ, allow, meaning, packages_arn
from codeartifact_pipenv.provision.plan import Step

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from codeartifact_pipenv.endpoint import Domain
    from codeartifact_pipenv.provision.aws import Aws

Statement = dict[str, Any]

_ORGANIZATION = "aws:PrincipalOrgID"
# (A domain's policy cannot give sts:GetServiceBearerToken: that is for each identity's own.)
_TOKEN = ("DescribeDomain", "GetAuthorizationToken")


def read_principal(word: str) -> str:
    """Return the ARN of an account, a user or a role; or an organisation's id, ``o-...``.

    Raises:
        UsageError: it is something else; everybody (``*``) is not accepted either.
    """
    if re.fullmatch(r"[0-9]{12}", word):
        return f"arn:aws:iam::{word}:root"
    if not re.fullmatch(
        r"o-[a-z0-9]{10,32}|arn:aws:iam::[0-9]{12}:(root|(user|role)/[\w+=,.@/-]+)", word, re.ASCII
    ):
        raise UsageError(
            f"{word} cannot be granted access.",
            "Give an account of 12 digits, the ARN of an account, a user or a role of IAM, or an "
            "organisation as o-ID.",
        )
    return word


def statements_for(
    domain: Domain, repository: str, readers: Sequence[str], publishers: Sequence[str]
) -> tuple[list[Statement], list[Statement]]:
    """Return what others need in the domain's policy, and in the repository's.

    Args:
        domain: the domain.
        repository: the repository's name.
        readers: principals that may read.
        publishers: principals that may read and publish.
    """
    everyone = {*readers, *publishers}
    use = _statements("Read", allow(READ, "*"), everyone)
    publish = allow(("PublishPackageVersion",), packages_arn(domain, repository))
    return (
        _statements("Token", allow(_TOKEN, "*"), everyone),
        [*use, *_statements("Publish", publish, set(publishers))],
    )


def _statements(name: str, allowed: Statement, principals: set[str]) -> list[Statement]:
    organizations = {each for each in principals if each.startswith("o-")}
    by_sid = {
        f"PipenvCa{name}": principals - organizations,
        f"PipenvCa{name}ForOrganizations": organizations,
    }
    return [_letting_in({"Sid": sid, **allowed}, who) for sid, who in by_sid.items() if who]


def _letting_in(statement: Statement, principals: set[str]) -> Statement:
    who = sorted(principals)
    if any(each.startswith("o-") for each in who):
        only = {"StringEquals": {_ORGANIZATION: who}}
        return {**statement, "Principal": "*", "Condition": only}
    return {**statement, "Principal": {"AWS": who}}


def _principals(statement: Statement) -> set[str]:
    if "Condition" in statement:
        found = statement["Condition"]["StringEquals"][_ORGANIZATION]
    else:
        found = meaning(statement["Principal"]["AWS"])
    return {found} if isinstance(found, str) else set(found)


def ensure_permissions(
    aws: Aws, repository: str, readers: Sequence[str], publishers: Sequence[str]
) -> Iterator[Step]:
    """Ensure that the policies of domain and repository let others in.

    Raises:
        CodeArtifactPipenvError: AWS refuses a call, or cannot be reached.
    """
    tokens, use = statements_for(aws.domain, repository, readers, publishers)
    if tokens:
        get_tokens = f"get tokens for the domain {aws.domain.name}"
        yield _ensure_policy(aws, "domain", {}, tokens, get_tokens)
        about = {"repository": repository}
        yield _ensure_policy(aws, "repository", about, use, f"use the repository {repository}")


def _ensure_policy(
    aws: Aws, kind: str, about: dict[str, str], wanted: list[Statement], what: str
) -> Step:
    answer = aws.find(f"get_{kind}_permissions_policy", **about)
    former = answer["policy"] if answer else {}
    before = json.loads(former["document"]) if former else None
    policy = _merged(before, wanted)
    if meaning(policy) == meaning(before):
        return Step("present", f"others may {what}")
    return Step(
        "change" if former else "make",
        f"let others {what}",
        "its policy does not; other statements stay" if former else "it has no policy",
        lambda: _put_policy(aws, kind, about, policy, former.get("revision")),
    )


def _merged(policy: dict[str, Any] | None, wanted: list[Statement]) -> dict[str, Any]:
    """Return a policy that allows what is wanted, too."""
    policy = policy or {"Version": "2012-10-17", "Statement": []}
    found = policy["Statement"]
    statements = [found] if isinstance(found, dict) else list(found)
    for ours in wanted:
        at = next((at for at, each in enumerate(statements) if _is_like(each, ours)), None)
        if at is not None:
            everyone = _principals(statements[at]) | _principals(ours)
            statements[at] = _letting_in(statements[at], everyone)
            continue
        if any(each.get("Sid") == ours["Sid"] for each in statements):
            del ours["Sid"]  # it must be unique in a policy
        statements.append(ours)
    return {**policy, "Statement": statements}


def _is_like(found: Statement, ours: Statement) -> bool:
    """Whether two statements differ only in whom they let in."""
    try:
        former = _principals(found)
    except (KeyError, TypeError):
        return False
    return bool(meaning({**found, "Sid": ""}) == meaning({**_letting_in(ours, former), "Sid": ""}))


def _put_policy(
    aws: Aws, kind: str, about: dict[str, str], policy: dict[str, Any], revision: str | None
) -> None:
    lock = {"policyRevision": revision} if revision else {}
    # A first policy has no revision to lock: look for one again right before.
    if not revision and aws.find(f"get_{kind}_permissions_policy", **about):
        raise OvertakenError(
            f"Another run has just created a policy of this {kind}.", "Run the command again."
        )
    document = json.dumps(policy, separators=(",", ":"))
    put = f"put_{kind}_permissions_policy"
    aws.codeartifact(put, **about, **lock, policyDocument=document)
