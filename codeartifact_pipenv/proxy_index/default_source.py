"""The project's default source, asked for what it says of the files that CodeArtifact has."""

from __future__ import annotations

import hashlib
from http import HTTPStatus
from urllib.parse import quote

import requests

from codeartifact_pipenv.lookups.index_client import read_body
from codeartifact_pipenv.lookups.simple_page import read_page
from codeartifact_pipenv.proxy_index.metadata import MOST_BYTES
from codeartifact_pipenv.proxy_index.once import Once
from codeartifact_pipenv.proxy_index.upstreams import adapter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from codeartifact_pipenv.lookups.simple_page import File

# As pip asks: what pip is given with it, and what it is told is not there, is so here.
ACCEPT = (
    "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html; q=0.1, "
    "text/html; q=0.01"
)
# Seconds that it has, less than the 10 that pipenv waits for a page; one that is silent is not
# asked again in this run.
_CONNECT_SECONDS, _READ_SECONDS = 3, 5


class DefaultSource:
    """Asks it; it need not answer, and the client may fare better by itself.

    Args:
        url: its URL, without credentials.
        login: username and password; None for none.
        verify: the CA bundle.
    """

    def __init__(self, url: str, login: tuple[str, str] | None, verify: str | bool) -> None:
        self.url = url
        self._login = login
        self._verify = verify
        self._is_silent = False
        self._pages: Once[tuple[File, ...] | None] = Once()
        self._session = requests.Session()
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, adapter(statuses=1, others=0))

    def close(self) -> None:
        """Close the connections; what is still waiting is not asked for any more."""
        self._is_silent = True
        self._session.close()

    def files(self, name: str) -> tuple[File, ...] | None:
        """Return the files of a normalised name; None where it cannot be asked."""
        return self._pages.get(name, lambda: self._ask(name))

    def hashes(self, name: str) -> set[str]:
        """Return the SHA-256 of the files that it has shown, as ``sha256:...``."""
        return {f"sha256:{file.sha256}" for file in self._pages.peek(name) or () if file.sha256}

    def metadata(self, file: File) -> bytes | None:
        """Return the METADATA of one of its wheels; None where it is not what its page says."""
        if not file.metadata:
            return None
        try:
            with self._get(f"{file.url}.metadata", "*/*") as answer:
                data = read_body(answer, MOST_BYTES)
        except (requests.RequestException, ValueError):
            return None
        if answer.status_code != HTTPStatus.OK or data is None:
            return None
        # (Without a hash it is as good as to pip, which asks for the same.)
        says = hashlib.sha256(data).hexdigest()
        return data if file.metadata in {True, says} else None

    def _ask(self, name: str) -> tuple[File, ...] | None:
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
            raise requests.exceptions.ConnectionError("the default source does not answer")
        return self._session.get(
            url,
            headers={"Accept": accept},
            auth=self._login if url.startswith(self.url) else None,
            timeout=(_CONNECT_SECONDS, _READ_SECONDS),
            verify=self._verify,
            stream=True,
        )
