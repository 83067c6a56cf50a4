"""The least that each kind of user needs, as policy documents of IAM. Pure.

Which action is for which resource is from the AWS user guide ("AWS CodeArtifact permissions
reference") and the service authorization reference.
"""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from codeartifact_pipenv.endpoint import Domain


class Role(NamedTuple):
    """What somebody may do.

    Attributes:
        purpose: what it is for, for the help.
        allows: actions by the name of their resource in ``_resources``.
    """

    purpose: str
    allows: Mapping[str, Sequence[str]]


_TOKEN = ("GetAuthorizationToken",)
# What `pipenv-ca doctor` and explanations ask, beside what is needed to install.
_CHECKS = ("DescribeRepository", "GetRepositoryEndpoint", "ListPackages", "ReadFromRepository")
_PACKAGE_CHECKS = ("DescribePackage", "DescribePackageVersion", "ListPackageVersions")
READ = sorted((*_CHECKS, *_PACKAGE_CHECKS))
"""What somebody else needs in a repository's policy."""

_ADMIN = {
    "domain": (
        "DescribeDomain",
        "GetAuthorizationToken",
        "GetDomainPermissionsPolicy",
        "ListTagsForResource",
        "PutDomainPermissionsPolicy",
        "TagResource",
    ),
    "repository": _CHECKS,
    # AWS's list of actions has no resource for these.
    "*": ("CreateDomain", "CreatePackageGroup", "CreateRepository"),
    "package groups": ("DescribePackageGroup", "UpdatePackageGroupOriginConfiguration"),
    "repository and store": (
        "AssociateExternalConnection",
        "DescribeRepository",
        "GetRepositoryPermissionsPolicy",
        "ListTagsForResource",
        "PutRepositoryPermissionsPolicy",
        "TagResource",
        "UpdateRepository",
    ),
    # A list of upstreams is sent as a whole, with those that were in it before.
    "any repository": ("AssociateWithDownstreamRepository",),
    "packages": (*_PACKAGE_CHECKS, "PutPackageOriginConfiguration"),
}
ROLES = {
    "admin": Role("provisions the domain and the repository, reserves names, and installs", _ADMIN),
    "publisher": Role(
        "installs and publishes",
        {
            "domain": _TOKEN,
            "repository": _CHECKS,
            "packages": (*_PACKAGE_CHECKS, "PublishPackageVersion"),
        },
    ),
    "reader": Role(
        "installs", {"domain": _TOKEN, "repository": _CHECKS, "packages": _PACKAGE_CHECKS}
    ),
    "ci": Role(
        "installs, and may ask nothing else",
        {"domain": _TOKEN, "repository": ("ReadFromRepository",)},
    ),
}


def arn_of(domain: Domain, resource: str) -> str:
    """Return the ARN of a resource, such as ``domain/acme`` (AWS user guide, "Resources")."""
    # AWS has CodeArtifact in its commercial partition alone.
    return f"arn:aws:codeartifact:{domain.region}:{domain.owner}:{resource}"


def _resources(domain: Domain, repository: str, store: str) -> dict[str, str | list[str]]:
    name = domain.name
    team = arn_of(domain, f"repository/{name}/{repository}")
    return {
        "*": "*",
        "domain": arn_of(domain, f"domain/{name}"),
        "repository": team,
        "repository and store": [team, arn_of(domain, f"repository/{name}/{store}")],
        "any repository": arn_of(domain, f"repository/{name}/*"),
        # Two slashes: between them other formats have a namespace.
        "packages": arn_of(domain, f"package/{name}/{repository}/pypi//*"),
        "package groups": arn_of(domain, f"package-group/{name}/*"),
    }


def role_document(
    name: str,
    domain: Domain,
    repository: str,
    store: str,
    *,
    maximum: int | None = None,
    key: str | None = None,
) -> dict[str, Any]:
    """Return the policy document of a role.

    Args:
        name: a key of ``ROLES``.
        domain: the domain.
        repository: the team's repository.
        store: the repository with the external connection; only an admin's has it.
        maximum: seconds that a token may be asked for; None for AWS's own bound. (AWS lets a
            duration of 0, which is the life of a role's session, pass every bound.)
        key: ARN of the KMS key that an admin makes the domain with; None for AWS's own.
    """
    resources = _resources(domain, repository, store)
    statements = [allow(actions, resources[of]) for of, actions in ROLES[name].allows.items()]
    if name == "admin" and key is not None:
        statements.append(allow(("CreateGrant", "DescribeKey"), key, service="kms"))
    only: dict[str, Any] = {"StringEquals": {"sts:AWSServiceName": "codeartifact.amazonaws.com"}}
    if maximum is not None:
        only["NumericLessThanEquals"] = {"sts:DurationSeconds": str(maximum)}
    bearer = {
        "Effect": "Allow",
        "Action": "sts:GetServiceBearerToken",
        "Resource": "*",
        "Condition": only,
    }
    return {"Version": "2012-10-17", "Statement": [*statements, bearer]}


def allow(
    actions: Sequence[str], resource: str | list[str], *, service: str = "codeartifact"
) -> dict[str, Any]:
    """Return a statement that allows actions of a service on a resource."""
    named = [f"{service}:{action}" for action in actions]
    return {"Effect": "Allow", "Action": named, "Resource": resource}


def meaning(value: Any) -> Any:
    """Return a part of a policy in a form that is the same where AWS makes no difference."""
    if isinstance(value, dict):
        return {key: meaning(each) for key, each in value.items()}
    if isinstance(value, list):
        each_once = sorted(map(meaning, value), key=lambda each: json.dumps(each, sort_keys=True))
        return each_once[0] if len(each_once) == 1 else each_once
    # (A number and a word for yes or no may stand in quotes.)
    text = value if isinstance(value, str) else json.dumps(value)
    # AWS reads an account's number as the ARN of its root.
    return f"arn:aws:iam::{text}:root" if re.fullmatch(r"[0-9]{12}", text) else text
