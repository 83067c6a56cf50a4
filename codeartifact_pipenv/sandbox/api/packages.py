"""Operations on packages and versions of a repository, without its upstreams."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.version import InvalidVersion
from packaging.version import Version as Number

from codeartifact_pipenv.sandbox.api.errors import not_found
from codeartifact_pipenv.sandbox.package import Restrictions, StoredPackage

if TYPE_CHECKING:
    from codeartifact_pipenv.sandbox.api.call import Call
    from codeartifact_pipenv.sandbox.api.errors import ServiceError
    from codeartifact_pipenv.sandbox.api.model import Document
    from codeartifact_pipenv.sandbox.package import Version

_FORMAT = "pypi"


def list_packages(call: Call) -> Document:
    """List the packages of a repository that match the filters, by name."""
    rows, more = call.page(
        [
            (name, package)
            for name, package in sorted(call.repository().packages.items())
            if _is_python(call)
            and name.startswith(call.get("packagePrefix", ""))
            and call.get("publish") in {None, package.restrictions.publish}
            and call.get("upstream") in {None, package.restrictions.upstream}
        ]
    )
    listed = [
        {"format": _FORMAT, "package": name, **_origin(package.restrictions)}
        for name, package in rows
    ]
    return {"packages": listed, **more}


def describe_package(call: Call) -> Document:
    """Describe a package."""
    package = _package(call)
    described = {"name": call.given["package"], **_origin(package.restrictions)}
    return {"package": {"format": _FORMAT, **described}}


def list_package_versions(call: Call) -> Document:
    """List a package's versions, the highest first or, with ``sortBy``, the newest first.

    All versions in the sandbox are ``Published``.
    """
    status, kind = call.get("status"), call.get("originType")
    newest_first = [*reversed(_package(call).versions.items())]
    newest_first.sort(key=lambda row: row[1].added_at, reverse=True)
    found = (
        newest_first if "sortBy" in call.given else sorted(newest_first, key=_rank, reverse=True)
    )
    rows, more = call.page(
        [
            row
            for row in found
            if status in {None, "Published"} and kind in {None, _origin_type(row[1])}
        ]
    )
    return {
        "format": _FORMAT,
        "package": call.given["package"],
        "versions": [{"version": number, **_describe(version)} for number, version in rows],
        "defaultDisplayVersion": newest_first[0][0] if newest_first else None,
        **more,
    }


def describe_package_version(call: Call) -> Document:
    """Describe one version of a package."""
    name, number = call.given["package"], call.given["packageVersion"]
    version = _package(call).versions.get(number)
    if version is None:
        raise not_found(
            f"Package version not found. {name} has no version '{number}'.",
            number,
            "package-version",
        )
    described = {
        "format": _FORMAT,
        "packageName": name,
        "displayName": name,
        "version": number,
        "publishedTime": version.added_at,
        "licenses": [],
        **_describe(version),
    }
    return {"packageVersion": described}


def put_package_origin_configuration(call: Call) -> Document:
    """Set a package's origin controls; this reserves the name of a missing package."""
    restrictions = Restrictions(**call.given["restrictions"])
    repository = call.repository()
    if not _is_python(call):
        raise _missing(call)
    package = repository.packages.setdefault(call.given["package"], StoredPackage(restrictions))
    package.restrictions = restrictions
    return _origin(restrictions)


def _is_python(call: Call) -> bool:
    return call.get("format", _FORMAT) == _FORMAT and "namespace" not in call.given


def _package(call: Call) -> StoredPackage:
    package = call.repository().packages.get(call.given["package"])
    if package is None or not _is_python(call):
        raise _missing(call)
    return package


def _missing(call: Call) -> ServiceError:
    kind, name = call.given["format"], call.given["package"]
    return not_found(
        f"Package not found in repository. RepoId: {call.given['repository']},"
        f" Package = PackageCoordinate{{packageType={kind}, packageName={name}}}",
        name,
        "package",
    )


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
