"""A token in a file: the one that CODEARTIFACT_AUTH_TOKEN_FILE names, or a mounted secret."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING

import pytest
from support.programs import run
from support.projects import source, write_pipfile
from support.runs import (
    TOKEN_VARIABLE,
    Calls,
    StandIn,
    assert_error,
    expired_token,
    get_token,
    without_credentials,
)

from codeartifact_pipenv.auth.resolver import SECRETS, read_token_file, token_file
from codeartifact_pipenv.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

    from support.users import User

    from codeartifact_pipenv.sandbox.sandbox import Sandbox

pytestmark = pytest.mark.shows_token("files")
PACKAGES = '[packages]\norb-common = "*"\n'
FILE_VARIABLE = f"{TOKEN_VARIABLE}_FILE"
# How programs write a token into a file; PowerShell's > writes UTF-16.
WRITTEN = {
    "bare": b"eyJ9.a.b.c.d",
    "with its line's end": b"eyJ9.a.b.c.d\n",
    "PowerShell": "\ufeffeyJ9.a.b.c.d\r\n".encode("utf-16-le"),
    "Notepad": "eyJ9.a.b.c.d\r\n".encode("utf-8-sig"),
}


@pytest.fixture
def token(sandbox: Sandbox, sandbox_env: dict[str, str], tmp_path: Path) -> str:
    """Return a token that is not cached."""
    return get_token(sandbox, sandbox_env, tmp_path, "--ca-no-cache")


@pytest.fixture
def stand_in(sandbox: Sandbox, project: Path, tmp_path: Path) -> StandIn:
    """Return a program that runs instead of pipenv, in a project on the sandbox."""
    write_pipfile(project, source(sandbox.endpoint), PACKAGES)
    return StandIn(tmp_path / "other")


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


@pytest.mark.skipif(sys.platform == "win32", reason="named pipes of POSIX")
@pytest.mark.parametrize("kind", ["pipe", "folder"])
def test_a_pipe_or_folder_in_place_of_a_token_file_is_an_error(kind: str, tmp_path: Path) -> None:
    path = tmp_path / kind
    (os.mkfifo if kind == "pipe" else os.mkdir)(path)
    with pytest.raises(ConfigurationError, match="does not hold a token"):
        read_token_file(str(path), TOKEN_VARIABLE, {})


@pytest.mark.parametrize("name", ["VAULT_TOKEN", "DB_PASSWORD", "TOKEN"])
def test_token_files_of_other_secrets_are_not_read(name: str, tmp_path: Path) -> None:
    """A project chooses the name of its variable, so the name must not select other secrets."""
    assert token_file(name, {f"{name}_FILE": str(tmp_path)}) is None


@pytest.mark.wide
def test_a_token_file_is_used_after_the_variable_and_before_the_cache(
    sandbox: Sandbox, user: User, tmp_path: Path, token: str, stand_in: StandIn
) -> None:
    """It needs no AWS access. An expired token is replaced, and a file named in .env is ignored."""
    kept, expired = user.token(), expired_token(sandbox)
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
@pytest.mark.skipif(
    not (shutil.which("unshare") and hasattr(os, "geteuid") and os.geteuid() == 0),
    reason="needs root to mount a folder",
)
def test_a_docker_build_secret_is_read(
    sandbox_env: dict[str, str], project: Path, tmp_path: Path, token: str, stand_in: StandIn
) -> None:
    """A mounted secret with the name of the variable needs no setting."""
    path = tmp_path / "token"
    path.write_text(f"{token}\n")
    mount = f'mount -t tmpfs none /run && mkdir {SECRETS} && cp "$0" {SECRETS}/{TOKEN_VARIABLE}'
    words = ["unshare", "-m", "sh", "-ec", f'{mount}; exec "$@"', str(path), *stand_in.lock]
    done = run(*words, env=without_credentials(sandbox_env), cwd=project)
    assert (done.status, done.stderr) == (0, "")
    assert stand_in.given_token == token
