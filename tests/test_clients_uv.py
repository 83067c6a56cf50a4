"""uv in its forms gets and publishes private packages by the keyring backend."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support.clients import OURS, Place, driven, make_program

from codeartifact_pipenv.sandbox.wheels import make_sdist, make_wheel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.clients import Clients, Drive

pytestmark = pytest.mark.wide

NAMED, ALWAYS = "aws@ in the URL", 'authenticate = "always"'


@pytest.fixture
def uv(clients: Clients, drive: Drive) -> Place:
    """Return the newest uv; a keyring with our backend is on PATH."""
    drive.path(clients("keyring", OURS))
    drive.env["UV_KEYRING_PROVIDER"] = "subprocess"
    return clients("uv")


def index(drive: Drive, way: str) -> str:
    """Return the keys of uv's index table."""
    if way == NAMED:
        return f'url = "{drive.aws_url}"\ndefault = true\n'
    return f'url = "{drive.url}"\ndefault = true\nauthenticate = "always"\n'


@pytest.mark.parametrize("way", [NAMED, ALWAYS])
def test_uv_pip_installs_a_private_package_and_its_dependencies(
    way: str,
    uv: Place,
    clients: Clients,
    drive: Drive,
    record_property: Callable[[str, object], None],
) -> None:
    venv = clients.make_venv(drive.folder / ".venv")
    words: list[str] = ["--default-index", drive.aws_url]
    if way == ALWAYS:
        drive.write("uv.toml", f"[[index]]\n{index(drive, way)}")
        words = []
    with driven(drive, record_property, "uv", uv.version("uv"), way, "pip install"):
        drive.run(uv.bin / "uv", "pip", "install", *words, "orb-schema-generator<1.1")
        assert venv.version("orb_schema_generator") == "1.0.1"
        assert venv.version("orb_common") == "2.0.0"


@pytest.mark.parametrize("way", [NAMED, ALWAYS])
def test_uv_locks_syncs_and_adds_private_packages(
    way: str,
    uv: Place,
    drive: Drive,
    record_property: Callable[[str, object], None],
    tmp_path: Path,
) -> None:
    """One of them is an sdist that needs a private package to build."""
    drive.sandbox.publish(make_wheel(tmp_path / "new", "orb-uv-builder", "1.0"))
    source = make_sdist(tmp_path / "new", "orb-uv", "1.0", build_requires=["orb-uv-builder"])
    drive.sandbox.publish(source)
    drive.write(
        "pyproject.toml",
        '[project]\nname = "app"\nversion = "0"\nrequires-python = ">=3.10"\n'
        f'dependencies = ["orb-common", "orb-uv"]\n\n[[tool.uv.index]]\n{index(drive, way)}',
    )
    with driven(drive, record_property, "uv", uv.version("uv"), way, "lock, sync, add"):
        drive.run(uv.bin / "uv", "lock")
        drive.run(uv.bin / "uv", "sync", "--locked")
        venv = Place(drive.folder / ".venv")
        assert (venv.version("orb_common"), venv.version("orb_uv")) == ("2.0.0", "1.0")
        drive.run(uv.bin / "uv", "add", "orb-schema-generator==1.1.0")
        assert venv.version("orb_schema_generator") == "1.1.0"


def test_uvx_and_uv_tool_run_a_private_program(
    uv: Place, drive: Drive, record_property: Callable[[str, object], None], tmp_path: Path
) -> None:
    drive.sandbox.publish(make_program(tmp_path, "orb-runner"))
    with driven(drive, record_property, "uv", uv.version("uv"), NAMED, "uvx, tool install"):
        words = ("--default-index", drive.aws_url, "orb-runner")
        assert drive.run(uv.bin / "uvx", *words).stdout == "orbs are well\n"
        drive.run(uv.bin / "uv", "tool", "install", *words)
        assert drive.run(drive.home / ".local" / "bin" / "orb-runner").stdout == "orbs are well\n"


def test_uv_publishes_a_wheel(
    uv: Place, drive: Drive, record_property: Callable[[str, object], None], tmp_path: Path
) -> None:
    wheel = make_wheel(tmp_path / "new", "orb-by-uv", "1.0")
    way = "--username aws"
    with driven(drive, record_property, "uv", uv.version("uv"), way, "publish"):
        words = ("--publish-url", drive.sandbox.endpoint.url, "--username", "aws", wheel)
        drive.run(uv.bin / "uv", "publish", *words)
        assert drive.sandbox.is_published("orb-by-uv")
