"""Pipfile and lock while a command runs, fails, is killed, or runs twice."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
import tomlkit
from support.programs import PIPENV, PIPENV_CA, Result, run
from support.projects import PYPI_SOURCE, pipfile_hash, source, write_pipfile
from support.runs import StandIn, Terminal, started, wait_for

from codeartifact_pipenv.sandbox.hosts import endpoint_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from codeartifact_pipenv.sandbox.sandbox import Sandbox

ENTRY = 'orb-schema-generator = {version = "==1.0.1", index = "codeartifact"}'
# Changes that a failing pipenv may have made to the files.
DAMAGE = """
place = os.environ.get("PIPENV_PIPFILE", "Pipfile")
with open(place) as file:
    record["pipfile"] = file.read()
with open(place, "a") as file:
    file.write("\\n[dev-packages]\\n")
with open(place + ".lock", "w") as file:
    file.write('{"_meta": {"hash": {"sha2')
"""
SLEEP = "time.sleep(60)"
COMMANDS = {
    "lock": ["lock"],
    "install": ["install", "orb-common"],
    "update": ["update", "orb-schema-generator"],
}


class Team:
    """A project with the public index first and a private repository second.

    Attributes:
        env: the environment of its commands.
        folder: where it is.
        pipfile: its Pipfile.
        lock: its lock, not there at first.
    """

    def __init__(self, sandbox: Sandbox, env: Mapping[str, str], folder: Path) -> None:
        self.env = dict(env)
        self.folder = folder
        self.pipfile = folder / "Pipfile"
        self.lock = folder / "Pipfile.lock"
        lonely = endpoint_for(sandbox.endpoint.domain, "lonely")
        self.text = "\n".join(
            [
                f"# The team's own.\n{PYPI_SOURCE}",
                source(lonely),
                f"[packages]\n# private\n{ENTRY}  # for the build\n",
            ]
        )
        self.pipfile.write_text(self.text)

    def write_lock(self) -> None:
        """Write a lock that is current, as pipenv would."""
        entry = {"hashes": [], "index": "codeartifact", "version": "==1.0.1"}
        document = {
            "_meta": {
                "hash": {"sha256": pipfile_hash(self.text)},
                "pipfile-spec": 6,
                "requires": {},
                "sources": tomlkit.parse(self.text).unwrap()["source"],
            },
            "default": {"orb-schema-generator": entry},
            "develop": {},
        }
        self.lock.write_text(json.dumps(document, indent=4) + "\n")

    def use(self, pipenv: StandIn) -> StandIn:
        """Run a stand-in for pipenv from now on."""
        self.env["PIPENV_CA_PIPENV"] = str(pipenv.path)
        return pipenv

    def __call__(self, *words: str, cwd: Path | None = None, **env: str) -> Result:
        """Run a command."""
        return run(PIPENV_CA, *words, env=self.env | env, cwd=cwd or self.folder)

    @property
    def state(self) -> dict[str, bytes]:
        """Every file of the project outside of its environment, by name."""
        return {
            path.name: path.read_bytes()
            for path in self.folder.iterdir()
            if path.is_file() and path.name != "record.json"
        }

    @property
    def copies(self) -> list[Path]:
        """The files of a run in the folder of the Pipfile, including its lock file."""
        return sorted(self.folder.glob(".*.pipenv-ca-*"))

    def document(self) -> dict[str, Any]:
        """Read the lock."""
        found: dict[str, Any] = json.loads(self.lock.read_text())
        return found

    def check_lock(self, version: str = "==1.0.1") -> None:
        """Check that the lock is what plain pipenv needs: sources, indexes, hash."""
        document, text = self.document(), self.pipfile.read_text()
        assert document["_meta"]["sources"] == tomlkit.parse(text).unwrap()["source"]
        assert document["_meta"]["hash"]["sha256"] == pipfile_hash(text)
        entries = document["default"]
        assert entries["orb-schema-generator"]["version"] == version
        assert {name: entry["index"] for name, entry in entries.items()} == {
            "orb-schema-generator": "codeartifact",
            "orb-common": "codeartifact",
            "six": "pypi",
        }

    def check_untouched(self, before: Mapping[str, bytes]) -> None:
        """Check that nothing is left of a run: copies, temporary files."""
        assert self.state == before
        assert os.listdir(self.env["TMPDIR"]) == []

    def kill(self, *words: str, pipenv: StandIn) -> None:
        """Run a command with a stand-in, and kill both when that has done its damage."""
        self.use(pipenv)
        with started(PIPENV_CA, *words, env=self.env, cwd=self.folder) as process:
            pipenv.wait_until_run()
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
        assert self.copies != []


@pytest.fixture
def team(sandbox: Sandbox, sandbox_env: dict[str, str], project: Path) -> Team:
    """Return the project, without a lock."""
    return Team(sandbox, sandbox_env, project)


# -- failures and signals -------------------------------------------------------------------


@pytest.mark.wide
@pytest.mark.parametrize(
    ("name", "locked"), [*((name, True) for name in COMMANDS), ("lock", False)], ids=str
)
def test_failed_pipenv_leaves_the_files_unchanged(
    name: str, locked: bool, team: Team, tmp_path: Path
) -> None:
    if locked:
        team.write_lock()
    before = team.state
    pipenv = team.use(StandIn(tmp_path / "bin", DAMAGE, "sys.exit(3)"))
    assert team(*COMMANDS[name]).status == 3
    assert "http://127." in pipenv.record["pipfile"]
    assert "amazonaws" not in pipenv.record["pipfile"]
    team.check_untouched(before)


def test_pipenv_that_cannot_start_leaves_the_files_unchanged(team: Team, tmp_path: Path) -> None:
    team.write_lock()
    before = team.state
    broken = tmp_path / "broken"
    broken.write_text("#!/nowhere/at/all\n")
    broken.chmod(0o755)
    done = team("lock", PIPENV_CA_PIPENV=str(broken))
    assert done.status == 127, done.output
    team.check_untouched(before)


@pytest.mark.parametrize(
    ("name", "number"),
    [*((name, signal.SIGTERM) for name in COMMANDS), ("lock", signal.SIGHUP)],
    ids=str,
)
def test_signal_during_a_command_leaves_the_files_unchanged(
    name: str, number: int, team: Team, tmp_path: Path
) -> None:
    team.write_lock()
    before = team.state
    pipenv = team.use(StandIn(tmp_path / "bin", DAMAGE, SLEEP))
    with started(PIPENV_CA, *COMMANDS[name], env=team.env, cwd=team.folder) as process:
        pipenv.wait_until_run()
        assert {name: team.state[name] for name in before} == before
        process.send_signal(number)
        process.communicate(timeout=30)
    assert process.returncode == -number
    team.check_untouched(before)


@pytest.mark.wide
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT], ids=str)
def test_signal_before_pipenv_ends_the_command_and_leaves_nothing(
    number: int, team: Team, tmp_path: Path
) -> None:
    asked = tmp_path / "asked"
    process = f"sh -c 'touch {asked}; exec sleep 60'"
    (tmp_path / "config").write_text(f"[profile slow]\ncredential_process = {process}\n")
    env = {name: value for name, value in team.env.items() if "AWS_ACCESS_KEY" not in name}
    env |= {"AWS_CONFIG_FILE": str(tmp_path / "config"), "AWS_PROFILE": "slow"}
    before = team.state
    with started(PIPENV_CA, "lock", env=env, cwd=team.folder) as process_:
        wait_for(asked.exists)
        assert team.copies != []
        process_.send_signal(number)
        process_.communicate(timeout=30)
    assert process_.returncode in {-number, 128 + number}
    assert team.state == before


def test_signal_while_waiting_keeps_the_lock_of_the_other_command(
    team: Team, tmp_path: Path
) -> None:
    pipenv = team.use(StandIn(tmp_path / "bin", "", SLEEP))
    with started(PIPENV_CA, "lock", env=team.env, cwd=team.folder) as first:
        pipenv.wait_until_run()
        copies = team.copies
        with started(PIPENV_CA, "lock", env=team.env, cwd=team.folder) as second:
            assert second.stderr is not None
            assert "waiting for it" in second.stderr.readline()
            second.terminate()
            second.communicate(timeout=30)
        assert second.returncode == -signal.SIGTERM
        assert team.copies == copies
        first.terminate()
        first.communicate(timeout=30)


def test_control_c_during_a_lock_leaves_the_files_unchanged(team: Team, tmp_path: Path) -> None:
    team.write_lock()
    before = team.state
    pipenv = team.use(StandIn(tmp_path / "bin", DAMAGE, SLEEP))
    with Terminal(PIPENV_CA, "lock", env=team.env, cwd=team.folder) as terminal:
        pipenv.wait_until_run()
        terminal.type(b"\x03")
        assert terminal.finish() in {-signal.SIGINT, 130, 1}
    team.check_untouched(before)


def test_interrupted_command_has_no_fallback_and_no_explanation(team: Team, tmp_path: Path) -> None:
    handled = "signal.signal(signal.SIGINT, lambda *_: os._exit(1))"
    pipenv = team.use(StandIn(tmp_path / "bin", handled, SLEEP))
    words = ["--ca-fallback", "install", "orb-common"]
    with started(PIPENV_CA, *words, env=team.env, cwd=team.folder) as process:
        pipenv.wait_until_run()
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=30) == ("", "")
    assert process.returncode == 1
    assert pipenv.record["argv"] == ["install", "orb-common"]


@pytest.mark.wide
@pytest.mark.parametrize(
    ("name", "way"),
    [("lock", "ctrl-C"), ("install", "SIGTERM"), ("install", "SIGKILL"), ("update", "SIGKILL")],
)
def test_interrupted_resolution_of_real_pipenv_leaves_the_files_unchanged(
    name: str, way: str, sandbox: Sandbox, team: Team
) -> None:
    if way == "SIGKILL":
        assert team("lock").status == 0
    else:
        team.write_lock()
    before, words = team.state, COMMANDS[name]
    sandbox.delay(2.0)  # so that a busy machine finds it at work
    asked = sandbox.count("orb-schema-generator") + sandbox.count("orb-common")

    def is_resolving() -> bool:
        assert {name: team.state[name] for name in before} == before
        return sandbox.count("orb-schema-generator") + sandbox.count("orb-common") > asked

    if way == "ctrl-C":
        with Terminal(PIPENV_CA, *words, env=team.env, cwd=team.folder) as terminal:
            wait_for(is_resolving)
            terminal.type(b"\x03")
            assert terminal.finish() != 0
    else:
        number = getattr(signal, way) if way == "SIGTERM" else signal.SIGKILL
        with started(PIPENV_CA, *words, env=team.env, cwd=team.folder) as process:
            wait_for(is_resolving)
            if number == signal.SIGKILL:
                os.killpg(process.pid, number)
            else:
                process.send_signal(number)
            process.communicate(timeout=60)
        assert process.returncode != 0
    sandbox.heal()
    if way == "SIGKILL":
        assert {name: team.state[name] for name in before} == before
        done = team("sync")
        assert (done.status, "warning: " in done.stderr) == (0, False), done.output
        team.check_lock()
    team.check_untouched(before)


# -- SIGKILL and what follows ---------------------------------------------------------------


@pytest.mark.wide
@pytest.mark.parametrize(
    "words",
    [
        ["lock"],
        ["sync"],
        ["run", "pip", "install", "six"],
        ["--version"],
        ["lint"],
        ["run", "true"],
    ],
    ids=str,
)
def test_next_command_removes_the_copies_of_a_killed_one(
    words: list[str], team: Team, tmp_path: Path
) -> None:
    team.write_lock()
    before = team.state
    team.kill("lock", pipenv=StandIn(tmp_path / "killed", DAMAGE, SLEEP))
    assert {name: team.state[name] for name in before} == before
    team.use(StandIn(tmp_path / "next"))
    (tmp_path / "other home").mkdir()
    (tmp_path / "no folder").touch()
    elsewhere = {
        "HOME": str(tmp_path / "other home"),
        "PIPENV_CA_CACHE_DIR": str(tmp_path / "no folder" / "cache"),
    }
    done = run(PIPENV_CA, *words, env=team.env | elsewhere, cwd=team.folder)
    assert "killed" not in done.stderr, done.stderr
    team.check_untouched(before)


@pytest.mark.wide
def test_assistant_and_completion_remove_no_copies(team: Team, tmp_path: Path) -> None:
    team.write_lock()
    before = team.state
    team.kill("lock", pipenv=StandIn(tmp_path / "killed", DAMAGE, SLEEP))
    team.use(StandIn(tmp_path / "next"))
    left = team.state
    look = "from codeartifact_pipenv.assistant.diagnosis import diagnose\n"
    look += "assert 'findings' in diagnose([], '.', [], online=False)['lint']"
    assert run(sys.executable, "-c", look, env=team.env, cwd=team.folder).status == 0
    tab = {"_PIPENV_CA_COMPLETE": "fish_complete", "COMP_WORDS": "pipenv-ca\nlint\n--onl"}
    done = run(PIPENV_CA, env=team.env | tab, cwd=team.folder)
    assert done.stdout.startswith("--online")
    assert team.state == left != before
    team("lint")
    assert team.state == before


def test_command_in_a_subdirectory_removes_copies(team: Team, tmp_path: Path) -> None:
    before = team.state
    below = team.folder / "below"
    below.mkdir()
    named = {"PIPENV_PIPFILE": str(team.pipfile)}
    for env, cwd in (({}, below), (named, tmp_path)):
        team.kill("lock", pipenv=StandIn(tmp_path / "killed", "", SLEEP))
        (tmp_path / "killed" / "record.json").unlink()
        team.use(StandIn(tmp_path / "next"))
        assert run(PIPENV_CA, "graph", env=team.env | env, cwd=cwd).status == 0
        assert team.state == before


def test_offline_command_does_not_disturb_a_running_one(team: Team, tmp_path: Path) -> None:
    team.write_lock()
    before = team.state
    pipenv = team.use(StandIn(tmp_path / "bin", "", SLEEP))
    with started(PIPENV_CA, "lock", env=team.env, cwd=team.folder) as process:
        pipenv.wait_until_run()
        copies = team.copies
        other = team.use(StandIn(tmp_path / "other"))
        for words in (["lint"], ["graph"]):
            assert team(*words).stderr == ""
        assert other.was_run
        assert team.copies == copies != []
        process.terminate()
        process.communicate(timeout=30)
    team.check_untouched(before)


def test_next_command_waits_for_a_pipenv_whose_wrapper_was_killed(
    team: Team, tmp_path: Path
) -> None:
    team.write_lock()
    before = team.state
    go_on = tmp_path / "go on"
    wait = f"while not os.path.exists({str(go_on)!r}): time.sleep(0.01)"
    pipenv = team.use(StandIn(tmp_path / "bin", "", f"{wait}\n{DAMAGE}"))
    with started(PIPENV_CA, "lock", env=team.env, cwd=team.folder) as process:
        pipenv.wait_until_run()
        process.kill()
        process.wait()
        following = team.use(StandIn(tmp_path / "next"))
        with started(PIPENV_CA, "lock", env=team.env, cwd=team.folder) as second:
            assert second.stderr is not None
            assert "waiting for it" in second.stderr.readline()
            assert not following.was_run
            go_on.touch()
            second.communicate(timeout=30)
        assert second.returncode == 0
    team.check_untouched(before)


# Makes flock fail with ENOLCK, as on a file system without locks.
NO_LOCKS = """
import errno, fcntl
def flock(descriptor, operation):
    raise OSError(errno.ENOLCK, "No locks available")
