"""pipenv alone, without our wrapper, locks and syncs by the keyring backend."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from support.clients import OURS
from support.projects import source, write_pipfile

if TYPE_CHECKING:
    from support.clients import Clients, Drive

WIDE, MATRIX = pytest.mark.wide, pytest.mark.matrix
PIPENVS = [
    *(pytest.param(pipenv, marks=WIDE) for pipenv in ("pipenv==2023.12.1", "pipenv")),
    *(pytest.param(pipenv, marks=MATRIX) for pipenv in ("pipenv==2024.4.1", "pipenv==2025.1.3")),
]


@pytest.mark.parametrize("provider", ["import", "subprocess"])
@pytest.mark.parametrize("requirement", PIPENVS)
def test_old_and_new_pipenv_lock_and_sync_by_keyring(
    requirement: str,
    provider: str,
    clients: Clients,
    drive: Drive,
) -> None:
    """Keyring is in the project's environment or on PATH."""
    pipenv = clients(requirement, "setuptools<81")
    ours = provider == "import"
    venv = clients.make_venv(drive.folder / ".venv", *([OURS] if ours else []))
    if not ours:
        drive.path(clients("keyring", OURS))
    # The pip in it is as old as pipenv.
    named = not ours and requirement != "pipenv"
    write_pipfile(
        drive.folder,
        source(drive.sandbox.endpoint, userinfo="aws@" if named else ""),
        '[packages]\norb-schema-generator = "==1.0.1"\n',
    )
    drive.env["PIP_KEYRING_PROVIDER"] = provider
    way = f"{provider}: keyring {'in the project' if ours else 'on PATH'}"
    way += ", aws@ in the URL" if named else ""
    row = ("pipenv", pipenv.version("pipenv"), way, "lock, sync")
    with drive.checked(*row):
        drive.run(pipenv.bin / "pipenv", "lock")
        locked = json.loads((drive.folder / "Pipfile.lock").read_text())["default"]
        assert locked["orb-common"]["version"] == "==2.0.0"
        drive.run(pipenv.bin / "pipenv", "sync")
        assert venv.version("orb_schema_generator") == "1.0.1"
        assert venv.version("orb_common") == "2.0.0"
