"""Every behaviour that can be chosen: what the sandbox does, and that clients work with it."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from support.programs import PIPENV_CA, SCRIPTS, Result, run
from support.projects import source, write_pipfile
from support.sandbox import JSON, Http, get_token

from codeartifact_pipenv.sandbox.behaviour import SWITCHES, Behaviour, read_behaviour, spell
from codeartifact_pipenv.sandbox.errors import SandboxError
from codeartifact_pipenv.sandbox.sandbox import Sandbox
from codeartifact_pipenv.sandbox.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WHEEL = "acme_alone-2.0-py3-none-any.whl"
MODULE = {"acme_alone/__init__.py": ""}


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """Return a folder with one private wheel, and another one that it needs."""
    folder = tmp_path / "packages"
    make_wheel(folder, "acme-alone", "2.0", requires=["acme-base"], modules=MODULE)
    make_wheel(folder, "acme-base", "1.0")
    return folder


@contextmanager
def behaving(packages: Path, base: dict[str, str], **chosen: Any) -> Iterator[tuple[Sandbox, Http]]:
    behaviour = Behaviour(**chosen)
    with Sandbox([packages], upstream=False, behaviour=behaviour, base=base) as sandbox:
        http = Http(sandbox)
        yield sandbox, http
        http.close()


# --- the switches themselves -------------------------------------------------------------


def test_words_choose_every_value() -> None:
    """Every value of every switch can be chosen by the word that the help shows for it."""
    for name, values in SWITCHES.items():
        for value in values:
            assert getattr(read_behaviour([f"{name}={spell(value)}"]), name) == value
    assert read_behaviour([]) == Behaviour()
    assert read_behaviour(["redirect=307", "redirect=none", "upload_time=yes"]) == Behaviour(
        upload_time=True
    )


@pytest.mark.parametrize(
    ("word", "says", "hint"),
    [
        ("redirects=302", "Unknown behaviour .redirects", "redirect, upload_time"),
        ("redirect", "redirect cannot be ", "none, 301, 302"),
        ("redirect=200", "redirect cannot be 200", "none, 301, 302"),
        ("redirect=", "redirect cannot be ", "none, 301, 302"),
        ("upload_time=True", "upload_time cannot be True", "no, yes"),
    ],
)
def test_unknown_behaviour_is_refused_with_the_choices(word: str, says: str, hint: str) -> None:
    with pytest.raises(SandboxError, match=says) as caught:
        read_behaviour([word])
    assert hint in caught.value.hint


# --- the package endpoint ----------------------------------------------------------------


@pytest.mark.parametrize("challenges", SWITCHES["challenges"])
def test_401_offers_the_chosen_logins_in_order(
    packages: Path, clean_base: dict[str, str], challenges: str
) -> None:
    with behaving(packages, clean_base, challenges=challenges) as (sandbox, http):
        answer = http(f"{sandbox.endpoint.simple_url}acme-alone/")
        kinds = [each.split()[0].lower() for each in answer.headers.getlist("WWW-Authenticate")]
        assert (answer.status, "-".join(kinds)) == (401, challenges)


@pytest.mark.parametrize("status", SWITCHES["read_denied"])
def test_denied_read_has_the_chosen_status(
    packages: Path, clean_base: dict[str, str], status: int
) -> None:
    with behaving(packages, clean_base, read_denied=status) as (sandbox, http):
        token, url = get_token(sandbox), sandbox.endpoint.simple_url
        sandbox.deny("codeartifact:ReadFromRepository")
        answer = http(f"{url}acme-alone/", token)
        assert (answer.status, "WWW-Authenticate" in answer.headers) == (status, status == 401)


def test_upload_time_is_served_only_if_chosen(packages: Path, clean_base: dict[str, str]) -> None:
    times = []
    for chosen in (False, True):
        with behaving(packages, clean_base, upload_time=chosen) as (sandbox, http):
            url = f"{sandbox.endpoint.simple_url}acme-alone/"
            (file,) = http(url, get_token(sandbox), headers={"Accept": JSON}).json()["files"]
            times.append(file.get("upload-time"))
    assert times[0] is None
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", times[1])


def test_read_limit_counts_each_token_separately(
    packages: Path, clean_base: dict[str, str]
) -> None:
    with behaving(packages, clean_base) as (sandbox, http):
        url = f"{sandbox.endpoint.simple_url}acme-alone/"
        tokens = [get_token(sandbox), get_token(sandbox)]
        sandbox.limit_reads(0, times=1)
        throttled = http(url, tokens[0])
        assert (throttled.status, "Retry-After" in throttled.headers) == (429, False)
        assert [http(url, given).status for given in (None, tokens[1])] == [401, 200]
        sandbox.heal()
        assert http(url, tokens[0]).status == 200


# --- clients, whatever AWS does ----------------------------------------------------------

READINGS = [
    f"{name}={spell(value)}"
    for name in ("challenges", "pages", "redirect", "upload_time", "metadata", "ranges")
    for value in SWITCHES[name][name != "challenges" :]
]


def install(program: str, sandbox: Sandbox, environ: dict[str, str], folder: Path) -> Result:
    """Install a private package and what it needs, with a token in the URL."""
    url = sandbox.endpoint.simple_url.replace("//", f"//aws:{get_token(sandbox)}@")
    words = [f"{SCRIPTS}/python", "-m", "pip"] if program == "pip" else [f"{SCRIPTS}/uv", "pip"]
    words += ["install", "--target", str(folder / program), "--index-url", url, "acme-alone"]
    environ = sandbox.environ(environ) | {"UV_CACHE_DIR": str(folder / "uv-cache")}
    return run(*words, env=environ | {"PIP_NO_CACHE_DIR": "1"}, cwd=folder)


@pytest.mark.wide
@pytest.mark.parametrize("program", ["pip", "uv"])
@pytest.mark.parametrize("reading", READINGS)
def test_installers_send_the_token_only_to_the_repository(
    packages: Path,
    clean_base: dict[str, str],
    clean_env: dict[str, str],
    tmp_path: Path,
    reading: str,
    program: str,
) -> None:
    behaviour = read_behaviour([reading])
    with Sandbox([packages], upstream=False, behaviour=behaviour, base=clean_base) as sandbox:
        done = install(program, sandbox, clean_env, tmp_path)
        assert done.status == 0, done.output
        assert (tmp_path / program / "acme_alone" / "__init__.py").is_file()
        assert (tmp_path / program / "acme_base-1.0.dist-info").is_dir()
        hosts = {r.host for r in sandbox.requests if r.sent and r.method in {"GET", "HEAD"}}
        assert hosts == {sandbox.endpoint.host}


@pytest.mark.wide
@pytest.mark.parametrize(
    ("reading", "route"),
    # (As written, it is pip that reads the pages, and pip has met each kind above.)
    [*((reading, "loopback") for reading in READINGS), ("redirect=307", "as-written")],
)
def test_pipenv_ca_locks_and_installs_under_each_behaviour(
    packages: Path,
    clean_base: dict[str, str],
    clean_env: dict[str, str],
    project: Path,
    reading: str,
    route: str,
) -> None:
    behaviour = read_behaviour([reading])
    with Sandbox([packages], upstream=False, behaviour=behaviour, base=clean_base) as sandbox:
        write_pipfile(project, source(sandbox.endpoint), '[packages]\nacme-alone = "*"\n')
        environ = sandbox.environ(clean_env)
        done = run(PIPENV_CA, "--ca-route", route, "install", env=environ, cwd=project)
        assert done.status == 0, done.output
        assert list(project.glob(".venv/lib/*/site-packages/acme_alone/__init__.py"))
        done = run(PIPENV_CA, "doctor", "--json", env=environ, cwd=project)
        found = [f for section in json.loads(done.stdout)["sections"] for f in section["findings"]]
        assert [each for each in found if each["level"] == "failure"] == []


def publish(
    program: str, sandbox: Sandbox, environ: dict[str, str], wheel: Path, password: str
) -> Result:
    """Upload a wheel as twine or uv does."""
    if program == "twine":
        words = ["upload", "--non-interactive", "--repository-url", sandbox.endpoint.url]
        prefix = "TWINE_"
    else:
        words = ["publish", "--publish-url", sandbox.endpoint.url]
        prefix = "UV_PUBLISH_"
    login = {f"{prefix}USERNAME": "aws", f"{prefix}PASSWORD": password}
    environ = sandbox.environ(environ) | login
    return run(SCRIPTS / program, *words, wheel, env=environ, cwd=wheel.parent)


@pytest.mark.wide
@pytest.mark.parametrize("program", ["twine", "uv"])
@pytest.mark.parametrize("challenges", SWITCHES["challenges"])
def test_uploads_work_under_each_challenge(
    packages: Path,
    clean_base: dict[str, str],
    clean_env: dict[str, str],
    tmp_path: Path,
    challenges: str,
    program: str,
) -> None:
    wheel = make_wheel(tmp_path / "dist", "acme-new", "1.0")
    with behaving(packages, clean_base, challenges=challenges) as (sandbox, _):
        done = publish(program, sandbox, clean_env, wheel, "eyJ-no-token")
        assert (done.status != 0, sandbox.is_published("acme-new")) == (True, False), done.output
        done = publish(program, sandbox, clean_env, wheel, get_token(sandbox))
        assert (done.status, sandbox.is_published("acme-new")) == (0, True), done.output


@pytest.mark.wide
@pytest.mark.parametrize("program", ["twine", "uv"])
def test_a_blocked_upload_fails(
    packages: Path,
    clean_base: dict[str, str],
    clean_env: dict[str, str],
    tmp_path: Path,
    program: str,
) -> None:
    """Twine and uv name the status of a blocked upload, after one try."""
    wheel = make_wheel(tmp_path / "dist", "acme-new", "1.0")
    with behaving(packages, clean_base) as (sandbox, _):
        sandbox.set_origin("acme-new", publish="BLOCK")
        done = publish(program, sandbox, clean_env, wheel, get_token(sandbox))
        assert done.status != 0
        assert "409" in done.output
        posts = [r.status for r in sandbox.requests if r.method == "POST" and r.name == "acme-new"]
        assert posts == [409]
        assert not sandbox.is_published("acme-new")


@pytest.mark.wide
@pytest.mark.parametrize("program", ["pip", "uv"])
@pytest.mark.parametrize("challenges", SWITCHES["challenges"])
def test_keyring_answers_each_challenge(
    packages: Path,
    clean_base: dict[str, str],
    clean_env: dict[str, str],
    tmp_path: Path,
    challenges: str,
    program: str,
) -> None:
    """Pip and uv install by the keyring's token alone, whichever logins a 401 asks for."""
    with behaving(packages, clean_base, challenges=challenges) as (sandbox, _):
        url = sandbox.endpoint.simple_url.replace("//", "//aws@")
        words = [f"{SCRIPTS}/python", "-m", "pip"] if program == "pip" else [f"{SCRIPTS}/uv", "pip"]
        # pip does not start the keyring command of the environment that it runs in.
        provider = "import" if program == "pip" else "subprocess"
        words += ["install", "--target", "there", "--keyring-provider", provider]
        environ = sandbox.environ(clean_env) | {"UV_CACHE_DIR": str(tmp_path / "uv-cache")}
        environ["PATH"] = f"{SCRIPTS}:{environ['PATH']}"
        done = run(*words, "--index-url", url, "acme-alone", env=environ, cwd=tmp_path)
        assert done.status == 0, done.output
        assert (tmp_path / "there" / "acme_base-1.0.dist-info").is_dir()


@pytest.mark.wide
def test_a_throttled_read_is_named(
    packages: Path, clean_base: dict[str, str], clean_env: dict[str, str], project: Path
) -> None:
    """pipenv-ca names the cause if a repository throttles every read."""
    with behaving(packages, clean_base) as (sandbox, _):
        write_pipfile(project, source(sandbox.endpoint), '[packages]\nacme-alone = "*"\n')
        sandbox.limit_reads(0)
        done = run(PIPENV_CA, "lock", env=sandbox.environ(clean_env), cwd=project)
        assert done.status != 0
        assert "[throttled]" in done.stderr, done.output
