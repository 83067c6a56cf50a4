"""Calls of the AWS API about one repository: its upstreams, packages and versions.

They cover the named repository without its upstreams (AWS user guide, "Working with upstream
repositories"). Errors are those of botocore.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from packaging.version import InvalidVersion, Version

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from codeartifact_pipenv.endpoint import Domain

PUBLIC_PYPI = "public:pypi"
_MOST_REPOSITORIES = 25  # CodeArtifact's quota
_PAGE = {"PageSize": 1000}  # the maximum
# Values of origin controls; packages older than the controls have ALLOW for both.
_ALLOW, _BLOCK = "ALLOW", "BLOCK"


class PackageRef(NamedTuple):
    """A package of a repository, or the repository itself.

    Attributes:
        repository: the repository's name.
        package: the package's normalised name; '' for the repository itself.
        version: the version as AWS writes it; '' for all versions.
    """

    repository: str
    package: str = ""
    version: str = ""


class Chain(NamedTuple):
    """The upstreams of a repository.

    Attributes:
        upstreams: the names of direct and indirect upstreams, in search order.
        public: the first repository, itself included, that is connected to public PyPI.
    """

    upstreams: tuple[str, ...]
    public: str | None


def chain_of(repository: str, describe: Callable[[str], Any]) -> Chain:
    """Return the upstreams of a repository.

    Args:
        repository: its name.
        describe: calls DescribeRepository for a name.
    """
    seen: list[str] = []
    waiting = [repository]
    public = None
    while waiting and len(seen) < _MOST_REPOSITORIES:
        name = waiting.pop(0)
        if name in seen:
            continue
        seen.append(name)
        found = describe(name)
        connections = [c["externalConnectionName"] for c in found["externalConnections"]]
        if public is None and PUBLIC_PYPI in connections:
            public = name
        waiting[:0] = [upstream["repositoryName"] for upstream in found["upstreams"]]
    return Chain(tuple(seen[1:]), public)


def coordinates(domain: Domain, ref: PackageRef) -> dict[str, str]:
    """Return the arguments of calls that name a repository, or a package of it."""
    place = {"domain": domain.name, "domainOwner": domain.owner, "repository": ref.repository}
    return place | ({"format": "pypi", "package": ref.package} if ref.package else {})


def describe(client: Any, domain: Domain, ref: PackageRef) -> Any:
    """Call DescribeRepository."""
    return client.describe_repository(**coordinates(domain, ref))["repository"]


def list_packages(
    client: Any,
    domain: Domain,
    ref: PackageRef,
    *,
    only_published: bool = False,
    most: int | None = None,
) -> dict[str, bool | None]:
    """Return the Python packages of a repository by normalised name.

    The value is whether the package was published, or None if its origin controls allow both.

    Args:
        client: a client of the domain's region.
        domain: the domain of the repository.
        ref: the repository.
        only_published: whether to leave out packages that were fetched by their controls.
        most: stop after this many packages, if given.
    """
    is_open = {"publish": _ALLOW, "upstream": _ALLOW}
    filters = [{"upstream": _BLOCK}, is_open] if only_published else [{}]
    found: dict[str, bool | None] = {}
    for controls in filters:
        pages = client.get_paginator("list_packages").paginate(
            **coordinates(domain, ref), format="pypi", PaginationConfig=_PAGE, **controls
        )
        for page in pages:
            found |= {row["package"]: _is_published(row) for row in page["packages"]}
            if most is not None and len(found) >= most:
                return found
    return found


def _is_published(row: Any) -> bool | None:
    found = row.get("originConfiguration", {}).get("restrictions", {})
    if found.get("upstream", _ALLOW) == _BLOCK:
        return True
    return None if found.get("publish", _ALLOW) == _ALLOW else False


def has_published(client: Any, domain: Domain, ref: PackageRef) -> bool:
    """Whether any version of a package was published, and not fetched."""
    try:
        found = client.list_package_versions(
            **coordinates(domain, ref), originType="INTERNAL", maxResults=1
        )
    except client.exceptions.ResourceNotFoundException:  # deleted since
        return False
    return bool(found["versions"])


class ListedVersion(NamedTuple):
    """One version of a package in one repository.

    Attributes:
        version: the version as AWS writes it.
        status: the status in AWS, such as ``Published`` or ``Unlisted``.
        is_published: whether it was published, not fetched, or None if unknown.
        published_at: when it was published, or None if it was fetched.
    """

    version: str
    status: str
    is_published: bool | None
    published_at: datetime | None = None


def list_versions(client: Any, domain: Domain, ref: PackageRef) -> list[ListedVersion]:
    """Return a package's versions of every status in a repository."""
    pages = client.get_paginator("list_package_versions").paginate(
        **coordinates(domain, ref), PaginationConfig=_PAGE
    )
    try:
        rows = [row for page in pages for row in page["versions"]]
    except client.exceptions.ResourceNotFoundException:
        return []
    kinds = {"INTERNAL": True, "EXTERNAL": False}
    return [
        ListedVersion(
            row["version"], row["status"], kinds.get(row.get("origin", {}).get("originType"))
        )
        for row in rows
    ]


def published_time(client: Any, domain: Domain, ref: PackageRef) -> datetime | None:
    """Return when a version was published, if DescribePackageVersion has a time."""
    found = client.describe_package_version(**coordinates(domain, ref), packageVersion=ref.version)
    moment: datetime | None = found["packageVersion"].get("publishedTime")
    return moment


def newest_version(client: Any, domain: Domain, ref: PackageRef) -> str | None:
    """Return the highest published version of a package by PEP 440, a final release first.

    pip and pipenv choose it too. AWS's own newest version (``sortBy``,
    ``defaultDisplayVersion``) is the one published last, which can be a fix of an old release.

    Returns:
        The version, or None for a name without versions.
    """
    listed = list_versions(client, domain, ref)
    shown = [each.version for each in listed if each.status == "Published"]
    return max(shown, key=_rank, default=None)


def version_order(text: str) -> Version:
    """Return the PEP 440 sort key of a version; an invalid one sorts first."""
    return _rank(text)[2]


def _rank(text: str) -> tuple[bool, bool, Version]:
    try:
        version = Version(text)
    except InvalidVersion:
        return False, False, Version("0")
    return True, not version.is_prerelease, version
