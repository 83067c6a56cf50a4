"""METADATA of the repositories' wheels, fetched with as few bytes as possible."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from http import HTTPStatus

import requests

from codeartifact_pipenv.lookups.index_client import read_body
from codeartifact_pipenv.proxy_index.metadata import (
    MOST_BYTES,
    MetadataStore,
    RemoteWheel,
    is_metadata,
    metadata_of,
)
from codeartifact_pipenv.proxy_index.model import NOWHERE, Once, Refusal, RefusedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from codeartifact_pipenv.proxy_index.model import FileOrigin, Observations
    from codeartifact_pipenv.proxy_index.other_indexes import OtherIndex
    from codeartifact_pipenv.proxy_index.upstreams import UpstreamClient

# The end of a wheel contains its list of files, and often its METADATA.
_TAIL_BYTES = 1 << 16
# After these responses to a range request, the whole wheel is requested.
_NO_PARTS = (
    HTTPStatus.PARTIAL_CONTENT,
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
    HTTPStatus.NOT_IMPLEMENTED,
)


class WheelDownloads:
    """Fetches wheels, in parts or whole, and keeps whole wheels during the run.

    Args:
        clients: the clients of the repositories, by number.
        folder: the folder for wheels, or None for the system's temporary folder.
        observed: records files that cannot be written.
    """

    def __init__(
        self, clients: Sequence[UpstreamClient], folder: str | None, observed: Observations
    ) -> None:
        self._clients = clients
        self._folder = tempfile.TemporaryDirectory(prefix="wheels-", dir=folder)
        self._observed = observed
        self._paths: dict[str, str] = {}
        self._is_closed = False

    def close(self) -> None:
        """Stop downloads and remove the wheels."""
        self._is_closed = True
        self._folder.cleanup()

    def path(self, origin: FileOrigin) -> str | None:
        """Return the path of a local or downloaded file, if any."""
        return origin.path if origin.number == NOWHERE else self._paths.get(origin.sha256)

    def metadata(self, origin: FileOrigin) -> tuple[bytes | None, bool]:
        """Return a wheel's METADATA, and whether the wheel's hash was verified.

        Raises:
            RefusedError, requests.RequestException: the request failed.
            ValueError: the wheel does not match the hash on its page.
        """
        offered = self._offered(origin)
        if offered is not None:
            return offered, False
        answer = self._open(origin, f"bytes=-{_TAIL_BYTES}")
        if answer.status_code == HTTPStatus.PARTIAL_CONTENT:
            with answer:
                size, tail = _whole_size(answer), read_body(answer, _TAIL_BYTES)
            if size is not None and tail is not None and len(tail) < size:
                remote = RemoteWheel(size, tail, lambda *span: self._part(origin, *span))
                return metadata_of(remote, origin.filename), False
        if answer.status_code in _NO_PARTS:
            answer.close()
            answer = self._open(origin, None)
        with open(self._fetch(origin, answer), "rb") as wheel:
            return metadata_of(wheel, origin.filename), True

    def _offered(self, origin: FileOrigin) -> bytes | None:
        """Return the METADATA file of the repository, if it has one."""
        if not origin.offered:
            return None
        with self._clients[origin.number].request(f"{origin.path}.metadata", {}) as answer:
            data = read_body(answer, MOST_BYTES)
        is_ok = answer.status_code == HTTPStatus.OK
        return data if is_ok and is_metadata(data, origin.offered) else None

    def _part(self, origin: FileOrigin, first: int, last: int) -> bytes:
        with self._open(origin, f"bytes={first}-{last}") as answer:
            data = read_body(answer, last - first + 1)
        if answer.status_code != HTTPStatus.PARTIAL_CONTENT or data is None:
            raise requests.exceptions.InvalidHeader("the part is missing")
        return data

    def _open(self, origin: FileOrigin, span: str | None) -> requests.Response:
        headers = {"Accept-Encoding": "identity"} | ({"Range": span} if span else {})
        return self._clients[origin.number].request_listed(origin.path, headers)

    def _fetch(self, origin: FileOrigin, answer: requests.Response) -> str:
        """Download a file and verify its hash; return its path."""
        if answer.status_code != HTTPStatus.OK:
            answer.close()
            raise RefusedError(Refusal(origin.number, answer.status_code))
        path = os.path.join(self._folder.name, origin.sha256)
        try:
            sha256 = self._write(path, origin, answer)
        except requests.RequestException:
            raise
        except OSError as error:
            self._observed.unwritten = error.strerror
            raise RefusedError(Refusal(NOWHERE, None)) from error
        if sha256 != origin.sha256:
            os.unlink(path)
            raise ValueError(f"{origin.filename} does not match the hash on its page")
        self._paths[origin.sha256] = path
        return path

    def _write(self, path: str, origin: FileOrigin, answer: requests.Response) -> str:
        """Write the body of a response to a file; return its SHA-256."""
        digest = hashlib.sha256()
        with open(path, "wb") as out:
            for block in self._clients[origin.number].blocks(origin.path, {}, answer):
                if self._is_closed:
                    raise RefusedError(Refusal(NOWHERE, None))
                digest.update(block)
                out.write(block)
        return digest.hexdigest()


class WheelMetadata:
    """METADATA of the repositories' wheels, found once in a run.

    Args:
        downloads: fetches wheels.
        default: the default source, if any.
        store: stores METADATA for the next run.
        urls: the URLs of the repositories.
        on_metadata: called with each METADATA.
    """

    def __init__(
        self,
        downloads: WheelDownloads,
        default: OtherIndex | None,
        store: MetadataStore,
        urls: Sequence[str],
        on_metadata: Callable[[bytes], object],
    ) -> None:
        self._downloads = downloads
        self._default = default
        self._store = store
        self._urls = urls
        self._on_metadata = on_metadata
        self._found: Once[bytes | None] = Once()

    def metadata(self, origin: FileOrigin) -> bytes | None:
        """Return the METADATA of a wheel, or None if it has no readable METADATA.

        Raises:
            RefusedError, requests.RequestException, ValueError: as ``WheelDownloads.metadata``.
        """
        return self._found.get(origin.sha256, lambda: self._find(origin))

    def _find(self, origin: FileOrigin) -> bytes | None:
        data = self._stored(origin)
        if data is None:
            data = self._public(origin)
        if data is None:
            data, is_checked = self._downloads.metadata(origin)
            if data is not None:
                of = "" if is_checked else self._urls[origin.number]
                self._store.put(origin.sha256, data, of)
        if data is not None:
            self._on_metadata(data)
        return data

    def _stored(self, origin: FileOrigin) -> bytes | None:
        origins = ["", self._urls[origin.number]]
        if self._default and origin.public:
            origins.append(self._default.url)
        kept = (self._store.get(origin.sha256, each) for each in origins)
        return next((data for data in kept if data is not None), None)

    def _public(self, origin: FileOrigin) -> bytes | None:
        """Return the METADATA of the same wheel in the default source."""
        if self._default is None or origin.public is None:
            return None
        data = self._default.metadata(origin.public)
        if data is not None:
            self._store.put(origin.sha256, data, self._default.url)
        return data


def _whole_size(answer: requests.Response) -> int | None:
    found = re.fullmatch(r"bytes \d+-\d+/(\d+)", answer.headers.get("Content-Range", ""))
    return int(found[1]) if found else None
