"""A project whose commands are killed in every way, and checks of its state."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from support.programs import PIPENV_CA, run
from support.runs import TAKE_TERMINAL, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from io import FileIO

TERM, CTRL_C, CLOSED = "SIGTERM", "ctrl-C", "terminal closed"
KILL, KILL_ALL = "SIGKILL", "SIGKILL of all"
WAYS = (TERM, CTRL_C, CLOSED, KILL, KILL_ALL)
# Limits for the end of a run and of its child processes.
END_SECONDS, ORPHAN_SECONDS = 60.0, 60.0
_MARK = "KILLED_ATTEMPT"
_POLL = 0.001

State = tuple[bytes, bytes]  # Pipfile and lock


class Moment(NamedTuple):
    """When a run is killed: seconds after its start, or after a number of changes to files."""

    changes: int
    seconds: float


class NormalRun(NamedTuple):
    """The result of a command that is not killed."""

    state: State
    seconds: float
    changes: int


class KilledRun(NamedTuple):
    """The end of a killed run: status, seconds and output."""

    status: int
    seconds: float
    output: str


class KillableProject:
    """A project whose Pipfile is newer than its lock, so every command has work to do."""

    def __init__(self, folder: Path, env: Mapping[str, str], pipfile: str) -> None:
        self.folder = folder
        self.env = dict(env)
        self.pipfile, self.lock = folder / "Pipfile", folder / "Pipfile.lock"
        self.pipfile.write_text(pipfile)
        self.old: State = (pipfile.encode(), b"")
        self._log = folder.parent / f"{folder.name} log"
        self._attempts = 0
        self._session = 0

    @property
    def state(self) -> State:
        """The contents of the files; empty for a missing file."""
        return self.pipfile.read_bytes(), self.lock.read_bytes() if self.lock.exists() else b""

    def reset(self) -> None:
        for path, data in zip((self.pipfile, self.lock), self.old, strict=True):
            path.write_bytes(data)

    def do(self, *words: str) -> str:
        done = run(PIPENV_CA, *words, env=self.env, cwd=self.folder)
        assert done.status == 0, done.output
        return done.output

    def normal_run(self, words: Sequence[str]) -> NormalRun:
        self.reset()
        watch = _Watch(self)
        with self._started(words, terminal=False) as (process, _):
            begin = time.monotonic()
            while process.poll() is None:
                watch.look()
                time.sleep(_POLL)
            seconds = time.monotonic() - begin
        assert process.returncode == 0, self._log.read_text()
        return NormalRun(self.state, seconds, watch.changes)

    def kill(self, words: Sequence[str], way: str, moment: Moment) -> KilledRun:
        self.reset()
        with self.killing(words, way, moment) as ended:
            pass
        return ended

    @contextlib.contextmanager
    def killing(self, words: Sequence[str], way: str, moment: Moment) -> Iterator[KilledRun]:
        """Run a command and kill it before the block runs; orphans end with the block."""
        watch = _Watch(self)
        self._attempts += 1
        with self._started(words, terminal=way in {CTRL_C, CLOSED}) as (process, master):
            self._session = process.pid
            self._await(process, master, watch, moment)
            begin = time.monotonic()
            _send(way, process, master)
            while process.poll() is None and time.monotonic() < begin + END_SECONDS:
                _drain(master if way == CTRL_C else None, _POLL)
            seconds = time.monotonic() - begin
            assert process.poll() is not None, f"it does not end: {self._log.read_text()}"
        yield KilledRun(process.returncode, seconds, self._log.read_text())

    def _await(
        self, process: subprocess.Popen[bytes], master: FileIO | None, watch: _Watch, moment: Moment
    ) -> None:
        end = time.monotonic() + moment.seconds if moment.changes == 0 else None
        while process.poll() is None and (end is None or time.monotonic() < end):
            watch.look()
            if end is None and watch.changes >= moment.changes:
                end = time.monotonic() + moment.seconds
            _drain(master, _POLL)

    @contextlib.contextmanager
    def _started(
        self, words: Sequence[str], *, terminal: bool
    ) -> Iterator[tuple[subprocess.Popen[bytes], FileIO | None]]:
        env = self.env | {_MARK: self._mark}
        if not terminal:
            with self._log.open("wb") as log:
                yield self._popen([PIPENV_CA, *words], env, subprocess.DEVNULL, log.fileno()), None
            return
        self._log.write_text("(it had a terminal)")
        master, slave = os.openpty()
        # A file object, because a descriptor closed twice may close another thread's file.
        terminal_end = open(master, "r+b", buffering=0)  # noqa: SIM115
        try:
            program = [sys.executable, "-SEc", TAKE_TERMINAL, PIPENV_CA, *words]
            process = self._popen(program, env, slave, slave)
        finally:
            os.close(slave)
        # Input typed before the process has the terminal would be lost.
        with terminal_end:
            wait_for(lambda: process.poll() is not None or _foreground(terminal_end) == process.pid)
            yield process, terminal_end

    def _popen(
        self, words: list[str], env: Mapping[str, str], stdin: int, output: int
    ) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            words,
            env=env,
            cwd=self.folder,
            stdin=stdin,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )

    @property
    def _mark(self) -> str:
        return f"{self.folder} {self._attempts}"

    def processes(self) -> list[str]:
        """Return the command lines of the processes that the latest attempt left.

        An ending process has no environment, but holds its locks while one of its threads exists;
        it is identified by its session.
        """
        needle = f"{_MARK}={self._mark}".encode()
        found = []
        for place in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                is_marked = needle in (place / "environ").read_bytes().split(b"\0")
                # proc_pid_stat(5): state, parent, group, session
                threads = [
                    (task / "stat").read_text().rpartition(")")[2].split()[:4]
                    for task in (place / "task").iterdir()
                ]
                if is_marked or any(
                    int(session) == self._session and state not in "ZX"
                    for state, _, _, session in threads
                ):
                    found.append((place / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        return found

    def check_no_orphan(self) -> float:
        """Check that the latest attempt's processes have ended; return the seconds waited."""
        begin = time.monotonic()
        try:
            wait_for(lambda: not self.processes(), ORPHAN_SECONDS)
        except TimeoutError:
            raise AssertionError(f"still there: {self.processes()}") from None
        return time.monotonic() - begin

    def has_temporary_files(self) -> bool:
        return os.listdir(self.env["TMPDIR"]) != []

    def check_nothing_left(self, token: str) -> None:
        """Check that no token, temporary file or copy is left."""
        temporary = os.listdir(self.env["TMPDIR"])
        assert temporary == [], temporary
        names = {path.name for path in self.folder.iterdir()}
        assert names <= {"Pipfile", "Pipfile.lock", ".venv"}, names
        assert not any(token.encode() in text for text in self.state)


