"""Clients in separate environments, and checks for each that asks keyring."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from support.programs import PIPENV, SCRIPTS, Result, run
from support.projects import make_private_packages, source, write_pipfile
from support.runs import Calls, get_token
from support.traces import CommandLines, assert_no_secrets, assert_not_shown

from codeartifact_pipenv.files.io import locked
from codeartifact_pipenv.sandbox.hosts import endpoint_for
from codeartifact_pipenv.sandbox.wheels import make_sdist, make_wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from codeartifact_pipenv.sandbox.sandbox import Sandbox

UV = str(SCRIPTS / "uv")
OURS = "codeartifact-pipenv"
_ROOT = Path(__file__).parent.parent.parent


class Place(NamedTuple):
    """A virtual environment in a folder."""

    folder: Path

    @property
    def bin(self) -> Path:
        return self.folder / "bin"

    @property
    def python(self) -> Path:
        return self.bin / "python"

    def version(self, name: str) -> str:
        """Return the version of a distribution in it; an empty text if it is not installed."""
        found = self.folder.glob(f"lib/python*/site-packages/{name}-*.dist-info")
        return ", ".join(path.name[len(name) + 1 : -len(".dist-info")] for path in found)


def make_program(folder: Path, name: str) -> Path:
    """Make a wheel with a program of the same name, which prints that orbs are well."""
    module = name.replace("-", "_")
    points = f"{module}-1.0.dist-info/entry_points.txt"
    modules = {
        f"{module}.py": 'def main():\n    print("orbs are well")\n',
        points: f"[console_scripts]\n{name} = {module}:main\n",
    }
    return make_wheel(folder, name, "1.0", modules=modules)


def make_client_packages(folder: Path) -> list[Path]:
    """Make the private packages, a program, and sdists that need a private package to build."""
    builder = make_wheel(folder, "orb-builder", "1.0")
    sdists = {"orb-source": "3.0", "orb-tool": "1.0"}
    return [
        *make_private_packages(folder),
        builder,
        make_program(folder, "orb-tool"),
        *(make_sdist(folder, *each, build_requires=["orb-builder"]) for each in sdists.items()),
    ]


_APPLICATION = """\
[project]
name = "{name}"
version = "1.0"
description = "An application."
requires-python = ">=3.10"
dependencies = ["orb-schema-generator==1.0.1"]

[[tool.uv.index]]
url = "{url}"
default = true
authenticate = "{authenticate}"

[[tool.poetry.source]]
name = "in-house"
url = "{url}"

[[tool.pdm.source]]
name = "pypi"
url = "{url}"

[tool.hatch.envs.pip]
path = ".venv"
skip-install = true
dependencies = ["orb-schema-generator==1.0.1"]

