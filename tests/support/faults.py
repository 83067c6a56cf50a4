"""Five doors to a private package, for trying faults at each: what is run, and what holds."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import sys
import threading
import time
from typing import TYPE_CHECKING, NamedTuple

import pytest
from support.files import files_below
from support.programs import PIPENV_CA, Result, run
from support.projects import source, write_pipfile
from support.runs import KEYRING, get_token

from codeartifact_pipenv.sandbox.wheels import make_wheel

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from support.sandbox import FakePublicIndex

    from codeartifact_pipenv.sandbox.sandbox import Sandbox

PROXY_PASSWORD = "hunter2"
TOOLS, COMMON = "orb-tools", "orb-common"
# What every token begins with, here and at AWS: its readable header.
TOKEN_MARK = "eyJ2ZXIiOj"
OWN_LINE = re.compile(r"^(?:error|hint|warning|codeartifact-pipenv): .*$", re.MULTILINE)


def publish_packages(sandbox: Sandbox, folder: Path) -> None:
    """Publish orb-tools, which needs orb-common; large enough to break off in the middle."""
    matter = random.Random(1).randbytes(60_000).hex()  # noqa: S311 - it only takes room
    for name, needs in ((COMMON, ()), (TOOLS, (COMMON,))):
        module = {f"{name.replace('-', '_')}/__init__.py": f"MATTER = '{matter}'\n"}
        sandbox.publish(make_wheel(folder, name, "1.0", requires=needs, modules=module))


class World:
    """A user with a project, at whom faults are aimed.

    Attributes:
        sandbox: the AWS.
        env: the user's environment.
        folder: the project.
        home: the user's home.
        prefix: words before every command, such as those that give it a disk of its own.
        listener: a socket to close in the end.
    """

    def __init__(
        self, sandbox: Sandbox, public: FakePublicIndex, base: Mapping[str, str], place: Path
    ) -> None:
        self.sandbox = sandbox
        self.public = public
        self.prefix: tuple[str, ...] = ()
        self.listener: socket.socket | None = None
        self._threads: list[threading.Thread] = []
        self.folder, self.home = place / "my project", place / "home"
        self.temporary = place / "tmp"
        for folder in (self.folder, self.home, self.temporary):
            folder.mkdir(exist_ok=True)
        hidden = ("PIP_", "XDG_")
        kept = {name: value for name, value in base.items() if not name.startswith(hidden)}
        self.env = sandbox.environ(kept) | {
            "HOME": str(self.home),
            "TMPDIR": str(self.temporary),
            "LANG": "C.UTF-8",
            "NO_COLOR": "1",
            "PIPENV_NOSPIN": "1",
            "PIPENV_VENV_IN_PROJECT": "1",
            "PIPENV_CACHE_DIR": str(place / "pipenv-cache"),
            "PIP_CACHE_DIR": str(place / "pip-cache"),
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_DEFAULT_TIMEOUT": "15",  # pip's own default
            "VIRTUALENV_OVERRIDE_APP_DATA": str(place / "virtualenv"),
            "VIRTUALENV_NO_PERIODIC_UPDATE": "1",
        }
        del self.env["PIPENV_CA_CACHE_DIR"]

    def in_namespace(self, script: str, *places: Path) -> None:
        """Run commands where a script has changed what is mounted, for them alone.

        Args:
            script: for a shell; ``$1``, ``$2``... are the places.
            places: files or folders.
        """
        program = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
        if shutil.which("unshare") is None or run(*program, "true", env=self.env, cwd=self.home)[0]:
            pytest.skip("this system gives nobody mounts of his own")
        words = [f'{script}\nshift {len(places)}\nexec "$@"', "sh", *map(str, places)]
        self.prefix = (*program, "sh", "-ec", *words)

    def write(self, name: str, text: str) -> Path:
        """Write a file beside the project; return its path."""
        path = self.folder.parent / name
        path.write_text(text)
        return path

    def kept(self) -> Path:
        """Return the file of the token in the cache."""
        (path,) = self.home.glob(".cache/codeartifact-pipenv/*.json")
        return path

    def clock(self, seconds: float) -> None:
        """Set AWS's clock ahead of this machine's."""
        self.sandbox.clock_offset = seconds

    def start(self, work: Callable[[], None]) -> None:
        """Have something done while commands run."""
        self._threads.append(threading.Thread(target=work))
        self._threads[-1].start()

    def finish(self) -> None:
        """Wait for all that was started."""
        for thread in self._threads:
            thread.join()
        if self.listener is not None:
            self.listener.close()

    def reset(self) -> None:
        """Let all be as at the beginning; the virtual environment stays, without the packages."""
        for name in ("pipenv-cache", "pip-cache"):
            shutil.rmtree(self.folder.parent / name, ignore_errors=True)
        for folder in (self.home, self.temporary):
            shutil.rmtree(folder)
            folder.mkdir()
        for path in [*self.folder.glob("Pipfile*"), *self.folder.glob("target")]:
            path.unlink() if path.is_file() else shutil.rmtree(path)
        for path in self.folder.glob(".venv/lib/*/site-packages/orb_*"):
            shutil.rmtree(path)

    def run(self, *words: str) -> Result:
        return run(*self.prefix, *words, env=self.env, cwd=self.folder)

    def token(self) -> str:
        """Return a token that is kept in the cache from here on."""
        return get_token(self.sandbox, self.env, self.folder)

    def write_pipfile(self, *, public_first: bool) -> None:
        public = (
            f'[[source]]\nurl = "{self.public.url.replace("127.0.0.1", "localhost")}"\n'
            'verify_ssl = false\nname = "public"\n'
        )
        tables = [public] if public_first else []
        write_pipfile(
            self.folder, *tables, source(self.sandbox.endpoint), f'[packages]\n{TOOLS} = "*"\n'
        )

    def write_lock(self) -> None:
        """Write the lock that `lock` makes of the Pipfile, without asking anybody."""
        path = self.folder / "Pipfile.lock"
        kept = self.folder.parent / "kept.lock"
        if not kept.exists():
            done = run(PIPENV_CA, "lock", env=self.env, cwd=self.folder)
            assert done.status == 0, done.output
            shutil.move(path, kept)
            shutil.rmtree(self.home / ".cache")
            shutil.rmtree(self.env["PIP_CACHE_DIR"], ignore_errors=True)
        shutil.copy(kept, path)

    def files(self) -> dict[str, bytes]:
        """Return what is in the project's own files."""
        return {path.name: path.read_bytes() for path in self.folder.glob("Pipfile*")}

    def installed(self) -> list[str]:
        """Return which of the packages are in the virtual environment."""
        found = self.folder.glob(".venv/lib/*/site-packages/orb_*/__init__.py")
        return sorted(path.parent.name.replace("_", "-") for path in found)


