"""The public index behind the external connection ``public:pypi``."""

from __future__ import annotations

import hashlib
import secrets
from abc import ABC, abstractmethod
from dataclasses import replace
from datetime import datetime, timezone
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote, urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3 import Retry

from codeartifact_pipenv.endpoint import parse_url
from codeartifact_pipenv.files.pip_config import index_settings
from codeartifact_pipenv.lookups.simple_page import read_page
from codeartifact_pipenv.sandbox.clock import iso_time
from codeartifact_pipenv.sandbox.distributions import (
    UNREADABLE,
    blocks,
    is_distribution,
    name_and_version,
    read_file,
    wheel_metadata,
)
from codeartifact_pipenv.sandbox.errors import SandboxError, SandboxUsageError
from codeartifact_pipenv.sandbox.hosts import PUBLIC_HOST
from codeartifact_pipenv.sandbox.package import DistributionFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from codeartifact_pipenv.sandbox.environment import Proxies

_ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
_BLOCK = 1 << 16
_TIMEOUT = (15, 60)
_CONNECTIONS = 50
_RETRIES = Retry(
    3, redirect=5, backoff_factor=0.2, status_forcelist=(500, 502, 503, 504), raise_on_status=False
)
_OK = 200
_NOT_FOUND = (404, 410)
_METADATA = b"Metadata-Version:"


class UpstreamError(Exception):
    """The public index did not answer, or its answer is invalid."""


class ReleaseOverride(NamedTuple):
    """Values that replace those of the index for a release; None keeps the index's value."""

    yanked: str | None = None
    upload_time: str | None = None


class PublicIndex(ABC):
    """A public index; caches fetched files in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._metadata: dict[str | None, bytes] = {}
        self._releases: dict[tuple[str, str], ReleaseOverride] = {}

    def files(self, project: str) -> list[DistributionFile]:
        """Return the files of a project by its normalised name, perhaps none.

        Raises:
            UpstreamError: the index does not answer.
        """
        if not self._releases:
            return self.find(project)
        found = []
        for file in self.find(project):
            said = self._releases.get((project, file.version), ReleaseOverride())
            yanked = file.yanked if said.yanked is None else said.yanked
            moment = said.upload_time or file.upload_time
            found.append(replace(file, yanked=yanked, upload_time=moment))
        return found

    def describe(self, project: str, version: str, release: ReleaseOverride) -> None:
        """Override values of a release; name and version are normalised."""
        self._releases[project, version] = release

    @abstractmethod
    def find(self, project: str) -> list[DistributionFile]:
        """Return the files of a project without overrides."""

    @abstractmethod
    def open(self, file: DistributionFile) -> tuple[int | None, Iterator[bytes]]:
        """Return a file's size in bytes, if known, and an iterator over its content.

        Raises:
            UpstreamError: the file cannot be read.
        """

    def metadata(self, file: DistributionFile) -> bytes:
        """Return a wheel's METADATA.

        Raises:
            UpstreamError: the METADATA cannot be read.
        """
        held = self._metadata.get(file.url)
        if held is None:
            held = self._metadata[file.url] = self.read_metadata(file)
        return held

    def read_metadata(self, file: DistributionFile) -> bytes:
        """Fetch the wheel and read its METADATA."""
        try:
            return wheel_metadata(self.fetch(file))
        except UNREADABLE as error:
            raise UpstreamError(f"{file.filename} from the public index is damaged.") from error

    def kept(self, file: DistributionFile) -> Path | None:
        """Return the path of a cached file, or None if it was not fetched yet."""
        path = self._place(file)
        return path if path.exists() else None

    def fetch(self, file: DistributionFile) -> Path:
        """Fetch a file and return its path.

        Raises:
            UpstreamError: the file cannot be read, or its hash is wrong.
        """
        if self.kept(file) is None:
            _, blocks = self.download(file)
            for _ in blocks:
                pass
        return self._place(file)

    def download(self, file: DistributionFile) -> tuple[int | None, Iterator[bytes]]:
        """Open a file and cache it once its content has been read completely.

        Raises:
            UpstreamError: the file cannot be read; the iterator raises it if the download breaks
                off or the hash is wrong.
        """
        size, blocks = self.open(file)
        return size, self._keep(blocks, file)

    def _keep(self, blocks: Iterator[bytes], file: DistributionFile) -> Iterator[bytes]:
        place = self._place(file)
        partial = place.with_name(f"{place.name}.{secrets.token_hex(4)}")
        digest = hashlib.sha256()
        try:
            with partial.open("xb") as out:
                for block in blocks:
                    digest.update(block)
                    out.write(block)
                    yield block
            if file.sha256 not in {None, digest.hexdigest()}:
                raise UpstreamError(f"{file.filename} from the public index has a wrong hash.")
            partial.replace(place)
        finally:
            partial.unlink(missing_ok=True)

    def _place(self, file: DistributionFile) -> Path:
        return self._folder / hashlib.sha256(f"{file.url} {file.sha256}".encode()).hexdigest()


class MachinePublicIndex(PublicIndex):
    """The machine's public index over HTTP; requests each page once."""

    def __init__(
        self, environ: Mapping[str, str], proxies: Proxies, ca_file: Path, folder: Path
    ) -> None:
        super().__init__(folder)
        self._environ = environ
        self._proxies = proxies
        self._ca_file = ca_file
        self._pages: dict[str, list[DistributionFile]] = {}
        self._session = requests.Session()
        # Use the settings of the sandbox's environment, not of this process.
        self._session.trust_env = False
        for scheme in ("http://", "https://"):
            self._session.mount(
                scheme, HTTPAdapter(pool_maxsize=_CONNECTIONS, max_retries=_RETRIES)
            )

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def find(self, project: str) -> list[DistributionFile]:
        """See :meth:`PublicIndex.find`."""
        known = self._pages.get(project)
        if known is None:
            known = self._pages[project] = self._ask(project)
        return known

    def open(self, file: DistributionFile) -> tuple[int | None, Iterator[bytes]]:
        """See :meth:`PublicIndex.open`."""
        response = self._get(file.url or "", {"Accept-Encoding": "identity"})
        if response.status_code != _OK:
            response.close()
            raise UpstreamError(
                f"The public index answered {response.status_code} for {file.filename}."
            )
        length = response.headers.get("Content-Length", "")
        return int(length) if length.isdigit() else None, _blocks(response, file.filename)

    def read_metadata(self, file: DistributionFile) -> bytes:
        """Fetch METADATA alone (PEP 658), or the wheel if the index does not serve it."""
        try:
            with self._get(f"{file.url}.metadata", {}) as response:
                if response.status_code == _OK and response.content.startswith(_METADATA):
                    return response.content
        except requests.RequestException as error:
            raise UpstreamError(
                f"The public index broke off in {file.filename}.metadata."
            ) from error
        return super().read_metadata(file)

    def _ask(self, project: str) -> list[DistributionFile]:
        try:
            with self._get(f"{self._index.url}{project}/", {"Accept": _ACCEPT}) as response:
                status, where, body = response.status_code, response.url, response.content
        except requests.RequestException as error:
            raise UpstreamError(f"The public index broke off in the page of {project}.") from error
        if status in _NOT_FOUND:
            return []
        if status != _OK:
            raise UpstreamError(f"The public index answered {status} for {project}.")
        try:
            return list(_page(project, body, response.headers.get("Content-Type", ""), where))
        except ValueError as error:
            raise UpstreamError(f"The public index's page of {project} cannot be read.") from error

    def _get(self, url: str, headers: dict[str, str]) -> requests.Response:
        parts = urlsplit(url)
        is_index = parts[:2] == urlsplit(self._index.url)[:2]
        proxy = self._proxies.find(parts.scheme, parts.hostname or "")
        try:
            return self._session.get(
                url,
                headers=headers,
                auth=self._index.login if is_index else None,
                proxies={} if proxy is None else {parts.scheme: proxy},
                verify=str(self._ca_file),
                timeout=_TIMEOUT,
                stream=True,
            )
        except requests.RequestException as error:
            raise UpstreamError(f"The public index at {parts.hostname} does not answer.") from error

    @cached_property
    def _index(self) -> _Index:
        return _find_index(self._environ)


