"""`env`: shells, programs and CI jobs get what every tool needs, and real tools work with it."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.files import files_with
from support.programs import PIPENV_CA, SCRIPTS, run
from support.projects import PYPI_SOURCE, source, write_pipfile
from support.runs import get_token

from codeartifact_pipenv.clients.show_environment import SHELLS
from codeartifact_pipenv.sandbox.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from codeartifact_pipenv.sandbox.sandbox import Sandbox

PACKAGES = '[packages]\norb-schema-generator = "*"\n'


@pytest.fixture
def env(sandbox_env: dict[str, str]) -> dict[str, str]:
    """Return the sandbox's environment with the programs of this one on the PATH."""
    return sandbox_env | {"PATH": f"{SCRIPTS}:{sandbox_env['PATH']}"}


class Listener(NamedTuple):
    """An index on another host, over plain HTTP.

    Attributes:
        url: of the index.
        asked: what each request sent as credentials.
    """

    url: str
    asked: list[str | None]


@pytest.fixture
def listener() -> Iterator[Listener]:
    asked: list[str | None] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.headers["Authorization"])
            self.send_response(200 if asked[-1] else 401)
            self.send_header("WWW-Authenticate", 'Basic realm="x"')
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_words: object) -> None:
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield Listener(f"http://127.0.0.1:{server.server_port}/simple", asked)
        server.shutdown()
        thread.join()


def shell(script: str, env: dict[str, str], folder: Path) -> str:
    """Run a script in a shell that has taken the variables, as the help says."""
    done = run("sh", "-euc", f'eval "$(pipenv-ca env)"\n{script}', env=env, cwd=folder)
    assert done.status == 0, done.output
    return done.stdout


def without_aws(script: str) -> str:
    """Return a script for which there is no AWS any more."""
    return f"unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY; export PIPENV_CA_NO_CACHE=1\n{script}"


@pytest.mark.shows_token("files")
@pytest.mark.wide
def test_pipenv_and_pipenv_ca_lock_and_install_without_aws(
    sandbox: Sandbox, env: dict[str, str], project: Path
) -> None:
    write_pipfile(project, source(sandbox.endpoint), PACKAGES)
    shell(without_aws("pipenv lock && pipenv sync"), env, project)
    lock = json.loads((project / "Pipfile.lock").read_text())
    assert lock["default"]["orb-schema-generator"]["version"] == "==1.1.0"
    write_pipfile(project, PYPI_SOURCE, source(sandbox.endpoint), PACKAGES)
    shell(without_aws("pipenv-ca lock && pipenv-ca sync"), env, project)
    said = shell(without_aws("pipenv-ca run pip show orb-common"), env, project)
    assert "Version: 2.0.0" in said


@pytest.mark.wide
def test_uv_and_pip_install_a_private_package(
    sandbox: Sandbox, env: dict[str, str], project: Path
) -> None:
    write_pipfile(project, source(sandbox.endpoint), PACKAGES)
    words = "install -q --target {} --no-deps orb-common"
    pip = f"python -m pip {words.format('by-pip')}"
    shell(without_aws(f"uv pip {words.format('by-uv')}\n{pip}"), env, project)
    assert (project / "by-uv" / "orb_common").is_dir()
    assert (project / "by-pip" / "orb_common").is_dir()


@pytest.mark.wide
def test_twine_and_uv_publish_with_the_variables(
    sandbox: Sandbox, env: dict[str, str], project: Path
) -> None:
    write_pipfile(project, source(sandbox.endpoint), PACKAGES)
    stamp = time.time_ns()
    one = make_wheel(project / "dist", "acme-by-twine", f"1.{stamp}")
    other = make_wheel(project / "dist", "acme-by-uv", f"1.{stamp}")
    nothing = env | {"PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"}
    script = f"twine upload --non-interactive '{one}'\nuv publish -q '{other}'"
    shell(without_aws(script), nothing, project)
    assert sandbox.is_published("acme-by-twine")
    assert sandbox.is_published("acme-by-uv")


