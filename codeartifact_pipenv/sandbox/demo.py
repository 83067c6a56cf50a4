"""``sandbox demo``: locks and installs an ordinary project against the sandbox."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
import textwrap
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from codeartifact_pipenv.project.pipfile import load_project
from codeartifact_pipenv.report import Report, printable
from codeartifact_pipenv.sandbox.errors import SandboxError
from codeartifact_pipenv.sandbox.wheels import make_wheel
from codeartifact_pipenv.terminal.text import columns_of, painted, table, wants_colour

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from codeartifact_pipenv.sandbox.sandbox import Sandbox

_MODULE = """\
import six


def greet(name):
    return six.ensure_text(f"Hello, {name}: this came from a private repository.")
"""
_PIPFILE = """\
[[source]]
name = "codeartifact"
url = "https://aws:${CODEARTIFACT_AUTH_TOKEN}@demo-123456789012.d.codeartifact.us-east-1.amazonaws.com/pypi/pypi-store/simple/"
verify_ssl = true

[packages]
acme-greeting = "*"

[scripts]
main = "python -c \\"import acme_greeting; print(acme_greeting.greet('newcomer'))\\""
"""


def demonstrate(sandbox_class: type[Sandbox], project: Path | None) -> int:
    """Lock, install and run a project with a private package, and show each package's source.

    Args:
        sandbox_class: the sandbox.
        project: a folder with a Pipfile and, in ``packages``, private packages; by default a
            small example in a temporary folder.

    Raises:
        SandboxError: a command failed and printed the reason.
        ConfigurationError: the Pipfile cannot be read.
    """
    if project is not None:
        return _demonstrate(sandbox_class, project.resolve())
    with tempfile.TemporaryDirectory(prefix="pipenv-ca-demo-") as name:
        folder = Path(name) / "project"
        make_wheel(
            folder / "packages",
            "acme-greeting",
            "1.0",
            ["six"],
            modules={"acme_greeting/__init__.py": _MODULE},
        )
        (folder / "Pipfile").write_text(_PIPFILE, encoding="utf-8")
        return _demonstrate(sandbox_class, folder)


def _demonstrate(sandbox_class: type[Sandbox], project: Path) -> int:
    pipfile = project / "Pipfile"
    if not pipfile.is_file():
        raise SandboxError(f"No Pipfile found in {project}.", "Name a folder with a Pipfile.")
    loaded = load_project(
        {**os.environ, "PIPENV_PIPFILE": str(pipfile)}, str(project), lambda: None
    )
    endpoints = [source.endpoint for source in loaded.sources() if source.endpoint is not None]
    if not endpoints:
        raise SandboxError(
            f"{pipfile} names no CodeArtifact repository.", "Name a project that uses one."
        )
    packages = project / "packages"
    first = endpoints[0]
    with ExitStack() as stack:
        with Report().working("starting a sandbox, building and publishing the packages"):
            sandbox = stack.enter_context(
                sandbox_class(
                    [packages] if packages.is_dir() else [],
                    domain=first.domain.name,
                    owner=first.domain.owner,
                    region=first.domain.region,
                    repository=first.repository or "",
                )
            )
        _tick("started the sandbox, built and published the packages")
        _say(f"A local CodeArtifact instead of {first.url}")
        text = textwrap.indent(pipfile.read_text(encoding="utf-8"), "    ")
        _say("", "Pipfile:", *text.splitlines())
        environ = sandbox.environ() | {"PIPENV_VENV_IN_PROJECT": "1"}
        environ.pop("VIRTUAL_ENV", None)
        commands = [["lock"], ["sync"]]
        if "main" in loaded.scripts:
            commands.append(["run", "main"])
        for arguments in commands:
            _run(arguments, project, environ)
        _show(json.loads((project / "Pipfile.lock").read_text(encoding="utf-8")), sandbox)
    _say("With AWS credentials, the same commands work with your team's CodeArtifact.")
    return 0


def _run(arguments: list[str], project: Path, environ: Mapping[str, str]) -> None:
    _say("", f"$ pipenv-ca {shlex.join(arguments)}")
    command = [sys.executable, "-m", "codeartifact_pipenv", *arguments]
    begun = time.monotonic()
    status = subprocess.run(command, cwd=project, env=environ, check=False).returncode
    if status:
        raise SandboxError(
            f"pipenv-ca {arguments[0]} ended with exit status {status}.",
            "See its output above; check that the public index is reachable.",
        )
    _tick(f"{shlex.join(arguments)}: done in {time.monotonic() - begun:.0f} s")


def _show(lock: Mapping[str, Any], sandbox: Sandbox) -> None:
    heading, columns = ("installed", "version", "from", ""), columns_of(sys.stdout)
    lines = list(table([heading, *_rows(lock, sandbox)], None))
    if columns is not None and max(map(len, lines)) > columns:
        lines = list(table([heading, *_rows(lock, sandbox, shows_host=False)], columns))
    lines = ["", *map(printable, lines), ""]
    sys.stdout.write("\n".join([*lines, ""]))
    sys.stdout.flush()


def _rows(
    lock: Mapping[str, Any], sandbox: Sandbox, *, shows_host: bool = True
) -> Iterator[tuple[str, str, str, str]]:
    sources = {source["name"]: source["url"] for source in lock["_meta"]["sources"]}
    first = next(iter(sources))
    for name, entry in lock["default"].items():
        # pipenv installs an entry without an index from the first source.
        index = entry.get("index", first)
        host = urlsplit(sources.get(index, "")).hostname
        origin = (
            "published there" if sandbox.is_published(name) else "fetched from the public index"
        )
        place = f"{index} ({host})" if shows_host else index
        yield name, entry.get("version", "").removeprefix("=="), place, origin


def _tick(done: str) -> None:
    """Report a finished step if stderr is a terminal."""
    if sys.stderr.isatty():
        head = painted("\N{CHECK MARK} ", "ok", wanted=wants_colour(sys.stderr))
        Report().line(done, head)


def _say(*lines: str) -> None:
    sys.stderr.write("".join(f"{printable(line)}\n" for line in lines))
    sys.stderr.flush()
