"""The server of the index, for clients that have the password of the run."""

from __future__ import annotations

import base64
import contextlib
import hmac
import os
import re
import shutil
import socket
import socketserver
import sys
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote, unquote, urlsplit

from codeartifact_pipenv.lookups import simple_page
from codeartifact_pipenv.project.names import normalise
from codeartifact_pipenv.proxy_index.address import random_loopback_host
from codeartifact_pipenv.proxy_index.model import USERNAME, Refusal, RefusedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import requests

    from codeartifact_pipenv.proxy_index.address import Address
    from codeartifact_pipenv.proxy_index.content import Content
    from codeartifact_pipenv.proxy_index.model import FileOrigin

# Seconds in which a connection must send the password, so that others cannot keep a thread busy.
_LOGIN_SECONDS = 10.0
_PASSED_ON = (
    "Content-Type",
    "Content-Length",
    "Content-Range",
    "Accept-Ranges",
    "ETag",
    "Last-Modified",
)
_ASKED_ON = ("Accept", "Range", "If-None-Match", "If-Modified-Since")
# Statuses beside those below 400 that are passed on; others are refusals.
_PASSED_STATUSES = (HTTPStatus.NOT_FOUND, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
# Names of packages (PEP 508).
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?", re.IGNORECASE | re.ASCII)
# A URL of a file has the SHA-256 of its bytes in it, so what is behind it never changes.
_PERMANENT = {"Cache-Control": "max-age=31536000, immutable"}


def serve(password: str, content: Callable[[], Content], address: Address | None) -> Server:
    """Start to serve an index.

    Args:
        password: what clients must send.
        content: returns what the index has.
        address: where to listen, if it is free; None for any address.
    """
    import threading

    for host, port in filter(
        None, (address, (random_loopback_host(), 0), ("127.0.0.1", 0), ("::1", 0))
    ):
        with contextlib.suppress(OSError):
            server = Server(password, content, host, port)
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
            return server
    raise OSError("there is no address on loopback")


class Server(ThreadingHTTPServer):
    """Listens on loopback."""

    daemon_threads = True
    block_on_close = False
    # Connections of the last run may still be closing at the address. (On Windows this would let
    # another process share it.)
    allow_reuse_address = sys.platform != "win32"
    allow_reuse_port = False
    # A client that finds the queue full waits for a second. (The default is 5; uv opens 50.)
    request_queue_size = 128

    def __init__(self, password: str, content: Callable[[], Content], host: str, port: int) -> None:
        self.password = password
        self.content = content
        self.unproven: dict[socket.socket, float] = {}
        if ":" in host:
            self.address_family = socket.AF_INET6
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        """Bind without a DNS query for the address's name, as HTTPServer makes: it may hang."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    def handle_error(self, request: object, client_address: object) -> None:
        """Print nothing: clients may hang up, and stderr is pipenv's."""

    def service_actions(self) -> None:
        """Hang up on clients without the password whose time is over, even while they write."""
        now = time.monotonic()
        for connection, end in list(self.unproven.items()):
            if now > end and self.unproven.pop(connection, None) is not None:
                # (Its thread closes it; closed here, it would still be read from.)
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = _LOGIN_SECONDS
    server: Server

    def setup(self) -> None:
        self.server.unproven[self.request] = time.monotonic() + _LOGIN_SECONDS
        super().setup()

    def finish(self) -> None:
        self.server.unproven.pop(self.request, None)
        super().finish()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Print nothing."""

    def do_GET(self) -> None:
        if not self._has_password():
            challenge = {"WWW-Authenticate": 'Basic realm="pipenv-ca"'}
            self._reply(HTTPStatus.UNAUTHORIZED, b"", challenge)
            return
        self.server.unproven.pop(self.request, None)
        self.connection.settimeout(None)
        try:
            words = [unquote(word) for word in urlsplit(self.path).path.split("/") if word]
        except ValueError:
            words = []
        match words:
            case ["simple", word] if _NAME.fullmatch(word):
                name = normalise(word)
                with self._refusal_noted(name):
                    self._answer_page(name)
            case _:
                self._answer_file(words)

    do_HEAD = do_GET  # noqa: N815 - the base class's name

    def _note(self, name: str, refusal: Refusal, filename: str = "") -> None:
        """Note how a repository refused a package ('' for none), by its page or by a file."""
        if name and refusal.number >= 0:
            is_missing = refusal.status == HTTPStatus.NOT_FOUND
            refusal = refusal._replace(filename=filename if is_missing else "")
            self.server.content().observed.refused[name] = refusal

    @contextlib.contextmanager
    def _refusal_noted(self, name: str, filename: str = "") -> Iterator[None]:
        try:
            yield
        except RefusedError as error:
            self._note(name, error.refusal, filename)
            self._refuse(error)

    def _has_password(self) -> bool:
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
            self._send_on(sources.elsewhere.get(name) or sources.default_source or "", name)
        elif not listing.files and listing.number < 0:
            self._reply(HTTPStatus.NOT_FOUND)
        else:
            body = simple_page.write_page(name, listing.files, kind)
            self._reply(HTTPStatus.OK, body, {"Content-Type": kind})

    def _send_on(self, source: str, name: str) -> None:
        place = f"{source.rstrip('/')}/{quote(name)}/"
        if not (place.isascii() and place.isprintable()):
            # A line break could continue as the answer to the client's next request.
            self._reply(HTTPStatus.BAD_GATEWAY)
            return
        self._reply(HTTPStatus.FOUND, b"", {"Location": place})

    def _refuse(self, error: RefusedError) -> None:
        from requests.exceptions import ConnectionError as NoConnectionError

        status = error.refusal.status
        # (pip repeats requests after a 502, which a missing connection does not need.)
        if status == HTTPStatus.NOT_FOUND:
            self._reply(HTTPStatus.NOT_FOUND)
            return
        if isinstance(error.__cause__, NoConnectionError):
            self._reply(HTTPStatus.GATEWAY_TIMEOUT)
            return
        # (Not 401: the client's own password is correct.)
        forbidden = status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
        self._reply(HTTPStatus.FORBIDDEN if forbidden else HTTPStatus.BAD_GATEWAY)

    def _answer_file(self, words: list[str]) -> None:
        content = self.server.content()
        origin = content.table.origin(words)
        if origin is None:
            self._reply(HTTPStatus.NOT_FOUND)
            return
        path = content.downloads.path(origin)
        with self._refusal_noted(origin.project, origin.filename):
            if origin.sha256 and words[-1] != origin.filename:
                self._send_metadata(content, origin)
            elif path is not None:
                self._send_kept(path)
            else:
                self._pass_on(content, origin)

    def _send_metadata(self, content: Content, origin: FileOrigin) -> None:
        from codeartifact_pipenv.proxy_index.upstreams import refusing

        with refusing(origin.number):
            data = content.metadata.metadata(origin)
        if data is None:
            self._reply(HTTPStatus.NOT_FOUND)
        else:
            self._reply(HTTPStatus.OK, data, {"Content-Type": "text/plain; charset=utf-8"})

    def _pass_on(self, content: Content, origin: FileOrigin) -> None:
        """Answer with what the repository answers."""
        from codeartifact_pipenv.proxy_index.upstreams import refusing

        headers = {name: self.headers[name] for name in _ASKED_ON if name in self.headers}
        headers["Accept-Encoding"] = "identity"
        upstream = content.upstreams[origin.number]
        request = upstream.request_listed if origin.sha256 else upstream.request
        with (
            refusing(origin.number),
            request(origin.path, headers, self.command) as answer,
        ):
            if answer.status_code in _PASSED_STATUSES or answer.ok:
                if self._send_head(answer.status_code, self._head_of(answer, origin)):
                    self._pass_body(content, origin, headers, answer)
                return
        raise RefusedError(Refusal(origin.number, answer.status_code))

    def _head_of(self, answer: requests.Response, origin: FileOrigin) -> dict[str, str]:
        """Return what of the head of a repository's answer is for the client."""
        head = {name: answer.headers[name] for name in _PASSED_ON if name in answer.headers}
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
        from codeartifact_pipenv.proxy_index.upstreams import refusing

        name, number = origin.project, origin.number
        try:
            with refusing(number):
                for block in content.upstreams[number].blocks(origin.path, headers, answer):
                    self._write(block)
            if answer.status_code in {HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT}:
                content.observed.refused.pop(name, None)
            else:
                self._note(name, Refusal(number, answer.status_code), origin.filename)
        except RefusedError as error:
            # The client sees that the body is too short, and may try again.
            self._note(name, error.refusal, origin.filename)
            self.close_connection = True
        except _ClientGoneError:
            self.close_connection = True

    def _write(self, block: bytes) -> None:
        try:
            self.wfile.write(block)
        except OSError as error:
            raise _ClientGoneError from error

    def _send_kept(self, path: str) -> None:
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
        """Send the head of an answer; return whether a body follows."""
        self.send_response(status)
        for name, value in head.items():
            self.send_header(name, value)
        self.end_headers()
        return self.command != "HEAD"


class _ClientGoneError(Exception):
    """The client has hung up."""
