"""The server of the index: requests in, answers out, for those who have the run's password."""

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
from codeartifact_pipenv.proxy_index.address import any_host
from codeartifact_pipenv.proxy_index.index import (
    FILES,
    USERNAME,
    Refusal,
    RefusedError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    import requests

    from codeartifact_pipenv.proxy_index.address import Address
    from codeartifact_pipenv.proxy_index.index import ProxyIndex
    from codeartifact_pipenv.proxy_index.wheels import Place

# Seconds in which a connection must show the password: a stranger may keep no thread busy.
_STRANGER_SECONDS = 10.0
# What of an answer's head is for the client.
_PASSED_ON = (
    "Content-Type",
    "Content-Length",
    "Content-Range",
    "Accept-Ranges",
    "ETag",
    "Last-Modified",
)
_ASKED_ON = ("Accept", "Range", "If-None-Match", "If-Modified-Since")
# Names of packages (PEP 508).
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?", re.IGNORECASE | re.ASCII)
# A URL of a file has the SHA-256 of its bytes in it, so what is behind it never changes.
_FOREVER = "max-age=31536000, immutable"


def serve(index: ProxyIndex, address: Address | None) -> Server:
    """Begin to serve an index, at an address if it is given and free, else at any."""
    import threading

    for host, port in filter(None, (address, (any_host(), 0), ("127.0.0.1", 0), ("::1", 0))):
        with contextlib.suppress(OSError):
            server = Server(index, host, port)
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
            return server
    raise OSError("there is no address on loopback")


class Server(ThreadingHTTPServer):
    """Listens on loopback."""

    daemon_threads = True
    block_on_close = False
    # Of the last run connections may still be closing at the address. (On Windows this would let
    # a stranger share it.)
    allow_reuse_address = sys.platform != "win32"
    allow_reuse_port = False
    # Who finds the queue full comes again after a second. (By itself it takes 5, and uv comes with 50.)
    request_queue_size = 128

    def __init__(self, index: ProxyIndex, host: str, port: int) -> None:
        self.index = index
        self.strangers: dict[socket.socket, float] = {}
        if ":" in host:
            self.address_family = socket.AF_INET6
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        """Bind, and do not ask DNS for the address's name as HTTPServer would: that may hang."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a client that hangs up is no news, and stderr is pipenv's."""

    def service_actions(self) -> None:
        """Hang up on strangers who have had their time, however busily they write."""
        now = time.monotonic()
        for connection, end in list(self.strangers.items()):
            if now > end and self.strangers.pop(connection, None) is not None:
                # (Closed it would still be read from, and its thread be kept; its thread closes it.)
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = _STRANGER_SECONDS
    server: Server

    def setup(self) -> None:
        self.server.strangers[self.request] = time.monotonic() + _STRANGER_SECONDS
        super().setup()

    def finish(self) -> None:
        self.server.strangers.pop(self.request, None)
        super().finish()

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""

    def _answer(self) -> None:
        if not self._is_ours():
            challenge = {"WWW-Authenticate": 'Basic realm="pipenv-ca"'}
            self._reply(HTTPStatus.UNAUTHORIZED, b"", challenge)
            return
        self.server.strangers.pop(self.request, None)
        self.connection.settimeout(None)
        try:
            path = urlsplit(self.path).path
        except ValueError:
            self._reply(HTTPStatus.NOT_FOUND)
            return
        words = [unquote(word) for word in path.split("/") if word]
        name, place = "", self._place(words)
        local = self._local(words)
        try:
            if words[:1] == ["simple"] and len(words) == 2 and _NAME.fullmatch(words[1]):  # noqa: PLR2004 - simple, NAME
                name = normalise(words[1])
                self._answer_page(name)
            elif local is not None:
                self._send_kept(local)
            elif place is None:
                self._reply(HTTPStatus.NOT_FOUND)
            else:
                name = place.project
                self._answer_file(place, metadata=words[-1] != place.filename)
        except RefusedError as error:
            self._note(name, error.refusal, place)
            self._refuse(error)

    def _place(self, words: list[str]) -> Place | None:
        """Return where the file at a path comes from, or the wheel whose METADATA is asked for."""
        from codeartifact_pipenv.proxy_index.wheels import Place

        index = self.server.index
        if words[:1] == [FILES] and len(words) == 3:  # noqa: PLR2004 - files, SHA-256, NAME
            sha256, name = words[1:]
            wheel = name.removesuffix(".metadata")
            found = index.pages.place(sha256, name)
            return found or (index.pages.place(sha256, wheel) if wheel.endswith(".whl") else None)
        if words[:1] != ["repository"] or len(words) < 3:  # noqa: PLR2004 - repository, NUMBER, and more
            return None
        # (int would raise for thousands of digits.)
        number = next((n for n in range(len(index.upstreams)) if str(n) == words[1]), None)
        rest = words[2:]
        if number is None or not all(map(_is_plain, rest)):
            return None
        project = normalise(rest[1]) if rest[0] == "simple" and len(rest) > 1 else ""
        return Place(number, "/".join(quote(word, safe="") for word in rest), project)

    def _local(self, words: list[str]) -> str | None:
        """Return the file of the user's own at a path; None for none."""
        if words[:1] != [FILES] or len(words) != 3:  # noqa: PLR2004 - files, SHA-256, NAME
            return None
        return self.server.index.pages.local.path(words[1], words[2])

    def _note(self, name: str, refusal: Refusal, place: Place | None) -> None:
        """Note how a repository refused a package ('' for none), by its page or by a file."""
        if name and refusal.number >= 0:
            filename = place.filename if place and refusal.status == HTTPStatus.NOT_FOUND else ""
            self.server.index.refused[name] = refusal._replace(filename=filename)

    def _is_ours(self) -> bool:
        wanted = base64.b64encode(f"{USERNAME}:{self.server.index.password}".encode()).decode()
        given = self.headers.get("Authorization", "")
        return hmac.compare_digest(given.encode(), f"Basic {wanted}".encode())

    def _answer_page(self, name: str) -> None:
        index = self.server.index
        kind = simple_page.choose_kind(self.headers.get("Accept", ""))
        if kind is None:
            self._reply(HTTPStatus.NOT_ACCEPTABLE)
            return
        listing = index.pages.listing(name)
        index.found[name] = listing.number
        index.refused.pop(name, None)
        if listing.files is None:
            self._send_on(index.elsewhere.get(name) or index.default_source or "", name)
        elif not listing.files and listing.number < 0:
            self._reply(HTTPStatus.NOT_FOUND)
        else:
            body = simple_page.write_page(name, listing.files, kind)
            self._reply(HTTPStatus.OK, body, {"Content-Type": kind})

    def _send_on(self, source: str, name: str) -> None:
        place = f"{source.rstrip('/')}/{quote(name)}/"
        if not (place.isascii() and place.isprintable()):
            # With a line break in it, it could go on as the answer to the client's next question.
            self._reply(HTTPStatus.BAD_GATEWAY)
            return
        self._reply(HTTPStatus.FOUND, b"", {"Location": place})

    def _refuse(self, error: RefusedError) -> None:
        from requests.exceptions import ConnectionError as NoConnectionError

        status = error.refusal.status
        # (For a 502 pip asks again and again. What has no connection was tried for long enough.)
        if status == HTTPStatus.NOT_FOUND:
            self._reply(HTTPStatus.NOT_FOUND)
            return
        if isinstance(error.__cause__, NoConnectionError):
            self._reply(HTTPStatus.GATEWAY_TIMEOUT)
            return
        # Not as 401: the client's own password is right.
        forbidden = status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
        self._reply(HTTPStatus.FORBIDDEN if forbidden else HTTPStatus.BAD_GATEWAY)

    def _answer_file(self, place: Place, *, metadata: bool) -> None:
        from codeartifact_pipenv.proxy_index.pages import refusing

        pages = self.server.index.pages
        if metadata and place.sha256:
            with refusing(place.number):
                data = pages.wheels.metadata(place)
            if data is None:
                self._reply(HTTPStatus.NOT_FOUND)
            else:
                self._reply(HTTPStatus.OK, data, {"Content-Type": "text/plain; charset=utf-8"})
            return
        kept = pages.wheels.kept(place)
        if kept is not None:
            self._send_kept(kept)
            return
        headers = {name: self.headers[name] for name in _ASKED_ON if name in self.headers}
        headers["Accept-Encoding"] = "identity"
        ask = pages.repositories.ask_listed if place.sha256 else pages.repositories.ask
        with (
            refusing(place.number),
            ask(place.number, place.path, headers, self.command) as answer,
        ):
            if answer.status_code >= HTTPStatus.BAD_REQUEST and answer.status_code not in {
                HTTPStatus.NOT_FOUND,
                HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
            }:
                raise RefusedError(Refusal(place.number, answer.status_code))
            self._pass_head(answer, place)
            if self.command != "HEAD":
                self._pass_body(answer, place, headers)

    def _pass_body(
        self, answer: requests.Response, place: Place, headers: Mapping[str, str]
    ) -> None:
        from codeartifact_pipenv.proxy_index.pages import refusing

        index = self.server.index
        try:
            with refusing(place.number):
                for block in index.pages.repositories.blocks(
                    place.number, place.path, headers, answer
                ):
                    self._write(block)
            if answer.status_code in {HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT}:
                index.refused.pop(place.project, None)
            else:
                self._note(place.project, Refusal(place.number, answer.status_code), place)
        except RefusedError as error:
            # Cut off short: the client sees that it is, and may try again.
            self._note(place.project, error.refusal, place)
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
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", "application/octet-stream")
            self.send_header("Content-Length", str(os.fstat(file.fileno()).st_size))
            self.send_header("Cache-Control", _FOREVER)
            self.end_headers()
            if self.command != "HEAD":
                shutil.copyfileobj(file, self.wfile)

    def _pass_head(self, answer: requests.Response, place: Place) -> None:
        self.send_response(answer.status_code)
        for name in _PASSED_ON:
            if name in answer.headers:
                self.send_header(name, answer.headers[name])
        if place.sha256 and answer.status_code == HTTPStatus.OK:
            self.send_header("Cache-Control", _FOREVER)
        if "Content-Length" not in answer.headers:
            self.close_connection = True
            self.send_header("Connection", "close")
        self.end_headers()

    def _reply(
        self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


class _ClientGoneError(Exception):
    """The client has hung up."""


def _is_plain(word: str) -> bool:
    # Decoded, it must still be one part of a path: with a slash in it, it could name another
    # repository, or another host, which would be sent the token.
    return word not in {".", ".."} and not any(mark in word for mark in "/\\")
