"""Running real programs, in an environment without the settings of whoever runs the tests."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

SCRIPTS = Path(sys.executable).parent
PIPENV_CA = str(SCRIPTS / "pipenv-ca")
PIPENV = str(SCRIPTS / "pipenv")

_FOREIGN = (
    "AWS_",
    "CODEARTIFACT_",
    "COLUMNS",  # of whoever runs the tests
    "KEYRING_",
    "PIP_FIND_LINKS",
    "PIPENV_",
    "PYTHONDONTWRITEBYTECODE",  # it has every program compile the checkout again at each start
    "PYTHON_KEYRING",
    "UV_",
    "VIRTUAL_ENV",
    "XDG_",
)
# What says how this machine reaches the public index stays; what changes behaviour goes.
_KEPT_AWS = ("AWS_CA_BUNDLE",)


class Result(NamedTuple):
    """What a program did, as its user sees it."""

    status: int
    stdout: str
    stderr: str

    @property
    def output(self) -> str:
        return self.stdout + self.stderr


# What programs were started by a test, and what they said: for the scanner of leaks.
SAID: list[tuple[str, Result]] = []


def clean_environment() -> dict[str, str]:
    """Return this process's environment without anybody's settings."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(_FOREIGN) or name in _KEPT_AWS
    }


def run(
    *words: str | Path,
    env: Mapping[str, str],
    cwd: Path,
    timeout: float = 300,
    stdin: str | None = None,
) -> Result:
    """Run a program to its end; its output is text."""
    done = subprocess.run(
        [str(word) for word in words],
        env=dict(env),
        cwd=cwd,
        timeout=timeout,
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        text=True,
        check=False,
    )
    result = Result(done.returncode, done.stdout, done.stderr)
    SAID.append((" ".join(map(str, words)), result))
    return result