@pytest.mark.wide
def test_uv_index_gets_the_login_under_its_name(
    sandbox: Sandbox, env: dict[str, str], project: Path
) -> None:
    url = sandbox.endpoint.simple_url
    (project / "pyproject.toml").write_text(
        '[project]\nname = "x"\nversion = "1"\nrequires-python = ">=3.10"\n'
        'dependencies = ["orb-common"]\n'
        f'[[tool.uv.index]]\nname = "in-house.1"\nurl = "{url}"\ndefault = true\n'
    )
    below = project / "below"
    below.mkdir()
    done = run(PIPENV_CA, "env", "--shell", "json", url, env=env, cwd=below)
    variables = json.loads(done.stdout)
    assert variables["UV_INDEX_IN_HOUSE_1_USERNAME"] == "aws"
    assert "UV_DEFAULT_INDEX" not in variables
    words = ("uv", "lock", "-q", "--no-python-downloads")
    done = run(*words, env=env | variables, cwd=project)
    assert done.status == 0, done.output
    assert "orb-common" in (project / "uv.lock").read_text()
    assert files_with(variables["CODEARTIFACT_AUTH_TOKEN"], [project]) == []


FOREIGN = """\
[project]
name = "x"
version = "1"
requires-python = ">=3.10"
dependencies = ["orb-common"]
[[tool.uv.index]]
name = "{name}"
url = "{url}"
"""


@pytest.mark.wide
@pytest.mark.parametrize(
    ("file", "name"), [("here", "in-house"), ("here", "IN.house"), ("above", "in_house")]
)
def test_another_hosts_index_gets_no_token(
    file: str, name: str, sandbox: Sandbox, env: dict[str, str], project: Path, listener: Listener
) -> None:
    """Uv sends no token to an index on another host that has the same name to uv."""
    write_pipfile(project, source(sandbox.endpoint, name="in-house"), PACKAGES)
    text = FOREIGN.format(name=name, url=listener.url)
    (project / "pyproject.toml").write_text(text)
    folder = project
    if file == "above":
        folder = project / "member"
        folder.mkdir()
        (folder / "pyproject.toml").write_text(text.partition("[[")[0].replace('"x"', '"y"'))
        write_pipfile(folder, source(sandbox.endpoint, name="in-house"), PACKAGES)
        (project / "pyproject.toml").write_text(
            f"{text}[tool.uv.workspace]\nmembers = ['member']\n"
        )
    done = run(PIPENV_CA, "env", "--shell", "json", env=env, cwd=folder)
    assert done.status == 0, done.output
    variables = json.loads(done.stdout)
    locked = run("uv", "lock", "-q", "--no-python-downloads", env=env | variables, cwd=folder)
    assert listener.asked, locked.output
    assert not [sent for sent in listener.asked if sent]
    assert "UV_INDEX_IN_HOUSE_... is not set. Give one of the indexes another name." in done.stderr
    assert not [name for name in variables if name.startswith("UV_INDEX_")]


def test_another_hosts_source_of_poetry(
    sandbox: Sandbox, env: dict[str, str], project: Path
) -> None:
    """Poetry gets no login under a name that a source on another host has."""
    write_pipfile(project, source(sandbox.endpoint, name="in-house"), PACKAGES)
    table = '[[tool.poetry.source]]\nname = "In.House"\nurl = "http://pypi.example/simple"\n'
    (project / "pyproject.toml").write_text(table)
    done = run(PIPENV_CA, "env", "--shell", "json", env=env, cwd=project)
    assert not [name for name in json.loads(done.stdout) if name.startswith("POETRY_")]
    assert "POETRY_HTTP_BASIC_IN_HOUSE_... is not set." in done.stderr


