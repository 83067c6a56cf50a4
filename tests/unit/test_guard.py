"""Pipfile and lock around a command: restored on failure, and after a kill by the next run."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import PIPENV_CA, run

from codeartifact_pipenv.errors import CodeArtifactPipenvError
from codeartifact_pipenv.wrapper.guard import Guard
from codeartifact_pipenv.wrapper.journal import alone, recover

if TYPE_CHECKING:
    import contextlib
    from collections.abc import Callable, Iterator

PIPFILE, LOCK = b"[packages]\r\n\xff\x00\n", b'{"_meta": {}}'
STAGED, WRITTEN = b"staged", b"written by pipenv"
# Longer after the last beat than a killed run's child may still have written.
LATER = 70.0

posix = pytest.mark.skipif(os.name == "nt", reason="links, owners and modes are POSIX's")
root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give a file away"
)


class Place(NamedTuple):
    """A project's two files, and where journals are."""

    pipfile: Path
    lock: Path
    state: Path

    def guard(self) -> Guard:
        return Guard([str(self.pipfile), str(self.lock)], str(self.state))

    def alone(
        self, waiting: Callable[[], None] | None = None
    ) -> contextlib.AbstractContextManager[int | None]:
        return alone(str(self.pipfile), str(self.state), waiting or silent)

    def recover(self) -> list[str]:
        with self.alone():
            return [file.path for file in recover(str(self.pipfile), str(self.state))]

    @property
    def journals(self) -> list[Path]:
        return sorted((self.state / "journal").glob("*.json"))

    @property
    def contents(self) -> tuple[bytes, bytes | None]:
        return self.pipfile.read_bytes(), self.lock.read_bytes() if self.lock.exists() else None


@pytest.fixture
def place(tmp_path: Path) -> Place:
    folder = tmp_path / "project"
    folder.mkdir()
    made = Place(folder / "Pipfile", folder / "Pipfile.lock", tmp_path / "state")
    made.pipfile.write_bytes(PIPFILE)
    made.lock.write_bytes(LOCK)
    return made


def silent() -> None:
    raise AssertionError("nobody is in the way")


def left_over(place: Place) -> list[str]:
    """Return what stands beside the two files."""
    return sorted(
        path.name
        for path in place.pipfile.parent.iterdir()
        if path not in {place.pipfile, place.lock}
    )


# --- in one process ----------------------------------------------------------------------


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, GeneratorExit])
def test_restored_on_an_exception(place: Place, error: type[BaseException]) -> None:
    """What leaves the block in an exception leaves the files as they were."""

    def fail() -> None:
        guard = place.guard()
        with guard.holding():
            guard.stage(str(place.pipfile), STAGED)
            place.lock.unlink()
            raise error

    with pytest.raises(error):
        fail()
    assert place.contents == (PIPFILE, LOCK)
    assert place.journals == []
    assert left_over(place) == []


def test_restored_on_failure(place: Place) -> None:
    """After a failed command the files are as they were, one that was not there is gone."""
    place.lock.unlink()
    guard = place.guard()
    with guard.holding():
        guard.stage(str(place.pipfile), STAGED)
        place.pipfile.write_bytes(WRITTEN)
        place.lock.write_bytes(WRITTEN)
        guard.restore()
    assert place.contents == (PIPFILE, None)


def test_written(place: Place) -> None:
    """What the command wrote is told from what it was given, staged or not."""
    guard = place.guard()
    with guard.holding():
        assert guard.written(str(place.lock)) is None
        guard.stage(str(place.pipfile), STAGED)
        assert place.pipfile.read_bytes() == STAGED
        assert guard.written(str(place.pipfile)) is None
        place.pipfile.write_bytes(WRITTEN)
        place.lock.write_bytes(WRITTEN)
        assert guard.written(str(place.pipfile)) == WRITTEN
        assert guard.written(str(place.lock)) == WRITTEN
        place.lock.unlink()
        assert guard.written(str(place.lock)) is None


