"""pip and pipx get private packages by the keyring backend; a table is printed at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support.clients import OURS, driven, installed, make_program

from codeartifact_pipenv.sandbox.wheels import make_sdist, make_wheel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.clients import Clients, Drive

    from codeartifact_pipenv.sandbox.sandbox import Sandbox

WIDE, MATRIX = pytest.mark.wide, pytest.mark.matrix
PIPS = [
    *(pytest.param(pip, marks=WIDE) for pip in ("pip==23.2.1", "pip")),
    *(pytest.param(pip, marks=MATRIX) for pip in ("pip==24.3.1", "pip==25.3")),
]


@pytest.fixture(scope="module")
def built(workshop: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Publish an sdist that takes a private package to build, and a program."""
    folder = tmp_path_factory.mktemp("built")
    workshop.publish(make_wheel(folder, "orb-builder", "1.0"))
    workshop.publish(make_sdist(folder, "orb-source", "3.0", build_requires=["orb-builder"]))


@pytest.mark.parametrize("provider", ["import", "subprocess"])
@pytest.mark.parametrize("requirement", PIPS)
def test_pip(
    requirement: str,
    provider: str,
    clients: Clients,
    drive: Drive,
    record_property: Callable[[str, object], None],
) -> None:
    """Old and new pip install with their own keyring or the one on PATH."""
    pip = clients(requirement, OURS)
    # Until 26.2 it asks the keyring command only where the URL names a user.
    named = provider == "subprocess" and requirement != "pip"
    drive.path(clients("keyring", OURS))
    way = f"keyring {'beside it' if provider == 'import' else 'on PATH'}"
    url = drive.aws_url if named else drive.url
    way += ", aws@ in the URL" if named else ""
    row = ("pip", pip.version("pip"), f"{provider}: {way}", "install")
    with driven(drive, record_property, *row):
        words = ("install", "--no-input", "--keyring-provider", provider, "--index-url", url)
        drive.run(pip.python, "-m", "pip", *words, "--target", "there", "orb-common")
        assert installed(drive.folder / "there", "orb_common") == "2.0.0"


@pytest.mark.usefixtures("built")
@pytest.mark.parametrize("provider", ["import", "subprocess"])
@pytest.mark.parametrize("requirement", PIPS)
def test_pip_builds_an_sdist_that_needs_a_private_package(
    requirement: str,
    provider: str,
    clients: Clients,
    drive: Drive,
    record_property: Callable[[str, object], None],
) -> None:
    pip = clients(requirement, OURS)
    named = provider == "subprocess" and requirement != "pip"
    drive.path(clients("keyring", OURS))
    drive.env |= {
        "PIP_KEYRING_PROVIDER": provider,
        "PIP_NO_INPUT": "1",
        "PIP_INDEX_URL": drive.aws_url if named else drive.url,
    }
    way = f"{provider}: by variables{', aws@ in the URL' if named else ''}"
    row = ("pip", pip.version("pip"), way, "install an sdist that builds with a private package")
    with driven(drive, record_property, *row):
        drive.run(pip.python, "-m", "pip", "install", "--target", "there", "orb-source")
        assert installed(drive.folder / "there", "orb_source") == "3.0"


@WIDE
@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_pipx_installs_a_private_program_that_runs(
    installer: str,
    clients: Clients,
    drive: Drive,
    record_property: Callable[[str, object], None],
    tmp_path: Path,
) -> None:
    drive.sandbox.publish(make_program(tmp_path, "orb-tool"))
    pipx = clients("pipx")
    drive.path(clients("keyring", OURS))
    if installer == "uv":  # which it takes where it finds one
        drive.path(clients("uv"))
        drive.env["UV_KEYRING_PROVIDER"] = "subprocess"
    way = f"{installer}: keyring on PATH, aws@ in the URL"
    row = ("pipx", pipx.version("pipx"), way, "install a program")
    with driven(drive, record_property, *row):
        drive.run(pipx.bin / "pipx", "install", "--index-url", drive.aws_url, "orb-tool")
        assert drive.run(drive.home / ".local" / "bin" / "orb-tool").stdout == "orbs are well\n"
