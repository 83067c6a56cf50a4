"""Machines that request a token at one moment: ``python fleet.py URL COUNT FOLDER``.

It imports once and forks, so that hundreds of processes need little memory, and prints for each
machine its token or error, and the seconds after that moment.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import time
from pathlib import Path
from typing import Any

# Imported before the fork, so that the processes do not import.
import codeartifact_pipenv.auth.aws
import codeartifact_pipenv.auth.negative_cache  # noqa: F401
from codeartifact_pipenv.auth.resolver import resolver_from_environment
from codeartifact_pipenv.endpoint import parse_url
from codeartifact_pipenv.report import Report

_CALL = b"POST /v1/authorization-token"
_FORK = multiprocessing.get_context("fork")


def _get_token(url: str, folder: Path, ready: Any) -> dict[str, Any]:
    folder.mkdir()
    os.environ |= {"HOME": str(folder), "TMPDIR": str(folder)}
    began: list[float] = []

    def hold_first_request(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "http.client.send" and bytes(arguments[1]).startswith(_CALL) and not began:
            began.append(0)
            ready.wait()
            began[0] = time.monotonic()

    sys.addaudithook(hold_first_request)
    endpoint = parse_url(url)
    assert endpoint is not None
    try:
        seen: dict[str, Any] = {"token": resolver_from_environment(Report()).token(endpoint).value}
    except Exception as error:  # noqa: BLE001 - any error is the result
        seen = {"error": str(error)}
    return seen | {"seconds": time.monotonic() - began[0]}


def main(url: str, count: int, folder: Path) -> None:
    ready, results = _FORK.Barrier(count), _FORK.SimpleQueue()

    def work(number: int) -> None:
        results.put(_get_token(url, folder / str(number), ready))

    machines = [_FORK.Process(target=work, args=(number,)) for number in range(count)]
    for machine in machines:
        machine.start()
    sys.stdout.write(json.dumps([results.get() for _ in machines]))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
