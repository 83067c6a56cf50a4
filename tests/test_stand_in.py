"""A link named ``pipenv`` to this program: what calls pipenv gets it, and needs no change."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
from support.programs import PIPENV, PIPENV_CA, Result, run
from support.projects import source, write_pipfile
from support.runs import StandIn, assert_error

if TYPE_CHECKING:
    from support.clients import Clients

    from codeartifact_pipenv.sandbox.sandbox import Sandbox

pytestmark = pytest.mark.wide
PACKAGES = '[packages]\norb-common = "*"\n'


class Machine(NamedTuple):
    """A machine on which ``pipenv`` is this program, and a project on the sandbox."""

    env: dict[str, str]
    folder: Path

    def run(self, *words: str | Path, **env: str) -> Result:
        done = run(*words, env=self.env | env, cwd=self.folder)
        assert done.status == 0, done.output[-4000:]
        return done


@pytest.fixture
def machine(sandbox: Sandbox, sandbox_env: dict[str, str], project: Path) -> Machine:
    write_pipfile(project, source(sandbox.endpoint), PACKAGES)
    first = project.parent / "first"
    first.mkdir()
    (first / "pipenv").symlink_to(PIPENV_CA)
    others = sandbox_env["PATH"].split(os.pathsep)
    path = [str(first), *(p for p in others if not Path(p, "pipenv").exists())]
    env = sandbox_env | {"PATH": os.pathsep.join(path), "PIPENV_VENV_IN_PROJECT": "1"}
    return Machine(env, project)


def test_a_makefile_locks_installs_and_runs(machine: Machine) -> None:
    (machine.folder / "Makefile").write_text(
        "check: lock\n\tpipenv run python -c 'import orb_common'\nlock:\n\tpipenv install\n"
    )
    machine.run("make", "-s")


def test_nox_and_tox_install_into_their_environment(machine: Machine, clients: Clients) -> None:
    machine.run("pipenv", "lock")
    (machine.folder / "noxfile.py").write_text(
        "import nox\n\n\n@nox.session\ndef test(session):\n"
        "    session.run('pipenv', 'sync', external=True)\n"
        "    session.run('python', '-c', 'import orb_common')\n"
    )
    (machine.folder / "tox.ini").write_text(
        "[testenv]\nskip_install = true\nallowlist_externals = pipenv\npass_env = *\n"
        "commands_pre = pipenv sync\ncommands = python -c 'import orb_common'\n"
    )
    machine.run(clients("nox").bin / "nox", "--no-error-on-external-run")
    machine.run(clients("tox").bin / "tox")


def test_a_hook_of_pre_commit_locks_the_project(machine: Machine, clients: Clients) -> None:
    (machine.folder / ".pre-commit-config.yaml").write_text(
        "repos:\n- repo: local\n  hooks: [{id: lock, name: lock, language: system,"
        " entry: pipenv lock, pass_filenames: false}]\n"
    )
    machine.run("git", "init", "-q")
    machine.run("git", "add", ".")
    run(clients("pre-commit").bin / "pre-commit", "run", env=machine.env, cwd=machine.folder)
    assert '"orb-common"' in (machine.folder / "Pipfile.lock").read_text()


def test_queries_of_editors_get_the_answers_of_pipenv(machine: Machine) -> None:
    machine.run("pipenv", "install")
    below = machine.folder / "src"
    below.mkdir()
    for words in (["--version"], ["--venv"], ["--py"], ["--where"], ["graph", "--json-tree"]):
        for folder in (machine.folder, below):
            ours = run("pipenv", *words, env=machine.env, cwd=folder)
            theirs = run(PIPENV, *words, env=machine.env, cwd=folder)
            assert (ours.status, ours.stdout) == (theirs.status, theirs.stdout) == (0, ours.stdout)
    python = Path(machine.run("pipenv", "--py").stdout.strip())
    assert python.parent.parent == machine.folder / ".venv"


def test_next_pipenv_on_path_is_run_and_not_this_program(machine: Machine, tmp_path: Path) -> None:
    other = StandIn(tmp_path / "second", afterwards="print('the other one:', sys.argv[1:])").path
    path = machine.env["PATH"] + os.pathsep + str(other.rename(other.parent / "pipenv").parent)
    done = machine.run("pipenv", "graph", PIPENV_CA_PIPENV="pipenv", PATH=path)
    assert done.stdout == "the other one: ['graph']\n"
    alone = run("pipenv", "graph", env=machine.env | {"PIPENV_CA_PIPENV": "pipenv"}, cwd=tmp_path)
    assert_error(alone, 2, "this program itself")
