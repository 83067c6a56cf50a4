"""The demonstration: an ordinary project, locked and installed against the sandbox."""

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
from codeartifact_pipenv.terminal.text import painted, table, wants_colour

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from codeartifact_pipenv.sandbox.sandbox import Sandbox

_MODULE = """\
import six


def greet(name):
    return six.ensure_text(f"Hello, {name}: this came out of a private repository.")
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
    """Lock and install a project with a private package, run it, and show what came from where.

    Args:
        sandbox_class: the sandbox.
        project: a folder with a Pipfile, and with the private packages in ``packages``; None
            for a small one in a temporary folder.

    Raises:
        SandboxError: a command failed; its output says why.
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
        raise SandboxError(f"There is no Pipfile in {project}.", "Name a project's folder.")
    loaded = load_project(
        {**os.environ, "PIPENV_PIPFILE": str(pipfile)}, str(project), lambda: None
    )
    endpoints = [source.endpoint for source in loaded.sources() if source.endpoint is not None]
    if not endpoints:
        raise SandboxError(
            f"{pipfile} names no CodeArtifact repository.", "Name a project that has one."
        )
    packages = project / "packages"
    first = endpoints[0]
    with ExitStack() as stack:
        with Report().working("starts a sandbox, builds the packages and publishes them"):
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
        _say(f"A CodeArtifact of your own, in place of {first.url}")
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
    _say("With AWS credentials, the same commands do the same on the CodeArtifact of your team.")
    return 0


def _run(arguments: list[str], project: Path, environ: Mapping[str, str]) -> None:
    _say("", f"$ pipenv-ca {shlex.join(arguments)}")
    command = [sys.executable, "-m", "codeartifact_pipenv", *arguments]
    begun = time.monotonic()
    status = subprocess.run(command, cwd=project, env=environ, check=False).returncode
    if status:
        raise SandboxError(
            f"pipenv-ca {arguments[0]} ended with exit status {status}.",
            "Its output stands above; the public index must be reachable, as for pip install.",
        )
    _tick(f"{shlex.join(arguments)}: done in {time.monotonic() - begun:.0f} s")


def _show(lock: Mapping[str, Any], sandbox: Sandbox) -> None:
    rows = [("installed", "version", "from", ""), *_rows(lock, sandbox)]
    lines = ["", *map(printable, table(rows, None)), ""]
    sys.stdout.write("\n".join([*lines, ""]))
    sys.stdout.flush()


def _rows(lock: Mapping[str, Any], sandbox: Sandbox) -> Iterator[tuple[str, str, str, str]]:
    sources = {source["name"]: source["url"] for source in lock["_meta"]["sources"]}
    first = next(iter(sources))
    for name, entry in lock["default"].items():
        # An entry without an index is looked for in the first source.
        index = entry.get("index", first)
        host = urlsplit(sources.get(index, "")).hostname
        origin = (
            "published there" if sandbox.is_published(name) else "fetched from the public index"
        )
        yield name, entry.get("version", "").removeprefix("=="), f"{index} ({host})", origin


def _tick(done: str) -> None:
    """Say on a terminal that a step is done."""
    if sys.stderr.isatty():
        head = painted("\N{CHECK MARK} ", "ok", wanted=wants_colour(sys.stderr))
        Report().line(done, head)


def _say(*lines: str) -> None:
    sys.stderr.write("".join(f"{printable(line)}\n" for line in lines))
    sys.stderr.flush()
