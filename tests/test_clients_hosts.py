"""The clients on the other hosts that CodeArtifact has, and with files by redirect from S3."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support import make_private_packages, source, write_pipfile
from support_clients import OURS, Drive, client_environment, driven

from codeartifact_pipenv.sandbox.hosts import asset_host, endpoint_for
from codeartifact_pipenv.sandbox.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support_clients import Clients, Place

pytestmark = pytest.mark.wide

REDIRECT, DUALSTACK, VPCE = "HTML, files by redirect", "dual-stack host", "VPC endpoint"
KINDS = {REDIRECT: "ipv4", DUALSTACK: "dualstack", VPCE: "vpce"}
PROJECT = '[project]\nname = "app"\nversion = "0"\nrequires-python = ">=3.10"\n'


@pytest.fixture(scope="module")
def redirecting(
    tmp_path_factory: pytest.TempPathFactory, clean_base: dict[str, str]
) -> Iterator[Sandbox]:
    """A CodeArtifact as it may well be: pages in HTML alone, files on a host like S3."""
    folder = tmp_path_factory.mktemp("packages")
    make_private_packages(folder)
    with Sandbox([folder], html_only=True, redirect_downloads=True, base=clean_base) as running:
        yield running


@pytest.fixture(params=list(KINDS))
def where(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def led(
    where: str, sandbox: Sandbox, redirecting: Sandbox, sandbox_env: dict[str, str], project: Path
) -> Drive:
    """Return a project folder whose repository is at one of the hosts; keyring is not on PATH."""
    running = redirecting if where == REDIRECT else sandbox
    env = client_environment(running.environ(sandbox_env))
    env["PIPENV_CA_CACHE_DIR"] = sandbox_env["PIPENV_CA_CACHE_DIR"]
    default = running.endpoint
    endpoint = endpoint_for(default.domain, str(default.repository), KINDS[where])
    return Drive(running, env, project, endpoint)


def by_pip(drive: Drive, clients: Clients) -> Place:
    """Install by pip, which asks the keyring beside it."""
    venv = clients.make_venv(drive.folder / ".venv", "pip", OURS)
    words = ("install", "--keyring-provider", "import", "--index-url", drive.url)
    drive.run(venv.python, "-m", "pip", *words, "orb-schema-generator==1.0.1")
    return venv


def by_pipenv(drive: Drive, clients: Clients) -> Place:
    """Install by pipenv, which asks the keyring on PATH."""
    drive.path(clients("keyring", OURS), clients("pipenv"))
    drive.env["PIP_KEYRING_PROVIDER"] = "subprocess"
    venv = clients.make_venv(drive.folder / ".venv")
    packages = '[packages]\norb-schema-generator = "==1.0.1"\n'
    write_pipfile(drive.folder, source(drive.endpoint, userinfo="aws@"), packages)
    drive.run("pipenv", "install")
    return venv


def by_uv(drive: Drive, clients: Clients) -> Place:
    """Install by uv, which asks the keyring on PATH."""
    drive.path(clients("keyring", OURS), clients("uv"))
    drive.env["UV_KEYRING_PROVIDER"] = "subprocess"
    index = f'[[tool.uv.index]]\nurl = "{drive.url}"\ndefault = true\nauthenticate = "always"\n'
    drive.write("pyproject.toml", f"{PROJECT}\n{index}")
    venv = clients.make_venv(drive.folder / ".venv")
    drive.run("uv", "add", "orb-schema-generator==1.0.1")
    return venv


def by_poetry(drive: Drive, clients: Clients) -> Place:
    """Install by poetry, which asks the keyring beside it."""
    drive.path(clients("poetry", OURS))
    index = f'[[tool.poetry.source]]\nname = "ca"\nurl = "{drive.url}"\n'
    drive.write("pyproject.toml", f"{PROJECT}\n[tool.poetry]\npackage-mode = false\n\n{index}")
    venv = clients.make_venv(drive.folder / ".venv")
    drive.env["POETRY_VIRTUALENVS_IN_PROJECT"] = "true"
    drive.run("poetry", "--no-interaction", "add", "orb-schema-generator==1.0.1")
    return venv


def by_pdm(drive: Drive, clients: Clients) -> Place:
    """Install by pdm, which asks the keyring beside it."""
    drive.path(clients("pdm[locked]", OURS))
    index = f'[[tool.pdm.source]]\nname = "pypi"\nurl = "{drive.url}"\n'
    drive.write("pyproject.toml", f"{PROJECT}\n[tool.pdm]\ndistribution = false\n\n{index}")
    venv = clients.make_venv(drive.folder / ".venv")
    drive.run("pdm", "--non-interactive", "add", "orb-schema-generator==1.0.1")
    return venv


@pytest.mark.parametrize(
    "install", [by_pip, by_pipenv, by_uv, by_poetry, by_pdm], ids=lambda each: each.__name__
)
def test_hosts(
    install: Callable[[Drive, Clients], Place],
    where: str,
    led: Drive,
    clients: Clients,
    record_property: Callable[[str, object], None],
) -> None:
    """A private package and its dependencies are installed; S3 is not told the token."""
    name = install.__name__.removeprefix("by_")
    before = len(led.sandbox.requests)
    with driven(led, record_property, name, "", where, "install"):
        venv = install(led, clients)
        assert venv.version("orb_schema_generator") == "1.0.1"
        assert venv.version("orb_common") == "2.0.0"
    requests = led.sandbox.requests[before:]
    from_assets = [r for r in requests if r.host == asset_host(led.endpoint.domain.region)]
    assert bool(from_assets) is (where == REDIRECT)
    assert {record.sent for record in from_assets} <= {None}
