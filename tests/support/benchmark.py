"""Environments of the benchmark as users have them, and timing."""

from __future__ import annotations

import os
import subprocess
import time
import venv
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parent.parent.parent
SCRIPTS = "Scripts" if os.name == "nt" else "bin"
_THIRTY = """
attrs blinker certifi charset-normalizer click colorama decorator distlib docutils filelock idna
iniconfig itsdangerous jinja2 jmespath markupsafe more-itertools mypy-extensions packaging pathspec
platformdirs pluggy pyasn1 pygments pyparsing pytz six sortedcontainers tomlkit zipp
"""
THIRTY = "".join(f'{name} = "*"\n' for name in _THIRTY.split())


def as_users_have_it() -> dict[str, str]:
    """Return this environment without what changes how programs start."""
    dropped = ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "PYTHON_KEYRING_BACKEND", "VIRTUAL_ENV")
    return {
        name: value
        for name, value in os.environ.items()
        if name not in dropped and not name.startswith("PIPENV_CA_")
    }


def install(folder: Path, requirement: str) -> Path:
    """Install a package into a new virtual environment; return the folder of its scripts."""
    venv.create(folder, with_pip=True)
    words = [str(folder / SCRIPTS / "python"), "-m", "pip", "install", "-q", requirement]
    subprocess.run(words, check=True, env=as_users_have_it())
    return folder / SCRIPTS


def timed(words: list[str], environ: Mapping[str, str], folder: Path, status: int = 0) -> float:
    """Run a command; return the seconds that it took.

    Raises:
        subprocess.CalledProcessError: it ended with another exit status.
    """
    start = time.perf_counter()
    done = subprocess.run(words, env=dict(environ), cwd=folder, check=False, capture_output=True)
    took = time.perf_counter() - start
    if done.returncode != status:
        raise subprocess.CalledProcessError(done.returncode, words, done.stdout, done.stderr)
    return took
