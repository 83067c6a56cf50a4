"""Names of CodeArtifact's resources in policies (AWS user guide, "Resources")."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from codeartifact_pipenv.endpoint import Domain


def domain_arn(domain: Domain) -> str:
    """Return the ARN of a domain."""
    return f"{_start(domain)}:domain/{domain.name}"


def repository_arn(domain: Domain, repository: str) -> str:
    """Return the ARN of a repository."""
    return f"{_start(domain)}:repository/{domain.name}/{repository}"


def packages_arn(domain: Domain, repository: str) -> str:
    """Return the ARN of every Python package of a repository.

    (Two slashes: between them other formats have a namespace.)
    """
    return f"{_start(domain)}:package/{domain.name}/{repository}/pypi//*"


def package_groups_arn(domain: Domain) -> str:
    """Return the ARN of every package group of a domain; a pattern begins with a slash."""
    return f"{_start(domain)}:package-group/{domain.name}/*"


def _start(domain: Domain) -> str:
    # AWS has CodeArtifact in its commercial partition alone.
    return f"arn:aws:codeartifact:{domain.region}:{domain.owner}"
