"""What becomes of Pipfile and lock when a command fails, is interrupted, killed, or doubled."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import tomlkit
from support import PIPENV, PIPENV_CA, PYPI_SOURCE, Result, pipfile_hash, run, source, write_pipfile
from support_runs import StandIn, Terminal, started, wait_for

from codeartifact_pipenv.sandbox.hosts import endpoint_for

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codeartifact_pipenv.sandbox.sandbox import Sandbox

ENTRY = 'orb-schema-generator = {version = "==1.0.1", index = "codeartifact"}'
# What a pipenv may have done to the files by the time it ends badly.
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


class Guarded:
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
    def journals(self) -> list[Path]:
        """The journals that are there."""
        return list(Path(self.env["PIPENV_CA_CACHE_DIR"]).glob("journal/*.json"))

    @property
    def is_staged(self) -> bool:
        """Whether the Pipfile leads to loopback."""
        return "http://127." in self.pipfile.read_text()

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
        """Check that nothing is left of a run: files, journal, temporary files."""
        assert self.state == before
        assert self.journals == []
        assert os.listdir(self.env["TMPDIR"]) == []

    def kill(self, *words: str, pipenv: StandIn) -> None:
        """Run a command with a stand-in, and kill both when that has done its damage."""
        self.use(pipenv)
        with started(PIPENV_CA, *words, env=self.env, cwd=self.folder) as process:
            pipenv.wait_until_run()
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
        assert len(self.journals) == 1


@pytest.fixture
def guarded(sandbox: Sandbox, sandbox_env: dict[str, str], project: Path) -> Guarded:
    """Return the project, without a lock."""
    return Guarded(sandbox, sandbox_env, project)


# -- failures and signals -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "locked"), [*((name, True) for name in COMMANDS), ("lock", False)], ids=str
)
def test_failure_leaves_the_files_alone(
    name: str, locked: bool, guarded: Guarded, tmp_path: Path
) -> None:
    """Whatever a pipenv has done to the files, when it fails they are as they were."""
    if locked:
        guarded.write_lock()
    before = guarded.state
    pipenv = guarded.use(StandIn(tmp_path / "bin", DAMAGE, "sys.exit(3)"))
    assert guarded(*COMMANDS[name]).status == 3
    assert "http://127." in pipenv.record["pipfile"]
    assert "amazonaws" not in pipenv.record["pipfile"]
    guarded.check_untouched(before)


def test_stand_in_that_cannot_start(guarded: Guarded, tmp_path: Path) -> None:
    """When pipenv cannot be started at all, the files are as they were."""
    guarded.write_lock()
    before = guarded.state
    broken = tmp_path / "broken"
    broken.write_text("#!/nowhere/at/all\n")
    broken.chmod(0o755)
    done = guarded("lock", PIPENV_CA_PIPENV=str(broken))
    assert done.status == 127, done.output
    guarded.check_untouched(before)


@pytest.mark.parametrize(
    ("name", "number"),
    [*((name, signal.SIGTERM) for name in COMMANDS), ("lock", signal.SIGHUP)],
    ids=str,
)
def test_signal_leaves_the_files_alone(
    name: str, number: int, guarded: Guarded, tmp_path: Path
) -> None:
    """A signal in the middle of a command ends it, and the files are as they were."""
    guarded.write_lock()
    before = guarded.state
    pipenv = guarded.use(StandIn(tmp_path / "bin", DAMAGE, SLEEP))
    with started(PIPENV_CA, *COMMANDS[name], env=guarded.env, cwd=guarded.folder) as process:
        pipenv.wait_until_run()
        assert guarded.is_staged
        process.send_signal(number)
        process.communicate(timeout=30)
    assert process.returncode == -number
    guarded.check_untouched(before)


def test_control_c_leaves_the_files_alone(guarded: Guarded, tmp_path: Path) -> None:
    """Ctrl-C on a terminal in the middle of a lock leaves the files as they were."""
    guarded.write_lock()
    before = guarded.state
    pipenv = guarded.use(StandIn(tmp_path / "bin", DAMAGE, SLEEP))
    with Terminal(PIPENV_CA, "lock", env=guarded.env, cwd=guarded.folder) as terminal:
        pipenv.wait_until_run()
        terminal.type(b"\x03")
        assert terminal.finish() in {-signal.SIGINT, 130, 1}
    guarded.check_untouched(before)


def test_interrupted_command_is_not_gone_on_with(guarded: Guarded, tmp_path: Path) -> None:
    """After an interruption pip installs nothing instead, and no failure is explained."""
    handled = "signal.signal(signal.SIGINT, lambda *_: os._exit(1))"
    pipenv = guarded.use(StandIn(tmp_path / "bin", handled, SLEEP))
    words = ["--ca-fallback", "install", "orb-common"]
    with started(PIPENV_CA, *words, env=guarded.env, cwd=guarded.folder) as process:
        pipenv.wait_until_run()
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=30) == ("", "")
    assert process.returncode == 1
    assert pipenv.record["argv"] == ["install", "orb-common"]


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="processes are found in /proc")
@pytest.mark.wide
def test_real_failure(guarded: Guarded) -> None:
    """An install of an unknown package by the real pipenv leaves Pipfile and lock alone."""
    before = guarded.state
    done = guarded("install", "orb-no-such-package")
    assert done.status == 1, done.output
    guarded.check_untouched(before)


@pytest.mark.wide
@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("way", ["ctrl-C", "SIGTERM", "SIGKILL"])
def test_real_interruption(name: str, way: str, sandbox: Sandbox, guarded: Guarded) -> None:
    """The real pipenv, interrupted while it resolves, leaves the files as they were.

    After SIGKILL it is the next command that puts them right.
    """
    assert guarded("lock").status == 0
    before, words = guarded.state, COMMANDS[name]
    asked = sandbox.count("orb-schema-generator") + sandbox.count("orb-common")

    def is_resolving() -> bool:
        now = sandbox.count("orb-schema-generator") + sandbox.count("orb-common")
        return now > asked and guarded.is_staged

    if way == "ctrl-C":
        with Terminal(PIPENV_CA, *words, env=guarded.env, cwd=guarded.folder) as terminal:
            wait_for(is_resolving)
            terminal.type(b"\x03")
            assert terminal.finish() != 0
    else:
        number = getattr(signal, way) if way == "SIGTERM" else signal.SIGKILL
        with started(PIPENV_CA, *words, env=guarded.env, cwd=guarded.folder) as process:
            wait_for(is_resolving)
            if number == signal.SIGKILL:
                os.killpg(process.pid, number)
            else:
                process.send_signal(number)
            process.communicate(timeout=60)
        assert process.returncode != 0
    if way == "SIGKILL":
        assert guarded.is_staged
        assert "warning: " in guarded("sync").stderr
        guarded.check_lock()
    guarded.check_untouched(before)


# -- SIGKILL and what follows ---------------------------------------------------------------


@pytest.mark.wide
def test_looks_restore_nothing(guarded: Guarded, tmp_path: Path) -> None:
    """An assistant's look and a tab leave what a killed run has left; any other verb restores it."""
    guarded.write_lock()
    before = guarded.state
    guarded.kill("lock", pipenv=StandIn(tmp_path / "killed", DAMAGE, SLEEP))
    guarded.use(StandIn(tmp_path / "next"))
    torn = guarded.state
    assert torn != before
    look = "from codeartifact_pipenv.assistant.diagnosis import diagnose\n"
    look += "assert 'findings' in diagnose([], '.', [], online=False)['lint']"
    assert run(sys.executable, "-c", look, env=guarded.env, cwd=guarded.folder).status == 0
    tab = {"_PIPENV_CA_COMPLETE": "fish_complete", "COMP_WORDS": "pipenv-ca\nlint\n--onl"}
    done = run(PIPENV_CA, env=guarded.env | tab, cwd=guarded.folder)
    assert done.stdout.startswith("--online")
    assert guarded.state == torn
    assert "killed" in guarded("lint").stderr
    assert guarded.state == before


