"""A server on this machine that gives a GitHub Actions job its identity."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, NamedTuple

from support.sandbox import IDENTITY

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PASSWORD = "of-the-job-0123456789"


class Asked(NamedTuple):
    """A request for an identity token: the target, and what proves whose job it is."""

    target: str
    authorization: str | None


class GitHub(NamedTuple):
    """The environment of a job, and the requests for its identity."""

    env: dict[str, str]
    asked: list[Asked]


@contextmanager
def answering(body: bytes, status: int = 200) -> Iterator[tuple[str, list[Asked]]]:
    """Give one answer to every GET; yield the server's URL, and what it is asked."""
    asked: list[Asked] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(Asked(self.path, self.headers["Authorization"]))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            del arguments

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()
        thread.join()


@contextmanager
def github(
    env: Mapping[str, str],
    status: int = 200,
    body: bytes = json.dumps({"value": IDENTITY}).encode(),
) -> Iterator[GitHub]:
    """Serve identity tokens as GitHub does ("OpenID Connect reference")."""
    with answering(body, status) as (url, asked):
        job = {
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{url}/id?api=2",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": PASSWORD,
            "GITHUB_REPOSITORY": "acme/app",
            "GITHUB_RUN_ID": "77",
        }
        yield GitHub({**env, **job}, asked)
