"""Killed commands change all of their files or none."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
from support.killed import (
    CLOSED,
    CTRL_C,
    KILL,
    KILL_ALL,
    TERM,
    WAYS,
    KillableProject,
    Moment,
    NormalRun,
)
from support.programs import PIPENV_CA, Result, run
from support.projects import make_private_packages, source
from support.runs import get_token
from support.sandbox import FakePublicIndex
from support.traces import files_with

from codeartifact_pipenv.files.replacing import exchange
from codeartifact_pipenv.sandbox.sandbox import Sandbox
from codeartifact_pipenv.sandbox.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from support.killed import KilledRun, State
    from typing_extensions import Self

    Size = Callable[[int, int], int]
    Figure = Callable[[str, str], None]

pytestmark = [
    pytest.mark.endurance,
    pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="processes are found in /proc"),
]

ROUTES = ("as written", "loopback")
PUBLIC = ("six", "idna")
COMMANDS = {
    "lock": ["lock"],
    "install": ["install"],
    "install PKG": ["install", "orb-common"],
    "update PKG": ["update", "orb-schema-generator"],
}
# Next commands, with and without an index; each removes the leftovers of a SIGKILL.
NEXT = (
    ["--version"],
    ["install", "--deploy"],
    ["verify"],
    ["lint"],
    ["run", "python", "-c", ""],
    ["graph"],
)
SIGNALS = {TERM: signal.SIGTERM, CTRL_C: signal.SIGINT, CLOSED: signal.SIGHUP}


class Sources(NamedTuple):
    """A CodeArtifact and a public index on loopback."""

    sandbox: Sandbox
    public: FakePublicIndex


@pytest.fixture(scope="module")
def sources(
    tmp_path_factory: pytest.TempPathFactory, clean_base: dict[str, str]
) -> Iterator[Sources]:
    folder = tmp_path_factory.mktemp("wheels")
    wheels = [make_wheel(folder, name, "3.0", modules={f"{name}.py": ""}) for name in PUBLIC]
    public = FakePublicIndex()
    for name, wheel in zip(PUBLIC, wheels, strict=True):
        public.add(name, wheel)
    server = threading.Thread(target=public.serve_forever, args=(0.05,), daemon=True)
    server.start()
    with Sandbox(domain="my-dom", repository="all", base=clean_base, upstream=False) as sandbox:
        team = sandbox.add_repository("team")
        for wheel in make_private_packages(tmp_path_factory.mktemp("packages")):
            sandbox.publish(wheel)
            sandbox.publish(wheel, team)
        for wheel in wheels:
            sandbox.publish(wheel)
        yield Sources(sandbox, public)
    public.shutdown()
    server.join()
    public.server_close()


class PreparedProject(NamedTuple):
    """A project, the normal run of each command, and their token."""

    killable: KillableProject
    normal_run: dict[str, NormalRun]
    token: str


def prepare_project(
    route: str, sources: Sources, env: dict[str, str], folder: Path, commands: list[str]
) -> PreparedProject:
    sandbox = sources.sandbox
    if route == "as written":
        head = source(sandbox.endpoint)
    else:
        url = sources.public.url.replace("127.0.0.1", "localhost")
        public = f'[[source]]\nurl = "{url}"\nverify_ssl = true\nname = "public"\n'
        head = f"{public}\n{source(sandbox.endpoint)}".replace("/all/", "/team/")
    packages = '[packages]\n# private\norb-schema-generator = "==1.0.1"  # for the build\n'
    env = sandbox.environ(env) | {"PIPENV_CA_CACHE_DIR": str(folder.parent / "tokens")}
    env |= {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIPENV_CA_ROUTE": route.replace(" ", "-")}
    killable = KillableProject(folder, env, f"# The team's own.\n{head}\n{packages}")
    said = killable.do("--ca-verbose", "install")
    assert f"route {route.replace(' ', '-')}" in said, said
    # Newer than the lock, so every command has work to do.
    killable.old = (killable.old[0] + b'idna = "*"\n', killable.lock.read_bytes())
    normal_run = {name: killable.normal_run(COMMANDS[name]) for name in commands}
    for name, done in normal_run.items():
        assert done.state[1] != killable.old[1], name
        assert (done.state[0] != killable.old[0]) == name.endswith("PKG"), done.state[0].decode()
        assert b"://127." not in b"".join(done.state)
    killable.check_nothing_left(token := get_token(sandbox, env, folder))
    return PreparedProject(killable, normal_run, token)


def new_seed() -> tuple[int, random.Random]:
    seed = random.SystemRandom().randrange(1 << 32)
    return seed, random.Random(seed)  # noqa: S311 - not a secret


def random_moment(rng: random.Random, done: NormalRun) -> Moment:
    if rng.random() < 0.5:
        return Moment(0, rng.uniform(0, done.seconds * 1.05))
    return Moment(rng.randint(1, done.changes), rng.choice((0, rng.uniform(0, 0.03))))


def check_status(ended: KilledRun, way: str, *, new: bool) -> None:
    """Check the exit status: that of the signal, or success if the work is done."""
    number = SIGNALS.get(way, signal.SIGKILL)
    allowed = {-number, 128 + number}
    if way == CTRL_C:
        allowed.add(1)  # pipenv's, if its resolver was interrupted
    if new:
        allowed.add(0)
    assert ended.status in allowed


def check_files(killable: KillableProject, done: NormalRun) -> None:
    """Check that each file is old or new, and the lock not newer than the Pipfile."""
    between = (done.state[0], killable.old[1])  # a lock that `verify` calls outdated
    assert killable.state in {killable.old, between, done.state}, [
        x.decode() for x in killable.state
    ]


def next_run(killable: KillableProject, words: list[str], home: Path) -> float:
    """Run the next command with another home; return its seconds."""
    begin = time.monotonic()
    home.mkdir(exist_ok=True)
    env = killable.env | {"HOME": str(home), "PIPENV_CA_CACHE_DIR": str(home / "cache")}
    done = run(PIPENV_CA, *words, env=env, cwd=killable.folder)
    assert "Traceback" not in done.stderr, done.stderr
    return time.monotonic() - begin


@pytest.mark.parametrize("route", ROUTES)
def test_a_killed_command_leaves_whole_files_and_nothing_else(
    route: str,
    sources: Sources,
    clean_env: dict[str, str],
    project: Path,
    size: Size,
    figure: Figure,
) -> None:
    amount = size(len(WAYS), 100)
    commands = list(COMMANDS)
    if size(1, 0):
        commands = commands[::2] if route == "loopback" else commands[1::2]
    prepared = prepare_project(route, sources, clean_env, project, commands)
    killable = prepared.killable
    ends: dict[str, list[float]] = {way: [] for way in WAYS}
    slowest_orphan = recovery = 0.0
    for number in range(amount):
        seed, rng = new_seed()
        way, name = WAYS[number % len(WAYS)], commands[number % len(commands)]
        done = prepared.normal_run[name]
        moment = random_moment(rng, done)
        after = rng.choice(NEXT)
        story = f"seed {seed}: {name} ({route}), {way} at {moment}"
        ended = killable.kill(COMMANDS[name], way, moment)
        try:
            check_files(killable, done)  # at once, and again after all processes have ended
            slowest_orphan = max(slowest_orphan, killable.check_no_orphan())
            check_files(killable, done)
            new = killable.state == done.state
            if way in {KILL, KILL_ALL} or killable.has_temporary_files():
                story += f", then {after}"
                other_home = project.parent / "other home"
                recovery = max(recovery, next_run(killable, after, other_home))
            check_files(killable, done)
            killable.check_nothing_left(prepared.token)
            check_status(ended, way, new=new)
        except AssertionError as error:
            raise AssertionError(f"{story}\n{error}\n{ended}") from error
        ends[way].append(ended.seconds)
    everywhere = [killable.folder, Path(killable.env["HOME"]), Path(killable.env["TMPDIR"])]
    assert files_with(prepared.token, everywhere) == []
    for way, all_seconds in ends.items():
        slowest = f"{len(all_seconds)} times; ended within {max(all_seconds):.1f} s"
        figure(f"killed, {route}: {way}", slowest)
    figure(f"killed, {route}: processes left", f"0, the last of them after {slowest_orphan:.1f} s")
    figure(f"killed, {route}: slowest command that sweeps", f"{recovery:.1f} s in all")


class Editor:
    """Saves the Pipfile every 50 ms by renaming, with one more line each time.

    Unlike real editors it keeps changes that another program makes in between.
    """

    def __init__(self, killable: KillableProject) -> None:
        self._killable = killable
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._edit)
        self.lines: list[str] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _edit(self) -> None:
        path = self._killable.pipfile
        other = path.with_name("Pipfile.being-saved")
        while not self._stop.wait(0.05):
            line = f"# edit {len(self.lines)}"
            known = path.read_text()
            found, text = None, f"{known}{line}\n"
            while found != known:
                other.write_text(text)
                assert exchange(str(other), str(path))
                found = other.read_text()
                if found != known:
                    known, text = text, found if line in found.split("\n") else f"{found}{line}\n"
            other.unlink()
            self.lines.append(line)


# A disk that is slower than the editor.
_SLOW_DISK = """
import os, time
sync = os.fsync
os.fsync = lambda descriptor: (time.sleep(0.08), sync(descriptor))
"""


@pytest.mark.parametrize("route", ROUTES)
def test_edits_during_a_command_are_kept(
    route: str,
    sources: Sources,
    clean_env: dict[str, str],
    project: Path,
    size: Size,
    figure: Figure,
) -> None:
    prepared = prepare_project(route, sources, clean_env, project, ["lock", "install PKG"])
    killable, edits = prepared.killable, 0
    slow = project.parent / "slow disk"
    slow.mkdir()
    (slow / "sitecustomize.py").write_text(_SLOW_DISK)
    env = killable.env | {"PYTHONPATH": str(slow)}
    commands = [*(COMMANDS[name] for name in prepared.normal_run), ["install", "no-such-package"]]
    for words in commands * size(1, 10):
        killable.reset()
        with Editor(killable) as editor:
            done = run(PIPENV_CA, *words, env=env, cwd=killable.folder)
        assert (done.status == 0) == ("no-such-package" not in words), done.output
        assert len(editor.lines) > 3
        text, lock = (data.decode() for data in killable.state)
        assert [line for line in text.splitlines() if line.startswith("# edit")] == editor.lines
        assert ("orb-common" in text) == ("orb-common" in words), done.output
        changed = done.status == 0
        assert (lock != killable.old[1].decode()) == changed
        killable.check_nothing_left(prepared.token)
        edits += len(editor.lines)
    figure(f"edited meanwhile, {route}", f"{edits} edits, 0 lost")


def test_a_killed_command_does_not_disturb_another(
    sources: Sources, clean_env: dict[str, str], project: Path, size: Size, figure: Figure
) -> None:
    amount = size(2, 20)
    prepared = prepare_project("loopback", sources, clean_env, project, ["lock", "install PKG"])
    killable = prepared.killable
    right, slowest = {prepared.normal_run["install PKG"].state}, 0.0
    with ThreadPoolExecutor(1) as pool:
        for number in range(amount):
            seed, rng = new_seed()
            way = WAYS[-1 - number % len(WAYS)]
            moment = random_moment(rng, prepared.normal_run["lock"])
            late = rng.uniform(0, moment.seconds + 0.3)
            killable.reset()
            begin = time.monotonic()
            other = pool.submit(install_after, late, killable)
            with killable.killing(COMMANDS["lock"], way, moment):
                done = other.result()
            slowest = max(slowest, time.monotonic() - begin)
            try:
                assert done.status == 0, done.output
                assert "Traceback" not in done.stderr, done.stderr
                killable.check_no_orphan()
                next_run(killable, ["--version"], project.parent / "other home")
                killable.check_nothing_left(prepared.token)
                seen = killable.state
                if seen not in right:  # the killed command was already done
                    both = ("lock", "install PKG")
                    right |= {in_turn(killable, *order) for order in (both, both[::-1])}
                assert seen in right
            except AssertionError as error:
                raise AssertionError(
                    f"seed {seed}: lock, {way} at {moment}, install PKG {late:.3f} s after it began"
                    f"\n{error}"
                ) from error
    figure("killed, one of two at once", f"{amount} times: the other right; within {slowest:.1f} s")


def in_turn(killable: KillableProject, *names: str) -> State:
    killable.reset()
    for name in names:
        killable.do(*COMMANDS[name])
    return killable.state


def install_after(seconds: float, killable: KillableProject) -> Result:
    time.sleep(seconds)
    return run(PIPENV_CA, *COMMANDS["install PKG"], env=killable.env, cwd=killable.folder)
