"""Which request asks for which operation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codeartifact_pipenv.sandbox.api import (
    authorization,
    domains,
    packages,
    policies,
    repositories,
    tags,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from codeartifact_pipenv.sandbox.api.call import Call
    from codeartifact_pipenv.sandbox.api.errors import Document

OPERATIONS: dict[tuple[str, str], tuple[str, Callable[[Call], Document]]] = {
    ("POST", "/v1/authorization-token"): (
        "GetAuthorizationToken",
        authorization.get_authorization_token,
    ),
    ("POST", "/v1/domain"): ("CreateDomain", domains.create_domain),
    ("GET", "/v1/domain"): ("DescribeDomain", domains.describe_domain),
    ("DELETE", "/v1/domain"): ("DeleteDomain", domains.delete_domain),
    ("POST", "/v1/domains"): ("ListDomains", domains.list_domains),
    ("PUT", "/v1/domain/permissions/policy"): (
        "PutDomainPermissionsPolicy",
        policies.put_domain_permissions_policy,
    ),
    ("GET", "/v1/domain/permissions/policy"): (
        "GetDomainPermissionsPolicy",
        policies.get_domain_permissions_policy,
    ),
    ("DELETE", "/v1/domain/permissions/policy"): (
        "DeleteDomainPermissionsPolicy",
        policies.delete_domain_permissions_policy,
    ),
    ("GET", "/v1/repository/endpoint"): (
        "GetRepositoryEndpoint",
        repositories.get_repository_endpoint,
    ),
    ("POST", "/v1/repository"): ("CreateRepository", repositories.create_repository),
    ("GET", "/v1/repository"): ("DescribeRepository", repositories.describe_repository),
    ("PUT", "/v1/repository"): ("UpdateRepository", repositories.update_repository),
    ("DELETE", "/v1/repository"): ("DeleteRepository", repositories.delete_repository),
    ("POST", "/v1/repositories"): ("ListRepositories", repositories.list_repositories),
    ("POST", "/v1/domain/repositories"): (
        "ListRepositoriesInDomain",
        repositories.list_repositories_in_domain,
    ),
    ("POST", "/v1/repository/external-connection"): (
        "AssociateExternalConnection",
        repositories.associate_external_connection,
    ),
    ("DELETE", "/v1/repository/external-connection"): (
        "DisassociateExternalConnection",
        repositories.disassociate_external_connection,
    ),
    ("PUT", "/v1/repository/permissions/policy"): (
        "PutRepositoryPermissionsPolicy",
        policies.put_repository_permissions_policy,
    ),
    ("GET", "/v1/repository/permissions/policy"): (
        "GetRepositoryPermissionsPolicy",
        policies.get_repository_permissions_policy,
    ),
    ("DELETE", "/v1/repository/permissions/policies"): (
        "DeleteRepositoryPermissionsPolicy",
        policies.delete_repository_permissions_policy,
    ),
    ("POST", "/v1/tag"): ("TagResource", tags.tag_resource),
    ("POST", "/v1/tags"): ("ListTagsForResource", tags.list_tags_for_resource),
    ("POST", "/v1/untag"): ("UntagResource", tags.untag_resource),
    ("POST", "/v1/packages"): ("ListPackages", packages.list_packages),
    ("GET", "/v1/package"): ("DescribePackage", packages.describe_package),
    ("POST", "/v1/package"): (
        "PutPackageOriginConfiguration",
        packages.put_package_origin_configuration,
    ),
    ("POST", "/v1/package/versions"): ("ListPackageVersions", packages.list_package_versions),
    ("GET", "/v1/package/version"): ("DescribePackageVersion", packages.describe_package_version),
}
"""Method and path of each operation that is played: its name and what does it."""
