"""A run leaves no token behind and shows it to no other process."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.files import files_below, files_with
from support.programs import PIPENV_CA, Result, run
from support.projects import source, write_pipfile
from support.runs import Calls, StandIn, Terminal, get_token, started, wait_for
from support.traces import CommandLines, assert_no_secrets, assert_not_shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from codeartifact_pipenv.sandbox.sandbox import Sandbox

PACKAGES = '[packages]\norb-schema-generator = "*"\n'
VARIABLE = "aws:${CODEARTIFACT_AUTH_TOKEN}@"
LAYOUTS = {"variable": VARIABLE, "no-credentials": ""}
# To save time, each layout runs some commands; the test below runs the others.
_TALKATIVE = (["--ca-verbose", "lock", "--verbose"], True)
_FAILING = (["install", "--verbose", "orb-nowhere"], False)
COMMANDS: dict[str, list[tuple[list[str], bool]]] = {
    "variable": [_TALKATIVE, _FAILING],
    "no-credentials": [_TALKATIVE, (["run", "pip", "install", "--verbose", "orb-common"], True)],
}


class Watch(CommandLines):
    """Watch all processes and the private folders while a block runs.

    Attributes:
        modes: the modes of files and folders, by name; ``*`` marks a file with the secret.
    """

    def __init__(self, secret: str, temporary: Path) -> None:
        super().__init__()
        self.modes: dict[str, set[int]] = {}
        self._secret = secret.encode()
        self._temporary = temporary

    @property
    def leaks(self) -> set[bytes]:
        """Return the command lines of processes that held the secret."""
        return self.holding(self._secret.decode())

    def look(self) -> None:
        """Look once."""
        super().look()
        for folder in self._temporary.glob("pipenv-ca-*"):
            self._note_modes(folder)

    def _note_modes(self, folder: Path) -> None:
        for path in (folder, *files_below(folder)):
            with contextlib.suppress(OSError):
                mode = path.stat().st_mode & 0o777
                name = "folder" if path.is_dir() else path.name
                if path.is_file() and self._secret in path.read_bytes():
                    name += "*"
                self.modes.setdefault(name, set()).add(mode)


def assert_no_traces(token: str, env: dict[str, str], *folders: Path) -> None:
    """Assert that no file holds the token, and that TMPDIR is empty."""
    assert_no_secrets(token, *folders, Path(env["HOME"]), Path(env["TMPDIR"]))
    assert os.listdir(env["TMPDIR"]) == []


@pytest.fixture
def traced_env(sandbox_env: dict[str, str]) -> dict[str, str]:
    """Return the environment with the download caches in the home folder."""
    hidden = {"PIPENV_CACHE_DIR", "PIP_CACHE_DIR"}
    return {name: value for name, value in sandbox_env.items() if name not in hidden}


@pytest.mark.wide
@pytest.mark.parametrize("layout", ["variable", "no-credentials"])
def test_commands_leave_the_token_in_the_cache_only(
    layout: str, sandbox: Sandbox, traced_env: dict[str, str], project: Path, tmp_path: Path
) -> None:
    """This holds for commands that succeed or fail, and for verbose ones."""
    write_pipfile(project, source(sandbox.endpoint, userinfo=LAYOUTS[layout]), PACKAGES)
    traced_env["PIPENV_CA_ROUTE"] = "as-written"  # pipenv gets the token on this route
    token = get_token(sandbox, traced_env, tmp_path)
    with Watch(token, Path(traced_env["TMPDIR"])) as watch:
        for words, succeeds in COMMANDS[layout]:
            done = run(PIPENV_CA, *words, env=traced_env, cwd=project)
            assert (done.status == 0) is succeeds, done.output
            assert_not_shown(token, done)
            assert_no_traces(token, traced_env, project)
    assert watch.leaks == set()
    holders = {name: modes for name, modes in watch.modes.items() if name.endswith("*")}
    assert watch.modes["folder"] == {0o700}
    assert {mode for modes in holders.values() for mode in modes} == {0o600}
    assert ("netrc*" in holders) is (layout == "no-credentials")
    # Only the cache holds the token.
    assert len(files_with(token, [tmp_path])) == 1


@pytest.mark.wide
@pytest.mark.parametrize(
    ("layout", "commands", "last"),
    [
        ("variable", ["sync", "install six"], "update"),
        ("no-credentials", ["install", "update", "uninstall orb-common"], "sync"),
    ],
)
def test_other_commands_leave_no_token_even_if_it_is_revoked(
    layout: str,
    commands: list[str],
    last: str,
    sandbox: Sandbox,
    traced_env: dict[str, str],
    project: Path,
) -> None:
    write_pipfile(project, source(sandbox.endpoint, userinfo=LAYOUTS[layout]), PACKAGES)
    token = get_token(sandbox, traced_env, project)
    assert run(PIPENV_CA, "lock", env=traced_env, cwd=project).status == 0
    with Watch(token, Path(traced_env["TMPDIR"])) as watch:
        for words in commands:
            assert_not_shown(token, run(PIPENV_CA, *words.split(), env=traced_env, cwd=project))
        sandbox.revoke_tokens()
        assert_not_shown(token, run(PIPENV_CA, last, env=traced_env, cwd=project))
    assert watch.leaks == set()
    assert_no_traces(token, traced_env, project)


# --- interrupted runs ------------------------------------------------------------


def in_the_middle(calls: Calls) -> Callable[[], bool]:
    """Return a condition: the lock has requested a package."""
    return lambda: calls.count("orb-schema-generator") > 0


@pytest.mark.wide
def test_control_c_during_a_lock_leaves_nothing_behind(
    sandbox: Sandbox, traced_env: dict[str, str], project: Path
) -> None:
    pipfile = write_pipfile(project, source(sandbox.endpoint), PACKAGES)
    before = pipfile.read_bytes()
    token = get_token(sandbox, traced_env, project)
    calls = Calls(sandbox)
    with Terminal(PIPENV_CA, "lock", env=traced_env, cwd=project) as terminal:
        wait_for(in_the_middle(calls))
        terminal.type(b"\x03")
        assert terminal.finish() != 0
    assert_not_shown(token, Result(0, terminal.shown, ""))
    assert_no_traces(token, traced_env, project)
    assert pipfile.read_bytes() == before
    assert not (project / "Pipfile.lock").exists()


@pytest.mark.wide
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_during_a_lock_leaves_nothing_behind(
    number: signal.Signals, sandbox: Sandbox, traced_env: dict[str, str], project: Path
) -> None:
    """SIGHUP is sent when a terminal is closed."""
    write_pipfile(project, source(sandbox.endpoint, userinfo=""), PACKAGES)
    token = get_token(sandbox, traced_env, project)
    calls = Calls(sandbox)
    with started(PIPENV_CA, "lock", env=traced_env, cwd=project) as process:
        wait_for(in_the_middle(calls))
        process.send_signal(number)
        assert process.wait(30) != 0
        assert_no_traces(token, traced_env, project)
        # Children of pipenv may live for a moment; they leave nothing either.
        time.sleep(0.5)
        assert_no_traces(token, traced_env, project)


# Removing many files takes a while; new files appear meanwhile.
_WRITES_ON = """
folder = os.environ["TMPDIR"]
for number in range(5000):
    open(os.path.join(folder, str(number)), "w").close()
