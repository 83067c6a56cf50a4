"""Commands work although Python cannot read each line of the user's netrc."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest
from support.projects import PYPI_SOURCE, source
from support.runs import StandIn
from support.users import Workspace

if TYPE_CHECKING:
    from pathlib import Path

    from support.clients import Clients

    from codeartifact_pipenv.sandbox.sandbox import Sandbox

MINE = "machine mine.example login me password mine\n"
NETRCS = {
    "protocol": f"{MINE}machine git.example\n  login a\n  protocol https\n  password b\n",
    "quote": f'{MINE}machine git.example login a password "b\n',
}
PIP = "run pip install --force-reinstall orb-common"
DIRECT = ("sync", "install --deploy", "install --ignore-pipfile", "--ca-route as-written lock", PIP)


@pytest.fixture
def work(sandbox: Sandbox, sandbox_env: dict[str, str], project: Path) -> Workspace:
    workspace = Workspace(sandbox, sandbox_env, project)
    workspace.pipfile('orb-common = "*"')
    return workspace


def write_netrc(home: Path, name: str) -> Path:
    """Write a netrc into a home."""
    path = home / ".netrc"
    if name == "FIFO":
        os.mkfifo(path)
    else:
        path.write_text(NETRCS[name])
        path.chmod(0o600)
    return path


@pytest.mark.wide
@pytest.mark.parametrize(
    ("name", "version", "commands"),
    [
        ("FIFO", "newest", ["sync"]),
        ("quote", "newest", DIRECT),
        ("quote", "2023.12.1", ["sync", PIP]),
    ],
)
def test_commands_work_with_any_netrc_and_warn_of_unreadable_lines(
    name: str, version: str, commands: list[str], work: Workspace, home: Path, clients: Clients
) -> None:
    path = write_netrc(home, name)
    work.env["PIPENV_CA_PIPENV"] = str(clients.pipenv(version))
    for words in ("lock", *commands):
        done = work.run(*words.split())
        assert done.status == 0, (words, done.output)
        assert done.stderr.count(f"{path}, line 2: ") == (name == "quote"), done.stderr


@pytest.mark.wide
@pytest.mark.parametrize("name", ["FIFO", "quote"])
def test_the_proxy_index_works_with_any_netrc(name: str, work: Workspace, home: Path) -> None:
    work.pipfile('orb-common = "*"\nsix = "*"', PYPI_SOURCE, source(work.team))
    write_netrc(home, name)
    for words in ("lock", "run pip install orb-common six"):
        done = work.run(*words.split())
        assert done.status == 0, done.output
        assert "did not answer" not in done.stderr


READ = """
path = os.environ.get('NETRC')
record['netrc'] = [open(path).read(), os.stat(path).st_mode, path] if path else None
"""


@pytest.mark.parametrize("where", ["home", "NETRC", "none"])
def test_pipenv_gets_a_private_copy_of_the_readable_netrc_lines(
    where: str, work: Workspace, home: Path, tmp_path: Path
) -> None:
    (work.folder / "Pipfile.lock").write_text('{"_meta": {}, "default": {}, "develop": {}}')
    pipenv = StandIn(tmp_path / "stand-in", READ)
    work.env["PIPENV_CA_PIPENV"] = str(pipenv.path)
    path = write_netrc(home, "protocol")
    if where != "home":
        path = path.rename(tmp_path / "mine")
    if where == "NETRC":
        work.env["NETRC"] = str(path)
        (home / ".netrc").write_text("machine other.example login a password b\n")
    assert work.run("sync").status == 0
    if where == "none":
        assert pipenv.record["netrc"] is None
        return
    text, mode, copy = pipenv.record["netrc"]
    assert text == f"{MINE}machine git.example login a password b\n"
    assert stat.S_IMODE(mode) == 0o600
    assert copy != str(path)
    assert not os.path.lexists(copy)
