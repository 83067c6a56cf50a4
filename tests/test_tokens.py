"""Where a token comes from, for both entry points: the environment, the cache, AWS."""

from __future__ import annotations

import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest
from botocore.config import Config
from support.files import files_below, files_with
from support.programs import PIPENV_CA, SCRIPTS, run
from support.projects import source, write_pipfile
from support.runs import (
    GET_TOKEN,
    KEYRING,
    TOKEN_VARIABLE,
    Calls,
    StandIn,
    assert_error,
    expired_token,
    get_token,
    started,
    without_credentials,
)
from support.sandbox import IDENTITY
from support.sandbox import get_token as issued_token

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from codeartifact_pipenv.sandbox.sandbox import Sandbox

PACKAGES = '[packages]\norb-common = "*"\n'
ROLE = "arn:aws:iam::123456789012:role/developer"
CI_ROLE = "arn:aws:iam::123456789012:role/ci"
TWELVE_HOURS = 43200


@pytest.fixture
def pipfile(sandbox: Sandbox, project: Path) -> Path:
    """Return the Pipfile of a project on the sandbox."""
    return write_pipfile(project, source(sandbox.endpoint), PACKAGES)


@pytest.fixture
def stand_in(tmp_path: Path) -> StandIn:
    """Return a program that runs instead of pipenv."""
    return StandIn(tmp_path / "other")


@pytest.fixture
def life(sandbox: Sandbox) -> Iterator[Sandbox]:
    """Return the sandbox, and reset its token lifetime after the test."""
    yield sandbox
    sandbox.token_life = None


@pytest.fixture
def config(sandbox_env: dict[str, str], tmp_path: Path) -> Path:
    """Return the path of the AWS configuration file that the environment names."""
    path = tmp_path / "aws-config"
    sandbox_env["AWS_CONFIG_FILE"] = str(path)
    return path


@pytest.fixture(scope="module")
def second_key(sandbox: Sandbox) -> dict[str, str]:
    """Return the access key of another user of the account, as IAM made it."""
    env = sandbox.environ()
    client = botocore.session.Session().create_client(
        "iam",
        region_name="us-east-1",
        aws_access_key_id=sandbox.user.access_key_id,
        aws_secret_access_key=sandbox.user.secret_access_key,
        verify=env["AWS_CA_BUNDLE"],
        config=Config(proxies={"https": env["HTTPS_PROXY"]}),
    )
    try:
        client.create_user(UserName="colleague")
        key: dict[str, str] = client.create_access_key(UserName="colleague")["AccessKey"]
    finally:
        client.close()
    return key


def keys_of(sandbox: Sandbox) -> str:
    """Return the two lines of a profile that hold the sandbox's keys."""
    user = sandbox.user
    return (
        f"aws_access_key_id = {user.access_key_id}\n"
        f"aws_secret_access_key = {user.secret_access_key}\n"
    )


def describe(sandbox: Sandbox, env: Mapping[str, str], cwd: Path, *options: str) -> dict[str, Any]:
    """Return the output of `token --json`."""
    words = (PIPENV_CA, *options, "token", "--json", sandbox.endpoint.simple_url)
    got = run(*words, env=env, cwd=cwd)
    assert got.status == 0, got.output
    assert got.stderr == ""
    found: dict[str, Any] = json.loads(got.stdout)
    return found


def life_of(described: Mapping[str, Any]) -> float:
    """Return the seconds until a described token expires."""
    end = datetime.fromisoformat(described["expires_at"])
    return (end - datetime.now(timezone.utc)).total_seconds()


# --- the order ---------------------------------------------------------------------------


# The token in the environment, whether to refresh, and the token that is expected.
ORDER = [
    ("nothing", False, "cached"),
    ("live", False, "live"),
    ("expired", False, "cached"),
    ("live", True, "new"),
    ("nothing", False, "cached"),
]


