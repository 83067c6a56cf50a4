"""Helpers for tests of whole commands: a stand-in pipenv, a terminal, waiting, AWS keys."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from support.programs import PIPENV_CA, SCRIPTS, Result, run
from support.sandbox import get_token as issued_token

from codeartifact_pipenv.auth.authorization_token import TokenCache

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from typing_extensions import Self

    from codeartifact_pipenv.sandbox.sandbox import Sandbox
    from codeartifact_pipenv.sandbox.state import RequestRecord

KEYRING = str(SCRIPTS / "keyring")
TOKEN_VARIABLE = "CODEARTIFACT_AUTH_TOKEN"
GET_TOKEN = "GetAuthorizationToken"

_STAND_IN = """#!{python} -SE
import json, os, signal, sys, time
record = {{
    "argv": sys.argv[1:],
    "environ": dict(os.environ),
    "cwd": os.getcwd(),
    "pid": os.getpid(),
    "terminal": [os.isatty(number) for number in range(3)],
}}
{behaviour}
with open({record!r} + ".part", "w") as file:
    json.dump(record, file)
os.rename({record!r} + ".part", {record!r})
{afterwards}
"""


class StandIn:
    """A small program in pipenv's place, which writes down what it was given.

    Args:
        folder: where it and its record are put.
        behaviour: Python lines that run before the record is written; they may add to the
            dictionary ``record``.
        afterwards: Python lines that run after it is written.
    """

    def __init__(self, folder: Path, behaviour: str = "", afterwards: str = "") -> None:
        folder.mkdir(exist_ok=True)
        self.path = folder / "stand-in"
        self._record = folder / "record.json"
        parts = {"python": sys.executable, "record": str(self._record)}
        text = _STAND_IN.format(**parts, behaviour=behaviour, afterwards=afterwards)
        self.path.write_text(text)
        self.path.chmod(0o755)

    @property
    def was_run(self) -> bool:
        return self._record.exists()

    @property
    def record(self) -> dict[str, Any]:
        """The argv, environ, cwd, pid and terminal of the last call."""
        found: dict[str, Any] = json.loads(self._record.read_text())
        return found

    @property
    def given_token(self) -> str | None:
        """The token that the last call was given."""
        token: str | None = self.record["environ"].get(TOKEN_VARIABLE)
        return token

    @property
    def lock(self) -> list[str]:
        """The words of a `pipenv-ca lock` that runs it, and gives it the token."""
        return [PIPENV_CA, "--ca-pipenv", str(self.path), "--ca-route", "as-written", "lock"]

    def wait_until_run(self) -> dict[str, Any]:
        """Wait until it has written its record, and return that."""
        wait_for(lambda: self.was_run)
        return self.record


def replace_pipenv(env: dict[str, str], behaviour: str = "", afterwards: str = "") -> StandIn:
    """Put a stand-in in pipenv's place for all further commands with an environment."""
    made = StandIn(Path(env["HOME"]).parent / "other pipenv", behaviour, afterwards)
    env["PIPENV_CA_PIPENV"] = str(made.path)
    return made


# Makes the terminal on its stdin its own, as a login does, and becomes another program.
_TAKE_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0);"
    "os.execv(sys.argv[1], sys.argv[1:])"
)


class Terminal:
    """A program that runs on a new terminal; ``shown`` is all that it has written."""

    def __init__(
        self, *words: str | Path, env: Mapping[str, str], cwd: Path, columns: int = 0
    ) -> None:
        self._master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        self.shown = ""
        try:
            self.process = subprocess.Popen(
                [sys.executable, "-SEc", _TAKE_TERMINAL, *map(str, words)],
                env={k: v for k, v in env.items() if k != "COLUMNS" or not columns},
                cwd=cwd,
                stdin=slave,
                stdout=slave,
                stderr=slave,
                start_new_session=True,
            )
        finally:
            os.close(slave)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def close(self) -> None:
        """Close the terminal, as somebody closes its window."""
        if self._master >= 0:
            os.close(self._master)
        self._master = -1

    @property
    def visible(self) -> str:
        """The final text on the screen, without erased text."""
        return re.sub(r"(?m)^.*\r\x1b\[K", "", self.shown.replace("\r\n", "\n"))

    @property
    def screen(self) -> str:
        """The same without colours."""
        text = re.sub(r"\x1b\[[0-9;]*m", "", self.visible)
        assert "\x1b" not in text, text
        return text

    def is_taken(self) -> bool:
        """Whether the program has the terminal; keys that are typed before would be lost."""
        with contextlib.suppress(OSError):
            return os.tcgetpgrp(self._master) == self.process.pid
        return False

    def type(self, keys: bytes) -> None:
        """Type some keys."""
        os.write(self._master, keys)

    def finish(self, timeout: float = 60) -> int:
        """Wait for the program's end; return its status, -N for signal N."""
        end = time.monotonic() + timeout
        while time.monotonic() < end and self.read(0.1):
            pass
        return self.process.wait(timeout)

    def read(self, seconds: float) -> bool:
        """Read what the program writes within some seconds; return False at its end."""
        if not select.select([self._master], [], [], seconds)[0]:
            return self.process.poll() is None
        data = b""
        with contextlib.suppress(OSError):  # nobody holds the other end any more
            data = os.read(self._master, 65536)
        self.shown += data.decode(errors="replace")
        return bool(data)


