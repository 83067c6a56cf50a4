"""pip below other programs that pipenv runs, and below pip-audit."""

from __future__ import annotations

import json
import os
import shlex
from typing import TYPE_CHECKING

import pytest
from support.programs import Result
from support.projects import PYPI_SOURCE, source, write_pipfile
from support.runs import TOKEN_VARIABLE, Calls, assert_error, replace_pipenv

if TYPE_CHECKING:
    from support.clients import Clients
    from support.runs import StandIn
    from support.users import User

WIDE = pytest.mark.wide
PACKAGES = '[packages]\norb-common = "*"\n'
SCRIPTS = "[scripts]\nsetup = \"bash -c 'pip install orb-common'\"\n"
PIP = "pip install orb-common"
BASH = ["bash", "-c", PIP]
# By the words after `run`, the words that the hint tells to type, and the program that it names.
BELOW = [
    (["timeout", "9", "python", "-m", *PIP.split()], f"python -m {PIP}", "timeout"),
    (["python", "-c", "run(['pip', 'install', 'x'])"], "pip install ...", "python"),
    (["setup"], PIP, "setup"),
    (["--verbose", *BASH], PIP, "bash"),
]
RECORDS = """
record['parent'] = os.getppid()
path = os.environ.get('NETRC')
record['netrc'] = open(path).read() if path else ''
"""


@pytest.fixture
def failing(user: User) -> User:
    """Return a user of a project with CodeArtifact alone."""
    write_pipfile(user.folder, source(user.sandbox.endpoint), PACKAGES, SCRIPTS)
    return user


@pytest.fixture
def pipenv(failing: User) -> StandIn:
    """Let the user's pipenv fail as its program does."""
    return replace_pipenv(failing.env, RECORDS, "sys.exit(7)")


@WIDE
@pytest.mark.parametrize(("words", "typed", "program"), BELOW)
def test_failed_pip_below_another_program_is_explained(
    words: list[str], typed: str, program: str, failing: User, pipenv: StandIn
) -> None:
    calls = Calls(failing.sandbox)
    assert_error(
        failing.run("run", *words),
        7,
        f"pip was started by {program},",
        f"Use `pipenv-ca run {typed}`;",
        f"`pipenv-ca --ca-run-token run {program} ...`",
    )
    assert not {"PIP_INDEX_URL", "NETRC", TOKEN_VARIABLE} & pipenv.record["environ"].keys()
    assert pipenv.record["argv"] == ["run", *words]
    assert calls.to_aws() == 0


def test_success_other_statuses_and_a_login_of_the_user_are_not_explained(failing: User) -> None:
    for status in (0, 127, 130):
        replace_pipenv(failing.env, "", f"sys.exit({status})")
        assert failing.run("run", *BASH) == Result(status, "", "")
    replace_pipenv(failing.env, "", "sys.exit(7)")
    env = failing.env | {"PIP_INDEX_URL": failing.url.replace("https://", "https://aws:mine@")}
    assert failing.run("run", *BASH, env=env) == Result(7, "", "")


INSTALL = "run bash -c 'pip install"


@pytest.mark.parametrize(
    ("words", "has_repository"),
    [
        *((words, True) for words in ("run make deps", "run python app.py", "audit --local")),
        *((words, True) for words in ("audit --locked --help", "run bash -c 'pip freeze'")),
        (f"{INSTALL} -i https://other.example/simple x'", True),
        *((words, False) for words in (f"{INSTALL} x'", "audit --locked")),
    ],
)
def test_program_without_an_index_replaces_the_process(
    words: str, has_repository: bool, failing: User, pipenv: StandIn
) -> None:
    if not has_repository:
        write_pipfile(failing.folder, PYPI_SOURCE, PACKAGES)
    calls = Calls(failing.sandbox)
    assert failing.run(*shlex.split(words)) == Result(7, "", "")
    assert pipenv.record["parent"] == os.getpid()
    assert calls.to_aws() == 0


@pytest.mark.parametrize("words", ["--lock -f json", "--fix"])
def test_audit_that_resolves_gets_the_repository(
    words: str, failing: User, pipenv: StandIn
) -> None:
    assert failing.run("audit", *words.split()) == Result(7, "", "")
    record = pipenv.record
    assert record["argv"] == ["audit", *words.split()]
    assert record["environ"]["PIP_INDEX_URL"] == failing.url
    assert record["netrc"].startswith(f"machine {failing.sandbox.endpoint.host} login aws ")
    assert TOKEN_VARIABLE not in record["environ"]


@pytest.mark.parametrize(
    "words", [f"nice env PIP_EXTRA_INDEX_URL=https://x.example/ {PIP}", f"env A=1 {PIP} -f ."]
)
def test_indexes_set_by_a_prefix_of_pip_are_refused(
    words: str, failing: User, pipenv: StandIn
) -> None:
    assert_error(failing.run("run", *words.split()), 2)
    assert not pipenv.was_run


@WIDE
@pytest.mark.parametrize(("layout", "version"), [("one", "newest"), ("two", "2023.12.1")])
def test_prefixed_pip_works_and_shell_pip_needs_run_token(
    layout: str, version: str, failing: User, clients: Clients
) -> None:
    first = [PYPI_SOURCE] if layout == "two" else []
    write_pipfile(failing.folder, *first, source(failing.sandbox.endpoint), PACKAGES)
    failing.env["PIPENV_CA_PIPENV"] = str(clients.pipenv(version))
    pip = "pip install --force-reinstall orb-common"
    for prefix in ("env A=1", "nice -n 1", "nohup"):
        done = failing.run("run", *prefix.split(), *pip.split())
        assert done.status == 0, (prefix, done.output)
    done = failing.run("run", "bash", "-c", pip)
    assert done.status == 1, done.output
    assert f"Use `pipenv-ca run {pip}`" in done.stderr
    done = failing.run("--ca-run-token", "run", "bash", "-c", pip)
    assert done.status == 0, done.output


@WIDE
def test_pip_audit_finds_private_packages_in_the_repository(failing: User) -> None:
    write_pipfile(failing.folder, PYPI_SOURCE, source(failing.sandbox.endpoint), PACKAGES)
    for words in ("lock", "run pip install -q pip-audit"):
        assert failing.run(*words.split()).status == 0, words
    done = failing.run("audit", "--locked", "-f", "json")
    assert done.status == 0, done.output
    found = json.loads(done.stdout[done.stdout.index("{") :])["dependencies"]
    assert [package["name"] for package in found] == ["orb-common"]
    assert "No matching distribution" not in done.output