fcntl.flock = flock
"""


@pytest.fixture
def no_locks(team: Team, tmp_path: Path) -> Team:
    """Put the project on a file system without locks."""
    folder = tmp_path / "without locks"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(NO_LOCKS)
    team.env["PYTHONPATH"] = str(folder)
    return team


def test_commands_without_locks_keep_the_copies_of_each_other(
    no_locks: Team, tmp_path: Path
) -> None:
    team = no_locks
    team.write_lock()
    before = team.state
    go_on = tmp_path / "go on"
    wait = f"while not os.path.exists({str(go_on)!r}): time.sleep(0.01)"
    check = 'open(os.environ["PIPENV_PIPFILE"] + ".lock").close()'
    first = team.use(StandIn(tmp_path / "first", "", f"{wait}\n{check}"))
    with started(PIPENV_CA, "lock", env=team.env, cwd=team.folder) as one:
        first.wait_until_run()
        second = team.use(StandIn(tmp_path / "second"))
        done = team("lock")
        assert (done.status, second.was_run) == (0, True), done.output
        go_on.touch()
        _, said = one.communicate(timeout=30)
    assert one.returncode == 0, said
    team.check_untouched(before)


def test_copies_without_locks_are_removed_after_a_day(no_locks: Team, tmp_path: Path) -> None:
    team = no_locks
    before = team.state
    team.kill("lock", pipenv=StandIn(tmp_path / "killed", "", SLEEP))
    team.use(StandIn(tmp_path / "next"))
    assert team("graph").status == 0
    assert len([path for path in team.copies if not path.name.endswith("-lock")]) == 1
    for path in team.copies:
        os.utime(path, (time.time() - 90000,) * 2)
    assert team("graph").status == 0
    assert team.state == before


# -- two at once ----------------------------------------------------------------------------


@pytest.mark.wide
@pytest.mark.parametrize("second", ["lock", "sync", "pip"])
def test_second_command_waits_and_sees_the_files_of_the_user(
    second: str, team: Team, tmp_path: Path
) -> None:
    team.write_lock()
    before = team.state
    go_on = tmp_path / "go on"
    wait = f"while not os.path.exists({str(go_on)!r}): time.sleep(0.01)"
    first = team.use(StandIn(tmp_path / "first", "", wait))
    words = ["run", "pip", "install", "orb-common"] if second == "pip" else [second]
    with started(PIPENV_CA, "lock", env=team.env, cwd=team.folder) as one:
        first.wait_until_run()
        assert {name: team.state[name] for name in before} == before
        other = team.use(StandIn(tmp_path / "second"))
        with started(PIPENV_CA, *words, env=team.env, cwd=team.folder) as two:
            assert two.stderr is not None
            said = two.stderr.readline()
            assert not other.was_run
            go_on.touch()
            two.communicate(timeout=30)
        one.communicate(timeout=30)
    assert said == "warning: Another pipenv-ca works on this project; waiting for it.\n"
    assert (one.returncode, two.returncode) == (0, 0)
    # It uses only the proxy index of this run.
    netrc = other.record["environ"].get("NETRC")
    assert netrc is not None, sorted(other.record["environ"])
    if second == "pip":
        assert other.record["environ"]["PIP_INDEX_URL"].startswith("http://127.")
    team.check_untouched(before)


@pytest.mark.wide
def test_two_locks_at_once_both_succeed(team: Team) -> None:
    before = team.pipfile.read_bytes()
    both = [
        subprocess.Popen(
            [PIPENV_CA, "lock"],
            env=team.env,
            cwd=team.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for _ in range(2)
    ]
    outputs = [process.communicate(timeout=120) for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    assert sum(b"waiting for it" in error for _, error in outputs) == 1
    assert team.pipfile.read_bytes() == before
    team.check_lock()


@pytest.mark.wide
@pytest.mark.parametrize("command", ["run", "shell"])
def test_program_with_the_token_does_not_lock_the_project(
    command: str, team: Team, tmp_path: Path
) -> None:
    team.write_lock()
    server = team.use(StandIn(tmp_path / "server", "", SLEEP))
    words = ["--ca-run-token", *(["run", "server"] if command == "run" else ["shell"])]
    with started(PIPENV_CA, *words, env=team.env, cwd=team.folder):
        server.wait_until_run()
        inner = team.use(StandIn(tmp_path / "inner"))
        with started(PIPENV_CA, "lock", env=team.env, cwd=team.folder) as process:
            wait_for(lambda: inner.was_run, 15)
            process.communicate(timeout=30)
        assert process.returncode == 0


@pytest.mark.wide
def test_lock_and_update_at_once_end_in_files_that_agree(team: Team) -> None:
    assert team("lock").status == 0
    for pause in (0.3, 0.9):
        team.pipfile.write_text(team.text)
        with started(PIPENV_CA, "lock", env=team.env, cwd=team.folder) as process:
            time.sleep(pause)
            done = team("update", "orb-schema-generator")
            process.communicate(timeout=120)
        assert (process.returncode, done.status) == (0, 0), done.output
        team.check_lock("==1.1.0")
        assert team.copies == []


# -- Pipfiles of every kind -----------------------------------------------------------------

# The entry that an update writes.
UPDATED = '{version = "*", index = "codeartifact"}'


def _with_entry(text: bytes) -> bytes:
    old = b'{version = "==1.0.1", index = "codeartifact"}'
    assert old in text
    return text.replace(old, UPDATED.encode())


@pytest.mark.wide
@pytest.mark.parametrize("kind", ["crlf", "read-only", "link"])
def test_mode_link_newlines_and_comments_of_a_pipfile_survive(
    kind: str, team: Team, tmp_path: Path
) -> None:
    place = team.pipfile
    lock = team.folder / "Pipfile.lock"
    if kind == "crlf":
        place.write_bytes(team.text.replace("\n", "\r\n").encode())
        assert team("lock").status == 0
        lock.write_bytes(lock.read_bytes().replace(b"\n", b"\r\n"))
    elif kind == "read-only":
        place.chmod(0o444)
    else:
        place = tmp_path / "elsewhere" / "Pipfile.of.the.team"
        place.parent.mkdir()
        team.pipfile.rename(place)
        team.pipfile.symlink_to(place)
    before, mode = place.read_bytes(), place.stat().st_mode
    done = team("lock")
    assert done.status == 0, done.output
    assert place.read_bytes() == before
    team.check_lock()
    done = team("update", "orb-schema-generator")
    assert done.status == 0, done.output
    assert place.read_bytes() == _with_entry(before)
    team.check_lock("==1.1.0")
    assert (b"\r\n" in lock.read_bytes()) == (kind == "crlf")
    assert place.stat().st_mode == mode
    assert (team.folder / "Pipfile").is_symlink() == (kind == "link")
    with contextlib.suppress(FileNotFoundError):
        assert "http://127." not in (team.folder / "Pipfile.lock").read_text()
    kept = {".venv", ".gitignore"}
    assert {p.name for p in place.parent.iterdir() if p.name.startswith(".")} <= kept


@pytest.mark.wide
def test_lock_of_names_that_are_not_normalised_is_current(
    sandbox: Sandbox, sandbox_env: dict[str, str], project: Path
) -> None:
    entries = '[packages]\nOrb_Common = "*"\n\n[docs]\nSix = "*"\n'
    write_pipfile(project, PYPI_SOURCE, source(sandbox.endpoint), entries)
    for words in (
        ["lock"],
        ["install", "orb-schema-generator"],
        ["upgrade", "Orb.Schema.Generator"],
    ):
        done = run(PIPENV_CA, *words, env=sandbox_env, cwd=project)
        assert done.status == 0, done.output
        checked = run(PIPENV, "verify", env=sandbox_env, cwd=project)
        assert checked.status == 0, f"{words}: {checked.output}"


# -- what its user edits meanwhile ----------------------------------------------------------

# A pipenv that installs orb-common: the entry and the lock.
INSTALLS = """
place = os.environ["PIPENV_PIPFILE"]
with open(place) as file:
    text = file.read()
