"""Networks for one test's commands: a namespace without IPv4, and relays."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import socket
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from codeartifact_pipenv.sandbox.proxy import pump

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

# Opens ports of [::1] in a new network, hands them out by a socket, and becomes a command.
_WITHOUT_IPV4 = """
import os, socket, subprocess, sys
place, ports, *words = sys.argv[1:]
subprocess.run(["sh", "-ec", "ip link set lo up; ip -4 address flush dev lo"], check=True)
listeners = [socket.create_server(("::1", int(n)), family=socket.AF_INET6) for n in ports.split(",")]
with socket.socket(socket.AF_UNIX) as outside:
    outside.connect(place)
    socket.send_fds(outside, [b"."], [listener.fileno() for listener in listeners])
os.execvp(words[0], words)
"""


def in_ipv6_alone(place: Path, ports: Sequence[int]) -> tuple[str, ...]:
    """Return words before a command that give it a network with [::1] only.

    Args:
        place: the path of a new socket that leads out.
        ports: ports of 127.0.0.1 that can be reached at [::1].
    """
    if os.geteuid() != 0 or not (shutil.which("unshare") and shutil.which("ip")):
        pytest.skip("a network namespace needs root, unshare and ip")
    if subprocess.run(["unshare", "-n", "true"], capture_output=True, check=False).returncode:
        pytest.skip("this system does not allow network namespaces")
    outside = socket.socket(socket.AF_UNIX)
    outside.bind(str(place))
    outside.listen()

    def take_listeners() -> None:
        while True:
            near, _ = outside.accept()
            with near:
                _, numbers, _, _ = socket.recv_fds(near, 1, len(ports))
            for number, port in zip(numbers, ports, strict=True):
                reach = functools.partial(socket.create_connection, ("127.0.0.1", port))
                relay(socket.socket(fileno=number), reach)

    threading.Thread(target=take_listeners, daemon=True).start()
    words = "unshare", "-n", sys.executable, "-c", _WITHOUT_IPV4
    return (*words, str(place), ",".join(map(str, ports)))


def relay(listener: socket.socket, reach: Callable[[], socket.socket]) -> None:
    """Connect each client of a listener with another server, for the rest of the session."""

    def serve() -> None:
        while True:
            near, _ = listener.accept()
            threading.Thread(target=_pass, args=(near, reach), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()


def _pass(near: socket.socket, reach: Callable[[], socket.socket]) -> None:
    with near, contextlib.suppress(OSError), reach() as far:
        pump(near, far)
