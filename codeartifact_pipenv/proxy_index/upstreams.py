"""The client of the repositories, which hides temporary failures from pip.

Failed requests are repeated, truncated pages are read again, and the rest of a truncated file is
fetched, which not every pip bundled with pipenv does. A refused token is renewed once for all
waiting requests.
"""

from __future__ import annotations

import contextlib
import re
import threading
import time
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import urljoin

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError
from urllib3.util.retry import Retry

from codeartifact_pipenv.lookups.index_client import has_end, read_body
from codeartifact_pipenv.proxy_index.model import Refusal, RefusedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from codeartifact_pipenv.proxy_index.model import Renewal, Upstream

CONNECT_SECONDS, READ_SECONDS = 5, 60
_PAGE_SECONDS = 600.0
_IMPORT_PAUSES = (0.3, 0.6, 1.2, 2.4)
_BLOCK = 1 << 16
# How often a truncated response is requested.
_READS = 5
_TRIES_AGAIN = 4


class Page(NamedTuple):
    """A complete page of a repository.

    Attributes:
        status: the HTTP status.
        url: the final URL.
        kind: the Content-Type.
        body: the content.
    """

    status: int
    url: str
    kind: str
    body: bytes


class UpstreamClient:
    """Sends requests to one repository and renews its token.

    If the new token is refused at once, no more tokens are requested.

    Args:
        upstream: the repository.
        session: the shared connections.
        verify: the CA bundle.
        renew: as in ``IndexAccess``.
    """

    def __init__(
        self,
        upstream: Upstream,
        session: requests.Session,
        verify: str | bool,
        renew: Renewal | None,
    ) -> None:
        self._endpoint = upstream.endpoint
        self._token = upstream.token
        self._session = session
        self._verify = verify
        self._renew = renew
        self._may_renew = True
        self._renewing = threading.Lock()
        self._absent: set[str] = set()

    def close(self) -> None:
        """Close the shared connections."""
        self._session.close()

    def request(
        self, path: str, headers: Mapping[str, str], method: str = "GET"
    ) -> requests.Response:
        """Request a path below the repository's URL without reading the body.

        Raises:
            requests.RequestException: the request failed.
        """
        token = self._token
        answer = self._send(path, headers, method, token)
        if answer.status_code == HTTPStatus.UNAUTHORIZED:
            other = self._other_token(token)
            if other is None:
                return answer
            answer.close()
            token = other
            answer = self._send(path, headers, method, token)
        if answer.status_code != HTTPStatus.UNAUTHORIZED and token == self._token:
            self._may_renew = True
        return answer

    def request_listed(
        self, path: str, headers: Mapping[str, str], method: str = "GET"
    ) -> requests.Response:
        """Request a file that a page lists; arguments and errors as for ``request``.

        CodeArtifact answers 404 for about 1.5 seconds while it imports a file from upstream
        (ray-project/ray#65567), so the first 404 for a file in a run is retried for some seconds.
        """
        for pause in () if path in self._absent else _IMPORT_PAUSES:
            answer = self.request(path, headers, method)
            if answer.status_code != HTTPStatus.NOT_FOUND:
                return answer
            answer.close()
            time.sleep(pause)
        self._absent.add(path)
        return self.request(path, headers, method)

    def page(self, path: str, headers: Mapping[str, str]) -> Page:
        """Request and read a page; arguments and errors as for ``request``."""
        for _ in range(_READS):
            asked = self.request(path, headers)
            with asked as answer, contextlib.suppress(requests.RequestException):
                kind = answer.headers.get("Content-Type", "text/html")
                body = read_body(answer, seconds=_PAGE_SECONDS)
                if body is None:
                    break
                _check_whole(answer)
                return Page(answer.status_code, answer.url, kind, body)
        raise requests.exceptions.ChunkedEncodingError(f"{path} is truncated or too large")

    def blocks(
        self, path: str, headers: Mapping[str, str], answer: requests.Response
    ) -> Iterator[bytes]:
        """Yield the body of a response; if it is truncated, request the rest.

        Raises:
            requests.RequestException: the rest cannot be fetched.
        """
        at, end = _span(answer)
        kept = {"If-Range": answer.headers["ETag"]} if "ETag" in answer.headers else {}
        for left in reversed(range(_READS)):
            with answer:
                try:
                    for block in answer.iter_content(_BLOCK):
                        at += len(block)
                        yield block
                    _check_whole(answer)
                except requests.RequestException:
                    if not left or end is None:
                        raise
                else:
                    return
            rest = {**headers, **kept, "Range": f"bytes={at}-{end}"}
            answer = self.request(path, rest)
            if answer.status_code != HTTPStatus.PARTIAL_CONTENT or _span(answer) != (at, end):
                answer.close()
                raise requests.exceptions.ChunkedEncodingError("the rest cannot be fetched")

    def _send(
        self, path: str, headers: Mapping[str, str], method: str, token: str
    ) -> requests.Response:
        url = self._endpoint.url
        place = urljoin(url, path)
        if not place.startswith(url):  # the token goes nowhere else
            raise requests.exceptions.InvalidURL(path)
        for _ in range(_READS):
            answer = self._session.request(
                method,
                place,
                headers=dict(headers),
                auth=("aws", token),
                stream=True,
                timeout=(CONNECT_SECONDS, READ_SECONDS),
                verify=self._verify,
            )
            if method == "HEAD" or has_end(answer):
                return answer
            answer.close()
        raise requests.exceptions.ChunkedEncodingError(f"the headers of {path} are truncated")

    def _other_token(self, refused: str) -> str | None:
        """Return a new token in place of a refused one, if possible."""
        with self._renewing:
            if self._token == refused and self._renew is not None and self._may_renew:
                self._may_renew = False
                self._token = self._renew(self._endpoint, refused) or refused
            return None if self._token == refused else self._token


