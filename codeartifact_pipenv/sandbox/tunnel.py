"""Tunnels to hosts that are not ours."""

from __future__ import annotations

import selectors
import socket
from base64 import b64encode
from http.client import HTTPConnection
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from typing import Any

_CONNECT_SECONDS = 30
_BLOCK = 1 << 16


def reach(proxy: str | None, name: str, port: int) -> socket.socket:
    """Connect to a host, through a proxy where there is one.

    Raises:
        OSError: it cannot be reached; HTTPException likewise.
    """
    if proxy is None:
        far = socket.create_connection((name, port), _CONNECT_SECONDS)
    else:
        far = _through(proxy, name, port)
    far.settimeout(None)
    return far


def _through(proxy: str, name: str, port: int) -> socket.socket:
    parts = urlsplit(proxy)
    if parts.scheme != "http" or parts.hostname is None:
        raise OSError("only proxies that are spoken to by http are supported here")
    headers = {}
    if parts.username is not None:
        userinfo = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Proxy-Authorization"] = f"Basic {b64encode(userinfo.encode()).decode()}"
    connection = HTTPConnection(parts.hostname, parts.port or 80, timeout=_CONNECT_SECONDS)
    connection.set_tunnel(name, port, headers)
    try:
        connection.connect()
    except BaseException:
        connection.close()
        raise
    far: socket.socket = connection.sock
    return far


def pump(near: socket.socket, far: socket.socket) -> None:
    """Copy bytes both ways until both sides are done."""
    with selectors.DefaultSelector() as selector:
        selector.register(near, selectors.EVENT_READ, far)
        selector.register(far, selectors.EVENT_READ, near)
        while selector.get_map():
            for key, _ in selector.select():
                source: Any = key.fileobj
                data = source.recv(_BLOCK)
                if data:
                    key.data.sendall(data)
                else:
                    selector.unregister(source)
                    key.data.shutdown(socket.SHUT_WR)