class Door(NamedTuple):
    """A way to the package.

    Attributes:
        prepare: makes the project what it takes.
        words: the command.
        check: asserts what success is.
        is_ours: whether a failure is told by us, as ``error:`` and ``hint:``.
        is_alone: whether no other program has a say.
    """

    prepare: Callable[[World], None]
    words: Callable[[World], tuple[str, ...]]
    check: Callable[[World, Result], None]
    is_ours: bool
    is_alone: bool = False


def _nothing(_world: World) -> None:
    pass


def _one_token(world: World, done: Result) -> None:
    issued = world.sandbox._state.tokens
    assert issued.find(done.stdout.strip(), world.sandbox.endpoint.domain)


def _locked(world: World, _done: Result) -> None:
    lock = json.loads((world.folder / "Pipfile.lock").read_bytes())
    assert sorted(lock["default"]) == [COMMON, TOOLS]
    # (Where there is one source, pipenv names none.)
    indexes = {entry.get("index", "codeartifact") for entry in lock["default"].values()}
    assert indexes == {"codeartifact"}
    assert b"127.0.0.1" not in (world.folder / "Pipfile.lock").read_bytes()


def _synced(world: World, _done: Result) -> None:
    assert world.installed() == [COMMON, TOOLS]


def _as_written(world: World) -> None:
    world.write_pipfile(public_first=False)