@pytest.mark.parametrize("command", ["lock", "sync", "run"])
def test_next_run_restores(command: str, guarded: Guarded, tmp_path: Path) -> None:
    """What a killed run has left torn is put right by the next command, which says so once."""
    guarded.write_lock()
    before = guarded.state
    guarded.kill("lock", pipenv=StandIn(tmp_path / "killed", DAMAGE, SLEEP))
    assert guarded.is_staged
    assert guarded.state != before
    after = guarded.use(StandIn(tmp_path / "next", 'record["pipfile"] = open("Pipfile").read()'))
    words = ["run", "pip", "install", "six"] if command == "run" else [command]
    done = guarded(*words)
    assert done.status == 0, done.output
    warnings = [line for line in done.stderr.splitlines() if line.startswith("warning: ")]
    assert len(warnings) == 1, done.stderr
    assert "Pipfile" in warnings[0]
    assert "killed" in warnings[0]
    assert "dev-packages" not in after.record["pipfile"]
    guarded.check_untouched(before)
    assert guarded(*words).stderr == ""


@pytest.mark.wide
@pytest.mark.parametrize("words", [["--version"], ["lint"], ["run", "true"]], ids=str)
def test_any_next_command_restores(words: list[str], guarded: Guarded, tmp_path: Path) -> None:
    """The next command puts things right also where it needs no index, or is our own."""
    guarded.write_lock()
    before = guarded.state
    guarded.kill("lock", pipenv=StandIn(tmp_path / "killed", DAMAGE, SLEEP))
    guarded.use(StandIn(tmp_path / "next"))
    assert guarded(*words).stderr.count("torn by a killed run") == 1
    guarded.check_untouched(before)
    assert "killed" not in guarded(*words).stderr


