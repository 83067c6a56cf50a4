"""Killed commands change all of their files or none."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from support.programs import PIPENV_CA, run
from support.projects import PYPI_SOURCE, make_private_packages, source
from support.runs import Terminal, get_token, started, wait_for
from support.traces import files_with

from codeartifact_pipenv.sandbox.sandbox import Sandbox
from codeartifact_pipenv.sandbox.wheels import make_wheel

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator

pytestmark = [
    pytest.mark.endurance,
    pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="processes are found in /proc"),
]

ROUTES = ("as-written", "loopback")
COMMANDS = ("lock", "install", "install orb-common", "update orb-schema-generator")
# Next commands, with and without an index; each removes the leftovers of a SIGKILL.
NEXT = ("--version", "install --deploy", "verify", "lint", "run python -c pass", "graph")
TERM, CTRL_C, CLOSED = "SIGTERM", "ctrl-C", "terminal closed"
KILL, KILL_ALL = "SIGKILL", "SIGKILL of all"
WAYS = (TERM, CTRL_C, CLOSED, KILL, KILL_ALL)
SIGNALS = {TERM: signal.SIGTERM, CTRL_C: signal.SIGINT, CLOSED: signal.SIGHUP}

State = tuple[bytes, bytes]  # Pipfile and lock


class Moment(NamedTuple):
    """When a run is killed: seconds after a number of changes to files."""

    changes: int
    seconds: float


class NormalRun(NamedTuple):
    """The result of a command that is not killed."""

    state: State
    seconds: float
    changes: int


class Attempt(NamedTuple):
    """A run of a command; it has a terminal if it is killed by that."""

    process: subprocess.Popen[Any]
    terminal: Terminal | None
    folder: Path

    def run_until(self, moment: Moment | None) -> int:
        """Let it run until a moment or its end; return the number of changes to files."""
        seen, changes, end = self._files(), 0, None
        while self.process.poll() is None and (end is None or time.monotonic() < end):
            now = self._files()
            changes += now != seen
            seen = now
            if moment is not None and end is None and changes >= moment.changes:
                end = time.monotonic() + moment.seconds
            if self.terminal is not None:
                self.terminal.read(0.001)
            time.sleep(0.001)
        return changes

    def _files(self) -> set[tuple[str, int]]:
        """Return the files of the folder: each write of this program makes another one."""
        with os.scandir(self.folder) as entries:
            return {(entry.name, entry.inode()) for entry in entries}

    def kill(self, way: str) -> float:
        """Kill it and return the seconds until its end."""
        begin = time.monotonic()
        with contextlib.suppress(ProcessLookupError):
            if way == CTRL_C and self.terminal is not None:
                self.terminal.type(b"\x03")
                self.terminal.finish()
            elif way == CLOSED and self.terminal is not None:
                self.terminal.close()
            elif way == KILL_ALL:
                os.killpg(self.process.pid, signal.SIGKILL)
            else:
                self.process.send_signal(signal.SIGKILL if way == KILL else signal.SIGTERM)
        self.process.wait(60)
        return time.monotonic() - begin

    def is_over(self) -> bool:
        """Whether no process of its session is left.

        An ending process holds its locks while one of its threads exists.
        """
        for stat in Path("/proc").glob("[0-9]*/task/*/stat"):
            with contextlib.suppress(OSError):
                # proc_pid_stat(5): state, parent, group, session
                state, _, _, session = stat.read_text().rpartition(")")[2].split()[:4]
                if int(session) == self.process.pid and state not in "ZX":
                    return False
        return True


class KillableProject:
    """A project whose Pipfile is newer than its lock, so every command has work to do."""

    def __init__(self, route: str, sandbox: Sandbox, env: dict[str, str], folder: Path) -> None:
        self.folder = folder
        self.temporary = Path(env["TMPDIR"])
        self.env = sandbox.environ(env) | {"PIPENV_CA_CACHE_DIR": str(folder.parent / "tokens")}
        self.env |= {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIPENV_CA_ROUTE": route}
        self._pipfile, self._lock = folder / "Pipfile", folder / "Pipfile.lock"
        tables = [source(sandbox.endpoint)]
        if route == "loopback":
            tables.insert(0, PYPI_SOURCE)
        packages = '[packages]\n# private\norb-schema-generator = "==1.0.1"  # for the build\n'
        self._pipfile.write_text("\n".join(["# The team's own.", *tables, packages]))
        done = run(PIPENV_CA, "--ca-verbose", "install", env=self.env, cwd=folder)
        assert f"route {route}" in done.output, done.output
        self.token = get_token(sandbox, self.env, folder)
        self.old: State = (self._pipfile.read_bytes() + b'idna = "*"\n', self._lock.read_bytes())

    @property
    def state(self) -> State:
        return self._pipfile.read_bytes(), self._lock.read_bytes()

    @contextlib.contextmanager
    def attempt(self, words: str, way: str = "") -> Iterator[Attempt]:
        """Start a command; processes that it leaves end with the block."""
        self._pipfile.write_bytes(self.old[0])
        self._lock.write_bytes(self.old[1])
        program = (PIPENV_CA, *words.split())
        if way in {CTRL_C, CLOSED}:
            with Terminal(*program, env=self.env, cwd=self.folder) as terminal:
                wait_for(terminal.is_taken)
                yield Attempt(terminal.process, terminal, self.folder)
        else:
            with started(*program, env=self.env, cwd=self.folder) as process:
                yield Attempt(process, None, self.folder)

    def normal_run(self, words: str) -> NormalRun:
        begin = time.monotonic()
        with self.attempt(words) as attempt:
            changes = attempt.run_until(None)
        done = NormalRun(self.state, time.monotonic() - begin, changes)
        assert done.state[1] != self.old[1], words
        assert (done.state[0] != self.old[0]) == ("orb" in words), done.state[0].decode()
        assert b"://127." not in b"".join(done.state)
        return done

    def check_files(self, done: NormalRun) -> None:
        """Check that each file is old or new, and the lock not newer than the Pipfile."""
        between = (done.state[0], self.old[1])  # a lock that `verify` calls outdated
        assert self.state in {self.old, between, done.state}, [x.decode() for x in self.state]

    def next_run(self, words: str) -> float:
        """Run the next command with another home; return its seconds."""
        begin, home = time.monotonic(), self.folder.parent / "other home"
        home.mkdir(exist_ok=True)
        env = self.env | {"HOME": str(home), "PIPENV_CA_CACHE_DIR": str(home / "cache")}
        done = run(PIPENV_CA, *words.split(), env=env, cwd=self.folder)
        assert "Traceback" not in done.stderr, done.stderr
        return time.monotonic() - begin

    def check_nothing_left(self) -> None:
        """Check that no token, temporary file or copy is left."""
        assert os.listdir(self.temporary) == []
        names = {path.name for path in self.folder.iterdir()}
        assert names <= {"Pipfile", "Pipfile.lock", ".venv"}, names
        assert not any(self.token.encode() in text for text in self.state)


@pytest.fixture(scope="module")
def sandbox(
    tmp_path_factory: pytest.TempPathFactory, clean_base: dict[str, str]
) -> Iterator[Sandbox]:
    """A CodeArtifact, and a public index of two packages."""
    public = tmp_path_factory.mktemp("public")
    for name in ("six", "idna"):
        make_wheel(public, name, "3.0", modules={f"{name}.py": ""})
    with Sandbox(domain="my-dom", repository="team", public=public, base=clean_base) as sandbox:
        for wheel in make_private_packages(tmp_path_factory.mktemp("packages")):
            sandbox.publish(wheel)
        yield sandbox


def random_moment(rng: random.Random, done: NormalRun) -> Moment:
    if rng.random() < 0.5:
        return Moment(0, rng.uniform(0, done.seconds * 1.05))
    return Moment(rng.randint(1, done.changes), rng.choice((0, rng.uniform(0, 0.03))))


def allowed_statuses(way: str, *, is_done: bool) -> set[int]:
    """Return the status of the signal, and success if the work is done."""
    number = SIGNALS.get(way, signal.SIGKILL)
    more = {1} if way == CTRL_C else set()  # pipenv's, if its resolver was interrupted
    return {-number, 128 + number} | more | ({0} if is_done else set())


@pytest.mark.parametrize("route", ROUTES)
def test_a_killed_command_leaves_whole_files_and_nothing_else(
    route: str,
    sandbox: Sandbox,
    clean_env: dict[str, str],
    project: Path,
    size: Callable[[int, int], int],
    figure: Callable[[str, str], None],
) -> None:
    killable = KillableProject(route, sandbox, clean_env, project)
    commands = COMMANDS[ROUTES.index(route) :: size(2, 1)]
    normal_runs = {words: killable.normal_run(words) for words in commands}
    ends: dict[str, list[float]] = {way: [] for way in WAYS}
    recovery = 0.0
    for number in range(size(len(WAYS), 100)):
        seed = random.SystemRandom().randrange(1 << 32)
        rng = random.Random(seed)  # noqa: S311 - not a secret
        way, words, after = WAYS[number % len(WAYS)], rng.choice(commands), rng.choice(NEXT)
        done = normal_runs[words]
        moment = random_moment(rng, done)
        try:
            with killable.attempt(words, way) as attempt:
                attempt.run_until(moment)
                ends[way].append(attempt.kill(way))
                killable.check_files(done)  # at once, and again after all processes have ended
                wait_for(attempt.is_over, 60)
            killable.check_files(done)
            is_done = killable.state == done.state
            if way in {KILL, KILL_ALL} or os.listdir(killable.temporary):
                recovery = max(recovery, killable.next_run(after))
            killable.check_files(done)
            killable.check_nothing_left()
            assert attempt.process.returncode in allowed_statuses(way, is_done=is_done)
        except (AssertionError, TimeoutError) as error:
            story = f"seed {seed}: {words} ({route}), {way} at {moment}, then {after}"
            raise AssertionError(f"{story}\n{error}") from error
    everywhere = [killable.folder, Path(killable.env["HOME"]), killable.temporary]
    assert files_with(killable.token, everywhere) == []
    for way, seconds in ends.items():
        figure(f"killed, {route}: {way}", f"{len(seconds)} times; within {max(seconds):.1f} s")
    figure(f"killed, {route}: slowest command that sweeps", f"{recovery:.1f} s in all")
