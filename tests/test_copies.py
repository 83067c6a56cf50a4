"""Pipfile and lock while a command runs, fails, is killed, or runs twice."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
import tomlkit
from support.programs import PIPENV, PIPENV_CA, Result, run
from support.projects import PYPI_SOURCE, pipfile_hash, source, write_pipfile
from support.runs import (
    StandIn,
    assert_error,
    started,
    until_exists,
    wait_for,
    without_credentials,
)

from codeartifact_pipenv.sandbox.hosts import endpoint_for

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from codeartifact_pipenv.sandbox.sandbox import Sandbox

WIDE = pytest.mark.wide
GENERATOR = "orb-schema-generator"
ENTRY = f'{GENERATOR} = {{version = "==1.0.1", index = "codeartifact"}}'
# Changes that a failing pipenv may have made to the files.
DAMAGE = """
place = os.environ.get("PIPENV_PIPFILE", "Pipfile")
record["pipfile"] = open(place).read()
open(place, "a").write("\\n[dev-packages]\\n")
open(place + ".lock", "w").write('{"_meta": {"hash": {"sha2')
"""
SLEEP = "time.sleep(60)"


class Team:
    """A locked project with the public index first and a private repository second."""

    def __init__(self, sandbox: Sandbox, env: Mapping[str, str], folder: Path) -> None:
        self.env = dict(env)
        self.folder = folder
        self.pipfile = folder / "Pipfile"
        self.lock = folder / "Pipfile.lock"
        lonely = source(endpoint_for(sandbox.endpoint.domain, "lonely"))
        packages = f"[packages]\n# private\n{ENTRY}  # for the build\n"
        self.text = f"# The team's own.\n{PYPI_SOURCE}\n{lonely}\n{packages}"
        self.pipfile.write_text(self.text)
        meta = {"hash": {"sha256": pipfile_hash(self.text)}, "pipfile-spec": 6, "requires": {}}
        meta["sources"] = tomlkit.parse(self.text).unwrap()["source"]
        entry = {"hashes": [], "index": "codeartifact", "version": "==1.0.1"}
        document = {"_meta": meta, "default": {"orb-schema-generator": entry}, "develop": {}}
        self.lock.write_text(json.dumps(document, indent=4) + "\n")

    def pipenv(self, behaviour: str = "", afterwards: str = "", name: str = "bin") -> StandIn:
        """Run a stand-in for pipenv from now on."""
        made = StandIn(self.folder.parent / name, behaviour, afterwards)
        self.env["PIPENV_CA_PIPENV"] = str(made.path)
        return made

    def __call__(self, *words: str, status: int = 0) -> Result:
        done = run(PIPENV_CA, *words, env=self.env, cwd=self.folder)
        assert done.status == status, done.output
        return done

    def start(self, *words: str) -> AbstractContextManager[subprocess.Popen[str]]:
        return started(PIPENV_CA, *words, env=self.env, cwd=self.folder)

    @property
    def state(self) -> dict[str, bytes]:
        """Every file of the project outside of its environment, by name."""
        return {path.name: path.read_bytes() for path in self.folder.iterdir() if path.is_file()}

    @property
    def copies(self) -> list[Path]:
        """The files of a run in the folder of the Pipfile, including its lock file."""
        return sorted(self.folder.glob(".*.pipenv-ca-*"))

    def document(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.lock.read_text())
        return found

    def check_untouched(self, before: Mapping[str, bytes]) -> None:
        assert self.state == before
        assert os.listdir(self.env["TMPDIR"]) == []

    def kill(self, *words: str, behaviour: str = DAMAGE) -> None:
        """Run a command with a stand-in, kill both, and go on with another stand-in."""
        pipenv = self.pipenv(behaviour, SLEEP, name="killed")
        with self.start(*words) as process:
            pipenv.wait_until_run()
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
        shutil.rmtree(pipenv.path.parent)
        assert self.copies != []
        self.pipenv(name="next")


@pytest.fixture
def team(sandbox: Sandbox, sandbox_env: dict[str, str], project: Path) -> Team:
    return Team(sandbox, sandbox_env, project)


# -- failures and signals -------------------------------------------------------------------


@WIDE
@pytest.mark.parametrize("words", ["install orb-common", "lock without a lock"])
def test_failed_pipenv_leaves_the_files_as_the_user_has_edited_them(words: str, team: Team) -> None:
    if words.endswith("a lock"):
        team.lock.unlink()
    edited = team.text.replace("[packages]", '[packages]\nattrs = "*"').encode()
    before = team.state | {"Pipfile": edited}
    pipenv = team.pipenv(DAMAGE + MORE, "sys.exit(3)")
    team(*words.partition(" without")[0].split(), status=3)
    assert "http://127." in pipenv.record["pipfile"]
    assert "amazonaws" not in pipenv.record["pipfile"]
    team.check_untouched(before)


@pytest.mark.parametrize(
    ("words", "number"),
    [("lock", signal.SIGHUP), ("install six", signal.SIGINT), ("update six", signal.SIGTERM)],
    ids=str,
)
def test_signal_during_a_command_leaves_the_files_unchanged(
    words: str, number: int, team: Team
) -> None:
    before = team.state
    pipenv = team.pipenv(DAMAGE, SLEEP)
    with team.start(*words.split()) as process:
        pipenv.wait_until_run()
        assert {name: team.state[name] for name in before} == before
        process.send_signal(number)
        process.communicate(timeout=30)
    assert process.returncode == -number
    team.check_untouched(before)


@WIDE
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT], ids=str)
def test_signal_before_pipenv_ends_the_command_and_leaves_nothing(
    number: int, team: Team, tmp_path: Path
) -> None:
    asked, config = tmp_path / "asked", tmp_path / "config"
    slow = f"sh -c 'touch {asked}; exec sleep 60'"
    config.write_text(f"[profile slow]\ncredential_process = {slow}\n")
    team.env = without_credentials(team.env)
    team.env |= {"AWS_CONFIG_FILE": str(config), "AWS_PROFILE": "slow"}
    before = team.state
    with team.start("lock") as process:
        wait_for(asked.exists)
        assert team.copies != []
        process.send_signal(number)
        process.communicate(timeout=30)
    assert process.returncode in {-number, 128 + number}
    assert team.state == before


def test_signal_while_waiting_keeps_the_lock_of_the_other_command(team: Team) -> None:
    pipenv = team.pipenv("", SLEEP)
    with team.start("lock"):
        pipenv.wait_until_run()
        copies = team.copies
        with team.start("lock") as second:
            assert second.stderr is not None
            assert "waiting for it" in second.stderr.readline()
            second.terminate()
            second.communicate(timeout=30)
        assert second.returncode == -signal.SIGTERM
        assert team.copies == copies


def test_interrupted_command_has_no_fallback_and_no_explanation(team: Team) -> None:
    pipenv = team.pipenv("signal.signal(signal.SIGINT, lambda *_: os._exit(1))", SLEEP)
    with team.start("--ca-fallback", "install", "orb-common") as process:
        pipenv.wait_until_run()
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=30) == ("", "")
    assert process.returncode == 1
    assert pipenv.record["argv"] == ["install", "orb-common"]


# -- SIGKILL and what follows ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("place", "words"),
    [
        *(("project/below", "graph"), ("elsewhere", "graph")),
        *(pytest.param("project", words, marks=WIDE) for words in ("sync", "lint", "--version")),
    ],
)
def test_next_command_removes_the_copies_of_a_killed_one(
    place: str, words: str, team: Team, tmp_path: Path
) -> None:
    before = team.state
    team.kill("lock")
    assert {name: team.state[name] for name in before} == before
    folder = team.folder.parent / place.replace("project", team.folder.name)
    folder.mkdir(exist_ok=True)
    env = team.env | {"PIPENV_CA_CACHE_DIR": str(tmp_path / "other tokens")}
    if place == "elsewhere":
        env["PIPENV_PIPFILE"] = str(team.pipfile)
    done = run(PIPENV_CA, *words.split(), env=env, cwd=folder)
    assert "killed" not in done.stderr, done.stderr
    team.check_untouched(before)


@WIDE
def test_assistant_removes_no_copies(team: Team) -> None:
    team.kill("lock")
    left = team.state
    look = "from codeartifact_pipenv.assistant.diagnosis import diagnose\n"
    look += "assert 'findings' in diagnose([], '.', [], online=False)['lint']"
    assert run(sys.executable, "-c", look, env=team.env, cwd=team.folder).status == 0
    assert team.state == left


def test_offline_command_does_not_disturb_a_running_one(team: Team) -> None:
    pipenv = team.pipenv("", SLEEP)
    with team.start("lock"):
        pipenv.wait_until_run()
        copies = team.copies
        team.pipenv(name="other")
        for words in ("lint", "graph"):
            assert team(words).stderr == ""
        assert team.copies == copies != []


@pytest.mark.parametrize("words", ["lock", pytest.param("run pip install orb-common", marks=WIDE)])
def test_next_command_waits_for_a_pipenv_whose_wrapper_was_killed(
    words: str, team: Team, tmp_path: Path
) -> None:
    before = team.state
    pipenv = team.pipenv("", until_exists(tmp_path / "go on") + DAMAGE)
    with team.start("lock") as process:
        pipenv.wait_until_run()
        process.kill()
        process.wait()
        following = team.pipenv(name="next")
        with team.start(*words.split()) as second:
            assert second.stderr is not None
            assert "waiting for it" in second.stderr.readline()
            assert not following.was_run
            (tmp_path / "go on").touch()
            second.communicate(timeout=30)
        assert second.returncode == 0
    team.check_untouched(before)


NO_LOCKS = """
import errno, fcntl
def flock(descriptor, operation):
    raise OSError(errno.ENOLCK, "No locks available")