[tool.hatch.envs.uv]
template = "pip"
installer = "uv"
"""


def write_application(drive: Drive, name: str, url: str) -> None:
    """Write a project that every client can use: its files, and what is built of it."""
    authenticate = "auto" if "@" in url else "always"
    text = _APPLICATION.format(name=name, url=url, authenticate=authenticate)
    drive.write("pyproject.toml", text)
    packages = '[packages]\norb-schema-generator = "==1.0.1"\n'
    write_pipfile(drive.folder, source(drive.endpoint, userinfo="aws@"), packages)
    for make in (make_wheel, make_sdist):
        make(drive.folder / "dist", name, "1.0")


class Clients:
    """Environments with clients, each made once a session for all of its workers.

    Args:
        folder: where they are, the same for all workers.
        base: the environment to install with, outside of any sandbox.
    """

    def __init__(self, folder: Path, base: Mapping[str, str]) -> None:
        folder.mkdir(exist_ok=True)
        self._folder = folder
        self._env = {**base, **_machine_index(base), "UV_CACHE_DIR": str(folder / "uv-cache")}

    def __call__(self, *requirements: str) -> Place:
        """Return an environment with some requirements; ``OURS`` stands for this package."""
        place = Place(self._folder / re.sub(r"[^\w.=+-]", "_", "+".join(requirements)))
        with self._once(place.folder.name) as wanted:
            if wanted:
                self.make_venv(place.folder, *requirements)
        return place

    def pipenv(self, version: str) -> Path:
        """Return the pipenv of a version; ``newest`` is the one of this environment."""
        if version == "newest":
            return Path(PIPENV)
        return self(f"pipenv=={version}", "setuptools<81").bin / "pipenv"

    def make_venv(self, folder: Path, *requirements: str, python: str = sys.executable) -> Place:
        """Make a virtual environment with some requirements, and without even a pip."""
        place = Place(folder)
        self._uv("venv", "--python", python, str(folder))
        if requirements:
            self.install(place, *requirements)
        return place

    def install(self, place: Place, *words: str) -> None:
        """Install requirements into an environment; options of ``uv pip install`` may be among them."""
        wanted = [str(self.wheel) if word == OURS else word for word in words]
        self._uv("pip", "install", "--python", str(place.python), *wanted)

    def interpreter(self, version: str) -> str | None:
        """Return the path of a Python such as 3.13, if there is one on this machine."""
        words = ("python", "find", "--no-python-downloads", "--system", version)
        found = run(UV, *words, env=self._env, cwd=self._folder)
        return None if found.status else found.stdout.strip()

    @property
    def wheel(self) -> Path:
        """This package, as its users install it."""
        folder = self._folder / "wheel"
        with self._once("wheel") as wanted:
            if wanted:
                self._uv("build", "--wheel", "--out-dir", str(folder), str(_ROOT))
        (path,) = folder.glob("*.whl")
        return path

    def offer_ours(self, env: dict[str, str]) -> None:
        """Change an environment so that installers find this package, as if on their index."""
        folder = str(self.wheel.parent)
        env |= {"PIP_FIND_LINKS": folder, "UV_FIND_LINKS": folder}
        env["UV_CACHE_DIR"] = self._env["UV_CACHE_DIR"]
        # (Not by a variable, which is stronger than what a project says.)
        if "UV_DEFAULT_INDEX" in self._env:
            settings = Path(env["HOME"]) / ".config" / "uv" / "uv.toml"
            settings.parent.mkdir(parents=True)
            index = f'[[index]]\nurl = "{self._env["UV_DEFAULT_INDEX"]}"\ndefault = true\n'
            settings.write_text(index, encoding="utf-8")
            env["PIP_INDEX_URL"] = self._env["UV_DEFAULT_INDEX"]

    def _uv(self, *words: str) -> None:
        done = run(UV, *words, "--quiet", env=self._env, cwd=self._folder)
        assert done.status == 0, done.output

    @contextlib.contextmanager
    def _once(self, name: str) -> Iterator[bool]:
        made = self._folder / f"{name}.made"
        with locked(f"{made}.lock", seconds=None):
            yield not made.exists()
            made.touch()


def _machine_index(base: Mapping[str, str]) -> dict[str, str]:
    """Return what tells uv of the index that pip is configured for; nothing for the usual one."""
    if "UV_DEFAULT_INDEX" in os.environ:
        return {"UV_DEFAULT_INDEX": os.environ["UV_DEFAULT_INDEX"]}
    asked = run(sys.executable, "-m", "pip", "config", "list", env=base, cwd=_ROOT)
    found = re.search(r"^(?::env:|global)\.index-url='(.+)'$", asked.stdout, re.MULTILINE)
    return {} if found is None else {"UV_DEFAULT_INDEX": found[1]}


@dataclass
class Drive:
    """A folder and an environment in which a client has AWS credentials only.

    Attributes:
        sandbox: the repositories.
        env: the environment; our keyring is not on PATH.
        folder: the current folder.
        record: pytest's ``record_property``.
        host: the kind of the repository's host.
        results: of the programs whose output is checked for the token.
    """

    sandbox: Sandbox
    env: dict[str, str]
    folder: Path
    record: Callable[[str, object], None]
    host: str = "ipv4"
    results: list[Result] = field(default_factory=list)

    def __post_init__(self) -> None:
        domain, repository = self.sandbox.endpoint[:2]
        self.endpoint = endpoint_for(domain, str(repository), self.host)
        self.url = self.endpoint.simple_url
        self.aws_url = self.url.replace("https://", "https://aws@")

    @contextlib.contextmanager
    def checked(self, *row: str) -> Iterator[None]:
        """Check that a client asks AWS for one token, which is in no output, file or argument.

        Args:
            row: of the table: the client, its version, the way, what is done.
        """
        self.record("client", row)
        calls = Calls(self.sandbox)
        with CommandLines(pause=0.02) as lines:
            yield
        assert calls.count() == 1
        token = get_token(self.sandbox, self.env, self.folder)
        assert calls.count() == 1, "the token that the client had is not in the cache"
        assert lines.holding(token) == set()
        for result in self.results:
            assert_not_shown(token, result)
        folders = (self.folder, Path(self.env["HOME"]), Path(self.env["TMPDIR"]))
        assert_no_secrets(token, *folders)

    def path(self, *places: Place) -> None:
        """Put the programs of some places first on PATH."""
        bins = [str(place.bin) for place in places]
        self.env["PATH"] = os.pathsep.join([*bins, self.env["PATH"]])

    def write(self, name: str, text: str) -> None:
        """Write a file of the project."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def run(self, *words: str | Path, stdin: str | None = None) -> Result:
        """Run a client, which must succeed, and whose output is checked for the token."""
        done = self.ask(*words, stdin=stdin)
        self.results.append(done)
        assert done.status == 0, done.output[-6000:]
        return done

    def ask(self, program: str | Path, *words: str | Path, stdin: str | None = None) -> Result:
        """Run a program whose output may be the token."""
        # Otherwise, a name is looked up on this process's PATH.
        found = shutil.which(program, path=self.env["PATH"])
        assert found is not None, program
        return run(found, *words, env=self.env, cwd=self.folder, stdin=stdin)

    def lead_into_the_sandbox(self) -> None:
        """Connect programs in Python that ignore proxies, as a network's names would."""
        folder = Path(self.env["TMPDIR"]) / "tunnel"
        folder.mkdir()
        (folder / "sitecustomize.py").write_text(_TUNNEL, encoding="utf-8")
        self.env["PYTHONPATH"] = str(folder)


