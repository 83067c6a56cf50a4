"""A mirror of the public index on loopback."""

from __future__ import annotations

import base64
import contextlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from support.projects import PUBLIC_URL

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Handler(BaseHTTPRequestHandler):
    """Counts requests, and redirects them to the public index."""

    protocol_version = "HTTP/1.1"
    server: Mirror

    def do_GET(self) -> None:
        name = self.path.strip("/").rpartition("/")[2]
        self.server.asked.append(name)
        given = self.headers.get("Authorization", "").removeprefix("Basic ")
        if self.server.credentials not in {"", base64.b64decode(given).decode()}:
            self._end(401, "WWW-Authenticate", 'Basic realm="mirror"')
        else:
            self._end(302, "Location", f"{PUBLIC_URL}/{name}/")

    do_HEAD = do_GET  # noqa: N815 - the name that BaseHTTPRequestHandler expects

    def _end(self, status: int, name: str, value: str) -> None:
        self.send_response(status)
        self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


class Mirror(ThreadingHTTPServer):
    """A mirror of the public index.

    Attributes:
        asked: the names of the packages that it was asked for.
        credentials: the login that it requires, if any.
        url: its URL, which does not resemble that of a proxy index.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("localhost", 0), _Handler)
        self.asked: list[str] = []
        self.credentials = ""
        self.url = f"http://localhost:{self.server_port}/simple"


@contextlib.contextmanager
def running_mirror() -> Iterator[Mirror]:
    with Mirror() as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server
        server.shutdown()
