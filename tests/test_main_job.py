"""The main job as its user sees it: lock, sync, install and update on the sandbox."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import tomlkit
from support.projects import PYPI_SOURCE, installed_version, source, write_pipfile
from support.runs import Calls

from codeartifact_pipenv.sandbox.hosts import endpoint_for

if TYPE_CHECKING:
    from support.users import User

PACKAGE = "orb-schema-generator"
OLD, NEW = "1.0.1", "1.1.0"


def write(user: User, specifier: str) -> None:
    """Write a project that needs a private package, which needs a private and a public one."""
    own = source(endpoint_for(user.sandbox.endpoint.domain, "lonely"))
    entries = f'{PACKAGE} = {{version = "{specifier}", index = "codeartifact"}}\n'
    entries += 'orb-common = {version = "*", index = "codeartifact"}\n'
    write_pipfile(user.folder, PYPI_SOURCE, own, f"[packages]\n{entries}")


def pipenv(user: User, command: str, locked: str, installed: str = "") -> None:
    """Run a command, and check the Pipfile, the versions in the lock and what is installed."""
    before = (user.folder / "Pipfile").read_text()
    done = user.run(*command.split())
    assert done.status == 0, done.output
    assert (user.folder / "Pipfile").read_text() == before
    document = json.loads((user.folder / "Pipfile.lock").read_text())
    assert document["_meta"]["sources"] == tomlkit.parse(before).unwrap()["source"]
    entries = document["default"]
    assert all(entry["hashes"][0].startswith("sha256:") for entry in entries.values())
    found = {name: (entries[name]["version"], entries[name]["index"]) for name in entries}
    assert found.pop("six")[1] == "pypi"
    private = {PACKAGE: locked, "orb-common": "2.0.0"}
    assert found == {name: (f"=={version}", "codeartifact") for name, version in private.items()}
    if installed:
        versions = [installed_version(user.folder, name) for name in ("orb-common", PACKAGE)]
        assert versions == ["2.0.0", installed]
        assert installed_version(user.folder, "six")


def test_every_installing_command_works_with_one_call_to_aws_and_keeps_the_pipfile(
    user: User,
) -> None:
    calls, lock = Calls(user.sandbox), user.folder / "Pipfile.lock"
    write(user, f"=={OLD}")
    pipenv(user, "lock", OLD)
    old_lock = lock.read_bytes()
    pipenv(user, "sync", OLD, OLD)
    pipenv(user, f"run pip install --upgrade {PACKAGE}", OLD, NEW)
    pipenv(user, "install --deploy", OLD, OLD)
    assert lock.read_bytes() == old_lock
    write(user, "*")
    pipenv(user, "install", NEW, NEW)
    # `update` finds an old lock, and the package is not installed.
    lock.write_bytes(old_lock)
    for path in user.folder.glob(".venv/lib/python*/site-packages/orb_schema_generator*"):
        shutil.rmtree(path)
    pipenv(user, "update", NEW, NEW)
    assert calls.count() == 1
    assert user.token() not in lock.read_text()