def test_command_beside_a_run_restores_nothing(guarded: Guarded, tmp_path: Path) -> None:
    """A command that needs no index neither waits for a run that lives nor disturbs it."""
    guarded.write_lock()
    before = guarded.state
    pipenv = guarded.use(StandIn(tmp_path / "bin", "", SLEEP))
    with started(PIPENV_CA, "lock", env=guarded.env, cwd=guarded.folder) as process:
        pipenv.wait_until_run()
        other = guarded.use(StandIn(tmp_path / "other"))
        for words in (["lint"], ["graph"]):
            assert guarded(*words).stderr == ""
        assert other.was_run
        assert guarded.is_staged
        process.terminate()
        process.communicate(timeout=30)
    guarded.check_untouched(before)


def test_next_run_restores_without_a_lock(guarded: Guarded, tmp_path: Path) -> None:
    """A lock that a killed run began and that was not there before is gone again."""
    before = guarded.state
    guarded.kill("lock", pipenv=StandIn(tmp_path / "killed", DAMAGE, SLEEP))
    assert guarded.lock.exists()
    guarded.use(StandIn(tmp_path / "next"))
    assert guarded("lock").status == 0
    guarded.check_untouched(before)


@pytest.mark.parametrize("left", ['[packages]\nhalf = {version = "', ""], ids=["half", "empty"])
def test_next_run_restores_a_broken_pipfile(left: str, guarded: Guarded, tmp_path: Path) -> None:
    """A Pipfile that was being written when its run was killed is put right, too."""
    guarded.write_lock()
    before = guarded.state
    behaviour = f'open("Pipfile", "w").write({left!r})'
    guarded.kill("lock", pipenv=StandIn(tmp_path / "killed", behaviour, SLEEP))
    guarded.use(StandIn(tmp_path / "next"))
    done = guarded("lock")
    assert done.status == 0, done.output
    guarded.check_untouched(before)


def test_edit_after_the_kill_is_kept(guarded: Guarded, tmp_path: Path) -> None:
    """A Pipfile that its user has written anew since the kill is not overwritten."""
    guarded.write_lock()
    before = guarded.state
    guarded.kill("lock", pipenv=StandIn(tmp_path / "killed", DAMAGE, SLEEP))
    edited = guarded.text + 'six = "*"\n'
    guarded.pipfile.write_text(edited)
    later = time.time() + 60
    os.utime(guarded.pipfile, (later, later))
    guarded.use(StandIn(tmp_path / "next"))
    done = guarded("lock")
    assert done.status == 0, done.output
    assert guarded.pipfile.read_text() == edited
    assert guarded.lock.read_bytes() == before["Pipfile.lock"]
    assert guarded.journals == []


