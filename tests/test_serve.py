"""A sandbox that serves until it is stopped, and the fixtures for other projects' tests."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from support import PIPENV_CA, run
from support_runs import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GET = 'import os; print(os.environ["PIPENV_CA_SANDBOX_URL"])'


@contextmanager
def serving(
    env: dict[str, str], folder: Path, *words: str
) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """Serve, from the moment that ``env`` finds it."""
    place = folder / "at"
    command = [PIPENV_CA, "sandbox", "serve", "--no-upstream", "--at", str(place), *words]
    output = folder / "serve.sh"
    with output.open("w") as file:
        server = subprocess.Popen(command, env=env, cwd=folder, stdout=file, text=True)
    try:
        wait_for(lambda: output.read_text().endswith("\n"))
        yield server, output
    finally:
        server.kill()
        server.wait()


def test_shell_and_program_see_the_same(clean_env: dict[str, str], tmp_path: Path) -> None:
    """What serve prints works in a shell, and env gives the same, to shells and programs."""
    with serving(clean_env, tmp_path) as (_, output):
        script = f'. "{output}"; "$0" token "$PIPENV_CA_SANDBOX_URL"'
        token = run("sh", "-c", script, PIPENV_CA, env=clean_env, cwd=tmp_path)
        assert token.stdout.startswith("eyJ"), token.output
        words = (PIPENV_CA, "sandbox", "env", "--at", tmp_path / "at")
        assert run(*words, env=clean_env, cwd=tmp_path).stdout == output.read_text()
        document = json.loads(run(*words, "--json", env=clean_env, cwd=tmp_path).stdout)
        environ = {**clean_env, **{k: v for k, v in document.items() if v is not None}}
        url = environ["PIPENV_CA_SANDBOX_URL"]
        token = run(PIPENV_CA, "--ca-no-cache", "token", url, env=environ, cwd=tmp_path)
        assert token.stdout.startswith("eyJ"), token.output
        assert stat.S_IMODE((tmp_path / "at" / "environment.json").stat().st_mode) == 0o600


def test_unset_and_quoted(clean_env: dict[str, str], tmp_path: Path) -> None:
    """Variables that lead past the sandbox are unset, and odd values survive the shell."""
    env = clean_env | {"AWS_PROFILE": "real", "NO_PROXY": "a b'c,\"d$e"}
    with serving(env, tmp_path) as (_, output):
        script = f'. "{output}"; printf "%s|%s" "${{AWS_PROFILE-unset}}" "$NO_PROXY"'
        shown = run("sh", "-c", script, env=env, cwd=tmp_path)
        assert shown.stdout == "unset|127.0.0.1,localhost,a b'c,\"d$e"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopping(number: int, clean_env: dict[str, str], tmp_path: Path) -> None:
    """A signal ends it, nothing of it stays, and env says that nobody serves."""
    with serving(clean_env, tmp_path) as (server, _):
        server.send_signal(number)
        assert server.wait(10) == (0 if number == signal.SIGINT else 128 + number)
    assert os.listdir(clean_env["TMPDIR"]) == []
    assert os.listdir(tmp_path / "at") == ["serving.lock"]
    done = run(PIPENV_CA, "sandbox", "env", "--at", tmp_path / "at", env=clean_env, cwd=tmp_path)
    assert (done.status, done.stdout) == (1, "")
    assert done.stderr.startswith("error: No sandbox serves in ")


def test_killed(clean_env: dict[str, str], tmp_path: Path) -> None:
    """What a kill leaves behind does not pass for a sandbox that serves, nor stops the next."""
    with serving(clean_env, tmp_path) as (server, _):
        server.kill()
        server.wait()
    words = (PIPENV_CA, "sandbox", "env", "--at", tmp_path / "at")
    assert run(*words, env=clean_env, cwd=tmp_path).status == 1
    with serving(clean_env, tmp_path):
        assert run(*words, env=clean_env, cwd=tmp_path).status == 0


@pytest.mark.wide
def test_two_in_one_place(clean_env: dict[str, str], tmp_path: Path) -> None:
    """A second sandbox in the same place is refused, and the first goes on."""
    with serving(clean_env, tmp_path) as (server, _):
        words = (PIPENV_CA, "sandbox", "serve", "--at", tmp_path / "at")
        done = run(*words, env=clean_env, cwd=tmp_path)
        assert (done.status, done.stdout) == (1, "")
        assert "Another sandbox serves in" in done.stderr
        assert server.poll() is None


def test_place_that_cannot_be_made(clean_env: dict[str, str], tmp_path: Path) -> None:
    """A place that is no folder is told."""
    (tmp_path / "file").write_text("")
    words = (PIPENV_CA, "sandbox", "serve", "--at", tmp_path / "file" / "x")
    done = run(*words, env=clean_env, cwd=tmp_path)
    assert done.status == 1
    assert "cannot be used" in done.stderr
    assert "Traceback" not in done.stderr


def test_default_place(clean_env: dict[str, str], tmp_path: Path, home: Path) -> None:
    """Without --at it is found in the user's own cache."""
    server = subprocess.Popen(
        [PIPENV_CA, "sandbox", "serve", "--no-upstream"],
        env=clean_env,
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
    )
    try:
        place = home / ".cache" / "codeartifact-pipenv" / "sandbox" / "environment.json"
        wait_for(place.exists)
        done = run(PIPENV_CA, "sandbox", "env", "--json", env=clean_env, cwd=tmp_path)
        assert json.loads(done.stdout) == json.loads(place.read_text())
    finally:
        server.terminate()
        server.wait()


@pytest.mark.wide
def test_fixtures_of_other_projects(clean_env: dict[str, str], tmp_path: Path) -> None:
    """Another project's test gets a sandbox that behaves as wanted, and installs from it by pip."""
    (tmp_path / "conftest.py").write_text(
        "import pytest\n"
        "from codeartifact_pipenv.sandbox.behaviour import Behaviour\n"
        "@pytest.fixture(scope='session')\n"
        "def codeartifact_behaviour():\n"
        "    return Behaviour(redirect=307)\n"
    )
    (tmp_path / "test_it.py").write_text(
        "import subprocess, sys\n"
        "from codeartifact_pipenv.sandbox.wheels import make_wheel\n"
        "def test_it(codeartifact_sandbox, codeartifact_environ, tmp_path):\n"
        "    codeartifact_sandbox.publish(make_wheel(tmp_path, 'acme-x', '1.0'))\n"
        "    url = codeartifact_sandbox.endpoint.simple_url\n"
        "    words = [sys.executable, '-m', 'codeartifact_pipenv', 'token', url]\n"
        "    token = subprocess.check_output(words, env=codeartifact_environ, text=True).strip()\n"
        "    url = url.replace('//', f'//aws:{token}@')\n"
        "    words = [sys.executable, '-m', 'pip', 'install', '--target', str(tmp_path / 'there'),\n"
        "             '--index-url', url, 'acme-x']\n"
        "    subprocess.run(words, env=codeartifact_environ, check=True)\n"
        "    assert (tmp_path / 'there' / 'acme_x-1.0.dist-info').is_dir()\n"
        "    assert 307 in {each.status for each in codeartifact_sandbox.requests}\n"
    )
    words = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", tmp_path)
    done = run(*words, env=clean_env, cwd=tmp_path)
    assert done.status == 0, done.output
    assert "1 passed" in done.stdout
