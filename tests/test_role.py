"""The role setting and the settings of single domains."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support.identities import ROLE, github, section
from support.projects import source, write_pipfile
from support.runs import Calls, assert_error, without_credentials

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from support.users import User

    from codeartifact_pipenv.sandbox.sandbox import Sandbox

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
def test_doctor_shows_the_role_and_the_credentials_that_assume_it(
    sandbox: Sandbox, user: User, tmp_path: Path
) -> None:
    write_pipfile(user.folder, source(sandbox.endpoint), "[packages]\n")
    done = user.run("doctor", "--all", env=own_file(user.env, tmp_path, OF_DOMAIN.format(ROLE)))
    assert done.status == 0, done.output
    assert IN_ROLE in done.stdout
    assert f"from the environment, in role {ROLE}" in " ".join(done.stdout.split())


@wide
def test_each_domain_is_asked_with_its_profile_and_role(
    sandbox: Sandbox, user: User, tmp_path: Path
) -> None:
    """This holds for the token and for each other call."""
    far = sandbox.add_repository("team", domain="role-dom", owner=FAR_OWNER)
    config = tmp_path / "config"
    owners = {"near": "123456789012", "far": FAR_OWNER}
    profiles = (section(f"profile {n}", sandbox.administrator(o)) for n, o in owners.items())
    config.write_text("".join(profiles))
    text = (
        'domains.my-dom-123456789012.profile = "near"\n'
        f'[domains.role-dom-{FAR_OWNER}]\nprofile = "far"\nrole = "{ROLE}"\n'
    )
    sources = (source(sandbox.endpoint), source(far, "aws:${FAR_TOKEN}@", "far"))
    write_pipfile(user.folder, *sources, "[packages]\n")
    env = own_file(without_credentials(user.env), tmp_path, text)
    env["AWS_CONFIG_FILE"] = str(config)
    before, calls = len(sandbox.requests), Calls(sandbox)
    done = user.run("doctor", "--all", env=env)
    assert done.status == 0, done.output
    assert callers(sandbox, calls) == [sandbox.user.arn, IN_ROLE]
    asked = [each for each in sandbox.requests[before:] if each.name == "DescribeRepository"]
    assert len({each.credential for each in asked}) == 2