def test_put_writes_only_what_differs(place: Place) -> None:
    """A file that is right already is not written again: its time and its inode stay."""
    os.utime(place.pipfile, (1_000_000, 1_000_000))
    before = place.pipfile.stat()
    guard = place.guard()
    with guard.holding():
        guard.put(str(place.pipfile), PIPFILE)
        guard.put(str(place.lock), None)
        guard.put(str(place.lock), None)
    after = place.pipfile.stat()
    assert (after.st_mtime, after.st_ino) == (before.st_mtime, before.st_ino)
    assert place.contents == (PIPFILE, None)


@posix
@pytest.mark.parametrize("relative", [True, False])
def test_links_stay_links(place: Place, tmp_path: Path, relative: bool) -> None:
    """A Pipfile that is a link stays one; what it leads to is written."""
    real = tmp_path / "real"
    place.pipfile.rename(real)
    place.pipfile.symlink_to("../real" if relative else real)
    guard = place.guard()
    with guard.holding():
        guard.stage(str(place.pipfile), STAGED)
        assert (place.pipfile.is_symlink(), real.read_bytes()) == (True, STAGED)
        guard.restore()
    assert (place.pipfile.is_symlink(), real.read_bytes()) == (True, PIPFILE)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["project", "real", "state"]


@posix
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o444, 0o755])
def test_mode_stays(place: Place, mode: int) -> None:
    """A file that is written keeps its mode."""
    place.pipfile.chmod(mode)
    guard = place.guard()
    with guard.holding():
        guard.stage(str(place.pipfile), STAGED)
        assert stat.S_IMODE(place.pipfile.stat().st_mode) == mode
        guard.restore()
    assert stat.S_IMODE(place.pipfile.stat().st_mode) == mode


@root
def test_owner_stays(place: Place) -> None:
    """A file of another user stays theirs, with its special bits."""
    os.chown(place.pipfile, 65534, 65533)
    place.pipfile.chmod(0o2664)
    guard = place.guard()
    with guard.holding():
        guard.stage(str(place.pipfile), STAGED)
        guard.restore()
    after = place.pipfile.stat()
    assert (after.st_uid, after.st_gid, stat.S_IMODE(after.st_mode)) == (65534, 65533, 0o2664)


@posix
def test_new_files_have_the_usual_mode(place: Place) -> None:
    """A file that is made has the mode that the umask gives to any file."""
    place.lock.unlink()
    before = os.umask(0o027)
    try:
        place.guard().put(str(place.lock), b"new")
        assert stat.S_IMODE(place.lock.stat().st_mode) == 0o640
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(before)


# --- journal -----------------------------------------------------------------------------


def test_journal_lives_as_long_as_the_block(place: Place) -> None:
    """The journal exists during the block, readable only by its owner, and is gone afterwards."""
    guard = place.guard()
    assert place.journals == []
    with guard.holding():
        (journal,) = place.journals
        document = json.loads(journal.read_text())["files"]
        assert set(document) == {str(place.pipfile), str(place.lock)}
        assert os.name == "nt" or stat.S_IMODE(journal.stat().st_mode) == 0o600
        # (Tokens are kept in the state directory too.)
        for folder in (journal.parent, place.state):
            assert os.name == "nt" or stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert place.journals == []


@pytest.mark.parametrize("state", ["file", "below a file", "none"])
def test_without_a_place_for_journals(place: Place, tmp_path: Path, state: str) -> None:
    """Where no journal can be kept the files are kept all the same."""
    (tmp_path / "file").touch()
    places = {"file": str(tmp_path / "file"), "below a file": str(tmp_path / "file" / "x")}
    directory = places.get(state)
    guard = Guard([str(place.pipfile), str(place.lock)], directory)
    with alone(str(place.pipfile), directory, silent) as descriptor:
        assert descriptor is None
        assert recover(str(place.pipfile), directory) == []
        with guard.holding():
            guard.stage(str(place.pipfile), STAGED)
            assert place.contents == (STAGED, LOCK)
            guard.restore()
    assert place.contents == (PIPFILE, LOCK)


