"""Clients get, publish and run private packages, by keyring and by the variables of `env`."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from support.clients import (
    OURS,
    Drive,
    Place,
    client_environment,
    make_client_packages,
    write_application,
)
from support.programs import PIPENV_CA, run
from support.projects import source, write_pipfile
from support.runs import without_credentials
from support.traces import files_with

from codeartifact_pipenv.sandbox.behaviour import Behaviour
from codeartifact_pipenv.sandbox.hosts import asset_host
from codeartifact_pipenv.sandbox.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from _pytest.mark import ParameterSet
    from support.clients import Clients

# Where keyring is, and what tells a client to ask it.
INSIDE, ON_PATH = "keyring in its environment", "keyring on PATH"
USER, ALWAYS = ", aws@ in the URL", ', authenticate = "always"'
REDIRECT = "HTML, Bearer challenge, files by redirect"
HOSTS = {"": "ipv4", REDIRECT: "ipv4", "dual-stack host": "dualstack", "VPC endpoint": "vpce"}
# Further ways with the newest clients are in the guide: see test_clients_guide.py.
BUILT = "ls -d .venv/lib/*/*/orb_source-3.0.dist-info"
SCRIPTS = {
    "pip: install, build an sdist": (
        "env -u PIP_KEYRING_PROVIDER pip install --keyring-provider $PIP_KEYRING_PROVIDER"
        " --index-url {url} --prefix .venv orb-schema-generator==1.0.1;"
        f"PIP_INDEX_URL={{url}} pip install --prefix .venv orb-source; {BUILT}"
    ),
    "pipenv: install": "pipenv install",
    "uv: pip install": "uv venv -q; uv pip install orb-schema-generator==1.0.1",
    "uv: lock, sync, add": f"uv lock; uv sync --locked; uv add orb-source; {BUILT}",
    "poetry: lock, install, add": (
        "poetry -n lock; poetry -n install --no-root; poetry -n add orb-common==2.0.0"
    ),
    "pdm: lock, install, add": (
        "pdm -n lock; pdm -n install --no-self; pdm -n add --no-self orb-common"
    ),
    "hatch: environment by uv": "UV_DEFAULT_INDEX={url} hatch -e uv run true",
    "pipx: run": "pipx install --index-url {url} orb-tool; ~/.local/bin/orb-tool",
    "uv: tool install": "uv tool install --default-index {url} orb-tool; ~/.local/bin/orb-tool",
    "pdm: publish": "pdm -n publish --no-build --repository {upload}",
    "twine: upload": "twine upload --non-interactive --repository-url {upload} -u aws dist/*",
}
PIPS = ("pip==23.2.1", "pip==24.3.1", "pip==25.3")
INSTALLS = [
    # Until 26.2, pip asks the keyring command only where the URL names a user.
    *((pip, "install, build an sdist", INSIDE) for pip in PIPS),
    *((pip, "install, build an sdist", f"{ON_PATH}{USER}") for pip in PIPS),
    ("pip", "install, build an sdist", ON_PATH),
    ("uv", "lock, sync, add", f"{ON_PATH}{USER}"),
    ("uv", "pip install", f"{ON_PATH}{ALWAYS}"),
    ("pdm[locked]", "lock, install, add", ON_PATH),
    ("hatch uv", "environment by uv", f"{ON_PATH}{USER}"),
]
INSTALLS_FROM_EACH_HOST = [
    ("pip", "install, build an sdist", INSIDE),
    ("pipenv", "install", f"{ON_PATH}{USER}"),
    ("uv", "lock, sync, add", f"{ON_PATH}{ALWAYS}"),
    ("poetry", "lock, install, add", INSIDE),
    ("pdm[locked]", "lock, install, add", INSIDE),
]
PUBLISHES = [("pdm[locked]", "publish", ON_PATH), ("twine==6.2.0", "upload", INSIDE)]
RUNS = [
    ("pipx", "run", f"{ON_PATH}{USER}"),
    ("pipx uv", "run", f"{ON_PATH}{USER}"),
    ("uv", "tool install", f"{ON_PATH}{USER}"),
]


def cell(client: str, done: str, way: str, host: str = "") -> ParameterSet:
    """Return a way's parameters; CI tries the hosts that keyring tells apart with two clients."""
    words = (client, done, way, host)
    seldom = host not in {"", REDIRECT} and client not in {"pip", "uv"}
    mark = pytest.mark.matrix if seldom or client in PIPS[1:] else pytest.mark.wide
    return pytest.param(words, id=", ".join(filter(None, words)), marks=mark)


@pytest.fixture(scope="module")
def redirecting(
    tmp_path_factory: pytest.TempPathFactory, clean_base: dict[str, str]
) -> Iterator[Sandbox]:
    """A CodeArtifact with HTML pages, one challenge, and files on a host like S3."""
    packages = make_client_packages(tmp_path_factory.mktemp("packages"))
    other = Behaviour(pages="html", redirect=302, challenges="bearer")
    with Sandbox(packages, behaviour=other, base=clean_base) as running:
        yield running


