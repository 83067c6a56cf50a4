"""The keyring command and library, alone and with other backends in a chain."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from support.clients import OURS

if TYPE_CHECKING:
    from support.clients import Clients, Drive

pytestmark = pytest.mark.wide

CHAIN = "keyring.backends.chainer.ChainerBackend"
ALONE = "codeartifact_pipenv.auth.backend.CodeArtifactBackend"
PLAIN = "keyrings.alt.file.PlaintextKeyring"


def addresses(drive: Drive) -> list[str]:
    """Return the forms of address that clients ask for."""
    endpoint = drive.sandbox.endpoint
    urls = [drive.url, drive.aws_url, f"{drive.url}orb-common/", endpoint.url]
    cut = [url.removesuffix("/") for url in (drive.url, endpoint.url)]
    return [*urls, *cut, endpoint.host, f"{endpoint.host}:443"]


def secret(drive: Drive, *words: str) -> str:
    """Return what the keyring command prints, which is in no output that is checked."""
    return drive.ask("keyring", *words).stdout.strip()


LIBRARY = """
import json, sys, keyring

ours, others = json.loads(sys.argv[1])
found = set()
for service in ours:
    for username in (None, "", "aws"):
        credential = keyring.get_credential(service, username)
        assert credential.username == "aws"
        found |= {keyring.get_password(service, username), credential.password}
assert len(found) == 1 and None not in found
for service in others:
    for username in (None, "", "aws", "python-poetry", "__token__"):
        assert keyring.get_password(service, username) is None, service
        assert keyring.get_credential(service, username) is None, service
assert keyring.get_credential(ours[0], "somebody") is None
"""
WAYS = {"as it comes": "", "our backend alone": ALONE, "in keyring's chain": CHAIN}


@pytest.mark.parametrize("way", WAYS)
def test_keyring_returns_one_token_for_every_form_of_address_and_none_for_others(
    way: str, clients: Clients, drive: Drive
) -> None:
    """The command, and the library, which is silent."""
    keyring = clients("keyring", OURS)
    drive.path(keyring)
    drive.env |= {"PYTHON_KEYRING_BACKEND": WAYS[way]} if WAYS[way] else {}
    others = [
        "python-poetry-check",
        "poetry-repository-codeartifact",
        "pdm-pypi-codeartifact",
        "https://example.org/pypi/team/simple/",
        f"https://{drive.endpoint.host}.example.org/pypi/team/simple/",
        drive.url.replace("https://", "http://"),
    ]
    row = ("keyring", keyring.version("keyring"), way, "get and creds, in every form of address")
    with drive.checked(*row):
        words = json.dumps([addresses(drive), others])
        assert drive.run(keyring.python, "-c", LIBRARY, words).output == ""
        token = secret(drive, "get", drive.url, "aws")
        for service in addresses(drive):
            assert secret(drive, "get", service, "aws") == token
            creds = secret(drive, "--mode=creds", "--output=json", "get", service)
            assert json.loads(creds) == {"username": "aws", "password": token}
        # pdm asks with an empty username, uv for plain text.
        assert secret(drive, "--mode=creds", "get", drive.url, "") == f"aws\n{token}"
        assert secret(drive, "get", drive.url, "--mode", "creds") == f"aws\n{token}"


def test_keyring_chain_stores_other_secrets_and_serves_our_token(
    clients: Clients, drive: Drive
) -> None:
    place = clients("keyring", "keyrings.alt", OURS)
    drive.path(place)
    drive.env["PYTHON_KEYRING_BACKEND"] = CHAIN
    way = f"with keyrings.alt {place.version('keyrings.alt')}"
    row = ("keyring", place.version("keyring"), way, "set, get, del for others; get for us")
    service = "https://index.example.org/simple/"
    with drive.checked(*row):
        drive.run("keyring", "set", service, "me", stdin="open sesame\n")
        assert drive.run("keyring", "get", service, "me").stdout == "open sesame\n"
        assert secret(drive, "get", drive.url, "aws").startswith("eyJ")
        # A secret stored earlier for our host is not used: it would have expired.
        drive.run("keyring", "-b", PLAIN, "set", drive.url, "aws", stdin="stale\n")
        assert secret(drive, "get", drive.url, "aws").startswith("eyJ")
        drive.run("keyring", "del", service, "me")
        assert drive.ask("keyring", "get", service, "me").status == 1
