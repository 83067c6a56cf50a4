"""The host pypi.org: pages, files, METADATA and the JSON API."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from packaging.utils import canonicalize_name
from packaging.version import Version
from werkzeug.wrappers import Response

from codeartifact_pipenv.sandbox.answers import RefusalError, page
from codeartifact_pipenv.sandbox.distributions import canonical, name_and_version
from codeartifact_pipenv.sandbox.hosts import PUBLIC_HOST

if TYPE_CHECKING:
    from werkzeug.wrappers import Request

    from codeartifact_pipenv.sandbox.assets import Assets
    from codeartifact_pipenv.sandbox.faults import Faults
    from codeartifact_pipenv.sandbox.hosts import Host
    from codeartifact_pipenv.sandbox.package import DistributionFile
    from codeartifact_pipenv.sandbox.state import RequestRecord
    from codeartifact_pipenv.sandbox.upstream import PublicIndex

_METADATA = ".metadata"


class PublicHost:
    """Answers requests to pypi.org; ignores credentials."""

    def __init__(self, faults: Faults, index: PublicIndex, assets: Assets) -> None:
        self._faults = faults
        self._index = index
        self._assets = assets

    def respond(self, request: Request, host: Host, record: RequestRecord) -> Response:
        """Answer one request; raises RefusalError and UpstreamError."""
        del host
        parts = [part for part in request.path.split("/") if part]
        record.name, record.places = _project(parts), ("public",)
        fault = self._faults.meet(record.places, record.name)
        if fault is not None:
            raise RefusalError(fault, "Service unavailable.")
        if request.method not in {"GET", "HEAD"}:
            raise RefusalError(405, "The public index supports GET and HEAD only.")
        project = record.name
        files = [] if project is None else self._index.files(project)
        if project is None or not files:
            raise RefusalError(404, "Not Found")
        if parts[0] == "packages":
            return self._file(request, files, parts[1], parts[2])
        place = "/".join(["", parts[0], project, *parts[2:]])
        place += "/" if parts[0] == "simple" else ""
        if request.path != place:
            return Response(status=301, headers={"Location": quote(place)})
        if parts[0] == "simple":
            return page(request.headers.get("Accept", ""), project, files, _locate, metadata=True)
        version = parts[2] if parts[2:-1] else None
        body = json.dumps(_describe(project, files, version))
        return Response(body, content_type="application/json")

    def _file(
        self, request: Request, files: list[DistributionFile], key: str, filename: str
    ) -> Response:
        wanted = filename.removesuffix(_METADATA)
        file = next((file for file in files if file.filename == wanted), None)
        if file is None or _key(file) != key or (wanted != filename and not file.is_wheel):
            raise RefusalError(404, "Not Found")
        send = self._assets.send if wanted == filename else self._assets.send_metadata
        response = send(request, file)
        # The URL contains the digest, so the file never changes.
        response.headers["Cache-Control"] = "max-age=365000000, immutable, public"
        return response


def _project(parts: list[str]) -> str | None:
    """Return the normalised project name in a path, if any."""
    match parts:
        case ["simple", name] | ["pypi", name, "json"] | ["pypi", name, _, "json"]:
            return canonicalize_name(name)
        case ["packages", _, filename]:
            named = name_and_version(filename.removesuffix(_METADATA))
            return None if named is None else named[0]
        case _:
            return None


def _key(file: DistributionFile) -> str:
    return file.sha256 or hashlib.sha256(f"{file.url}".encode()).hexdigest()


def _locate(file: DistributionFile) -> str:
    return f"https://{PUBLIC_HOST}/packages/{_key(file)}/{quote(file.filename)}"


def _describe(project: str, files: list[DistributionFile], version: str | None) -> dict[str, Any]:
    """Return the JSON API's description of a project or one of its releases.

    Raises:
        RefusalError: the release does not exist.
    """
    releases: dict[str, list[DistributionFile]] = {}
    for file in files:
        releases.setdefault(file.version, []).append(file)
    ranks = {
        number: (held[0].yanked is None, not Version(number).is_prerelease, Version(number))
        for number, held in releases.items()
    }
    number = canonical((project, version))[1] if version else max(ranks, key=lambda n: ranks[n])
    if number not in releases:
        raise RefusalError(404, "Not Found")
    rows = {each: [_as_described(file) for file in held] for each, held in releases.items()}
    said = {"info": {"name": project, "version": number}, "urls": rows[number]}
    return said if version else said | {"releases": rows}


def _as_described(file: DistributionFile) -> dict[str, Any]:
    return {
        "filename": file.filename,
        "url": _locate(file),
        "packagetype": "bdist_wheel" if file.is_wheel else "sdist",
        "digests": {"sha256": file.sha256} if file.sha256 else {},
        "size": file.size,
        "requires_python": file.requires_python,
        "upload_time_iso_8601": file.upload_time,
        "yanked": file.yanked is not None,
        "yanked_reason": file.yanked or None,
    }
