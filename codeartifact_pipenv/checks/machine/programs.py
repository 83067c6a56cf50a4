"""Checks of pipenv, Python and pip, and of keyring, by which other clients find this package."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from importlib import metadata
from pathlib import Path

from codeartifact_pipenv import __version__
from codeartifact_pipenv.auth.keyringrc import KeyringConfig
from codeartifact_pipenv.auth.resolver import keyringrc_path, read_keyringrc, token_request
from codeartifact_pipenv.causes import finding_for
from codeartifact_pipenv.errors import CodeArtifactPipenvError
from codeartifact_pipenv.files.io import read_bytes
from codeartifact_pipenv.findings import Finding, ok
from codeartifact_pipenv.processes.capture import output_of
from codeartifact_pipenv.wrapper.pipenv_cli import version_numbers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from codeartifact_pipenv.checks.facts import Facts

_SECONDS = 8.0
_OLDEST_PIPENV = (2023, 12, 1)
_NO_LEAK_PIPENV = (2026, 6)
# The first with `keyring --mode=creds`, which pip 26.2 and uv use.
_OLDEST_KEYRING = (25, 2, 1)
# Variables that control how clients use keyring.
_CLIENTS = (
    "PIP_KEYRING_PROVIDER",
    "PIPENV_KEYRING_PROVIDER",
    "UV_KEYRING_PROVIDER",
    "POETRY_KEYRING_ENABLED",
    "PYTHON_KEYRING_BACKEND",
)
_BACKEND = "codeartifact_pipenv.auth.backend"
_COMMAND, _KEYRINGRC = "keyring (command)", "keyringrc.cfg"


def check_programs(facts: Facts) -> Iterator[Finding]:
    """Check this package, pipenv, and the project's Python and pip."""
    where = os.path.dirname(os.path.abspath(sys.argv[0])) or sys.prefix
    own = f"{__version__} in {where}, Python {platform.python_version()}"
    yield ok("codeartifact-pipenv", own)
    if facts.local.pipenv is not None:
        yield _pipenv(facts.local.pipenv.command, facts.local.pipenv.version())
    version, path = facts.interpreter
    if version is not None:
        yield ok("project's Python", f"{version}, {path or 'no virtual environment yet'}")
        pip = _pip_version(path) if path else None
        if pip:
            yield ok("project's pip", pip)


def check_keyring(facts: Facts) -> Iterator[Finding]:
    """Check whether other clients can find this package through keyring."""
    own = metadata.version("keyring")
    yield ok("keyring (library)", f"{own}, in the same environment as codeartifact-pipenv")
    for name in _CLIENTS:
        if os.environ.get(name):
            yield ok(name, os.environ[name])
    path = shutil.which("keyring")
    # Do not run a keyring of the working directory, which can be a cloned project.
    if path is None or not os.path.isabs(path):
        sentence = (
            "The keyring command is not on PATH, so pip, uv and pipx in other environments cannot "
            "get CodeArtifact credentials; pipenv-ca can."
        )
        yield finding_for("keyring-missing", _COMMAND, sentence)
        return
    seconds = facts.network.limits.python
    questions: dict[str, Callable[[], str | None]] = {
        "version": lambda: _keyring_version(path),
        "backends": lambda: output_of([path, "--list-backends"], seconds=seconds),
    }
    answers = facts.network.fetch(questions, 2 * seconds)
    version, listed = answers.get("version"), answers.get("backends")
    if version and version_numbers(version) < _OLDEST_KEYRING:
        sentence = (
            f"{path} is keyring {version}, but pip 26.2 and uv need "
            f"{'.'.join(map(str, _OLDEST_KEYRING))} or newer."
        )
        yield finding_for("keyring-outdated", _COMMAND, sentence)
    elif listed is not None and _BACKEND not in listed:
        own = f"{path} (keyring {version or 'of unknown version'})"
        sentence = f"{own} is in an environment without codeartifact-pipenv."
        yield finding_for("keyring-without-backend", _COMMAND, sentence)
    else:
        yield ok(_COMMAND, f"{version or '?'}, {path}")


def check_keyringrc(facts: Facts) -> Iterator[Finding]:
    """Check the settings of each source in keyring's configuration, and its ignored settings."""
    try:
        data = read_keyringrc(os.environ)
        config = None if data is None else KeyringConfig(data, keyringrc_path(os.environ))
    except CodeArtifactPipenvError as error:
        yield error.finding(_KEYRINGRC)
        return
    if config is None:
        return
    yield ok(_KEYRINGRC, f"{config.path} has sections for CodeArtifact")
    for name, endpoint in [(s.name, s.endpoint) for s in facts.local.sources if s.endpoint]:
        subject = f"{_KEYRINGRC}, {name}"
        try:
            asked = token_request(facts.local.settings, os.environ, endpoint)
        except CodeArtifactPipenvError as error:
            yield error.finding(subject)
        else:
            sentence = f"{asked.origin}: {asked}" if asked.origin else "has no settings for it"
            yield ok(subject, sentence)
    for text in config.unused():
        yield finding_for("keyringrc-ignored", _KEYRINGRC, f"Ignored: {text}.")


def _pipenv(command: list[str], version: str | None) -> Finding:
    program = " ".join(command)
    if version is None:
        return ok("pipenv", f"of unknown version, {program}")
    if version_numbers(version) < _OLDEST_PIPENV:
        sentence = f"{program} is pipenv {version}; the oldest supported version is 2023.12.1."
        return finding_for("pipenv-outdated", "pipenv", sentence)
    leaks = version_numbers(version) < _NO_LEAK_PIPENV
    more = (
        "; it passes tokens as arguments, which every user of this machine can read, so it gets a "
        "proxy index instead"
    )
    return ok("pipenv", f"{version}, {program}{more if leaks else ''}")


def _pip_version(python: str) -> str | None:
    # Do not run it: a cloned project can include the environment.
    folder = os.path.dirname(os.path.dirname(python))
    below = ("lib/python*", "Lib")
    places = [str(p) for b in below for p in Path(folder).glob(f"{b}/site-packages")]
    return next((pip.version for pip in metadata.distributions(name="pip", path=places)), None)


def _keyring_version(path: str) -> str | None:
    """Return the version from the script's interpreter; the keyring command does not print it."""
    first = read_bytes(path).partition(b"\n")[0].decode("utf-8", "replace").strip()
    python = first.removeprefix("#!").strip().strip('"')
    if not first.startswith("#!") or not os.path.isabs(python.split(" ")[0]):
        return None
    code = "from importlib.metadata import version; print(version('keyring'))"
    # Python imports modules from its working directory first, which can be a cloned project.
    return output_of([python, "-c", code], seconds=_SECONDS, folder=os.path.dirname(path))
