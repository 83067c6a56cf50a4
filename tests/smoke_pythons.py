"""Install on every Python of this machine, do the main job and look a token up: a line for each.

A Python that is too old has to say so. Pythons are those on PATH, of pyenv and of uv.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from support.programs import clean_environment

from codeartifact_pipenv.sandbox.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_ROOT = Path(__file__).parent.parent
_PROJECT = _ROOT / "examples/quickstart"
_OLDEST = (3, 10)
_TOO_OLD = "codeartifact-pipenv needs Python 3.10 or newer."
_SECONDS = 300


def main() -> int:
    """Print the table; return 1 where a line of it is not as it should be."""
    place: dict[str, Any] = {"domain": "acme", "region": "eu-west-1", "repository": "team"}
    packages = [_PROJECT / "packages"]
    with (
        tempfile.TemporaryDirectory(prefix="smoke-pythons-") as name,
        Sandbox(packages, **place, base=clean_environment()) as sandbox,
        ThreadPoolExecutor(2) as pool,
    ):
        folder = Path(name)
        _run([sys.executable, "-m", "build", "--outdir", folder, _ROOT], os.environ, folder)
        env = sandbox.environ() | {"HOME": name, "PIPENV_VENV_IN_PROJECT": "1"}
        line = partial(_line, folder=folder, env=env, url=sandbox.endpoint.simple_url)
        lines = []
        for text in pool.map(line, sorted(_pythons().items())):
            print(text, flush=True)
            lines.append(text)
    return 1 if any(" FAILED" in text for text in lines) or not lines else 0


def _pythons() -> dict[tuple[int, ...], Path]:
    """Return the first Python of each version that runs."""
    entries = [Path(entry) for entry in os.environ["PATH"].split(os.pathsep) if entry]
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    uv = Path(os.environ.get("UV_PYTHON_INSTALL_DIR", Path.home() / ".local/share/uv/python"))
    folders = [*entries, *sorted(pyenv.glob("*/bin")), *sorted(uv.glob("*/bin"))]
    found: dict[tuple[int, ...], Path] = {}
    for path in (path for folder in folders for path in sorted(folder.glob("python3.*"))):
        version = re.fullmatch(r"python3\.(\d+)", path.name)
        if version is None or (3, int(version[1])) in found:
            continue
        # (A pyenv shim is there for Pythons that are not chosen, too; Debian's may lack venv.)
        asked = subprocess.run(
            [path, "-c", "import ensurepip, venv"], capture_output=True, check=False
        )
        if asked.returncode == 0:
            found[3, int(version[1])] = path
    return found


def _line(
    item: tuple[tuple[int, ...], Path], *, folder: Path, env: Mapping[str, str], url: str
) -> str:
    version, python = item
    place = folder / ".".join(map(str, version))
    start = time.monotonic()
    try:
        _run([python, "-m", "venv", place], env, folder)
        said = _main_job(place, env, url) if version >= _OLDEST else _refusal(place, env)
    except subprocess.CalledProcessError as error:
        last = (error.stdout + error.stderr).strip().rpartition("\n")[2]
        said = f"FAILED {Path(error.cmd[0]).name} {error.cmd[1]}: {last}"
    except subprocess.TimeoutExpired as error:
        said = f"FAILED {error}"
    return f"{place.name:<6}{time.monotonic() - start:4.0f} s  {said}"


def _main_job(place: Path, env: Mapping[str, str], url: str) -> str:
    bin_folder, (wheel,) = place / "bin", place.parent.glob("*.whl")
    _run([bin_folder / "python", "-m", "pip", "install", wheel], env, place)
    project = shutil.copytree(_PROJECT, place / "project")
    for words in (["lock"], ["sync"], ["run", "main"]):
        _run([bin_folder / "pipenv-ca", *words], env, project)
    _run([bin_folder / "keyring", "get", url, "aws"], env, place)  # fails without a token
    return "installs, locks, syncs, runs, keyring gets a token"


def _refusal(place: Path, env: Mapping[str, str]) -> str:
    (sdist,) = place.parent.glob("*.tar.gz")
    try:
        _run([place / "bin/python", "-m", "pip", "install", sdist], env, place)
    except subprocess.CalledProcessError as error:
        if _TOO_OLD in error.stdout + error.stderr:
            return f"refuses: {_TOO_OLD}"
    return f"FAILED pip install: not told: {_TOO_OLD}"


def _run(words: Sequence[str | Path], env: Mapping[str, str], folder: Path) -> None:
    subprocess.run(
        words, env=env, cwd=folder, capture_output=True, text=True, timeout=_SECONDS, check=True
    )


if __name__ == "__main__":
    sys.exit(main())
