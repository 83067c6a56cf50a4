"""The role that a token is requested with: of the settings, of a domain, of a GitHub Actions job."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support.github import PASSWORD, github
from support.projects import source, write_pipfile
from support.runs import Calls, assert_error, without_credentials
from support.sandbox import IDENTITY
from support.traces import files_with
from support.workspace import section

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from support.users import User

    from codeartifact_pipenv.sandbox.sandbox import Sandbox

ROLE = "arn:aws:iam::123456789012:role/team/reader"
OTHER_ROLE = "arn:aws:iam::123456789012:role/writer"
IN_ROLE = "arn:aws:sts::123456789012:assumed-role/reader/pipenv-ca"
FAR_OWNER = "210987654321"
# A line of the user's settings file.
OF_DOMAIN = "domains.my-dom-123456789012.role = '{}'\n"
PLACE = "--domain my-dom --repository team"
wide = pytest.mark.wide


def callers(sandbox: Sandbox, calls: Calls) -> list[str]:
    """Return the ARNs that requested a token."""
    found = (sandbox._identities.find(key or "") for key in calls.callers())
    return [each.arn if each else "nobody" for each in found]


def own_file(env: Mapping[str, str], folder: Path, text: str) -> dict[str, str]:
    """Write the user's settings file; return the environment that names it."""
    path = folder / "own.toml"
    path.write_text(text)
    return {**env, "PIPENV_CA_CONFIG": str(path)}


@pytest.mark.parametrize(
    ("option", "text"),
    [
        pytest.param(ROLE, OF_DOMAIN.format(OTHER_ROLE), marks=wide, id="option"),
        pytest.param("", f"role = '{OTHER_ROLE}'\n{OF_DOMAIN.format(ROLE)}", id="domain"),
    ],
)
def test_the_token_is_requested_by_the_configured_role(
    *, option: str, text: str, sandbox: Sandbox, user: User, tmp_path: Path
) -> None:
    calls = Calls(sandbox)
    options = ("--ca-role", option) if option else ()
    done = user.run(*options, "token", user.url, env=own_file(user.env, tmp_path, text))
    assert (done.status, done.stderr) == (0, "")
    assert callers(sandbox, calls) == [IN_ROLE]


@wide
def test_a_cached_token_is_used_only_by_the_role_that_requested_it(
    sandbox: Sandbox, user: User
) -> None:
    calls = Calls(sandbox)
    for role in ("", ROLE, OTHER_ROLE) * 2:
        done = user.keyring(env=user.env | {"PIPENV_CA_ROLE": role})
        assert (done.status, done.stderr) == (0, "")
    in_roles = [IN_ROLE, IN_ROLE.replace("reader", "writer")]
    assert callers(sandbox, calls) == [sandbox.user.arn, *in_roles]


@wide
def test_a_github_job_assumes_the_configured_role_directly(sandbox: Sandbox, user: User) -> None:
    before = len(sandbox.requests)
    with github(without_credentials(user.env) | {"PIPENV_CA_ROLE": ROLE}) as job:
        done = user.run("token", user.url, env=job.env)
    assert (done.status, done.stderr) == (0, "")
    names = [each.name for each in sandbox.requests[before:] if each.host.startswith("sts.")]
    assert names == ["AssumeRoleWithWebIdentity"]


@wide
@pytest.mark.parametrize("kind", ["profile", "keyringrc.cfg", "web identity"])
def test_the_role_is_assumed_with_the_credentials_otherwise_used(
    kind: str, sandbox: Sandbox, user: User, tmp_path: Path
) -> None:
    keys = sandbox.administrator(FAR_OWNER)
    path = tmp_path / "python_keyring" / "keyringrc.cfg"
    path.parent.mkdir()
    env = without_credentials(user.env) | {"PIPENV_CA_ROLE": ROLE}
    if kind == "profile":
        path.write_text(section("profile far", keys))
        env |= {"PIPENV_CA_PROFILE": "far", "AWS_CONFIG_FILE": str(path)}
    elif kind == "keyringrc.cfg":
        path.write_text(section("codeartifact", keys))
        env["XDG_CONFIG_HOME"] = str(tmp_path)
    else:
        path.write_text("the identity of a job")
        env |= {"AWS_WEB_IDENTITY_TOKEN_FILE": str(path), "AWS_ROLE_ARN": OTHER_ROLE}
    before, calls = len(sandbox.requests), Calls(sandbox)
    done = user.run("token", user.url, env=env)
    assert (done.status, done.stderr) == (0, "")
    assert callers(sandbox, calls) == [IN_ROLE]
    (assumed,) = [each for each in sandbox.requests[before:] if each.name == "AssumeRole"]
    first = "ASIA" if kind == "web identity" else keys.access_key_id
    assert str(assumed.credential).startswith(first)


def test_a_project_may_not_set_the_role(sandbox: Sandbox, user: User) -> None:
    """AWS is not asked."""
    write_pipfile(user.folder, "[packages]\n")
    (user.folder / "pyproject.toml").write_text(f"[tool.codeartifact-pipenv]\nrole = '{ROLE}'\n")
    calls = Calls(sandbox)
    done = user.run("lock")
    assert_error(done, 2, "sets role, which a project may not choose", "PIPENV_CA_ROLE")
    assert calls.to_aws() == 0


