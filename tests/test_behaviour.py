"""Every behaviour that can be chosen: what the sandbox does, and that clients work with it."""

from __future__ import annotations

import json
import re
from contextlib import closing
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pytest
from support.programs import PIPENV_CA, SCRIPTS, run
from support.projects import source, write_pipfile
from support.sandbox import JSON, Http, get_token

from codeartifact_pipenv.sandbox.behaviour import SWITCHES, Behaviour, read_behaviour, spell
from codeartifact_pipenv.sandbox.errors import SandboxError
from codeartifact_pipenv.sandbox.sandbox import Sandbox
from codeartifact_pipenv.sandbox.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from urllib3 import BaseHTTPResponse

    Start = Callable[..., Sandbox]


@pytest.fixture
def start(tmp_path: Path, clean_base: dict[str, str]) -> Start:
    """Return what makes a sandbox with one private wheel, and another one that it needs."""
    folder = tmp_path / "packages"
    make_wheel(folder, "acme-alone", "2.0", ["acme-base"], modules={"acme_alone/__init__.py": ""})
    make_wheel(folder, "acme-base", "1.0")

    def make(**chosen: Any) -> Sandbox:
        behaviour = Behaviour(**chosen)
        return Sandbox([folder], upstream=False, behaviour=behaviour, base=clean_base)

    return make


def ask(
    sandbox: Sandbox, token: str | None = None, headers: dict[str, str] | None = None
) -> BaseHTTPResponse:
    """Request the page of the private package."""
    with closing(Http(sandbox)) as http:
        return http(f"{sandbox.endpoint.simple_url}acme-alone/", token, headers=headers or {})


@pytest.mark.parametrize(
    ("word", "says", "hint"),
    [
        ("redirects=302", "Unknown behaviour .redirects", "redirect, upload_time"),
        ("redirect", "redirect cannot be ", "none, 301, 302"),
        ("upload_time=True", "upload_time cannot be True", "no, yes"),
    ],
)
def test_unknown_behaviour_is_refused_with_the_choices(word: str, says: str, hint: str) -> None:
    with pytest.raises(SandboxError, match=says) as caught:
        read_behaviour([word])
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("challenges", "denied", "timed"),
    [
        *(("bearer-basic", 403, False), ("basic-bearer", 401, True)),
        *(("bearer", 404, False), ("basic", 401, True)),
    ],
)
def test_challenges_denied_status_and_upload_times_are_those_chosen(
    start: Start, challenges: str, denied: int, timed: bool
) -> None:
    with start(challenges=challenges, read_denied=denied, upload_time=timed) as sandbox:
        answer, token = ask(sandbox), get_token(sandbox)
        kinds = [each.split()[0].lower() for each in answer.headers.getlist("WWW-Authenticate")]
        assert (answer.status, "-".join(kinds)) == (401, challenges)
        (file,) = ask(sandbox, token, {"Accept": JSON}).json()["files"]
        shown = file.get("upload-time", "")
        assert bool(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", shown)) is timed
        assert bool(shown) is timed
        sandbox.deny("codeartifact:ReadFromRepository")
        answer = ask(sandbox, token)
        assert (answer.status, "WWW-Authenticate" in answer.headers) == (denied, denied == 401)


def test_the_read_limit_counts_each_token_separately(start: Start) -> None:
    with start() as sandbox:
        tokens = [get_token(sandbox), get_token(sandbox)]
        sandbox.limit_reads(0, times=1)
        throttled = ask(sandbox, tokens[0])
        assert (throttled.status, "Retry-After" in throttled.headers) == (429, False)
        assert [ask(sandbox, given).status for given in (None, tokens[1])] == [401, 200]
        sandbox.heal()
        assert ask(sandbox, tokens[0]).status == 200


READINGS = [
    f"{name}={spell(value)}"
    for name in ("challenges", "pages", "redirect", "upload_time", "metadata", "ranges")
    for value in SWITCHES[name][name != "challenges" :]
]


def install(program: str, sandbox: Sandbox, env: dict[str, str], folder: Path, *words: str) -> None:
    """Install a private package and what it needs with pip or uv into a folder ``there``."""
    pip = [f"{SCRIPTS}/python", "-m", "pip"] if program == "pip" else [f"{SCRIPTS}/uv", "pip"]
    env = sandbox.environ(env) | {"UV_CACHE_DIR": str(folder / "uv-cache"), "PIP_NO_CACHE_DIR": "1"}
    env["PATH"] = f"{SCRIPTS}:{env['PATH']}"
    folder.mkdir()
    done = run(*pip, "install", "--target", "there", *words, "acme-alone", env=env, cwd=folder)
    assert done.status == 0, done.output
    assert (folder / "there" / "acme_alone" / "__init__.py").is_file()
    assert (folder / "there" / "acme_base-1.0.dist-info").is_dir()


@pytest.mark.wide
@pytest.mark.parametrize("program", ["pip", "uv"])
@pytest.mark.parametrize("reading", READINGS)
def test_installers_send_the_token_only_to_the_repository(
    start: Start, clean_env: dict[str, str], tmp_path: Path, reading: str, program: str
) -> None:
    with start(**asdict(read_behaviour([reading]))) as sandbox:
        url = sandbox.endpoint.simple_url.replace("//", "//aws:TOKEN@")
        own = url.replace("TOKEN", get_token(sandbox))
        install(program, sandbox, clean_env, tmp_path / "by token", "--index-url", own)
        hosts = {r.host for r in sandbox.requests if r.sent and r.method in {"GET", "HEAD"}}
        assert hosts == {sandbox.endpoint.host}
        if reading.startswith("challenges="):
            # pip does not start the keyring command of the environment that it runs in.
            provider = "import" if program == "pip" else "subprocess"
            words = ("--keyring-provider", provider, "--index-url", url.replace(":TOKEN", ""))
            install(program, sandbox, clean_env, tmp_path / "by keyring", *words)


@pytest.mark.wide
@pytest.mark.parametrize(
    ("reading", "route"),
    # As written, pip reads the pages, and it has met each kind above.
    [*((reading, "loopback") for reading in READINGS), ("redirect=307", "as-written")],
)
def test_pipenv_ca_locks_and_installs_under_each_behaviour(
    start: Start, clean_env: dict[str, str], project: Path, reading: str, route: str
) -> None:
    with start(**asdict(read_behaviour([reading]))) as sandbox:
        write_pipfile(project, source(sandbox.endpoint), '[packages]\nacme-alone = "*"\n')
        environ = sandbox.environ(clean_env)
        done = run(PIPENV_CA, "--ca-route", route, "install", env=environ, cwd=project)
        assert done.status == 0, done.output
        assert list(project.glob(".venv/lib/*/site-packages/acme_alone/__init__.py"))
        done = run(PIPENV_CA, "doctor", "--json", env=environ, cwd=project)
        found = [f for section in json.loads(done.stdout)["sections"] for f in section["findings"]]
        assert [each for each in found if each["level"] == "failure"] == []