@pytest.mark.wide
@pytest.mark.parametrize("tool", ["uv.index", "poetry.source", "pdm.source"])
@pytest.mark.parametrize("variable", ["CODEARTIFACT_AUTH_TOKEN", "OUR_TOKEN", "TWINE_PASSWORD"])
def test_token_variable_in_the_url_of_another_host_is_refused(
    tool: str, variable: str, sandbox: Sandbox, env: dict[str, str], project: Path
) -> None:
    write_pipfile(project, source(sandbox.endpoint, "aws:${OUR_TOKEN}@"), PACKAGES)
    (project / "pyproject.toml").write_text(
        f'[[tool.{tool}]]\nname = "x"\nurl = "http://aws:${{{variable}}}@pypi.example/simple"\n'
    )
    done = run(PIPENV_CA, "env", env=env, cwd=project)
    assert (done.status, done.stdout) == (2, "")
    assert f"would send the token in {variable} to a URL that is not CodeArtifact's" in done.stderr


def test_source_on_another_host_gets_no_token_by_another_variable(
    sandbox: Sandbox, env: dict[str, str], project: Path
) -> None:
    write_pipfile(
        project,
        source(sandbox.endpoint),
        '[[source]]\nname = "x"\nurl = "http://aws:${TWINE_PASSWORD}@pypi.example/simple"\n',
        PACKAGES,
    )
    done = run(PIPENV_CA, "env", env=env, cwd=project)
    assert (done.status, done.stdout) == (2, "")
    assert "would send the token in TWINE_PASSWORD to a URL" in done.stderr


def test_each_variable_gets_the_token_of_its_domain(
    env: dict[str, str], sandbox: Sandbox, project: Path
) -> None:
    other = sandbox.add_repository("two", domain="env-other")
    write_pipfile(
        project,
        source(sandbox.endpoint, "aws:${ONE_TOKEN}@", name="one"),
        source(other, "aws:${TWO_TOKEN}@", name="two"),
        PACKAGES,
    )
    variables = json.loads(run(PIPENV_CA, "env", "--shell=json", env=env, cwd=project).stdout)
    assert variables["ONE_TOKEN"] != variables["TWO_TOKEN"]
    assert "CODEARTIFACT_AUTH_TOKEN" not in variables
    assert variables["UV_INDEX_TWO_PASSWORD"] == variables["TWO_TOKEN"]
    for at, token, status in ((sandbox.endpoint, "ONE_TOKEN", "200"), (other, "TWO_TOKEN", "404")):
        page = f"{at.simple_url}orb-common/"
        words = ("curl", "-s", "-o", "out", "-w", "%{http_code}", "-u", f"aws:{variables[token]}")
        assert run(*words, page, env=env, cwd=project).stdout == status


@pytest.mark.shows_token("files")
def test_github_actions_gets_the_variables_and_hides_the_token(
    sandbox: Sandbox, env: dict[str, str], project: Path
) -> None:
    file = project / "github env"
    file.write_text("MINE=1\n")
    inside = env | {"GITHUB_ENV": str(file), "GITHUB_ACTIONS": "true"}
    words = (PIPENV_CA, "env", "--shell", "github", sandbox.endpoint.url)
    done = run(*words, env=inside, cwd=project)
    token = get_token(sandbox, env, project)
    assert done.stdout == f"::add-mask::{token}\n"
    lines = dict(line.split("=", 1) for line in file.read_text().splitlines())
    assert lines["MINE"] == "1"
    assert lines["CODEARTIFACT_AUTH_TOKEN"] == lines["TWINE_PASSWORD"] == token
    odd = run(*words, env=inside | {"CODEARTIFACT_AUTH_TOKEN": f"{token}%0A"}, cwd=project)
    assert odd.stdout == f"::add-mask::{token}%250A\n"
    outside = run(*words, env=env, cwd=project)
    assert outside.status == 2
    assert "GITHUB_ENV is not set" in outside.stderr
    assert outside.stdout == ""


def test_error_prints_nothing_on_stdout(env: dict[str, str], project: Path) -> None:
    for words in ((), ("https://pypi.example/simple/",), ("--domain", "my-dom")):
        done = run(PIPENV_CA, "env", *words, env=env, cwd=project)
        assert (done.status, done.stdout) == (2, "")
        assert done.stderr.startswith("error: ")


