"""A value that is not a token is described in words, and not sent to AWS."""

from __future__ import annotations

import base64
import json
import secrets
import time
from typing import TYPE_CHECKING
from unittest.mock import Mock

import pytest
from support.projects import source, write_pipfile
from support.runs import TOKEN_VARIABLE, Calls, assert_error, without_credentials

from codeartifact_pipenv.auth.authorization_token import AuthorizationToken
from codeartifact_pipenv.auth.token_shape import describe_non_token
from codeartifact_pipenv.checks.network.repository import Login, explain_refused_token
from codeartifact_pipenv.endpoint import Domain
from codeartifact_pipenv.sandbox.hosts import endpoint_for

if TYPE_CHECKING:
    from pathlib import Path

    from support.users import User

    from codeartifact_pipenv.sandbox.sandbox import Sandbox

PACKAGES = '[packages]\norb-common = "*"\n'


def part(size: int) -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(size)).rstrip(b"=").decode()


def a_token() -> str:
    """Return a token in the format that AWS uses today."""
    header = b'{"ver":1,"isu":1700000000,"enc":"A128GCM","tag":"eHh4","exp":%d}' % (
        time.time() + 3600
    )
    first = base64.urlsafe_b64encode(header).rstrip(b"=").decode()
    return ".".join([first, part(16), part(12), part(512), part(16)])


