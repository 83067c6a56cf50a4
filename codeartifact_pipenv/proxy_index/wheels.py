"""METADATA of the repositories' wheels, from wherever it is had with the fewest bytes."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from http import HTTPStatus
from typing import NamedTuple

import requests

from codeartifact_pipenv.lookups.index_client import read_body
from codeartifact_pipenv.proxy_index.index import NOWHERE, Refusal, RefusedError
from codeartifact_pipenv.proxy_index.metadata import (
    MOST_BYTES,
    MetadataStore,
    RemoteWheel,
    metadata_of,
    requirements_of,
)
from codeartifact_pipenv.proxy_index.once import Once

TYPE_CHECKING = False
if TYPE_CHECKING:
    from codeartifact_pipenv.lookups.simple_page import File
    from codeartifact_pipenv.proxy_index.default_source import DefaultSource
    from codeartifact_pipenv.proxy_index.index import ProxyIndex
    from codeartifact_pipenv.proxy_index.upstreams import Repositories

# How much of a wheel's end is asked for: its list of files, and often its METADATA.
_TAIL_BYTES = 1 << 16
# After these answers to a question for the end of a wheel the whole is asked for.
_NO_PARTS = (
    HTTPStatus.PARTIAL_CONTENT,
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
    HTTPStatus.NOT_IMPLEMENTED,
)


class Place(NamedTuple):
    """Where a file of a page comes from.

    Attributes:
        number: its repository's.
        path: below that one's URL, quoted.
        project: the normalised name of its page; '' where that is not known.
        sha256: hex digest; '' for unknown.
        filename: its name.
        public: the same file in the default source; None where it is not there.
        offered: what the repository itself says of METADATA, as ``metadata`` of a File.
    """

    number: int
    path: str
    project: str
    sha256: str = ""
    filename: str = ""
    public: File | None = None
    offered: bool | str = False


class Wheels:
    """Has METADATA, and what was fetched for it.

    Args:
        index: the index.
        repositories: asks the repositories.
        default: the default source; None for none.
    """

    def __init__(
        self, index: ProxyIndex, repositories: Repositories, default: DefaultSource | None
    ) -> None:
        self._index = index
        self._repositories = repositories
        self._default = default
        cache = index.cache
        self._store = MetadataStore(None if cache is None else os.path.join(cache, "metadata"))
        self._found: Once[bytes | None] = Once()
        self._folder = tempfile.TemporaryDirectory(prefix="wheels-", dir=index.folder)
        self._kept: dict[str, str] = {}
        self._is_closed = False

    def close(self) -> None:
        """Remove what was fetched; what is being fetched is given up."""
        self._is_closed = True
        self._folder.cleanup()

    def kept(self, place: Place) -> str | None:
        """Return the path of a file that was fetched as a whole; None for others."""
        return self._kept.get(place.sha256)

    def metadata(self, place: Place) -> bytes | None:
        """Return the METADATA of a wheel; None where it has none that can be read.

        Raises:
            RefusedError, requests.RequestException: the wheel is not given, this time.
            ValueError: it has other bytes than its page says.
        """
        return self._found.get(place.sha256, lambda: self._find(place))

    def _find(self, place: Place) -> bytes | None:
        own = self._index.upstreams[place.number].endpoint.url
        public, default = place.public, self._default
        origins = ["", own, *([default.url] if default and public else [])]
        kept = (self._store.get(place.sha256, origin) for origin in origins)
        data = next((each for each in kept if each is not None), None)
        if data is None and default is not None and public is not None:
            data = default.metadata(public)
            if data is not None:
                self._store.put(place.sha256, data, default.url)
        if data is None:
            data, is_checked = self._read(place)
            if data is not None:
                self._store.put(place.sha256, data, "" if is_checked else own)
        if data is not None:
            found = data
            self._index.later(lambda: self._index.prefetch(requirements_of(found)))
        return data

    def _read(self, place: Place) -> tuple[bytes | None, bool]:
        """Return a wheel's METADATA, and whether the whole wheel was there to be checked."""
        offered = self._offered(place)
        if offered is not None:
            return offered, False
        answer = self._open(place, f"bytes=-{_TAIL_BYTES}")
        if answer.status_code == HTTPStatus.PARTIAL_CONTENT:
            with answer:
                size, tail = _whole_size(answer), read_body(answer, _TAIL_BYTES)
            if size is not None and tail is not None and len(tail) < size:
                remote = RemoteWheel(size, tail, lambda first, last: self._part(place, first, last))
                return metadata_of(remote, place.filename), False
        if answer.status_code in _NO_PARTS:
            answer.close()
            answer = self._open(place, None)
        with open(self._fetch(place, answer), "rb") as wheel:
            return metadata_of(wheel, place.filename), True

    def _offered(self, place: Place) -> bytes | None:
        """Return the METADATA that the repository has beside the wheel; None where it has none."""
        if not place.offered:
            return None
        with self._repositories.ask(place.number, f"{place.path}.metadata", {}) as answer:
            data = read_body(answer, MOST_BYTES)
        if answer.status_code != HTTPStatus.OK or data is None:
            return None
        return data if place.offered in {True, hashlib.sha256(data).hexdigest()} else None

    def _part(self, place: Place, first: int, last: int) -> bytes:
        with self._open(place, f"bytes={first}-{last}") as answer:
            data = read_body(answer, last - first + 1)
        if answer.status_code != HTTPStatus.PARTIAL_CONTENT or data is None:
            raise requests.exceptions.InvalidHeader("a part was promised")
        return data

    def _open(self, place: Place, span: str | None) -> requests.Response:
        headers = {"Accept-Encoding": "identity"} | ({"Range": span} if span else {})
        return self._repositories.ask_listed(place.number, place.path, headers)

    def _fetch(self, place: Place, answer: requests.Response) -> str:
        """Fetch a file as a whole, check it, and keep it for this run; return its path."""
        if answer.status_code != HTTPStatus.OK:
            answer.close()
            raise RefusedError(Refusal(place.number, answer.status_code))
        path = os.path.join(self._folder.name, place.sha256)
        digest = hashlib.sha256()
        try:
            with open(path, "wb") as out:
                for block in self._repositories.blocks(place.number, place.path, {}, answer):
                    if self._is_closed:
                        raise RefusedError(Refusal(NOWHERE, None))
                    digest.update(block)
                    out.write(block)
        except requests.RequestException:
            raise
        except OSError as error:
            self._index.unwritten = error.strerror
            raise RefusedError(Refusal(NOWHERE, None)) from error
        if digest.hexdigest() != place.sha256:
            os.unlink(path)
            raise ValueError(f"{place.filename} has other bytes than its page says")
        self._kept[place.sha256] = path
        return path


def _whole_size(answer: requests.Response) -> int | None:
    found = re.fullmatch(r"bytes \d+-\d+/(\d+)", answer.headers.get("Content-Range", ""))
    return int(found[1]) if found else None
