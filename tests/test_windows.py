"""The main commands on Windows, with Wine: ``pytest -m windows -n 0``."""

from __future__ import annotations

import json
import shutil
import textwrap
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pexpect
import pytest
from support.projects import PYPI_SOURCE, source
from support.runs import wait_for
from support.windows import Windows, windows_machine, windows_path

from codeartifact_pipenv.sandbox.hosts import endpoint_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.programs import Result

    from codeartifact_pipenv.sandbox.sandbox import Sandbox

pytestmark = pytest.mark.windows

PACKAGE = "orb-schema-generator"
COMMENT = "# Für Jörg\r\n"


@pytest.fixture(scope="session")
def windows(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Windows]:
    with windows_machine(tmp_path_factory.mktemp("wheels")) as machine:
        yield machine


class User:
    """A user of that machine with a blank and an umlaut in the home folder, and a project."""

    def __init__(self, windows: Windows, environ: dict[str, str], home: Path, folder: Path) -> None:
        self._windows = windows
        self.env = environ
        self.home = home
        self.folder = folder

    def __call__(self, *words: str, **variables: str) -> Result:
        return self.run("pipenv-ca", *words, **variables)

    def run(self, *words: str, encoding: str = "cp1252", **variables: str) -> Result:
        env = {**self.env, **variables}
        return self._windows.run(*words, env=env, cwd=self.folder, encoding=encoding)

    def succeeds(self, *words: str, **variables: str) -> Result:
        done = self(*words, **variables)
        assert done.status == 0, done.output[-3000:]
        return done

    def start(self, *words: str) -> pexpect.spawn[str]:
        return self._windows.start(*words, env=self.env, cwd=self.folder)

    def pipfile(self, *tables: str) -> bytes:
        """Write a Pipfile with the lines of Windows; return its bytes."""
        data = (COMMENT + "\n".join(tables).replace("\n", "\r\n")).encode()
        (self.folder / "Pipfile").write_bytes(data)
        return data

    def locked(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "Pipfile.lock").read_bytes())["default"]
        return found

    def version(self, name: str) -> str:
        """Return the version of a package in the project's environment."""
        packages = self.folder / ".venv" / "Lib" / "site-packages"
        (found,) = packages.glob(f"{name.replace('-', '_')}-*.dist-info")
        return found.name.removesuffix(".dist-info").rpartition("-")[2]

    def stand_in(self, program: str) -> None:
        """Put a program of Python in the place of `pipenv lock`."""
        (self.folder / "lock").write_text(textwrap.dedent(program), encoding="utf-8")
        self.env["PIPENV_CA_PIPENV"] = r"C:\Python\python.exe"

    def wait_for(self, name: str) -> None:
        wait_for((self.folder / name).exists, seconds=120)

    def left(self) -> list[str]:
        """Return the copies next to the Pipfile and the temporary files that runs have left."""
        temporary = self.home / "AppData" / "Local" / "Temp"
        places = (self.folder.glob(".Pipfile*"), temporary.glob("pipenv-ca-*"))
        return sorted(path.name for found in places for path in found)


@pytest.fixture
def user(
    windows: Windows, sandbox: Sandbox, clean_env: dict[str, str], tmp_path: Path, project: Path
) -> User:
    """Return a user with AWS credentials, in a project that is still empty."""
    home = tmp_path / "Jörg Müller"
    environ = windows.environ(sandbox.environ(clean_env), home)
    del environ["PIPENV_CA_CACHE_DIR"]
    return User(windows, environ, home, project)


@pytest.fixture
def simple(user: User, sandbox: Sandbox) -> User:
    """Return a user whose project needs one private package, from CodeArtifact alone."""
    user.pipfile(source(sandbox.endpoint), '[packages]\norb-common = "*"\n')
    return user


@pytest.mark.parametrize("layout", ["only", "second"])
def test_every_main_command_works_and_keeps_the_pipfile(
    layout: str, user: User, sandbox: Sandbox
) -> None:
    lonely = endpoint_for(sandbox.endpoint.domain, "lonely")
    index = '{version = "%s", index = "codeartifact"}'
    sources, entry, others = {
        "only": ((source(sandbox.endpoint),), '"%s"', ""),
        "second": ((PYPI_SOURCE, source(lonely)), index, f"orb-common = {index % '*'}\n"),
    }[layout]

    before = user.pipfile(*sources, f"[packages]\n{PACKAGE} = {entry % '==1.0.1'}\n{others}")
    assert user.succeeds("--version").stdout.startswith("pipenv, version")
    user.succeeds("lock")
    assert user.locked()[PACKAGE]["version"] == "==1.0.1"
    user.succeeds("sync")
    assert user.version(PACKAGE) == "1.0.1"
    assert (user.folder / "Pipfile").read_bytes() == before
    assert user("run", "python", "-c", "raise SystemExit(7)").status == 7

    user.pipfile(*sources, f"[packages]\n{PACKAGE} = {entry % '*'}\n{others}")
    user.succeeds("install", "six")
    after = (user.folder / "Pipfile").read_bytes()
    assert user.locked()[PACKAGE]["version"] == f"=={user.version(PACKAGE)}" == "==1.1.0"
    assert after.startswith(COMMENT.encode())
    assert b"six = " in after
    assert after.count(b"\n") == after.count(b"\r\n")
    assert b"127.0.0.1" not in after + (user.folder / "Pipfile.lock").read_bytes()

    user.succeeds("uninstall", "six")
    assert b"six = " not in (user.folder / "Pipfile").read_bytes()
    user.succeeds("update")
    user.succeeds("run", "pip", "install", "--upgrade", "--dry-run", PACKAGE)
    assert user.left() == []