@pytest.fixture
def played(
    request: pytest.FixtureRequest,
    clients: Clients,
    clean_env: dict[str, str],
    tmp_path: Path,
    project: Path,
) -> Drive:
    """Run a client's script in an application's folder; check what holds for every client."""
    client, done, way, host = request.param
    sandbox = request.getfixturevalue("redirecting" if host == REDIRECT else "workshop")
    env = client_environment(sandbox, clean_env, tmp_path / "tokens")
    drive = Drive(sandbox, env, project, request.getfixturevalue("record_property"), HOSTS[host])
    place = clients(*client.split(), *([OURS] if INSIDE in way else []))
    drive.path(*([clients("keyring", OURS)] if ON_PATH in way else []), place)
    drive.env |= {
        "PIP_KEYRING_PROVIDER": "import" if INSIDE in way else "subprocess",
        "PIP_NO_INPUT": "1",
        "POETRY_VIRTUALENVS_IN_PROJECT": "true",
        "UV_KEYRING_PROVIDER": "subprocess",
    }
    url = drive.aws_url if USER in way else drive.url
    write_application(drive, application(request), url)
    name = re.split(r"[ =[]", client)[0]
    row = (name, place.version(name), ", ".join(filter(None, (way, host))), done)
    with drive.checked(*row):
        script = SCRIPTS[f"{name}: {done}"].format(url=url, upload=drive.endpoint.url)
        drive.run("bash", "-euc", script)
    return drive


def application(request: pytest.FixtureRequest) -> str:
    """Return the name of a test's application, which only this test publishes."""
    return "orb-" + re.sub(r"\W+", "-", request.node.callspec.id).strip("-").lower()


@pytest.mark.parametrize(
    "played",
    [cell(*row) for row in INSTALLS]
    + [cell(*row, host) for row in INSTALLS_FROM_EACH_HOST for host in HOSTS],
    indirect=True,
)
def test_client_installs_private_packages_without_sending_the_token_to_s3(played: Drive) -> None:
    venv = Place(played.folder / ".venv")
    assert (venv.version("orb_schema_generator"), venv.version("orb_common")) == ("1.0.1", "2.0.0")
    s3 = asset_host(played.endpoint.domain.region)
    sent = [record.sent for record in played.sandbox.requests if record.host == s3]
    assert set(sent) == ({None} if played.sandbox.endpoint.domain.name == "demo" else set())


@pytest.mark.parametrize("played", [cell(*row) for row in PUBLISHES], indirect=True)
def test_client_publishes_a_wheel_and_an_sdist(
    played: Drive, request: pytest.FixtureRequest
) -> None:
    assert played.sandbox.is_published(application(request))


@pytest.mark.parametrize("played", [cell(*row) for row in RUNS], indirect=True)
def test_client_runs_a_private_program(played: Drive) -> None:
    assert played.results[-1].stdout.endswith("orbs are well\n")


WIDE, MATRIX = pytest.mark.wide, pytest.mark.matrix
PIPENVS = {"==2023.12.1": WIDE, "": WIDE, "==2024.4.1": MATRIX, "==2025.1.3": MATRIX}


@pytest.mark.parametrize("provider", ["import", "subprocess"])
@pytest.mark.parametrize("version", [pytest.param(each, marks=PIPENVS[each]) for each in PIPENVS])
def test_pipenv_of_any_age_locks_and_syncs_by_keyring_without_our_wrapper(
    version: str, provider: str, clients: Clients, drive: Drive
) -> None:
    pipenv = clients(f"pipenv{version}", "setuptools<81")
    is_inside = provider == "import"
    venv = clients.make_venv(drive.folder / ".venv", *([OURS] if is_inside else []))
    drive.path(*([] if is_inside else [clients("keyring", OURS)]))
    user = "aws@" if version and not is_inside else ""  # an old pipenv has an old pip
    packages = '[packages]\norb-schema-generator = "==1.0.1"\n'
    write_pipfile(drive.folder, source(drive.endpoint, userinfo=user), packages)
    drive.env["PIP_KEYRING_PROVIDER"] = provider
    way = f"{INSIDE if is_inside else ON_PATH}{USER if user else ''}, {provider}"
    with drive.checked("pipenv", pipenv.version("pipenv"), way, "lock, sync"):
        drive.run(pipenv.bin / "pipenv", "lock")
        drive.run(pipenv.bin / "pipenv", "sync")
    assert (drive.folder / "Pipfile.lock").exists()
    assert (venv.version("orb_schema_generator"), venv.version("orb_common")) == ("1.0.1", "2.0.0")


BY_ENV = {
    "poetry": "poetry -n lock; poetry -n install --no-root; poetry -n publish -r codeartifact",
    "pdm[locked]": "pdm -n lock; pdm -n install --no-self; pdm -n publish --no-build",
    "hatch": "hatch -e pip run true; hatch publish --no-prompt dist/*",
}


@pytest.mark.wide
@pytest.mark.parametrize("client", BY_ENV)
def test_client_installs_and_publishes_with_the_variables_of_env(
    client: str, clients: Clients, drive: Drive
) -> None:
    """It needs neither keyring nor AWS credentials."""
    name = f"orb-with-env-by-{client.partition('[')[0]}"
    # Only pdm reads the token from a variable in the URL.
    user = "aws:${OUR_TOKEN}@" if "pdm" in client else ""
    write_application(drive, name, drive.url.replace("https://", f"https://{user}"))
    done = run(PIPENV_CA, "env", "--shell", "json", drive.url, env=drive.env, cwd=drive.folder)
    assert done.status == 0, done.output
    variables = json.loads(done.stdout)
    drive.env = without_credentials(drive.env) | variables
    drive.env["POETRY_VIRTUALENVS_IN_PROJECT"] = "true"
    drive.env["PYTHON_KEYRING_BACKEND"] = "keyring.backends.null.Keyring"
    if client == "hatch":
        drive.lead_into_the_sandbox()  # its publish ignores proxies: pypa/hatch#1908
    drive.path(clients(client))
    drive.run("bash", "-euc", BY_ENV[client])
    assert Place(drive.folder / ".venv").version("orb_schema_generator") == "1.0.1"
    assert drive.sandbox.is_published(name)
    assert files_with(variables["CODEARTIFACT_AUTH_TOKEN"], [drive.folder]) == []
