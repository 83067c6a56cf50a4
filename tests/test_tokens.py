"""Where a token comes from, for both entry points: the environment, a file, the cache, AWS."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest
from support.programs import PIPENV_CA, run
from support.projects import source, write_pipfile
from support.runs import (
    KEYRING,
    TOKEN_VARIABLE,
    Calls,
    StandIn,
    assert_error,
    expired_token,
    token_with_life,
    without_credentials,
)
from support.sandbox import get_token as issued_token
from support.traces import files_below, files_with
from support.workspace import role_profile

from codeartifact_pipenv.auth.resolver import SECRETS, read_token_file, token_file
from codeartifact_pipenv.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from support.programs import Result
    from support.users import User

    from codeartifact_pipenv.sandbox.sandbox import Sandbox

TWELVE_HOURS = 43200


@pytest.fixture
def stand_in(sandbox: Sandbox, project: Path, tmp_path: Path) -> StandIn:
    """Return a program that runs instead of pipenv, in a project on the sandbox."""
    write_pipfile(project, source(sandbox.endpoint), '[packages]\norb-common = "*"\n')
    return StandIn(tmp_path / "other")


@pytest.fixture
def config(sandbox_env: dict[str, str], tmp_path: Path) -> Path:
    """Return the path of the AWS configuration file that replaces the keys."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        del sandbox_env[name]
    path = tmp_path / "aws-config"
    sandbox_env["AWS_CONFIG_FILE"] = str(path)
    return path