TOKEN = a_token()
JWT = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"
MISTAKES = {
    "whole answer": (json.dumps({"authorizationToken": TOKEN, "expiration": "x"}), "JSON"),
    "double quotes": (f'"{TOKEN}"', "quotation marks"),
    "command": ("$(aws codeartifact get-authorization-token --domain my-dom)", "command"),
    "None": ("None", "empty value"),
    "no credentials": ('Unable to locate credentials. Run "aws configure".', "message"),
    "no aws": ("bash: aws: command not found", "message"),
    "URL": (f"https://aws:{TOKEN}@host.example.org/simple/", "a URL"),
    "username": (f"aws:{TOKEN}", "username"),
    "Bearer": (f"Bearer {TOKEN}", "HTTP header"),
    "base64": (base64.b64encode(TOKEN.encode()).decode(), "base64"),
    "base64 of a login": (base64.b64encode(f"aws:{TOKEN}".encode()).decode(), "base64"),
    "key id": ("AKIAIOSFODNN7EXAMPLE", "id of an AWS access key"),
    "secret key": ("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "secret access key"),
    "secret key of the environment": ("k" * 40, "secret access key"),
    "session": ("IQoJb3JpZ2luX2VjEPT//////////wEaCXVzLWVhc3QtMSJ", "session token"),
    "GitHub": ("ghp_" + "a1B2" * 9, "GitHub"),
    "GitLab": ("glpat-" + "a1B2" * 5, "GitLab"),
    "PyPI": ("pypi-AgEIcHlwaS5vcmcCJDZ", "PyPI"),
    "npm": ("npm_" + "a1B2" * 9, "npm"),
    "JWT": (JWT, "another service"),
    "four parts": (TOKEN.rpartition(".")[0], "cut off"),
    "without its end": (TOKEN[:-8], "cut off"),
    "within the header": (TOKEN[:70], "cut off"),
    "10 MB": ("eyJ" + "a" * 10_000_000, "no request can carry"),
    "path": ("/run/secrets/codeartifact", "path of a file"),
    "changeme": ("changeme", "placeholder"),
    "YOUR_TOKEN": ("YOUR_TOKEN", "placeholder"),
    "variable": ("${CODEARTIFACT_AUTH_TOKEN}", "variable"),
    "expression": ("${{ secrets.TOKEN }}", "variable"),
    "assignment": (f"export CODEARTIFACT_AUTH_TOKEN={TOKEN}", "assignment"),
    "expiration": (f"{TOKEN}\t2030-01-01T00:00:00+00:00", "without --query"),
    "broken into lines": (f"{TOKEN[:80]}\n{TOKEN[80:]}", "lines"),
    "letters": ("t\N{LATIN SMALL LETTER O WITH DIAERESIS}ken-1", "unusual characters"),
    "words": ("two words", "spaces"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_value_that_is_not_a_token_is_described_without_quoting_it(name: str) -> None:
    value, kind = MISTAKES[name]
    description = describe_non_token(value, {"AWS_SECRET_ACCESS_KEY": "k" * 40})
    assert description is not None
    assert kind in description
    assert value[:12] not in description


@pytest.mark.parametrize(
    "value",
    [
        *("opaque", "eyJub3Q.readable", "eyJ9.a.b.c.d", "v2.local.abc-DEF_123", "a" * 4000),
        *(make() for make in (a_token, lambda: part(600)) for _ in range(20)),
    ],
)
def test_a_value_that_may_be_a_token_is_accepted(value: str) -> None:
    """AWS documents no format, so a value is refused only if it is known to be something else."""
    assert describe_non_token(value, {"AWS_SESSION_TOKEN": ""}) is None


@pytest.fixture
def pipfile(sandbox: Sandbox, project: Path) -> Path:
    return write_pipfile(project, source(sandbox.endpoint), PACKAGES)


@pytest.mark.wide
@pytest.mark.usefixtures("pipfile")
def test_wrapper_doctor_and_keyring_refuse_a_malformed_token(sandbox: Sandbox, user: User) -> None:
    """The value is not sent to AWS."""
    value, kind = MISTAKES["whole answer"]
    env = user.env | {TOKEN_VARIABLE: value}
    calls = Calls(sandbox)
    refused = user.run("lock", env=env)
    assert_error(refused, 2, "[token-malformed]", kind, f"export {TOKEN_VARIABLE}=$(aws ")
    assert "--domain my-dom --domain-owner 123456789012 --region us-east-1" in refused.stderr
    doctor = user.run("doctor", "--offline", env=env)
    assert "[token-malformed]" in doctor.stdout
    keyring = user.keyring(env=env)
    assert (keyring.status, keyring.stdout) == (1, "")
    assert kind in keyring.stderr
    for done in (refused, doctor, keyring):
        assert "Traceback" not in done.output
        assert value not in done.output
    assert calls.to_aws() == 0


@pytest.mark.wide
@pytest.mark.usefixtures("pipfile")
def test_a_malformed_token_in_dotenv_is_reported_with_its_line(user: User) -> None:
    """Following the hint does not lead to another error."""
    value, kind = MISTAKES["command"]
    dotenv = user.folder / ".env"
    dotenv.write_text(f"# ours\nA=1\nexport {TOKEN_VARIABLE}='{value}'\n")
    refused = user.run("lock")
    assert_error(refused, 2, "[token-malformed]", f"{dotenv}, line 3", kind)
    assert f"Remove {TOKEN_VARIABLE} from {dotenv}" in refused.stderr
    dotenv.write_text("A=1\n")
    assert user.run("doctor", "--offline").status == 0


@pytest.mark.parametrize(
    ("lines", "named", "advice"),
    [
        ("AWS_PROFILE=dev\n", "AWS_PROFILE in", "set `profile` in [tool.codeartifact-pipenv]"),
        ("AWS_ACCESS_KEY_ID=a\nAWS_SECRET_ACCESS_KEY=b\n", "AWS_SECRET_ACCESS_KEY", "Export AWS_"),
    ],
)
@pytest.mark.usefixtures("pipfile")
def test_credentials_in_dotenv_are_reported_as_read_too_late(
    lines: str, named: str, advice: str, user: User
) -> None:
    (user.folder / ".env").write_text(lines)
    refused = user.run("lock", env=without_credentials(user.env))
    assert_error(refused, 1, "[dotenv-aws]", named, "not read before pipenv starts", advice)
    assert "aws configure" not in refused.stderr


def test_hint_names_the_token_variable_of_the_url(sandbox: Sandbox, user: User) -> None:
    """It also names the option that ignores the variable."""
    team = source(sandbox.endpoint, "aws:${TEAM_TOKEN}@", "team")
    other = source(sandbox.endpoint, "aws:${OTHER_TOKEN}@", "other")
    write_pipfile(user.folder, team, other.replace("my-dom-", "other-dom-"), PACKAGES)
    env = without_credentials(user.env)
    refused = user.run("--ca-refresh", "lock", env=env)
    assert_error(refused, 1, "[no-credentials]", "TEAM_TOKEN", "But --ca-refresh ignores")
    assert TOKEN_VARIABLE not in refused.stderr


@pytest.mark.parametrize(
    ("origin", "renewal"),
    [
        ("/a (b)/.env (MY_TOKEN)", "Remove MY_TOKEN from /a (b)/.env so that"),
        ("the environment (MY_TOKEN)", "Unset MY_TOKEN so that"),
        ("cache", "--ca-refresh"),
        ("keyring backend a.B", "Make keyring backend a.B return"),
    ],
)
def test_hint_about_a_refused_token_fits_its_origin(origin: str, renewal: str) -> None:
    endpoint = endpoint_for(Domain("my-dom", "123456789012", "us-east-1"), "team")
    login = Login("ours", endpoint, AuthorizationToken.from_text(TOKEN, source=origin))
    found = explain_refused_token(login, (), Mock(), Mock(other_repositories=lambda _: ()))
    assert found.code == "token-revoked"
    assert renewal in found.hint
    assert ("--ca-refresh" in found.hint) == (origin == "cache")
