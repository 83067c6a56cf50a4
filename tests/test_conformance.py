"""Clients that others wrote work against the sandbox; the summary lists them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from support.programs import SCRIPTS, run

from codeartifact_pipenv.sandbox.sandbox import Sandbox
from codeartifact_pipenv.sandbox.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.clients import Clients

NAMED = "--domain demo --domain-owner 123456789012"
PIP = "pip install -q --target there"
TOKEN = 'token=$(pipenv-ca token "$URL"); '
# By client: the environments with it, a script, and the end of what this prints.
CASES = {
    "aws get-authorization-token, pip": (
        "awscli",
        f"token=$(aws codeartifact get-authorization-token {NAMED} --duration-seconds 900"
        " --query authorizationToken --output text)\n"
        f"{PIP} --index-url https://aws:$token@$PLACE/simple/ acme-tools; ls there",
        "acme_tools-1.1.dist-info\n",
    ),
    "aws login --tool pip": (
        "awscli",
        f"aws codeartifact login --tool pip {NAMED} --repository pypi-store\n"
        f"{PIP} acme-tools==1.0; ls there",
        "acme_tools-1.0.dist-info\n",
    ),
    "aws login --tool twine, list-packages": (
        "awscli, twine",
        f"aws codeartifact login --tool twine {NAMED} --repository pypi-store\n"
        "twine upload -r codeartifact new/*; twine upload -r codeartifact new/*\n"
        f"aws codeartifact list-packages {NAMED} --repository pypi-store --format pypi"
        " --query packages[].package --output text",
        "acme-new\tacme-tools\n",
    ),
    "twine 6.0.1, a file name in use": (
        "twine==6.0.1",
        f"{TOKEN}export TWINE_USERNAME=aws TWINE_PASSWORD=$token\n"
        'twine upload --repository-url "$URL" new/*\n'
        'twine upload --repository-url "$URL" other/* | grep -o "409 Conflict" | head -1',
        "409 Conflict\n",
    ),
    "pip 23.2.1": (
        "pip==23.2.1",
        f"{TOKEN}{PIP} --index-url https://aws:$token@$PLACE/simple/ 'acme-tools<1.1'; ls there",
        "acme_tools-1.0.dist-info\n",
    ),
    "uv publish, uv pip install": (
        "uv",
        f'{TOKEN}uv publish --publish-url "$URL" --username aws --password $token new/*\n'
        "uv pip install --target there --default-index https://aws:$token@$PLACE/simple/ acme-new\n"
        "ls there",
        "acme_new-3.0.dist-info\n",
    ),
    "keyrings.codeartifact, pip": (
        "keyring keyrings.codeartifact pip",
        f"{PIP} --keyring-provider import --index-url https://aws@$PLACE/simple/ acme-tools\n"
        "ls there",
        "acme_tools-1.1.dist-info\n",
    ),
}


@pytest.mark.wide
@pytest.mark.shows_token("files")
@pytest.mark.parametrize("client", CASES)
def test_client_works_against_the_sandbox(
    client: str,
    clients: Clients,
    clean_base: dict[str, str],
    clean_env: dict[str, str],
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    environments, script, printed = CASES[client]
    record_property("conformance", (client, printed.strip()))
    tools = [make_wheel(tmp_path / "tools", "acme-tools", version) for version in ("1.0", "1.1")]
    make_wheel(tmp_path / "new", "acme-new", "3.0")
    make_wheel(tmp_path / "other", "acme-new", "3.0", requires=["six"])
    bins = [str(clients(*each.split()).bin) for each in environments.split(", ")]
    with Sandbox(tools, base=clean_base, upstream=False) as sandbox:
        env = sandbox.environ(clean_env) | {
            "PATH": os.pathsep.join([*bins, str(SCRIPTS), clean_env["PATH"]]),
            "AWS_DEFAULT_REGION": "us-east-1",
            "UV_NATIVE_TLS": "1",
            "URL": sandbox.endpoint.url,
            "PLACE": sandbox.endpoint.url.removeprefix("https://").rstrip("/"),
        }
        done = run("bash", "-euc", script, env=env, cwd=tmp_path)
    assert done.status == 0, done.output
    assert done.stdout.endswith(printed)
