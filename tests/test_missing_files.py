"""A file that a repository lists and does not have, for a moment or permanently."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest
from support.files import files_with
from support.programs import PIPENV_CA, Result
from support.projects import source, write_pipfile
from support.runs import StandIn, Terminal, get_token, wait_for
from support.workspace import Workspace

from codeartifact_pipenv.sandbox.sandbox import Sandbox
from codeartifact_pipenv.sandbox.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support.clients import Clients

TOOLS, COMMON = "orb-tools", "orb-common"
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
        self.write(source(sandbox.endpoint))

    def write(self, table: str) -> None:
        write_pipfile(self.folder, table, f'[packages]\n{TOOLS} = "*"\n')

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
    sentence = (
        rf"warning:\S* Repository team of my-dom .* lists {re.escape(FILE)} and did not have it yet"
    )
    return len(re.findall(rf"{sentence} \(404\); `pipenv {command}` is run again\.", said))


def runs(done: Result) -> int:
    """Count how often pipenv installed from the lock."""
    return done.stdout.count("Installing dependencies from Pipfile.lock")


def code_of(done: Result) -> str | None:
    """Return the code of the cause, which is printed last."""
    *_, error, hint = done.stderr.splitlines()
    found = re.fullmatch(r"error: .* \[([a-z-]+)\]", error)
    return found[1] if found and hint.startswith("hint: ") else None


@pytest.mark.wide
@DIRECT
def test_the_command_runs_again_when_a_file_was_not_there_yet(
    words: tuple[str, ...], work: TwoPackages
) -> None:
    work.lock()
    before = work.files()
    work.sandbox.fault(404, times=1, on="files", name=TOOLS)
    done = work.run(*words)
    assert done.status == 0, done.output
    assert work.installed() == ["orb_common-1.0", "orb_tools-1.0"]
    assert (again(done.stderr, words[0]), done.stderr.count("warning: ")) == (1, 1)
    assert runs(done) == 2
    assert work.files() == before
    assert os.listdir(work.env["TMPDIR"]) == []
    done = work.run(*words)
    assert (done.status, again(done.stderr, words[0])) == (0, 0)


@pytest.mark.wide
@DIRECT
def test_a_file_that_stays_missing_fails_after_a_second_run(
    words: tuple[str, ...], work: TwoPackages
) -> None:
    work.lock()
    before = work.files()
    work.sandbox.fault(404, on="files", name=TOOLS)
    done = work.run(*words)
    assert done.status == 1, done.output
    assert again(done.stderr, words[0]) == 1
    assert runs(done) == 2
    assert code_of(done) == "file-missing"
    assert f"lists {FILE} and answers 404 for it. [file-missing]" in done.stderr
    assert "aws codeartifact list-package-versions --domain my-dom" in done.stderr
    assert work.files() == before
    assert work.installed() == []


@pytest.mark.wide
def test_the_second_run_starts_when_the_file_is_there(work: TwoPackages) -> None:
    work.lock()
    assert work.run("sync").status == 0
    shutil.rmtree(work.folder / ".venv")
    work.sandbox.fault(404, times=6, on="files", name=TOOLS)  # one of pip, five of pipenv-ca
    before = len(work.sandbox.requests)
    done = work.run("sync")
    assert done.status == 0, done.output
    asked = [r for r in work.sandbox.requests[before:] if r.path.endswith(FILE)]
    assert [(r.method, r.status) for r in asked] == [
        *[("GET", 404), *[("HEAD", 404)] * 5],
        *[("HEAD", 200), ("GET", 200)],
    ]


@pytest.mark.wide
def test_the_command_runs_again_on_a_terminal(work: TwoPackages) -> None:
    work.lock()
    work.sandbox.fault(404, times=1, on="files", name=TOOLS)
    with Terminal(PIPENV_CA, "sync", env=work.env, cwd=work.folder) as terminal:
        status = terminal.finish(120)
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal.shown)
    assert status == 0, shown
    assert again(shown, "sync") == 1
    assert work.installed() == ["orb_common-1.0", "orb_tools-1.0"]
    assert os.listdir(work.env["TMPDIR"]) == []


@pytest.mark.wide
def test_the_users_own_pip_log_is_kept_and_has_no_token(work: TwoPackages, tmp_path: Path) -> None:
    work.lock()
    token = get_token(work.sandbox, work.env, work.folder)
    log = tmp_path / "pip.log"
    url = f"{work.sandbox.endpoint.simple_url}{TOOLS}/1.0/{FILE}"
    old = f"HTTP error 404 while getting {url} (from {work.sandbox.endpoint.simple_url}{TOOLS}/)\n"
    log.write_text(old)
    work.env["PIP_LOG"] = str(log)
    shown = ""
    for times, expected in ((0, 0), (1, 1)):
        shutil.rmtree(work.folder / ".venv", ignore_errors=True)
        if times:
            work.sandbox.fault(404, times=times, on="files", name=TOOLS)
        else:
            work.sandbox.corrupt(on="files", name=TOOLS, times=1)
        with Terminal(PIPENV_CA, "sync", env=work.env, cwd=work.folder) as terminal:
            status = terminal.finish(120)
        assert (status == 0) == bool(expected), terminal.shown
        assert terminal.shown.count("is run again") == expected
        shown += terminal.shown
    written = log.read_text()
    assert written.startswith(old)
    assert written.count("404 while getting") >= 2
    assert files_with(token, [tmp_path / "my project", tmp_path / "pip.log"]) == []
    assert token not in written
    assert token not in shown


@pytest.mark.wide
@pytest.mark.parametrize("words", [("lock",), ("install", COMMON)])
def test_a_missing_file_on_the_proxy_route_fails_after_one_run(
    words: tuple[str, ...], work: TwoPackages
) -> None:
    before = work.files()
    work.sandbox.fault(404, on="files", name=COMMON)
    work.sandbox.fault(404, on="files", name=TOOLS)
    done = work.run(*words)
    assert done.status == 1, done.output
    assert code_of(done) == "file-missing"
    assert "is run again" not in done.stderr
    assert work.files() == before


@pytest.mark.wide
def test_the_proxy_index_waits_for_a_file_silently(work: TwoPackages) -> None:
    work.sandbox.fault(404, times=1, on="files", name=TOOLS)
    done = work.run("lock")
    assert done.status == 0, done.output
    assert "404" not in done.output


FAULTS: dict[str, Callable[[TwoPackages], object]] = {
    "corrupt file": lambda work: work.sandbox.corrupt(on="files", name=TOOLS),
    "outdated lock": lambda work: work.pipfile(f'{COMMON} = "*"'),
    "missing page": lambda work: work.sandbox.fault(404, on="pages", name=TOOLS),
    "denied file": lambda work: work.sandbox.fault(403, on="files", name=TOOLS),
}


@pytest.mark.wide
@pytest.mark.parametrize("fault", FAULTS)
def test_other_failures_do_not_run_the_command_again(fault: str, work: TwoPackages) -> None:
    work.lock()
    FAULTS[fault](work)
    done = work.run("install", "--deploy")
    assert done.status != 0
    assert "is run again" not in done.stderr
    assert "file-missing" not in done.stderr
    assert runs(done) <= 1


@pytest.mark.wide
def test_the_oldest_pipenv_is_run_again_too(work: TwoPackages, clients: Clients) -> None:
    work.env["PIPENV_CA_PIPENV"] = str(clients.pipenv("2023.12.1"))
    work.write(source(work.sandbox.endpoint, ""))
    work.lock()
    work.sandbox.fault(404, times=1, on="files", name=TOOLS)
    done = work.run("sync")
    assert done.status == 0, done.output
    assert again(done.stderr, "sync") == 1
    assert runs(done) == 2


# --- with a stand-in ----------------------------------------------------------------------

SAYS = """
count = os.path.join({folder!r}, "count")
with open(count, "a") as file:
    file.write("x")
