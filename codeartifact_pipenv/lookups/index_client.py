"""An HTTP client for the package pages of indexes."""

from __future__ import annotations

import contextlib
import os
import time
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import quote

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError, ReadTimeoutError

from codeartifact_pipenv.files.pip_config import setting_value
from codeartifact_pipenv.lookups.simple_page import read_page

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from codeartifact_pipenv.endpoint import RepositoryEndpoint
    from codeartifact_pipenv.lookups.simple_page import File

TLS, PROXY, UNREACHABLE, SLOW = "tls", "proxy", "unreachable", "slow"

_ACCEPT = "application/vnd.pypi.simple.v1+json, text/html;q=0.2"
_CONNECTIONS = 32
# The longest page of public PyPI is about 20 MB.
MOST_BYTES = 64_000_000
_MOST_SECONDS = 20.0
_CHUNK = 65536
_SMALL_CHUNK = 256
_WITHOUT_BODY = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})
_HTTP_1_1 = 11


class Answer(NamedTuple):
    """The response of an index, or the reason that it did not respond.

    Attributes:
        status: the HTTP status, or None without a response.
        failure: why the request failed: TLS, PROXY, UNREACHABLE, or SLOW if the host accepted
            the connection but did not respond in time. None if it succeeded.
        files: the files on the page.
        skew: seconds by which this machine's clock is ahead of the ``Date`` header, beyond
            the duration of the request. None without that header.
    """

    status: int | None
    failure: str | None = None
    files: tuple[File, ...] = ()
    skew: float | None = None

    @property
    def has_page(self) -> bool:
        """Whether the index has the package."""
        return self.status == HTTPStatus.OK

    @property
    def is_definite(self) -> bool:
        """Whether the status says that the package exists or not, and is not an error."""
        return self.status in {HTTPStatus.OK, HTTPStatus.NOT_FOUND, HTTPStatus.GONE}


class IndexClient:
    """Fetches the pages and files of indexes over persistent connections.

    Args:
        environ: the environment, which can name trusted certificates.
        seconds: timeout for connecting and for each read.
    """

    def __init__(self, environ: Mapping[str, str], seconds: float = 4.0) -> None:
        self._seconds = seconds
        self._session = requests.Session()
        adapter = HTTPAdapter(pool_connections=8, pool_maxsize=_CONNECTIONS)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)
        # The user's netrc must not replace the token.
        self._session.auth = _no_auth
        self._verify = trusted_bundle(environ)

    def ask_repository(
        self, endpoint: RepositoryEndpoint, token: str, name: str, username: str = "aws"
    ) -> Answer:
        """Fetch a package's page from a CodeArtifact repository."""
        return self._page("GET", f"{endpoint.simple_url}{quote(name, safe='')}/", (username, token))

    def ask_index(
        self, url: str, name: str, login: tuple[str, str] | None = None, *, head: bool = False
    ) -> Answer:
        """Fetch a package's page from another index; with ``head`` only its status."""
        method = "HEAD" if head else "GET"
        return self._page(method, f"{url.rstrip('/')}/{quote(name, safe='')}/", login)

    def fetch(self, url: str, endpoint: RepositoryEndpoint, token: str, limit: int) -> bytes | None:
        """Return a repository's file, or None if it is over ``limit`` bytes or not available."""
        if not url.startswith(endpoint.url):  # never send the token elsewhere
            return None
        try:
            with self._session.get(
                url, auth=("aws", token), timeout=self._seconds, verify=self._verify, stream=True
            ) as answer:
                return read_body(answer, limit) if answer.status_code == HTTPStatus.OK else None
        except (OSError, ValueError):
            return None

    def ask_file(self, url: str, endpoint: RepositoryEndpoint, token: str) -> int | None:
        """Return the status of a HEAD request for a repository's file, or None if it failed."""
        if not url.startswith(endpoint.url):  # never send the token elsewhere
            return None
        try:
            with self._session.head(
                url, auth=("aws", token), timeout=self._seconds, verify=self._verify
            ) as answer:
                return answer.status_code
        except (OSError, ValueError):
            return None

    def _page(self, method: str, url: str, login: tuple[str, str] | None) -> Answer:
        start = time.time()
        try:
            with self._session.request(
                method,
                url,
                headers={"Accept": _ACCEPT},
                auth=login or _no_auth,
                timeout=self._seconds,
                verify=self._verify,
                stream=True,
            ) as answer:
                whole = method == "HEAD" or has_end(answer)
                body = read_body(answer, MOST_BYTES) if whole else None
        except (OSError, ValueError) as error:
            return Answer(None, _failure_of(error))
        if body is None:
            return Answer(None, UNREACHABLE)
        skew = _skew(answer.headers.get("Date", ""), start)
        files: tuple[File, ...] = ()
        if answer.status_code == HTTPStatus.OK and method != "HEAD":
            with contextlib.suppress(ValueError):
                files = read_page(body, answer.headers.get("Content-Type", ""), answer.url)
        return Answer(answer.status_code, None, files, skew)


