"""Operations on packages and their versions: those of the named repository, never of upstreams."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from packaging.version import InvalidVersion
from packaging.version import Version as Number

from codeartifact_pipenv.sandbox.api import shapes
from codeartifact_pipenv.sandbox.api.errors import misfit, not_found
from codeartifact_pipenv.sandbox.api.paging import page
from codeartifact_pipenv.sandbox.arns import package_arn
from codeartifact_pipenv.sandbox.package import Restrictions

if TYPE_CHECKING:
    from codeartifact_pipenv.sandbox.api.call import Call
    from codeartifact_pipenv.sandbox.api.errors import Document
    from codeartifact_pipenv.sandbox.package import Package, Version
    from codeartifact_pipenv.sandbox.repository import Repository

_FORMAT = "pypi"


def list_packages(call: Call) -> Document:
    """List a repository's packages by name, as far as the filters let them through."""
    kind, namespace = call.optional("format"), call.optional("namespace")
    prefix = call.optional("package-prefix") or ""
    publish, upstream = call.optional("publish"), call.optional("upstream")
    repository = call.repository_for("codeartifact:ListPackages")
    found = [
        (name, package)
        for name, package in sorted(repository.packages.items())
        if kind in {None, _FORMAT}
        and namespace is None
        and name.startswith(prefix)
        and publish in {None, package.restrictions.publish}
        and upstream in {None, package.restrictions.upstream}
    ]
    rows, more = page(call, found)
    listed = [
        {"format": _FORMAT, "package": name, **_origin(package.restrictions)}
        for name, package in rows
    ]
    return {"packages": listed, **more}


def describe_package(call: Call) -> Document:
    """Describe a package."""
    asked = _asked_package(call, "codeartifact:DescribePackage")
    package = asked.require()
    described = {"format": _FORMAT, "name": asked.name, **_origin(package.restrictions)}
    return {"package": described}


def list_package_versions(call: Call) -> Document:
    """List a package's versions: the highest first, or the newest where it is asked for.

    All that the sandbox holds are ``Published``.
    """
    status, kind = call.optional("status"), call.optional("originType")
    by_time = call.optional("sortBy") is not None
    asked = _asked_package(call, "codeartifact:ListPackageVersions")
    newest_first = [*reversed(asked.require().versions.items())]
    newest_first.sort(key=lambda row: row[1].added_at, reverse=True)
    found = newest_first if by_time else sorted(newest_first, key=_rank, reverse=True)
    rows, more = page(
        call,
        [
            row
            for row in found
            if status in {None, "Published"} and kind in {None, _origin_type(row[1])}
        ],
    )
    listed = [{"version": number, **_describe(version)} for number, version in rows]
    answer = {"format": _FORMAT, "package": asked.name, "versions": listed, **more}
    if newest_first:
        answer["defaultDisplayVersion"] = newest_first[0][0]
    return answer


def describe_package_version(call: Call) -> Document:
    """Describe one version of a package."""
    number = call.parameter("version")
    asked = _asked_package(call, "codeartifact:DescribePackageVersion")
    version = asked.require().versions.get(number)
    if version is None:
        raise not_found(
            f"Package version not found. {asked.name} has no version '{number}'.",
            number,
            "package-version",
        )
    described = {
        "format": _FORMAT,
        "packageName": asked.name,
        "displayName": asked.name,
        "version": number,
        "publishedTime": version.added_at,
        "licenses": [],
        **_describe(version),
    }
    return {"packageVersion": described}


def put_package_origin_configuration(call: Call) -> Document:
    """Set a package's origin controls; a name without versions is reserved by it."""
    given = call.body.get("restrictions")
    if not isinstance(given, dict):
        raise misfit("restrictions", "null", "not be null")
    restrictions = Restrictions(
        shapes.check("publish", given.get("publish")),
        shapes.check("upstream", given.get("upstream")),
    )
    asked = _asked_package(call, "codeartifact:PutPackageOriginConfiguration")
    if not asked.is_python:
        raise asked.missing()
    call.state.restrict(asked.repository, asked.name, restrictions)
    return _origin(restrictions)


class _Asked(NamedTuple):
    repository: Repository
    name: str
    format: str
    namespace: str | None

    @property
    def is_python(self) -> bool:
        return self.format == _FORMAT and self.namespace is None

    def require(self) -> Package:
        package = self.repository.packages.get(self.name) if self.is_python else None
        if package is None:
            raise self.missing()
        return package

    def missing(self) -> Exception:
        return not_found(
            f"Package not found in repository. RepoId: {self.repository.name},"
            f" Package = PackageCoordinate{{packageType={self.format}, packageName={self.name}}}",
            self.name,
            "package",
        )


def _asked_package(call: Call, action: str) -> _Asked:
    domain, repository = call.domain(), call.parameter("repository")
    kind, namespace = call.parameter("format"), call.optional("namespace")
    name = call.parameter("package")
    arn = package_arn(domain, repository, name, kind, namespace or "")
    call.authorize(action, arn, domain=domain, repository=repository)
    return _Asked(call.require_repository(domain, repository), name, kind, namespace)


def _rank(row: tuple[str, Version]) -> tuple[int, Number | str]:
    try:
        return 1, Number(row[0])
    except InvalidVersion:
        return 0, row[0]


def _origin(restrictions: Restrictions) -> Document:
    return {"originConfiguration": {"restrictions": restrictions._asdict()}}


def _origin_type(version: Version) -> str:
    return "EXTERNAL" if version.is_external else "INTERNAL"


def _describe(version: Version) -> Document:
    place = "externalConnectionName" if version.is_external else "repositoryName"
    return {
        "revision": version.revision,
        "status": "Published",
        "origin": {
            "domainEntryPoint": {place: version.entry},
            "originType": _origin_type(version),
        },
    }
