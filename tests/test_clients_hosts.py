"""The clients on the other hosts that CodeArtifact has, and with files by redirect from S3."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from support.clients import OURS, Drive, client_environment, driven
from support.projects import make_private_packages, source, write_pipfile

from codeartifact_pipenv.sandbox.behaviour import Behaviour
from codeartifact_pipenv.sandbox.hosts import asset_host, endpoint_for
from codeartifact_pipenv.sandbox.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support.clients import Clients, Place

REDIRECT, DUALSTACK, VPCE = (
    "HTML, Bearer challenge, files by redirect",
    "dual-stack host",
    "VPC endpoint",
)
KINDS = {REDIRECT: "ipv4", DUALSTACK: "dualstack", VPCE: "vpce"}
PROJECT = '[project]\nname = "app"\nversion = "0"\nrequires-python = ">=3.10"\n'


@pytest.fixture(scope="module")
def redirecting(
    tmp_path_factory: pytest.TempPathFactory, clean_base: dict[str, str]
) -> Iterator[Sandbox]:
    """Yield a CodeArtifact with HTML pages, one challenge, and files on a host like S3."""
    folder = tmp_path_factory.mktemp("packages")
    make_private_packages(folder)
    other = Behaviour(pages="html", redirect=302, challenges="bearer")
    with Sandbox([folder], behaviour=other, base=clean_base) as running:
        yield running


@pytest.fixture
def led(
    where: str,
    workshop: Sandbox,
    redirecting: Sandbox,
    clean_env: dict[str, str],
    tmp_path: Path,
    project: Path,
) -> Drive:
    """Return a project folder whose repository is at one of the hosts."""
    running = redirecting if where == REDIRECT else workshop
    env = client_environment(running, clean_env, tmp_path / "tokens")
    default = running.endpoint
    endpoint = endpoint_for(default.domain, str(default.repository), KINDS[where])
    return Drive(running, env, project, endpoint)


def by_pip(drive: Drive, client: Place, venv: Place) -> None:
    words = ("install", "--keyring-provider", "import", "--index-url", drive.url)
    prefix = ("--prefix", venv.folder)
    drive.run(client.python, "-m", "pip", *words, *prefix, "orb-schema-generator==1.0.1")


def by_pipenv(drive: Drive, client: Place, venv: Place) -> None:
    del venv  # it is the project's own
    drive.env["PIP_KEYRING_PROVIDER"] = "subprocess"
    packages = '[packages]\norb-schema-generator = "==1.0.1"\n'
    write_pipfile(drive.folder, source(drive.endpoint, userinfo="aws@"), packages)
    drive.run(client.bin / "pipenv", "install")


def by_uv(drive: Drive, client: Place, venv: Place) -> None:
    del venv
    drive.env["UV_KEYRING_PROVIDER"] = "subprocess"
    index = f'[[tool.uv.index]]\nurl = "{drive.url}"\ndefault = true\nauthenticate = "always"\n'
    drive.write("pyproject.toml", f"{PROJECT}\n{index}")
    drive.run(client.bin / "uv", "add", "orb-schema-generator==1.0.1")


def by_poetry(drive: Drive, client: Place, venv: Place) -> None:
    del venv
    drive.env["POETRY_VIRTUALENVS_IN_PROJECT"] = "true"
    index = f'[[tool.poetry.source]]\nname = "ca"\nurl = "{drive.url}"\n'
    drive.write("pyproject.toml", f"{PROJECT}\n[tool.poetry]\npackage-mode = false\n\n{index}")
    words = ("--no-interaction", "add", "orb-schema-generator==1.0.1")
    drive.run(client.bin / "poetry", *words)


def by_pdm(drive: Drive, client: Place, venv: Place) -> None:
    del venv
    index = f'[[tool.pdm.source]]\nname = "pypi"\nurl = "{drive.url}"\n'
    drive.write("pyproject.toml", f"{PROJECT}\n[tool.pdm]\ndistribution = false\n\n{index}")
    drive.run(client.bin / "pdm", "--non-interactive", "add", "orb-schema-generator==1.0.1")


class Way(NamedTuple):
    """How a client installs.

    Attributes:
        requirements: what the client's environment holds; where that is not ours, keyring
            is on PATH.
        install: what installs the package and its dependencies in the project's environment.
    """

    requirements: tuple[str, ...]
    install: Callable[[Drive, Place, Place], None]


WAYS = {
    "pip": Way(("pip", OURS), by_pip),
    "pipenv": Way(("pipenv",), by_pipenv),
    "uv": Way(("uv",), by_uv),
    "poetry": Way(("poetry", OURS), by_poetry),
    "pdm": Way(("pdm[locked]", OURS), by_pdm),
}


def cases() -> list[Any]:
    """Return each client on each host; CI tries the hosts that keyring tells apart with two."""
    cells = []
    for where, name in itertools.product(KINDS, WAYS):
        in_ci = where == REDIRECT or name in {"pip", "uv"}
        mark = pytest.mark.wide if in_ci else pytest.mark.matrix
        cells.append(pytest.param(name, where, marks=mark))
    return cells


@pytest.mark.parametrize(("name", "where"), cases())
def test_client_installs_from_each_host_without_sending_the_token_to_s3(
    name: str,
    where: str,
    led: Drive,
    clients: Clients,
    record_property: Callable[[str, object], None],
) -> None:
    """A private package and its dependencies are installed."""
    client = clients(*WAYS[name].requirements)
    if OURS not in WAYS[name].requirements:
        led.path(clients("keyring", OURS))
    venv = clients.make_venv(led.folder / ".venv")
    before = len(led.sandbox.requests)
    with driven(led, record_property, name, client.version(name), where, "install"):
        WAYS[name].install(led, client, venv)
        assert venv.version("orb_schema_generator") == "1.0.1"
        assert venv.version("orb_common") == "2.0.0"
    requests = led.sandbox.requests[before:]
    from_assets = [r for r in requests if r.host == asset_host(led.endpoint.domain.region)]
    assert bool(from_assets) is (where == REDIRECT)
    assert {record.sent for record in from_assets} <= {None}
