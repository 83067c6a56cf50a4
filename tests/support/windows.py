"""The Windows that tests run programs on: Wine, a CPython, and this project's wheel in it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING, cast

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
# What Windows itself sets; the rest of a test's environment is the test's.
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
        self,
        *words: str,
        env: Mapping[str, str],
        cwd: Path,
        timeout: float = _SECONDS,
        encoding: str = "utf-8",
    ) -> Result:
        """Run a program of the environment to its end."""
        status, *said = self._wine_run(self._starting(words, env, cwd), timeout)
        out, err = (each.decode(encoding, "replace").replace("\r\n", "\n") for each in said)
        result = Result(status, out, err)
        SAID.append((" ".join(words), result))
        return result

    def start(self, *words: str, env: Mapping[str, str], cwd: Path) -> pexpect.spawn[str]:
        """Start a program of the environment on a terminal of its own."""
        first, *others = self._starting(words, env, cwd)
        environ = cast("os._Environ[str]", {**self._wine, "TERM": "xterm"})
        return pexpect.spawn(first, others, env=environ, encoding="utf-8", timeout=_SECONDS)

    def _wine_run(self, words: list[str], timeout: float) -> tuple[int, bytes, bytes]:
        done = subprocess.run(
            words,
            env=self._wine,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    def _starting(self, words: tuple[str, ...], env: Mapping[str, str], cwd: Path) -> list[str]:
        job = cwd.parent / f"job-{os.urandom(4).hex()}.json"
        program = words[0] if "\\" in words[0] else f"{self.scripts}\\{words[0]}.exe"
        document = {
            "environ": env,
            "folder": windows_path(cwd),
            "words": [program, *words[1:]],
        }
        job.write_text(json.dumps(document), encoding="utf-8")
        return [
            "wine",
            r"C:\Python\python.exe",
            windows_path(_HERE / "start.py"),
            windows_path(job),
        ]

    def environ(self, linux: Mapping[str, str], home: Path) -> dict[str, str]:
        """Return a user's environment.

        Args:
            linux: the variables of the sandbox, with its paths.
            home: the folder of the user's profile.
        """
        folders = {
            "USERPROFILE": home,
            "APPDATA": home / "AppData" / "Roaming",
            "LOCALAPPDATA": home / "AppData" / "Local",
            "TEMP": home / "AppData" / "Local" / "Temp",
        }
        for folder in folders.values():
            folder.mkdir(parents=True, exist_ok=True)
        kept = {n: v for n, v in linux.items() if n not in {"HOME", "LANG", "PATH", "TMPDIR"}}
        found = {**kept, **{name: str(folder) for name, folder in folders.items()}}
        found = {n: windows_path(v) if v.startswith("/") else v for n, v in found.items()}
        return {**found, "TMP": found["TEMP"], "PATH": f"{self.scripts};{_BASE}"}

    def install(self, folder: Path) -> None:
        """Install the wheel of this tree, and what it needs.

        Args:
            folder: where the wheels are put.
        """
        pip = [sys.executable, "-m", "pip"]
        self._check([*pip, "wheel", "-q", "--no-deps", "-w", str(folder), str(_HERE.parent.parent)])
        (wheel,) = map(str, folder.glob("*.whl"))
        platform = ["--platform", "win_amd64", "--python-version", "3.13", "--only-binary", ":all:"]
        only_there = ["colorama", "pywin32-ctypes"]  # (pip reads markers by its own system)
        self._check([*pip, "download", "-q", "-d", str(folder), *platform, wheel, *only_there])
        python = f"{_ENVIRONMENT}\\Scripts\\python.exe"
        if not (self.prefix / "drive_c" / "my tools" / "Scripts" / "pip.exe").exists():
            self._check(["wine", r"C:\Python\python.exe", "-m", "venv", _ENVIRONMENT])
        install = ["wine", python, "-m", "pip", "--isolated", "install", "-q", "--no-index"]
        found = ["--find-links", windows_path(folder)]
        self._check([*install, *found, "codeartifact-pipenv"])
        self._check([*install, "--force-reinstall", "--no-deps", windows_path(wheel)])

    def _check(self, words: list[str]) -> None:
        if words[0] == "wine":
            status, out, err = self._wine_run(words, _SECONDS)
        else:
            done = subprocess.run(words, capture_output=True, check=False)
            status, out, err = done.returncode, done.stdout, done.stderr
        assert status == 0, (words, out, err)


@contextlib.contextmanager
def windows_machine(folder: Path) -> Iterator[Windows]:
    """Set it up where it is not yet, and install this tree's wheel; skip where that cannot be.

    Args:
        folder: for the wheels.
    """
    done = subprocess.run(
        [sys.executable, str(_HERE / "set_up.py")], capture_output=True, text=True, check=False
    )
    if done.returncode == _CANNOT:
        pytest.skip(done.stderr.strip().splitlines()[-1])
    assert done.returncode == 0, done.stderr
    place = Path(done.stdout.strip())
    with locked(str(place / "lock"), seconds=None):
        windows = Windows(place / "prefix")
        null = subprocess.DEVNULL
        # One server for the session, and Wine's own services, which would hold on to a pipe.
        for words in (["wineserver", "-p"], ["wine", "cmd", "/c", "exit"]):
            # (Its files are their owner's alone, as a profile's are by its access list.)
            subprocess.run(
                words,
                env=windows._wine,
                stdin=null,
                stdout=null,
                stderr=null,
                check=True,
                umask=0o077,
            )
        try:
            windows.install(folder)
            yield windows
        finally:
            subprocess.run(["wineserver", "-k"], env=windows._wine, check=False)
