"""A server on loopback that gives the same answer to every request."""

from __future__ import annotations

import contextlib
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Self


class AnsweringServer(ThreadingHTTPServer):
    """Answers every request in the same way, after a delay.

    Attributes:
        answer: the status and the body.
        delay: the seconds until the answer.
        asked: the targets of the requests, and what proves who asks.
        connections: the number of connections, with or without a request.
    """

    def __init__(self, status: int = 200, body: bytes = b"") -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = (status, body)
        self.delay = 0.0
        self.asked: list[tuple[str, str | None]] = []
        self.connections = 0
        self.url = f"http://127.0.0.1:{self.server_port}"
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,))

    def __enter__(self) -> Self:
        self._thread.start()
        return super().__enter__()

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: AnsweringServer

    def setup(self) -> None:
        self.server.connections += 1
        super().setup()

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers["Authorization"]))
        time.sleep(self.server.delay)
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status, body = self.server.answer
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(OSError):  # the client has disconnected
            self.wfile.write(body)

    do_POST = do_PUT = do_GET  # noqa: N815 - its base calls them so

    def log_message(self, *_: object) -> None:
        """Log nothing."""
