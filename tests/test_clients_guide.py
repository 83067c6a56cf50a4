"""The commands of the guide for other clients, and of the README, run as written."""

from __future__ import annotations

import importlib.metadata
import re
from typing import TYPE_CHECKING

import pytest
from support.clients import OURS
from support.guides import document, script, section, titles

from codeartifact_pipenv.sandbox.wheels import make_wheel

if TYPE_CHECKING:
    from support.clients import Clients, Drive, Place

pytestmark = pytest.mark.wide

GUIDE = document("examples/guides/clients.md")
README = section(document("README.md"), "Other clients")
TITLES = ("pip", "pipenv", "uv", "poetry", "pdm", "hatch", "twine", "pipx", "keyring")
PROJECT = """\
[project]
name = "NAME"
version = "1.0"
description = "An application."
requires-python = ">=3.10"

[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
"""


@pytest.fixture
def venv(clients: Clients, drive: Drive) -> Place:
    """Activate an environment with pip, of a user who has uv, pipenv and pipx."""
    # Our dependencies are installed beforehand: pip would need half a minute for them.
    needs = [need for need in importlib.metadata.requires(OURS) or [] if "extra ==" not in need]
    venv = clients.make_venv(drive.folder / ".venv", "pip", *needs)
    (venv.bin / "keyring").unlink()
    drive.path(venv, clients("uv"), clients("pipenv"), clients("pipx"))
    drive.env["PATH"] = f"{drive.env['HOME']}/.local/bin:{drive.env['PATH']}"
    drive.env["VIRTUAL_ENV"] = str(venv.folder)
    clients.offer_ours(drive.env)
    return venv


def follow(drive: Drive, text: str) -> str:
    """Write the files and run the commands of a section, in one shell."""
    endpoint = drive.sandbox.endpoint
    names = {"HOST": endpoint.host, "REPOSITORY": endpoint.repository, "PACKAGE": "orb-tool"}
    for placeholder, name in names.items():
        text = re.sub(rf"\b{placeholder}\b", str(name), text)
    done = drive.ask("bash", "-c", script(text))
    assert done.status == 0, done.output[-6000:]
    if "keyring get" not in text:
        drive.results.append(done)
    return done.stdout


@pytest.mark.parametrize("title", TITLES)
def test_commands_of_the_guide_work_for_each_client(title: str, drive: Drive, venv: Place) -> None:
    name = f"orb-guided-by-{title}"
    drive.write("pyproject.toml", PROJECT.replace("NAME", name))
    drive.write(f"{name.replace('-', '_')}/__init__.py", "")
    if title in {"twine", "hatch"}:
        make_wheel(drive.folder / "dist", name, "1.0")
    if title == "hatch":
        drive.lead_into_the_sandbox()
    with drive.checked(title, "newest", "the guide", "as written"):
        said = follow(drive, section(GUIDE, title))
        if title in {"pip", "pipenv", "uv", "poetry", "pdm"}:
            assert venv.version("orb_tool") == "1.0"
        if title in {"uv", "poetry", "pdm", "hatch", "twine"}:
            assert drive.sandbox.is_published(name)
        if title == "pipx":
            assert drive.run("orb-tool").stdout == "orbs are well\n"
        if title == "keyring":
            assert len(re.findall(r"(?<![\w.-])eyJ", said)) == 3


def test_commands_of_the_readme_work_for_pip_and_uv(
    drive: Drive, venv: Place, clients: Clients
) -> None:
    beside = clients.make_venv(drive.folder / "beside", "pip", OURS)
    drive.path(beside)
    with drive.checked("pip, uv", "newest", "the README", "as written"):
        follow(drive, README)
        assert (beside.version("orb_tool"), venv.version("orb_tool")) == ("1.0", "1.0")


def test_the_guide_has_a_section_for_every_client_of_the_readme() -> None:
    assert tuple(titles(GUIDE)) == TITLES
    assert all(name in README for name in TITLES)
