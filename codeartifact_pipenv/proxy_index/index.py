"""The proxy index of one run: an HTTP server on loopback for clients with the password of the run.

Slow imports happen in the threads that request the first pages, so pipenv starts at once.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import hmac
import ipaddress
import os
import queue
import re
import secrets
import shutil
import socket
import socketserver
import sys
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote, unquote, urlsplit

from codeartifact_pipenv.files.io import make_private_folder, read_private, write_private_file
from codeartifact_pipenv.lookups import simple_page
from codeartifact_pipenv.project.pipfile import normalise
from codeartifact_pipenv.proxy_index.model import (
    USERNAME,
    IndexAccess,
    IndexSources,
    Observations,
    Once,
    Refusal,
    RefusedError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from types import TracebackType

    import requests
    from typing_extensions import Self

    from codeartifact_pipenv.proxy_index.content import Content
    from codeartifact_pipenv.proxy_index.model import FileOrigin, Listing
    from codeartifact_pipenv.proxy_index.pages import Pages


class ProxyIndex:
    """Serves an index during a ``with`` block.

    Args:
        sources: the sources to serve.
        access: how to access them.

    Attributes:
        observed: records of the run.
        password: the password for clients.
        uses_saved_address: whether the URLs are the same as in the last run.
    """

    def __init__(self, sources: IndexSources, access: IndexAccess | None = None) -> None:
        self.sources = sources
        self.observed = Observations()
        self.password = secrets.token_urlsafe(24)
        self.uses_saved_address = False
        self._access = access or IndexAccess()
        self._content: Once[Content | None] = Once()
        self._prefetcher = Prefetcher(self._fetch_page, self.observed.wanted)
        self._server: Server | None = None

    def __enter__(self) -> Self:
        """Start the server."""
        address = saved_address(self._access.cache)
        self._server = serve(self.password, self.content, address)
        self.uses_saved_address = self._server.server_address[:2] == address
        self._prefetcher.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the server."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
        self._prefetcher.stop()
        self.close()

    def close(self) -> None:
        """Close the content; it cannot be opened again."""
        content = self._content.get("", lambda: None)
        if content is not None:
            content.close()

    @property
    def url(self) -> str:
        """The index URL, without credentials."""
        return f"http://{self.host}:{self._running.server_port}/simple"

    @property
    def host(self) -> str:
        """The host for which clients use the password."""
        host = str(self._running.server_address[0])
        # Versions of pip differ in how they look up IPv6 addresses in a netrc file.
        return "localhost" if ":" in host else host

    @property
    def _running(self) -> Server:
        assert self._server is not None, "the index serves inside its block only"  # noqa: S101
        return self._server

    def content(self) -> Content:
        """Return the content.

        Raises:
            RuntimeError: the index is closed.
        """
        content = self._content.get("", self._open_content)
        if content is None:
            raise RuntimeError("the index is closed")
        return content

    @property
    def pages(self) -> Pages:
        """The pages; raises as ``content`` does."""
        return self.content().pages

    def prefetch(self, names: Iterable[str]) -> None:
        """Fetch the pages of packages in the background, each once."""
        self._prefetcher.prefetch(names)

    def real_url(self, url: str) -> str:
        """Return the upstream URL of a file here; return other URLs unchanged."""
        root = self.url.removesuffix("simple")
        if not url.startswith(root):
            return url
        return self.content().table.real_url(url.removeprefix(root)) or url

    def known_listing(self, name: str) -> Listing | None:
        """Return the page of a normalised name if this run has created it."""
        content = self._content.peek("")
        return None if content is None else content.pages.known_listing(name)

    def _fetch_page(self, name: str) -> None:
        self.pages.listing(name)

    def _open_content(self) -> Content:
        from codeartifact_pipenv.proxy_index.content import open_content

        prefetch = self._prefetcher.prefetch_requirements
        return open_content(self.sources, self._access, self.observed, prefetch)


# --- fetching pages before pipenv requests them --------------------------------------------

_WORKERS = 8
_MOST_NAMES = 2000

_workers: list[threading.Thread] = []


def is_at_work() -> bool:
    """Whether threads of any prefetcher are running, even after ``stop``."""
    return any(worker.is_alive() for worker in _workers)


class Prefetcher:
    """Fetches the page of each name once; errors are ignored, and the client's request tries again.

    Args:
        fetch: fetches the page of a normalised name.
        names: the names already requested; new names are added to this set.
    """

    def __init__(self, fetch: Callable[[str], object], names: set[str]) -> None:
        self._fetch = fetch
        self._names = names
        self._work: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()

    def start(self) -> None:
        """Start daemon threads, which do not delay the end of the process."""
        for _ in range(_WORKERS):
            worker = threading.Thread(target=self._do_work, daemon=True)
            _workers.append(worker)
            worker.start()

    def stop(self) -> None:
        """Drop waiting requests, and let each thread finish its current page."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._work.get_nowait()
        for _ in range(_WORKERS):
            self._work.put(None)

    def prefetch(self, names: Iterable[str]) -> None:
        """Fetch the pages of packages."""
        for name in map(normalise, names):
            if name not in self._names:
                self._names.add(name)
                if len(self._names) <= _MOST_NAMES:
                    self._work.put(functools.partial(self._fetch, name))

    def prefetch_requirements(self, metadata: bytes) -> None:
        """Fetch the pages of the packages that METADATA requires."""
        from codeartifact_pipenv.proxy_index.metadata import requirements_of

        self._work.put(lambda: self.prefetch(r.name for r in requirements_of(metadata)))

    def _do_work(self) -> None:
        while (act := self._work.get()) is not None:
            with contextlib.suppress(Exception):
                act()


