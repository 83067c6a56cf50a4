"""``sandbox serve`` and ``sandbox env``: a sandbox that runs until it is stopped."""

from __future__ import annotations

import json
import os
import shlex
import signal
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from codeartifact_pipenv.files.lock import acquire
from codeartifact_pipenv.sandbox.admin import Admin
from codeartifact_pipenv.sandbox.errors import SandboxError
from codeartifact_pipenv.sandbox.process import command_environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from codeartifact_pipenv.sandbox.sandbox import Sandbox

ADMIN_FILE = "admin-address"
"""Where ``fault`` and ``requests`` find the door of a sandbox that serves."""

_FILE, _LOCK = "environment.json", "serving.lock"


def serve(sandbox: Sandbox, folder: Path) -> int:
    """Print what a shell needs, and serve until a signal comes.

    Args:
        sandbox: a running one.
        folder: where ``env`` finds it.

    Returns:
        the exit status, 0 after ctrl-C.

    Raises:
        SandboxError: another sandbox serves there.
    """
    environ = command_environment(sandbox)
    changes: dict[str, str | None] = {
        name: value for name, value in environ.items() if os.environ.get(name) != value
    }
    changes |= dict.fromkeys(name for name in os.environ if name not in environ)
    with (
        Admin(sandbox) as admin,
        _announced(folder, {_FILE: json.dumps(changes), ADMIN_FILE: admin.url}),
    ):
        sys.stdout.write(as_shell(changes))
        sys.stdout.flush()
        stopped = threading.Event()
        before = signal.signal(signal.SIGINT, lambda _number, _frame: stopped.set())
        try:
            while not stopped.wait(3600):
                pass
        finally:
            signal.signal(signal.SIGINT, before)
    return 0


def show(folder: Path, *, as_json: bool) -> int:
    """Print the environment of a sandbox that serves elsewhere.

    Args:
        folder: where it was told to be found.
        as_json: print one JSON object, in which None is for what is to be unset; else what a
            shell reads.

    Raises:
        SandboxError: none serves there.
    """
    changes = json.loads(read_announced(folder, _FILE))
    sys.stdout.write(json.dumps(changes, indent=2) + "\n" if as_json else as_shell(changes))
    return 0


def read_announced(folder: Path, name: str) -> str:
    """Return what a sandbox that serves elsewhere has written for others.

    Raises:
        SandboxError: none serves there.
    """
    try:
        held = acquire(str(folder / _LOCK), create=False)
        text = (folder / name).read_text(encoding="utf-8")
    except OSError:
        held, text = -1, ""
    if held is not None:
        if held >= 0:
            os.close(held)
        raise SandboxError(f"No sandbox serves in {folder}.", "Start one: pipenv-ca sandbox serve.")
    return text


def as_shell(changes: Mapping[str, str | None]) -> str:
    """Return changes to an environment as lines for a POSIX shell."""
    lines = [
        f"unset {name}" if value is None else f"export {name}={shlex.quote(value)}"
        for name, value in sorted(changes.items())
    ]
    return "\n".join(lines) + "\n"


def default_folder() -> Path:
    """Return where a sandbox is found that was not told where.

    Raises:
        SandboxError: this user has no folder for such things.
    """
    from codeartifact_pipenv.settings import default_cache_dir

    cache = default_cache_dir(os.environ)
    if not cache:
        raise SandboxError("There is no home to keep the sandbox's place in.", "Set HOME.")
    return Path(cache) / "sandbox"


@contextmanager
def _announced(folder: Path, texts: Mapping[str, str]) -> Iterator[None]:
    """Let others find the sandbox; the lock ends with this process, whatever ends it."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        held = acquire(str(folder / _LOCK))
    except OSError as error:
        raise SandboxError(
            f"{folder} cannot be used: {error.strerror or error}.", "Name another folder."
        ) from error
    if held is None:
        raise SandboxError(
            f"Another sandbox serves in {folder}.", "Use that one, or name another folder: --at."
        )
    try:
        for name, text in texts.items():
            # The keys of the sandbox's own user, and its door's secret: good nowhere else.
            part = folder / f"{name}.part"
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
            part.replace(folder / name)
        yield
    finally:
        for name in texts:
            (folder / name).unlink(missing_ok=True)
        os.close(held)
