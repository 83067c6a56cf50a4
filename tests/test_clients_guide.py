"""The commands of the guide for other clients, and of the README, run as written."""

from __future__ import annotations

import importlib.metadata
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.clients import OURS, driven, make_program
from support.guides import script, section, titles

from codeartifact_pipenv.sandbox.wheels import make_sdist, make_wheel

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.clients import Clients, Drive, Place
    from support.programs import Result

    from codeartifact_pipenv.sandbox.sandbox import Sandbox

pytestmark = pytest.mark.wide

_ROOT = Path(__file__).parent.parent
_GUIDE = (_ROOT / "examples/guides/clients.md").read_text(encoding="utf-8")
_README = (_ROOT / "README.md").read_text(encoding="utf-8")
PACKAGE = "orb-guide"
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


class Reader:
    """A user who follows a section of a guide in an application folder.

    Args:
        drive: where.
        venv: the virtual environment that is active.
        name: the application's name.
    """

    def __init__(self, drive: Drive, venv: Place, name: str) -> None:
        self.drive = drive
        self.venv = venv
        self.name = name

    def follow(self, text: str) -> Result:
        """Write the files and run the commands of a section, in one shell."""
        return self.drive.ask("bash", "-c", script(self._fill(text)))

    def _fill(self, text: str) -> str:
        endpoint = self.drive.sandbox.endpoint
        places = {"HOST": endpoint.host, "REPOSITORY": str(endpoint.repository)}
        for placeholder, value in {**places, "PACKAGE": PACKAGE}.items():
            text = re.sub(rf"\b{placeholder}\b", value, text)
        return text


@pytest.fixture(scope="module")
def package(workshop: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Publish a package with a program, as a wheel and as an sdist."""
    folder = tmp_path_factory.mktemp("guide")
    workshop.publish(make_wheel(folder, "orb-guide-builder", "1.0"))
    workshop.publish(make_program(folder, PACKAGE))
    needs = ["orb-guide-builder"]
    workshop.publish(make_sdist(folder, PACKAGE, "1.0", build_requires=needs))


@pytest.fixture
def reader(request: pytest.FixtureRequest, clients: Clients, drive: Drive) -> Reader:
    """Return a reader whose programs are uv, pipenv and pipx, and whose Python has pip."""
    # Our dependencies are installed beforehand: pip would need half a minute for them.
    needs = [need for need in importlib.metadata.requires(OURS) or [] if "extra ==" not in need]
    venv = clients.make_venv(drive.folder / ".venv", "pip", *needs)
    (venv.bin / "keyring").unlink()
    drive.path(venv, clients("uv"), clients("pipenv"), clients("pipx"))
    drive.env["PATH"] = f"{drive.home}/.local/bin:{drive.env['PATH']}"
    drive.env["VIRTUAL_ENV"] = str(venv.folder)
    clients.offer_ours(drive.env)
    name = f"orb-guided-by-{re.sub(r'[^a-z]', '', request.node.name.removeprefix('test_guide'))}"
    drive.write("pyproject.toml", PROJECT.replace("NAME", name))
    drive.write(f"{name.replace('-', '_')}/__init__.py", "")
    make_wheel(drive.folder / "dist", name, "1.0")
    return Reader(drive, venv, name)


INSTALLS = ("pip", "pipenv", "uv", "poetry", "pdm")
PUBLISHES = ("uv", "poetry", "pdm", "hatch", "twine")
TITLES = titles(_GUIDE)


@pytest.mark.usefixtures("package")
@pytest.mark.parametrize("title", TITLES)
def test_guide(title: str, reader: Reader, record_property: Callable[[str, object], None]) -> None:
    """The guide's commands for each client work as written."""
    drive = reader.drive
    if title == "hatch":
        drive.lead_into_the_sandbox()
    if title not in {"twine", "hatch"}:
        shutil.rmtree(drive.folder / "dist")
    with driven(drive, record_property, title, "newest", "the guide", "as it stands there"):
        done = reader.follow(section(_GUIDE, title))
        assert done.status == 0, done.output[-6000:]
        if title == "keyring":
            assert len(re.findall(r"(?<![\w.-])eyJ", done.stdout)) == 3
        else:
            drive.results.append(done)
        if title in INSTALLS:
            assert reader.venv.version(PACKAGE.replace("-", "_")) == "1.0"
        if title in PUBLISHES:
            assert drive.sandbox.is_published(reader.name)
        if title == "pipx":
            assert drive.run(PACKAGE).stdout == "orbs are well\n"


@pytest.mark.usefixtures("package")
def test_readme(
    reader: Reader, clients: Clients, record_property: Callable[[str, object], None]
) -> None:
    """The README's commands for other clients work as written."""
    drive = reader.drive
    beside = clients.make_venv(drive.folder / "beside", "pip", OURS)
    drive.path(beside)
    with driven(drive, record_property, "pip, uv", "newest", "the README", "as it stands there"):
        done = reader.follow(section(_README, "Other clients"))
        assert done.status == 0, done.output[-6000:]
        drive.results.append(done)
        for venv in (beside, reader.venv):
            assert venv.version(PACKAGE.replace("-", "_")) == "1.0"


def test_the_guide_has_a_section_for_every_client() -> None:
    named = ("pip", "pipenv", "uv", "poetry", "pdm", "hatch", "twine", "pipx", "keyring")
    assert tuple(TITLES) == named
    assert all(name in section(_README, "Other clients") for name in named)
