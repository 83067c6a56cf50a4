"""The package endpoint: pages, files and uploads, with authentication."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote, urlsplit

from packaging.utils import canonicalize_name
from werkzeug.wrappers import Response

from codeartifact_pipenv.endpoint import RepositoryEndpoint, parse_host, parse_url
from codeartifact_pipenv.lookups import simple_page
from codeartifact_pipenv.sandbox.answers import RefusalError, page
from codeartifact_pipenv.sandbox.api.errors import refusal as refusal_sentence
from codeartifact_pipenv.sandbox.hosts import package_arn, repository_arn
from codeartifact_pipenv.sandbox.package import Version
from codeartifact_pipenv.sandbox.repository import PUBLIC_INDEX
from codeartifact_pipenv.sandbox.uploads import receive, store

if TYPE_CHECKING:
    from pathlib import Path

    from werkzeug.wrappers import Request

    from codeartifact_pipenv.sandbox.assets import Assets
    from codeartifact_pipenv.sandbox.hosts import Host
    from codeartifact_pipenv.sandbox.package import DistributionFile
    from codeartifact_pipenv.sandbox.repository import Repository
    from codeartifact_pipenv.sandbox.state import RequestRecord, State
    from codeartifact_pipenv.sandbox.uploads import Upload
    from codeartifact_pipenv.sandbox.upstream import PublicIndex

_USER = "aws"
# simple/NAME/ and simple/NAME/VERSION/FILENAME
_PAGE_PARTS, _FILE_PARTS = 2, 4


class Found(NamedTuple):
    """A version that a repository can serve.

    Attributes:
        version: the version.
        holder: the repository that stores it or has the external connection to it.
    """

    version: Version
    holder: Repository


class PackageIndex:
    """Answers requests to repositories."""

    def __init__(self, state: State, upstream: PublicIndex, assets: Assets, folder: Path) -> None:
        self._state = state
        self._assets = assets
        self._upstream = upstream
        self._folder = folder

    def respond(self, request: Request, host: Host, record: RequestRecord) -> Response:
        """Answer one request; raises RefusalError and UpstreamError."""
        endpoint = parse_url(f"https://{host.name}{quote(request.path)}")
        parts = [] if endpoint is None else _parts(request, endpoint)
        if parts[:1] == ["simple"] and len(parts) >= _PAGE_PARTS:
            record.name = canonicalize_name(parts[1])
        record.places = ("packages", _kind(request, parts))
        fault = self._state.faults.meet(record.places, record.name)
        if fault is not None:
            raise RefusalError(fault, "Service unavailable.")
        arn = self._authenticate(request, endpoint or parse_host(host.name), record)
        if endpoint is None:
            raise RefusalError(404, "No repository exists at this address.")
        repository = self._state.repository(endpoint.domain, endpoint.repository)
        if repository is None:
            raise RefusalError(404, f"Repository {endpoint.repository} not found.")
        if request.method == "POST" and not parts:
            return self._take_upload(request, repository, arn, record)
        return self._read(request, repository, arn, parts)

    def _authenticate(
        self, request: Request, endpoint: RepositoryEndpoint | None, record: RequestRecord
    ) -> str:
        given = request.authorization
        token = None
        if given is not None and given.type == "basic" and given.username == _USER:
            token = given.password
        elif given is not None and given.type == "bearer":
            token = given.token
        domain = None if endpoint is None else endpoint.domain
        issued = self._state.tokens.find(token or "", domain)
        if issued is None:
            raise RefusalError(401, "Unauthorized")
        record.credential = issued.token_id
        if not self._state.grants_read(issued.token_id):
            raise RefusalError(429, "Rate exceeded")
        return issued.arn

    def _authorize(self, arn: str, action: str, resource: str, status: int = 403) -> None:
        if self._state.denies(action, resource):
            raise RefusalError(status, refusal_sentence(arn, action, resource))

    def _read(
        self, request: Request, repository: Repository, arn: str, parts: list[str]
    ) -> Response:
        if request.method not in {"GET", "HEAD"}:
            raise RefusalError(405, "This address supports GET and HEAD only.")
        resource = repository_arn(repository.domain, repository.name)
        denied = self._state.behaviour.read_denied
        self._authorize(arn, "codeartifact:ReadFromRepository", resource, denied)
        # CodeArtifact has neither a list of all packages nor PyPI's JSON API.
        if parts[:1] != ["simple"] or len(parts) not in {_PAGE_PARTS, _FILE_PARTS}:
            raise RefusalError(404, "Not found.")
        project = canonicalize_name(parts[1])
        if len(parts) == _PAGE_PARTS and not request.path.endswith("/"):
            # The page has relative links, so the URL must end in a slash.
            return Response(status=301, headers={"Location": f"{quote(request.path)}/"})
        found = self._find(repository, project)
        if not found:
            where = f"in repository {repository.name}"
            raise RefusalError(404, f"Package {project} not found {where}.")
        self._notice(repository, project, found)
        if len(parts) == _PAGE_PARTS:
            return self._page(request, project, found)
        wanted = found.get(parts[2])
        files = {} if wanted is None else wanted.version.files
        wheel = files.get(parts[3].removesuffix(".metadata"))
        if wheel and wheel.is_wheel and parts[3] not in files and self._state.behaviour.metadata:
            return self._assets.send_metadata(request, wheel)
        file = files.get(parts[3])
        if wanted is None or file is None:
            raise RefusalError(404, f"{parts[3]} not found.")
        response = self._file(request, repository.domain.region, file)
        if request.method == "GET":
            self._retain(repository, project, parts[2], wanted)
        return response

    def _page(self, request: Request, project: str, found: dict[str, Found]) -> Response:
        behaviour = self._state.behaviour
        files = [file for each in found.values() for file in each.version.files.values()]
        files = [
            replace(
                file,
                upload_time=file.upload_time if behaviour.upload_time else None,
                yanked=file.yanked if behaviour.yanked else None,
            )
            for file in files
        ]
        accept = (
            simple_page.PLAIN_HTML
            if behaviour.pages == "html"
            else request.headers.get("Accept", "")
        )
        return page(accept, project, files, _locate, metadata=behaviour.metadata)

    def _file(self, request: Request, region: str, file: DistributionFile) -> Response:
        status = self._state.behaviour.redirect
        if status is None:
            return self._assets.send(request, file, ranges=self._state.behaviour.ranges)
        place = self._assets.sign(file, region, request.method)
        return Response(status=status, headers={"Location": place})

    def _take_upload(
        self, request: Request, repository: Repository, arn: str, record: RequestRecord
    ) -> Response:
        with receive(request) as upload:
            record.name = upload.name
            package = package_arn(repository.domain, repository.name, upload.name)
            self._authorize(arn, "codeartifact:PublishPackageVersion", package)
            self._check_origin(repository, upload)
            if not self._state.publish(repository, store(upload, self._folder)):
                raise RefusalError(409, f"{upload.filename} exists with other content.")
            return Response(status=200)

    def _check_origin(self, repository: Repository, upload: Upload) -> None:
        """Refuse an upload with 409 if origin controls block it or an upstream has the version."""
        if not self._state.allows(repository, upload.name, "PUBLISH"):
            raise RefusalError(409, f"Publishing {upload.name} is blocked by its origin controls.")
        found = self._find(repository, upload.name).get(upload.version)
        if found is not None and found.version.entry != repository.name:
            raise RefusalError(
                409, f"{upload.name} {upload.version} exists in {found.version.entry}."
            )

    def _find(self, repository: Repository, name: str) -> dict[str, Found]:
        """Return the versions that a repository can serve, each from the first place that has it.

        Raises:
            UpstreamError: the public index does not answer.
        """
        found: dict[str, Found] = {}
        for holder in self._state.search_order(repository, name):
            for number, version in self._state.versions(holder, name).items():
                found.setdefault(number, Found(version, holder))
            is_connected = holder.external_connection == PUBLIC_INDEX
            if is_connected and self._state.allows(holder, name, "EXTERNAL_UPSTREAM"):
                for number, version in self._public_versions(name).items():
                    found.setdefault(number, Found(version, holder))
        return found

    def _notice(self, repository: Repository, name: str, found: dict[str, Found]) -> None:
        """Register a package from elsewhere in the repositories that will retain it."""
        for each in found.values():
            for retaining in _retaining_repositories(repository, each):
                self._state.notice(retaining, name)

    def _retain(self, repository: Repository, name: str, number: str, found: Found) -> None:
        """Retain a downloaded version with all its files, as AWS does.

        The requested repository and the one with the external connection retain it; those in
        between do not.
        """
        for retaining in _retaining_repositories(repository, found):
            self._state.retain(retaining, name, number, found.version)

    def _public_versions(self, name: str) -> dict[str, Version]:
        versions: dict[str, Version] = {}
        for file in self._upstream.files(name):
            version = versions.setdefault(file.version, Version(PUBLIC_INDEX, 0))
            version.files[file.filename] = file
        return versions


def _retaining_repositories(repository: Repository, found: Found) -> list[Repository]:
    if found.holder is repository or not found.version.is_external:
        return [repository]
    return [repository, found.holder]


def _parts(request: Request, endpoint: RepositoryEndpoint) -> list[str]:
    prefix = urlsplit(endpoint.url).path.rstrip("/")
    # Clients may send double slashes; ignore empty parts.
    return [part for part in request.path[len(prefix) :].split("/") if part]


def _locate(file: DistributionFile) -> str:
    return f"{quote(file.version)}/{quote(file.filename)}"


def _kind(request: Request, parts: list[str]) -> str:
    if request.method == "POST":
        return "uploads"
    return "files" if len(parts) == _FILE_PARTS else "pages"