def test_edit_of_the_staged_pipfile_is_kept(guarded: Guarded, tmp_path: Path) -> None:
    """Who edits the file that a kill has left keeps his edit, and gets his sources back."""
    guarded.write_lock()
    guarded.kill("lock", pipenv=StandIn(tmp_path / "killed", "", SLEEP))
    guarded.pipfile.write_text(guarded.pipfile.read_text() + 'six = "*"\n')
    later = time.time() + 60
    os.utime(guarded.pipfile, (later, later))
    guarded.use(StandIn(tmp_path / "next"))
    done = guarded("lock")
    assert done.status == 0, done.output
    assert "warning: " in done.stderr
    assert guarded.pipfile.read_text() == guarded.text + 'six = "*"\n'


def test_killed_wrapper_alone(guarded: Guarded, tmp_path: Path) -> None:
    """A pipenv that outlives its wrapper is waited for; then the files are put back."""
    guarded.write_lock()
    before = guarded.state
    go_on = tmp_path / "go on"
    wait = f"while not os.path.exists({str(go_on)!r}): time.sleep(0.01)"
    pipenv = guarded.use(StandIn(tmp_path / "bin", "", f"{wait}\n{DAMAGE}"))
    with started(PIPENV_CA, "lock", env=guarded.env, cwd=guarded.folder) as process:
        pipenv.wait_until_run()
        process.kill()
        process.wait()
        following = guarded.use(StandIn(tmp_path / "next"))
        with started(PIPENV_CA, "lock", env=guarded.env, cwd=guarded.folder) as second:
            assert second.stderr is not None
            assert "waiting for it" in second.stderr.readline()
            assert not following.was_run
            go_on.touch()
            assert "as before" in second.communicate(timeout=30)[1]
        assert second.returncode == 0
    guarded.check_untouched(before)


# -- two at once ----------------------------------------------------------------------------


@pytest.mark.parametrize("second", ["lock", "sync", "pip"])
def test_second_command_waits(second: str, guarded: Guarded, tmp_path: Path) -> None:
    """A command that comes while another works on the project sees the user's own files."""
    guarded.write_lock()
    before = guarded.state
    go_on = tmp_path / "go on"
    wait = f"while not os.path.exists({str(go_on)!r}): time.sleep(0.01)"
    first = guarded.use(StandIn(tmp_path / "first", "", wait))
    words = ["run", "pip", "install", "orb-common"] if second == "pip" else [second]
    with started(PIPENV_CA, "lock", env=guarded.env, cwd=guarded.folder) as one:
        first.wait_until_run()
        assert guarded.is_staged
        other = guarded.use(StandIn(tmp_path / "second"))
        with started(PIPENV_CA, *words, env=guarded.env, cwd=guarded.folder) as two:
            assert two.stderr is not None
            said = two.stderr.readline()
            assert not other.was_run
            go_on.touch()
            two.communicate(timeout=30)
        one.communicate(timeout=30)
    assert said == "warning: Another pipenv-ca works on this project; waiting for it.\n"
    assert (one.returncode, two.returncode) == (0, 0)
    # It has the complete index of its own run, and no other.
    netrc = other.record["environ"].get("NETRC")
    assert netrc is not None, sorted(other.record["environ"])
    if second == "pip":
        assert other.record["environ"]["PIP_INDEX_URL"].startswith("http://127.")
    guarded.check_untouched(before)