def upstream_clients(
    upstreams: Iterable[Upstream], verify: str | bool, renew: Renewal | None
) -> tuple[UpstreamClient, ...]:
    """Return clients for repositories; arguments as for ``UpstreamClient``."""
    session = _UpstreamSession()
    session.mount("https://", adapter())
    return tuple(UpstreamClient(upstream, session, verify, renew) for upstream in upstreams)


def adapter(statuses: int = _TRIES_AGAIN, others: int = _TRIES_AGAIN) -> HTTPAdapter:
    """Return an adapter that repeats failed requests.

    Args:
        statuses: how often after a status such as 503.
        others: how often without a response.
    """
    retries = Retry(
        total=max(statuses, others) + 1,
        status=statuses,
        # About 6 seconds: after waking up, a machine has no name server yet.
        connect=others and others + 1,
        read=others,
        other=others,
        status_forcelist=(429, 500, 502, 503, 504),
        allowed_methods=("GET", "HEAD"),
        backoff_factor=0.2,
        backoff_jitter=0.2,
        raise_on_status=False,
        respect_retry_after_header=False,  # it may name hours
    )
    return HTTPAdapter(pool_connections=8, pool_maxsize=32, max_retries=retries)


class _UpstreamSession(requests.Session):
    """Follows redirects to the host of a repository's files without a login.

    That host refuses logins. requests drops the token on such a redirect, but then searches the
    user's netrc, where a default entry matches every host.
    """

    def rebuild_auth(
        self, prepared_request: requests.PreparedRequest, response: requests.Response
    ) -> None:
        old, new = response.request.url or "", prepared_request.url or ""
        if self.should_strip_auth(old, new):
            prepared_request.headers.pop("Authorization", None)


@contextlib.contextmanager
def convert_errors(number: int) -> Iterator[None]:
    """Raise RefusedError for a failed request or an invalid response in the block."""
    try:
        yield
    except (OSError, HTTPError, ValueError) as error:  # includes RequestException
        raise RefusedError(Refusal(number, None)) from error


def _span(answer: requests.Response) -> tuple[int, int | None]:
    """Return the first and the last offset of a response's body; the last may be unknown."""
    if answer.status_code == HTTPStatus.PARTIAL_CONTENT:
        found = re.match(r"bytes (\d+)-(\d+)", answer.headers.get("Content-Range", ""))
        return (int(found[1]), int(found[2])) if found else (0, None)
    length = answer.headers.get("Content-Length", "")
    plain = "Content-Encoding" not in answer.headers
    return 0, int(length) - 1 if length.isdecimal() and plain else None


def _check_whole(answer: requests.Response) -> None:
    # urllib3 1 does not detect a truncated response.
    length = answer.headers.get("Content-Length", "")
    has_body = answer.status_code in {HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT}
    if has_body and length.isdecimal() and answer.raw.tell() < int(length):
        raise requests.exceptions.ChunkedEncodingError(f"fewer than {length} bytes received")
