"""pip below other programs that pipenv runs, and below pip-audit."""

from __future__ import annotations

import json
import os
import shlex
from typing import TYPE_CHECKING

import pytest
from support.programs import PIPENV_CA, Result, run
from support.projects import PYPI_SOURCE, source, write_pipfile
from support.runs import TOKEN_VARIABLE, Calls, StandIn, assert_error

if TYPE_CHECKING:
    from pathlib import Path

    from support.clients import Clients

    from codeartifact_pipenv.sandbox.sandbox import Sandbox

WIDE = pytest.mark.wide
PACKAGES = '[packages]\norb-common = "*"\n'
SCRIPTS = "[scripts]\nsetup = \"bash -c 'pip install orb-common'\"\n"
PIP = "pip install orb-common"
BASH = ["bash", "-c", PIP]
# By the words after `run`, the words that the hint tells to type, and the program that it names.
BELOW = {
    "bash": (BASH, PIP, "bash"),
    "sh": (["sh", "-ec", f"cd . && {PIP} && echo"], PIP, "sh"),
    "env -i": (["env", "-i", *PIP.split()], PIP, "env"),
    "timeout": (["timeout", "9", "python", "-m", *PIP.split()], f"python -m {PIP}", "timeout"),
    "xargs": (["xargs", "-a", "r.txt", "pip", "install"], "pip install ...", "xargs"),
    "python": (["python", "-c", "run(['pip', 'install', 'x'])"], "pip install ...", "python"),
    "script": (["setup"], PIP, "setup"),
    "options": (["--verbose", *BASH], PIP, "bash"),
}
RECORDS = """
record['parent'] = os.getppid()
path = os.environ.get('NETRC')
record['netrc'] = open(path).read() if path else ''
"""


class Failing:
    """A project with CodeArtifact alone, and a pipenv that fails as its program does."""

    def __init__(self, sandbox: Sandbox, env: dict[str, str], folder: Path) -> None:
        self.calls = Calls(sandbox)
        self.env = env
        self.folder = folder
        self.pipenv = self.end(7)
        write_pipfile(folder, source(sandbox.endpoint), PACKAGES, SCRIPTS)

    def end(self, status: int) -> StandIn:
        """Let pipenv end with a status."""
        made = StandIn(self.folder.parent / "stand-in", RECORDS, f"sys.exit({status})")
        self.env["PIPENV_CA_PIPENV"] = str(made.path)
        return made

    def __call__(self, *words: str, **env: str) -> Result:
        return run(PIPENV_CA, *words, env=self.env | env, cwd=self.folder)

    @property
    def given(self) -> dict[str, str]:
        """The environment that pipenv got."""
        found: dict[str, str] = self.pipenv.record["environ"]
        return found


@pytest.fixture
def failing(sandbox: Sandbox, sandbox_env: dict[str, str], project: Path) -> Failing:
    return Failing(sandbox, sandbox_env, project)


@WIDE
@pytest.mark.parametrize(("words", "typed", "program"), BELOW.values(), ids=BELOW)
def test_failed_pip_below_another_program_is_explained(
    words: list[str], typed: str, program: str, failing: Failing
) -> None:
    assert_error(
        failing("run", *words),
        7,
        f"pip was started by {program},",
        f"Use `pipenv-ca run {typed}`;",
        f"`pipenv-ca --ca-run-token run {program} ...`",
    )
    assert not {"PIP_INDEX_URL", "NETRC", TOKEN_VARIABLE} & failing.given.keys()
    assert failing.pipenv.record["argv"] == ["run", *words]
    assert failing.calls.to_aws() == 0


@pytest.mark.parametrize("status", [0, 127, 130])
def test_other_status_of_a_program_is_not_explained(status: int, failing: Failing) -> None:
    failing.end(status)
    assert failing("run", *BASH) == Result(status, "", "")


def test_failed_pip_with_an_index_of_the_user_is_not_explained(
    failing: Failing, sandbox: Sandbox
) -> None:
    url = sandbox.endpoint.simple_url.replace("https://", "https://aws:mine@")
    assert failing("run", *BASH, PIP_INDEX_URL=url) == Result(7, "", "")


@pytest.mark.parametrize(
    "words",
    [
        *("run make deps", "run python app.py", "audit", "audit --local", "check"),
        *("run bash -c 'pip freeze'", "audit --locked --help"),
        "run bash -c 'pip install -i https://other.example/simple x'",
    ],
)
def test_program_without_an_index_replaces_the_process(words: str, failing: Failing) -> None:
    assert failing(*shlex.split(words)) == Result(7, "", "")
    assert failing.pipenv.record["parent"] == os.getpid()
    assert failing.calls.to_aws() == 0


