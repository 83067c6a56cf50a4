"""The lowest declared versions of all dependencies work."""

from __future__ import annotations

import json
import os
import re
import sys
from typing import TYPE_CHECKING

import pytest
from support.clients import OURS, Clients, Place
from support.guides import ROOT, project_table
from support.programs import run
from support.projects import source, write_pipfile

if TYPE_CHECKING:
    from pathlib import Path

    from codeartifact_pipenv.sandbox.sandbox import Sandbox

LOWEST = ("--resolution", "lowest-direct", "-r", str(ROOT / "pyproject.toml"))
PYTHONS = re.findall(r"Python :: (3\.\d+)", " ".join(project_table()["classifiers"]))


@pytest.fixture(params=PYTHONS)
def oldest(request: pytest.FixtureRequest, clients: Clients, tmp_path: Path) -> Place:
    """An environment with this package and its lowest versions, for each Python."""
    python: str | None = sys.executable
    if request.param != f"{sys.version_info[0]}.{sys.version_info[1]}":
        python = clients.interpreter(request.param)
    if python is None:
        pytest.skip(f"Python {request.param} is not installed")
    place = clients.make_venv(tmp_path / "oldest", python=python)
    clients.install(place, *LOWEST, OURS)
    return place


@pytest.mark.wide
def test_commands_work_with_the_lowest_declared_versions(
    oldest: Place, sandbox: Sandbox, clients: Clients, sandbox_env: dict[str, str], project: Path
) -> None:
    sandbox_env["PATH"] = f"{oldest.bin}{os.pathsep}{sandbox_env['PATH']}"

    def do(*words: str, status: int = 0) -> str:
        done = run(oldest.bin / words[0], *words[1:], env=sandbox_env, cwd=project)
        assert done.status == status, (words, done.output)
        assert "Traceback" not in done.output
        return done.stdout

    url = sandbox.endpoint.simple_url
    pipfile = write_pipfile(project, source(sandbox.endpoint), '[packages]\norb-common = "*"\n')
    version = do("pipenv-ca", "--version").split()[-1]
    assert f"pipenv>={version}" in project_table()["dependencies"]
    do("pipenv-ca", "lock")
    lock = json.loads((project / "Pipfile.lock").read_text())
    assert lock["default"]["orb-common"]["version"] == "==2.0.0"
    do("pipenv-ca", "sync")
    assert list(project.glob(".venv/lib/python*/site-packages/orb_common"))
    assert do("keyring", "get", url, "aws") == do("pipenv-ca", "token", url)
    assert "All is well." in do("pipenv-ca", "doctor", "--offline")
    assert "orb-common" in do("pipenv-ca", "packages", "--json")
    assert "index-url" in do("pipenv-ca", "login", "--dry-run", "pip")
    do("pipenv-ca", "lint")
    pipfile.write_text(pipfile.read_text().replace("/simple/", "/"))
    do("pipenv-ca", "lint", status=1)
    assert "/simple/" in do("pipenv-ca", "fix", "--diff")
    do("pipenv-ca", "fix")
    do("pipenv-ca", "lint")

    clients.install(oldest, *LOWEST, "--extra", "sandbox")
    ready = "import os; print(os.environ['PIPENV_CA_SANDBOX_URL'])"
    words = ("sandbox", "run", "--no-upstream", "--", "python", "-c", ready)
    assert do("pipenv-ca", *words).startswith("https://demo-")
