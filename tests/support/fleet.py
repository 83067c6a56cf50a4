"""Processes that request a token at one moment, each with its own home.

Run as a program: ``python fleet.py URL COUNT FOLDER``. It imports everything once and forks, so
that hundreds of processes need little memory. Each stops with a signed request that is ready to
be sent. When all are there, a line is printed, and at SIGUSR1 all send. Each process writes its
result to ``FOLDER/NUMBER/seen.json``.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

# Imported before the fork, so that the processes do not import.
import codeartifact_pipenv.auth.aws
import codeartifact_pipenv.auth.negative_cache  # noqa: F401
from codeartifact_pipenv.auth.resolver import resolver_from_environment
from codeartifact_pipenv.endpoint import RepositoryEndpoint, parse_url
from codeartifact_pipenv.report import Report

_CALL = b"POST /v1/authorization-token"


class _Gate:
    """An audit hook that holds back the first request, and records the time of each one."""

    def __init__(self, ready: int, gate: int) -> None:
        self._ready, self._gate = ready, gate
        self.sent: list[float] = []

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event != "http.client.send" or not bytes(arguments[1]).startswith(_CALL):
            return
        if not self.sent:
            os.write(self._ready, b".")
            os.read(self._gate, 1)  # returns when the writing end is closed
        self.sent.append(time.monotonic())


def _be_a_machine(endpoint: RepositoryEndpoint, folder: Path, gate: _Gate) -> None:
    folder.mkdir()
    os.environ |= {"HOME": str(folder), "TMPDIR": str(folder)}
    seen: dict[str, Any] = {"sent": gate.sent}
    sys.addaudithook(gate)
    try:
        token = resolver_from_environment(Report()).token(endpoint)
        seen |= {"token": token.value, "source": token.source}
    except Exception as error:  # noqa: BLE001 - any error is the result
        seen["error"] = str(error)
    seen["ended"] = time.monotonic()
    (folder / "seen.json").write_text(json.dumps(seen))


def main(url: str, count: int, folder: Path) -> None:
    endpoint = parse_url(url)
    assert endpoint is not None
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    ready, told = os.pipe()
    held, opener = os.pipe()
    machines = []
    for number in range(count):
        machine = os.fork()
        if not machine:
            os.close(opener)
            _be_a_machine(endpoint, folder / str(number), _Gate(told, held))
            os._exit(0)
        machines.append(machine)
    arrived = 0
    while arrived < count:
        arrived += len(os.read(ready, count))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    signal.sigwait({signal.SIGUSR1})
    sys.stdout.write(f"{time.monotonic()}\n")
    os.close(opener)
    for machine in machines:
        os.waitpid(machine, 0)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