def wait_for(condition: Callable[[], bool], seconds: float = 30) -> None:
    """Wait until a condition holds; raise TimeoutError if it does not within some seconds."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(0.01)


def until_exists(path: Path) -> str:
    """Return a line for a stand-in that waits until a file exists."""
    return f"while not os.path.exists({str(path)!r}): time.sleep(0.01)\n"


@contextlib.contextmanager
def started(
    *words: str | Path, env: Mapping[str, str], cwd: Path
) -> Iterator[subprocess.Popen[str]]:
    """Start a program in a new session, and end all its processes after the block."""
    with subprocess.Popen(
        [str(word) for word in words],
        env=dict(env),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def without_credentials(env: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without AWS keys in it."""
    keys = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}
    return {name: value for name, value in env.items() if name not in keys}


def get_token(sandbox: Sandbox, env: Mapping[str, str], cwd: Path, *options: str) -> str:
    """Return a token of the default domain, by our own verb."""
    got = run(PIPENV_CA, *options, "token", sandbox.endpoint.simple_url, env=env, cwd=cwd)
    assert got.status == 0, got.output
    return got.stdout.strip()


def expired_token(sandbox: Sandbox) -> str:
    """Return a token that expired an hour ago."""
    return token_with_life(sandbox, -3605)


def token_with_life(sandbox: Sandbox, seconds: int) -> str:
    """Return a token that is not cached and has a lifetime in seconds."""
    before = sandbox.token_life
    sandbox.token_life = seconds
    try:
        return issued_token(sandbox)
    finally:
        sandbox.token_life = before


def rewrite_token(path: Path, shift: float = 0, **changes: str) -> None:
    """Change a cached token, or its times by some seconds; the entry stays valid."""
    document = json.loads(path.read_bytes())
    del document["check"]  # not a secret: anybody can compute it
    for name in ("issued_at", "expires_at"):
        document[name] += shift
    TokenCache(str(path.parent)).write(path.stem, document | changes)


class Calls:
    """Counts the requests to the sandbox from now on."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._before = len(sandbox.requests)

    def _records(self, name: str | None = None) -> list[RequestRecord]:
        records = self._sandbox.requests[self._before :]
        return [record for record in records if name in {None, record.name}]

    def count(self, name: str = GET_TOKEN) -> int:
        """Count the requests for an operation or a package."""
        return len(self._records(name))

    def to_aws(self) -> int:
        """Count the requests to any of the sandbox's own hosts."""
        return sum(record.method != "CONNECT" for record in self._records())

    def callers(self) -> list[str | None]:
        """Return the access key ids that tokens were asked for with."""
        return [record.credential for record in self._records(GET_TOKEN)]


def assert_error(result: Result, status: int, *parts: str) -> None:
    """Check a failure: status, one error line and one hint line with some parts, no traceback."""
    assert result.status == status, result.output
    assert result.stdout == ""
    lines = [line for line in result.stderr.splitlines() if not line.startswith("warning: ")]
    assert [line.partition(" ")[0] for line in lines] == ["error:", "hint:"], result.stderr
    for part in parts:
        assert part in result.stderr, result.stderr
    assert "Traceback" not in result.stderr
    for line in lines:  # a sentence, and perhaps its code
        assert re.search(r"\.( \[[a-z-]+\])?$", line), result.stderr