fcntl.flock = flock
"""


def test_without_locks_the_copies_of_another_command_stay_for_a_day(
    team: Team, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(NO_LOCKS)
    team.env["PYTHONPATH"] = str(tmp_path)
    before = team.state
    team.kill("lock", behaviour="")
    team("graph")
    assert [path for path in team.copies if not path.name.endswith("-lock")] != []
    for path in team.copies:
        os.utime(path, (time.time() - 90000,) * 2)
    team("graph")
    assert team.state == before


# -- two at once ----------------------------------------------------------------------------


@WIDE
def test_program_with_the_token_does_not_lock_the_project(team: Team) -> None:
    server = team.pipenv("", SLEEP, name="server")
    with team.start("--ca-run-token", "run", "server"):
        server.wait_until_run()
        inner = team.pipenv(name="inner")
        with team.start("lock") as process:
            wait_for(lambda: inner.was_run)
            process.communicate(timeout=30)
        assert process.returncode == 0


@WIDE
def test_lock_and_update_at_once_end_in_files_that_agree(team: Team) -> None:
    for pause in (0.3, 0.9):
        team.pipfile.write_text(team.text)
        with team.start("lock") as process:
            time.sleep(pause)
            team("update", "orb-schema-generator")
            process.communicate(timeout=120)
        assert process.returncode == 0
        assert team.document()["_meta"]["hash"]["sha256"] == pipfile_hash(team.pipfile.read_text())
        assert team.document()["default"][GENERATOR]["version"] == "==1.1.0"
        assert team.copies == []


@WIDE
def test_lock_of_names_that_are_not_normalised_is_current(team: Team) -> None:
    lonely = team.text.partition("\n\n")[2].partition("[packages]")[0]
    entry = '{version = "*", index = "codeartifact"}'
    packages = f'[packages]\nOrb_Common = {entry}\n\n[docs]\nSix = "*"\n'
    write_pipfile(team.folder, PYPI_SOURCE, lonely, packages)
    for words in ("lock", "install orb-schema-generator", "upgrade Orb.Schema.Generator"):
        team(*words.split())
        checked = run(PIPENV, "verify", env=team.env, cwd=team.folder)
        assert checked.status == 0, f"{words}: {checked.output}"


# -- edits of the user during a command -----------------------------------------------------

# A pipenv that installs orb-common: the entry and the lock.
INSTALLS = """
place = os.environ["PIPENV_PIPFILE"]
text = open(place).read()
open(place, "w").write(text.replace("[packages]\\n", '[packages]\\norb-common = "*"\\n'))
"""
LOCKS = """
place = os.environ["PIPENV_PIPFILE"] + ".lock"
document = json.load(open(place))
document["default"]["orb-common"] = {"version": "==1.2.0", "hashes": []}
json.dump(document, open(place, "w"))
"""


def edits(path: str, old: str, new: str) -> str:
    return f"""
