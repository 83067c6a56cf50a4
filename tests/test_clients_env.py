"""`pipenv-ca env` prints all that poetry, pdm and hatch need, without keyring and AWS."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from support.clients import Place
from support.files import files_with
from support.programs import PIPENV_CA, run

from codeartifact_pipenv.sandbox.wheels import make_wheel

if TYPE_CHECKING:
    from pathlib import Path

    from support.clients import Clients, Drive

pytestmark = pytest.mark.wide

PROJECT = """\
[project]
name = "orb-app"
version = "1.0"
description = "An application."
requires-python = ">=3.10"
dependencies = ["orb-schema-generator==1.0.1"]
"""
NO_KEYRING = {"PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"}


def hand_over(drive: Drive) -> str:
    """Give a client what `env` prints and take its AWS keys; return the token."""
    done = run(PIPENV_CA, "env", "--shell", "json", drive.url, env=drive.env, cwd=drive.folder)
    assert done.status == 0, done.output
    variables = json.loads(done.stdout)
    for name in [name for name in drive.env if name.startswith("AWS_")]:
        if name.endswith(("_KEY_ID", "_ACCESS_KEY")):
            del drive.env[name]
    drive.env |= variables | NO_KEYRING
    return str(variables["CODEARTIFACT_AUTH_TOKEN"])


def test_poetry_installs_and_publishes_with_the_variables_of_env(
    clients: Clients, drive: Drive
) -> None:
    """A source and a repository to publish to get their login by name."""
    poetry = clients("poetry").bin / "poetry"
    drive.write(
        "pyproject.toml",
        f'{PROJECT}[[tool.poetry.source]]\nname = "in-house"\nurl = "{drive.url}"\n',
    )
    token = hand_over(drive)
    drive.env["POETRY_VIRTUALENVS_IN_PROJECT"] = "true"
    drive.run(poetry, "--no-interaction", "lock")
    drive.run(poetry, "--no-interaction", "install", "--no-root")
    assert Place(drive.folder / ".venv").version("orb_schema_generator") == "1.0.1"
    make_wheel(drive.folder / "dist", "orb-app", "1.0")
    drive.run(poetry, "--no-interaction", "publish", "-r", "codeartifact")
    assert drive.sandbox.is_published("orb-app")
    assert files_with(token, [drive.folder]) == []


def test_pdm_installs_and_publishes_with_the_variables_of_env(
    clients: Clients, drive: Drive
) -> None:
    """The source's URL names the variable that holds the token."""
    pdm = clients("pdm[locked]").bin / "pdm"
    url = drive.url.replace("https://", "https://aws:${OUR_TOKEN}@")
    source = f'[[tool.pdm.source]]\nname = "pypi"\nurl = "{url}"\n'
    drive.write("pyproject.toml", f"{PROJECT}{source}")
    token = hand_over(drive)
    drive.run(pdm, "--non-interactive", "lock")
    drive.run(pdm, "--non-interactive", "install", "--no-self")
    assert Place(drive.folder / ".venv").version("orb_schema_generator") == "1.0.1"
    make_wheel(drive.folder / "dist", "orb-env-by-pdm", "1.0")
    drive.run(pdm, "--non-interactive", "publish", "--no-build")
    assert drive.sandbox.is_published("orb-env-by-pdm")
    assert files_with(token, [drive.folder / "pdm.lock", drive.folder / "pyproject.toml"]) == []


def test_hatch_installs_and_publishes_with_the_variables_of_env(
    clients: Clients, drive: Drive, tmp_path: Path
) -> None:
    hatch = clients("hatch", "uv")
    drive.path(hatch)
    environment = "[tool.hatch.envs.default]\nskip-install = true\n"
    needs = 'dependencies = ["orb-schema-generator<1.1"]\n'
    drive.write("pyproject.toml", f"{PROJECT}{environment}{needs}")
    hand_over(drive)
    words = "from importlib.metadata import version; print(version('orb_schema_generator'))"
    shown = drive.run(hatch.bin / "hatch", "--quiet", "run", "python", "-c", words)
    assert shown.stdout.strip() == "1.0.1"
    wheel = make_wheel(tmp_path / "new", "orb-env-by-hatch", "1.0")
    drive.lead_into_the_sandbox()  # its publish knows no proxy: pypa/hatch#1908
    drive.run(hatch.bin / "hatch", "publish", "--no-prompt", wheel)
    assert drive.sandbox.is_published("orb-env-by-hatch")
