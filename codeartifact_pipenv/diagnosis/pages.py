"""What an index says of a package: asked once, read in whichever form it answers."""

from __future__ import annotations

import html.parser
import json
import os
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import quote, unquote, urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from codeartifact_pipenv.endpoint import RepositoryEndpoint

TLS, PROXY, UNREACHABLE = "tls", "proxy", "unreachable"

_ACCEPT = "application/vnd.pypi.simple.v1+json, text/html;q=0.2"
_CONNECTIONS = 32


class File(NamedTuple):
    """One file of a page.

    Attributes:
        name: the file's name.
        url: where it is.
        requires_python: the specifier; '' for any Python.
        yanked: whether it was withdrawn.
        sha256: hex digest; '' where the index does not say.
    """

    name: str
    url: str
    requires_python: str
    yanked: bool
    sha256: str = ""


class Answer(NamedTuple):
    """What an index answered.

    Attributes:
        status: the HTTP status; None where there was no answer.
        trouble: why there was none: TLS, PROXY or UNREACHABLE; None otherwise.
        files: what the page lists.
        date: the answer's ``Date`` header; '' where it has none.
    """

    status: int | None
    trouble: str | None = None
    files: tuple[File, ...] = ()
    date: str = ""

    @property
    def found(self) -> bool:
        """Whether the index has the package."""
        return self.status == HTTPStatus.OK


class Asker:
    """Asks indexes for packages' pages, over connections that are kept.

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
        # A netrc of the user's must not answer in the token's place.
        self._session.auth = _no_auth
        self._verify = trusted_bundle(environ)

    def ask_repository(
        self, endpoint: RepositoryEndpoint, token: str, name: str, username: str = "aws"
    ) -> Answer:
        """Ask a CodeArtifact repository for a package's page."""
        return self._ask("GET", f"{endpoint.simple_url}{quote(name)}/", (username, token))

    def ask_index(
        self, url: str, name: str, login: tuple[str, str] | None = None, *, head: bool = False
    ) -> Answer:
        """Ask another index for a package's page; with ``head`` only whether there is one."""
        method = "HEAD" if head else "GET"
        return self._ask(method, f"{url.rstrip('/')}/{quote(name)}/", login)

    def fetch(self, url: str, endpoint: RepositoryEndpoint, token: str, limit: int) -> bytes | None:
        """Return a repository's file; None where it is longer than the limit in bytes, or not had."""
        if not url.startswith(endpoint.url):  # the token goes nowhere else
            return None
        with self._session.get(
            url, auth=("aws", token), timeout=self._seconds, verify=self._verify, stream=True
        ) as answer:
            length = int(answer.headers.get("Content-Length", limit + 1))
            if answer.status_code != HTTPStatus.OK or length > limit:
                return None
            return bytes(answer.content)

    def _ask(self, method: str, url: str, login: tuple[str, str] | None) -> Answer:
        try:
            answer = self._session.request(
                method,
                url,
                headers={"Accept": _ACCEPT},
                auth=login or _no_auth,
                timeout=self._seconds,
                verify=self._verify,
            )
        except requests.exceptions.SSLError:
            return Answer(None, TLS)
        except requests.exceptions.ProxyError:
            return Answer(None, PROXY)
        except (requests.RequestException, ValueError):
            return Answer(None, UNREACHABLE)
        date = answer.headers.get("Date", "")
        if answer.status_code != HTTPStatus.OK or method == "HEAD":
            return Answer(answer.status_code, date=date)
        kind = answer.headers.get("Content-Type", "")
        return Answer(answer.status_code, None, read_page(answer.content, kind, url), date)


def _no_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def trusted_bundle(environ: Mapping[str, str]) -> str | bool:
    """Return the CA bundle that pip and pipenv are told to trust; True for the default one."""
    for name in ("PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        if os.path.exists(environ.get(name, "")):
            return environ[name]
    return True


def read_page(body: bytes, kind: str, place: str) -> tuple[File, ...]:
    """Read a page of the simple API (PEP 503, PEP 691).

    Args:
        body: the page.
        kind: its Content-Type.
        place: its URL, which links are relative to.

    Returns:
        The files; none where the page cannot be read.
    """
    if "json" in kind:
        return _read_json(body, place)
    links = _Links()
    links.feed(body.decode("utf-8", "replace"))
    return tuple(
        File(
            unquote(urlsplit(link["href"]).path.rpartition("/")[2]),
            urljoin(place, link["href"]),
            link.get("data-requires-python") or "",
            "data-yanked" in link,
            urlsplit(link["href"]).fragment.partition("sha256=")[2],
        )
        for link in links.found
    )


def _read_json(body: bytes, place: str) -> tuple[File, ...]:
    try:
        return tuple(
            File(
                str(file["filename"]),
                urljoin(place, str(file["url"])),
                str(file.get("requires-python") or ""),
                bool(file.get("yanked")),
                str((file.get("hashes") or {}).get("sha256") or ""),
            )
            for file in json.loads(body)["files"]
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return ()


class _Links(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[dict[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = {name: value or "" for name, value in attrs}
        if tag == "a" and named.get("href"):
            self.found.append(named)
