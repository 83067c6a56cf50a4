"""Policies of domains and repositories, with statements of ours among those of others. Pure.

Ours are known by their Sids. A principal that stands in one of ours stays there.
"""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

from codeartifact_pipenv.errors import UsageError
from codeartifact_pipenv.provision.arns import packages_arn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from codeartifact_pipenv.endpoint import Domain

Statement = dict[str, Any]

_SID = "PipenvCa"
_MOST_CHARACTERS = 7168
"""How long a policy document may be (service model, PolicyDocument)."""
_ORGANIZATION_KEY = "aws:PrincipalOrgID"

# (A domain's policy cannot give sts:GetServiceBearerToken: that is for each identity's own.)
_TOKEN = ("codeartifact:DescribeDomain", "codeartifact:GetAuthorizationToken")
_READ = (
    "codeartifact:DescribePackage",
    "codeartifact:DescribePackageVersion",
    "codeartifact:DescribeRepository",
    "codeartifact:GetRepositoryEndpoint",
    "codeartifact:ListPackageVersions",
    "codeartifact:ListPackages",
    "codeartifact:ReadFromRepository",
)
_PUBLISH = ("codeartifact:PublishPackageVersion",)


class Grant(NamedTuple):
    """Somebody outside of the account who may use the repository.

    Attributes:
        access: ``read`` or ``publish``.
        principal: the ARN of an account, a user or a role; or an organisation's id, ``o-...``.
    """

    access: str
    principal: str


class PolicyConflictError(Exception):
    """A policy that statements cannot be put into; the text goes after "The policy of X"."""

    hint = "Put it right yourself first: `aws codeartifact put-repository-permissions-policy`, or \
`put-domain-permissions-policy`."


def read_grant(access: str, text: str) -> Grant:
    """Read an account, an ARN of IAM or an organisation's id.

    Raises:
        UsageError: it is something else; everybody (``*``) is not accepted either.
    """
    if re.fullmatch(r"[0-9]{12}", text):
        return Grant(access, f"arn:aws:iam::{text}:root")
    if re.fullmatch(r"o-[a-z0-9]{10,32}", text) or re.fullmatch(
        r"arn:aws:iam::[0-9]{12}:(root|(user|role)/[\w+=,.@/-]+)", text, re.ASCII
    ):
        return Grant(access, text)
    raise UsageError(
        f"--grant-{access} does not accept {text}.",
        "Give an account of 12 digits, the ARN of an account, a user or a role of IAM, or an "
        "organisation as o-ID.",
    )


def of_domain(grants: Sequence[Grant]) -> list[Statement]:
    """Return what everybody who is let in needs on the domain."""
    return _statements("Token", _TOKEN, "*", (grant.principal for grant in grants))


def of_repository(domain: Domain, repository: str, grants: Sequence[Grant]) -> list[Statement]:
    """Return what everybody who is let in needs on the repository; who publishes also reads."""
    publishers = [grant.principal for grant in grants if grant.access == "publish"]
    packages = packages_arn(domain, repository)
    return [
        *_statements("Read", _READ, "*", (grant.principal for grant in grants)),
        *_statements("Publish", _PUBLISH, packages, publishers),
    ]


def _statements(
    name: str, actions: tuple[str, ...], resource: str, principals: Iterable[str]
) -> list[Statement]:
    everyone = set(principals)
    organizations = sorted(each for each in everyone if each.startswith("o-"))
    others = sorted(everyone.difference(organizations))
    allow = {"Effect": "Allow", "Action": list(actions), "Resource": resource}
    sid = f"{_SID}{name}"
    found: list[Statement] = []
    if others:
        found.append({"Sid": sid, **allow, "Principal": {"AWS": others}})
    if organizations:
        only = {"StringEquals": {_ORGANIZATION_KEY: organizations}}
        sid = f"{sid}ForOrganizations"
        found.append({"Sid": sid, **allow, "Principal": "*", "Condition": only})
    return found


def merged(document: str | None, wanted: list[Statement]) -> str | None:
    """Put statements into a policy.

    Args:
        document: the policy's JSON text; None for none.
        wanted: the statements, each with a Sid.

    Returns:
        The new text; None where all of it is there.

    Raises:
        PolicyConflictError: the policy cannot be read, has another's statement under a Sid of
            ours, or would be too long.
    """
    policy = _read(document)
    statements = policy["Statement"]
    changed = False
    for ours in wanted:
        at = next((i for i, each in enumerate(statements) if each.get("Sid") == ours["Sid"]), None)
        if at is None:
            statements.append(ours)
            changed = True
            continue
        new = _with_principals_of(statements[at], ours)
        if meaning(new) != meaning(statements[at]):
            statements[at] = new
            changed = True
    if not changed:
        return None
    text = json.dumps(policy, separators=(",", ":"))
    if len(text) > _MOST_CHARACTERS:
        raise PolicyConflictError(
            f"would have {len(text)} characters, and AWS allows {_MOST_CHARACTERS}"
        )
    return text


def _read(document: str | None) -> dict[str, Any]:
    if document is None:
        return {"Version": "2012-10-17", "Statement": []}
    try:
        policy = json.loads(document)
        found = policy["Statement"]
        statements = [dict(each) for each in ([found] if isinstance(found, dict) else found)]
    except (ValueError, TypeError, KeyError):
        raise PolicyConflictError("cannot be read") from None
    return {**policy, "Statement": statements}


def _with_principals_of(found: Statement, ours: Statement) -> Statement:
    """Return a statement of ours with whom it lets in already."""
    sid = ours["Sid"]
    if {*found} != {*ours} or found["Effect"] != "Allow":
        raise PolicyConflictError(f"has a statement {sid} that was not made by pipenv-ca")
    try:
        if "Condition" in ours:
            former = _listed(found["Condition"]["StringEquals"][_ORGANIZATION_KEY])
            everyone = {*former, *ours["Condition"]["StringEquals"][_ORGANIZATION_KEY]}
            only = {"StringEquals": {_ORGANIZATION_KEY: sorted(everyone)}}
            if len(found["Condition"]) > 1 or len(found["Condition"]["StringEquals"]) > 1:
                raise PolicyConflictError(f"has another condition in its statement {sid}")
            return {**ours, "Condition": only}
        former = _listed(found["Principal"]["AWS"])
    except (TypeError, KeyError):
        raise PolicyConflictError(f"has a statement {sid} that was not made by pipenv-ca") from None
    return {**ours, "Principal": {"AWS": sorted({*map(_arn, former), *ours["Principal"]["AWS"]})}}


def meaning(value: Any) -> Any:
    """Return a part of a policy in a form that is the same where AWS makes no difference."""
    if isinstance(value, dict):
        return {key: meaning(each) for key, each in value.items()}
    if isinstance(value, list):
        each_once = sorted(map(meaning, value), key=lambda each: json.dumps(each, sort_keys=True))
        return each_once[0] if len(each_once) == 1 else each_once
    # (A number and a word for yes or no may stand in quotes.)
    return _arn(value if isinstance(value, str) else json.dumps(value))


def _arn(value: str) -> str:
    # AWS reads an account's number as the ARN of its root.
    return f"arn:aws:iam::{value}:root" if re.fullmatch(r"[0-9]{12}", value) else value


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)
