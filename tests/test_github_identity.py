"""A GitHub Actions job assumes its role with its identity token, without another action."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support.files import files_with
from support.github import PASSWORD, Asked, github
from support.programs import PIPENV_CA, run
from support.runs import KEYRING, Calls, assert_error, without_credentials
from support.sandbox import IDENTITY

if TYPE_CHECKING:
    from pathlib import Path

    from codeartifact_pipenv.sandbox.sandbox import Sandbox

ROLE = {"AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/ci"}


@pytest.mark.wide
def test_wrapper_keyring_and_doctor_use_the_role_of_a_job(
    sandbox: Sandbox, sandbox_env: dict[str, str], tmp_path: Path
) -> None:
    """The name of the role is enough."""
    url = sandbox.endpoint.simple_url
    calls = Calls(sandbox)
    with github(ROLE | without_credentials(sandbox_env)) as job:
        token = run(PIPENV_CA, "token", url, env=job.env, cwd=tmp_path)
        assert (token.status, token.stderr) == (0, "")
        assert run(KEYRING, "get", url, "aws", env=job.env, cwd=tmp_path).stdout == token.stdout
        assert job.asked == [
            Asked("/id?api=2&audience=sts.amazonaws.com", f"Bearer {PASSWORD}"),
        ]
        assert calls.count() == 1
        doctor = run(PIPENV_CA, "doctor", "--all", env=job.env, cwd=tmp_path)
    assert "assumed-role/ci/pipenv-ca-acme-app-77" in doctor.stdout
    for secret in (PASSWORD, IDENTITY):
        assert secret not in doctor.output
        assert files_with(secret, [tmp_path]) == []


@pytest.mark.wide
def test_github_is_not_asked_with_other_credentials_or_without_a_role(
    sandbox: Sandbox, sandbox_env: dict[str, str], tmp_path: Path
) -> None:
    words = (PIPENV_CA, "token", sandbox.endpoint.simple_url)
    with github(ROLE | sandbox_env) as job:
        assert run(*words, env=job.env, cwd=tmp_path).status == 0
        bare = without_credentials(job.env)
        del bare["AWS_ROLE_ARN"]
        assert_error(run(*words, env=bare, cwd=tmp_path), 1, "[no-credentials]")
        assert job.asked == []


@pytest.mark.wide
@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (403, b"{}", "it answered with status 403"),
        (200, b"<html>", "its answer does not contain one"),
        (200, b'{"value": null}', "its answer does not contain one"),
        (200, b"[]", "its answer does not contain one"),
    ],
)
def test_a_github_answer_without_an_identity_is_reported(
    status: int,
    body: bytes,
    reason: str,
    sandbox: Sandbox,
    sandbox_env: dict[str, str],
    tmp_path: Path,
) -> None:
    """The hint names the permission that the job needs."""
    with github(ROLE | without_credentials(sandbox_env), status, body) as job:
        done = run(PIPENV_CA, "token", sandbox.endpoint.simple_url, env=job.env, cwd=tmp_path)
    assert_error(done, 1, "[github-identity]", reason, "permissions: id-token: write")
    assert PASSWORD not in done.output


@pytest.mark.wide
@pytest.mark.parametrize(
    "url", ["http://actions.example/id", "https://127.0.0.1:1/id", "ftp://127.0.0.1/id", "id"]
)
def test_an_unusable_identity_address_is_one_error(
    url: str, sandbox: Sandbox, sandbox_env: dict[str, str], tmp_path: Path
) -> None:
    """The password of the job is not shown."""
    with github(ROLE | without_credentials(sandbox_env)) as job:
        env = job.env | {"ACTIONS_ID_TOKEN_REQUEST_URL": url}
        done = run(PIPENV_CA, "token", sandbox.endpoint.simple_url, env=env, cwd=tmp_path)
    assert_error(done, 1, "[github-identity]")
    assert PASSWORD not in done.output


@pytest.mark.wide
@pytest.mark.parametrize(
    "variable", ["AWS_ROLE_ARN", "GITHUB_ACTIONS", "ACTIONS_ID_TOKEN_REQUEST_URL"]
)
def test_the_error_names_the_permission_that_a_job_lacks(
    variable: str, sandbox: Sandbox, sandbox_env: dict[str, str], tmp_path: Path
) -> None:
    """Other jobs do not get this hint."""
    url = sandbox.endpoint.simple_url
    (tmp_path / "Pipfile").write_text(f"[[source]]\nname = 'ca'\nurl = '{url}'\n")
    with github(ROLE | without_credentials(sandbox_env) | {"GITHUB_ACTIONS": "true"}) as job:
        lacks = {variable, "ACTIONS_ID_TOKEN_REQUEST_URL"}
        env = {name: value for name, value in job.env.items() if name not in lacks}
        done = run(PIPENV_CA, "token", url, env=env, cwd=tmp_path)
        doctor = run(PIPENV_CA, "doctor", env=env, cwd=tmp_path)
        is_told = variable == "ACTIONS_ID_TOKEN_REQUEST_URL"
        assert_error(done, 1, "No AWS credentials were found")
        for output in (done.output, doctor.output):
            assert ("permissions: id-token: write" in output) == is_told
        keys = {name: value for name, value in sandbox_env.items() if name.startswith("AWS_")}
        assert run(PIPENV_CA, "token", url, env=env | keys, cwd=tmp_path).status == 0
