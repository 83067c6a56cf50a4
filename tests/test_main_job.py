"""The main job as its user sees it: lock, sync, install and update on the sandbox."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import tomlkit
from support.programs import PIPENV_CA, run
from support.projects import PYPI_SOURCE, installed_version, source, write_pipfile
from support.runs import Calls, get_token

from codeartifact_pipenv.sandbox.hosts import endpoint_for

if TYPE_CHECKING:
    from pathlib import Path

    from codeartifact_pipenv.sandbox.sandbox import Sandbox

PACKAGE = "orb-schema-generator"
OLD, NEW = "1.0.1", "1.1.0"


class Job:
    """A project that needs a private package, which needs a private and a public one."""

    def __init__(self, sandbox: Sandbox, env: dict[str, str], folder: Path) -> None:
        self.pipfile, self.lock = folder / "Pipfile", folder / "Pipfile.lock"
        self._env = env
        self._own = source(endpoint_for(sandbox.endpoint.domain, "lonely"))

    def write(self, specifier: str) -> None:
        entries = f'{PACKAGE} = {{version = "{specifier}", index = "codeartifact"}}\n'
        entries += 'orb-common = {version = "*", index = "codeartifact"}\n'
        write_pipfile(self.pipfile.parent, PYPI_SOURCE, self._own, f"[packages]\n{entries}")

    def pipenv(self, *words: str, locked: str | None = None, installed: str = "") -> None:
        """Run a command and check the versions that it locks or keeps, and that it installs."""
        before, lock = self.pipfile.read_bytes(), self.lock.exists() and self.lock.read_bytes()
        done = run(PIPENV_CA, *words, env=self._env, cwd=self.pipfile.parent)
        assert done.status == 0, (words, done.output)
        assert self.pipfile.read_bytes() == before, words
        if locked is None:
            assert self.lock.read_bytes() == lock, words
        else:
            self._check_lock(locked)
        if installed:
            versions = [installed_version(self.lock.parent, n) for n in ("orb-common", PACKAGE)]
            assert versions == ["2.0.0", installed], words
            assert installed_version(self.lock.parent, "six"), words

    def _check_lock(self, version: str) -> None:
        document = json.loads(self.lock.read_text())
        entries = document["default"]
        wanted = {PACKAGE: f"=={version}", "orb-common": "==2.0.0"}
        assert {name: entries[name]["version"] for name in wanted} == wanted
        assert all(entry["hashes"][0].startswith("sha256:") for entry in entries.values())
        indexes = {name: entry["index"] for name, entry in entries.items()}
        assert indexes == {**dict.fromkeys(wanted, "codeartifact"), "six": "pypi"}
        pipfile = tomlkit.parse(self.pipfile.read_text()).unwrap()
        assert document["_meta"]["sources"] == pipfile["source"]


def test_every_installing_command_works_with_one_call_to_aws_and_keeps_the_pipfile(
    sandbox: Sandbox, sandbox_env: dict[str, str], project: Path
) -> None:
    job, calls = Job(sandbox, sandbox_env, project), Calls(sandbox)
    job.write(f"=={OLD}")
    job.pipenv("lock", locked=OLD)
    old_lock = job.lock.read_bytes()
    job.pipenv("sync", installed=OLD)
    job.pipenv("run", "pip", "install", "--upgrade", PACKAGE, installed=NEW)
    job.pipenv("install", "--deploy", installed=OLD)
    job.write("*")
    job.pipenv("install", locked=NEW, installed=NEW)
    # `update` finds an old lock, and the package is not installed.
    job.lock.write_bytes(old_lock)
    for path in (project / ".venv").glob("lib/python*/site-packages/orb_schema_generator*"):
        shutil.rmtree(path)
    job.pipenv("update", locked=NEW, installed=NEW)
    assert calls.count() == 1
    assert get_token(sandbox, sandbox_env, project) not in job.lock.read_text()
