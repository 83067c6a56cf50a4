"""Which Python a project runs on. The interpreter of a cloned project is not run."""

from __future__ import annotations

import os
import platform
import re

from codeartifact_pipenv.files.reading import read_text
from codeartifact_pipenv.processes.capture import output_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeartifact_pipenv.project.pipfile import Project


def interpreter_of(
    project: Project, program: Sequence[str], seconds: float
) -> tuple[str, str | None]:
    """Return the version of a project's interpreter, and its path if there is one yet.

    Without a virtual environment it is the version that the Pipfile requires, else ours.
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
    """Return the Python version of a virtual environment; None where it does not say.

    Its interpreter is not asked: it may have come with a project that was cloned.
    """
    try:
        text = read_text(os.path.join(folder, "pyvenv.cfg"))
    except (OSError, ValueError):
        return None
    lines = [line.partition("=") for line in text.split("\n")]
    said = {name.strip().lower(): value.strip() for name, _, value in lines}
    # venv says version = 3.12.4; virtualenv says version_info = 3.12.4.final.0 too.
    match = re.match(r"[0-9]+\.[0-9]+\.[0-9]+", said.get("version") or said.get("version_info", ""))
    return match[0] if match else None