def test_the_environment_is_the_one_of_bare_pipenv(simple: User) -> None:
    variables = {"PIPENV_VENV_IN_PROJECT": "0", "WORKON_HOME": windows_path(simple.home / "envs")}
    simple.succeeds("install", **variables)
    ours = simple.run("pipenv", "--venv", **variables)
    assert (ours.status, "envs" in ours.stdout) == (0, True), ours
    assert len(list((simple.home / "envs").iterdir())) == 1


def test_own_verbs_work_and_tokens_are_cached_in_the_local_app_data(simple: User) -> None:
    (first,) = simple.succeeds("token").stdout.split()
    folder = simple.home / "AppData" / "Local" / "codeartifact-pipenv"
    assert any(first in path.read_text() for path in folder.rglob("*.json"))
    assert simple.succeeds("token").stdout.split() == [first]
    assert json.loads(simple.succeeds("doctor", "--json").stdout)
    assert "orb-common" in simple.succeeds("packages").stdout
    said = simple.succeeds("env", "--shell", "powershell").stdout
    assert "$Env:CODEARTIFACT_AUTH_TOKEN = '" in said
    script = simple(_PIPENV_CA_COMPLETE="powershell_source").stdout
    assert "Register-ArgumentCompleter" in script
    done = simple(_PIPENV_CA_COMPLETE="powershell_complete", COMP_WORDS="pipenv-ca\ndoc")
    assert "doctor" in done.stdout


def test_the_second_command_waits_for_the_first(simple: User) -> None:
    simple.stand_in("""
        import os, time
        first = not os.path.exists("first")
        open("first", "w").close()
        while first and not os.path.exists("go"):
            time.sleep(0.1)
    """)
    first = simple.start("pipenv-ca", "lock")
    simple.wait_for("first")
    second = simple.start("pipenv-ca", "lock")
    second.expect("Another pipenv-ca works on this project")
    assert len(list(simple.folder.glob(".Pipfile.pipenv-ca-*"))) == 2  # the lock, one copy
    (simple.folder / "go").touch()
    assert [ended(first), ended(second)] == [0, 0]
    assert simple.left() == []


def test_an_interrupted_command_changes_nothing(simple: User) -> None:
    # (Wine cannot send ctrl-break.)
    simple.stand_in("""
        import signal, sys, time
        def end(number, frame):
            open("got", "w").write(str(number))
            sys.exit(1)
        signal.signal(signal.SIGINT, end)
        open("started", "w").close()
        while True:
            time.sleep(0.1)
    """)
    run = simple.start("pipenv-ca", "lock")
    simple.wait_for("started")
    run.send("\x03")
    assert ended(run) != 0
    assert (simple.folder / "got").read_text() == "2"
    assert simple.left() == []


def test_the_next_command_waits_for_a_pipenv_that_outlives_its_run(simple: User) -> None:
    simple.stand_in("""
        import os, pathlib, signal, time
        os.kill(os.getppid(), signal.SIGTERM)
        pathlib.Path("orphan").touch()
        while not os.path.exists("go"):
            time.sleep(0.1)
        pathlib.Path(os.environ["TEMP"], "late").touch()
        pathlib.Path(os.environ["PIPENV_PIPFILE"]).read_bytes()
        pathlib.Path("well").touch()
    """)
    with ThreadPoolExecutor() as pool:
        killed = pool.submit(simple, "lock")  # (without a terminal, which would end pipenv, too)
        simple.wait_for("orphan")
        left = simple.left()
        assert len(left) == 4
        simple.succeeds("--version")
        assert simple.left() == left
        simple.stand_in("")
        following = simple.start("pipenv-ca", "lock")
        following.expect("Another pipenv-ca works on this project")
        (simple.folder / "go").touch()
        assert ended(following) == 0
        assert killed.result().status != 0
    assert (simple.folder / "well").exists()
    simple.succeeds("--version")
    assert simple.left() == []


def ended(program: pexpect.spawn[str]) -> int | None:
    program.expect(pexpect.EOF)
    program.close()
    status: int | None = program.exitstatus
    return status


