"""poetry, pdm and hatch get and publish private packages by the keyring backend."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support.clients import OURS, Place, driven

from codeartifact_pipenv.sandbox.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.clients import Clients, Drive

pytestmark = pytest.mark.wide

BESIDE, ON_PATH = "keyring beside it", "keyring on PATH"
PROJECT = """\
[project]
name = "NAME"
version = "1.0"
description = "An application."
requires-python = ">=3.10"
dependencies = ["orb-schema-generator==1.0.1"]

[build-system]
requires = ["BACKEND"]
build-backend = "MODULE"
"""
POETRY = ("poetry-core", "poetry.core.masonry.api")
PDM = ("pdm-backend", "pdm.backend")
HATCH = ("hatchling", "hatchling.build")


def write_project(drive: Drive, name: str, backend: tuple[str, str], more: str = "") -> None:
    """Write a project that needs a private package, with one module in it."""
    text = PROJECT.replace("NAME", name)
    text = text.replace("BACKEND", backend[0]).replace("MODULE", backend[1])
    drive.write("pyproject.toml", f"{text}\n{more}")
    drive.write(f"{name.replace('-', '_')}/__init__.py", "")


def test_poetry_locks_installs_and_adds_private_packages(
    clients: Clients, drive: Drive, record_property: Callable[[str, object], None]
) -> None:
    poetry = clients("poetry", OURS)
    more = f'[[tool.poetry.source]]\nname = "ca"\nurl = "{drive.url}"\n'
    write_project(drive, "orb-app", POETRY, more)
    drive.env["POETRY_VIRTUALENVS_IN_PROJECT"] = "true"
    row = ("poetry", poetry.version("poetry"), BESIDE, "lock, install, add")
    with driven(drive, record_property, *row):
        for words in (["lock"], ["install"], ["add", "orb-common==2.0.0"]):
            drive.run(poetry.bin / "poetry", "--no-interaction", *words)
        venv = Place(drive.folder / ".venv")
        assert venv.version("orb_schema_generator") == "1.0.1"
        assert venv.version("orb_common") == "2.0.0"


def test_poetry_builds_and_publishes_a_package(
    clients: Clients, drive: Drive, record_property: Callable[[str, object], None]
) -> None:
    poetry = clients("poetry", OURS)
    write_project(drive, "orb-by-poetry", POETRY)
    row = ("poetry", poetry.version("poetry"), BESIDE, "publish")
    with driven(drive, record_property, *row):
        words = ("config", "repositories.ca", drive.sandbox.endpoint.url)
        drive.run(poetry.bin / "poetry", *words)
        drive.run(poetry.bin / "poetry", "--no-interaction", "publish", "--build", "-r", "ca")
        assert drive.sandbox.is_published("orb-by-poetry")


@pytest.mark.parametrize("way", [BESIDE, ON_PATH])
def test_pdm_locks_installs_and_adds_private_packages(
    way: str, clients: Clients, drive: Drive, record_property: Callable[[str, object], None]
) -> None:
    pdm = clients("pdm[locked]", *([OURS] if way == BESIDE else []))
    if way == ON_PATH:
        drive.path(clients("keyring", OURS))
    more = f'[[tool.pdm.source]]\nname = "pypi"\nurl = "{drive.url}"\n'
    write_project(drive, "orb-app", PDM, more)
    row = ("pdm", pdm.version("pdm"), way, "lock, install, add")
    with driven(drive, record_property, *row):
        for words in (["lock"], ["install", "--no-self"], ["add", "--no-self", "orb-common"]):
            drive.run(pdm.bin / "pdm", "--non-interactive", *words)
        venv = Place(drive.folder / ".venv")
        assert venv.version("orb_schema_generator") == "1.0.1"
        assert venv.version("orb_common") == "2.0.0"


@pytest.mark.parametrize("way", [BESIDE, ON_PATH])
def test_pdm_publishes_a_built_package(
    way: str, clients: Clients, drive: Drive, record_property: Callable[[str, object], None]
) -> None:
    pdm = clients("pdm[locked]", *([OURS] if way == BESIDE else []))
    if way == ON_PATH:
        drive.path(clients("keyring", OURS))
    name = f"orb-by-pdm-{'beside' if way == BESIDE else 'path'}"
    write_project(drive, name, PDM)
    make_wheel(drive.folder / "dist", name, "1.0")
    with driven(drive, record_property, "pdm", pdm.version("pdm"), way, "publish"):
        words = ("publish", "--no-build", "--repository", drive.sandbox.endpoint.url)
        drive.run(pdm.bin / "pdm", "--non-interactive", *words)
        assert drive.sandbox.is_published(name)


@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_hatch_environment_gets_a_private_package_by_pip_or_uv(
    installer: str,
    clients: Clients,
    drive: Drive,
    record_property: Callable[[str, object], None],
) -> None:
    hatch = clients("hatch", "uv")
    drive.path(clients("keyring", OURS), hatch)
    more = f'[tool.hatch.envs.default]\nskip-install = true\ninstaller = "{installer}"\n'
    write_project(drive, "orb-app", HATCH, f'{more}dependencies = ["orb-schema-generator<1.1"]\n')
    drive.env |= {
        "PIP_KEYRING_PROVIDER": "subprocess",
        "PIP_INDEX_URL": drive.aws_url,
        "UV_KEYRING_PROVIDER": "subprocess",
        "UV_DEFAULT_INDEX": drive.aws_url,
    }
    way = f"{ON_PATH}, {installer}, aws@ in the URL"
    with driven(drive, record_property, "hatch", hatch.version("hatch"), way, "an environment"):
        words = ("from importlib.metadata import version; print(version('orb_schema_generator'))",)
        shown = drive.run(hatch.bin / "hatch", "--quiet", "run", "python", "-c", *words)
        assert shown.stdout.strip() == "1.0.1"


def test_hatch_publishes_a_wheel(
    clients: Clients,
    drive: Drive,
    record_property: Callable[[str, object], None],
    tmp_path: Path,
) -> None:
    hatch = clients("hatch", OURS)
    wheel = make_wheel(tmp_path / "new", "orb-by-hatch", "1.0")
    drive.lead_into_the_sandbox()  # its publish knows no proxy: pypa/hatch#1908
    way = f"{BESIDE}, -u aws"
    with driven(drive, record_property, "hatch", hatch.version("hatch"), way, "publish"):
        words = ("publish", "--no-prompt", "-u", "aws", "-r", drive.sandbox.endpoint.url, wheel)
        drive.run(hatch.bin / "hatch", *words)
        assert drive.sandbox.is_published("orb-by-hatch")


@pytest.mark.parametrize(("requirement", "user"), [("twine==6.2.0", "aws"), ("twine", "")])
def test_twine_uploads_wheels_with_or_without_a_user_option(
    requirement: str,
    user: str,
    clients: Clients,
    drive: Drive,
    record_property: Callable[[str, object], None],
    tmp_path: Path,
) -> None:
    twine = clients(requirement, OURS)
    names = [f"orb-by-twine{twine.version('twine')}{user}-{number}" for number in (1, 2)]
    wheels = [make_wheel(tmp_path / "new", name, "1.0") for name in names]
    way = f"{BESIDE}{', -u aws' if user else ''}"
    with driven(drive, record_property, "twine", twine.version("twine"), way, "upload two files"):
        words = ["upload", "--non-interactive", "--repository-url", drive.sandbox.endpoint.url]
        words += ["-u", user] if user else []
        drive.run(twine.bin / "twine", *words, *wheels)
        assert all(drive.sandbox.is_published(name.replace(".", "-")) for name in names)
