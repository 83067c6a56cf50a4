"""What AWS's API says of one repository: its upstreams, and what it holds itself.

The calls look at the named repository alone, never at its upstreams (AWS user guide, "Working
with upstream repositories"). Errors are those of botocore.
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
_MOST_REPOSITORIES = 25  # that AWS itself searches (quotas of CodeArtifact)
_PAGE = {"PageSize": 1000}  # the maximum
# Origin controls; both are ALLOW for packages that are older than these controls.
_ALLOW, _BLOCK = "ALLOW", "BLOCK"


class PackageRef(NamedTuple):
    """A package of a repository, or the repository itself.

    Attributes:
        repository: a repository of the domain.
        package: a package of it, by its normalised name; '' for the repository itself.
        version: a version of the package, as AWS writes it; '' for all of them.
    """

    repository: str
    package: str = ""
    version: str = ""


class Chain(NamedTuple):
    """The upstreams of a repository.

    Attributes:
        upstreams: names of its direct and indirect upstreams, in the order of the search.
        public: which of them, or itself, is connected to public PyPI; None for none.
    """

    upstreams: tuple[str, ...]
    public: str | None


def chain_of(repository: str, describe: Callable[[str], Any]) -> Chain:
    """Return the upstreams of a repository.

    Args:
        repository: its name.
        describe: returns what DescribeRepository says of a name.
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


def coordinates(domain: Domain, repository: str | None) -> dict[str, str]:
    """Return the arguments by which every call names a repository."""
    return {"domain": domain.name, "domainOwner": domain.owner, "repository": repository or ""}


def describe(client: Any, domain: Domain, repository: str) -> Any:
    """Return what DescribeRepository says."""
    return client.describe_repository(**coordinates(domain, repository))["repository"]


def list_packages(
    client: Any,
    domain: Domain,
    repository: str,
    *,
    only_published: bool = False,
    most: int | None = None,
) -> dict[str, bool | None]:
    """Return the Python packages that a repository holds, by normalised name.

    With each, whether it was published, according to its origin controls; None if they do not say.

    Args:
        client: of the domain's region.
        domain: the repository's.
        repository: its name.
        only_published: whether to leave out packages whose controls say that they were fetched.
        most: how many are enough; None for all.
    """
    is_open = {"publish": _ALLOW, "upstream": _ALLOW}
    filters = [{"upstream": _BLOCK}, is_open] if only_published else [{}]
    found: dict[str, bool | None] = {}
    for controls in filters:
        pages = client.get_paginator("list_packages").paginate(
            **coordinates(domain, repository), format="pypi", PaginationConfig=_PAGE, **controls
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
    """Whether a version of a package was published, and did not come from outside."""
    try:
        found = client.list_package_versions(
            **coordinates(domain, ref.repository),
            format="pypi",
            package=ref.package,
            originType="INTERNAL",
            maxResults=1,
        )
    except client.exceptions.ResourceNotFoundException:  # gone since
        return False
    return bool(found["versions"])


class ListedVersion(NamedTuple):
    """One version of a package in one repository.

    Attributes:
        version: as AWS writes it.
        status: AWS's, such as ``Published`` or ``Unlisted``.
        is_published: whether it was published, and did not come from outside; None for unknown.
        published_at: when it was published; None where it came from outside.
    """

    version: str
    status: str
    is_published: bool | None
    published_at: datetime | None = None


def list_versions(client: Any, domain: Domain, ref: PackageRef) -> list[ListedVersion]:
    """Return a package's versions in a repository, of every status; empty where it has none."""
    there = {**coordinates(domain, ref.repository), "format": "pypi", "package": ref.package}
    pages = client.get_paginator("list_package_versions").paginate(**there, PaginationConfig=_PAGE)
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
    """Return when a version was published (DescribePackageVersion), if AWS has a time."""
    there = {**coordinates(domain, ref.repository), "format": "pypi", "package": ref.package}
    said = client.describe_package_version(**there, packageVersion=ref.version)
    moment: datetime | None = said["packageVersion"].get("publishedTime")
    return moment


def newest_version(client: Any, domain: Domain, ref: PackageRef) -> str | None:
    """Return the highest version of a package that a repository holds and shows.

    It is the highest by PEP 440, final before pre-release, as pip and pipenv choose; the one
    that was published last (``sortBy``, ``defaultDisplayVersion``) may be a repair of an old one.

    Returns:
        None if it has none, as a name has that is only reserved.
    """
    listed = list_versions(client, domain, ref)
    shown = [each.version for each in listed if each.status == "Published"]
    return max(shown, key=_rank, default=None)


def version_order(text: str) -> Version:
    """Return a version as PEP 440 orders it; what it does not allow comes first."""
    return _rank(text)[2]


def _rank(text: str) -> tuple[bool, bool, Version]:
    try:
        version = Version(text)
    except InvalidVersion:
        return False, False, Version("0")
    return True, not version.is_prerelease, version
