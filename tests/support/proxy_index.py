"""Servers in the place of the proxy index's sources."""

from __future__ import annotations

import ssl
from contextlib import contextmanager
from threading import Thread
from typing import TYPE_CHECKING

import trustme
from support.sandbox import FakePublicIndex

from codeartifact_pipenv.endpoint import Domain, RepositoryEndpoint

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest
    from support.sandbox import FakePublicIndexHandler

BUNDLES = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
HTML = "text/html"


@contextmanager
def serve(server: FakePublicIndex) -> Iterator[None]:
    """Serve in a thread during the block."""
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield
    server.shutdown()
    thread.join()


@contextmanager
def https_server(
    folder: Path, monkeypatch: pytest.MonkeyPatch, handler: type[FakePublicIndexHandler]
) -> Iterator[FakePublicIndex]:
    """Serve pages over HTTPS during the block, with a certificate that this process trusts."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    for name in BUNDLES:
        monkeypatch.setenv(name, str(folder / "ca.pem"))
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")
    with FakePublicIndex() as server:
        server.RequestHandlerClass = handler
        server.socket = context.wrap_socket(server.socket, server_side=True)
        with serve(server):
            yield server


def endpoint_at(server: FakePublicIndex) -> RepositoryEndpoint:
    """Return the endpoint of a repository called ``one`` at a server."""
    domain = Domain("my-dom", "123456789012", "us-east-1")
    return RepositoryEndpoint(domain, "one", "ipv4", f"127.0.0.1:{server.server_port}")
