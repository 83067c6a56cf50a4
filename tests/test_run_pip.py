"""Commands by which pip runs without being pipenv's own: below other programs, and below pip-audit."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest
from support.programs import PIPENV_CA, run
from support.projects import PYPI_SOURCE, source, write_pipfile
from support.runs import TOKEN_VARIABLE, Calls, StandIn, assert_error

if TYPE_CHECKING:
    from pathlib import Path

    from support.clients import Clients

    from codeartifact_pipenv.sandbox.sandbox import Sandbox

PACKAGES = '[packages]\norb-common = "*"\n'
SCRIPTS = "[scripts]\nsetup = \"bash -c 'pip install orb-common'\"\n"
PIP = "pip install orb-common"
# By the words after `run`, what the hint says to type, and the program that it names.
BELOW = {
    "bash": (["bash", "-c", PIP], PIP, "bash"),
    "sh": (["sh", "-ec", f"cd . && {PIP} && echo"], PIP, "sh"),
    "env -i": (["env", "-i", *PIP.split()], PIP, "env"),
    "timeout": (["timeout", "9", "python", "-m", *PIP.split()], f"python -m {PIP}", "timeout"),
    "xargs": (["xargs", "-a", "r.txt", "pip", "install"], "pip install ...", "xargs"),
    "python": (["python", "-c", "run(['pip', 'install', 'x'])"], "pip install ...", "python"),
    "script": (["setup"], PIP, "setup"),
    "options": (["--verbose", "bash", "-c", PIP], PIP, "bash"),
}
# A program that needs no index replaces this process.
HANDED_OVER = (
    ["run", "make", "deps"],
    ["run", "bash", "-c", "pip freeze"],
    ["run", "bash", "-c", "pip install -i https://other.example/simple x"],
    ["run", "python", "app.py"],
    ["audit"],
    ["audit", "--local"],
    ["audit", "--locked", "--help"],
    ["check"],
)


@pytest.fixture
def stand_in(tmp_path: Path) -> StandIn:
    """Return a pipenv that fails, as when its program does."""
    behaviour = (
        "record['parent'] = os.getppid()\n"
        "path = os.environ.get('NETRC')\n"
        "record['netrc'] = open(path).read() if path else ''"
    )
    return StandIn(tmp_path / "stand-in", behaviour, "sys.exit(7)")


@pytest.fixture
def env(sandbox_env: dict[str, str], stand_in: StandIn) -> dict[str, str]:
    """Return an environment that names the stand-in."""
    return sandbox_env | {"PIPENV_CA_PIPENV": str(stand_in.path)}


@pytest.fixture
def one(sandbox: Sandbox, project: Path) -> Path:
    """Return a project with CodeArtifact alone."""
    write_pipfile(project, source(sandbox.endpoint), PACKAGES, SCRIPTS)
    return project


@pytest.mark.wide
@pytest.mark.parametrize(("words", "typed", "program"), BELOW.values(), ids=BELOW)
def test_failed_pip_below_another_program_is_explained(
    words: list[str],
    typed: str,
    program: str,
    env: dict[str, str],
    one: Path,
    stand_in: StandIn,
    sandbox: Sandbox,
) -> None:
    calls = Calls(sandbox)
    done = run(PIPENV_CA, "run", *words, env=env, cwd=one)
    assert_error(
        done,
        7,
        f"pip was started by {program},",
        f"Use `pipenv-ca run {typed}`;",
        f"`pipenv-ca --ca-run-token run {program} ...`",
    )
    given = stand_in.record["environ"]
    assert not {"PIP_INDEX_URL", "NETRC", TOKEN_VARIABLE} & given.keys()
    assert stand_in.record["argv"] == ["run", *words]
    assert calls.to_aws() == 0


def test_unrelated_failure_of_a_program_is_not_explained(
    env: dict[str, str], one: Path, tmp_path: Path, sandbox: Sandbox
) -> None:
    words = ("run", "bash", "-c", PIP)
    for status in (0, 127, 130):
        other = StandIn(tmp_path / str(status), afterwards=f"sys.exit({status})")
        done = run(PIPENV_CA, *words, env=env | {"PIPENV_CA_PIPENV": str(other.path)}, cwd=one)
        assert (done.status, done.output) == (status, "")
    url = sandbox.endpoint.simple_url.replace("https://", "https://aws:mine@")
    done = run(PIPENV_CA, *words, env=env | {"PIP_INDEX_URL": url}, cwd=one)
    assert (done.status, done.output) == (7, "")


@pytest.mark.parametrize("words", HANDED_OVER, ids=" ".join)
def test_program_without_an_index_replaces_the_process(
    words: list[str], env: dict[str, str], one: Path, stand_in: StandIn, sandbox: Sandbox
) -> None:
    calls = Calls(sandbox)
    done = run(PIPENV_CA, *words, env=env, cwd=one)
    assert (done.status, done.output) == (7, "")
    assert stand_in.record["parent"] == os.getpid()
    assert calls.to_aws() == 0


def test_project_without_a_repository_replaces_the_process(
    env: dict[str, str], project: Path, stand_in: StandIn
) -> None:
    write_pipfile(project, PYPI_SOURCE, PACKAGES)
    for words in (["run", "bash", "-c", PIP], ["audit", "--locked"]):
        done = run(PIPENV_CA, *words, env=env, cwd=project)
        assert (done.status, done.output) == (7, "")
        assert stand_in.record["parent"] == os.getpid()


@pytest.mark.parametrize("words", [["--locked"], ["--lock", "-f", "json"], ["--fix"]], ids=" ".join)
def test_audit_that_resolves_gets_the_repository(
    words: list[str], env: dict[str, str], one: Path, stand_in: StandIn, sandbox: Sandbox
) -> None:
    done = run(PIPENV_CA, "audit", *words, env=env, cwd=one)
    assert (done.status, done.output) == (7, "")
    record = stand_in.record
    assert record["argv"] == ["audit", *words]
    assert record["environ"]["PIP_INDEX_URL"] == sandbox.endpoint.simple_url
    assert record["netrc"].startswith(f"machine {sandbox.endpoint.host} login aws password ")
    assert TOKEN_VARIABLE not in record["environ"]


@pytest.mark.wide
@pytest.mark.shows_token("files")
@pytest.mark.parametrize("words", [BELOW["bash"][0], BELOW["script"][0]], ids=" ".join)
@pytest.mark.parametrize("layout", ["one", "two"])
def test_run_token_gives_a_nested_pip_the_index(
    words: list[str],
    layout: str,
    env: dict[str, str],
    one: Path,
    stand_in: StandIn,
    sandbox: Sandbox,
) -> None:
    if layout == "two":
        write_pipfile(one, PYPI_SOURCE, source(sandbox.endpoint), PACKAGES, SCRIPTS)
    done = run(PIPENV_CA, "--ca-run-token", "run", *words, env=env, cwd=one)
    assert done.status == 7, done.output
    assert "pip was started by" not in done.stderr
    given = stand_in.record["environ"]
    assert given[TOKEN_VARIABLE]
    own = sandbox.endpoint.simple_url
    assert given["PIP_INDEX_URL"].startswith(own if layout == "one" else "http://127.")


@pytest.mark.parametrize(
    "words",
    [
        ["env", "PIP_INDEX_URL=https://other.example/simple", *PIP.split()],
        ["nice", "env", "PIP_EXTRA_INDEX_URL=https://other.example/simple", *PIP.split()],
        ["env", "A=1", *PIP.split(), "-f", "."],
    ],
    ids=" ".join,
)
def test_indexes_set_by_a_prefix_of_pip_are_refused(
    words: list[str], env: dict[str, str], one: Path, stand_in: StandIn
) -> None:
    done = run(PIPENV_CA, "run", *words, env=env, cwd=one)
    assert done.status != 0
    assert done.stderr.startswith("error: ")
    assert not stand_in.was_run


# --- with real pipenvs and a real pip-audit ----------------------------------------------


@pytest.mark.wide
@pytest.mark.parametrize(("layout", "version"), [("one", "newest"), ("two", "2023.12.1")])
def test_prefixed_pip_works_and_shell_pip_needs_run_token(
    layout: str,
    version: str,
    sandbox: Sandbox,
    sandbox_env: dict[str, str],
    project: Path,
    clients: Clients,
) -> None:
    first = [PYPI_SOURCE] if layout == "two" else []
    write_pipfile(project, *first, source(sandbox.endpoint), PACKAGES, SCRIPTS)
    pipenv = clients.pipenv(version)
    env = sandbox_env | {"PIPENV_CA_PIPENV": str(pipenv)}
    again = ["pip", "install", "--force-reinstall", "orb-common"]
    for words in (["env", "A=1", *again], ["nice", "-n", "1", *again], ["nohup", *again]):
        done = run(PIPENV_CA, "run", *words, env=env, cwd=project)
        assert done.status == 0, (words, done.output)
    below = ("run", "bash", "-c", " ".join(again))
    done = run(PIPENV_CA, *below, env=env, cwd=project)
    assert done.status == 1, done.output
    assert f"Use `pipenv-ca run {' '.join(again)}`" in done.stderr
    done = run(PIPENV_CA, *below, env=env | {"PIPENV_CA_RUN_TOKEN": "1"}, cwd=project)
    assert done.status == 0, done.output


@pytest.mark.wide
def test_pip_audit_finds_private_packages_in_the_repository(
    sandbox: Sandbox, sandbox_env: dict[str, str], project: Path
) -> None:
    write_pipfile(project, PYPI_SOURCE, source(sandbox.endpoint), PACKAGES)
    for words in (["lock"], ["run", "pip", "install", "-q", "pip-audit"]):
        done = run(PIPENV_CA, *words, env=sandbox_env, cwd=project)
        assert done.status == 0, done.output
    done = run(PIPENV_CA, "audit", "--locked", "-f", "json", env=sandbox_env, cwd=project)
    assert done.status == 0, done.output
    found = json.loads(done.stdout[done.stdout.index("{") :])["dependencies"]
    assert [package["name"] for package in found] == ["orb-common"]
    assert "No matching distribution" not in done.output