@pytest.mark.wide
@pytest.mark.parametrize("entry", ["pipenv-ca", "keyring"])
def test_environment_token_wins_over_cache_and_cache_over_aws(
    entry: str, sandbox: Sandbox, sandbox_env: dict[str, str], tmp_path: Path
) -> None:
    """`refresh` skips both and asks AWS. An expired token in the environment is skipped."""
    words = {
        "pipenv-ca": (PIPENV_CA, "token", sandbox.endpoint.simple_url),
        "keyring": (KEYRING, "get", sandbox.endpoint.simple_url, "aws"),
    }[entry]
    handed_over = {
        "nothing": {},
        "live": {TOKEN_VARIABLE: issued_token(sandbox)},
        "expired": {TOKEN_VARIABLE: expired_token(sandbox)},
    }
    tokens = {"live": handed_over["live"][TOKEN_VARIABLE]}
    tokens["cached"] = run(*words, env=sandbox_env, cwd=tmp_path).stdout.strip()
    for what, refresh, wanted in ORDER:
        env = sandbox_env | handed_over[what] | ({"PIPENV_CA_REFRESH": "1"} if refresh else {})
        calls = Calls(sandbox)
        got = run(*words, env=env, cwd=tmp_path).stdout.strip()
        if wanted == "new":
            assert got not in {"", *tokens.values()}
            tokens["cached"] = got
        assert got == tokens.get(wanted, got), (what, refresh, wanted)
        assert calls.count() == (wanted == "new"), (what, refresh, wanted)
    last = run(*words, env=without_credentials(sandbox_env) | handed_over["live"], cwd=tmp_path)
    assert last == (0, f"{tokens['live']}\n", ""), "a token in the environment needs no AWS"


