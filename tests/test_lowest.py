"""The lowest declared versions of all dependencies work."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from support.checkout import project_table
from support.clients import OURS, Clients, Place
from support.programs import Result, run
from support.projects import source, write_pipfile

if TYPE_CHECKING:
    from pathlib import Path

    from codeartifact_pipenv.sandbox.sandbox import Sandbox

_PYPROJECT = os.path.join(os.path.dirname(os.path.dirname(__file__)), "pyproject.toml")
_PYTHONS = [
    line.rpartition(" ")[2]
    for line in project_table()["classifiers"]
    if line.startswith("Programming Language :: Python :: 3.")
]


def lowest(extra: str | None = None) -> dict[str, str]:
    """Return the lowest version that each declared bound allows, by normalised name."""
    table = project_table()
    declared = table["dependencies"] if extra is None else table["optional-dependencies"][extra]
    found: dict[str, str] = {}
    for text in declared:
        wanted = Requirement(text)
        (bound,) = wanted.specifier
        assert bound.operator == ">=", text
        found[canonicalize_name(wanted.name)] = bound.version
    return found


WIDE, MATRIX = pytest.mark.wide, pytest.mark.matrix
_EACH = [
    pytest.param(each, marks=WIDE if each in {_PYTHONS[0], _PYTHONS[-1]} else MATRIX)
    for each in _PYTHONS
]


@pytest.fixture(params=_EACH)
def oldest(request: pytest.FixtureRequest, clients: Clients, tmp_path: Path) -> Place:
    """Return an environment with this package and its lowest versions, for each Python."""
    python = interpreter(clients, request.param)
    place = clients.make_venv(tmp_path / "oldest", python=python)
    clients.install(place, "--resolution", "lowest-direct", "-r", _PYPROJECT, OURS)
    return place


def interpreter(clients: Clients, version: str) -> str:
    if version == f"{sys.version_info[0]}.{sys.version_info[1]}":
        return sys.executable
    found = clients.interpreter(version)
    if found is None:
        pytest.skip(f"Python {version} is not installed")
    return found


def versions(place: Place) -> dict[str, Version]:
    """Return the installed versions."""
    script = (
        "import importlib.metadata as m, json;"
        "print(json.dumps([(d.metadata['Name'], d.version) for d in m.distributions()]))"
    )
    said = run(place.python, "-c", script, env={}, cwd=place.folder)
    return {canonicalize_name(name): Version(text) for name, text in json.loads(said.stdout)}


def test_commands_work_with_the_lowest_declared_versions(
    oldest: Place, sandbox: Sandbox, clients: Clients, sandbox_env: dict[str, str], project: Path
) -> None:
    installed = versions(oldest)
    for name, version in lowest().items():
        assert installed.get(name, Version(version)) == Version(version), name
    sandbox_env["PATH"] = f"{oldest.bin}{os.pathsep}{sandbox_env['PATH']}"

    def do(*words: str, status: int = 0) -> Result:
        done = run(oldest.bin / words[0], *words[1:], env=sandbox_env, cwd=project)
        assert done.status == status, (words, done.output)
        assert "Traceback" not in done.output
        return done

    url = sandbox.endpoint.simple_url
    write_pipfile(project, source(sandbox.endpoint), '[packages]\norb-common = "*"\n')
    assert f"version {installed['pipenv']}" in do("pipenv-ca", "--version").stdout
    do("pipenv-ca", "lock")
    lock = json.loads((project / "Pipfile.lock").read_text())
    assert lock["default"]["orb-common"]["version"] == "==2.0.0"
    do("pipenv-ca", "sync")
    assert list(project.glob(".venv/lib/python*/site-packages/orb_common"))
    token = do("pipenv-ca", "token", url).stdout
    assert do("keyring", "get", url, "aws").stdout == token
    assert "All is well." in do("pipenv-ca", "doctor", "--offline").stdout
    assert "orb-common" in do("pipenv-ca", "packages", "--json").stdout
    assert "index-url" in do("pipenv-ca", "login", "--dry-run", "pip").stdout
    do("pipenv-ca", "lint")
    (project / "Pipfile").write_text((project / "Pipfile").read_text().replace("/simple/", "/"))
    do("pipenv-ca", "lint", status=1)
    assert "/simple/" in do("pipenv-ca", "fix", "--diff").stdout
    do("pipenv-ca", "fix")
    do("pipenv-ca", "lint")

    clients.install(oldest, "--resolution", "lowest-direct", "-r", _PYPROJECT, "--extra", "sandbox")
    installed = versions(oldest)
    for name, version in lowest("sandbox").items():
        assert installed.get(name, Version(version)) == Version(version), name
    ready = "import os; print(os.environ['PIPENV_CA_SANDBOX_URL'])"
    words = ("--no-upstream", "--", "python", "-c", ready)
    assert do("pipenv-ca", "sandbox", "run", *words).stdout.startswith("https://demo-")