# --- the HTTP server -----------------------------------------------------------------------

# Time limit for the password, so that other clients cannot occupy threads.
_LOGIN_SECONDS = 10.0
_RESPONSE_HEADERS = (
    "Content-Type",
    "Content-Length",
    "Content-Range",
    "Accept-Ranges",
    "ETag",
    "Last-Modified",
)
_REQUEST_HEADERS = ("Accept", "Range", "If-None-Match", "If-Modified-Since")
# Error statuses that are passed on; others count as failures.
_PASSED_STATUSES = (HTTPStatus.NOT_FOUND, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
# Package names (PEP 508).
_PACKAGE_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?", re.IGNORECASE | re.ASCII)
# The URL of a file contains its SHA-256, so the content never changes.
_PERMANENT = {"Cache-Control": "max-age=31536000, immutable"}


def serve(password: str, content: Callable[[], Content], address: Address | None) -> Server:
    """Start the server of an index.

    Args:
        password: the password for clients.
        content: returns the content of the index.
        address: the preferred address, if any.

    Raises:
        OSError: no loopback address is available.
    """
    for host, port in filter(
        None, (address, (random_loopback_host(), 0), ("127.0.0.1", 0), ("::1", 0))
    ):
        with contextlib.suppress(OSError):
            server = Server(password, content, host, port)
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
            return server
    raise OSError("no loopback address is available")


class Server(ThreadingHTTPServer):
    """An HTTP server on a loopback address."""

    daemon_threads = True
    block_on_close = False
    # Connections of the last run may still be closing. On Windows, another process could share
    # the address.
    allow_reuse_address = sys.platform != "win32"
    allow_reuse_port = False
    # With a full queue a client waits for a second; the default is 5, and uv opens 50 connections.
    request_queue_size = 128

    def __init__(self, password: str, content: Callable[[], Content], host: str, port: int) -> None:
        self.password = password
        self.content = content
        self.unauthenticated: dict[socket.socket, float] = {}
        if ":" in host:
            self.address_family = socket.AF_INET6
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        """Bind without HTTPServer's DNS query, which may hang."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    def handle_error(self, request: object, client_address: object) -> None:
        """Print nothing: clients may disconnect, and stderr belongs to pipenv."""

    def service_actions(self) -> None:
        """Disconnect clients that did not send the password in time."""
        now = time.monotonic()
        for connection, end in list(self.unauthenticated.items()):
            if now > end and self.unauthenticated.pop(connection, None) is not None:
                # The handler's thread closes the socket.
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = _LOGIN_SECONDS
    server: Server

    def setup(self) -> None:
        self.server.unauthenticated[self.request] = time.monotonic() + _LOGIN_SECONDS
        super().setup()

    def finish(self) -> None:
        self.server.unauthenticated.pop(self.request, None)
        super().finish()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Print nothing."""

    def do_GET(self) -> None:
        if not self._is_authenticated():
            challenge = {"WWW-Authenticate": 'Basic realm="pipenv-ca"'}
            self._reply(HTTPStatus.UNAUTHORIZED, b"", challenge)
            return
        self.server.unauthenticated.pop(self.request, None)
        self.connection.settimeout(None)
        try:
            words = [unquote(word) for word in urlsplit(self.path).path.split("/") if word]
        except ValueError:
            words = []
        match words:
            case ["simple", word] if _PACKAGE_NAME.fullmatch(word):
                name = normalise(word)
                with self._failures_recorded(name):
                    self._answer_page(name)
            case _:
                self._answer_file(words)

    do_HEAD = do_GET  # noqa: N815 - the base class's name

    def _record_failure(self, name: str, refusal: Refusal, filename: str = "") -> None:
        """Record a repository's failed request for a package's page or file."""
        if name and refusal.number >= 0:
            is_missing = refusal.status == HTTPStatus.NOT_FOUND
            refusal = refusal._replace(filename=filename if is_missing else "")
            self.server.content().observed.refused[name] = refusal

    @contextlib.contextmanager
    def _failures_recorded(self, name: str, filename: str = "") -> Iterator[None]:
        try:
            yield
        except RefusedError as error:
            self._record_failure(name, error.refusal, filename)
            self._refuse(error)

    def _is_authenticated(self) -> bool:
        wanted = base64.b64encode(f"{USERNAME}:{self.server.password}".encode()).decode()
        given = self.headers.get("Authorization", "")
        return hmac.compare_digest(given.encode(), f"Basic {wanted}".encode())

    def _answer_page(self, name: str) -> None:
        kind = simple_page.choose_kind(self.headers.get("Accept", ""))
        if kind is None:
            self._reply(HTTPStatus.NOT_ACCEPTABLE)
            return
        content = self.server.content()
        sources, observed = content.sources, content.observed
        listing = content.pages.listing(name)
        observed.found[name] = listing.number
        observed.refused.pop(name, None)
        if listing.files is None:
            self._redirect(sources.elsewhere.get(name) or sources.default_source or "", name)
        elif not listing.files and listing.number < 0:
            self._reply(HTTPStatus.NOT_FOUND)
        else:
            body = simple_page.write_page(name, listing.files, kind)
            self._reply(HTTPStatus.OK, body, {"Content-Type": kind})

    def _redirect(self, source: str, name: str) -> None:
        place = f"{source.rstrip('/')}/{quote(name)}/"
        if not (place.isascii() and place.isprintable()):
            # A line break would allow response splitting.
            self._reply(HTTPStatus.BAD_GATEWAY)
            return
        self._reply(HTTPStatus.FOUND, b"", {"Location": place})

    def _refuse(self, error: RefusedError) -> None:
        from requests.exceptions import ConnectionError as NoConnectionError

        status = error.refusal.status
        if status == HTTPStatus.NOT_FOUND:
            self._reply(HTTPStatus.NOT_FOUND)
            return
        if isinstance(error.__cause__, NoConnectionError):
            self._reply(HTTPStatus.GATEWAY_TIMEOUT)  # pip would repeat the request after a 502
            return
        # Not 401: the client's password is correct.
        forbidden = status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
        self._reply(HTTPStatus.FORBIDDEN if forbidden else HTTPStatus.BAD_GATEWAY)

    def _answer_file(self, words: list[str]) -> None:
        content = self.server.content()
        origin = content.table.origin(words)
        if origin is None:
            self._reply(HTTPStatus.NOT_FOUND)
            return
        path = content.downloads.path(origin)
        with self._failures_recorded(origin.project, origin.filename):
            if origin.sha256 and words[-1] != origin.filename:
                self._send_metadata(content, origin)
            elif path is not None:
                self._send_local_file(path)
            else:
                self._proxy_file(content, origin)

    def _send_metadata(self, content: Content, origin: FileOrigin) -> None:
        with _convert_errors(origin.number):
            data = content.metadata.metadata(origin)
        if data is None:
            self._reply(HTTPStatus.NOT_FOUND)
        else:
            self._reply(HTTPStatus.OK, data, {"Content-Type": "text/plain; charset=utf-8"})

    def _proxy_file(self, content: Content, origin: FileOrigin) -> None:
        """Pass the request on to the repository, and its response back."""
        headers = {name: self.headers[name] for name in _REQUEST_HEADERS if name in self.headers}
        headers["Accept-Encoding"] = "identity"
        upstream = content.upstreams[origin.number]
        request = upstream.request_listed if origin.sha256 else upstream.request
        with (
            _convert_errors(origin.number),
            request(origin.path, headers, self.command) as answer,
        ):
            if answer.status_code in _PASSED_STATUSES or answer.ok:
                if self._send_head(answer.status_code, self._response_headers(answer, origin)):
                    self._pass_body(content, origin, headers, answer)
                return
        raise RefusedError(Refusal(origin.number, answer.status_code))

    def _response_headers(self, answer: requests.Response, origin: FileOrigin) -> dict[str, str]:
        """Return the headers of a repository's response for the client."""
        head = {name: answer.headers[name] for name in _RESPONSE_HEADERS if name in answer.headers}
        if origin.sha256 and answer.status_code == HTTPStatus.OK:
            head |= _PERMANENT
        if "Content-Length" not in head:
            self.close_connection = True
            head["Connection"] = "close"
        return head

    def _pass_body(
        self,
        content: Content,
        origin: FileOrigin,
        headers: Mapping[str, str],
        answer: requests.Response,
    ) -> None:
        name, number = origin.project, origin.number
        try:
            with _convert_errors(number):
                for block in content.upstreams[number].blocks(origin.path, headers, answer):
                    self._write(block)
            if answer.status_code in {HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT}:
                content.observed.refused.pop(name, None)
            else:
                self._record_failure(name, Refusal(number, answer.status_code), origin.filename)
        except RefusedError as error:
            # The client sees a truncated body and may try again.
            self._record_failure(name, error.refusal, origin.filename)
            self.close_connection = True
        except _ClientGoneError:
            self.close_connection = True

    def _write(self, block: bytes) -> None:
        try:
            self.wfile.write(block)
        except OSError as error:
            raise _ClientGoneError from error

    def _send_local_file(self, path: str) -> None:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            head = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
            if self._send_head(HTTPStatus.OK, head | _PERMANENT):
                shutil.copyfileobj(file, self.wfile)

    def _reply(self, status: int, body: bytes = b"", head: Mapping[str, str] | None = None) -> None:
        length = {"Content-Length": str(len(body)), "Cache-Control": "no-store"}
        if self._send_head(status, {**(head or {}), **length}):
            self.wfile.write(body)

    def _send_head(self, status: int, head: Mapping[str, str]) -> bool:
        """Send status and headers; return whether a body follows."""
        self.send_response(status)
        for name, value in head.items():
            self.send_header(name, value)
        self.end_headers()
        return self.command != "HEAD"


def _convert_errors(number: int) -> contextlib.AbstractContextManager[None]:
    from codeartifact_pipenv.proxy_index.upstreams import convert_errors  # slow to import

    return convert_errors(number)


class _ClientGoneError(Exception):
    """The client has disconnected."""


# --- the address ---------------------------------------------------------------------------
# pip caches files and built wheels by URL. To reuse them, a random address in 127.0.0.0/8 and a
# port are chosen once for each user and saved with the tokens. If the address is in use or cannot
# be saved, another one is used.

Address = tuple[str, int]

_ADDRESS_FILE = "proxy-address"
# Below the ephemeral ports.
_PORTS = range(10240, 32768)
_MAXIMUM_BYTES = 100


def saved_address(folder: str | None) -> Address | None:
    """Return the saved address, or a new one that is saved.

    Args:
        folder: the cache's folder, if any.

    Returns:
        The address, or None if it cannot be saved.
    """
    if folder is None:
        return None
    path = os.path.join(folder, _ADDRESS_FILE)
    try:
        make_private_folder(folder)
        found = _read_address(path)
        if found is None:
            found = (random_loopback_host(), secrets.choice(_PORTS))
            write_private_file(path, f"{found[0]} {found[1]}\n".encode())
    except OSError:
        return None
    return found


def random_loopback_host() -> str:
    """Return a random loopback address; on macOS, 127.0.0.1 is the only one.

    netrc entries have no port: with 127.0.0.1, clients would send the password to any local
    server that the project names.
    """
    host = ".".join(["127", *(str(secrets.randbelow(254) + 1) for _ in range(3))])
    with contextlib.suppress(OSError), socket.socket() as probe:
        probe.bind((host, 0))
        return host
    return "127.0.0.1"


def _read_address(path: str) -> Address | None:
    try:
        host, port = read_private(path, _MAXIMUM_BYTES).decode().split()
        is_ours = ipaddress.IPv4Address(host).is_loopback and int(port) in _PORTS
    except (OSError, ValueError):
        return None
    return (host, int(port)) if is_ours else None
