"""The keyring command and library, alone and beside other backends in a chain."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from support.clients import OURS, driven

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.clients import Clients, Drive, Place

pytestmark = pytest.mark.wide

CHAIN = "keyring.backends.chainer.ChainerBackend"
ALONE = "codeartifact_pipenv.auth.backend.CodeArtifactBackend"
PLAIN = "keyrings.alt.file.PlaintextKeyring"


def forms(drive: Drive) -> dict[str, str]:
    """Return the services that clients ask for, by name."""
    endpoint = drive.sandbox.endpoint
    return {
        "URL": drive.url,
        "URL without slash": drive.url.removesuffix("/"),
        "URL with aws@": drive.aws_url,
        "URL of a package": f"{drive.url}orb-common/",
        "upload URL": endpoint.url,
        "upload URL without slash": endpoint.url.removesuffix("/"),
        "host": endpoint.host,
        "host with port": f"{endpoint.host}:443",
    }


def secret(drive: Drive, *words: str) -> str:
    """Return what the keyring command prints, which is in no output that is checked."""
    return drive.ask("keyring", *words).stdout.strip()


@pytest.mark.parametrize("backend", ["", ALONE, CHAIN])
def test_keyring_command_returns_one_token_for_every_form_of_address(
    backend: str,
    clients: Clients,
    drive: Drive,
    record_property: Callable[[str, object], None],
) -> None:
    keyring = clients("keyring", OURS)
    drive.path(keyring)
    if backend:
        drive.env["PYTHON_KEYRING_BACKEND"] = backend
    way = {"": "as it comes", ALONE: "our backend alone", CHAIN: "in keyring's chain"}[backend]
    row = ("keyring", keyring.version("keyring"), way, "get and creds, in every form of address")
    with driven(drive, record_property, *row):
        token = secret(drive, "get", drive.url, "aws")
        for service in forms(drive).values():
            assert secret(drive, "get", service, "aws") == token
            creds = secret(drive, "--mode=creds", "--output=json", "get", service)
            assert json.loads(creds) == {"username": "aws", "password": token}
        # pdm asks with an empty username, uv for plain text.
        assert secret(drive, "--mode=creds", "get", drive.url, "") == f"aws\n{token}"
        assert secret(drive, "get", drive.url, "--mode", "creds") == f"aws\n{token}"


def test_keyring_library_returns_our_token_and_is_silent_for_other_services(
    clients: Clients, drive: Drive, record_property: Callable[[str, object], None]
) -> None:
    keyring = clients("keyring", OURS)
    program = """
import json, sys, keyring

ours, others = json.loads(sys.argv[1])
found = set()
for service in ours:
    for username in (None, "", "aws"):
        found.add(keyring.get_password(service, username))
        credential = keyring.get_credential(service, username)
        found.add(credential.password)
        assert credential.username == "aws"
assert len(found) == 1 and None not in found
for service in others:
    for username in (None, "", "aws", "python-poetry", "__token__"):
        assert keyring.get_password(service, username) is None, service
        assert keyring.get_credential(service, username) is None, service
assert keyring.get_credential(ours[0], "somebody") is None
"""
    others = [
        "python-poetry-check",
        "poetry-repository-codeartifact",
        "pdm-pypi-codeartifact",
        "https://example.org/pypi/team/simple/",
        f"https://{drive.sandbox.endpoint.host}.example.org/pypi/team/simple/",
        drive.url.replace("https://", "http://"),
    ]
    words = json.dumps([list(forms(drive).values()), others])
    row = ("keyring", keyring.version("keyring"), "the library", "ours, and others in silence")
    with driven(drive, record_property, *row):
        shown = drive.run(keyring.python, "-c", program, words)
        assert shown.output == ""


@pytest.fixture
def beside(clients: Clients, drive: Drive) -> Place:
    """Return an environment whose chain also has a backend that stores in a plain file."""
    place = clients("keyring", "keyrings.alt", OURS)
    drive.path(place)
    drive.env["PYTHON_KEYRING_BACKEND"] = CHAIN
    return place


def test_keyring_chain_stores_other_secrets_and_serves_our_token(
    beside: Place, drive: Drive, record_property: Callable[[str, object], None]
) -> None:
    """The other backend's secrets are stored, read and deleted."""
    way = f"beside keyrings.alt {beside.version('keyrings.alt')}"
    row = ("keyring", beside.version("keyring"), way, "set, get, del for others; get for us")
    service = "https://index.example.org/simple/"
    with driven(drive, record_property, *row):
        drive.run("keyring", "set", service, "me", stdin="open sesame\n")
        assert drive.run("keyring", "get", service, "me").stdout == "open sesame\n"
        assert secret(drive, "get", drive.url, "aws").startswith("eyJ")
        # A secret stored earlier for our host is not used: it would have expired.
        drive.run("keyring", "-b", PLAIN, "set", drive.url, "aws", stdin="stale\n")
        assert secret(drive, "get", drive.url, "aws").startswith("eyJ")
        drive.run("keyring", "del", service, "me")
        assert drive.ask("keyring", "get", service, "me").status == 1
