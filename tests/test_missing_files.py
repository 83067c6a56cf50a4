"""A file that a repository lists and does not have, for a moment or permanently."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
from typing import TYPE_CHECKING

import pytest
from support.programs import PIPENV_CA, Result
from support.projects import source
from support.runs import StandIn, Terminal, get_token, started, wait_for
from support.traces import files_with
from support.workspace import Workspace

from codeartifact_pipenv.sandbox.sandbox import Sandbox
from codeartifact_pipenv.sandbox.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.clients import Clients

TOOLS, COMMON = "orb-tools", "orb-common"
BOTH = ["orb_common-1.0", "orb_tools-1.0"]
FILE = "orb_tools-1.0-py3-none-any.whl"
DIRECT = pytest.mark.parametrize("words", [("sync",), ("install", "--deploy")])


class TwoPackages(Workspace):
    """A project that needs orb-tools, which needs orb-common."""

    def __init__(self, sandbox: Sandbox, env: dict[str, str], folder: Path, shared: Path) -> None:
        super().__init__(sandbox, env, folder)
        self._kept = shared / "not-there-yet.lock"
        for name, needs in ((COMMON, ()), (TOOLS, (COMMON,))):
            module = {f"{name.replace('-', '_')}/__init__.py": ""}
            sandbox.publish(make_wheel(shared, name, "1.0", requires=needs, modules=module))
        self.pipfile(f'{TOOLS} = "*"')

    def lock(self) -> None:
        """Lock the Pipfile, or copy the lock of an equal one."""
        path = self.folder / "Pipfile.lock"
        kept = self._kept.with_name(f"{hash((self.folder / 'Pipfile').read_bytes())}.lock")
        if not kept.exists():
            assert self.run("lock").status == 0
            shutil.move(path, kept)
        shutil.copy(kept, path)

    def files(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.folder.glob("Pipfile*")}

    def installed(self) -> list[str]:
        found = self.folder.glob(".venv/lib/*/site-packages/orb_*-*.dist-info")
        return sorted(path.name.removesuffix(".dist-info") for path in found)


@pytest.fixture
def work(
    clean_env: dict[str, str], clean_base: dict[str, str], project: Path, shared: Path
) -> Iterator[TwoPackages]:
    with Sandbox(domain="my-dom", repository="team", base=clean_base) as sandbox:
        yield TwoPackages(sandbox, sandbox.environ(clean_env), project, shared)


def again(said: str, command: str) -> int:
    """Count the messages that a command is run again."""
    sentence = rf"warning:\S* Repository team of my-dom .* lists {re.escape(FILE)} and did not have"
    return len(re.findall(rf"{sentence} it yet \(404\); `pipenv {command}` is run again\.", said))


def runs(done: Result) -> int:
    """Count how often pipenv installed from the lock."""
    return done.stdout.count("Installing dependencies from Pipfile.lock")


@pytest.mark.wide
@pytest.mark.parametrize("version", [None, "2023.12.1"])
@DIRECT
def test_the_command_runs_again_when_a_file_was_not_there_yet(
    words: tuple[str, ...], version: str | None, work: TwoPackages, clients: Clients
) -> None:
    if version:
        work.env["PIPENV_CA_PIPENV"] = str(clients.pipenv(version))
        work.pipfile(f'{TOOLS} = "*"', source(work.team, ""))
    work.lock()
    before = work.files()
    work.sandbox.fault(404, times=1, on="files", name=TOOLS)
    done = work.run(*words)
    assert done.status == 0, done.output
    assert work.installed() == BOTH
    assert (again(done.stderr, words[0]), done.stderr.count("warning: ")) == (1, 1)
    assert runs(done) == 2
    assert work.files() == before
    assert os.listdir(work.env["TMPDIR"]) == []


@pytest.mark.wide
def test_a_file_that_stays_missing_fails_after_a_second_run(work: TwoPackages) -> None:
    work.lock()
    before = work.files()
    work.sandbox.fault(404, on="files", name=TOOLS)
    done = work.run("sync")
    assert (done.status, again(done.stderr, "sync"), runs(done)) == (1, 1, 2), done.output
    *_, error, hint = done.stderr.splitlines()
    assert error.startswith("error: ")
    assert error.endswith(f"lists {FILE} and answers 404 for it. [file-missing]")
    assert hint.startswith("hint: ")
    assert "aws codeartifact list-package-versions --domain my-dom" in hint
    assert (work.files(), work.installed()) == (before, [])


@pytest.mark.wide
def test_the_users_own_pip_log_is_kept_and_has_no_token(work: TwoPackages, tmp_path: Path) -> None:
    work.lock()
    token = get_token(work.sandbox, work.env, work.folder)
    log = tmp_path / "pip.log"
    log.write_text("old\n")
    work.env["PIP_LOG"] = str(log)
    work.sandbox.fault(404, times=1, on="files", name=TOOLS)
    with Terminal(PIPENV_CA, "sync", env=work.env, cwd=work.folder) as terminal:
        assert terminal.finish(120) == 0, terminal.shown
    assert (again(terminal.visible, "sync"), work.installed()) == (1, BOTH)
    assert re.match("old\n.", log.read_text())
    assert files_with(token, [work.folder, log]) == []
    assert token not in terminal.shown


@pytest.mark.wide
@pytest.mark.parametrize("words", [("lock",), ("install", COMMON)])
def test_a_missing_file_on_the_proxy_route_fails_after_one_run(
    words: tuple[str, ...], work: TwoPackages
) -> None:
    before = work.files()
    work.sandbox.fault(404, on="files")
    done = work.run(*words)
    assert done.status == 1, done.output
    assert done.stderr.splitlines()[-2].endswith(" for it. [file-missing]")
    assert "is run again" not in done.stderr
    assert work.files() == before


@pytest.mark.wide
@pytest.mark.parametrize("kind", ["corrupt", "denied"])
def test_other_failures_do_not_run_the_command_again(kind: str, work: TwoPackages) -> None:
    work.lock()
    if kind == "corrupt":
        work.sandbox.corrupt(on="files", name=TOOLS)
    else:
        work.sandbox.fault(403, on="files", name=TOOLS)
    done = work.run("install", "--deploy")
    assert done.status != 0
    assert "is run again" not in done.stderr
    assert "file-missing" not in done.stderr
    assert runs(done) <= 1


def heads(work: TwoPackages) -> int:
    return sum(request.method == "HEAD" for request in work.sandbox.requests)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_wait_without_a_second_run(
    number: int, work: TwoPackages, tmp_path: Path
) -> None:
    work.pipfile(f'{TOOLS} = "*"', source(work.team, ""))
    table = {"name": "codeartifact", "url": work.team.simple_url, "verify_ssl": True}
    meta = {"hash": {"sha256": ""}, "pipfile-spec": 6, "sources": [table]}
    lock = {"_meta": meta, "default": {}, "develop": {}}
    (work.folder / "Pipfile.lock").write_text(json.dumps(lock))
    page = f"{work.team.simple_url}{TOOLS}/"
    says = f"ERROR: HTTP error 404 while getting {page}1.0/{FILE} (from {page})"
    pipenv = StandIn(tmp_path / "bin", f"print({says!r}, file=sys.stderr)", "sys.exit(3)")
    work.env["PIPENV_CA_PIPENV"] = str(pipenv.path)
    work.sandbox.fault(404, on="files", name=TOOLS)
    with started(PIPENV_CA, "sync", env=work.env, cwd=work.folder) as process:
        wait_for(lambda: heads(work) > 0)
        asked, first_run = heads(work), pipenv.record
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    assert process.returncode == -number
    assert heads(work) <= asked + 1
    assert pipenv.record == first_run
    assert said.count("is run again") == 1
    assert "file-missing" not in said
    assert "Traceback" not in said
    assert os.listdir(work.env["TMPDIR"]) == []