def test_without_a_project(place: Place) -> None:
    """Where there is no Pipfile nobody is kept out."""
    with alone(None, str(place.state), silent) as descriptor:
        assert descriptor is None


def test_journal_that_cannot_be_written(place: Place) -> None:
    """A state directory whose journal's place is taken does not keep the command from running."""
    with place.guard().holding():
        (journal,) = place.journals
    journal.mkdir()
    guard = place.guard()
    with guard.holding():
        guard.stage(str(place.pipfile), STAGED)
        guard.restore()
    assert place.contents == (PIPFILE, LOCK)
    assert place.recover() == []


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_what_is_no_file(place: Place, make: Callable[[str], None]) -> None:
    """A folder or a pipe in a file's place is said, before anything is staged."""
    place.lock.unlink()
    make(str(place.lock))
    with pytest.raises(
        CodeArtifactPipenvError, match=r"cannot be read: it is not a regular file\."
    ):
        place.guard()


def test_what_cannot_be_put_back(place: Place) -> None:
    """Where an original cannot be put back that is said, and the journal stays."""
    guard = place.guard()

    def run() -> None:
        with guard.holding():
            guard.stage(str(place.pipfile), STAGED)
            place.pipfile.unlink()
            (place.pipfile / "full").mkdir(parents=True)
            guard.restore()

    with pytest.raises(CodeArtifactPipenvError, match="Pipfile cannot be read"):
        run()
    assert place.journals


# --- after a kill ------------------------------------------------------------------------

_HOLDER = """
import os, subprocess, sys, time
from codeartifact_pipenv.wrapper.guard import Guard
from codeartifact_pipenv.wrapper.journal import alone, recover
pipfile, lock, state, child, *stages = sys.argv[1:]
with alone(pipfile, state, lambda: print("waits", flush=True)) as descriptor:
    recover(pipfile, state)
    guard = Guard([pipfile, lock], state)
    with guard.holding():
        print("holds", flush=True)
        for path in stages:
            guard.stage(path, b"staged")
        words = [sys.executable, "-c", "import time; time.sleep(60)"]
        started = [subprocess.Popen(words, pass_fds=[descriptor])] if child == "child" else []
        print("staged", *(child.pid for child in started), flush=True)
        if sys.stdin.readline() == "conclude\\n":
            replaced = os.replace
            def replace(source, target):
                replaced(source, target)
                if target == pipfile:
                    print("half", flush=True)
                    time.sleep(60)
            os.replace = replace
            guard.conclude({pipfile: b"result", lock: b"result"})
        guard.put(pipfile, guard.originals[pipfile] + b"+")
"""


