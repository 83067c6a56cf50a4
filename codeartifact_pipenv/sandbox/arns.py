"""Names of resources in AWS's own form. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from codeartifact_pipenv.endpoint import Domain


def domain_arn(domain: Domain) -> str:
    """Return a domain's ARN."""
    return f"{_prefix(domain)}:domain/{domain.name}"


def repository_arn(domain: Domain, repository: str) -> str:
    """Return a repository's ARN."""
    return f"{_prefix(domain)}:repository/{domain.name}/{repository}"


def package_arn(
    domain: Domain,
    repository: str,
    package: str,
    package_format: str = "pypi",
    namespace: str = "",
) -> str:
    """Return a package's ARN; Python packages have no namespace."""
    return f"{_prefix(domain)}:package/{domain.name}/{repository}/{package_format}/{namespace}/{package}"


def group_arn(domain: Domain, pattern: str) -> str:
    """Return a package group's ARN; its pattern begins with a slash."""
    return f"{_prefix(domain)}:package-group/{domain.name}{pattern}"


def _prefix(domain: Domain) -> str:
    return f"arn:aws:codeartifact:{domain.region}:{domain.owner}"