@wide
@pytest.mark.parametrize("line", ["token URL", f"provision policy reader {PLACE}"])
def test_error_names_the_role_that_may_not_be_assumed(
    line: str, sandbox: Sandbox, user: User
) -> None:
    """It also names the caller and the trust policy."""
    words = line.replace("URL", user.url).split()
    env = user.env | {"PIPENV_CA_ROLE": ROLE, "AWS_REGION": "us-east-1"}
    sandbox.deny("sts:AssumeRole")
    try:
        done = user.run(*words, env=env)
    finally:
        sandbox.allow("sts:AssumeRole")
    assert_error(done, 1, "[assume-role-denied]", ROLE, sandbox.user.arn, "trust policy")


@wide
@pytest.mark.parametrize(
    "line",
    ["packages URL", f"provision {PLACE} --dry-run", f"provision protect acme-x {PLACE} --dry-run"],
)
def test_packages_and_provision_make_all_calls_in_the_role(
    line: str, sandbox: Sandbox, user: User
) -> None:
    """The keys of the user only assume the role."""
    words = line.replace("URL", user.url).split()
    env = user.env | {"PIPENV_CA_ROLE": ROLE, "AWS_REGION": "us-east-1"}
    before = len(sandbox.requests)
    done = user.run(*words, env=env)
    assert done.status == 0, done.output
    asked = [each for each in sandbox.requests[before:] if each.method != "CONNECT"]
    directly = {each.name for each in asked if each.credential == sandbox.user.access_key_id}
    assert directly == {"AssumeRole"}
    assert len(asked) > 1


@wide
def test_each_domain_is_asked_with_its_profile_and_role(
    sandbox: Sandbox, user: User, tmp_path: Path
) -> None:
    """This holds for the token and for each other call. doctor shows both."""
    far = sandbox.add_repository("team", domain="role-dom", owner=FAR_OWNER)
    config = tmp_path / "config"
    owners = {"near": "123456789012", "far": FAR_OWNER}
    profiles = (section(f"profile {n}", sandbox.administrator(o)) for n, o in owners.items())
    config.write_text("".join(profiles))
    text = (
        'domains.my-dom-123456789012.profile = "near"\n'
        f'[domains.role-dom-{FAR_OWNER}]\nprofile = "far"\nrole = "{ROLE}"\n'
    )
    sources = (source(far, "aws:${FAR_TOKEN}@", "far"), source(sandbox.endpoint))
    write_pipfile(user.folder, *sources, "[packages]\n")
    env = own_file(without_credentials(user.env), tmp_path, text)
    env["AWS_CONFIG_FILE"] = str(config)
    before, calls = len(sandbox.requests), Calls(sandbox)
    done = user.run("doctor", "--all", env=env)
    assert done.status == 0, done.output
    assert IN_ROLE in done.stdout
    assert f"profile far, in role {ROLE}" in " ".join(done.stdout.split())
    assert callers(sandbox, calls) == [IN_ROLE, sandbox.user.arn]
    asked = [each for each in sandbox.requests[before:] if each.name == "DescribeRepository"]
    assert len({each.credential for each in asked}) == 2


# --- the identity token of a GitHub Actions job, without another action --------------------

JOB = {"AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/ci"}
URL = "ACTIONS_ID_TOKEN_REQUEST_URL"


@wide
def test_wrapper_keyring_and_doctor_use_the_role_of_a_job(
    sandbox: Sandbox, user: User, tmp_path: Path
) -> None:
    """The name of the role is enough."""
    calls = Calls(sandbox)
    with github(JOB | without_credentials(user.env)) as job:
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


@wide
def test_github_is_not_asked_with_other_credentials_or_without_a_role(user: User) -> None:
    with github(JOB | user.env) as job:
        assert user.run("token", user.url, env=job.env).status == 0
        bare = without_credentials(job.env)
        del bare["AWS_ROLE_ARN"]
        assert_error(user.run("token", user.url, env=bare), 1, "[no-credentials]")
        assert job.asked == []


@wide
@pytest.mark.parametrize(
    ("status", "body", "changes", "reason"),
    [
        (403, b"{}", {}, "it answered with status 403"),
        (200, b"<html>", {}, "its answer does not contain one"),
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
    with github(JOB | without_credentials(user.env), status, body) as job:
        done = user.run("token", user.url, env=job.env | changes)
    assert_error(done, 1, "[github-identity]", reason, "permissions: id-token: write")
    assert PASSWORD not in done.output


@wide
@pytest.mark.parametrize("variable", ["AWS_ROLE_ARN", "GITHUB_ACTIONS", URL])
def test_the_error_names_the_permission_that_a_job_lacks(variable: str, user: User) -> None:
    """Other jobs do not get this hint."""
    (user.folder / "Pipfile").write_text(f"[[source]]\nname = 'ca'\nurl = '{user.url}'\n")
    with github(JOB | without_credentials(user.env) | {"GITHUB_ACTIONS": "true"}) as job:
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