@pytest.mark.parametrize("words", [["run", *BASH], ["audit", "--locked"]], ids=" ".join)
def test_project_without_a_repository_replaces_the_process(
    words: list[str], failing: Failing
) -> None:
    write_pipfile(failing.folder, PYPI_SOURCE, PACKAGES)
    assert failing(*words) == Result(7, "", "")
    assert failing.pipenv.record["parent"] == os.getpid()


@pytest.mark.parametrize("words", ["--locked", "--lock -f json", "--fix"])
def test_audit_that_resolves_gets_the_repository(
    words: str, failing: Failing, sandbox: Sandbox
) -> None:
    assert failing("audit", *words.split()) == Result(7, "", "")
    assert failing.pipenv.record["argv"] == ["audit", *words.split()]
    assert failing.given["PIP_INDEX_URL"] == sandbox.endpoint.simple_url
    login = f"machine {sandbox.endpoint.host} login aws password "
    assert failing.pipenv.record["netrc"].startswith(login)
    assert TOKEN_VARIABLE not in failing.given


@WIDE
@pytest.mark.shows_token("files")
@pytest.mark.parametrize("words", [BASH, ["setup"]], ids=" ".join)
@pytest.mark.parametrize("layout", ["one", "two"])
def test_run_token_gives_a_nested_pip_the_index(
    words: list[str], layout: str, failing: Failing, sandbox: Sandbox
) -> None:
    own = sandbox.endpoint.simple_url
    if layout == "two":
        write_pipfile(failing.folder, PYPI_SOURCE, source(sandbox.endpoint), PACKAGES, SCRIPTS)
    done = failing("--ca-run-token", "run", *words)
    assert done.status == 7, done.output
    assert "pip was started by" not in done.stderr
    assert failing.given[TOKEN_VARIABLE]
    assert failing.given["PIP_INDEX_URL"].startswith(own if layout == "one" else "http://127.")


@pytest.mark.parametrize(
    "words",
    [
        f"env PIP_INDEX_URL=https://other.example/simple {PIP}",
        f"nice env PIP_EXTRA_INDEX_URL=https://other.example/simple {PIP}",
        f"env A=1 {PIP} -f .",
    ],
)
def test_indexes_set_by_a_prefix_of_pip_are_refused(words: str, failing: Failing) -> None:
    assert_error(failing("run", *words.split()), 2)
    assert not failing.pipenv.was_run


# --- with real pipenvs and a real pip-audit ----------------------------------------------


@WIDE
@pytest.mark.parametrize(("layout", "version"), [("one", "newest"), ("two", "2023.12.1")])
def test_prefixed_pip_works_and_shell_pip_needs_run_token(
    layout: str, version: str, failing: Failing, sandbox: Sandbox, clients: Clients
) -> None:
    first = [PYPI_SOURCE] if layout == "two" else []
    write_pipfile(failing.folder, *first, source(sandbox.endpoint), PACKAGES)
    failing.env["PIPENV_CA_PIPENV"] = str(clients.pipenv(version))
    pip = "pip install --force-reinstall orb-common"
    for prefix in ("env A=1", "nice -n 1", "nohup"):
        done = failing("run", *prefix.split(), *pip.split())
        assert done.status == 0, (prefix, done.output)
    done = failing("run", "bash", "-c", pip)
    assert done.status == 1, done.output
    assert f"Use `pipenv-ca run {pip}`" in done.stderr
    done = failing("run", "bash", "-c", pip, PIPENV_CA_RUN_TOKEN="1")
    assert done.status == 0, done.output


@WIDE
def test_pip_audit_finds_private_packages_in_the_repository(
    failing: Failing, sandbox: Sandbox
) -> None:
    write_pipfile(failing.folder, PYPI_SOURCE, source(sandbox.endpoint), PACKAGES)
    del failing.env["PIPENV_CA_PIPENV"]
    for words in ("lock", "run pip install -q pip-audit"):
        assert failing(*words.split()).status == 0, words
    done = failing("audit", "--locked", "-f", "json")
    assert done.status == 0, done.output
    found = json.loads(done.stdout[done.stdout.index("{") :])["dependencies"]
    assert [package["name"] for package in found] == ["orb-common"]
    assert "No matching distribution" not in done.output
