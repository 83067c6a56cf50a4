"""A fake repository for the proxy index, and the memory that a call takes."""

from __future__ import annotations

import ssl
import tracemalloc
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, ClassVar, TypeVar

import trustme
from support.sandbox import FakePublicIndex, FakePublicIndexHandler
from support.servers import served

from codeartifact_pipenv.endpoint import Domain, RepositoryEndpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import pytest

BUNDLES = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
HTML = "text/html"
_T = TypeVar("_T")


class Handler(FakePublicIndexHandler):
    """Keeps and counts connections, and sends a Retry-After of an hour."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    connections: ClassVar[list[object]] = []

    def handle(self) -> None:
        self.connections.append(self.client_address)
        with suppress(OSError):  # a client may leave in the middle
            super().handle()

    def end_headers(self) -> None:
        self.send_header("Retry-After", "3600")
        self.send_header("Location", "http://[bad/")
        super().end_headers()


@contextmanager
def fake_repository(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[FakePublicIndex, RepositoryEndpoint]]:
    """Serve pages over HTTPS during the block, with a certificate that this process trusts."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    for name in BUNDLES:
        monkeypatch.setenv(name, str(folder / "ca.pem"))
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")
    server = FakePublicIndex()
    server.RequestHandlerClass = Handler
    server.socket = context.wrap_socket(server.socket, server_side=True)
    domain = Domain("my-dom", "123456789012", "us-east-1")
    with served(server):
        host = f"127.0.0.1:{server.server_port}"
        yield server, RepositoryEndpoint(domain, "one", "ipv4", host)


def peak_of(act: Callable[[], _T]) -> tuple[_T, int]:
    """Return the result of a call and the peak of the memory allocated in it, in bytes."""
    tracemalloc.start()
    try:
        made = act()
        return made, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
