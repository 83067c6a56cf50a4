"""A command leaves the same files as bare pipenv with an exported token, in every kind of project."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from support.programs import PIPENV_CA, run
from support.projects import source
from support.runs import get_token

from codeartifact_pipenv.files.io import load_toml_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from support.clients import Clients

    from codeartifact_pipenv.sandbox.sandbox import Sandbox

# (Bare pipenv says the token's URL aloud, and leaves it in files.)
pytestmark = pytest.mark.shows_token("output", "files")
OLDEST, OTHERS = "2023.12.1", ("2024.4.1", "2025.1.3")
SETUP = """\
from setuptools import setup
setup(name="its-own", version="1.0", py_modules=[], install_requires=["orb-common"])
"""


class Play(NamedTuple):
    """A project and pipenv's commands in it, or in a folder below it."""

    commands: tuple[str, ...]
    prepare: Callable[[Path], object] = lambda _: None
    packages: str = 'orb-common = "*"\n'
    environ: Mapping[str, str] = {}
    below: str = "."
    end: str = ""


def rename(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / "Pipfile").rename(folder / name)


def write(name: str, text: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_text(text, newline="")


def crlf(folder: Path) -> None:
    text = (folder / "Pipfile").read_text()
    (folder / "Pipfile").write_text(text, newline="\r\n")
    lock = {"_meta": {"hash": {"sha256": "0"}, "pipfile-spec": 6, "requires": {}, "sources": []}}
    lock |= {"default": {}, "develop": {}}
    (folder / "Pipfile.lock").write_text(json.dumps(lock, indent=4), newline="\r\n")


def link(folder: Path) -> None:
    place = folder.parent / "of the team"
    place.mkdir(exist_ok=True)
    (folder / "Pipfile").replace(place / "Pipfile")
    (folder / "Pipfile").symlink_to(place / "Pipfile")


def named_in_dotenv(folder: Path) -> None:
    rename("other")(folder)
    write(".env", "A=1\nPIPENV_PIPFILE=other\n# comment\nB='x\ny'\n")(folder)
    write("Pipfile", "[packages]\n")(folder)


OUTSIDE = {"PIPENV_VENV_IN_PROJECT": ""}
INSTALL = ("install six",)
SETTINGS = '\n[docs]\norb-common = "*"\n\n[pipenv]\nsort_pipfile = true\nallow_prereleases = true\n'
USE_PYLOCK = "\n[pipenv]\nuse_pylock = true\n"
PYLOCK = ("lock", "pylock --generate -o pylock.dev.toml")
PLAYS = {
    "plain": Play(("lock", "install six", "uninstall six", "sync", "update"), environ=OUTSIDE),
    "in the project": Play(("install", "upgrade orb-common", "install --skip-lock")),
    "subdirectory": Play(INSTALL, environ=OUTSIDE, below="sub folder"),
    "its own package": Play(("install -e .",), write("setup.py", SETUP), "", OUTSIDE),
    "categories and settings": Play(("install --categories docs six",), end=SETTINGS),
    "line ends": Play(INSTALL, crlf),
    "own name": Play(INSTALL, rename("pip file"), environ={"PIPENV_PIPFILE": "pip file"}),
    "named in .env": Play(INSTALL, named_in_dotenv, environ=OUTSIDE),
    **{
        f"{name!r} in .env": Play(
            ("install",), write(".env", f"PIPENV_CUSTOM_VENV_NAME={name}\n"), environ=OUTSIDE
        )
        for name in ("another", "")
    },
    "named environment": Play(("install",), environ=OUTSIDE | {"PIPENV_CUSTOM_VENV_NAME": "my"}),
    "link": Play(INSTALL, link, environ=OUTSIDE),
    "corrupt lock": Play(("sync",), write("Pipfile.lock", "{bad")),
    "corrupt lock, locked": Play(("lock",), write("Pipfile.lock", "{bad")),
    "no such package": Play(("lock",), packages='orb-no-such-package = "*"\n'),
    # Of the newest pipenv.
    "pylock": Play(PYLOCK, end=USE_PYLOCK),
    "named pylock": Play(("lock",), end=f'{USE_PYLOCK}pylock_name = "dev"\n'),
    "pylock below": Play(PYLOCK, below="sub folder"),
}
WHERE_VERSIONS_DIFFER = ("plain", "link", "named in .env", "'another' in .env", "corrupt lock")
WITH_THE_OLDEST = ("plain", "named in .env", "corrupt lock")


class Stage:
    """Where a play is played, again and again."""

    def __init__(
        self, sandbox: Sandbox, env: Mapping[str, str], folder: Path, pipenv: Path
    ) -> None:
        self._sandbox = sandbox
        self._folder = folder
        self.pipenv = pipenv
        token = get_token(sandbox, dict(env), folder.parent)
        self._env = dict(env) | {"CODEARTIFACT_AUTH_TOKEN": token, "COLUMNS": "500"}

    def play(self, play: Play, program: str) -> dict[str, Any]:
        """Play it from its beginning, and return what is there after each command."""
        envs = Path(self._env["HOME"]) / "environments"
        for place in (self._folder, envs):
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir()
        packages = f"[packages]\n{play.packages}{play.end}"
        text = f"# The team's.\n{source(self._sandbox.endpoint)}\n{packages}"
        (self._folder / "Pipfile").write_text(text)
        (self._folder / play.below).mkdir(exist_ok=True)
        play.prepare(self._folder)
        env = {**self._env, "WORKON_HOME": str(envs), **play.environ}
        if program == PIPENV_CA:
            env["PIPENV_CA_PIPENV"] = str(self.pipenv)
        found: dict[str, Any] = {}
        for command in play.commands:
            done = run(program, *command.split(), env=env, cwd=self._folder / play.below)
            found[f"{command}: status"] = done.status
            found[f"{command}: says"] = set(map(_plain, done.output.splitlines())) - {""}
            for name, data in self._files().items():
                found[f"{command}: {name}"] = data
        where = run(self.pipenv, "--venv", env=env, cwd=self._folder / play.below).stdout.strip()
        found["environment"] = where
        found["environments"] = sorted(path.name for path in envs.iterdir())
        project = Path(where, ".project")
        found[".project"] = project.read_text() if where and project.exists() else None
        return found

    def _files(self) -> dict[str, object]:
        found: dict[str, object] = {}
        places = [self._folder, self._folder.parent / "of the team"]
        for path in [path for place in places if place.exists() for path in place.iterdir()]:
            if path.is_dir() or path.suffix == ".egg-info":
                continue
            data = path.read_bytes()
            name = f"{path.parent.name}/{path.name}"
            found[name] = _content(path.name, data)
            found[f"{name}, kind"] = path.is_symlink(), oct(path.stat().st_mode), b"\r\n" in data
        return found


def _content(name: str, data: bytes) -> object:
    """Return what a file says; pipenv moves comments about, and adds empty tables."""
    if name.startswith(".env") or name.endswith(".py"):
        return data
    try:
        if name.endswith((".lock", ".bak")):
            return json.loads(data)
        data = re.sub(rb"generation_date = .*", b"", data)
        return {key: value for key, value in load_toml_bytes(data).items() if value}
    except ValueError:
        return data


# Paths, times and sizes, which differ from run to run.
_PASSING = re.compile(
    r"^(Pipfile: .*|.*\b\d+ms|.*(Downloading|Looking in|Using cached|Collecting|Traceback|  File).*|"
    r"Courtesy Notice.*|.*Building (wheel|editable).*|.*(error|hint|warning): .*|  .*)$"
)


def _plain(line: str) -> str:
    """Return a line without the names of copies; nothing where it differs from run to run."""
    line = re.sub(r"\.(Pipfile|pip file|other)\.pipenv-ca-[0-9a-f]{12}", r"\1", line)
    line = re.sub(r"\([0-9a-f]{6,64}\)", "", line)  # the hash of the copy, which leads elsewhere
    return "" if _PASSING.match(line) else line.strip()


@pytest.fixture
def stage(
    request: pytest.FixtureRequest,
    sandbox: Sandbox,
    sandbox_env: dict[str, str],
    clients: Clients,
    tmp_path: Path,
) -> Stage:
    folder = tmp_path / "my pröject [1]"
    return Stage(sandbox, sandbox_env, folder, clients.pipenv(request.param))


def cases() -> list[Any]:
    """Return the plays for the newest pipenv and the oldest in CI, and for others at a release."""
    older = [(name, version) for version in (OLDEST, *OTHERS) for name in WHERE_VERSIONS_DIFFER]
    is_wide = {(name, OLDEST) for name in WITH_THE_OLDEST}
    wide, matrix = pytest.mark.wide, pytest.mark.matrix
    return [
        *(pytest.param(name, "newest", marks=wide) for name in PLAYS),
        *(pytest.param(*case, marks=wide if case in is_wide else matrix) for case in older),
    ]


@pytest.mark.parametrize(("name", "stage"), cases(), indirect=["stage"])
def test_files_environment_and_exit_status_are_those_of_bare_pipenv(
    name: str, stage: Stage
) -> None:
    bare, ours = (stage.play(PLAYS[name], str(program)) for program in (stage.pipenv, PIPENV_CA))
    differing = {key: (ours.get(key), bare.get(key)) for key in {**bare, **ours}}
    assert {key: both for key, both in differing.items() if both[0] != both[1]} == {}
