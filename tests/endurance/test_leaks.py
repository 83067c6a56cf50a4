"""Every command, at every verbosity, succeeding, failing and crashing: no token is seen."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import pytest
from support.projects import PYPI_SOURCE, source, write_pipfile
from support.traces import ProcessWatch, assert_not_shown, files_below, has_token

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.users import User

    from codeartifact_pipenv.sandbox.sandbox import Sandbox

pytestmark = pytest.mark.endurance

PACKAGES = '[packages]\norb-schema-generator = "*"\n'
LOUD = {
    "PIPENV_VERBOSE": "1",
    "PIPENV_VERBOSITY": "99",
    "PIP_VERBOSE": "3",
    "PIP_LOG": "pip.log",
    "PYTHONFAULTHANDLER": "1",
    "PYTHONWARNINGS": "default",
}
INDEX = [
    "lock",
    "sync",
    "install orb-common",
    "update orb-common",
    "install --verbose orb-nowhere",
    "upgrade orb-common",
    "run pip download --no-deps --dest files orb-common",
    "uninstall orb-common",
]
NO_INDEX = [
    *("verify", "graph", "--venv", "run true", "requirements", "doctor --all", "doctor --json"),
    *("lint --online", "fix --diff", "packages", "login --dry-run twine"),
    "provision --dry-run --domain my-dom --repository team",
]


class Processes(ProcessWatch):
    """Collects the command lines of one home's processes that have a token, by where they have it."""

    def __init__(self, home: str) -> None:
        super().__init__()
        self._home = f"\0HOME={home}\0".encode()
        self.words: set[bytes] = set()
        self.environments: set[bytes] = set()

    def see(self, process: Path) -> None:
        environment = b"\0" + (process / "environ").read_bytes() + b"\0"
        line = (process / "cmdline").read_bytes()
        if self._home in environment and has_token(line):
            self.words.add(line)
        if self._home in environment and has_token(environment):
            self.environments.add(line)


def sources_of(layout: str, sandbox: Sandbox) -> list[str]:
    if layout == "two sources":
        return [PYPI_SOURCE, source(sandbox.endpoint._replace(repository="lonely"))]
    return [source(sandbox.endpoint, **({} if layout == "one source" else {"userinfo": ""}))]


def may_have(layout: str, line: str) -> bool:
    """Whether pipenv and its children get the token: not with the proxy index or without one."""
    return line in INDEX and (layout != "two sources" or line == "sync")


@pytest.fixture
def user(user: User) -> User:
    """Return a user with downloads in the home folder, as they are by default."""
    hidden = {"PIPENV_CACHE_DIR", "PIP_CACHE_DIR"}
    return user._replace(env={n: value for n, value in user.env.items() if n not in hidden})


@pytest.mark.parametrize(
    ("layout", "loud"),
    [("one source", False), ("one source", True), ("no credentials", True), ("two sources", True)],
)
def test_no_command_shows_a_token_while_it_runs_or_afterwards(
    *, layout: str, loud: bool, user: User, size: Callable[[int, int], int]
) -> None:
    write_pipfile(user.folder, *sources_of(layout, user.sandbox), PACKAGES)
    token = user.token()
    options, env = (["--ca-verbose"], user.env | LOUD) if loud else ([], user.env)
    lines = [*INDEX[: size(4, len(INDEX))], *NO_INDEX[: size(3, len(NO_INDEX))]]
    for line in lines:
        with Processes(env["HOME"]) as processes:
            done = user.run(*options, *line.split(), env=env)
        assert_not_shown(token, done)
        # (pipenv's own --verbose shows tracebacks, without this package in them.)
        assert not re.search(r'File "[^"]*codeartifact_pipenv', done.output), line
        assert "Traceback" not in done.output or "--verbose" in line, line
        assert processes.words == set(), line
        assert processes.environments == set() or may_have(layout, line), line
        assert [path for path in files_below(user.folder) if has_token(path.read_bytes())] == []
        assert os.listdir(env["TMPDIR"]) == []


# --- crashes -----------------------------------------------------------------------------

# As http.client does of a header that it refuses, and requests and urllib3 of a URL.
_CRASHING = """
import http.client

def refuse(self, header, *values):
    if header == "Authorization":
        raise {error}(f"Invalid header value {{values!r}}")
    return kept(self, header, *values)

kept = http.client.HTTPConnection.putheader
http.client.HTTPConnection.putheader = refuse
"""


@pytest.fixture(params=["ValueError", "OSError", "RuntimeError"])
def crashing(request: pytest.FixtureRequest, user: User, tmp_path: Path) -> dict[str, str]:
    """Return an environment in which every request with a login ends in an error that has it."""
    (tmp_path / "sitecustomize.py").write_text(_CRASHING.format(error=request.param))
    return user.env | {"PYTHONPATH": str(tmp_path)}


@pytest.mark.parametrize(
    "line", ["doctor --all", "--ca-verbose packages", "lint --online", "--ca-verbose lock"]
)
def test_an_error_that_repeats_the_login_is_shown_without_it(
    line: str, user: User, crashing: dict[str, str]
) -> None:
    write_pipfile(user.folder, *sources_of("two sources", user.sandbox), PACKAGES)
    token = user.token()
    done = user.run(*line.split(), env=crashing)
    assert_not_shown(token, done)
    assert done.status != 0, done.output
    assert os.listdir(user.env["TMPDIR"]) == []


def test_an_error_of_the_keyring_backend_is_shown_without_the_login(
    user: User, crashing: dict[str, str]
) -> None:
    done = user.keyring(env=crashing)
    assert (done.status, done.stdout.strip()) == (1, ""), done.output
    assert "Traceback" not in done.stderr
    assert not re.search("Signature=[0-9a-f]", done.stderr)
