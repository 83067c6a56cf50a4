"""Ways to a private package, to try faults at each: the command, and what must hold."""

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
# The start of every token, here and at AWS: its readable header.
TOKEN_MARK = "eyJ2ZXIiOj"
OWN_LINE = re.compile(r"^(?:error|hint|warning|codeartifact-pipenv): .*$", re.MULTILINE)


def publish_packages(sandbox: Sandbox, folder: Path) -> None:
    """Publish orb-tools, which needs orb-common; large enough to break off in the middle."""
    matter = random.Random(1).randbytes(60_000).hex()  # noqa: S311 - it only takes room
    for name, needs in ((COMMON, ()), (TOOLS, (COMMON,))):
        module = {f"{name.replace('-', '_')}/__init__.py": f"MATTER = '{matter}'\n"}
        sandbox.publish(make_wheel(folder, name, "1.0", requires=needs, modules=module))


class World:
    """A user with a project.

    Attributes:
        prefix: words before every command, such as those for other mounts.
        listener: a socket to close at the end.
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
        """Run commands with mounts that a shell script changes; ``$1``... are the places."""
        program = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
        if shutil.which("unshare") is None or run(*program, "true", env=self.env, cwd=self.home)[0]:
            pytest.skip("this system does not let a user change mounts")
        words = [f'{script}\nshift {len(places)}\nexec "$@"', "sh", *map(str, places)]
        self.prefix = (*program, "sh", "-ec", *words)

    def write(self, name: str, text: str) -> Path:
        """Write a file next to the project's folder."""
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
        """Do something while commands run."""
        self._threads.append(threading.Thread(target=work))
        self._threads[-1].start()

    def finish(self) -> None:
        """Wait for everything that was started."""
        for thread in self._threads:
            thread.join()
        if self.listener is not None:
            self.listener.close()

    def reset(self) -> None:
        """Restore the first state; the virtual environment stays, without the packages."""
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
        """Put a token into the cache and return it."""
        return get_token(self.sandbox, self.env, self.folder)

    def write_pipfile(self, *, public_first: bool) -> None:
        url = self.public.url.replace("127.0.0.1", "localhost")
        public = f'[[source]]\nurl = "{url}"\nverify_ssl = false\nname = "public"\n'
        tables = [public] * public_first + [source(self.sandbox.endpoint)]
        write_pipfile(self.folder, *tables, f'[packages]\n{TOOLS} = "*"\n')

    def write_lock(self) -> None:
        """Write the lock of the Pipfile; only the first one is resolved."""
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
        """Return the content of the project's files."""
        return {path.name: path.read_bytes() for path in self.folder.glob("Pipfile*")}

    def installed(self) -> list[str]:
        """Return the packages in the virtual environment."""
        found = self.folder.glob(".venv/lib/*/site-packages/orb_*/__init__.py")
        return sorted(path.parent.name.replace("_", "-") for path in found)


class Door(NamedTuple):
    """A way to the package.

    Attributes:
        prepare: writes the project.
        words: the command.
        check: asserts success.
        is_ours: whether our ``error:`` and ``hint:`` report a failure.
        is_alone: whether no other program takes part.
    """

    prepare: Callable[[World], None]
    words: Callable[[World], tuple[str, ...]]
    check: Callable[[World, Result], None]
    is_ours: bool
    is_alone: bool = False


def _one_token(world: World, done: Result) -> None:
    issued = world.sandbox._state.tokens
    assert issued.find(done.stdout.strip(), world.sandbox.endpoint.domain)


def _locked(world: World, _done: Result) -> None:
    text = (world.folder / "Pipfile.lock").read_bytes()
    locked = json.loads(text)["default"]
    assert sorted(locked) == [COMMON, TOOLS]
    # With one source, pipenv names no index.
    assert {entry.get("index", "codeartifact") for entry in locked.values()} == {"codeartifact"}
    assert b"127.0.0.1" not in text


def _synced(world: World, _done: Result) -> None:
    assert world.installed() == [COMMON, TOOLS]


def _to_sync(world: World) -> None:
    world.write_pipfile(public_first=False)
    world.write_lock()


def _targeted(world: World, _done: Result) -> None:
    assert [path.name for path in (world.folder / "target").glob("orb_?????")] == ["orb_tools"]


def _words(*words: str) -> Callable[[World], tuple[str, ...]]:
    """Return the words of a command, with the repository's URL in the place of URL."""
    return lambda world: tuple(
        world.sandbox.endpoint.simple_url if word == "URL" else word for word in words
    )


_PIP = (sys.executable, "-m", "pip", "install", "--no-input", "--target", "target")
_BY_KEYRING = ("--keyring-provider", "import", "--index-url", "URL", TOOLS)
DOORS = {
    "token": Door(lambda _: None, _words(PIPENV_CA, "token", "URL"), _one_token, True, True),
    "lock": Door(
        lambda world: world.write_pipfile(public_first=False),
        _words(PIPENV_CA, "lock"),
        _locked,
        True,
    ),
    "sync": Door(_to_sync, _words(PIPENV_CA, "sync"), _synced, True),
    "loopback": Door(
        lambda world: world.write_pipfile(public_first=True),
        _words(PIPENV_CA, "lock"),
        _locked,
        True,
    ),
    "keyring": Door(lambda _: None, _words(KEYRING, "get", "URL", "aws"), _one_token, False),
    "pip": Door(lambda _: None, _words(*_PIP, *_BY_KEYRING), _targeted, False),
}


class Seen(NamedTuple):
    """The result of a try.

    Attributes:
        words: ``works``, ``fails``, a cause such as ``[throttled]``, or all our messages.
        seconds: the duration.
        done: the whole result.
    """

    words: str
    seconds: float
    done: Result


def try_door(world: World, door: Door) -> Seen:
    """Run a door's command, and check what must hold in any case."""
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
    # A traceback of pipenv or pip is possible when they fail.
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
        # Newer pips also print errors and hints; ours come last.
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