@pytest.mark.wide
def test_two_at_once(guarded: Guarded) -> None:
    """Two locks of one project at the same time both succeed, and the files are right."""
    before = guarded.pipfile.read_bytes()
    both = [
        subprocess.Popen(
            [PIPENV_CA, "lock"],
            env=guarded.env,
            cwd=guarded.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for _ in range(2)
    ]
    outputs = [process.communicate(timeout=120) for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    assert sum(b"waiting for it" in error for _, error in outputs) == 1
    assert guarded.pipfile.read_bytes() == before
    guarded.check_lock()
    assert guarded.journals == []


@pytest.mark.parametrize("command", ["run", "shell"])
def test_command_inside_a_program(command: str, guarded: Guarded, tmp_path: Path) -> None:
    """A program that runs with the token does not keep other commands from the project."""
    guarded.write_lock()
    server = guarded.use(StandIn(tmp_path / "server", "", SLEEP))
    words = ["--ca-run-token", *(["run", "server"] if command == "run" else ["shell"])]
    with started(PIPENV_CA, *words, env=guarded.env, cwd=guarded.folder):
        server.wait_until_run()
        inner = guarded.use(StandIn(tmp_path / "inner"))
        with started(PIPENV_CA, "lock", env=guarded.env, cwd=guarded.folder) as process:
            wait_for(lambda: inner.was_run, 15)
            process.communicate(timeout=30)
        assert process.returncode == 0


@pytest.mark.wide
def test_lock_and_update_at_once(guarded: Guarded) -> None:
    """A lock and an update of a package at staggered times end in files that agree."""
    assert guarded("lock").status == 0
    for pause in (0.3, 0.6, 0.9, 1.2):
        guarded.pipfile.write_text(guarded.text)
        with started(PIPENV_CA, "lock", env=guarded.env, cwd=guarded.folder) as process:
            time.sleep(pause)
            done = guarded("update", "orb-schema-generator")
            process.communicate(timeout=120)
        assert (process.returncode, done.status) == (0, 0), done.output
        guarded.check_lock("==1.1.0")
        assert not guarded.is_staged


# -- Pipfiles of every kind -----------------------------------------------------------------

# What an update makes of the one entry.
UPDATED = '{version = "*", index = "codeartifact"}'


def _with_entry(text: bytes) -> bytes:
    old = b'{version = "==1.0.1", index = "codeartifact"}'
    assert old in text
    return text.replace(old, UPDATED.encode())


@pytest.mark.wide
@pytest.mark.parametrize("kind", ["crlf", "read-only", "link", "parent", "named"])
def test_kinds_of_pipfile(kind: str, guarded: Guarded, tmp_path: Path) -> None:
    """Mode, link, newlines, comments and place of a Pipfile survive a lock and an update."""
    place, cwd, env = guarded.pipfile, guarded.folder, {}
    if kind == "crlf":
        place.write_bytes(guarded.text.replace("\n", "\r\n").encode())
    elif kind == "read-only":
        place.chmod(0o444)
    elif kind == "link":
        place = tmp_path / "elsewhere" / "Pipfile.of.the.team"
        place.parent.mkdir()
        guarded.pipfile.rename(place)
        guarded.pipfile.symlink_to(place)
    elif kind == "parent":
        cwd = guarded.folder / "deep down"
        cwd.mkdir()
    else:
        place = guarded.folder / "the Pipfile"
        guarded.pipfile.rename(place)
        env = {"PIPENV_PIPFILE": str(place)}
        guarded.pipfile = place
        guarded.lock = guarded.folder / "the Pipfile.lock"
    before, mode = place.read_bytes(), place.stat().st_mode
    done = guarded("lock", cwd=cwd, **env)
    assert done.status == 0, done.output
    assert place.read_bytes() == before
    guarded.check_lock()
    done = guarded("verify", cwd=cwd, **env)
    assert done.status == 0, done.output
    done = guarded("update", "orb-schema-generator", cwd=cwd, **env)
    assert done.status == 0, done.output
    assert place.read_bytes() == _with_entry(before)
    guarded.check_lock("==1.1.0")
    assert place.stat().st_mode == mode
    assert (guarded.folder / "Pipfile").is_symlink() == (kind == "link")
    with contextlib.suppress(FileNotFoundError):
        assert "http://127." not in (guarded.folder / "Pipfile.lock").read_text()
    assert guarded.journals == []
    kept = {".venv", ".gitignore"}
    assert {p.name for p in place.parent.iterdir() if p.name.startswith(".")} <= kept


@pytest.mark.wide
def test_names_that_are_written_otherwise(
    sandbox: Sandbox, sandbox_env: dict[str, str], project: Path
) -> None:
    """Pipenv takes the lock of a Pipfile whose names are not normalised for a current one."""
    entries = '[packages]\nOrb_Common = "*"\n\n[docs]\nSix = "*"\n'
    write_pipfile(project, PYPI_SOURCE, source(sandbox.endpoint), entries)
    for words in (
        ["lock"],
        ["lock"],
        ["install", "orb-schema-generator"],
        ["update", "orb_common"],
        ["upgrade", "Orb.Schema.Generator"],
        ["uninstall", "orb-schema-generator"],
    ):
        done = run(PIPENV_CA, *words, env=sandbox_env, cwd=project)
        assert done.status == 0, done.output
        checked = run(PIPENV, "verify", env=sandbox_env, cwd=project)
        assert checked.status == 0, f"{words}: {checked.output}"