if os.fork() == 0:
    os.closerange(0, 64)
    try:
        for number in range(1000):
            open(os.path.join(folder, f"new-{number}"), "w").close()
            time.sleep(0.002)
    finally:
        os._exit(0)
"""


@pytest.mark.wide
def test_the_folder_is_removed_while_an_orphan_still_writes(
    sandbox: Sandbox, traced_env: dict[str, str], project: Path, tmp_path: Path
) -> None:
    """A process that outlives pipenv may still write into the folder."""
    write_pipfile(project, source(sandbox.endpoint), PACKAGES)
    stand_in = StandIn(tmp_path / "other", afterwards=_WRITES_ON)
    words = (PIPENV_CA, "--ca-pipenv", stand_in.path, "lock")
    assert run(*words, env=traced_env, cwd=project).status == 0
    assert os.listdir(traced_env["TMPDIR"]) == []


@pytest.mark.wide
def test_the_next_run_removes_the_files_of_a_killed_run(
    sandbox: Sandbox, traced_env: dict[str, str], project: Path, tmp_path: Path
) -> None:
    write_pipfile(project, source(sandbox.endpoint, userinfo=""), PACKAGES)
    traced_env["PIPENV_CA_ROUTE"] = "as-written"  # a file holds the token on this route
    token = get_token(sandbox, traced_env, project)
    calls = Calls(sandbox)
    with started(PIPENV_CA, "lock", env=traced_env, cwd=project) as process:
        wait_for(in_the_middle(calls))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert files_with(token, [Path(traced_env["TMPDIR"])])  # otherwise this test checks nothing
    stand_in = StandIn(tmp_path / "other")
    words = (PIPENV_CA, "--ca-pipenv", stand_in.path, "lock")
    # The system takes a moment to end the processes and release their locks.
    wait_for(lambda: run(*words, env=traced_env, cwd=project).status == 0)
    wait_for(
        lambda: (
            not run(*words, env=traced_env, cwd=project).status
            and not os.listdir(traced_env["TMPDIR"])
        ),
        10,
    )
    assert_no_traces(token, traced_env, project)


@pytest.mark.wide
@pytest.mark.parametrize("killed", [False, True], ids=["running", "wrapper-killed"])
def test_a_folder_in_use_is_not_removed(
    killed: bool, sandbox: Sandbox, traced_env: dict[str, str], project: Path, tmp_path: Path
) -> None:
    """The wrapper, or the pipenv that outlives it, still uses the folder."""
    write_pipfile(project, source(sandbox.endpoint), PACKAGES)
    long = StandIn(tmp_path / "long", afterwards="time.sleep(60)")
    short = StandIn(tmp_path / "short")
    words = (PIPENV_CA, "--ca-pipenv", long.path, "lock")
    with started(*words, env=traced_env, cwd=project) as process:
        theirs = Path(long.wait_until_run()["environ"]["TMPDIR"])
        if killed:
            process.kill()
            process.wait()
        words = (PIPENV_CA, "--ca-pipenv", short.path, "lock")
        other = tmp_path / "another project"
        other.mkdir()
        write_pipfile(other, source(sandbox.endpoint), PACKAGES)
        assert run(*words, env=traced_env, cwd=other).status == 0
        assert theirs.is_dir()
        assert set(os.listdir(traced_env["TMPDIR"])) == {theirs.name, f"{theirs.name}.lock"}


def test_links_and_foreign_folders_with_a_matching_name_are_not_removed(
    sandbox: Sandbox, traced_env: dict[str, str], project: Path, tmp_path: Path
) -> None:
    write_pipfile(project, source(sandbox.endpoint), PACKAGES)
    temporary = Path(traced_env["TMPDIR"])
    treasure = tmp_path / "treasure"
    treasure.touch()
    (temporary / "pipenv-ca-0123456789abcdef.lock").symlink_to(treasure)
    (temporary / "pipenv-ca-other").mkdir()
    words = (PIPENV_CA, "--ca-pipenv", "true", "lock")
    assert run(*words, env=traced_env, cwd=project).status == 0
    assert treasure.exists()
    names = ["pipenv-ca-0123456789abcdef.lock", "pipenv-ca-other"]
    assert sorted(os.listdir(temporary)) == names
