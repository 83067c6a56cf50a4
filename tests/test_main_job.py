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


def pipenv(user: User, *words: str, locked: str = "", installed: str = "") -> None:
    """Run a command and check the versions that it locks or keeps, and that it installs."""
    pipfile, lock = user.folder / "Pipfile", user.folder / "Pipfile.lock"
    before, lock_before = pipfile.read_bytes(), lock.exists() and lock.read_bytes()
    done = user.run(*words)
    assert done.status == 0, (words, done.output)
    assert pipfile.read_bytes() == before, words
    if locked:
        check_lock(user, locked)
    else:
        assert lock.read_bytes() == lock_before, words
    if installed:
        versions = [installed_version(user.folder, name) for name in ("orb-common", PACKAGE)]
        assert versions == ["2.0.0", installed], words
        assert installed_version(user.folder, "six"), words


def check_lock(user: User, version: str) -> None:
    document = json.loads((user.folder / "Pipfile.lock").read_text())
    entries = document["default"]
    wanted = {PACKAGE: f"=={version}", "orb-common": "==2.0.0"}
    assert {name: entries[name]["version"] for name in wanted} == wanted
    assert all(entry["hashes"][0].startswith("sha256:") for entry in entries.values())
    indexes = {name: entry["index"] for name, entry in entries.items()}
    assert indexes == {**dict.fromkeys(wanted, "codeartifact"), "six": "pypi"}
    pipfile = tomlkit.parse((user.folder / "Pipfile").read_text()).unwrap()
    assert document["_meta"]["sources"] == pipfile["source"]


def test_every_installing_command_works_with_one_call_to_aws_and_keeps_the_pipfile(
    user: User,
) -> None:
    calls, lock = Calls(user.sandbox), user.folder / "Pipfile.lock"
    write(user, f"=={OLD}")
    pipenv(user, "lock", locked=OLD)
    old_lock = lock.read_bytes()
    pipenv(user, "sync", installed=OLD)
    pipenv(user, "run", "pip", "install", "--upgrade", PACKAGE, installed=NEW)
    pipenv(user, "install", "--deploy", installed=OLD)
    write(user, "*")
    pipenv(user, "install", locked=NEW, installed=NEW)
    # `update` finds an old lock, and the package is not installed.
    lock.write_bytes(old_lock)
    for path in user.folder.glob(".venv/lib/python*/site-packages/orb_schema_generator*"):
        shutil.rmtree(path)
    pipenv(user, "update", locked=NEW, installed=NEW)
    assert calls.count() == 1
    assert user.token() not in lock.read_text()
