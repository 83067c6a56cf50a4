"""The HTTPS proxy on loopback that clients use.

It terminates TLS for hosts of the sandbox, with certificates of this run, and tunnels all other
connections.
"""

from __future__ import annotations

import logging
import selectors
import socket
import ssl
import struct
import sys
import threading
from base64 import b64encode
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote, urlsplit
from weakref import WeakSet

import trustme
from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler
from werkzeug.wrappers import Response
from werkzeug.wsgi import LimitedStream

from codeartifact_pipenv.sandbox.answers import RefusalError
from codeartifact_pipenv.sandbox.app import CUT_HEAD_KEY, HOST_KEY
from codeartifact_pipenv.sandbox.faults import BrokenOffError
from codeartifact_pipenv.sandbox.hosts import Host, recognise
from codeartifact_pipenv.sandbox.state import RequestRecord

if TYPE_CHECKING:
    from typing import IO

    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

    from codeartifact_pipenv.sandbox.environment import Proxies
    from codeartifact_pipenv.sandbox.state import State


_logger = logging.getLogger(__name__)
_HTTPS_PORT = 443
_CONNECT_SECONDS = 30
_BLOCK = 1 << 16
_JOIN_SECONDS = 5
_NO_BODY = {204, 304}


class _Connection(ssl.SSLSocket):
    """A TLS socket whose handshake fails if the client has disconnected.

    Python's own class notices that in its constructor, and then never closes the socket.
    """

    def getpeername(self) -> Any:
        with suppress(OSError):
            return super().getpeername()
        return None


class CertificateAuthority:
    """The certificate authority of a run, and the TLS contexts of its hosts."""

    def __init__(self) -> None:
        self._ca = trustme.CA()
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._lock = threading.Lock()

    @property
    def certificate(self) -> str:
        """The authority's certificate, as PEM."""
        return self._ca.cert_pem.bytes().decode()

    def context(self, name: str) -> ssl.SSLContext:
        """Return the server's TLS context for a host name."""
        with self._lock:
            if name not in self._contexts:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.sslsocket_class = _Connection
                context.set_alpn_protocols(["http/1.1"])
                self._ca.issue_cert(name).configure_cert(context)
                self._contexts[name] = context
            return self._contexts[name]


class ProxyServer(ThreadedWSGIServer):
    """A threaded proxy server on a free port of 127.0.0.1."""

    def __init__(
        self,
        app: WSGIApplication,
        authority: CertificateAuthority,
        proxies: Proxies,
        state: State,
        *,
        serve_public: bool,
    ) -> None:
        self.authority = authority
        self.proxies = proxies
        self.state = state
        self._serve_public = serve_public
        self._sockets: WeakSet[socket.socket] = WeakSet()
        self._workers: WeakSet[threading.Thread] = WeakSet()
        self._closing = False
        self._lock = threading.Lock()
        super().__init__("127.0.0.1", 0, app, handler=_ProxyHandler)
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        """The proxy's URL."""
        return f"http://127.0.0.1:{self.port}"

    def recognise(self, name: str) -> Host | None:
        """Return the sandbox's host of a name, or None if it is tunnelled."""
        host = recognise(name)
        return host if self._serve_public or host is None or host.service != "public" else None

    def start(self) -> None:
        """Start serving in a thread."""
        self._thread.start()

    def close(self) -> None:
        """Stop serving, close all connections and wait for their threads."""
        if self._thread.is_alive():
            self.shutdown()
            self._thread.join()
        self.server_close()
        with self._lock:
            self._closing = True
            for connection in self._sockets:
                _hang_up(connection)
            workers = [*self._workers]
        for worker in workers:
            worker.join(_JOIN_SECONDS)

    def watch(self, connection: socket.socket) -> None:
        """Register a connection for :meth:`close`."""
        with self._lock:
            self._sockets.add(connection)
            if self._closing:
                _hang_up(connection)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Handle a connection in a thread that :meth:`close` waits for."""
        self.watch(request)
        worker = threading.Thread(
            target=self.process_request_thread, args=(request, client_address), daemon=True
        )
        with self._lock:
            self._workers.add(worker)
        worker.start()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log an error of a connection's thread."""
        del request, client_address
        _logger.error("a connection to the sandbox failed", exc_info=sys.exc_info())

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - the base class's name for it
        """Keep werkzeug's own messages off the terminal."""
        _logger.debug("%s: " + message, type, *args)  # noqa: G003 - werkzeug's format


