"""Where the index listens: if possible at the address that it had the last time.

pip keeps files, and wheels that it has built, by the URL that they came from. So that it finds
them again, an address of 127.0.0.0/8 and a port are chosen once for each user, at random, and kept
with the tokens. If they are in use, or nothing can be kept, others are used.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import secrets
import socket

from codeartifact_pipenv.files.atomic import write_private_file
from codeartifact_pipenv.files.private import check_own_folder, make_private_folder, read_private

Address = tuple[str, int]

_NAME = "proxy-address"
# Below the ports that systems assign themselves.
_PORTS = range(10240, 32768)
_MAXIMUM_BYTES = 100


def saved_address(folder: str | None) -> Address | None:
    """Return the address that is kept in a folder; choose one if needed.

    Args:
        folder: the cache's folder.

    Returns:
        The address, or None if nothing can be kept.
    """
    if folder is None:
        return None
    path = os.path.join(folder, _NAME)
    try:
        make_private_folder(folder)
        check_own_folder(folder)
        found = _read_address(path)
        if found is None:
            found = (random_loopback_host(), secrets.choice(_PORTS))
            write_private_file(path, f"{found[0]} {found[1]}\n".encode())
    except OSError:
        return None
    return found


def random_loopback_host() -> str:
    """Return a loopback address, at random if there are several.

    A netrc file knows machines, not ports: on 127.0.0.1 any other server of this machine that the
    project names would get the password too. macOS has only that one.
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