with open(place, "w") as file:
    file.write(text.replace("[packages]\\n", '[packages]\\norb-common = "*"\\n'))
"""
LOCKS = """
with open(os.environ["PIPENV_PIPFILE"] + ".lock") as file:
    document = json.load(file)
document["default"]["orb-common"] = {"version": "==1.2.0", "hashes": []}
with open(os.environ["PIPENV_PIPFILE"] + ".lock", "w") as file:
    json.dump(document, file)
"""


def edits(path: str, old: str, new: str) -> str:
    """Return what the user does meanwhile: another text in a file."""
    return f"""
with open({path!r}) as file:
    text = file.read()
with open({path!r} + ".new", "w") as file:
    file.write(text.replace({old!r}, {new!r}))
os.rename({path!r} + ".new", {path!r})
"""


MORE = edits("Pipfile", "[packages]\n", '[packages]\nattrs = "*"\n')


def test_edit_during_a_lock_is_kept_with_a_warning(team: Team, tmp_path: Path) -> None:
    team.write_lock()
    team.use(StandIn(tmp_path / "bin", MORE + LOCKS))
    done = team("lock")
    assert done.status == 0, done.output
    assert team.pipfile.read_text() == team.text.replace("[packages]", '[packages]\nattrs = "*"')
    assert team.document()["_meta"]["hash"]["sha256"] == pipfile_hash(team.text)
    assert team.document()["default"]["orb-common"]["version"] == "==1.2.0"
    assert "Pipfile has changed while this ran" in done.stderr
    assert run(PIPENV, "verify", env=team.env, cwd=team.folder).status == 1
    assert team.copies == []


def test_comment_during_a_lock_gives_no_warning(team: Team, tmp_path: Path) -> None:
    team.write_lock()
    team.use(StandIn(tmp_path / "bin", edits("Pipfile", "# private", "# secret") + LOCKS))
    done = team("lock")
    assert (done.status, done.stderr) == (0, "")
    assert team.pipfile.read_text() == team.text.replace("# private", "# secret")


@pytest.mark.wide
@pytest.mark.parametrize("way", ["fails", "is killed"])
def test_edit_during_a_failed_command_is_kept(way: str, team: Team, tmp_path: Path) -> None:
    team.write_lock()
    before = team.state
    if way == "fails":
        team.use(StandIn(tmp_path / "bin", INSTALLS + MORE + LOCKS, "sys.exit(3)"))
        assert team("install", "orb-common").status == 3
    else:
        pipenv = StandIn(tmp_path / "bin", INSTALLS + MORE + LOCKS, SLEEP)
        team.kill("install", "orb-common", pipenv=pipenv)
        team.use(StandIn(tmp_path / "next"))
        team("--version")
    edited = team.text.replace("[packages]", '[packages]\nattrs = "*"')
    assert team.state == before | {"Pipfile": edited.encode()}


def test_install_adds_its_package_to_an_edited_pipfile(team: Team, tmp_path: Path) -> None:
    team.write_lock()
    team.use(StandIn(tmp_path / "bin", INSTALLS + MORE + LOCKS))
    done = team("install", "orb-common")
    assert done.status == 0, done.output
    text = team.pipfile.read_text()
    document = tomlkit.parse(text).unwrap()
    assert document["packages"].keys() == {"attrs", "orb-common", "orb-schema-generator"}
    locked = tomlkit.parse(team.text)
    locked["packages"]["orb-common"] = document["packages"]["orb-common"]
    assert team.document()["_meta"]["hash"]["sha256"] == pipfile_hash(tomlkit.dumps(locked))
    assert "Pipfile has changed while this ran" in done.stderr


@pytest.mark.wide
@pytest.mark.parametrize(
    ("there", "said"),
    [
        ('orb-common = "==1.0"\n', "was edited while this ran"),
        ('Orb_Common = "==1.0"\n', "was edited while this ran"),
        ("orb-common = ", "was edited while this ran"),  # half written
    ],
)
def test_entry_edited_by_the_user_is_kept_with_a_warning(
    there: str, said: str, team: Team, tmp_path: Path
) -> None:
    team.write_lock()
    edit = edits("Pipfile", "[packages]\n", f"[packages]\n{there}")
    team.use(StandIn(tmp_path / "bin", INSTALLS + edit + LOCKS))
    done = team("install", "orb-common")
    assert done.status == 0, done.output
    assert team.pipfile.read_text() == team.text.replace("[packages]\n", f"[packages]\n{there}")
    assert said in done.stderr
    assert "would have written: orb-common = " in done.stderr
    assert "in [packages]" in done.stderr


@pytest.mark.wide
def test_removed_pipfile_stays_removed_with_a_warning(team: Team, tmp_path: Path) -> None:
    team.write_lock()
    team.use(StandIn(tmp_path / "bin", f"{INSTALLS}{LOCKS}os.unlink('Pipfile')\n"))
    done = team("install", "orb-common")
    assert done.status == 0, done.output
    assert not team.pipfile.exists()
    assert "would have written: orb-common = " in done.stderr


def test_entry_removed_by_user_and_command_gives_no_warning(team: Team, tmp_path: Path) -> None:
    team.write_lock()
    line = f"{ENTRY}  # for the build\n"
    both = edits("Pipfile", line, "")
    removes = f"os.chdir(os.path.dirname(os.environ['PIPENV_PIPFILE']))\n{both}"
    removes += both.replace("'Pipfile'", "os.environ['PIPENV_PIPFILE']")
    team.use(StandIn(tmp_path / "bin", removes))
    done = team("uninstall", "orb-schema-generator")
    assert (done.status, done.stderr) == (0, "")
    assert team.pipfile.read_text() == team.text.replace(line, "")


def test_changed_lock_is_merged_with_the_result(team: Team, tmp_path: Path) -> None:
    team.write_lock()
    other = '"attrs": {"version": "==25.1"}, "orb-schema-generator"'
    team.use(
        StandIn(tmp_path / "bin", LOCKS + edits("Pipfile.lock", '"orb-schema-generator"', other))
    )
    done = team("lock")
    assert done.status == 0, done.output
    versions = {name: entry["version"] for name, entry in team.document()["default"].items()}
    assert versions == {
        "attrs": "==25.1",
        "orb-common": "==1.2.0",
        "orb-schema-generator": "==1.0.1",
    }
    assert "Pipfile.lock has changed while this ran. Run `pipenv-ca lock`" in done.stderr


def test_locked_package_changed_by_another_program_is_kept(team: Team, tmp_path: Path) -> None:
    team.write_lock()
    upgrade = LOCKS.replace('"orb-common"', '"orb-schema-generator"')
    team.use(StandIn(tmp_path / "bin", upgrade + edits("Pipfile.lock", "==1.0.1", "==1.1.0")))
    done = team("lock")
    assert done.status == 0, done.output
    assert team.document()["default"]["orb-schema-generator"]["version"] == "==1.1.0"
    assert "its entries for orb-schema-generator are kept" in done.stderr


def test_lock_with_merge_marks_is_not_updated(team: Team, tmp_path: Path) -> None:
    team.write_lock()
    marks = "<<<<<<< HEAD\n{"
    team.use(StandIn(tmp_path / "bin", LOCKS + edits("Pipfile.lock", "{\n", marks)))
    done = team("lock")
    assert done.status == 0, done.output
    assert team.lock.read_text().startswith(marks)
    assert "is not valid, so it was not updated" in done.stderr


def test_file_that_cannot_be_written_leaves_all_files_unchanged(team: Team, tmp_path: Path) -> None:
    team.write_lock()
    taken = "os.rename('Pipfile.lock', 'kept'); os.mkdir('Pipfile.lock')\n"
    team.use(StandIn(tmp_path / "bin", INSTALLS + LOCKS + taken))
    done = team("install", "orb-common")
    assert done.status == 2, done.output
    assert "Pipfile.lock cannot be" in done.stderr
    assert team.pipfile.read_text() == team.text
    assert team.copies == []


# -- folders that cannot be written ---------------------------------------------------------


def as_owner_only() -> list[str]:
    """Return words before a command for which modes hold: root's do not, but for these."""
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("modes do not hold for root")
    return ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]


@pytest.fixture
def read_only(team: Team) -> Iterator[Team]:
    """Lock the project, keep its environment elsewhere, and make its folder read-only."""
    team.env |= {"PIPENV_VENV_IN_PROJECT": ""}
    done = team("lock")
    assert done.status == 0, done.output
    team.folder.chmod(0o555)
    yield team
    team.folder.chmod(0o755)


@pytest.mark.wide
def test_read_only_folder_allows_sync_and_refuses_lock(read_only: Team) -> None:
    team = read_only
    before = team.state
    for words in ("sync", "install --deploy", "verify", "requirements", "graph"):
        done = run(*as_owner_only(), PIPENV_CA, *words.split(), env=team.env, cwd=team.folder)
        assert done.status == 0, (words, done.output)
        assert team.state == before
    done = run(*as_owner_only(), PIPENV_CA, "lock", env=team.env, cwd=team.folder)
    assert done.status == 2, done.output
    assert f"Cannot write a file in the folder of {team.pipfile}: Permission denied." in done.stderr
    assert done.stderr.count("hint: ") == 1
    assert team.state == before