def _to_sync(world: World) -> None:
    _as_written(world)
    world.write_lock()


def _public_first(world: World) -> None:
    world.write_pipfile(public_first=True)


def _targeted(world: World, _done: Result) -> None:
    assert sorted(path.name for path in (world.folder / "target").glob("orb_?????")) == [
        "orb_tools"
    ]


def _pip(world: World) -> tuple[str, ...]:
    return (
        *(sys.executable, "-m", "pip", "install", "--no-input", "--target", "target"),
        *("--keyring-provider", "import", "--index-url", world.sandbox.endpoint.simple_url, TOOLS),
    )


DOORS = {
    "token": Door(
        _nothing,
        lambda w: (PIPENV_CA, "token", w.sandbox.endpoint.simple_url),
        _one_token,
        True,
        True,
    ),
    "lock": Door(_as_written, lambda _: (PIPENV_CA, "lock"), _locked, True),
    "sync": Door(_to_sync, lambda _: (PIPENV_CA, "sync"), _synced, True),
    "loopback": Door(_public_first, lambda _: (PIPENV_CA, "lock"), _locked, True),
    "keyring": Door(
        _nothing,
        lambda w: (KEYRING, "get", w.sandbox.endpoint.simple_url, "aws"),
        _one_token,
        False,
    ),
    "pip": Door(_nothing, _pip, _targeted, False),
}


class Seen(NamedTuple):
    """What came of a try.

    Attributes:
        words: ``works``, ``fails``, a cause such as ``[throttled]``, or all that we say.
        seconds: how long it took.
        done: all of it.
    """

    words: str
    seconds: float
    done: Result


def try_door(world: World, door: Door) -> Seen:
    """Run a door's command, and check what must hold whatever comes of it."""
    before = world.files()
    begin = time.monotonic()
    done = world.run(*door.words(world))
    seconds = time.monotonic() - begin
    if done.status == 0:
        door.check(world, done)
    else:
        assert world.files() == before
    shown = done.stderr if done.status == 0 and door.check is _one_token else done.output
    assert TOKEN_MARK not in shown, "a token is shown"
    assert PROXY_PASSWORD not in done.output
    assert world.sandbox.user.secret_access_key not in done.output
    assert not re.search(r'File ".*codeartifact_pipenv', done.output), done.output
    # (Where pipenv and pip give up, they may show one of theirs.)
    assert "Traceback" not in done.output or (done.status != 0 and not door.is_alone), done.output
    left = [
        path
        for folder in (world.folder, world.home, world.temporary)
        for path in files_below(folder)
        if ".venv" not in path.parts
        and TOKEN_MARK.encode() in path.read_bytes()
        and not (path.suffix == ".json" and path.stat().st_mode & 0o077 == 0)
    ]
    assert left == [], "a token is left behind"
    return Seen(_what_is_said(door, done), seconds, done)


def _what_is_said(door: Door, done: Result) -> str:
    own = [found[0] for found in OWN_LINE.finditer(done.stderr)]
    if done.stderr.splitlines()[-2:] != own[-2:]:
        # Newer pips have errors and hints, too; ours come last.
        own = [line for line in own if not line.startswith(("error: ", "hint: "))]
    if done.status == 0:
        return "works" if not own else "works, and says " + " / ".join(own)
    if not own:
        return "fails"
    kinds = [line.partition(":")[0] for line in own]
    if door.is_ours and kinds == ["error", "hint"]:
        code = re.search(r" \[[a-z-]+\]$", own[0])
        return code[0].strip() if code else own[0]
    return f"status {done.status}: {' / '.join(own)}"
