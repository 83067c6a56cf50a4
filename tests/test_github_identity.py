"""A GitHub Actions job assumes its role with its identity token, without another action."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support.identities import PASSWORD, github
from support.runs import Calls, assert_error, without_credentials
from support.sandbox import IDENTITY
from support.traces import files_with

if TYPE_CHECKING:
    from pathlib import Path

    from support.users import User

    from codeartifact_pipenv.sandbox.sandbox import Sandbox

pytestmark = pytest.mark.wide
ROLE = {"AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/ci"}


def test_wrapper_keyring_and_doctor_use_the_role_of_a_job(
    sandbox: Sandbox, user: User, tmp_path: Path
) -> None:
    """The name of the role is enough."""
    calls = Calls(sandbox)
    with github(ROLE | without_credentials(user.env)) as job:
        token = user.run("token", user.url, env=job.env)
        assert (token.status, token.stderr) == (0, "")
        assert user.keyring(env=job.env).stdout == token.stdout
        assert job.asked == [("/id?api=2&audience=sts.amazonaws.com", f"Bearer {PASSWORD}")]
        assert calls.count() == 1
        doctor = user.run("doctor", "--all", env=job.env)
    assert "assumed-role/ci/pipenv-ca-acme-app-77" in doctor.stdout
    for secret in (PASSWORD, IDENTITY):
        assert secret not in doctor.output
        assert files_with(secret, [tmp_path]) == []


def test_github_is_not_asked_with_other_credentials_or_without_a_role(user: User) -> None:
    with github(ROLE | user.env) as job:
        assert user.run("token", user.url, env=job.env).status == 0
        bare = without_credentials(job.env)
        del bare["AWS_ROLE_ARN"]
        assert_error(user.run("token", user.url, env=bare), 1, "[no-credentials]")
        assert job.asked == []


URL = "ACTIONS_ID_TOKEN_REQUEST_URL"


@pytest.mark.parametrize(
    ("status", "body", "changes", "reason"),
    [
        (403, b"{}", {}, "it answered with status 403"),
        (200, b"<html>", {}, "its answer does not contain one"),
        (200, b'{"value": null}', {}, "its answer does not contain one"),
        *(
            (200, b"", {URL: url}, "")
            for url in ("http://actions.example/id", "https://[::1]:1", "id")
        ),
    ],
)
def test_an_answer_or_address_without_an_identity_is_one_error(
    *, status: int, body: bytes, changes: dict[str, str], reason: str, user: User
) -> None:
    """The hint names the permission that the job needs; its password is not shown."""
    with github(ROLE | without_credentials(user.env), status, body) as job:
        done = user.run("token", user.url, env=job.env | changes)
    assert_error(done, 1, "[github-identity]", reason, "permissions: id-token: write")
    assert PASSWORD not in done.output


@pytest.mark.parametrize("variable", ["AWS_ROLE_ARN", "GITHUB_ACTIONS", URL])
def test_the_error_names_the_permission_that_a_job_lacks(variable: str, user: User) -> None:
    """Other jobs do not get this hint."""
    (user.folder / "Pipfile").write_text(f"[[source]]\nname = 'ca'\nurl = '{user.url}'\n")
    with github(ROLE | without_credentials(user.env) | {"GITHUB_ACTIONS": "true"}) as job:
        lacks = {variable, URL}
        env = {name: value for name, value in job.env.items() if name not in lacks}
        done = user.run("token", user.url, env=env)
        doctor = user.run("doctor", env=env)
        is_told = variable == URL
        assert_error(done, 1, "No AWS credentials were found")
        for output in (done.output, doctor.output):
            assert ("permissions: id-token: write" in output) == is_told
        keys = {name: value for name, value in user.env.items() if name.startswith("AWS_")}
        assert user.run("token", user.url, env=env | keys).status == 0