class _Watch:
    """Counts how often the Pipfile, the lock or the copies were replaced."""

    def __init__(self, killable: KillableProject) -> None:
        self._paths = [killable.pipfile, killable.lock]
        self._folder = killable.folder
        self._seen = self._look()
        self.changes = 0

    def look(self) -> None:
        now = self._look()
        self.changes += now != self._seen
        self._seen = now

    def _look(self) -> object:
        with os.scandir(self._folder) as entries:
            copies = sorted(e.name for e in entries if ".pipenv-ca" in e.name)
        return copies, [_signature(path) for path in self._paths]


def _signature(path: Path) -> object:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


def _send(way: str, process: subprocess.Popen[bytes], master: FileIO | None) -> None:
    if way == TERM:
        process.terminate()
    elif way == KILL:
        process.kill()
    elif way == KILL_ALL:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    elif way == CTRL_C and master is not None:
        master.write(b"\x03")
    elif master is not None:
        master.close()


def _foreground(master: FileIO) -> int | None:
    try:
        return os.tcgetpgrp(master.fileno())
    except OSError:
        return None


def _drain(master: FileIO | None, seconds: float) -> None:
    if master is None:
        time.sleep(seconds)
        return
    poll = select.poll()  # select() is limited to descriptors below 1024
    poll.register(master, select.POLLIN)
    if poll.poll(seconds * 1000):
        try:
            master.read(65536)
        except OSError:  # the other end is closed
            time.sleep(seconds)
