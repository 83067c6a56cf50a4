"""Whether pip and twine can get the token from the keyring backend, so that no login is needed."""

from __future__ import annotations

import os
import shutil
import sys

from codeartifact_pipenv.processes.capture import output_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_BACKEND = "codeartifact_pipenv.auth.backend"
_SECONDS = 20.0


def provider(environ: Mapping[str, str], environment: str | None) -> str | None:
    """Return the keyring provider by which pip reaches the backend.

    Args:
        environ: the environment.
        environment: the virtual environment of that pip, or None for any pip of the user.
    """
    path = environ.get("PATH", os.defpath)
    if environment is not None:
        folder = os.path.join(environment, "Scripts" if sys.platform == "win32" else "bin")
    else:
        folder = os.path.dirname(shutil.which("pip", path=path) or "")
    imports = _has_backend(os.path.join(folder, "python"))
    if environment is not None and imports:
        return "import"
    # pip leaves out the keyring in its own folder of scripts.
    own = os.path.realpath(folder)
    others = [p for p in path.split(os.pathsep) if p and os.path.realpath(p) != own]
    keyring = shutil.which("keyring", path=os.pathsep.join(others))
    if keyring is not None and os.path.isabs(keyring) and _lists_backend(keyring):
        return "subprocess"
    return "import" if imports else None


def twine_has_backend() -> bool:
    """Whether the twine on PATH has the backend in its environment."""
    twine = shutil.which("twine")
    if twine is None:
        return False
    python = os.path.join(os.path.dirname(os.path.realpath(twine)), "python")
    return _has_backend(python if os.path.exists(python) else sys.executable)


def _has_backend(python: str) -> bool:
    # In its own folder: Python looks for modules where it is run first of all, and that may be
    # anybody's project.
    if not os.path.isabs(python):
        return False
    words = [python, "-c", f"import {_BACKEND}"]
    return output_of(words, seconds=_SECONDS, folder=os.path.dirname(python)) is not None


def _lists_backend(keyring: str) -> bool:
    return _BACKEND in (output_of([keyring, "--list-backends"], seconds=_SECONDS) or "")