def test_processes_that_start_together_make_one_call_to_aws(
    sandbox: Sandbox, sandbox_env: dict[str, str], tmp_path: Path
) -> None:
    """Processes of both entry points that start at once make one call to AWS."""
    del sandbox_env["PIPENV_CA_CACHE_DIR"]
    calls = Calls(sandbox)
    entries = (
        [PIPENV_CA, "token", sandbox.endpoint.simple_url],
        [KEYRING, "get", sandbox.endpoint.simple_url, "aws"],
        [KEYRING, "get", sandbox.endpoint.host, "aws"],
    )
    processes = [
        subprocess.Popen(
            entries[number % 3],
            env=sandbox_env,
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(9)
    ]
    outputs = [process.communicate(timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0] * 9, outputs
    assert len(set(outputs)) == 1, outputs
    assert outputs[0][1] == ""
    assert calls.count() == 1


# --- the cache ---------------------------------------------------------------------------


def test_only_the_owner_can_read_the_token_cache(
    sandbox: Sandbox, sandbox_env: dict[str, str], tmp_path: Path
) -> None:
    """The umask does not change the modes of the folder and its files."""
    words = ("sh", "-c", 'umask 0; exec "$0" "$@"', PIPENV_CA, "token", sandbox.endpoint.url)
    token = run(*words, env=sandbox_env, cwd=tmp_path).stdout.strip()
    folder = tmp_path / "tokens"
    assert folder.stat().st_mode & 0o777 == 0o700
    (kept,) = files_with(token, [tmp_path])
    assert kept.parent == folder
    assert {path.stat().st_mode & 0o777 for path in files_below(folder)} == {0o600}


@pytest.mark.wide
def test_each_access_key_has_a_cached_token(
    sandbox: Sandbox, sandbox_env: dict[str, str], second_key: dict[str, str], tmp_path: Path
) -> None:
    """Another access key does not get the token of the first one, and does not replace it."""
    other_env = sandbox_env | {
        "AWS_ACCESS_KEY_ID": second_key["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": second_key["SecretAccessKey"],
    }
    calls = Calls(sandbox)
    first = get_token(sandbox, sandbox_env, tmp_path)
    second = get_token(sandbox, other_env, tmp_path)
    assert first != second
    assert get_token(sandbox, sandbox_env, tmp_path) == first
    assert get_token(sandbox, other_env, tmp_path) == second
    assert calls.callers() == [sandbox.user.access_key_id, second_key["AccessKeyId"]]


@pytest.mark.wide
def test_a_profile_with_a_new_role_gets_a_new_token(
    sandbox: Sandbox, sandbox_env: dict[str, str], config: Path, tmp_path: Path
) -> None:
    env = without_credentials(sandbox_env) | {"AWS_PROFILE": "dev"}
    base = f"[profile base]\n{keys_of(sandbox)}"
    tokens = set()
    for role in (ROLE, f"{ROLE}-2"):
        config.write_text(f"{base}[profile dev]\nrole_arn = {role}\nsource_profile = base\n")
        tokens.add(get_token(sandbox, env, tmp_path))
        tokens.add(get_token(sandbox, env, tmp_path))
    assert len(tokens) == 2


@pytest.mark.wide
def test_ca_duration_sets_the_token_lifetime(
    sandbox: Sandbox, sandbox_env: dict[str, str], tmp_path: Path
) -> None:
    """A cached token with another lifetime is not reused."""
    calls = Calls(sandbox)
    assert 840 < life_of(describe(sandbox, sandbox_env, tmp_path, "--ca-duration", "900")) <= 900
    long = describe(sandbox, sandbox_env, tmp_path)
    assert TWELVE_HOURS - 60 < life_of(long) <= TWELVE_HOURS
    env = sandbox_env | {"PIPENV_CA_DURATION": "3600"}
    assert 3540 < life_of(describe(sandbox, env, tmp_path)) <= 3600
    assert calls.count() == 3


def test_duration_zero_ends_the_token_with_the_role_session(
    sandbox: Sandbox, sandbox_env: dict[str, str], config: Path, tmp_path: Path
) -> None:
    config.write_text(
        f"[profile base]\n{keys_of(sandbox)}"
        f"[profile dev]\nrole_arn = {ROLE}\nsource_profile = base\nduration_seconds = 1800\n"
    )
    env = without_credentials(sandbox_env) | {"AWS_PROFILE": "dev"}
    got = describe(sandbox, env, tmp_path, "--ca-duration", "0")
    assert 1700 < life_of(got) <= 1800


@pytest.mark.parametrize("duration", ["60", "43201", "-1", "an hour", ""])
def test_a_duration_outside_the_aws_limits_is_refused(
    duration: str, sandbox: Sandbox, sandbox_env: dict[str, str], tmp_path: Path
) -> None:
    """The error states the limits."""
    words = (PIPENV_CA, f"--ca-duration={duration}", "token", sandbox.endpoint.url)
    assert_error(run(*words, env=sandbox_env, cwd=tmp_path), 2, "--ca-duration", "900 to 43200")


@pytest.mark.wide
def test_a_token_past_half_its_lifetime_is_renewed(
    life: Sandbox, sandbox_env: dict[str, str], tmp_path: Path
) -> None:
    life.token_life = 2
    first = get_token(life, sandbox_env, tmp_path)
    assert get_token(life, sandbox_env, tmp_path) == first
    time.sleep(1)
    assert get_token(life, sandbox_env, tmp_path) != first


@pytest.mark.wide
@pytest.mark.shows_token("files")
def test_a_readable_or_linked_token_file_is_ignored(
    sandbox: Sandbox, sandbox_env: dict[str, str], tmp_path: Path
) -> None:
    """A token file that other users can read, or that is a link, is not used."""
    first = get_token(sandbox, sandbox_env, tmp_path)
    (kept,) = files_with(first, [tmp_path / "tokens"])
    kept.chmod(0o644)
    second = get_token(sandbox, sandbox_env, tmp_path)
    assert second != first
    elsewhere = tmp_path / "elsewhere"
    shutil.move(kept, elsewhere)
    kept.symlink_to(elsewhere)
    assert get_token(sandbox, sandbox_env, tmp_path) != second


@pytest.mark.wide
@pytest.mark.parametrize("trouble", ["a file", "no such device", "read-only", "read-only home"])
def test_commands_work_when_the_cache_cannot_be_written(
    trouble: str, sandbox: Sandbox, sandbox_env: dict[str, str], home: Path, tmp_path: Path
) -> None:
    """Each command then asks AWS."""
    folder = tmp_path / "tokens"
    prefix: tuple[str, ...] = ()
    if trouble == "a file":
        folder.write_text("")
    elif trouble == "no such device":
        sandbox_env["PIPENV_CA_CACHE_DIR"] = "/proc/tokens"
    elif trouble == "read-only":
        folder.mkdir()
        folder.chmod(0o500)
        prefix = as_an_ordinary_user()
    else:
        home.chmod(0o500)
        del sandbox_env["PIPENV_CA_CACHE_DIR"]
        prefix = as_an_ordinary_user()
    calls = Calls(sandbox)
    for _ in range(2):
        words = (*prefix, PIPENV_CA, "token", sandbox.endpoint.url)
        got = run(*words, env=sandbox_env, cwd=tmp_path)
        assert (got.status, got.stderr) == (0, "")
        assert len(got.stdout) > 100
    assert calls.count() == 2


def test_mode_of_an_existing_cache_folder_is_not_changed(
    sandbox: Sandbox, sandbox_env: dict[str, str], tmp_path: Path
) -> None:
    """A cache-dir that names a shared folder, such as /tmp, keeps its mode."""
    folder = tmp_path / "tokens"
    folder.mkdir()
    folder.chmod(0o1777)
    get_token(sandbox, sandbox_env, tmp_path)
    assert folder.stat().st_mode & 0o7777 == 0o1777


def as_an_ordinary_user() -> tuple[str, ...]:
    """Return a command prefix that makes file modes apply to root too."""
    if os.geteuid() != 0:
        return ()
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("root can write everywhere, and there is no setpriv")
    return (setpriv, "--bounding-set=-dac_override,-dac_read_search")


def test_commands_work_without_a_home_folder(
    sandbox: Sandbox, sandbox_env: dict[str, str], tmp_path: Path
) -> None:
    """Without a home folder nothing is cached, unless XDG_CACHE_HOME is set."""
    del sandbox_env["PIPENV_CA_CACHE_DIR"]
    sandbox_env["HOME"] = "nowhere"
    calls = Calls(sandbox)
    get_token(sandbox, sandbox_env, tmp_path)
    get_token(sandbox, sandbox_env, tmp_path)
    assert calls.count() == 2
    # XDG_CACHE_HOME is used without a home folder.
    del sandbox_env["HOME"]
    sandbox_env["XDG_CACHE_HOME"] = str(tmp_path / "xdg")
    token = get_token(sandbox, sandbox_env, tmp_path)
    assert get_token(sandbox, sandbox_env, tmp_path) == token
    assert files_with(token, [tmp_path / "xdg" / "codeartifact-pipenv"])


# --- token from the environment -------------------------------------------------------------------------


@pytest.mark.usefixtures("pipfile")
def test_an_expired_environment_token_is_replaced_with_a_warning(
    sandbox: Sandbox, sandbox_env: dict[str, str], project: Path, tmp_path: Path, stand_in: StandIn
) -> None:
    env = sandbox_env | {TOKEN_VARIABLE: expired_token(sandbox)}
    words = (PIPENV_CA, "--ca-pipenv", stand_in.path, "--ca-route", "as-written", "lock")
    done = run(*words, env=env, cwd=project)
    assert done.status == 0
    warning = f"warning: The token from the environment ({TOKEN_VARIABLE}) expired 1 hour ago; "
    assert done.stderr == f"{warning}a new one is used. [token-expired]\n"
    given = stand_in.record["environ"][TOKEN_VARIABLE]
    assert given == get_token(sandbox, sandbox_env, tmp_path)
    failed = run(*words, env=without_credentials(env), cwd=project)
    assert_error(failed, 1, "No AWS credentials")
    assert failed.stderr.startswith(warning)


@pytest.mark.usefixtures("pipfile")
def test_a_token_that_ends_within_a_minute_is_replaced_if_possible(
    sandbox: Sandbox, sandbox_env: dict[str, str], project: Path, tmp_path: Path, stand_in: StandIn
) -> None:
    """A warning is printed in both cases."""
    sandbox.token_life = 50
    try:
        ending = get_token(sandbox, sandbox_env, tmp_path, "--ca-no-cache")
    finally:
        sandbox.token_life = None
    env = sandbox_env | {TOKEN_VARIABLE: ending}
    words = (PIPENV_CA, "--ca-pipenv", stand_in.path, "--ca-route", "as-written", "lock")
    warning = f"warning: The token from the environment ({TOKEN_VARIABLE}) ends within a minute"
    done = run(*words, env=env, cwd=project)
    assert (done.status, done.stderr) == (0, f"{warning}; a new token is used. [token-expired]\n")
    given = stand_in.record["environ"][TOKEN_VARIABLE]
    assert given == get_token(sandbox, sandbox_env, tmp_path) != ending
    done = run(*words, env=without_credentials(env), cwd=project)
    assert done.stderr == f"{warning}, and another could not be obtained. [token-expired]\n"
    assert stand_in.record["environ"][TOKEN_VARIABLE] == ending


@pytest.mark.usefixtures("pipfile")
def test_an_opaque_token_is_used_and_one_with_blanks_is_refused(
    sandbox_env: dict[str, str], project: Path, stand_in: StandIn
) -> None:
    env = without_credentials(sandbox_env)
    words = (PIPENV_CA, "--ca-pipenv", stand_in.path, "--ca-route", "as-written", "lock")
    for token in ("opaque", "eyJub3Q.readable"):
        done = run(*words, env=env | {TOKEN_VARIABLE: token}, cwd=project)
        assert (done.status, done.stderr) == (0, "")
        assert stand_in.record["environ"][TOKEN_VARIABLE] == token
    refused = run(*words, env=env | {TOKEN_VARIABLE: "two words"}, cwd=project)
    assert_error(refused, 2, TOKEN_VARIABLE)


@pytest.mark.usefixtures("pipfile")
def test_a_live_token_in_dotenv_is_used_and_a_dead_one_refused(
    sandbox: Sandbox, sandbox_env: dict[str, str], project: Path, tmp_path: Path, stand_in: StandIn
) -> None:
    """The command stops before pipenv loads an expired or empty token from .env."""
    live = get_token(sandbox, sandbox_env, tmp_path, "--ca-no-cache")
    dead = expired_token(sandbox)
    words = (PIPENV_CA, "--ca-pipenv", stand_in.path, "--ca-route", "as-written", "lock")
    dotenv = project / ".env"
    dotenv.write_text(f"{TOKEN_VARIABLE}={live}\n")
    done = run(*words, env=without_credentials(sandbox_env), cwd=project)
    assert (done.status, done.stderr) == (0, "")
    assert stand_in.record["environ"][TOKEN_VARIABLE] == live
    for text, trouble in (
        (f'export {TOKEN_VARIABLE}="{dead}"\n', "expired 1 hour ago"),
        (f"{TOKEN_VARIABLE}=\n", "to nothing"),
    ):
        dotenv.write_text(text)
        refused = run(*words, env=sandbox_env | {TOKEN_VARIABLE: live}, cwd=project)
        assert_error(refused, 2, str(dotenv), trouble, "PIPENV_DONT_LOAD_ENV=1")
        cured = sandbox_env | {"PIPENV_DONT_LOAD_ENV": "1"}
        assert run(*words, env=cured, cwd=project).status == 0
        assert stand_in.record["environ"][TOKEN_VARIABLE] not in {live, dead, ""}


# --- credentials ----------------------------------------------------------------------------


def test_a_profile_with_a_role_asks_sts_once_for_it(
    sandbox: Sandbox, sandbox_env: dict[str, str], config: Path, tmp_path: Path
) -> None:
    """The role, not the user, requests the token."""
    config.write_text(
        f"[profile base]\n{keys_of(sandbox)}"
        f"[profile dev]\nrole_arn = {ROLE}\nsource_profile = base\n"
    )
    calls = Calls(sandbox)
    env = without_credentials(sandbox_env)
    get_token(sandbox, env, tmp_path, "--ca-profile", "dev")
    get_token(sandbox, env, tmp_path, "--ca-profile", "dev", "--ca-refresh")
    assert calls.count("AssumeRole") == 1
    assert len(set(calls.callers())) == 1
    assert sandbox.user.access_key_id not in calls.callers()


@pytest.mark.wide
def test_a_credential_process_supplies_the_keys(
    sandbox: Sandbox, sandbox_env: dict[str, str], config: Path, tmp_path: Path
) -> None:
    user = sandbox.user
    answer = {
        "Version": 1,
        "AccessKeyId": user.access_key_id,
        "SecretAccessKey": user.secret_access_key,
    }
    (tmp_path / "keys.json").write_text(json.dumps(answer))
    config.write_text(f"[default]\ncredential_process = cat {tmp_path / 'keys.json'}\n")
    calls = Calls(sandbox)
    get_token(sandbox, without_credentials(sandbox_env), tmp_path)
    assert calls.callers() == [user.access_key_id]


def test_a_web_identity_role_gets_a_token_without_keys(
    sandbox: Sandbox, sandbox_env: dict[str, str], tmp_path: Path
) -> None:
    identity = tmp_path / "identity"
    identity.write_text(IDENTITY)
    env = without_credentials(sandbox_env) | {
        "AWS_ROLE_ARN": CI_ROLE,
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(identity),
        "AWS_ROLE_SESSION_NAME": "ci",
    }
    calls = Calls(sandbox)
    get_token(sandbox, env, tmp_path)
    assert calls.count("AssumeRoleWithWebIdentity") == 1
    assert calls.count() == 1


@pytest.mark.wide
@pytest.mark.usefixtures("pipfile")
def test_profile_comes_from_option_then_variable_then_project_then_user(
    *,
    sandbox: Sandbox,
    sandbox_env: dict[str, str],
    second_key: dict[str, str],
    config: Path,
    home: Path,
    project: Path,
) -> None:
    profiles = {
        "right": keys_of(sandbox),
        "other": f"aws_access_key_id = {second_key['AccessKeyId']}\n"
        f"aws_secret_access_key = {second_key['SecretAccessKey']}\n",
    }
    config.write_text("".join(f"[profile {name}]\n{keys}" for name, keys in profiles.items()))
    env = without_credentials(sandbox_env)
    own = home / ".config" / "codeartifact-pipenv" / "config.toml"
    own.parent.mkdir(parents=True)
    pyproject = project / "pyproject.toml"

    def asked_by(*options: str, **variables: str) -> str:
        calls = Calls(sandbox)
        words = (PIPENV_CA, "--ca-no-cache", "--ca-pipenv", "true", *options, "lock")
        done = run(*words, env=env | variables, cwd=project)
        assert done.status == 0, done.output
        (caller,) = calls.callers()
        return "other" if caller == second_key["AccessKeyId"] else "right"

    own.write_text('profile = "right"\n')
    assert asked_by() == "right"
    pyproject.write_text('[tool.codeartifact-pipenv]\nprofile = "other"\n')
    assert asked_by() == "other"
    assert asked_by(PIPENV_CA_PROFILE="right") == "right"
    assert asked_by("--ca-profile=other", PIPENV_CA_PROFILE="right") == "other"
    assert asked_by(AWS_PROFILE="right") == "other"


@pytest.mark.usefixtures("pipfile")
def test_no_token_is_requested_for_an_owner_that_is_not_allowed(
    sandbox: Sandbox, sandbox_env: dict[str, str], project: Path
) -> None:
    calls = Calls(sandbox)
    env = sandbox_env | {"PIPENV_CA_ALLOWED_OWNERS": "999999999999, 888888888888"}
    refused = run(PIPENV_CA, "lock", env=env, cwd=project)
    assert_error(refused, 2, sandbox.endpoint.domain.owner, "not allowed")
    assert calls.to_aws() == 0
    env["PIPENV_CA_ALLOWED_OWNERS"] += f",{sandbox.endpoint.domain.owner}"
    done = run(PIPENV_CA, "--ca-pipenv", "true", "lock", env=env, cwd=project)
    assert done.status == 0, done.output


# --- keyring backends and clients ---------------------------------------------

_VAULT = """
import keyring.backend

class Vault(keyring.backend.KeyringBackend):
    priority = 1

    def get_password(self, service, username):
        return {password!r} if username == "aws" else None

    def set_password(self, service, username, password):
        raise NotImplementedError

    def delete_password(self, service, username):
        raise NotImplementedError
"""


@pytest.mark.wide
@pytest.mark.shows_token("files")
def test_keyring_backend_setting_takes_the_token_from_another_backend(
    sandbox: Sandbox, sandbox_env: dict[str, str], home: Path, project: Path, tmp_path: Path
) -> None:
    """AWS is not asked. A project may not choose the backend."""
    write_pipfile(project, source(sandbox.endpoint), PACKAGES)
    token = get_token(sandbox, sandbox_env, tmp_path)
    library = tmp_path / "library"
    library.mkdir()
    (library / "vault_backend.py").write_text(_VAULT.format(password=token))
    (library / "empty_backend.py").write_text(_VAULT.format(password=""))
    env = without_credentials(sandbox_env) | {"PYTHONPATH": str(library)}
    calls = Calls(sandbox)
    got = describe(sandbox, env, tmp_path, "--ca-keyring-backend", "vault_backend.Vault")
    assert (got["token"], got["source"]) == (token, "keyring backend vault_backend.Vault")
    own = home / ".config" / "codeartifact-pipenv" / "config.toml"
    own.parent.mkdir(parents=True)
    own.write_text('keyring-backend = "vault_backend.Vault"\n')
    stand_in = StandIn(tmp_path / "other")
    words = (PIPENV_CA, "--ca-pipenv", stand_in.path, "--ca-route", "as-written", "lock")
    assert run(*words, env=env, cwd=project).status == 0
    assert stand_in.record["environ"][TOKEN_VARIABLE] == token
    assert calls.count() == 0
    url = sandbox.endpoint.simple_url
    for name, status in (("empty_backend.Vault", 1), ("no_such_module.Vault", 2), ("x", 2)):
        done = run(PIPENV_CA, "--ca-keyring-backend", name, "token", url, env=env, cwd=project)
        assert_error(done, status, name)
    own.unlink()
    (project / "pyproject.toml").write_text(
        '[tool.codeartifact-pipenv]\nkeyring-backend = "vault_backend.Vault"\n'
    )
    assert_error(run(PIPENV_CA, "lock", env=env, cwd=project), 2, "keyring-backend")


@pytest.mark.wide
def test_keyring_command_and_wrapper_share_the_cache(
    sandbox: Sandbox, sandbox_env: dict[str, str], tmp_path: Path
) -> None:
    """`keyring get` returns the same token as the wrapper, and AWS is asked once for both."""
    url = sandbox.endpoint.simple_url
    calls = Calls(sandbox)
    first = describe(sandbox, sandbox_env, tmp_path)
    assert TWELVE_HOURS - 60 < life_of(first) <= TWELVE_HOURS
    assert (first["source"], describe(sandbox, sandbox_env, tmp_path)["source"]) == ("AWS", "cache")
    token = first["token"]
    got = run(KEYRING, "get", url, "aws", env=sandbox_env, cwd=tmp_path)
    assert got == (0, f"{token}\n", "")
    words = (KEYRING, "--mode=creds", "--output=json", "get", url)
    creds = run(*words, env=sandbox_env, cwd=tmp_path)
    assert json.loads(creds.stdout) == {"username": "aws", "password": token}
    assert calls.count() == 1


_OLD_PIP = tuple(map(int, importlib.metadata.version("pip").split(".")[:2])) < (23, 1)


@pytest.mark.wide
@pytest.mark.skipif(_OLD_PIP, reason="pip has --keyring-provider since 23.1")
def test_pip_installs_a_private_package_by_importing_keyring(
    sandbox: Sandbox, sandbox_env: dict[str, str], tmp_path: Path
) -> None:
    target = tmp_path / "target"
    words = [sys.executable, "-m", "pip", "install", "--target", str(target), "--no-deps"]
    words += ["--no-input", "--keyring-provider", "import"]
    words += ["--index-url", sandbox.endpoint.simple_url, "orb-common"]
    calls = Calls(sandbox)
    env = sandbox_env | {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_CONFIG_FILE": os.devnull}
    done = run(*words, env=env, cwd=tmp_path)
    assert done.status == 0, done.output
    assert (target / "orb_common").is_dir()
    assert calls.count(GET_TOKEN) == 1


@pytest.mark.wide
def test_pip_installs_a_private_package_with_the_keyring_command(
    sandbox: Sandbox, sandbox_env: dict[str, str], shared: Path, tmp_path: Path
) -> None:
    """A pip of another environment finds the keyring command on PATH."""
    folder = tmp_path / "venv"
    app_data = ["--app-data", str(shared / "virtualenv")]
    virtualenv = [sys.executable, "-m", "virtualenv", "--quiet", *app_data, str(folder)]
    subprocess.run(virtualenv, check=True)
    path = f"{SCRIPTS}{os.pathsep}{os.environ['PATH']}"
    env = sandbox_env | {"PATH": path, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    words = [str(folder / "bin" / "pip"), "install", "--no-deps", "--no-input"]
    words += ["--keyring-provider", "subprocess"]
    url = sandbox.endpoint.simple_url.replace("https://", "https://aws@")
    calls = Calls(sandbox)
    done = run(*words, "--index-url", url, "orb-common", env=env, cwd=tmp_path)
    assert done.status == 0, done.output
    assert list(folder.glob("lib/python*/site-packages/orb_common"))
    assert calls.count(GET_TOKEN) == 1


@pytest.mark.usefixtures("pipfile")
def test_a_process_killed_while_asking_aws_does_not_block_the_next(
    sandbox: Sandbox, sandbox_env: dict[str, str], project: Path, stand_in: StandIn
) -> None:
    sandbox.throttle(1, retry_after=30)
    try:
        words = (PIPENV_CA, "--ca-pipenv", stand_in.path, "--ca-route", "as-written", "lock")
        calls = Calls(sandbox)
        with started(*words, env=sandbox_env, cwd=project) as process:
            while not calls.count():
                time.sleep(0.02)
            process.kill()
            process.wait()
    finally:
        sandbox.throttle(0)
    assert run(*words, env=sandbox_env, cwd=project, timeout=20).status == 0