def test_names_of_a_project_are_never_run_by_a_shell(
    sandbox: Sandbox, env: dict[str, str], project: Path
) -> None:
    write_pipfile(project, source(sandbox.endpoint, "aws:${X; touch ran; Y}@"), PACKAGES)
    done = run(PIPENV_CA, "env", env=env, cwd=project)
    assert (done.status, done.stdout) == (2, "")
    assert "is not a valid name of a variable" in done.stderr
    write_pipfile(project, source(sandbox.endpoint, name="a; touch ran; b"), PACKAGES)
    url = sandbox.endpoint.simple_url.replace("://", "://aws:${X; touch ran; Y}@")
    table = f'[[tool.uv.index]]\nname = "c"\nurl = "{url}"\n'
    (project / "pyproject.toml").write_text(table, encoding="utf-8")
    done = run(PIPENV_CA, "env", env=env, cwd=project)
    assert (done.status, done.stdout) == (2, "")
    assert "is not a valid name of a variable" in done.stderr
    index = f'name = "c$(touch ran)"\nurl = "{sandbox.endpoint.simple_url}"\n'
    (project / "pyproject.toml").write_text(
        f"[[tool.uv.index]]\n{index}[[tool.poetry.source]]\n{index}", encoding="utf-8"
    )
    shell('test -n "$UV_INDEX_C__TOUCH_RAN__PASSWORD"', env, project)
    assert not (project / "ran").exists()


@pytest.mark.wide
@pytest.mark.parametrize("name", ["PIP_USER_AGENT_USER_DATA", "PATH", "LD_PRELOAD"])
def test_index_name_never_sets_a_variable_that_programs_follow(
    name: str, sandbox: Sandbox, env: dict[str, str], project: Path
) -> None:
    write_pipfile(project, source(sandbox.endpoint), PACKAGES)
    url = sandbox.endpoint.simple_url.replace("://", f"://aws:${{{name}}}@")
    table = f'[[tool.pdm.source]]\nname = "c"\nurl = "{url}"\n'
    (project / "pyproject.toml").write_text(table, encoding="utf-8")
    done = run(PIPENV_CA, "env", env=env, cwd=project)
    assert (done.status, done.stdout) == (2, "")
    assert f"wants the token in {name!r}, which is not the name of a secret." in done.stderr


def test_invalid_pyproject_does_not_stop_the_output(
    sandbox: Sandbox, env: dict[str, str], project: Path
) -> None:
    (project / "pyproject.toml").write_text("[tool\n")
    done = run(PIPENV_CA, "env", sandbox.endpoint.url, env=env, cwd=project)
    assert done.status == 0
    assert "export PIP_INDEX_URL=" in done.stdout


texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


@given(texts)
def test_sh_gets_the_exact_value(value: str) -> None:
    script = SHELLS["sh"]({"NAME": value})
    words = ["sh", "-c", f'{script}printf %s "$NAME"']
    out = subprocess.run(words, capture_output=True, check=True).stdout
    assert out == value.encode()


@pytest.mark.skipif(shutil.which("fish") is None, reason="there is no fish")
@given(texts)
def test_fish_gets_the_exact_value(value: str) -> None:
    script = SHELLS["fish"]({"NAME": value})
    words = ["fish", "-c", f'{script}printf %s "$NAME"']
    assert subprocess.run(words, capture_output=True, check=True).stdout == value.encode()


@given(st.text("a'\\$`\u2019\u2018 \""))
def test_lines_for_fish_and_powershell_quote_the_value(value: str) -> None:
    (fish,) = SHELLS["fish"]({"N": value}).splitlines()
    inner = fish.removeprefix("set -gx N '").removesuffix("';")
    assert inner.replace("\\\\", "\0").replace("\\'", "'").replace("\0", "\\") == value
    (power,) = SHELLS["powershell"]({"N": value}).splitlines()
    inner = power.removeprefix("$Env:N = '").removesuffix("';")
    for quote in "'\u2018\u2019":
        assert inner.count(quote) == 2 * value.count(quote)
        inner = inner.replace(quote * 2, quote)
    assert inner == value
