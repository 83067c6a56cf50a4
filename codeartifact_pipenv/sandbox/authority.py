"""A certificate authority for one run."""

from __future__ import annotations

import ssl
import threading
from contextlib import suppress
from typing import Any

import trustme


class _Connection(ssl.SSLSocket):
    """A connection of which the handshake says that its client has gone.

    Python's own finds that out while it is made, and then leaves itself open for good.
    """

    def getpeername(self) -> Any:
        with suppress(OSError):
            return super().getpeername()
        return None


class Authority:
    """A certificate authority for one run, and the TLS contexts of our hosts."""

    def __init__(self) -> None:
        self._ca = trustme.CA()
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._lock = threading.Lock()

    @property
    def certificate(self) -> str:
        """The authority's own certificate, as PEM."""
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