def _failure_of(error: Exception) -> str:
    """Return the reason that a request failed."""
    if isinstance(error, requests.exceptions.SSLError):
        return TLS
    if isinstance(error, requests.exceptions.ProxyError):
        return PROXY
    if isinstance(error, requests.exceptions.ReadTimeout):
        return UNREACHABLE if _is_of_proxy(error) else SLOW
    is_slow = any(isinstance(cause, ReadTimeoutError) for cause in error.args)
    return SLOW if is_slow else UNREACHABLE


def _is_of_proxy(error: requests.exceptions.ReadTimeout) -> bool:
    """Whether the proxy timed out, and not the host itself."""
    cause = error.args[0] if error.args else None
    return str(getattr(cause, "url", "")).startswith("http")


def _skew(date: str, start: float) -> float | None:
    """Return the seconds by which this clock is ahead of a ``Date`` header."""
    try:
        sent = parsedate_to_datetime(date).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None
    now = time.time()
    # The header has whole seconds, from any moment since the request.
    return 0.0 if start - 1 <= sent <= now + 1 else (start if sent < start else now) - sent


def read_body(
    answer: requests.Response, limit: int = MOST_BYTES, seconds: float = _MOST_SECONDS
) -> bytes | None:
    """Return a response's body, or None if it exceeds a limit in bytes or seconds."""
    end = time.monotonic() + seconds
    body = bytearray()
    for chunk in _chunks(answer):
        body += chunk
        if len(body) > limit or time.monotonic() > end:
            return None
    return bytes(body)


def _chunks(answer: requests.Response) -> Iterator[bytes]:
    """Yield the decompressed body as it arrives, so that limits apply to its full size."""
    # read() can block until a chunk is full; urllib3 1 lacks read1().
    if not hasattr(answer.raw, "read1"):
        yield from answer.iter_content(_SMALL_CHUNK)
        return
    try:
        while chunk := answer.raw.read1(_CHUNK, decode_content=True):
            yield chunk
    except HTTPError as error:
        raise requests.exceptions.ConnectionError(error) from error


def _no_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def has_end(answer: requests.Response) -> bool:
    """Whether a response defines where its body ends.

    http.client accepts a truncated head, with an empty body.
    """
    return (
        answer.status_code in _WITHOUT_BODY
        or "Content-Length" in answer.headers
        or "Transfer-Encoding" in answer.headers
        or answer.headers.get("Connection", "").lower() == "close"
        or answer.raw.version < _HTTP_1_1
    )


def trusted_bundle(environ: Mapping[str, str]) -> str | bool:
    """Return the path of the CA bundle that pip and pipenv use, or True for the default."""
    # The order of pip's own copy of requests.
    named = [
        environ.get("REQUESTS_CA_BUNDLE", ""),
        environ.get("CURL_CA_BUNDLE", ""),
        os.path.expanduser(setting_value("cert", environ)[0]),
        environ.get("SSL_CERT_FILE", ""),
    ]
    return next(filter(os.path.exists, named), True)
