"""`pipenv-ca env` prints all that poetry, pdm and hatch need, without keyring and AWS."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from support.clients import Place, write_application
from support.programs import PIPENV_CA, run
from support.runs import without_credentials
from support.traces import files_with

if TYPE_CHECKING:
    from support.clients import Clients, Drive

SCRIPTS = {
    "poetry": "poetry -n lock; poetry -n install --no-root; poetry -n publish -r codeartifact",
    "pdm[locked]": "pdm -n lock; pdm -n install --no-self; pdm -n publish --no-build",
    "hatch": "hatch -e pip run true; hatch publish --no-prompt dist/*",
}


@pytest.mark.wide
@pytest.mark.parametrize("client", SCRIPTS)
def test_client_installs_and_publishes_with_the_variables_of_env(
    client: str, clients: Clients, drive: Drive
) -> None:
    name = f"orb-with-env-by-{client.partition('[')[0]}"
    # Only pdm reads the token from a variable in the URL.
    user = "aws:${OUR_TOKEN}@" if "pdm" in client else ""
    write_application(drive, name, drive.url.replace("https://", f"https://{user}"))
    done = run(PIPENV_CA, "env", "--shell", "json", drive.url, env=drive.env, cwd=drive.folder)
    assert done.status == 0, done.output
    variables = json.loads(done.stdout)
    drive.env = (
        without_credentials(drive.env)
        | variables
        | {
            "POETRY_VIRTUALENVS_IN_PROJECT": "true",
            "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
        }
    )
    if client == "hatch":
        drive.lead_into_the_sandbox()  # its publish ignores proxies: pypa/hatch#1908
    drive.path(clients(client))
    drive.run("bash", "-euc", SCRIPTS[client])
    assert Place(drive.folder / ".venv").version("orb_schema_generator") == "1.0.1"
    assert drive.sandbox.is_published(name)
    assert files_with(variables["CODEARTIFACT_AUTH_TOKEN"], [drive.folder]) == []
