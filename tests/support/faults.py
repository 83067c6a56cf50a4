"""Ways to a private package, to try faults at each: the machine, its networks, the commands."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, NamedTuple

import pytest
from support.programs import PIPENV_CA, Result, run
from support.projects import source, write_pipfile
from support.runs import KEYRING, get_token
from support.traces import leaks_in_files

from codeartifact_pipenv.sandbox.proxy import pump
from codeartifact_pipenv.sandbox.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from support.sandbox import FakePublicIndex

    from codeartifact_pipenv.sandbox.sandbox import Sandbox

PROXY_PASSWORD = "hunter2"
TOOLS, COMMON = "orb-tools", "orb-common"
OWN_LINE = re.compile(r"^(?:error|hint|warning|codeartifact-pipenv): .*$", re.MULTILINE)


def publish_packages(sandbox: Sandbox, folder: Path) -> None:
    """Publish orb-tools, which needs orb-common; large enough to break off in the middle."""
    matter = random.Random(1).randbytes(60_000).hex()  # noqa: S311 - it only takes room
    for name, needs in ((COMMON, ()), (TOOLS, (COMMON,))):
        module = {f"{name.replace('-', '_')}/__init__.py": f"MATTER = '{matter}'\n"}
        sandbox.publish(make_wheel(folder, name, "1.0", requires=needs, modules=module))


class Machine:
    """A machine with a user, who has a project.

    Attributes:
        prefix: words before every command, such as those for other mounts.
        end: what to do after the test.
    """

    def __init__(
        self, sandbox: Sandbox, public: FakePublicIndex, base: Mapping[str, str], place: Path
    ) -> None:
        self.sandbox = sandbox
        self.public = public
        self.prefix: tuple[str, ...] = ()
        self.end = contextlib.ExitStack()
        self.folder, self.home = place / "my project", place / "home"
        self.temporary = place / "tmp"
        for path in [*self.folder.glob("Pipfile*"), *self.folder.glob("target")]:
            path.unlink() if path.is_file() else shutil.rmtree(path)
        for path in self.folder.glob(".venv/lib/*/site-packages/orb_*"):
            shutil.rmtree(path)
        for folder in (self.home, self.temporary, place / "pipenv-cache", place / "pip-cache"):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
        self.folder.mkdir(exist_ok=True)
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

    def start(self, work: Callable[[], None]) -> None:
        """Do something while commands run."""
        thread = threading.Thread(target=work)
        thread.start()
        self.end.callback(thread.join)

    def run(self, *words: str) -> Result:
        return run(*self.prefix, *words, env=self.env, cwd=self.folder)

    def token(self) -> str:
        """Put a token into the cache and return it."""
        return get_token(self.sandbox, self.env, self.folder)

    def write_pipfile(self, *tables: str) -> None:
        own = source(self.sandbox.endpoint)
        write_pipfile(self.folder, *tables, own, f'[packages]\n{TOOLS} = "*"\n')

    def write_public_pipfile(self) -> None:
        """Write a Pipfile with a public index before the repository."""
        url = self.public.url.replace("127.0.0.1", "localhost")
        self.write_pipfile(f'[[source]]\nurl = "{url}"\nverify_ssl = false\nname = "public"\n')

    def write_lock(self) -> None:
        """Write a Pipfile and its lock; only the first lock is resolved."""
        self.write_pipfile()
        path = self.folder / "Pipfile.lock"
        kept = self.folder.parent / "kept.lock"
        if not kept.exists():
            done = run(PIPENV_CA, "lock", env=self.env, cwd=self.folder)
            assert done.status == 0, done.output
            shutil.move(path, kept)
            shutil.rmtree(self.home / ".cache")
            shutil.rmtree(self.env["PIP_CACHE_DIR"], ignore_errors=True)
        shutil.copy(kept, path)

    def project_files(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.folder.glob("Pipfile*")}


class Command(NamedTuple):
    """A command that needs a token.

    Attributes:
        prepare: writes the project.
        words: the command, with URL for the repository's.
        check: asserts success.
        is_ours: whether our ``error:`` and ``hint:`` report a failure.
    """

    prepare: Callable[[Machine], None]
    words: tuple[str, ...]
    check: Callable[[Machine, Result], None]
    is_ours: bool = True

    def line(self, machine: Machine) -> list[str]:
        url = machine.sandbox.endpoint.simple_url
        return [url if word == "URL" else word for word in self.words]


def _one_token(machine: Machine, done: Result) -> None:
    issued = machine.sandbox._state.tokens
    assert issued.find(done.stdout.strip(), machine.sandbox.endpoint.domain)


def _locked(machine: Machine, _done: Result) -> None:
    text = (machine.folder / "Pipfile.lock").read_bytes()
    locked = json.loads(text)["default"]
    assert sorted(locked) == [COMMON, TOOLS]
    # With one source, pipenv names no index.
    assert {entry.get("index", "codeartifact") for entry in locked.values()} == {"codeartifact"}
    assert b"127.0.0.1" not in text


def _synced(machine: Machine, _done: Result) -> None:
    found = machine.folder.glob(".venv/lib/*/site-packages/orb_*/__init__.py")
    assert sorted(path.parent.name for path in found) == ["orb_common", "orb_tools"]


def _targeted(machine: Machine, _done: Result) -> None:
    assert [path.name for path in (machine.folder / "target").glob("orb_?????")] == ["orb_tools"]


def _nothing(_: Machine) -> None:
    """Write nothing: the command needs no project."""


_PIP = (sys.executable, "-m", "pip", "install", "--no-input", "--target", "target")
_BY_KEYRING = ("--keyring-provider", "import", "--index-url", "URL", TOOLS)
COMMANDS = {
    "token": Command(_nothing, (PIPENV_CA, "token", "URL"), _one_token),
    "sync": Command(Machine.write_lock, (PIPENV_CA, "sync"), _synced),
    "loopback": Command(Machine.write_public_pipfile, (PIPENV_CA, "lock"), _locked),
    "keyring": Command(_nothing, (KEYRING, "get", "URL", "aws"), _one_token, False),
    "pip": Command(_nothing, (*_PIP, *_BY_KEYRING), _targeted, False),
}


class Seen(NamedTuple):
    """The output and the duration of a command.

    Attributes:
        words: ``works``, ``fails``, a cause such as ``[throttled]``, or all our messages.
    """

    words: str
    seconds: float
    done: Result


def run_command(machine: Machine, name: str) -> Seen:
    """Run a command, and check what must hold in any case; ``no_leak`` checks its output."""
    command = COMMANDS[name]
    before = machine.project_files()
    begin = time.monotonic()
    done = machine.run(*command.line(machine))
    seconds = time.monotonic() - begin
    if done.status == 0:
        command.check(machine, done)
    else:
        assert machine.project_files() == before
    assert PROXY_PASSWORD not in done.output
    assert machine.sandbox.user.secret_access_key not in done.output
    assert not re.search(r'File ".*codeartifact_pipenv', done.output), done.output
    # A traceback of pipenv or pip is possible when they fail.
    assert "Traceback" not in done.output or (done.status and name != "token"), done.output
    places = (machine.folder, machine.home, machine.temporary)
    assert [leak for place in places for leak in leaks_in_files(place)] == []
    return Seen(_what_is_said(command, done), seconds, done)


def _what_is_said(command: Command, done: Result) -> str:
    own = [found[0] for found in OWN_LINE.finditer(done.stderr)]
    if done.stderr.splitlines()[-2:] != own[-2:]:
        # Newer pips also print errors and hints; ours come last.
        own = [line for line in own if not line.startswith(("error: ", "hint: "))]
    if done.status == 0:
        return "works" if not own else "works, and says " + " / ".join(own)
    if not own:
        return "fails"
    kinds = [line.partition(":")[0] for line in own]
    if command.is_ours and kinds == ["error", "hint"]:
        code = re.search(r" \[[a-z-]+\]$", own[0])
        return code[0].strip() if code else own[0]
    return f"status {done.status}: {' / '.join(own)}"


# --- networks ---

# Opens ports of [::1] in a new network, hands them out by a socket, and becomes a command.
_WITHOUT_IPV4 = """
import os, socket, subprocess, sys
place, ports, *words = sys.argv[1:]
subprocess.run(["sh", "-ec", "ip link set lo up; ip -4 address flush dev lo"], check=True)
listeners = [socket.create_server(("::1", int(n)), family=socket.AF_INET6) for n in ports.split(",")]
with socket.socket(socket.AF_UNIX) as outside:
    outside.connect(place)
    socket.send_fds(outside, [b"."], [listener.fileno() for listener in listeners])
