"""Processes that request a token at one moment, each with its own home.

``python fleet.py URL COUNT FOLDER`` imports once and forks. Each process stops with a signed request
that is ready to be sent; then a line is printed, and at SIGUSR1 all send. Each writes its result to
``FOLDER/NUMBER/seen.json``.
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
    """An audit hook that holds back the first request."""

    def __init__(self, ready: int, gate: int) -> None:
        self._ready, self._gate = ready, gate
        self.opened = 0.0

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event != "http.client.send" or not bytes(arguments[1]).startswith(_CALL):
            return
        if not self.opened:
            os.write(self._ready, b".")
            os.read(self._gate, 1)  # returns when the writing end is closed
            self.opened = time.monotonic()


def _be_a_machine(endpoint: RepositoryEndpoint, folder: Path, gate: _Gate) -> None:
    folder.mkdir()
    os.environ |= {"HOME": str(folder), "TMPDIR": str(folder)}
    sys.addaudithook(gate)
    try:
        token = resolver_from_environment(Report()).token(endpoint)
        seen: dict[str, Any] = {"token": token.value}
    except Exception as error:  # noqa: BLE001 - any error is the result
        seen = {"error": str(error)}
    seen["seconds"] = time.monotonic() - gate.opened
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
    os.close(opener)
    for machine in machines:
        os.waitpid(machine, 0)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