text = open({path!r}).read()
open({path!r} + ".new", "w").write(text.replace({old!r}, {new!r}))
os.rename({path!r} + ".new", {path!r})
"""


def adds(entry: str) -> str:
    return edits("Pipfile", "[packages]\n", f"[packages]\n{entry}\n")


MORE = adds('attrs = "*"')
REMOVAL = (f"{ENTRY}  # for the build\n", "")


@pytest.mark.parametrize(
    ("words", "change", "behaviour"),
    [
        ("lock", ("# private", "# secret"), LOCKS),
        (f"uninstall {GENERATOR}", REMOVAL, edits("place", *REMOVAL).replace("'place'", "place")),
    ],
    ids=["comment", "same removal"],
)
def test_edit_that_agrees_with_the_command_gives_no_warning(
    words: str, change: tuple[str, str], behaviour: str, team: Team
) -> None:
    edit = edits("Pipfile", *change)
    team.pipenv(f"{edit}place = os.environ['PIPENV_PIPFILE']\n{behaviour}")
    assert team(*words.split()).stderr == ""
    assert team.pipfile.read_text() == team.text.replace(*change)


def test_install_adds_its_package_to_an_edited_pipfile(team: Team) -> None:
    team.pipenv(INSTALLS + MORE + LOCKS)
    done = team("install", "orb-common")
    document = tomlkit.parse(team.pipfile.read_text()).unwrap()
    assert document["packages"].keys() == {"attrs", "orb-common", "orb-schema-generator"}
    locked = tomlkit.parse(team.text)
    locked["packages"]["orb-common"] = document["packages"]["orb-common"]
    assert team.document()["_meta"]["hash"]["sha256"] == pipfile_hash(tomlkit.dumps(locked))
    assert team.document()["default"]["orb-common"]["version"] == "==1.2.0"
    assert "Pipfile has changed while this ran" in done.stderr
    assert run(PIPENV, "verify", env=team.env, cwd=team.folder).status == 1
    assert team.copies == []


EDITED_WHILE_WRITTEN = f"""
import os
sync = os.fsync
def fsync(descriptor):
    sync(descriptor)
    if os.path.exists("was-run"):
        os.unlink("was-run")
        exec({MORE!r})