class _Index(NamedTuple):
    url: str
    login: tuple[str, str] | None


def _find_index(environ: Mapping[str, str]) -> _Index:
    """Return pip's configured index, unless it is a CodeArtifact repository.

    After ``aws codeartifact login`` it is a real repository, which the sandbox must not contact.
    """
    files_alone = {name: value for name, value in environ.items() if name != "PIP_INDEX_URL"}
    configured = [index_settings(each)[0] for each in (environ, files_alone)]
    public = [url for url in configured if url and parse_url(url) is None]
    parts = urlsplit(public[0] if public else f"https://{PUBLIC_HOST}/simple/")
    clean = parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()
    url = clean.rstrip("/") + "/"
    if parts.username is None:
        return _Index(url, None)
    return _Index(url, (unquote(parts.username), unquote(parts.password or "")))


def _blocks(response: requests.Response, filename: str) -> Iterator[bytes]:
    try:
        yield from response.iter_content(_BLOCK)
    except requests.RequestException as error:
        raise UpstreamError(f"The public index broke off in {filename}.") from error
    finally:
        response.close()


def _page(project: str, body: bytes, kind: str, url: str) -> Iterator[DistributionFile]:
    for file in read_page(body, kind, url):
        named = name_and_version(file.name)
        # Old projects have file types that pip does not support.
        if named is None or named[0] != project:
            continue
        yield DistributionFile(
            name=project,
            version=named[1],
            filename=file.name,
            sha256=file.sha256 or None,
            size=file.size,
            requires_python=file.requires_python or None,
            yanked="" if file.yanked is True else file.yanked or None,
            upload_time=file.upload_time or None,
            metadata=file.metadata if isinstance(file.metadata, str) else None,
            url=file.url,
        )


class PublicFolder(PublicIndex):
    """Serves the files that a folder had at the start; the upload time is the modification time.

    Raises:
        SandboxError: the folder does not exist, or a package in it cannot be read.
    """

    def __init__(self, source: Path, folder: Path) -> None:
        super().__init__(folder)
        if not source.is_dir():
            raise SandboxUsageError(
                f"{source} is not a folder.", "Name a folder with *.whl or *.tar.gz files."
            )
        self._source = source.resolve()
        self._projects: dict[str, list[DistributionFile]] = {}
        for path in sorted(self._source.iterdir()):
            if is_distribution(path):
                uploaded = datetime.fromtimestamp(path.stat().st_mtime, timezone.utc)
                file = replace(
                    read_file(path),
                    path=None,
                    url=path.as_uri(),
                    upload_time=iso_time(uploaded),
                )
                self._projects.setdefault(file.name, []).append(file)

    def find(self, project: str) -> list[DistributionFile]:
        """Return a project's files, perhaps none."""
        return self._projects.get(project, [])

    def open(self, file: DistributionFile) -> tuple[int | None, Iterator[bytes]]:
        """Open a file unless it has changed since the start; see :meth:`PublicIndex.open`."""
        path = self._source / file.filename
        try:
            digest = read_file(path).sha256
        except SandboxError as error:
            raise UpstreamError(error.sentence) from error
        if digest != file.sha256:
            raise UpstreamError(f"{file.filename} in the public folder has changed.")
        return file.size, blocks(path)
