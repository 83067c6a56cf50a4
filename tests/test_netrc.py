"""Commands work although Python cannot read each line of the user's netrc."""

from __future__ import annotations

import json
import os
import shutil
import stat
from typing import TYPE_CHECKING

import pytest
from support.programs import PIPENV_CA, run
from support.projects import PYPI_SOURCE, source, write_pipfile
from support.runs import StandIn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from support.clients import Clients

    from codeartifact_pipenv.sandbox.sandbox import Sandbox

PACKAGES = '[packages]\norb-common = "*"\n'
MINE = "machine mine.example login me password mine\n"
# The content of each file and the line that a warning names, or 0.
NETRCS = {
    "protocol": (f"{MINE}machine git.example\n  login a\n  protocol https\n  password b\n", 0),
    "comment": (f"#my own hosts\n{MINE}", 0),
    "quote": (f'{MINE}machine git.example login a password "b\n', 2),
    "macro": (f"{MINE}macdef init\ncd /x\nmachine git.example login a password b\n", 2),
    "no name": (f"{MINE}machine", 2),
    "not UTF-8": (f"{MINE}machine git.example login caf\udce9 password b\n", 2),
    "folder": ("", 0),
    "FIFO": ("", 0),
}
DIRECT = (
    ["sync"],
    ["install", "--deploy"],
    ["install", "--ignore-pipfile"],
    ["--ca-route", "as-written", "lock"],
    ["run", "pip", "install", "--force-reinstall", "orb-common"],
)
# One file is tried with each command; the others with one command.
CASES = [
    *((name, "newest", DIRECT[:1]) for name in NETRCS if name != "quote"),
    ("quote", "newest", DIRECT),
    ("quote", "2023.12.1", (DIRECT[0], DIRECT[-1])),
]


def write_netrc(home: Path, name: str) -> Path:
    """Write a netrc into a home."""
    path = home / ".netrc"
    if name == "folder":
        path.mkdir()
    elif name == "FIFO":
        os.mkfifo(path)
    else:
        path.write_bytes(os.fsencode(NETRCS[name][0]))
        path.chmod(0o600)
    return path


@pytest.fixture(scope="module")
def lock(
    sandbox: Sandbox, clean_base: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Return the lock file of a project whose only source is CodeArtifact."""
    folder = tmp_path_factory.mktemp("locked")
    write_pipfile(folder, source(sandbox.endpoint), PACKAGES)
    env = sandbox.environ(clean_base) | {"HOME": str(folder), "PIPENV_VENV_IN_PROJECT": "1"}
    done = run(PIPENV_CA, "lock", env=env, cwd=folder)
    assert done.status == 0, done.output
    return folder / "Pipfile.lock"


@pytest.fixture
def locked(sandbox: Sandbox, lock: Path, project: Path) -> Path:
    """Return a locked project whose only source is CodeArtifact."""
    write_pipfile(project, source(sandbox.endpoint), PACKAGES)
    shutil.copy(lock, project)
    return project


@pytest.mark.wide
@pytest.mark.parametrize(("name", "version", "commands"), CASES)
def test_direct_commands_work_with_any_netrc(
    sandbox_env: dict[str, str],
    locked: Path,
    home: Path,
    clients: Clients,
    name: str,
    version: str,
    commands: Sequence[list[str]],
) -> None:
    """A warning names a line that Python cannot read."""
    path = write_netrc(home, name)
    pipenv = clients.pipenv(version)
    env = sandbox_env | {"PIPENV_CA_PIPENV": str(pipenv)}
    for words in commands:
        done = run(PIPENV_CA, *words, env=env, cwd=locked)
        assert done.status == 0, (words, done.output)
        line = NETRCS[name][1]
        assert done.stderr.count(f"{path}, line {line}: ") == (1 if line else 0), done.stderr
    assert path.exists()


@pytest.mark.wide
@pytest.mark.parametrize("name", ["FIFO", "quote"])
def test_the_proxy_index_works_with_any_netrc(
    sandbox: Sandbox, sandbox_env: dict[str, str], project: Path, home: Path, name: str
) -> None:
    """It does not wait for a FIFO, and both sources answer."""
    write_pipfile(project, PYPI_SOURCE, source(sandbox.endpoint), f'{PACKAGES}six = "*"\n')
    write_netrc(home, name)
    for words in (["lock"], ["run", "pip", "install", "orb-common", "six"]):
        done = run(PIPENV_CA, *words, env=sandbox_env, cwd=project, timeout=240)
        assert done.status == 0, done.output
        assert "did not answer" not in done.stderr
    locked = json.loads((project / "Pipfile.lock").read_text())["default"]
    assert {name: entry["index"] for name, entry in locked.items()} == {
        "orb-common": "codeartifact",
        "six": "pypi",
    }


def given_netrc(env: Mapping[str, str], project: Path, folder: Path) -> tuple[str, int, str]:
    """Return the text, mode and path of the netrc that pipenv gets for ``sync``."""
    behaviour = (
        "path = os.environ.get('NETRC')\n"
        "record['netrc'] = [open(path).read(), os.stat(path).st_mode, path] if path else None"
    )
    stand_in = StandIn(folder, behaviour)
    done = run(PIPENV_CA, "sync", env={**env, "PIPENV_CA_PIPENV": str(stand_in.path)}, cwd=project)
    assert done.status == 0, done.output
    text, mode, path = stand_in.record["netrc"] or ("", 0, "")
    return text, mode, path


@pytest.fixture
def direct(sandbox: Sandbox, project: Path) -> Path:
    """Return a project in which ``sync`` runs directly."""
    write_pipfile(project, source(sandbox.endpoint), PACKAGES)
    (project / "Pipfile.lock").write_text(json.dumps({"_meta": {}, "default": {}, "develop": {}}))
    return project


@pytest.mark.parametrize("where", ["home", "NETRC", "none"])
def test_pipenv_gets_a_private_copy_of_the_readable_netrc_lines(
    sandbox_env: dict[str, str], direct: Path, home: Path, tmp_path: Path, where: str
) -> None:
    """The copy is removed at the end."""
    env = dict(sandbox_env)
    path = write_netrc(home, "protocol")
    if where != "home":
        path = path.rename(tmp_path / "mine")
    if where == "NETRC":
        env["NETRC"] = str(path)
        (home / ".netrc").write_text("machine other.example login a password b\n")
    text, mode, given = given_netrc(env, direct, tmp_path / "stand-in")
    if where == "none":
        assert given == ""
        return
    assert text == f"{MINE}machine git.example login a password b\n"
    assert stat.S_IMODE(mode) == 0o600
    assert given != str(path)
    assert not os.path.lexists(given)
