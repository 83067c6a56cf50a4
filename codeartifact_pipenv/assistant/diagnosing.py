"""Looks at a project by doctor, lint and fix, each as a process of its own.

They read the environment and the working directory, which a server shares between its calls, and
print, where a server has its protocol. What a project does to a process of its own ends with it,
and it can be given a time.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from codeartifact_pipenv.assistant.answers import Diagnosis, Seen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_SECONDS = 90.0
# (No -m: that would let a project's own modules be imported in place of others.)
_START = """
import sys
if sys.path[:1] == [""]:
    del sys.path[0]
sys.argv = sys.argv[1:]
from codeartifact_pipenv.__main__ import main
sys.exit(main(reads_only=True))
"""
_LEVELS = {"failure": "error"}


class _Said(NamedTuple):
    """What one of our verbs said; ``trouble`` is '' where it did its work."""

    text: str
    trouble: str


class Examiner:
    """Looks at projects.

    Args:
        options: own options that are handed on, such as ``--ca-profile=work``.
    """

    def __init__(self, options: Sequence[str]) -> None:
        self._options = list(options)
        # (Under this name a verb is always ours; doctor says where it is.)
        self._program = os.path.join(os.path.dirname(sys.argv[0]), "codeartifact-pipenv")

    def examine(self, folder: str, packages: Sequence[str], *, online: bool) -> Diagnosis:
        """Look at a project, and change nothing.

        Args:
            folder: where its Pipfile is.
            packages: names for doctor to look at; empty for all.
            online: whether AWS and the indexes may be asked.
        """
        ask = ["--online"] if online else []
        network = [] if online else ["--offline"]
        verbs = {
            "doctor": ["doctor", "--json", "--redact", *network, "--", *packages],
            "lint": ["lint", "--json", *ask],
            "fix": ["fix", "--diff", *ask],
        }
        with ThreadPoolExecutor() as pool:
            asked = {name: pool.submit(self._run, words, folder) for name, words in verbs.items()}
            said = {name: future.result() for name, future in asked.items()}
        doctor, lint = _of_doctor(said["doctor"].text), _of_lint(said["lint"].text)
        incomplete = [f"{name}: {one.trouble}" for name, one in said.items() if one.trouble]
        well = not incomplete and all(seen.level != "error" for seen in (*doctor, *lint))
        return Diagnosis(
            project=folder,
            online=online,
            well=well,
            doctor=doctor,
            lint=lint,
            diff=said["fix"].text,
            incomplete=incomplete,
            next_step=_next_step(said["fix"].text, well=well, online=online),
        )

    def _run(self, words: Sequence[str], folder: str) -> _Said:
        # (A Pipfile above the folder would be outside of what may be read.)
        environ = {
            **os.environ,
            "NO_COLOR": "1",
            "PIPENV_PIPFILE": os.path.join(folder, "Pipfile"),
        }
        command = [sys.executable, "-c", _START, self._program, *self._options, *words]
        try:
            done = subprocess.run(
                command,
                cwd=folder,
                env=environ,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return _Said("", f"It has not ended within {_SECONDS:.0f} seconds.")
        lines = [x for x in done.stderr.splitlines() if x.startswith(("error:", "hint:"))]
        if done.returncode not in {0, 1} and not lines:
            lines = [f"It ended with status {done.returncode}."]
        return _Said(done.stdout, " ".join(lines))


def _of_doctor(text: str) -> list[Seen]:
    return [
        Seen(
            place=f"{section['title']}: {found['subject']}",
            level=_LEVELS.get(found["level"], found["level"]),
            code=found["code"],
            sentence=found["sentence"],
            hint=found["hint"],
        )
        for section in _document(text).get("sections", [])
        for found in section["findings"]
    ]


def _of_lint(text: str) -> list[Seen]:
    return [
        Seen(
            place=f"{found['file']}:{found['line']}",
            level=found["level"],
            code=found["code"],
            sentence=found["sentence"],
            hint=found["hint"],
        )
        for found in _document(text).get("findings", [])
    ]


def _document(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _next_step(diff: str, *, well: bool, online: bool) -> str:
    steps = []
    if diff:
        steps.append("`pipenv-ca fix` writes what the diff shows; then `pipenv-ca lock`.")
    elif not well:
        steps.append("Do what the hints say, errors first; `guidance` says more of each code.")
    if not online:
        steps.append("AWS and the indexes were not asked: with online=true they are.")
    return " ".join(steps) or "Nothing is to be done."
