"""The least that each kind of user needs, as policy documents of IAM. Pure.

Which action is for which resource is from the AWS user guide ("AWS CodeArtifact permissions
reference") and the service authorization reference.
"""

from __future__ import annotations

import json
import re
from typing import Any

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeartifact_pipenv.endpoint import Domain


# Resources of policies (AWS user guide, "Resources").
_DOMAIN = "domain/{domain}"
_TEAM = "repository/{domain}/{repository}"
_STORE = "repository/{domain}/{store}"
_ANY_REPOSITORY = "repository/{domain}/*"
# Two slashes: between them other formats have a namespace.
_PACKAGES = "package/{domain}/{repository}/pypi//*"
_PACKAGE_GROUPS = "package-group/{domain}/*"

# Actions of `pipenv-ca doctor` and explanations, and for installing.
_CHECKS = ("DescribeRepository", "GetRepositoryEndpoint", "ListPackages", "ReadFromRepository")
_PACKAGE_CHECKS = ("DescribePackage", "DescribePackageVersion", "ListPackageVersions")
READ = sorted((*_CHECKS, *_PACKAGE_CHECKS))
"""Actions that a repository's policy must allow for readers."""

ROLES: dict[str, dict[tuple[str, ...], Sequence[str]]] = {
    "admin": {
        (_DOMAIN,): (
            "DescribeDomain",
            "GetAuthorizationToken",
            "GetDomainPermissionsPolicy",
            "ListTagsForResource",
            "PutDomainPermissionsPolicy",
            "TagResource",
        ),
        (_TEAM,): _CHECKS,
        # AWS's list of actions has no resource for these.
        (): ("CreateDomain", "CreatePackageGroup", "CreateRepository"),
        (_PACKAGE_GROUPS,): ("DescribePackageGroup", "UpdatePackageGroupOriginConfiguration"),
        (_TEAM, _STORE): (
            "AssociateExternalConnection",
            "DescribeRepository",
            "GetRepositoryPermissionsPolicy",
            "ListTagsForResource",
            "PutRepositoryPermissionsPolicy",
            "TagResource",
            "UpdateRepository",
        ),
        # A list of upstreams is sent as a whole, with those that were in it before.
        (_ANY_REPOSITORY,): ("AssociateWithDownstreamRepository",),
        (_PACKAGES,): (*_PACKAGE_CHECKS, "PutPackageOriginConfiguration"),
    },
    "publisher": {
        (_DOMAIN,): ("GetAuthorizationToken",),
        (_TEAM,): _CHECKS,
        (_PACKAGES,): (*_PACKAGE_CHECKS, "PublishPackageVersion"),
    },
    "reader": {
        (_DOMAIN,): ("GetAuthorizationToken",),
        (_TEAM,): _CHECKS,
        (_PACKAGES,): _PACKAGE_CHECKS,
    },
    "ci": {(_DOMAIN,): ("GetAuthorizationToken",), (_TEAM,): ("ReadFromRepository",)},
}
"""The actions of each role by resources; () means any resource."""


def arn_of(domain: Domain, resource: str) -> str:
    """Return the ARN of a resource, such as ``domain/acme``."""
    # CodeArtifact exists only in AWS's commercial partition.
    return f"arn:aws:codeartifact:{domain.region}:{domain.owner}:{resource}"


def packages_arn(domain: Domain, repository: str) -> str:
    """Return the ARN of all Python packages of a repository."""
    return arn_of(domain, _PACKAGES.format(domain=domain.name, repository=repository))


def role_document(
    role: str,
    domain: Domain,
    repository: str,
    store: str,
    *,
    maximum: int | None = None,
    key: str | None = None,
) -> dict[str, Any]:
    """Return the policy document of a role.

    Args:
        role: a key of ``ROLES``.
        domain: the domain.
        repository: the team's repository.
        store: the repository with the external connection, for an admin.
        maximum: the longest life of a token in seconds, or None for AWS's limit. AWS accepts a
            duration of 0, which means the life of the role's session, with every limit.
        key: ARN of the domain's KMS key, for an admin, or None for AWS's own key.
    """
    names = {"domain": domain.name, "repository": repository, "store": store}
    statements = []
    for resources, actions in ROLES[role].items():
        arns = [arn_of(domain, each.format(**names)) for each in resources]
        statements.append(allow(actions, *(arns or ["*"])))
    if role == "admin" and key is not None:
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


def allow(actions: Sequence[str], *resources: str, service: str = "codeartifact") -> dict[str, Any]:
    """Return a statement that allows actions of a service on resources."""
    return {
        "Effect": "Allow",
        "Action": [f"{service}:{action}" for action in actions],
        "Resource": resources[0] if len(resources) == 1 else list(resources),
    }


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
