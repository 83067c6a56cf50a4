"""HTTP servers on loopback that a test controls."""

from __future__ import annotations

import contextlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, TypeVar

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
