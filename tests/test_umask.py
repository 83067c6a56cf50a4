"""Files of a project are made as the user's umask says."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest
from support.programs import PIPENV_CA, run

if TYPE_CHECKING:
    from pathlib import Path

    from codeartifact_pipenv.sandbox.sandbox import Sandbox


@pytest.mark.wide
@pytest.mark.parametrize("umask", [0o000, 0o027])
def test_new_pipfile_gets_the_default_mode_and_an_old_one_keeps_its_mode(
    umask: int, sandbox: Sandbox, sandbox_env: dict[str, str], project: Path
) -> None:
    line = f'umask {umask:o}; exec "$@"'
    words = ["fix", "--add-source", sandbox.endpoint.simple_url]
    pipfile = project / "Pipfile"
    for expected in (0o666 & ~umask, 0o640):
        done = run("sh", "-c", line, "sh", PIPENV_CA, *words, env=sandbox_env, cwd=project)
        assert done.status == 0, done.output
        assert stat.S_IMODE(pipfile.stat().st_mode) == expected
        pipfile.write_text("[packages]\n")
        pipfile.chmod(0o640)
