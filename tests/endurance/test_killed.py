"""What is left of a command that is killed at any moment: all of it, or nothing of it."""

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
from support.files import files_with
from support.killed import CLOSED, CTRL_C, KILL, KILL_ALL, TERM, WAYS, Moment, Undisturbed, Victim
from support.programs import PIPENV_CA, Result, run
from support.projects import make_private_packages, source
from support.runs import get_token
from support.sandbox import FakePublicIndex

from codeartifact_pipenv.files.atomic import exchange
from codeartifact_pipenv.sandbox.sandbox import Sandbox
from codeartifact_pipenv.sandbox.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from support.killed import Ended, State
    from typing_extensions import Self

pytestmark = [
    pytest.mark.endurance,
    pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="processes are found in /proc"),
]

ROUTES = ("as written", "loopback")
COMMANDS = {
    "lock": ["lock"],
    "install": ["install"],
    "install PKG": ["install", "orb-common"],
    "update PKG": ["update", "orb-schema-generator"],
}
# What may come next, with an index and without: any of them removes what a SIGKILL has left.
NEXT = (
    ["--version"],
    ["install", "--deploy"],
    ["verify"],
    ["lint"],
    ["run", "python", "-c", ""],
    ["graph"],
)
SIGNALS = {TERM: signal.SIGTERM, CTRL_C: signal.SIGINT, CLOSED: signal.SIGHUP}


class World(NamedTuple):
    """A CodeArtifact and a public index, both on this machine alone."""

    sandbox: Sandbox
    public: FakePublicIndex


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, clean_base: dict[str, str]) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("wheels")
    six = make_wheel(folder, "six", "1.16.0", modules={"six.py": ""})
    idna = make_wheel(folder, "idna", "3.0", modules={"idna.py": ""})
    public = FakePublicIndex()
    for wheel in (six, idna):
        public.add(wheel.name.partition("-")[0], wheel)
    server = threading.Thread(target=public.serve_forever, args=(0.05,), daemon=True)
    server.start()
    with Sandbox(domain="my-dom", repository="all", base=clean_base, upstream=False) as sandbox:
        team = sandbox.add_repository("team")
        for wheel in make_private_packages(tmp_path_factory.mktemp("packages")):
            sandbox.publish(wheel)
            sandbox.publish(wheel, team)
        for wheel in (six, idna):
            sandbox.publish(wheel)
        yield World(sandbox, public)
    public.shutdown()
    server.join()
    public.server_close()


class Scene(NamedTuple):
    """A project, what each command does to it undisturbed, and the token that they use."""

    victim: Victim
    undisturbed: dict[str, Undisturbed]
    token: str


