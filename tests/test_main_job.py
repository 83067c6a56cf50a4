"""The main job, seen as its user sees it: lock, sync, install and update on the sandbox."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

from support.programs import PIPENV_CA, run
from support.projects import PYPI_SOURCE, source, write_pipfile
from support.runs import GET_TOKEN, Calls, get_token

from codeartifact_pipenv.sandbox.hosts import endpoint_for

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from codeartifact_pipenv.sandbox.sandbox import Sandbox

PACKAGE = "orb-schema-generator"
OLD, NEW = "1.0.1", "1.1.0"
PRIVATE = {"orb-common": "2.0.0"}


def tables(sandbox: Sandbox, specifier: str) -> tuple[str, ...]:
    """Return the Pipfile's tables, with a version specifier for the package."""
    lonely = endpoint_for(sandbox.endpoint.domain, "lonely")
    entries = (
        f'{PACKAGE} = {{version = "{specifier}", index = "codeartifact"}}\n'
        'orb-common = {version = "*", index = "codeartifact"}\n'
    )
    return PYPI_SOURCE, source(lonely), f"[packages]\n{entries}"


class Job:
    """A project on which one command after the other is run, each result recorded.

    The versions are such that each command has something to do: the old one is locked and
    installed; then pip brings the new one and `install --deploy` the old one back; `install`
    locks and installs the new one after the Pipfile has changed; `update` finds an old lock
    and nothing installed.
    """

    def __init__(self, sandbox: Sandbox, env: dict[str, str], folder: Path) -> None:
        self.folder = folder
        self._sandbox = sandbox
        self._env = env
        self._pipfile = write_pipfile(folder, *tables(sandbox, f"=={OLD}"))
        self._old_entry: object = None
        self._token = ""

    def work(self) -> dict[str, str]:
        """Run all commands; return ``ok`` or what is wrong for each."""
        return {
            name: _outcome(step)
            for name, step in {
                "lock": self._lock,
                "sync": self._sync,
                "run pip": self._run_pip,
                "install --deploy": self._deploy,
                "install": self._install,
                "update": self._update,
            }.items()
        }

    def _lock(self) -> None:
        self._pipenv("lock")
        self._check_lock(OLD)
        self._old_entry = self._locked()["default"][PACKAGE]

    def _sync(self) -> None:
        self._pipenv("sync")
        self._check_installed(OLD)

    def _run_pip(self) -> None:
        lock = self._lock_path.read_bytes()
        self._pipenv("run", "pip", "install", "--upgrade", PACKAGE)
        self._check_installed(NEW)
        assert self._lock_path.read_bytes() == lock

    def _deploy(self) -> None:
        lock = self._lock_path.read_bytes()
        self._pipenv("install", "--deploy")
        self._check_installed(OLD)
        assert self._lock_path.read_bytes() == lock

    def _install(self) -> None:
        write_pipfile(self.folder, *tables(self._sandbox, "*"))
        self._pipenv("install")
        self._check_lock(NEW)
        self._check_installed(NEW)

    def _update(self) -> None:
        # A lock from before the new version.
        document = self._locked()
        document["default"][PACKAGE] = self._old_entry
        self._lock_path.write_text(json.dumps(document, indent=4) + "\n")
        for path in (self.folder / ".venv").glob("lib/python*/site-packages/orb_schema_generator*"):
            shutil.rmtree(path)
        self._pipenv("update")
        self._check_lock(NEW)
        self._check_installed(NEW)

    @property
    def _lock_path(self) -> Path:
        return self.folder / "Pipfile.lock"

    def _pipenv(self, *words: str) -> None:
        pipfile = self._pipfile.read_bytes()
        done = run(PIPENV_CA, *words, env=self._env, cwd=self.folder)
        said = " / ".join(done.stderr.splitlines()[-3:])
        assert done.status == 0, f"{' '.join(words)}: status {done.status}: {said}"
        assert self._pipfile.read_bytes() == pipfile, f"{' '.join(words)}: the Pipfile has changed"

    def _check_installed(self, version: str) -> None:
        """Check what the project's own interpreter finds, and that it can be imported."""
        wanted = {PACKAGE: version, **PRIVATE}
        modules = [name.replace("-", "_") for name in wanted]
        code = (
            f"import six, {', '.join(modules)}; from importlib.metadata import version as v;"
            f"print([v(name) for name in {list(wanted)}])"
        )
        python = self.folder / ".venv" / "bin" / "python"
        found = run(python, "-c", code, env=self._env, cwd=self.folder)
        assert found.stdout.strip() == str(list(wanted.values())), f"installed: {found.output}"

    def _check_lock(self, version: str) -> None:
        """Check versions, hashes and indexes of the lock, and that it holds no token."""
        text = self._lock_path.read_text()
        document = json.loads(text)
        entries = document["default"]
        for name, wanted in {PACKAGE: version, **PRIVATE}.items():
            assert entries[name]["version"] == f"=={wanted}", f"locked: {name}: {entries[name]}"
            assert entries[name]["hashes"][0].startswith("sha256:"), f"no hashes of {name}"
        assert entries[PACKAGE]["index"] == "codeartifact", f"index: {entries[PACKAGE]}"
        assert entries["six"]["hashes"], "no hashes of six"
        urls = {table.split('url = "')[1].split('"')[0] for table in tables(self._sandbox, "*")[:2]}
        locked = {entry["url"] for entry in document["_meta"]["sources"]}
        assert locked == urls, f"sources in the lock: {locked}"
        self._token = self._token or get_token(self._sandbox, self._env, self.folder)
        assert self._token not in text, "the token is in the lock"

    def _locked(self) -> dict[str, dict[str, object]]:
        document: dict[str, dict[str, object]] = json.loads(self._lock_path.read_text())
        return document


def _outcome(step: Callable[[], None]) -> str:
    try:
        step()
    except (AssertionError, LookupError, OSError, ValueError) as error:
        return " ".join(f"{type(error).__name__}: {error}".split())
    return "ok"


def test_every_installing_command_calls_aws_once_and_keeps_the_pipfile(
    *,
    record_property: Callable[[str, object], None],
    sandbox: Sandbox,
    sandbox_env: dict[str, str],
    project: Path,
) -> None:
    job = Job(sandbox, sandbox_env, project)
    calls = Calls(sandbox)
    results = job.work()
    asked = calls.count(GET_TOKEN)
    results["calls"] = "ok" if asked == 1 else f"{asked} calls of {GET_TOKEN}"
    record_property("cells", ("main job", "PyPI, then CodeArtifact", results))
    assert set(results.values()) == {"ok"}, results