sys.stdout.write("to stdout\\n")
sys.stdout.flush()
sys.stderr.write("ERROR: HTTP error 404 while getting {url} (from {page})\\n")
sys.stderr.flush()
"""


@pytest.fixture
def stand_in(work: TwoPackages, tmp_path: Path) -> StandIn:
    """Return a stand-in for pipenv that fails because a listed file is missing."""
    work.write(source(work.sandbox.endpoint, ""))
    url = work.sandbox.endpoint.simple_url
    table = {"name": "codeartifact", "url": url, "verify_ssl": True}
    lock = {"_meta": {"hash": {"sha256": ""}, "pipfile-spec": 6, "sources": [table]}, "default": {}}
    (work.folder / "Pipfile.lock").write_text(json.dumps(lock | {"develop": {}}))
    page = f"{work.sandbox.endpoint.simple_url}{TOOLS}/"
    says = SAYS.format(folder=str(tmp_path), url=f"{page}1.0/{FILE}", page=page)
    made = StandIn(tmp_path / "bin", says, "sys.exit(3)")
    work.env["PIPENV_CA_PIPENV"] = str(made.path)
    work.sandbox.fault(404, on="files", name=TOOLS)
    return made


def count(tmp_path: Path) -> int:
    return len((tmp_path / "count").read_text())


@pytest.mark.wide
def test_output_and_status_are_those_of_the_second_run(
    work: TwoPackages, stand_in: StandIn, tmp_path: Path
) -> None:
    done = work.run("sync")
    assert done.status == 3
    assert count(tmp_path) == 2
    assert stand_in.record["argv"] == ["sync"]
    assert done.stdout == "to stdout\n" * 2
    assert done.stderr.count("ERROR: HTTP error 404") == 2
    assert code_of(done) == "file-missing"
    assert "PIP_LOG" not in stand_in.record["environ"]


def test_stdout_and_stderr_to_one_pipe_keep_their_order(
    work: TwoPackages, stand_in: StandIn, tmp_path: Path
) -> None:
    done = subprocess.run(
        [PIPENV_CA, "sync"],
        env=work.env,
        cwd=work.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    log = stand_in.record["environ"]["PIP_LOG"]
    assert log.startswith(work.env["TMPDIR"])
    assert not os.path.exists(log)
    assert count(tmp_path) == 1
    assert done.stdout.startswith("to stdout\nERROR: HTTP error 404")


def heads(work: TwoPackages) -> int:
    return sum(request.method == "HEAD" for request in work.sandbox.requests)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_wait_without_a_second_run(
    number: int, work: TwoPackages, stand_in: StandIn, tmp_path: Path
) -> None:
    assert not stand_in.was_run
    with subprocess.Popen(
        [PIPENV_CA, "sync"],
        env=work.env,
        cwd=work.folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        wait_for(lambda: heads(work) > 0)
        asked = heads(work)
        process.send_signal(number)
        assert process.wait(10) == -number
        assert heads(work) <= asked + 1
        assert process.stderr is not None
        said = process.stderr.read()
    assert count(tmp_path) == 1
    assert said.count("is run again") == 1
    assert "file-missing" not in said
    assert "Traceback" not in said
    assert os.listdir(work.env["TMPDIR"]) == []


@pytest.mark.wide
def test_other_commands_write_no_pip_log(work: TwoPackages, stand_in: StandIn) -> None:
    for words in (("lock",), ("--ca-route", "loopback", "sync"), ("--ca-run-token", "run", "x")):
        done = work.run(*words)
        assert done.stderr.count("ERROR: HTTP error 404") == 1, done.output
        assert "is run again" not in done.stderr
    assert "PIP_LOG" not in stand_in.record["environ"]
