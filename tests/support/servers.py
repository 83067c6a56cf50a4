"""HTTP servers on loopback that a test controls."""

from __future__ import annotations

import base64
import contextlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, TypeVar

from support.projects import PUBLIC_URL

if TYPE_CHECKING:
    from collections.abc import Iterator

Server = TypeVar("Server", bound=ThreadingHTTPServer)


@contextlib.contextmanager
def served(server: Server) -> Iterator[Server]:
    """Answer requests while the block runs."""
    with server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


class QuietHandler(BaseHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        del arguments


class _Handler(QuietHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        server = self.server
        assert isinstance(server, FixedAnswer)
        line = f"HTTP/1.1 {server.status} {server.phrase}\r\n".encode("latin-1", "replace")
        heads = f"Content-Length: {len(server.body)}\r\n{server.heads}\r\n".encode()
        self.wfile.write(line + heads + server.body)
        self.close_connection = True

    do_GET = do_POST  # noqa: N815 - the base class's name


class FixedAnswer(ThreadingHTTPServer):
    """Answers every request alike; each line in ``heads`` has its line end."""

    daemon_threads = True
    status, phrase, heads, body = 200, "OK", "", b""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"


class _MirrorHandler(QuietHandler):
    """Counts requests, and redirects them to the public index."""

    protocol_version = "HTTP/1.1"
    server: Mirror

    def do_GET(self) -> None:
        name = self.path.strip("/").rpartition("/")[2]
        self.server.asked.append(name)
        given = self.headers.get("Authorization", "").removeprefix("Basic ")
        status, head = 302, ("Location", f"{PUBLIC_URL}/{name}/")
        if self.server.credentials not in {"", base64.b64decode(given).decode()}:
            status, head = 401, ("WWW-Authenticate", 'Basic realm="mirror"')
        self.send_response(status)
        self.send_header(*head)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_GET  # noqa: N815


class Mirror(ThreadingHTTPServer):
    """A mirror that may require a login, and the names of packages that it was asked for."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("localhost", 0), _MirrorHandler)
        self.asked: list[str] = []
        self.credentials = ""
        # It does not resemble the URL of a proxy index.
        self.url = f"http://localhost:{self.server_port}/simple"


def running_mirror() -> contextlib.AbstractContextManager[Mirror]:
    return served(Mirror())