def describe(user: User, *options: str, env: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return the output of `token --json`, and in it the seconds that the token has left."""
    got = user.run(*options, "token", "--json", user.url, env=env)
    assert (got.status, got.stderr) == (0, "")
    found: dict[str, Any] = json.loads(got.stdout)
    end = datetime.fromisoformat(found["expires_at"])
    return {**found, "left": (end - datetime.now(timezone.utc)).total_seconds()}


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
    entry: str, sandbox: Sandbox, user: User
) -> None:
    """`refresh` skips both and asks AWS. An expired token in the environment is skipped."""

    def get(env: Mapping[str, str]) -> Result:
        return user.keyring(env=env) if entry == "keyring" else user.run("token", user.url, env=env)

    tokens = {"live": issued_token(sandbox), "expired": expired_token(sandbox)}
    tokens["cached"] = get(user.env).stdout.strip()
    for what, refresh, wanted in ORDER:
        env = user.env | ({} if what == "nothing" else {TOKEN_VARIABLE: tokens[what]})
        calls = Calls(sandbox)
        got = get(env | {"PIPENV_CA_REFRESH": str(int(refresh))})
        if wanted == "new":
            assert got.stdout.strip() not in {"", *tokens.values()}
            tokens["cached"] = tokens["new"] = got.stdout.strip()
        assert got[:2] == (0, f"{tokens[wanted]}\n"), (what, refresh, wanted)
        assert calls.count() == (wanted == "new"), (what, refresh, wanted)
    last = get(without_credentials(user.env) | {TOKEN_VARIABLE: tokens["live"]})
    assert last == (0, f"{tokens['live']}\n", ""), "a token in the environment needs no AWS"


def test_processes_that_start_together_make_one_call_to_aws(
    sandbox: Sandbox, sandbox_env: dict[str, str], tmp_path: Path
) -> None:
    """They share the cache, which is below the home folder by default."""
    del sandbox_env["PIPENV_CA_CACHE_DIR"]
    calls = Calls(sandbox)
    entries = (
        [PIPENV_CA, "token", sandbox.endpoint.simple_url],
        [KEYRING, "get", sandbox.endpoint.simple_url, "aws"],
        [KEYRING, "get", sandbox.endpoint.host, "aws"],
    )
    pipe = subprocess.PIPE
    processes = [
        subprocess.Popen(words, env=sandbox_env, cwd=tmp_path, stdout=pipe, stderr=pipe)
        for words in entries * 3
    ]
    outputs = {process.communicate(timeout=60) for process in processes}
    assert [process.returncode for process in processes] == [0] * 9, outputs
    ((_, said),) = outputs
    assert (said, calls.count()) == (b"", 1)


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
def test_ca_duration_sets_the_token_lifetime(sandbox: Sandbox, user: User) -> None:
    """A cached token with another lifetime is not reused."""
    calls = Calls(sandbox)
    hour = user.env | {"PIPENV_CA_DURATION": "3600"}
    for env, options, wanted in (
        (user.env, ("--ca-duration", "900"), 900),
        (user.env, (), TWELVE_HOURS),
        (hour, (), 3600),
    ):
        for origin in ("AWS", "cache"):
            got = describe(user, *options, env=env)
            assert got["source"] == origin
            assert wanted - 120 < got["left"] <= wanted
    assert calls.count() == 3


def test_duration_zero_ends_the_token_with_the_role_session(
    sandbox: Sandbox, user: User, config: Path
) -> None:
    config.write_text(role_profile(sandbox.user, more="duration_seconds = 1800\n"))
    user.env["AWS_PROFILE"] = "dev"
    got = describe(user, "--ca-duration", "0")
    assert 1500 < got["left"] <= 1800


@pytest.mark.wide
@pytest.mark.parametrize(
    "changes",
    [{"PIPENV_CA_CACHE_DIR": "/proc/tokens"}, {"PIPENV_CA_CACHE_DIR": "", "HOME": "nowhere"}],
    ids=["a folder that cannot be written", "no home folder"],
)
def test_each_command_asks_aws_when_there_is_no_cache(
    changes: dict[str, str], sandbox: Sandbox, user: User
) -> None:
    calls = Calls(sandbox)
    for _ in range(2):
        got = user.run("token", user.url, env=user.env | changes)
        assert (got.status, got.stderr) == (0, "")
    assert calls.count() == 2


# --- the token in the environment --------------------------------------------------------


@pytest.mark.parametrize(
    ("life", "end", "without_aws"),
    [
        (-3605, "expired 1 hour ago; a new one is used.", "expired 1 hour ago"),
        (50, "ends within a minute; a new token is used.", "minute, and another could not be"),
    ],
)
def test_an_environment_token_that_has_no_time_left_is_replaced_with_a_warning(
    *, life: int, end: str, without_aws: str, sandbox: Sandbox, user: User, stand_in: StandIn
) -> None:
    """Without AWS credentials one that has not expired is used."""
    old = token_with_life(sandbox, life)
    env = user.env | {TOKEN_VARIABLE: old}
    done = user.lock(stand_in, env)
    warning = f"warning: The token from the environment ({TOKEN_VARIABLE})"
    assert (done.status, done.stderr) == (0, f"{warning} {end} [token-expired]\n")
    assert stand_in.given_token == user.token() != old
    done = user.lock(stand_in, without_credentials(env))
    assert re.match(f"{re.escape(warning)} .*{without_aws}.* \\[token-expired\\]\n", done.stderr)
    if life > 0:
        assert (done.status, stand_in.given_token) == (0, old)
    else:
        assert_error(done, 1, "No AWS credentials")


def test_a_live_token_in_dotenv_is_used_and_a_dead_one_refused(
    sandbox: Sandbox, user: User, stand_in: StandIn
) -> None:
    """The command stops before pipenv loads an expired or empty token from .env."""
    live = user.token("--ca-no-cache")
    dead = expired_token(sandbox)
    dotenv = user.folder / ".env"
    dotenv.write_text(f"{TOKEN_VARIABLE}={live}\n")
    done = user.lock(stand_in, without_credentials(user.env))
    assert (done.status, done.stderr) == (0, "")
    assert stand_in.given_token == live
    for text, trouble in (
        (f'export {TOKEN_VARIABLE}="{dead}"\n', "expired 1 hour ago"),
        (f"{TOKEN_VARIABLE}=\n", "to nothing"),
    ):
        dotenv.write_text(text)
        refused = user.lock(stand_in, user.env | {TOKEN_VARIABLE: live})
        assert_error(refused, 2, str(dotenv), trouble, "PIPENV_DONT_LOAD_ENV=1")
        cured = user.env | {"PIPENV_DONT_LOAD_ENV": "1"}
        assert user.lock(stand_in, cured).status == 0
        assert stand_in.given_token not in {live, dead, ""}


# --- credentials and settings ------------------------------------------------------------


def test_a_profile_with_a_role_asks_sts_once_for_it(
    sandbox: Sandbox, user: User, config: Path
) -> None:
    """The role, not the user, requests the token. --ca-profile wins over AWS_PROFILE."""
    config.write_text(role_profile(sandbox.user))
    user.env["AWS_PROFILE"] = "base"
    calls = Calls(sandbox)
    user.token("--ca-profile", "dev")
    user.token("--ca-profile", "dev", "--ca-refresh")
    assert calls.count("AssumeRole") == 1
    assert len(set(calls.callers())) == 1
    assert sandbox.user.access_key_id not in calls.callers()


def test_no_token_is_requested_for_an_owner_that_is_not_allowed(
    sandbox: Sandbox, user: User, stand_in: StandIn
) -> None:
    calls = Calls(sandbox)
    env = user.env | {"PIPENV_CA_ALLOWED_OWNERS": "999999999999, 888888888888"}
    refused = user.run("lock", env=env)
    assert_error(refused, 2, sandbox.endpoint.domain.owner, "not allowed")
    assert calls.to_aws() == 0
    env["PIPENV_CA_ALLOWED_OWNERS"] += f",{sandbox.endpoint.domain.owner}"
    assert user.lock(stand_in, env).status == 0


_VAULT = """
import keyring.backend

class {name}(keyring.backend.KeyringBackend):
    priority = 1
    set_password = None

    def get_password(self, service, username):
        return {password!r} if username == "aws" else None
"""


@pytest.mark.wide
@pytest.mark.shows_token("files")
def test_keyring_backend_setting_takes_the_token_from_another_backend(
    sandbox: Sandbox, user: User, tmp_path: Path, stand_in: StandIn
) -> None:
    """AWS is not asked. A project may not choose the backend."""
    token = user.token()
    vaults = [_VAULT.format(name=n, password=p) for n, p in (("Full", token), ("Empty", ""))]
    (tmp_path / "vault.py").write_text("\n".join(vaults))
    env = without_credentials(user.env) | {"PYTHONPATH": str(tmp_path)}
    own_settings = tmp_path / "own.toml"
    calls = Calls(sandbox)
    got = describe(user, "--ca-keyring-backend", "vault.Full", env=env)
    assert (got["token"], got["source"]) == (token, "keyring backend vault.Full")
    own_settings.write_text('keyring-backend = "vault.Full"\n')
    assert user.lock(stand_in, env | {"PIPENV_CA_CONFIG": str(own_settings)}).status == 0
    assert stand_in.given_token == token
    assert calls.count() == 0
    url = user.url
    for name, status in (("vault.Empty", 1), ("no_such_module.Vault", 2), ("x", 2)):
        done = user.run("--ca-keyring-backend", name, "token", url, env=env)
        assert_error(done, status, name)
    chosen = '[tool.codeartifact-pipenv]\nkeyring-backend = "vault.Full"\n'
    (user.folder / "pyproject.toml").write_text(chosen)
    assert_error(user.run("lock", env=env), 2, "keyring-backend")


# --- a token in a file -------------------------------------------------------------------

FILE_VARIABLE = f"{TOKEN_VARIABLE}_FILE"
# How programs write a token into a file; PowerShell's > writes UTF-16.
WRITTEN = {
    "bare": b"eyJ9.a.b.c.d",
    "with its line's end": b"eyJ9.a.b.c.d\n",
    "PowerShell": "\ufeffeyJ9.a.b.c.d\r\n".encode("utf-16-le"),
    "Notepad": "eyJ9.a.b.c.d\r\n".encode("utf-8-sig"),
}


@pytest.mark.parametrize("form", WRITTEN)
def test_a_token_is_read_from_a_named_file(form: str, tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_bytes(WRITTEN[form])
    environ = {FILE_VARIABLE: str(path)}
    found = token_file(TOKEN_VARIABLE, environ)
    assert found == str(path)
    assert read_token_file(found, TOKEN_VARIABLE, environ) == "eyJ9.a.b.c.d"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "it cannot be read: No such file"),
        (b" \r\n", "it is empty"),
        (b'{"authorizationToken": "abc"}', "the whole JSON"),
        (b"\xff\xfe\x00", "it is not a text"),
        (b"x" * 2_000_000, "it cannot be read: it is larger"),
    ],
)
def test_a_file_without_a_token_is_an_error(
    content: bytes | None, reason: str, tmp_path: Path
) -> None:
    path = tmp_path / "token"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigurationError) as refused:
        read_token_file(str(path), TOKEN_VARIABLE, {FILE_VARIABLE: str(path)})
    assert refused.value.sentence.startswith(f"{path} does not hold a token ({FILE_VARIABLE} names")
    assert reason in refused.value.sentence
    assert refused.value.code == "token-malformed"


@pytest.mark.parametrize("name", ["VAULT_TOKEN", "DB_PASSWORD", "TOKEN"])
def test_token_files_of_other_secrets_are_not_read(name: str, tmp_path: Path) -> None:
    """A project chooses the name of its variable, so the name must not select other secrets."""
    assert token_file(name, {f"{name}_FILE": str(tmp_path)}) is None


@pytest.mark.wide
@pytest.mark.shows_token("files")
def test_a_token_file_is_used_after_the_variable_and_before_the_cache(
    sandbox: Sandbox, user: User, tmp_path: Path, stand_in: StandIn
) -> None:
    """It needs no AWS access. An expired token is replaced, and a file named in .env is ignored."""
    token, kept, expired = user.token("--ca-no-cache"), user.token(), expired_token(sandbox)
    path = tmp_path / "token"
    path.write_text(f"{token}\n")
    calls = Calls(sandbox)
    env = user.env | {FILE_VARIABLE: str(path)}
    for given, expected in (({}, token), ({TOKEN_VARIABLE: "handed-over"}, "handed-over")):
        done = user.lock(stand_in, without_credentials(env) | given)
        assert (done.status, done.stderr) == (0, "")
        assert stand_in.given_token == expected
    assert user.keyring(env=env).stdout == f"{token}\n"
    path.write_text("changeme\n")
    for words in (("lock",), ("token", user.url)):
        refused = user.run(*words, env=env)
        assert_error(refused, 2, "[token-malformed]", str(path), "a placeholder")
    path.write_text(expired)
    done = user.lock(stand_in, env)
    warning = f"warning: The token from {path} expired 1 hour ago; a new one is used."
    assert (done.status, done.stderr) == (0, f"{warning} [token-expired]\n")
    assert stand_in.given_token == kept
    path.write_text(f"{token}\n")
    (user.folder / ".env").write_text(f"{FILE_VARIABLE}={path}\n")
    assert user.lock(stand_in, user.env).status == 0
    assert stand_in.given_token == kept != token
    assert calls.to_aws() == 0
    assert str(path) in user.run("doctor", "--all", env=env).stdout


@pytest.mark.wide
@pytest.mark.shows_token("files")
@pytest.mark.skipif(
    not (shutil.which("unshare") and hasattr(os, "geteuid") and os.geteuid() == 0),
    reason="needs root to mount a folder",
)
def test_a_docker_build_secret_is_read(user: User, tmp_path: Path, stand_in: StandIn) -> None:
    """A mounted secret with the name of the variable needs no setting."""
    token = user.token("--ca-no-cache")
    path = tmp_path / "token"
    path.write_text(f"{token}\n")
    mount = f'mount -t tmpfs none /run && mkdir {SECRETS} && cp "$0" {SECRETS}/{TOKEN_VARIABLE}'
    words = ["unshare", "-m", "sh", "-ec", f'{mount}; exec "$@"', str(path), *stand_in.lock]
    done = run(*words, env=without_credentials(user.env), cwd=user.folder)
    assert (done.status, done.stderr) == (0, "")
    assert stand_in.given_token == token
