"""Identities: users of AWS with their keys and profiles, and jobs of GitHub."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from support.answers import AnsweringServer
from support.sandbox import IDENTITY, client_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from codeartifact_pipenv.sandbox.sandbox import Sandbox
    from codeartifact_pipenv.sandbox.signature import Principal

ROLE = "arn:aws:iam::123456789012:role/team/reader"
PASSWORD = "of-the-job-0123456789"
_ANSWER = json.dumps({"value": IDENTITY}).encode()


class AccessKey(NamedTuple):
    """The access key of a user."""

    access_key_id: str
    secret_access_key: str

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables that hold it."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
        }


def make_user(sandbox: Sandbox, name: str) -> AccessKey:
    """Make another user of the sandbox's account with IAM."""
    client = client_of(sandbox, "iam", sandbox.user)
    try:
        client.create_user(UserName=name)
        made = client.create_access_key(UserName=name)["AccessKey"]
    finally:
        client.close()
    return AccessKey(made["AccessKeyId"], made["SecretAccessKey"])


def section(title: str, keys: AccessKey | Principal) -> str:
    """Return a section with keys, of an AWS file or of keyringrc.cfg."""
    return (
        f"[{title}]\naws_access_key_id = {keys.access_key_id}\n"
        f"aws_secret_access_key = {keys.secret_access_key}\n"
    )


def role_profile(keys: AccessKey | Principal, role: str = ROLE, more: str = "") -> str:
    """Return the profile dev, which assumes a role, and its source."""
    base = section("profile base", keys)
    return f"{base}[profile dev]\nrole_arn = {role}\nsource_profile = base\n{more}"


class GitHub(NamedTuple):
    """The environment of a job, and the requests for its identity."""

    env: dict[str, str]
    asked: list[tuple[str, str | None]]


@contextmanager
def github(env: Mapping[str, str], status: int = 200, body: bytes = _ANSWER) -> Iterator[GitHub]:
    """Serve identity tokens as GitHub does ("OpenID Connect reference")."""
    with AnsweringServer(status, body) as server:
        job = {
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{server.url}/id?api=2",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": PASSWORD,
            "GITHUB_REPOSITORY": "acme/app",
            "GITHUB_RUN_ID": "77",
        }
        yield GitHub({**env, **job}, server.asked)