_TUNNEL = """\
import http.client, os, socket
from urllib.parse import urlsplit

connect = socket.create_connection


def tunnel(address, *rest, **more):
    if not str(address[0]).endswith((".amazonaws.com", ".on.aws")):
        return connect(address, *rest, **more)
    proxy = http.client.HTTPConnection(urlsplit(os.environ["HTTPS_PROXY"]).netloc)
    proxy.set_tunnel(*address)
    proxy.connect()
    return proxy.sock


socket.create_connection = tunnel
"""


def client_environment(
    sandbox: Sandbox, base: Mapping[str, str], token_cache: Path
) -> dict[str, str]:
    """Return an environment for clients, with caches below home and without our keyring."""
    hidden = ("PIP_", "PIPENV_CACHE_DIR", "VIRTUALENV_", "PYTHONDONTWRITEBYTECODE")
    kept = {name: value for name, value in base.items() if not name.startswith(hidden)}
    return sandbox.environ(kept) | {
        "PATH": path_without_ours(base["PATH"]),
        "PIPENV_CA_CACHE_DIR": str(token_cache),
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "UV_PYTHON_DOWNLOADS": "never",
    }


def path_without_ours(path: str) -> str:
    """Return a PATH without the environment of these tests, which has our keyring."""
    ours = SCRIPTS.resolve()
    return os.pathsep.join(f for f in path.split(os.pathsep) if Path(f).resolve() != ours)
