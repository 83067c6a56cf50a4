"""`env`: shells, programs and CI jobs get what every tool needs, and real tools work with it."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.programs import PIPENV_CA, SCRIPTS, Result, run
from support.projects import PYPI_SOURCE, source, write_pipfile
from support.runs import get_token
from support.traces import files_with

from codeartifact_pipenv.clients.show_environment import SHELLS
from codeartifact_pipenv.sandbox.wheels import make_wheel

if TYPE_CHECKING:
    from pathlib import Path

    from support.sandbox import FakePublicIndex

    from codeartifact_pipenv.endpoint import RepositoryEndpoint
    from codeartifact_pipenv.sandbox.sandbox import Sandbox

WIDE = pytest.mark.wide
PACKAGES = '[packages]\norb-schema-generator = "*"\n'
PROJECT = '[project]\nname = "x"\nversion = "1"\nrequires-python = ">=3.10"\ndependencies = ["orb-common"]\n'


class Tools:
    """A project, and programs that run in it."""

    def __init__(self, endpoint: RepositoryEndpoint, env: dict[str, str], folder: Path) -> None:
        self.endpoint = endpoint
        self.env = env | {"PATH": f"{SCRIPTS}:{env['PATH']}"}
        self.folder = folder
        self.write_pipfile(source(endpoint))

    def write_pipfile(self, *sources: str) -> None:
        write_pipfile(self.folder, *sources, PACKAGES)

    def write_pyproject(self, text: str) -> None:
        (self.folder / "pyproject.toml").write_text(text, encoding="utf-8")

    def __call__(self, *words: str, **env: str) -> Result:
        return run(PIPENV_CA, "env", *words, env=self.env | env, cwd=self.folder)

    def variables(self, says: str = "") -> dict[str, str]:
        done = self("--shell=json")
        assert done.status == 0, done.output
        assert says in done.stderr
        found: dict[str, str] = json.loads(done.stdout)
        return found

    def uv_lock(self, variables: dict[str, str]) -> Result:
        words = ("uv", "lock", "-q", "--no-python-downloads")
        return run(*words, env=self.env | variables, cwd=self.folder)

    def shell(self, script: str) -> str:
        """Run a script without AWS in a shell that has taken the variables, as the help says."""
        without_aws = "unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY; export PIPENV_CA_NO_CACHE=1"
        text = f'eval "$(pipenv-ca env)"\n{without_aws}\n{script}'
        done = run("sh", "-euc", text, env=self.env, cwd=self.folder)
        assert done.status == 0, done.output
        return done.stdout

    def check_refused(self, says: str, *words: str) -> None:
        done = self(*words)
        assert (done.status, done.stdout) == (2, "")
        assert done.stderr.startswith("error: ")
        assert says in done.stderr


@pytest.fixture
def tools(sandbox: Sandbox, sandbox_env: dict[str, str], project: Path) -> Tools:
    return Tools(sandbox.endpoint, sandbox_env, project)


@pytest.mark.shows_token("files")
@WIDE
def test_pipenv_and_pipenv_ca_lock_and_install_without_aws(tools: Tools) -> None:
    tools.shell("pipenv lock && pipenv sync")
    lock = json.loads((tools.folder / "Pipfile.lock").read_text())
    assert lock["default"]["orb-schema-generator"]["version"] == "==1.1.0"
    tools.write_pipfile(PYPI_SOURCE, source(tools.endpoint))
    tools.shell("pipenv-ca lock && pipenv-ca sync")
    assert "Version: 2.0.0" in tools.shell("pipenv-ca run pip show orb-common")


@WIDE
def test_pip_uv_and_twine_install_and_publish_with_the_variables(
    sandbox: Sandbox, tools: Tools
) -> None:
    tools.env["PYTHON_KEYRING_BACKEND"] = "keyring.backends.null.Keyring"
    for pip in ("uv pip", "python -m pip"):
        tools.shell(f"{pip} install -q --target '{pip}' --no-deps orb-common")
        assert (tools.folder / pip / "orb_common").is_dir()
    for program in ("twine upload --non-interactive", "uv publish -q"):
        name = f"acme-by-{program.partition(' ')[0]}"
        wheel = make_wheel(tools.folder / "dist", name, f"1.{time.time_ns()}")
        tools.shell(f"{program} '{wheel}'")
        assert sandbox.is_published(name)


def uv_index(name: str, url: str) -> str:
    return f'[[tool.uv.index]]\nname = "{name}"\nurl = "{url}"\n'


@WIDE
def test_uv_index_gets_the_login_under_its_name(tools: Tools) -> None:
    url = tools.endpoint.simple_url
    tools.write_pyproject(f"{PROJECT}{uv_index('in-house.1', url)}default = true\n")
    below = tools.folder / "below"
    below.mkdir()
    done = run(PIPENV_CA, "env", "--shell=json", url, env=tools.env, cwd=below)
    variables = json.loads(done.stdout)
    assert variables["UV_INDEX_IN_HOUSE_1_USERNAME"] == "aws"
    assert "UV_DEFAULT_INDEX" not in variables
    done = tools.uv_lock(variables)
    assert done.status == 0, done.output
    assert "orb-common" in (tools.folder / "uv.lock").read_text()
    assert files_with(variables["CODEARTIFACT_AUTH_TOKEN"], [tools.folder]) == []


@WIDE
@pytest.mark.parametrize(("file", "name"), [("here", "IN.house"), ("above", "in_house")])
def test_uv_sends_no_token_to_an_index_of_another_host_with_the_same_name(
    file: str, name: str, tools: Tools, public: FakePublicIndex
) -> None:
    public.pages["/simple/orb-common/"] = (401, "text/plain", b"")
    text = f"{PROJECT}{uv_index(name, public.url)}"
    tools.write_pyproject(text)
    if file == "above":
        tools.write_pyproject(f"{text}[tool.uv.workspace]\nmembers = ['member']\n")
        tools.folder /= "member"
        tools.folder.mkdir()
        tools.write_pyproject(PROJECT.replace('"x"', '"y"'))
    tools.write_pipfile(source(tools.endpoint, name="in-house"))
    variables = tools.variables("UV_INDEX_IN_HOUSE_... is not set. Give one of the indexes another")
    assert not [name for name in variables if name.startswith("UV_INDEX_")]
    locked = tools.uv_lock(variables)
    assert public.asked, locked.output
    assert {login for _, login in public.asked} == {None}


def test_poetry_gets_no_login_for_a_source_of_another_host_with_the_same_name(
    tools: Tools,
) -> None:
    tools.write_pipfile(source(tools.endpoint, name="in-house"))
    table = '[[tool.poetry.source]]\nname = "In.House"\nurl = "http://pypi.example/simple"\n'
    tools.write_pyproject(table)
    variables = tools.variables("POETRY_HTTP_BASIC_IN_HOUSE_... is not set.")
    assert not [name for name in variables if name.startswith("POETRY_")]


ELSEWHERE = "would send the token in {} to a URL that is not CodeArtifact's"


@WIDE
@pytest.mark.parametrize(
    ("tool", "variable"),
    [
        ("uv.index", "CODEARTIFACT_AUTH_TOKEN"),
        ("poetry.source", "OUR_TOKEN"),
        ("pdm.source", "TWINE_PASSWORD"),
    ],
)
def test_token_variable_in_the_url_of_another_host_is_refused(
    tool: str, variable: str, tools: Tools
) -> None:
    tools.write_pipfile(source(tools.endpoint, "aws:${OUR_TOKEN}@"))
    url = f"http://aws:${{{variable}}}@pypi.example/simple"
    tools.write_pyproject(f'[[tool.{tool}]]\nname = "x"\nurl = "{url}"\n')
    tools.check_refused(ELSEWHERE.format(variable))


def test_source_on_another_host_gets_no_token_by_another_variable(tools: Tools) -> None:
    other = '[[source]]\nname = "x"\nurl = "http://aws:${TWINE_PASSWORD}@pypi.example/simple"\n'
    tools.write_pipfile(source(tools.endpoint), other)
    tools.check_refused(ELSEWHERE.format("TWINE_PASSWORD")[:49])


def test_each_variable_gets_the_token_of_its_domain(sandbox: Sandbox, tools: Tools) -> None:
    other = sandbox.add_repository("two", domain="env-other")
    one = source(tools.endpoint, "aws:${ONE_TOKEN}@", name="one")
    tools.write_pipfile(one, source(other, "aws:${TWO_TOKEN}@", name="two"))
    variables = tools.variables()
    assert variables["ONE_TOKEN"] != variables["TWO_TOKEN"]
    assert "CODEARTIFACT_AUTH_TOKEN" not in variables
    assert variables["UV_INDEX_TWO_PASSWORD"] == variables["TWO_TOKEN"]
    for at, name, status in ((tools.endpoint, "ONE_TOKEN", "200"), (other, "TWO_TOKEN", "404")):
        words = ("curl", "-s", "-o", "out", "-w", "%{http_code}", "-u", f"aws:{variables[name]}")
        page = f"{at.simple_url}orb-common/"
        assert run(*words, page, env=tools.env, cwd=tools.folder).stdout == status


@pytest.mark.shows_token("files")
def test_github_actions_gets_the_variables_and_hides_the_token(
    sandbox: Sandbox, tools: Tools
) -> None:
    file = tools.folder / "github env"
    file.write_text("MINE=1\n")
    tools.check_refused("GITHUB_ENV is not set", "--shell=github")
    tools.env |= {"GITHUB_ENV": str(file), "GITHUB_ACTIONS": "true"}
    token = get_token(sandbox, tools.env, tools.folder)
    assert tools("--shell=github").stdout == f"::add-mask::{token}\n"
    lines = dict(line.split("=", 1) for line in file.read_text().splitlines())
    assert lines["MINE"] == "1"
    assert lines["CODEARTIFACT_AUTH_TOKEN"] == lines["TWINE_PASSWORD"] == token
    odd = tools("--shell=github", CODEARTIFACT_AUTH_TOKEN=f"{token}%0A")
    assert odd.stdout == f"::add-mask::{token}%250A\n"


EVIL = "aws:${X; touch ran; Y}@"


@pytest.mark.parametrize("file", ["pyproject.toml", "Pipfile"])
def test_variables_that_a_shell_would_run_are_refused(file: str, tools: Tools) -> None:
    if file == "Pipfile":
        tools.write_pipfile(source(tools.endpoint, EVIL))
    else:
        url = tools.endpoint.simple_url.replace("://", f"://{EVIL}")
        tools.write_pyproject(uv_index("c", url))
    tools.check_refused("is not a valid name of a variable")


def test_names_of_a_project_are_never_run_by_a_shell(tools: Tools) -> None:
    tools.write_pipfile(source(tools.endpoint, name="a; touch ran; b"))
    uv = uv_index("c$(touch ran)", tools.endpoint.simple_url)
    tools.write_pyproject(uv + uv.replace("uv.index", "poetry.source"))
    tools.shell('test -n "$UV_INDEX_C__TOUCH_RAN__PASSWORD"')
    assert not (tools.folder / "ran").exists()


@WIDE
@pytest.mark.parametrize("name", ["PIP_USER_AGENT_USER_DATA", "PATH"])
def test_index_name_never_sets_a_variable_that_programs_follow(name: str, tools: Tools) -> None:
    url = tools.endpoint.simple_url.replace("://", f"://aws:${{{name}}}@")
    tools.write_pyproject(uv_index("c", url).replace("uv.index", "pdm.source"))
    tools.check_refused(f"wants the token in {name!r}, which is not the name of a secret.")


def test_invalid_pyproject_does_not_stop_the_output(tools: Tools) -> None:
    tools.write_pyproject("[tool\n")
    done = tools(tools.endpoint.url)
    assert done.status == 0
    assert "export PIP_INDEX_URL=" in done.stdout


texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


@pytest.mark.parametrize("shell", ["sh", "fish"])
@given(value=texts)
def test_shell_gets_the_exact_value(shell: str, value: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    script = SHELLS[shell]({"NAME": value})
    words = [shell, "-c", f'{script}printf %s "$NAME"']
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