os.fsync = fsync
"""


def test_edit_while_the_files_are_written_is_kept(team: Team, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(EDITED_WHILE_WRITTEN)
    team.pipenv(f"{INSTALLS}{LOCKS}open('was-run', 'w').close()")
    team.env["PYTHONPATH"] = str(tmp_path)
    team("install", "orb-common")
    packages = tomlkit.parse(team.pipfile.read_text()).unwrap()["packages"]
    assert packages.keys() == {"attrs", "orb-common", "orb-schema-generator"}


@WIDE
@pytest.mark.parametrize(
    "entry", ['orb-common = "==1.0"', 'Orb_Common = "==1.0"', "orb-common = "], ids=str
)
def test_entry_edited_by_the_user_is_kept_with_a_warning(entry: str, team: Team) -> None:
    team.pipenv(INSTALLS + adds(entry) + LOCKS)
    done = team("install", "orb-common")
    assert team.pipfile.read_text() == team.text.replace("[packages]", f"[packages]\n{entry}")
    assert "was edited while this ran" in done.stderr
    assert "would have written: orb-common = " in done.stderr
    assert "in [packages]" in done.stderr


def test_removed_pipfile_stays_removed_with_a_warning(team: Team) -> None:
    team.pipenv(f"{INSTALLS}{LOCKS}os.unlink('Pipfile')\n")
    assert "would have written: orb-common = " in team("install", "orb-common").stderr
    assert not team.pipfile.exists()


OTHER = edits("Pipfile.lock", f'"{GENERATOR}"', f'"attrs": {{"version": "==25.1"}}, "{GENERATOR}"')


@pytest.mark.parametrize(
    ("behaviour", "versions", "said"),
    [
        (
            LOCKS + OTHER,
            {"attrs": "==25.1", "orb-common": "==1.2.0", GENERATOR: "==1.0.1"},
            "Pipfile.lock has changed while this ran. Run `pipenv-ca lock`",
        ),
        (
            LOCKS.replace("orb-common", GENERATOR) + edits("Pipfile.lock", "==1.0.1", "==1.1.0"),
            {GENERATOR: "==1.1.0"},
            f"its entries for {GENERATOR} are kept",
        ),
    ],
    ids=["other package", "same package"],
)
def test_changed_lock_is_merged_and_entries_of_others_are_kept(
    behaviour: str, versions: dict[str, str], said: str, team: Team
) -> None:
    team.pipenv(behaviour)
    assert said in team("lock").stderr
    locked = team.document()["default"]
    assert {name: entry["version"] for name, entry in locked.items()} == versions


def test_lock_with_merge_marks_is_not_updated(team: Team) -> None:
    team.pipenv(LOCKS + edits("Pipfile.lock", "{\n", "<<<<<<< HEAD\n{"))
    assert "is not valid, so it was not updated" in team("lock").stderr
    assert team.lock.read_text().startswith("<<<<<<< HEAD\n{")


def test_file_that_cannot_be_written_leaves_all_files_unchanged(team: Team) -> None:
    taken = "os.rename('Pipfile.lock', 'kept'); os.mkdir('Pipfile.lock')\n"
    team.pipenv(INSTALLS + LOCKS + taken)
    assert "Pipfile.lock cannot be" in team("install", "orb-common", status=2).stderr
    assert team.pipfile.read_text() == team.text
    assert team.copies == []


# -- folders that cannot be written ---------------------------------------------------------


def as_owner_only() -> list[str]:
    """Return words that make a command respect the modes of files, even for root."""
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("root ignores the modes of files")
    return ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]


@pytest.fixture
def read_only(team: Team) -> Iterator[Team]:
    team.env["PIPENV_VENV_IN_PROJECT"] = ""
    team("lock")
    team.folder.chmod(0o555)
    yield team
    team.folder.chmod(0o755)


@WIDE
def test_read_only_folder_allows_sync_and_refuses_lock(read_only: Team) -> None:
    before, program = read_only.state, [*as_owner_only(), PIPENV_CA]
    for words in ("sync", "verify", "graph"):
        done = run(*program, *words.split(), env=read_only.env, cwd=read_only.folder)
        assert done.status == 0, (words, done.output)
    done = run(*program, "lock", env=read_only.env, cwd=read_only.folder)
    cause = f"Cannot write a file in the folder of {read_only.pipfile}: Permission denied."
    assert_error(done, 2, cause)
    assert read_only.state == before
