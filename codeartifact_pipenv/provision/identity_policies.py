"""The least that each kind of user needs, as documents of IAM. Pure.

Which action is for which resource is from the AWS user guide ("Repository policies", "AWS
CodeArtifact permissions reference").
"""

from __future__ import annotations

from typing import Any, NamedTuple

from codeartifact_pipenv.provision.arns import (
    domain_arn,
    package_groups_arn,
    packages_arn,
    repository_arn,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeartifact_pipenv.endpoint import Domain


class Role(NamedTuple):
    """What somebody may do, by the resource that it is done with.

    Attributes:
        purpose: what it is for, for the help.
        domain: actions on the domain.
        repository: actions on the team's repository.
        packages: actions on the team's packages.
    """

    purpose: str
    domain: tuple[str, ...] = ("GetAuthorizationToken",)
    repository: tuple[str, ...] = ("ReadFromRepository",)
    packages: tuple[str, ...] = ()


# What `pipenv-ca doctor` and explanations ask, beside what is needed to install.
_CHECKS = ("DescribeRepository", "GetRepositoryEndpoint", "ListPackages", "ReadFromRepository")
_PACKAGE_CHECKS = ("DescribePackage", "DescribePackageVersion", "ListPackageVersions")

ROLES = {
    "admin": Role(
        "provisions the domain and the repository, reserves names, and installs",
        (
            "DescribeDomain",
            "GetAuthorizationToken",
            "GetDomainPermissionsPolicy",
            "ListTagsForResource",
            "PutDomainPermissionsPolicy",
            "TagResource",
        ),
        _CHECKS,
        (*_PACKAGE_CHECKS, "PutPackageOriginConfiguration"),
    ),
    "publisher": Role(
        "installs and publishes",
        repository=_CHECKS,
        packages=(*_PACKAGE_CHECKS, "PublishPackageVersion"),
    ),
    "reader": Role("installs", repository=_CHECKS, packages=_PACKAGE_CHECKS),
    "ci": Role("installs, and may ask nothing else"),
}

# AWS's list of actions has no resource for these, so they need "*" (service authorization
# reference, "Actions, resources, and condition keys for AWS CodeArtifact").
_CREATE = ("CreateDomain", "CreatePackageGroup", "CreateRepository")
_GROUPS = ("DescribePackageGroup", "UpdatePackageGroupOriginConfiguration")
_PROVISION = (
    "AssociateExternalConnection",
    "DescribeRepository",
    "GetRepositoryPermissionsPolicy",
    "ListTagsForResource",
    "PutRepositoryPermissionsPolicy",
    "TagResource",
    "UpdateRepository",
)


def document(
    name: str,
    domain: Domain,
    repository: str,
    store: str,
    maximum: int | None,
    *,
    key: str | None = None,
) -> dict[str, Any]:
    """Return a policy document.

    Args:
        name: a key of ``ROLES``.
        domain: the domain.
        repository: the team's repository.
        store: the repository with the external connection; only an admin's has it.
        maximum: seconds that a token may be asked for; None for AWS's own bound. (AWS lets a
            duration of 0, which is the life of a role's session, pass every bound.)
        key: ARN of the KMS key that an admin makes the domain with; None for AWS's own.
    """
    role = ROLES[name]
    team = repository_arn(domain, repository)
    statements = [_allow(role.domain, domain_arn(domain)), _allow(role.repository, team)]
    if name == "admin":
        statements.append(_allow(_CREATE, "*"))
        statements.append(_allow(_GROUPS, package_groups_arn(domain)))
        both = [team, repository_arn(domain, store)]
        statements.append(_allow(_PROVISION, *both))
        # A list of upstreams is sent as a whole, with those that were in it before.
        anyone = repository_arn(domain, "*")
        statements.append(_allow(("AssociateWithDownstreamRepository",), anyone))
        if key is not None:
            kms = ["kms:CreateGrant", "kms:DescribeKey"]
            statements.append({"Effect": "Allow", "Action": kms, "Resource": key})
    if role.packages:
        statements.append(_allow(role.packages, packages_arn(domain, repository)))
    condition: dict[str, Any] = {
        "StringEquals": {"sts:AWSServiceName": "codeartifact.amazonaws.com"}
    }
    if maximum is not None:
        condition["NumericLessThanEquals"] = {"sts:DurationSeconds": str(maximum)}
    bearer = {
        "Effect": "Allow",
        "Action": "sts:GetServiceBearerToken",
        "Resource": "*",
        "Condition": condition,
    }
    return {"Version": "2012-10-17", "Statement": [*statements, bearer]}


def _allow(actions: Sequence[str], *resources: str) -> dict[str, Any]:
    return {
        "Effect": "Allow",
        "Action": [f"codeartifact:{action}" for action in actions],
        "Resource": resources[0] if len(resources) == 1 else list(resources),
    }