def make_scene(
    route: str, world: World, env: dict[str, str], folder: Path, commands: list[str]
) -> Scene:
    """Set the project up, and see what its commands do."""
    sandbox = world.sandbox
    if route == "as written":
        head = source(sandbox.endpoint)
    else:
        url = world.public.url.replace("127.0.0.1", "localhost")
        public = f'[[source]]\nurl = "{url}"\nverify_ssl = true\nname = "public"\n'
        head = f"{public}\n{source(sandbox.endpoint)}".replace("/all/", "/team/")
    packages = '[packages]\n# private\norb-schema-generator = "==1.0.1"  # for the build\n'
    env = sandbox.environ(env) | {"PIPENV_CA_CACHE_DIR": str(folder.parent / "tokens")}
    env |= {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIPENV_CA_ROUTE": route.replace(" ", "-")}
    victim = Victim(folder, env, f"# The team's own.\n{head}\n{packages}")
    said = victim.do("--ca-verbose", "install")
    assert f"route {route.replace(' ', '-')}" in said, said
    # Ahead of its lock, so that every command has something to do.
    victim.old = (victim.old[0] + b'idna = "*"\n', victim.lock.read_bytes())
    undisturbed = {name: victim.undisturbed(COMMANDS[name]) for name in commands}
    for name, done in undisturbed.items():
        assert done.state[1] != victim.old[1], name
        assert (done.state[0] != victim.old[0]) == name.endswith("PKG"), done.state[0].decode()
        assert b"://127." not in b"".join(done.state)
    victim.check_nothing_left(token := get_token(sandbox, env, folder))
    return Scene(victim, undisturbed, token)


def a_seed() -> tuple[int, random.Random]:
    """Return a seed to tell of a failure, and what follows from it."""
    seed = random.SystemRandom().randrange(1 << 32)
    return seed, random.Random(seed)  # noqa: S311 - moments are no secret


def a_moment(rng: random.Random, done: Undisturbed) -> Moment:
    """Choose a moment: anywhere, or right after one of the changes to the files."""
    if rng.random() < 0.5:
        return Moment(0, rng.uniform(0, done.seconds * 1.05))
    return Moment(rng.randint(1, done.changes), rng.choice((0, rng.uniform(0, 0.03))))


class Tally:
    """What was seen, for the table."""

    def __init__(self) -> None:
        self.rows: dict[str, list[tuple[bool, float]]] = {}

    def add(self, what: str, new: bool, seconds: float) -> None:
        self.rows.setdefault(what, []).append((new, seconds))

    def text(self, what: str, slowest: str) -> str:
        rows = self.rows.get(what, [])
        new = sum(is_new for is_new, _ in rows)
        most = max((seconds for _, seconds in rows), default=0.0)
        return f"{len(rows)} times: {len(rows) - new} old, {new} new; {slowest} {most:.1f} s"


def check_status(ended: Ended, way: str, *, new: bool) -> None:
    """Check the exit status: the signal's, as of pipenv alone; success only where it is done."""
    number = SIGNALS.get(way, signal.SIGKILL)
    allowed = {-number, 128 + number}
    if way == CTRL_C:
        allowed.add(1)  # pipenv's, where the interrupted resolver is its child
    if new:
        allowed.add(0)
    assert ended.status in allowed


def check_files(victim: Victim, done: Undisturbed) -> None:
    """Check that each file is the old or the new one, and the lock never ahead of the Pipfile."""
    between = (done.state[0], victim.old[1])  # a lock that `verify` calls outdated
    assert victim.state in {victim.old, between, done.state}, [x.decode() for x in victim.state]


def next_run(victim: Victim, words: list[str], home: Path) -> float:
    """Run the command that comes next, from another home; return its seconds."""
    begin = time.monotonic()
    home.mkdir(exist_ok=True)
    env = victim.env | {"HOME": str(home), "PIPENV_CA_CACHE_DIR": str(home / "cache")}
    done = run(PIPENV_CA, *words, env=env, cwd=victim.folder)
    assert "Traceback" not in done.stderr, done.stderr
    return time.monotonic() - begin


@pytest.mark.parametrize("route", ROUTES)
def test_a_killed_command_leaves_whole_files_and_nothing_else(
    route: str,
    world: World,
    clean_env: dict[str, str],
    project: Path,
    size: Callable[[int, int], int],
    figure: Callable[[str, str], None],
) -> None:
    amount = size(len(WAYS), 100)
    # (Seeing what a command does undisturbed takes as long as killing it twice.)
    commands = list(COMMANDS)
    if size(1, 0):
        commands = commands[::2] if route == "loopback" else commands[1::2]
    scene = make_scene(route, world, clean_env, project, commands)
    victim, tally = scene.victim, Tally()
    slowest_orphan = recovery = 0.0
    for number in range(amount):
        seed, rng = a_seed()
        way, name = WAYS[number % len(WAYS)], commands[number % len(commands)]
        done = scene.undisturbed[name]
        moment = a_moment(rng, done)
        after = rng.choice(NEXT)
        story = f"seed {seed}: {name} ({route}), {way} at {moment}"
        ended = victim.kill(COMMANDS[name], way, moment)
        seconds = ended.seconds
        try:
            check_files(victim, done)  # at once, and after what has outlived the run
            slowest_orphan = max(slowest_orphan, victim.check_no_orphan())
            check_files(victim, done)
            new = victim.state == done.state
            if way in {KILL, KILL_ALL} or victim.has_temporary_files():
                story += f", then {after}"
                other_home = project.parent / "other home"
                recovery = max(recovery, next_run(victim, after, other_home))
            check_files(victim, done)
            victim.check_nothing_left(scene.token)
            check_status(ended, way, new=new)
        except AssertionError as error:
            raise AssertionError(f"{story}\n{error}\n{ended}") from error
        tally.add(way, new, seconds)
    everywhere = [victim.folder, Path(victim.env["HOME"]), Path(victim.env["TMPDIR"])]
    assert files_with(scene.token, everywhere) == []
    for way in WAYS:
        figure(f"killed, {route}: {way}", tally.text(way, "ended within"))
    figure(f"killed, {route}: processes left", f"0, the last of them after {slowest_orphan:.1f} s")
    figure(f"killed, {route}: slowest command that sweeps", f"{recovery:.1f} s in all")


class Editor:
    """Saves the Pipfile every 50 ms, a line more each time, as editors do: by renaming.

    Unlike them it notices what another program wrote between its reading and its renaming.
    """

    def __init__(self, victim: Victim) -> None:
        self._victim = victim
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
        other = self._victim.folder / "Pipfile.being-saved"
        while not self._stop.wait(0.05):
            line = f"# edit {len(self.lines)}"
            known = self._victim.pipfile.read_text()
            found, text = None, f"{known}{line}\n"
            while found != known:
                other.write_text(text)
                assert exchange(str(other), str(self._victim.pipfile))
                found = other.read_text()
                if found != known:
                    known, text = text, found if line in found.split("\n") else f"{found}{line}\n"
            other.unlink()
            self.lines.append(line)


# A disk that takes longer than the editor from one save to the next.
_SLOW_DISK = """
import os, time
sync = os.fsync
def slow(descriptor):
    time.sleep(0.08)
    sync(descriptor)
os.fsync = slow
"""


@pytest.mark.parametrize("route", ROUTES)
def test_edits_during_a_command_are_kept(
    route: str,
    world: World,
    clean_env: dict[str, str],
    project: Path,
    size: Callable[[int, int], int],
    figure: Callable[[str, str], None],
) -> None:
    scene = make_scene(route, world, clean_env, project, ["lock", "install PKG"])
    victim, edits = scene.victim, 0
    slow = project.parent / "slow disk"
    slow.mkdir()
    (slow / "sitecustomize.py").write_text(_SLOW_DISK)
    env = victim.env | {"PYTHONPATH": str(slow)}
    commands = [*(COMMANDS[name] for name in scene.undisturbed), ["install", "no-such-package"]]
    for words in commands * size(1, 10):
        victim.reset()
        with Editor(victim) as editor:
            done = run(PIPENV_CA, *words, env=env, cwd=victim.folder)
        assert (done.status == 0) == ("no-such-package" not in words), done.output
        assert len(editor.lines) > 3
        text, lock = (data.decode() for data in victim.state)
        assert [line for line in text.splitlines() if line.startswith("# edit")] == editor.lines
        assert ("orb-common" in text) == ("orb-common" in words), done.output
        changed = done.status == 0
        assert (lock != victim.old[1].decode()) == changed
        victim.check_nothing_left(scene.token)
        edits += len(editor.lines)
    figure(f"edited meanwhile, {route}", f"{edits} edits, 0 lost")


def test_a_killed_command_does_not_disturb_another(
    world: World,
    clean_env: dict[str, str],
    project: Path,
    size: Callable[[int, int], int],
    figure: Callable[[str, str], None],
) -> None:
    amount = size(2, 20)
    scene = make_scene("loopback", world, clean_env, project, ["lock", "install PKG"])
    victim = scene.victim
    right, slowest = {scene.undisturbed["install PKG"].state}, 0.0
    with ThreadPoolExecutor(1) as pool:
        for number in range(amount):
            seed, rng = a_seed()
            way, moment = WAYS[-1 - number % len(WAYS)], a_moment(rng, scene.undisturbed["lock"])
            late = rng.uniform(0, moment.seconds + 0.3)
            victim.reset()
            begin = time.monotonic()
            other = pool.submit(after_pause, late, victim)
            with victim.dying(COMMANDS["lock"], way, moment):
                done = other.result()
            slowest = max(slowest, time.monotonic() - begin)
            try:
                assert done.status == 0, done.output
                assert "Traceback" not in done.stderr, done.stderr
                victim.check_no_orphan()
                next_run(victim, ["--version"], project.parent / "other home")
                victim.check_nothing_left(scene.token)
                seen = victim.state
                if seen not in right:  # the one to be killed came to its end
                    right |= {in_turn(victim, *order) for order in ORDERS}
                assert seen in right
            except AssertionError as error:
                raise AssertionError(
                    f"seed {seed}: lock, {way} at {moment}, install PKG {late:.3f} s after it began"
                    f"\n{error}"
                ) from error
    figure("killed, one of two at once", f"{amount} times: the other right; within {slowest:.1f} s")


ORDERS = (("lock", "install PKG"), ("install PKG", "lock"))


def in_turn(victim: Victim, *names: str) -> State:
    """Return what commands do one after the other."""
    victim.reset()
    for name in names:
        victim.do(*COMMANDS[name])
    return victim.state


def after_pause(seconds: float, victim: Victim) -> Result:
    time.sleep(seconds)
    return run(PIPENV_CA, *COMMANDS["install PKG"], env=victim.env, cwd=victim.folder)