os.execvp(words[0], words)
"""


def in_ipv6_alone(place: Path, ports: Sequence[int]) -> tuple[str, ...]:
    """Return words before a command that give it a network with [::1] only.

    Args:
        place: the path of a new socket that leads out.
        ports: ports of 127.0.0.1 that can be reached at [::1].
    """
    if os.geteuid() != 0 or not (shutil.which("unshare") and shutil.which("ip")):
        pytest.skip("a network namespace needs root, unshare and ip")
    if subprocess.run(["unshare", "-n", "true"], capture_output=True, check=False).returncode:
        pytest.skip("this system does not allow network namespaces")
    outside = socket.socket(socket.AF_UNIX)
    outside.bind(str(place))
    outside.listen()

    def take_listeners() -> None:
        while True:
            near, _ = outside.accept()
            with near:
                _, numbers, _, _ = socket.recv_fds(near, 1, len(ports))
            for number, port in zip(numbers, ports, strict=True):
                reach = functools.partial(socket.create_connection, ("127.0.0.1", port))
                relay(socket.socket(fileno=number), reach)

    threading.Thread(target=take_listeners, daemon=True).start()
    words = "unshare", "-n", sys.executable, "-c", _WITHOUT_IPV4
    return (*words, str(place), ",".join(map(str, ports)))


def relay(listener: socket.socket, reach: Callable[[], socket.socket]) -> None:
    """Connect each client of a listener with another server, for the rest of the session."""

    def serve() -> None:
        while True:
            near, _ = listener.accept()
            threading.Thread(target=_pass, args=(near, reach), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()


def _pass(near: socket.socket, reach: Callable[[], socket.socket]) -> None:
    with near, contextlib.suppress(OSError), reach() as far:
        pump(near, far)
