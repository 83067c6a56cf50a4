"""The client that asks indexes for the pages of packages."""

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
# The longest page of public PyPI has some 20 MB; a longer or slower answer is not a page.
MOST_BYTES = 64_000_000
_MOST_SECONDS = 20.0
_CHUNK = 65536
_SMALL_CHUNK = 256
_WITHOUT_BODY = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})
_HTTP_1_1 = 11


class Answer(NamedTuple):
    """What an index answered.

    Attributes:
        status: the HTTP status; None without an answer.
        trouble: why there is no answer: TLS, PROXY, UNREACHABLE, or SLOW for a host that was
            reached and did not answer in time; None otherwise.
        files: what the page lists.
        skew: seconds by which this machine's clock is ahead of the answer's ``Date``, as far as
            the time that the answer took does not explain it; None without a ``Date``.
    """

    status: int | None
    trouble: str | None = None
    files: tuple[File, ...] = ()
    skew: float | None = None

    @property
    def has_page(self) -> bool:
        """Whether the index has the package."""
        return self.status == HTTPStatus.OK

    @property
    def is_definite(self) -> bool:
        """Whether it says that the package is there or not, instead of a problem of the index."""
        return self.status in {HTTPStatus.OK, HTTPStatus.NOT_FOUND, HTTPStatus.GONE}


class IndexClient:
    """Asks indexes for packages' pages over connections that stay open.

    Args:
        environ: the environment, for the certificates that clients are told to trust.
        seconds: time-out for connecting and for each wait for data.
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
        """Ask a CodeArtifact repository for a package's page."""
        return self._page("GET", f"{endpoint.simple_url}{quote(name, safe='')}/", (username, token))

    def ask_index(
        self, url: str, name: str, login: tuple[str, str] | None = None, *, head: bool = False
    ) -> Answer:
        """Ask another index for a package's page; with ``head`` only whether there is one."""
        method = "HEAD" if head else "GET"
        return self._page(method, f"{url.rstrip('/')}/{quote(name, safe='')}/", login)

    def fetch(self, url: str, endpoint: RepositoryEndpoint, token: str, limit: int) -> bytes | None:
        """Return a repository's file; None if it is too long (in bytes), or not given."""
        if not url.startswith(endpoint.url):  # the token goes nowhere else
            return None
        try:
            with self._session.get(
                url, auth=("aws", token), timeout=self._seconds, verify=self._verify, stream=True
            ) as answer:
                return read_body(answer, limit) if answer.status_code == HTTPStatus.OK else None
        except (OSError, ValueError):  # (a RequestException is an OSError)
            return None

    def ask_file(self, url: str, endpoint: RepositoryEndpoint, token: str) -> int | None:
        """Return the status of a repository's file without fetching it; None for no answer."""
        if not url.startswith(endpoint.url):  # the token goes nowhere else
            return None
        try:
            with self._session.head(
                url, auth=("aws", token), timeout=self._seconds, verify=self._verify
            ) as answer:
                return answer.status_code
        except (OSError, ValueError):  # (a RequestException is an OSError)
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
        except (OSError, ValueError) as error:  # (a RequestException is an OSError)
            return Answer(None, _trouble(error))
        if body is None:
            return Answer(None, UNREACHABLE)
        skew = _skew(answer.headers.get("Date", ""), start)
        files: tuple[File, ...] = ()
        if answer.status_code == HTTPStatus.OK and method != "HEAD":
            with contextlib.suppress(ValueError):
                files = read_page(body, answer.headers.get("Content-Type", ""), answer.url)
        return Answer(answer.status_code, None, files, skew)


def _trouble(error: Exception) -> str:
    """Return why there is no answer."""
    if isinstance(error, requests.exceptions.SSLError):
        return TLS
    if isinstance(error, requests.exceptions.ProxyError):
        return PROXY
    if isinstance(error, requests.exceptions.ReadTimeout):
        return UNREACHABLE if _is_of_proxy(error) else SLOW
    is_slow = any(isinstance(cause, ReadTimeoutError) for cause in error.args)
    return SLOW if is_slow else UNREACHABLE


def _is_of_proxy(error: requests.exceptions.ReadTimeout) -> bool:
    """Whether a proxy did not answer, so that the host itself was never reached."""
    cause = error.args[0] if error.args else None
    return str(getattr(cause, "url", "")).startswith("http")


def _skew(date: str, start: float) -> float | None:
    """Return by how many seconds this clock is ahead of a ``Date`` header."""
    try:
        said = parsedate_to_datetime(date).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None
    now = time.time()
    # (The header has whole seconds, and was written at some time since the request.)
    return 0.0 if start - 1 <= said <= now + 1 else (start if said < start else now) - said


def read_body(
    answer: requests.Response, limit: int = MOST_BYTES, seconds: float = _MOST_SECONDS
) -> bytes | None:
    """Read an answer to its end; None if it exceeds a limit in bytes or in seconds."""
    end = time.monotonic() + seconds
    body = bytearray()
    for chunk in _chunks(answer):
        body += chunk
        if len(body) > limit or time.monotonic() > end:
            return None
    return bytes(body)


def _chunks(answer: requests.Response) -> Iterator[bytes]:
    """Yield a body as it arrives, decompressed, so that limits apply to its full size."""
    # (read waits until a chunk is full, which may take for ever; urllib3 1 has no read1.)
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
    """Whether an answer says where its body ends.

    http.client accepts a head that breaks off, and an empty body after it.
    """
    return (
        answer.status_code in _WITHOUT_BODY
        or "Content-Length" in answer.headers
        or "Transfer-Encoding" in answer.headers
        or answer.headers.get("Connection", "").lower() == "close"
        or answer.raw.version < _HTTP_1_1
    )


def trusted_bundle(environ: Mapping[str, str]) -> str | bool:
    """Return the CA bundle that pip and pipenv are told to trust; True for the default one."""
    # (In the order of pip's own library.)
    named = [
        environ.get("REQUESTS_CA_BUNDLE", ""),
        environ.get("CURL_CA_BUNDLE", ""),
        os.path.expanduser(setting_value("cert", environ)[0]),
        environ.get("SSL_CERT_FILE", ""),
    ]
    return next(filter(os.path.exists, named), True)
