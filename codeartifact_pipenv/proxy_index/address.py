"""The address of the index, which stays the same between runs if possible.

pip caches files and built wheels by URL. To reuse them, a random address in 127.0.0.0/8 and a
port are chosen once for each user and saved with the tokens. If the address is in use or cannot
be saved, another one is used.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import secrets
import socket

from codeartifact_pipenv.files.writing import make_private_folder, read_private, write_private_file

Address = tuple[str, int]

_NAME = "proxy-address"
# Below the ephemeral ports.
_PORTS = range(10240, 32768)
_MAXIMUM_BYTES = 100


def saved_address(folder: str | None) -> Address | None:
    """Return the saved address, or a new one that is saved.

    Args:
        folder: the cache's folder, if any.

    Returns:
        The address, or None if it cannot be saved.
    """
    if folder is None:
        return None
    path = os.path.join(folder, _NAME)
    try:
        make_private_folder(folder)
        found = _read_address(path)
        if found is None:
            found = (random_loopback_host(), secrets.choice(_PORTS))
            write_private_file(path, f"{found[0]} {found[1]}\n".encode())
    except OSError:
        return None
    return found


def random_loopback_host() -> str:
    """Return a random loopback address; on macOS, 127.0.0.1 is the only one.

    netrc entries have no port: with 127.0.0.1, clients would send the password to any local
    server that the project names.
    """
    host = ".".join(["127", *(str(secrets.randbelow(254) + 1) for _ in range(3))])
    with contextlib.suppress(OSError), socket.socket() as probe:
        probe.bind((host, 0))
        return host
    return "127.0.0.1"


def _read_address(path: str) -> Address | None:
    try:
        host, port = read_private(path, _MAXIMUM_BYTES).decode().split()
        is_ours = ipaddress.IPv4Address(host).is_loopback and int(port) in _PORTS
    except (OSError, ValueError):
        return None
    return (host, int(port)) if is_ours else None