def test_words_with_blanks_quotes_and_umlauts_reach_the_program(simple: User) -> None:
    words = ["a b", 'q"x', "50%", "^&|", "C:\\d e\\", "ä", ""]
    code = "import json, sys; print(json.dumps(sys.argv[1:]))"
    done = simple.succeeds("run", "python", "-c", code, *words)
    assert json.loads(done.stdout.splitlines()[-1]) == words


def test_pipfile_may_be_named_with_a_small_drive_letter_and_slashes(
    simple: User, tmp_path: Path
) -> None:
    named = windows_path(simple.folder / "Pipfile").replace("\\", "/")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    project, simple.folder = simple.folder, elsewhere
    simple.succeeds("lock", PIPENV_PIPFILE=f"z{named[1:]}")
    simple.folder = project
    assert "orb-common" in simple.locked()
    assert [simple.left(), list(elsewhere.iterdir())] == [[], []]


def test_a_lock_that_another_program_has_open_is_one_error(simple: User) -> None:
    lock = simple.folder / "Pipfile.lock"
    meta = '{"hash": {"sha256": ""}, "pipfile-spec": 6, "requires": {}, "sources": []}'
    lock.write_text(f'{{"_meta": {meta}, "default": {{}}, "develop": {{}}}}')
    locked, before = lock.read_bytes(), (simple.folder / "Pipfile").read_bytes()
    holds = "import time; f = open('Pipfile.lock'); open('held', 'w').close(); time.sleep(600)"
    holder = simple.start("python", "-c", holds)
    try:
        simple.wait_for("held")
        done = simple("install", "six")
    finally:
        holder.send("\x03")
        ended(holder)
    assert done.status == 2
    assert f"{windows_path(lock)} cannot be written" in done.stderr
    assert "hint: " in done.stderr
    assert (simple.folder / "Pipfile").read_bytes() == before
    assert (lock.read_bytes(), simple.left()) == (locked, [])


@pytest.mark.parametrize("depth", [225, 300])
def test_a_long_path_works_or_is_one_error(depth: int, simple: User) -> None:
    name = "l" * (depth - len(windows_path(simple.folder)) - 1)
    deep = simple.folder / name[:150] / name[150:]
    deep.mkdir(parents=True)
    shutil.move(simple.folder / "Pipfile", deep)
    done = simple("lock", PIPENV_PIPFILE=windows_path(deep / "Pipfile"))
    deep_lock = (deep / "Pipfile.lock").exists()
    assert deep_lock if done.status == 0 else "Windows takes 259" in done.stderr, done.output
    assert list(deep.glob(".Pipfile*")) == []


@pytest.mark.parametrize("page", ["cp1252", "cp437"])
def test_characters_outside_the_code_page_are_replaced(
    page: str, user: User, sandbox: Sandbox
) -> None:
    user.pipfile(source(sandbox.endpoint), '[packages]\n"größe-日本" = "*"\n')
    done = user.run("pipenv-ca", "lint", encoding=page, PYTHONIOENCODING=page)
    assert done.status == 1
    assert "größe-" in done.output
    assert "Traceback" not in done.output


def test_pip_gets_the_token_from_keyring(simple: User, sandbox: Sandbox) -> None:
    endpoint = sandbox.endpoint
    done = simple.run("keyring", "get", endpoint.simple_url, "aws")
    assert (done.status, len(done.stdout) > 300) == (0, True), done.stderr
    url = endpoint.simple_url.replace("https://", "https://aws@")
    words = ["--no-deps", "--keyring-provider", "import", "-i", url, "-d", "got", "orb-common"]
    done = simple.run("pip", "download", *words)
    assert done.status == 0, done.output
    assert [path.name for path in (simple.folder / "got").iterdir()] == [
        "orb_common-2.0.0-py3-none-any.whl"
    ]


@pytest.mark.shows_token("files")
def test_logout_removes_the_login_that_pip_used(simple: User) -> None:
    place = simple.home / "AppData" / "Roaming" / "pip" / "pip.ini"
    simple.succeeds("login", "pip", "--user")
    assert "index-url" in place.read_text()
    # pip asks Windows for the folder of the profile, and Wine knows only one.
    named = {"PIP_CONFIG_FILE": windows_path(place)}
    done = simple.run("pip", "download", "--no-deps", "-d", "got", "orb-common", **named)
    assert done.status == 0, done.output
    simple.succeeds("logout")
    assert not place.exists()


@pytest.mark.shows_token("output", "files")
def test_env_prints_variables_for_cmd(simple: User) -> None:
    # (In Wine's cmd the README's line starts no Python.)
    lines = simple.succeeds("env", "--shell", "cmd").stdout.replace("\n", "\r\n")
    shown = "@python -c \"import os; print(os.environ['CODEARTIFACT_AUTH_TOKEN'])\"\r\n"
    (simple.folder / "show.bat").write_text(f"@echo off\r\n{lines}{shown}")
    done = simple.run(r"C:\windows\system32\cmd.exe", "/c", "show.bat")
    assert done.stdout.split() == simple.succeeds("token").stdout.split(), done.stderr
