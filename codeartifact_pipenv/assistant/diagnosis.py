"""Runs doctor and lint on a project, each in a separate process.

Both read the environment and the working directory, which the calls of a server share, and print
to stdout, which carries the server's protocol. A process can also be given a time limit.
"""

from __future__ import annotations

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from codeartifact_pipenv.checks.files.secrets import mask
from codeartifact_pipenv.processes.capture import CaptureError, capture

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_SECONDS = 90.0
# Not `-m`: it puts the project's folder first on the module path.
_START = """
import sys
if sys.path[:1] == [""]:
    del sys.path[0]
sys.argv = sys.argv[1:]
from codeartifact_pipenv.__main__ import main
sys.exit(main(reads_only=True))
"""


def diagnose(
    options: Sequence[str], folder: str, packages: Sequence[str], *, online: bool
) -> dict[str, dict[str, Any]]:
    """Run doctor and lint on a project, without changing it.

    Args:
        options: our own options, such as ``--ca-profile=work``.
        folder: the folder of the Pipfile.
        packages: the packages that doctor looks at; empty for all.
        online: whether AWS and the indexes may be asked.

    Returns:
        The JSON document of each, with secrets masked, or the error of one that failed.
    """
    doctor = ["doctor", "--json", "--redact", *([] if online else ["--offline"])]
    verbs = {
        "doctor": [*options, *doctor, "--", *packages],
        "lint": [*options, "lint", "--json", *(["--online"] if online else [])],
    }
    with ThreadPoolExecutor() as pool:
        found = pool.map(partial(_run, folder=folder), verbs.values())
        return dict(zip(verbs, found, strict=True))


def _run(words: Sequence[str], folder: str) -> dict[str, Any]:
    # Otherwise a Pipfile in a parent folder might be read.
    environ = {**os.environ, "NO_COLOR": "1", "PIPENV_PIPFILE": os.path.join(folder, "Pipfile")}
    try:
        words = [sys.executable, "-c", _START, _program(), *words]
        done = capture(words, seconds=_SECONDS, folder=folder, environ=environ)
    except CaptureError as error:
        return {"error": mask(error.sentence)}
    try:
        found: dict[str, Any] = _masked(json.loads(done.stdout))
    except ValueError:
        return {"error": mask(done.stderr.strip()) or f"It ended with status {done.status}."}
    return found


def _program() -> str:
    # Under this name a verb is always ours, even if pipenv has one like it. doctor shows the path.
    return os.path.join(os.path.dirname(sys.argv[0]), "codeartifact-pipenv")


def _masked(value: Any) -> Any:
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, dict):
        return {name: _masked(item) for name, item in value.items()}
    return [_masked(item) for item in value] if isinstance(value, list) else value