class _ProxyHandler(WSGIRequestHandler):
    """One connection: a tunnel, or requests to a host of the sandbox."""

    protocol_version = "HTTP/1.1"
    # Head and body are two writes; the second must not wait for an ACK.
    disable_nagle_algorithm = True
    server: ProxyServer
    host: Host | None = None
    head_bytes: int | None = None  # cut the head after this many bytes

    def handle(self) -> None:
        with suppress(OSError):
            super().handle()

    def finish(self) -> None:
        with suppress(OSError):
            super().finish()
        # The server closes only the socket below TLS.
        self.connection.close()

    def do_CONNECT(self) -> None:  # noqa: N802 - http.server's name for it
        name, _, port = self.path.rpartition(":")
        name = name.strip("[]").lower()
        if self.host is not None or not name or not port.isdecimal():
            self._reply(400, "CONNECT needs a host and a port.")
            return
        host = self.server.recognise(name)
        if host is None:
            self._tunnel(name, int(port))
        elif int(port) != _HTTPS_PORT:
            self._reply(403, f"{name} supports only https on port 443.")
        else:
            self._serve(host)

    def run_wsgi(self) -> None:
        if self.host is None:
            name = urlsplit(self.path).hostname or ""
            if self.server.recognise(name):
                self._reply(403, f"{name} supports only https.")
            else:
                self._reply(501, "This proxy supports only https.")
            return
        if self.headers.get("Host", "").lower() not in {
            self.host.name,
            f"{self.host.name}:{_HTTPS_PORT}",
        }:
            self._reply(421, "The Host header does not match the connection.")
            return
        self._answer(self.make_environ())

    def make_environ(self) -> WSGIEnvironment:
        environ = super().make_environ()
        environ["wsgi.url_scheme"] = "https"
        environ[HOST_KEY] = self.host
        environ[CUT_HEAD_KEY] = self._cut_head
        return environ

    def date_time_string(self, timestamp: float | None = None) -> str:
        """Return the value of a ``Date`` header by AWS's clock."""
        clock = self.server.state.clock
        return super().date_time_string(clock.time() if timestamp is None else timestamp)

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - the base class's name for it
        self.server.log(type, message, *args)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Do nothing; the application logs requests."""

    def _serve(self, host: Host) -> None:
        context = self.server.authority.context(host.name)
        self.server.state.faults.travel(2)  # TCP and TLS
        self._established()
        secured = context.wrap_socket(
            self.connection, server_side=True, do_handshake_on_connect=False
        )
        self.server.watch(secured)
        self.connection = secured
        self.close_connection = True
        secured.do_handshake()
        self.rfile.close()
        self.request = secured
        self.setup()
        self.host = host
        self.close_connection = False

    def _answer(self, environ: WSGIEnvironment) -> None:
        chunked_body = "wsgi.input_terminated" in environ
        body = None
        if not chunked_body:
            body = environ["wsgi.input"] = LimitedStream(
                cast("IO[bytes]", self.rfile), int(environ.get("CONTENT_LENGTH") or 0)
            )
        self.server.state.faults.travel(1)
        response = Response.from_app(self.server.app, environ)
        try:
            self._send(response)
        except BrokenOffError as fault:
            self._break_off(reset=fault.reset)
            return
        except BaseException:
            self.close_connection = True
            raise
        finally:
            response.close()
        # Read the rest of the body before the next request.
        if body is None:
            self.close_connection = True
        else:
            body.exhaust()

    def _cut_head(self, after: int) -> None:
        self.head_bytes = after

    def end_headers(self) -> None:
        """Send the head, or the part of it that a fault leaves."""
        if self.head_bytes is not None:
            buffered: list[bytes] = self._headers_buffer
            self.wfile.write(b"".join(buffered)[: self.head_bytes])
            buffered.clear()
            raise BrokenOffError(reset=True)
        super().end_headers()

    def _send(self, response: Response) -> None:
        length_known = "Content-Length" in response.headers
        has_body = self.command != "HEAD" and response.status_code not in _NO_BODY
        self.send_response(response.status_code)
        for name, value in response.headers:
            # The base class has sent the date.
            if name.lower() != "date":
                self.send_header(name, value)
        if has_body and not length_known:
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for block in response.iter_encoded() if has_body else ():
            if block:
                self.wfile.write(block if length_known else b"%x\r\n%b\r\n" % (len(block), block))
        if has_body and not length_known:
            self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()

    def _break_off(self, *, reset: bool) -> None:
        self.close_connection = True
        self.wfile.flush()
        if reset:
            # Closing then discards unsent data and resets the connection.
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        elif isinstance(self.connection, ssl.SSLSocket):
            # Close TLS without waiting for the client.
            self.connection.settimeout(0)
            with suppress(OSError):
                self.connection.unwrap()

    def _tunnel(self, name: str, port: int) -> None:
        try:
            far = reach(self.server.proxies.find("https", name), name, port)
        except (OSError, HTTPException) as error:
            self._record(name, 502)
            self._reply(502, f"cannot connect to {name}:{port}: {error}.")
            return
        self._record(name, 200)
        with far:
            self.server.watch(far)
            self.close_connection = True
            self._established()
            pump(self.connection, far)

    def _record(self, name: str, status: int) -> None:
        self.server.state.records.append(RequestRecord("CONNECT", name, "", None, status, None))

    def _established(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        self.wfile.flush()

    def _reply(self, status: int, sentence: str) -> None:
        self.close_connection = True
        response = RefusalError(status, f"codeartifact-pipenv sandbox: {sentence}").response()
        response.headers["Connection"] = "close"
        self._send(response)


def _hang_up(connection: socket.socket) -> None:
    # SSLSocket.shutdown would drop the session that another thread is reading.
    with suppress(OSError):
        socket.socket.shutdown(connection, socket.SHUT_RDWR)


def reach(proxy: str | None, name: str, port: int) -> socket.socket:
    """Connect to a host, through a proxy if one is given.

    Raises:
        OSError: the connection fails.
        HTTPException: the proxy's answer is invalid.
    """
    if proxy is None:
        far = socket.create_connection((name, port), _CONNECT_SECONDS)
    else:
        far = _through(proxy, name, port)
    far.settimeout(None)
    return far


def _through(proxy: str, name: str, port: int) -> socket.socket:
    parts = urlsplit(proxy)
    if parts.scheme != "http" or parts.hostname is None:
        raise OSError("only http:// proxies are supported")
    headers = {}
    if parts.username is not None:
        userinfo = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Proxy-Authorization"] = f"Basic {b64encode(userinfo.encode()).decode()}"
    connection = HTTPConnection(parts.hostname, parts.port or 80, timeout=_CONNECT_SECONDS)
    connection.set_tunnel(name, port, headers)
    try:
        connection.connect()
    except BaseException:
        connection.close()
        raise
    far: socket.socket = connection.sock
    return far


def pump(near: socket.socket, far: socket.socket) -> None:
    """Copy bytes in both directions until both sides close."""
    with selectors.DefaultSelector() as selector:
        selector.register(near, selectors.EVENT_READ, far)
        selector.register(far, selectors.EVENT_READ, near)
        while selector.get_map():
            for key, _ in selector.select():
                source: Any = key.fileobj
                data = source.recv(_BLOCK)
                if data:
                    key.data.sendall(data)
                else:
                    selector.unregister(source)
                    key.data.shutdown(socket.SHUT_WR)
