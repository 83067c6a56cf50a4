"""A mirror of the public index on loopback."""

from __future__ import annotations

import base64
from http.server import ThreadingHTTPServer
from typing import TYPE_CHECKING

from support.projects import PUBLIC_URL
from support.servers import QuietHandler, served

if TYPE_CHECKING:
    from contextlib import AbstractContextManager


class _Handler(QuietHandler):
    """Counts requests, and redirects them to the public index."""

    protocol_version = "HTTP/1.1"
    server: Mirror

    def do_GET(self) -> None:  # noqa: N802 - the name that BaseHTTPRequestHandler expects
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
        super().__init__(("localhost", 0), _Handler)
        self.asked: list[str] = []
        self.credentials = ""
        # It does not resemble the URL of a proxy index.
        self.url = f"http://localhost:{self.server_port}/simple"


def running_mirror() -> AbstractContextManager[Mirror]:
    return served(Mirror())
