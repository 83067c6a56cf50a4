"""A run leaves no token behind and shows it to no other process."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
from support.programs import PIPENV_CA, Result, run
from support.projects import source, write_pipfile
from support.runs import Calls, StandIn, Terminal, get_token, started, wait_for
from support.traces import (
    CommandLines,
    assert_no_secrets,
    assert_not_shown,
    files_below,
    files_with,
)

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

    from codeartifact_pipenv.sandbox.sandbox import Sandbox

PACKAGES = '[packages]\norb-schema-generator = "*"\n'
USERINFO = {"variable": "aws:${CODEARTIFACT_AUTH_TOKEN}@", "no-credentials": ""}
# To save time, each row runs some commands; the last one with a revoked token.
RUNS = {
    "variable": ["--ca-verbose lock --verbose", "install --verbose orb-nowhere"],
    "no-credentials": ["--ca-verbose lock --verbose", "run pip install --verbose orb-common"],
    "variable, auto": ["lock", "sync", "install six", "update"],
    "no-credentials, auto": ["install", "update", "uninstall orb-common", "sync"],
}


class Watch(CommandLines):
    """Watch all processes, and the modes of private files; ``*`` marks one with the secret."""

    def __init__(self, secret: str, temporary: Path) -> None:
        super().__init__()
        self.modes: dict[str, set[int]] = {}
        self._secret = secret
        self._temporary = temporary

    def look(self) -> None:
        super().look()
        for folder in self._temporary.glob("pipenv-ca-*"):
            for path in (folder, *files_below(folder)):
                with contextlib.suppress(OSError):
                    name = "folder" if path.is_dir() else path.name
                    if path.is_file() and self._secret.encode() in path.read_bytes():
                        name += "*"
                    self.modes.setdefault(name, set()).add(path.stat().st_mode & 0o777)


class Traced(NamedTuple):
    """A project whose runs must leave no trace of the token."""

    sandbox: Sandbox
    env: dict[str, str]
    folder: Path

    @property
    def temporary(self) -> Path:
        return Path(self.env["TMPDIR"])

    def write(self, layout: str = "variable", folder: Path | None = None) -> Path:
        table = source(self.sandbox.endpoint, userinfo=USERINFO[layout])
        return write_pipfile(folder or self.folder, table, PACKAGES)

    def run(self, *words: str | Path) -> Result:
        return run(PIPENV_CA, *words, env=self.env, cwd=self.folder)

    def lock_with(self, program: str | Path) -> int:
        return self.run("--ca-pipenv", program, "lock").status

    def token(self) -> str:
        return get_token(self.sandbox, self.env, self.folder)

    @contextlib.contextmanager
    def locking(self) -> Iterator[subprocess.Popen[str]]:
        """Start a lock; the block begins when it has requested a package."""
        calls = Calls(self.sandbox)
        with started(PIPENV_CA, "lock", env=self.env, cwd=self.folder) as process:
            wait_for(lambda: calls.count("orb-schema-generator") > 0)
            yield process

    def assert_no_traces(self, token: str) -> None:
        assert_no_secrets(token, self.folder, Path(self.env["HOME"]), self.temporary)
        assert os.listdir(self.temporary) == []


@pytest.fixture
def traced(sandbox: Sandbox, sandbox_env: dict[str, str], project: Path) -> Traced:
    """Return a project with the download caches in the home folder."""
    for name in ("PIPENV_CACHE_DIR", "PIP_CACHE_DIR"):
        del sandbox_env[name]
    return Traced(sandbox, sandbox_env, project)


@pytest.mark.wide
@pytest.mark.parametrize("name", RUNS)
def test_commands_leave_the_token_in_the_cache_only(
    name: str, traced: Traced, tmp_path: Path
) -> None:
    layout, _, is_auto = name.partition(",")
    traced.write(layout)
    if not is_auto:
        traced.env["PIPENV_CA_ROUTE"] = "as-written"  # pipenv gets the token on this route
    token = traced.token()
    with Watch(token, traced.temporary) as watch:
        for number, words in enumerate(RUNS[name]):
            if number == 3:
                traced.sandbox.revoke_tokens()
            done = traced.run(*words.split())
            assert_not_shown(token, done)
            traced.assert_no_traces(token)
            if number < 3:
                assert (done.status == 0) is ("orb-nowhere" not in words), done.output
                assert len(files_with(token, [tmp_path])) == 1  # the cache
    assert watch.holding(token) == set()
    assert watch.modes["folder"] == {0o700}
    holders = {each: modes for each, modes in watch.modes.items() if each.endswith("*")}
    assert {mode for modes in holders.values() for mode in modes} <= {0o600}
    assert is_auto or ("netrc*" in holders) is (layout == "no-credentials")


@pytest.mark.wide
def test_control_c_during_a_lock_leaves_nothing_behind(traced: Traced) -> None:
    before = traced.write().read_bytes()
    token = traced.token()
    calls = Calls(traced.sandbox)
    with Terminal(PIPENV_CA, "lock", env=traced.env, cwd=traced.folder) as terminal:
        wait_for(lambda: calls.count("orb-schema-generator") > 0)
        terminal.type(b"\x03")
        assert terminal.finish() != 0
    assert_not_shown(token, Result(0, terminal.shown, ""))
    traced.assert_no_traces(token)
    assert (traced.folder / "Pipfile").read_bytes() == before
    assert not (traced.folder / "Pipfile.lock").exists()


@pytest.mark.wide
def test_a_signal_during_a_lock_leaves_nothing_behind(traced: Traced) -> None:
    traced.write("no-credentials")
    token = traced.token()
    with traced.locking() as process:
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) != 0
        traced.assert_no_traces(token)
        time.sleep(0.5)  # children of pipenv may live for a moment
        traced.assert_no_traces(token)


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
def test_the_folder_is_removed_while_an_orphan_still_writes(traced: Traced, tmp_path: Path) -> None:
    traced.write()
    assert traced.lock_with(StandIn(tmp_path / "other", afterwards=_WRITES_ON).path) == 0
    assert os.listdir(traced.temporary) == []


@pytest.mark.wide
def test_the_next_run_removes_the_files_of_a_killed_run(traced: Traced) -> None:
    traced.write("no-credentials")
    traced.env["PIPENV_CA_ROUTE"] = "as-written"  # a file holds the token on this route
    token = traced.token()
    with traced.locking() as process:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert files_with(token, [traced.temporary])  # otherwise this test checks nothing
    # The system takes a moment to end the processes and release their locks.
    wait_for(lambda: traced.lock_with("true") == 0 and not os.listdir(traced.temporary))
    traced.assert_no_traces(token)


@pytest.mark.wide
@pytest.mark.parametrize("killed", [False, True], ids=["running", "wrapper-killed"])
def test_a_folder_in_use_is_not_removed(killed: bool, traced: Traced, tmp_path: Path) -> None:
    traced.write()
    long = StandIn(tmp_path / "long", afterwards="time.sleep(60)")
    other = tmp_path / "another project"
    other.mkdir()
    traced.write(folder=other)
    words = (PIPENV_CA, "--ca-pipenv", long.path, "lock")
    with started(*words, env=traced.env, cwd=traced.folder) as process:
        theirs = Path(long.wait_until_run()["environ"]["TMPDIR"])
        if killed:
            process.kill()
            process.wait()
        assert traced._replace(folder=other).lock_with("true") == 0
        assert theirs.is_dir()
        assert set(os.listdir(traced.temporary)) == {theirs.name, f"{theirs.name}.lock"}
