"""Indexes that are not CodeArtifact repositories: the default source, and those of single packages.

The default source also supplies data about files that CodeArtifact has.
"""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import quote, urlsplit

import requests

from codeartifact_pipenv.lookups.index_client import read_body
from codeartifact_pipenv.lookups.simple_page import read_page
from codeartifact_pipenv.proxy_index.metadata import MOST_BYTES, is_metadata
from codeartifact_pipenv.proxy_index.model import Once
from codeartifact_pipenv.proxy_index.upstreams import adapter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from codeartifact_pipenv.lookups.simple_page import File

# The same header as pip's, so the index answers as it would answer pip.
ACCEPT = (
    "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html; q=0.1, "
    "text/html; q=0.01"
)
# Less than the 10 seconds that pipenv waits for a page.
_CONNECT_SECONDS, _READ_SECONDS = 3, 5


class OtherIndex:
    """A client of one index. If the index does not answer, it is not asked again in this run.

    Args:
        url: the index URL without credentials.
        logins: by host, username and password.
        verify: the CA bundle.
    """

    def __init__(self, url: str, logins: Mapping[str, tuple[str, str]], verify: str | bool) -> None:
        self.url = url
        self._logins = logins
        self._verify = verify
        self._is_silent = False
        self._pages: Once[tuple[File, ...] | None] = Once()
        self._session = requests.Session()
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, adapter(statuses=1, others=0))

    def close(self) -> None:
        """Close the connections and send no more requests."""
        self._is_silent = True
        self._session.close()

    def files(self, name: str) -> tuple[File, ...] | None:
        """Return the files of a normalised name, or None without a usable answer."""
        return self._pages.get(name, lambda: self._fetch(name))

    def hashes(self, name: str) -> set[str]:
        """Return the hashes on a page that was already fetched, as ``sha256:...``."""
        return {f"sha256:{file.sha256}" for file in self._pages.peek(name) or () if file.sha256}

    def metadata(self, file: File) -> bytes | None:
        """Return the METADATA of a wheel, or None if it is missing or differs from the page's hash."""
        if not file.metadata:
            return None
        try:
            with self._get(f"{file.url}.metadata", "*/*") as answer:
                data = read_body(answer, MOST_BYTES)
        except (requests.RequestException, ValueError):
            return None
        is_ok = answer.status_code == HTTPStatus.OK
        return data if is_ok and is_metadata(data, file.metadata) else None

    def _fetch(self, name: str) -> tuple[File, ...] | None:
        try:
            with self._get(f"{self.url.rstrip('/')}/{quote(name)}/", ACCEPT) as answer:
                if answer.status_code in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}:
                    return ()
                body = read_body(answer)
                if answer.status_code != HTTPStatus.OK or body is None:
                    return None
                return read_page(body, answer.headers.get("Content-Type", ""), answer.url)
        except requests.RequestException:
            self._is_silent = True
        except ValueError:
            pass
        return None

    def _get(self, url: str, accept: str) -> requests.Response:
        if self._is_silent:
            raise requests.exceptions.ConnectionError("the index does not answer")
        login = self._logins.get(urlsplit(self.url).hostname or "")
        return self._session.get(
            url,
            headers={"Accept": accept},
            auth=login if url.startswith(self.url) else None,
            timeout=(_CONNECT_SECONDS, _READ_SECONDS),
            verify=self._verify,
            stream=True,
        )
