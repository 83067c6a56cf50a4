"""The Windows that tests run programs on: Wine, a CPython, and this project's wheel in it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING, Any, cast

import pexpect
import pytest
from support.programs import SAID, Result

from codeartifact_pipenv.files.io import locked

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_HERE = Path(__file__).parent.parent / "windows"
_CANNOT = 77
_SECONDS = 600.0
# A blank in its path, as in "Program Files".
_ENVIRONMENT = r"C:\my tools"
# The part of PATH that Windows sets.
_BASE = r"C:\windows\system32;C:\windows"


def windows_path(path: Path | str) -> str:
    """Return a path of Linux as Windows has it."""
    return str(PureWindowsPath(f"Z:{path}"))


class Windows:
    """A Windows with pipenv-ca installed.

    Args:
        prefix: Wine's folder.
    """

    def __init__(self, prefix: Path) -> None:
        self.prefix = prefix
        self.scripts = f"{_ENVIRONMENT}\\Scripts"
        self._wine = {
            **{n: v for n, v in os.environ.items() if n in {"HOME", "LANG", "PATH", "USER"}},
            "WINEPREFIX": str(prefix),
            "WINEDEBUG": "-all",
        }

    def run(
        self, *words: str, env: Mapping[str, str], cwd: Path, encoding: str = "utf-8"
    ) -> Result:
        """Run a program of the environment to its end."""
        done = self.wine(*self._starting(words, env, cwd), capture_output=True)
        said = (each.decode(encoding, "replace") for each in (done.stdout, done.stderr))
        result = Result(done.returncode, *(each.replace("\r\n", "\n") for each in said))
        SAID.append((" ".join(words), result))
        return result

    def wine(self, *words: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
        """Run a program of this Wine."""
        null = subprocess.DEVNULL
        return subprocess.run(  # noqa: PLW1510
            words,
            **{"env": self._wine, "stdin": null, "timeout": _SECONDS, "check": False, **options},
        )

    def start(self, *words: str, env: Mapping[str, str], cwd: Path) -> pexpect.spawn[str]:
        """Start a program of the environment on a new terminal."""
        first, *others = self._starting(words, env, cwd)
        environ = cast("os._Environ[str]", {**self._wine, "TERM": "xterm"})
        return pexpect.spawn(first, others, env=environ, encoding="utf-8", timeout=_SECONDS)

    def _starting(self, words: tuple[str, ...], env: Mapping[str, str], cwd: Path) -> list[str]:
        job = cwd.parent / f"job-{os.urandom(4).hex()}.json"
        program = words[0] if "\\" in words[0] else f"{self.scripts}\\{words[0]}.exe"
        document = {"environ": env, "folder": windows_path(cwd), "words": [program, *words[1:]]}
        job.write_text(json.dumps(document), encoding="utf-8")
        start = windows_path(_HERE / "start.py")
        return ["wine", r"C:\Python\python.exe", start, windows_path(job)]

    def environ(self, linux: Mapping[str, str], home: Path) -> dict[str, str]:
        """Return the environment of a user with this home folder, and the sandbox's variables."""
        folders = {
            "USERPROFILE": home,
            "APPDATA": home / "AppData" / "Roaming",
            "LOCALAPPDATA": home / "AppData" / "Local",
            "TEMP": home / "AppData" / "Local" / "Temp",
        }
        for folder in folders.values():
            folder.mkdir(parents=True, exist_ok=True)
        kept = {n: v for n, v in linux.items() if n not in {"HOME", "LANG", "PATH", "TMPDIR"}}
        found = kept | {name: str(folder) for name, folder in folders.items()}
        found = {n: windows_path(v) if v.startswith("/") else v for n, v in found.items()}
        return found | {"TMP": found["TEMP"], "PATH": f"{self.scripts};{_BASE}"}

    def install(self, folder: Path) -> None:
        """Install the wheel of this tree, and what it needs; the wheels are put into a folder."""

        def do(*words: str) -> None:
            done = self.wine(
                *words, capture_output=True, env=None if words[0] != "wine" else self._wine
            )
            assert done.returncode == 0, (words, done)

        pip = (sys.executable, "-m", "pip")
        do(*pip, "wheel", "-q", "--no-deps", "-w", str(folder), str(_HERE.parent.parent))
        (wheel,) = map(str, folder.glob("*.whl"))
        platform = ("--platform", "win_amd64", "--python-version", "3.13", "--only-binary", ":all:")
        only_there = ("colorama", "pywin32-ctypes")  # (pip reads markers by its own system)
        do(*pip, "download", "-q", "-d", str(folder), *platform, wheel, *only_there)
        if not (self.prefix / "drive_c" / "my tools" / "Scripts" / "pip.exe").exists():
            do("wine", r"C:\Python\python.exe", "-m", "venv", _ENVIRONMENT)
        install = ("-m", "pip", "--isolated", "install", "-q", "--no-index")
        found = ("--find-links", windows_path(folder), "codeartifact-pipenv")
        python = f"{self.scripts}\\python.exe"
        do("wine", python, *install, *found)
        do("wine", python, *install, "--force-reinstall", "--no-deps", windows_path(wheel))


@contextlib.contextmanager
def windows_machine(folder: Path) -> Iterator[Windows]:
    """Set a machine up with this tree's wheel; skip where that cannot be."""
    done = subprocess.run(
        [sys.executable, str(_HERE / "set_up.py")], capture_output=True, text=True, check=False
    )
    if done.returncode == _CANNOT:
        pytest.skip(done.stderr.strip().splitlines()[-1])
    assert done.returncode == 0, done.stderr
    place = Path(done.stdout.strip())
    with locked(str(place / "lock"), seconds=None):
        windows = Windows(place / "prefix")
        # One server for the session, and Wine's own services, which would hold on to a pipe. Their
        # files are their owner's alone, as a profile's are by its access list.
        null = subprocess.DEVNULL
        for words in (["wineserver", "-p"], ["wine", "cmd", "/c", "exit"]):
            windows.wine(*words, stdout=null, stderr=null, check=True, umask=0o077)
        try:
            windows.install(folder)
            yield windows
        finally:
            windows.wine("wineserver", "-k")
