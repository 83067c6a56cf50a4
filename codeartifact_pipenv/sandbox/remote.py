"""``sandbox fault`` and ``sandbox requests``: talking to a sandbox that runs elsewhere."""

from __future__ import annotations

import http.client
import json
import os
import re
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

from codeartifact_pipenv.report import printable
from codeartifact_pipenv.sandbox import controls
from codeartifact_pipenv.sandbox.admin import VARIABLE
from codeartifact_pipenv.sandbox.errors import SandboxError, SandboxUsageError
from codeartifact_pipenv.sandbox.serving import ADMIN_FILE, default_folder, read_announced

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_ADDRESS = re.compile(r"http://127\.0\.0\.1:([0-9]{1,5})(/[A-Za-z0-9_-]+/)")
_SECONDS = 30
_OK, _BAD_REQUEST, _NOT_FOUND = 200, 400, 404


def tell(folder: Path | None, words: Sequence[str]) -> int:
    """Set a fault of a running sandbox, or undo it.

    Args:
        folder: where one that serves is found; None for the user's own place. Within
            ``sandbox run`` the one around is meant.
        words: the name of a control, and its arguments.

    Raises:
        SandboxError: there is no such fault, or no sandbox.
    """
    name, arguments = controls.read_words(words)
    _ask(folder, "POST", "faults", {"fault": name, **arguments})
    return 0


def show_requests(folder: Path | None, *, as_json: bool) -> int:
    """Print what a running sandbox was asked: each kind of request once, with its number.

    Args:
        folder: see :func:`tell`.
        as_json: print every request, as one JSON array.

    Raises:
        SandboxError: there is no sandbox.
    """
    requests = _ask(folder, "GET", "requests")["requests"]
    text = json.dumps(requests, indent=2) + "\n" if as_json else _counts(requests)
    sys.stdout.write(text)
    return 0


def _counts(requests: Sequence[Mapping[str, Any]]) -> str:
    # dict-like, in the order of the first of each kind
    counted = Counter(
        (one["name"] or one["path"] or "-", one["method"], one["status"], one["host"], one["sent"])
        for one in requests
    )
    lines = [
        f"{number:>5}  {name}  {method} {status}  {host}  {sent or '-'}"
        for (name, method, status, host, sent), number in counted.items()
    ]
    return "".join(f"{printable(line)}\n" for line in lines)


def _ask(
    folder: Path | None, method: str, what: str, document: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    port, path = _address(folder)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_SECONDS)
    body = None if document is None else json.dumps(document)
    try:
        connection.request(method, f"{path}{what}", body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        answer = json.loads(response.read())
        status, error, hint = response.status, answer.get("error", ""), answer.get("hint", "")
    except (OSError, ValueError, AttributeError, http.client.HTTPException) as problem:
        # (Not the address itself: it holds the secret.)
        raise SandboxError(
            f"No sandbox answers at port {port}.", "It has ended; start it again."
        ) from problem
    finally:
        connection.close()
    if status == _BAD_REQUEST:
        raise SandboxUsageError(error, hint)
    if status == _NOT_FOUND:
        raise SandboxError(
            f"The sandbox at port {port} does not know this address.",
            "Another one has begun since; take its environment.",
        )
    if status != _OK:
        raise SandboxError(error, hint)
    return dict(answer)


def _address(folder: Path | None) -> tuple[int, str]:
    given = os.environ.get(VARIABLE)
    url = given or read_announced(folder or default_folder(), ADMIN_FILE).strip()
    match = _ADDRESS.fullmatch(url)
    if match is None:
        where = f"The variable {VARIABLE}" if given else f"The file {ADMIN_FILE}"
        raise SandboxUsageError(
            f"{where} holds no address of a sandbox.",
            "It is set by sandbox run, and is not to be changed.",
        )
    return int(match[1]), match[2]