class Holder:
    """A process that holds the guard, and stages some files, until it is told to end."""

    def __init__(self, place: Place, *stages: Path, child: bool = False) -> None:
        words = [sys.executable, "-c", _HOLDER, *place, "child" if child else "", *stages]
        self.process = subprocess.Popen(
            [str(word) for word in words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def staged(self) -> None:
        assert self.until_staged() == "staged"

    def kill(self) -> None:
        self.process.kill()
        self.close()

    def until_staged(self) -> str:
        """Wait until it has staged its files; return what it says."""
        assert self.line() == "holds"
        return self.line()

    def until_half_concluded(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("conclude\n")
        assert self.line() == "half"

    def end(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        assert self.process.wait(20) == 0
        self.close()

    def close(self) -> None:
        self.process.wait(20)
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.close()


@pytest.fixture
def killed(place: Place) -> Place:
    """Return a place whose run was killed with both files staged."""
    holder = Holder(place, place.pipfile, place.lock)
    try:
        holder.staged()
    finally:
        holder.kill()
    assert place.contents == (STAGED, STAGED)
    return place


def test_originals_come_back_after_a_kill(killed: Place) -> None:
    """What a killed run left staged is put back by the next one, once."""
    assert killed.recover() == [str(killed.pipfile), str(killed.lock)]
    assert killed.contents == (PIPFILE, LOCK)
    assert killed.journals == []
    assert killed.recover() == []


@pytest.mark.parametrize("words", [["--version"], ["sync"]], ids=" ".join)
def test_pipfile_that_dotenv_names(
    words: list[str], killed: Place, clean_env: dict[str, str], tmp_path: Path
) -> None:
    """Any next command puts back what it works on, also where a .env says what that is."""
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "Pipfile").write_text("[packages]\n")
    (folder / ".env").write_text(f"PIPENV_PIPFILE={killed.pipfile}\n")
    env = clean_env | {"PIPENV_CA_CACHE_DIR": str(killed.state)}
    run(PIPENV_CA, *words, env=env, cwd=folder)
    assert killed.contents == (PIPFILE, LOCK)


def test_what_the_child_wrote_is_put_back(killed: Place) -> None:
    """What pipenv itself wrote before the kill, or shortly after it, is torn too."""
    killed.pipfile.write_bytes(WRITTEN)
    killed.lock.unlink()
    assert set(killed.recover()) == {str(killed.pipfile), str(killed.lock)}
    assert killed.contents == (PIPFILE, LOCK)


def test_edited_since(killed: Place) -> None:
    """A file that somebody edited since is theirs; the other one is put back."""
    killed.pipfile.write_bytes(b"edited")
    alive_until = killed.journals[0].stat().st_mtime
    os.utime(killed.pipfile, (alive_until + LATER, alive_until + LATER))
    assert killed.recover() == [str(killed.lock)]
    assert killed.contents == (b"edited", LOCK)
    assert killed.journals == []


def test_staged_is_torn_however_late(killed: Place) -> None:
    """A staged file is no edit, though a copy or a checkout gave it a later time."""
    alive_until = killed.journals[0].stat().st_mtime
    for path in (killed.pipfile, killed.lock):
        os.utime(path, (alive_until + LATER, alive_until + LATER))
    assert len(killed.recover()) == 2
    assert killed.contents == (PIPFILE, LOCK)


def test_put_right_by_hand(killed: Place) -> None:
    """Files that are as they were already are not written, nor spoken of."""
    killed.pipfile.write_bytes(PIPFILE)
    os.utime(killed.pipfile, (1_000_000, 1_000_000))
    killed.lock.write_bytes(LOCK)
    assert killed.recover() == []
    assert killed.pipfile.stat().st_mtime == 1_000_000
    assert killed.journals == []


def test_lock_that_was_not_there(place: Place) -> None:
    """A lock that did not exist before the killed run is removed."""
    place.lock.unlink()
    holder = Holder(place, place.pipfile)
    try:
        holder.staged()
        place.lock.write_bytes(WRITTEN)
    finally:
        holder.kill()
    assert set(place.recover()) == {str(place.pipfile), str(place.lock)}
    assert place.contents == (PIPFILE, None)


def test_nothing_staged(place: Place) -> None:
    """A run that was killed before it changed anything leaves nothing to put right."""
    holder = Holder(place)
    try:
        holder.staged()
    finally:
        holder.kill()
    assert len(place.journals) == 1
    assert place.recover() == []
    assert place.contents == (PIPFILE, LOCK)
    assert place.journals == []


EDITED = b'[packages]\nsix = "*"\n'


@posix
@pytest.mark.parametrize("way", ["in place", "renamed", "with its old time"])
def test_edited_at_once(way: str, killed: Place) -> None:
    """What somebody writes right after the kill is his, if no command would have written it."""
    if way == "in place":
        killed.pipfile.write_bytes(EDITED)
    else:
        other = killed.pipfile.with_name("other")
        other.write_bytes(EDITED)
        if way == "with its old time":
            os.utime(other, (1_000_000, 1_000_000))
        time.sleep(0.05)  # (a file system's clock ticks every few milliseconds)
        other.replace(killed.pipfile)
    assert killed.recover() == [str(killed.lock)]
    assert killed.contents == (EDITED, LOCK)


def test_what_may_be_an_edit_is_kept(killed: Place) -> None:
    """What is either the command's work or its user's is put back, and kept elsewhere."""
    killed.pipfile.write_bytes(WRITTEN)
    with killed.alone():
        done = {file.path: file.kept for file in recover(str(killed.pipfile), str(killed.state))}
    kept = done[str(killed.pipfile)]
    assert kept is not None
    assert Path(kept).read_bytes() == WRITTEN
    assert stat.S_IMODE(os.stat(kept).st_mode) == 0o600
    assert done[str(killed.lock)] is None
    assert killed.contents == (PIPFILE, LOCK)


@posix
def test_killed_between_two_results(place: Place) -> None:
    """A run that is killed when it has given back one of two files leaves both as they were."""
    holder = Holder(place, place.pipfile, place.lock)
    try:
        holder.staged()
        holder.until_half_concluded()
    finally:
        holder.kill()
    assert place.contents == (b"result", STAGED)
    assert place.recover() == [str(place.pipfile), str(place.lock)]
    assert place.contents == (PIPFILE, LOCK)


def test_half_written_files_are_swept(killed: Place) -> None:
    """What a killed run was about to put in a file's place does not stay beside it."""
    for path in (*killed.journals, killed.pipfile, killed.lock):
        path.with_name(f".{path.name}.0123ab.pipenv-ca").write_bytes(b"half")
    assert len(killed.recover()) == 2
    assert left_over(killed) == []
    assert {path.suffix for path in (killed.state / "journal").iterdir()} == {".lock"}


@posix
def test_recovered_through_another_path(killed: Place, tmp_path: Path) -> None:
    """The project is the same by whatever way one comes to its folder."""
    (tmp_path / "link").symlink_to(killed.pipfile.parent)
    assert len(recover(str(tmp_path / "link" / "Pipfile"), str(killed.state))) == 2
    assert killed.contents == (PIPFILE, LOCK)


def test_project_that_is_gone(killed: Place, tmp_path: Path) -> None:
    """Where the files' folder was removed since, recovering does no harm."""
    pipfile, lock = killed.contents
    assert (pipfile, lock) == (STAGED, STAGED)
    other = tmp_path / "other"
    killed.pipfile.parent.rename(other)
    killed.recover()
    assert (other / "Pipfile").read_bytes() == STAGED


def test_other_project(killed: Place, tmp_path: Path) -> None:
    """Another project's run neither restores nor forgets."""
    other = tmp_path / "other"
    other.mkdir()
    (other / "Pipfile").write_bytes(PIPFILE)
    assert recover(str(other / "Pipfile"), str(killed.state)) == []
    assert len(killed.journals) == 1
    assert killed.contents == (STAGED, STAGED)


@pytest.fixture
def journal(place: Place) -> Iterator[Path]:
    """Return where the journal of the place is."""
    with place.guard().holding():
        (path,) = place.journals
    yield path
    assert not path.exists()


JUNK = [
    b"",
    b"{",
    b"null",
    b"[]",
    b"3",
    b'"text"',
    b'{"/etc/x": 3}',
    b'{"/etc/x": null}',
    b'{"/etc/x": {}}',
    b'{"/etc/x": {"original": 3, "staged": null}}',
    b'{"/etc/x": {"original": [], "staged": {}}}',
    b'{"Pipfile": {"original": "\\u2603", "staged": null}}',
    b'{"\\u0000": {"original": "x", "staged": null}}',
    b"\xff\xfe\x00",
    b"[" * 100_000,
]


@pytest.mark.parametrize("junk", JUNK, ids=range(len(JUNK)))
def test_corrupt_journal(place: Place, journal: Path, junk: bytes) -> None:
    """A journal that cannot be read is removed, and nothing else happens."""
    journal.write_bytes(junk)
    journal.chmod(0o600)
    assert place.recover() == []
    assert place.contents == (PIPFILE, LOCK)
    assert not Path("/etc/x").exists()


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=60) | st.text(max_size=40).map(str.encode))
def test_any_journal(place: Place, data: bytes) -> None:
    """Whatever stands in a journal, recovering raises nothing and leaves the files alone."""
    place.pipfile.write_bytes(PIPFILE)
    with place.guard().holding():
        (path,) = place.journals
    path.write_bytes(data)
    path.chmod(0o600)
    assert place.recover() == []
    assert not path.exists()
    assert place.contents == (PIPFILE, LOCK)


# --- two at once -------------------------------------------------------------------------


def test_running_run_keeps_others_out(place: Place) -> None:
    """While a run lives nobody else comes to recover what it has staged."""
    holder = Holder(place, place.pipfile)
    waited = []

    def wait() -> None:
        waited.append(place.contents)
        holder.end()

    try:
        holder.staged()
        with place.alone(wait):
            assert recover(str(place.pipfile), str(place.state)) == []
    finally:
        holder.kill()
    assert waited == [(STAGED, LOCK)]
    assert place.contents == (PIPFILE + b"+", LOCK)
    assert place.journals == []


@posix
def test_child_that_outlives_its_run(place: Place) -> None:
    """A pipenv whose run was killed keeps the next run waiting until it has ended itself."""
    holder = Holder(place, place.pipfile, child=True)
    child = 0
    waited = []

    def wait() -> None:
        waited.append(place.contents)
        os.kill(child, signal.SIGKILL)

    try:
        child = int(holder.until_staged().split()[1])
        holder.kill()
        with place.alone(wait):
            done = recover(str(place.pipfile), str(place.state))
            assert [file.path for file in done] == [str(place.pipfile)]
    finally:
        holder.kill()
        if not waited:
            os.kill(child, signal.SIGKILL)
    assert waited == [(STAGED, LOCK)]
    assert place.contents == (PIPFILE, LOCK)


@posix
def test_not_waiting_for_a_run_that_lives(place: Place) -> None:
    """Who does not wait passes a living run by, and a killed one's child by as soon as it ends."""
    holder = Holder(place, place.pipfile, child=True)
    try:
        child = int(holder.until_staged().split()[1])
        with alone(str(place.pipfile), str(place.state), None) as held:
            assert held is None
        end = threading.Timer(0.3, os.kill, (child, signal.SIGKILL))
        end.start()
        holder.kill()
        with alone(str(place.pipfile), str(place.state), None) as held:
            assert held is not None
        end.join()
    finally:
        holder.kill()


def test_second_run_waits(place: Place) -> None:
    """A second run says that it waits, and then sees what the first one made."""
    first, second = Holder(place, place.pipfile), None
    try:
        first.staged()
        second = Holder(place, place.pipfile)
        assert second.line() == "waits"
        assert place.pipfile.read_bytes() == STAGED
        first.end()
        second.staged()
        second.end()
    finally:
        first.kill()
        if second is not None:
            second.kill()
    assert place.contents == (PIPFILE + b"++", LOCK)
    assert place.journals == []


def test_second_run_after_a_kill(place: Place) -> None:
    """A run that waited for one that was then killed does not take the staged file for his."""
    first, second = Holder(place, place.pipfile), None
    try:
        first.staged()
        second = Holder(place, place.pipfile)
        assert second.line() == "waits"
        first.kill()
        second.staged()
        second.end()
    finally:
        first.kill()
        if second is not None:
            second.kill()
    assert place.contents == (PIPFILE + b"+", LOCK)


def test_runs_of_two_projects(place: Place, tmp_path: Path) -> None:
    """Runs of different projects do not wait for each other."""
    other = tmp_path / "other" / "Pipfile"
    other.parent.mkdir()
    other.write_bytes(b"")
    holder = Holder(place, place.pipfile)
    try:
        holder.staged()
        with Guard([str(other)], str(place.state)).holding():
            assert len(place.journals) == 2
        with alone(str(other), str(place.state), silent):
            pass
    finally:
        holder.kill()


@posix
def test_runs_take_turns(place: Place) -> None:
    """Many runs at once come one after the other, and no change is lost."""

    def add() -> None:
        with place.alone(lambda: None):
            guard = place.guard()
            with guard.holding():
                data = guard.originals[str(place.pipfile)] or b""
                guard.stage(str(place.pipfile), STAGED)
                guard.put(str(place.pipfile), data + b".")

    threads = [threading.Thread(target=add) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert place.pipfile.read_bytes() == PIPFILE + b"." * 8
