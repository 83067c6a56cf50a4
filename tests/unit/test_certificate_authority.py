"""TLS connections of the sandbox."""

from __future__ import annotations

import gc
import socket
import ssl
import struct

import pytest

from codeartifact_pipenv.sandbox.proxy import CertificateAuthority


@pytest.mark.wide
def test_handshake_fails_and_closes_the_socket_if_the_client_has_disconnected() -> None:
    context = CertificateAuthority().context("demo.example")
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname())
        plain, _ = server.accept()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        secured = context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
        with secured, pytest.raises((ConnectionError, ssl.SSLError)):
            secured.do_handshake()
    gc.collect()  # a ResourceWarning is an error here
