"""Finds the Python of a project without running it, because a cloned project can include it."""

from __future__ import annotations

import os
import platform
import re

from codeartifact_pipenv.files.io import read_text
from codeartifact_pipenv.processes.capture import output_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeartifact_pipenv.project.pipfile import Project


def interpreter_of(
    project: Project, program: Sequence[str], seconds: float
) -> tuple[str, str | None]:
    """Return the version and path of a project's interpreter.

    Without a virtual environment, the path is None and the version is the one that the Pipfile
    requires, or else that of the running Python.
    """
    python = output_of([*program, "--py"], seconds=seconds)
    if python is not None and os.path.isabs(python):
        version = version_of_environment(os.path.dirname(os.path.dirname(python)))
        if version is not None:
            return version, python
    requires = project.document.get("requires")
    wanted = requires if isinstance(requires, dict) else {}
    full = wanted.get("python_full_version") or wanted.get("python_version")
    return str(full or platform.python_version()), None


def version_of_environment(folder: str) -> str | None:
    """Return the Python version in a virtual environment's pyvenv.cfg, if it has one."""
    try:
        text = read_text(os.path.join(folder, "pyvenv.cfg"))
    except (OSError, ValueError):
        return None
    lines = [line.partition("=") for line in text.split("\n")]
    values = {name.strip().lower(): value.strip() for name, _, value in lines}
    # venv writes version = 3.12.4; virtualenv also version_info = 3.12.4.final.0.
    match = re.match(
        r"[0-9]+\.[0-9]+\.[0-9]+", values.get("version") or values.get("version_info", "")
    )
    return match[0] if match else None
