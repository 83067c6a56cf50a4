"""Errors before pipenv starts: one sentence, a hint, and unchanged files."""

from __future__ import annotations

import os
import re
import shutil
import socket
from typing import TYPE_CHECKING

import pytest
from support.files import files_below
from support.programs import PIPENV, PIPENV_CA, Result, run
from support.projects import PYPI_SOURCE, source, write_pipfile
from support.runs import (
    TOKEN_VARIABLE,
    Calls,
    assert_error,
    get_token,
)
from support.workspace import SSO_SESSION, Workspace, expired_sso_login

from codeartifact_pipenv.sandbox.hosts import endpoint_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from codeartifact_pipenv.sandbox.sandbox import Sandbox

PACKAGES = '[packages]\norb-common = "*"\n'
LOCK = '{"_meta": {"hash": {"sha256": "0"}, "sources": []}, "default": {}, "develop": {}}\n'


class Attempt(Workspace):
    """A healthy project to break, so that a command fails before pipenv starts."""

    def __init__(self, sandbox: Sandbox, env: dict[str, str], folder: Path) -> None:
        super().__init__(sandbox, env, folder)
        self.pipfile('orb-common = "*"')
        (folder / "Pipfile.lock").write_text(LOCK)

    def fails(
        self, status: int, *parts: str, words: tuple[str, ...] = ("lock",), code: str | None = None
    ) -> Result:
        """Run a command and check its message and code, and that no file has changed."""
        before = self._files()
        done = run(PIPENV_CA, *words, env=self.env, cwd=self.folder)
        assert_error(done, status, *parts)
        error, hint = done.stderr.splitlines()[-2:]
        # It is one sentence.
        assert not re.search(r"[.!?] +[A-Z]", error), error
        assert len(hint) < 400
        found = re.search(r" \[([a-z-]+)\]$", error)
        assert (found[1] if found else None) == code, error
        for secret in (self.sandbox.user.secret_access_key, self.env.get(TOKEN_VARIABLE)):
            assert not secret or secret not in done.output
        assert self._files() == before
        assert os.listdir(self.env["TMPDIR"]) == []
        return done

    def run_both(self, *words: str) -> tuple[Result, Result]:
        """Run a command with pipenv-ca and with pipenv, each on a copy of the project."""
        results, files = [], []
        for program in (PIPENV_CA, PIPENV):
            twin = self.folder.with_name("twin")
            shutil.copytree(self.folder, twin)
            results.append(run(program, *words, env=self.env, cwd=twin))
            files.append({path.name: path.read_bytes() for path in twin.glob("Pipfile*")})
            shutil.rmtree(twin)
        assert files[0] == files[1]
        return results[0], results[1]

    def sources(self, *tables: str) -> None:
        """Write a Pipfile with these tables."""
        write_pipfile(self.folder, *tables)

    def _files(self) -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in files_below(self.folder)}


@pytest.fixture
def attempt(sandbox: Sandbox, sandbox_env: dict[str, str], project: Path) -> Attempt:
    return Attempt(sandbox, sandbox_env, project)


@pytest.fixture
def deny(sandbox: Sandbox) -> Iterator[Callable[[str], None]]:
    """Return a function that denies an IAM action until the test ends."""
    denied: list[str] = []

    def do(action: str) -> None:
        denied.append(action)
        sandbox.deny(action)

    yield do
    for action in denied:
        sandbox.allow(action)


# --- AWS credentials ---------------------------------------------------------------------


def test_missing_credentials_list_ways_to_get_some(attempt: Attempt) -> None:
    attempt.without_keys()
    attempt.fails(
        1, "No AWS credentials were found.", "aws configure", TOKEN_VARIABLE, code="no-credentials"
    )


def test_a_profile_without_credentials_is_named(attempt: Attempt) -> None:
    attempt.aws_config("[profile empty]\nregion = us-east-1\n", "empty")
    said = ("No AWS credentials were found with profile empty", "--profile empty")
    attempt.fails(1, *said, code="no-credentials")


@pytest.mark.parametrize("way", ["option", "PIPENV_CA_PROFILE"])
def test_an_unknown_profile_is_named(way: str, attempt: Attempt) -> None:
    words = ("--ca-profile", "nope", "lock") if way == "option" else ("lock",)
    if way != "option":
        attempt.env[way] = "nope"
        attempt.without_keys()
    said = ("AWS profile nope was not found.", "list-profiles")
    attempt.fails(1, *said, words=words, code="unknown-profile")


@pytest.mark.parametrize(
    ("cache_name", "said"),
    [
        ("corp", "The AWS SSO login with profile dev has expired"),
        (None, "You have not logged in to AWS SSO with profile dev"),
    ],
)
def test_a_missing_sso_login_leads_to_the_command_that_makes_one(
    cache_name: str | None, said: str, attempt: Attempt, home: Path
) -> None:
    attempt.aws_config(SSO_SESSION, profile=None)
    if cache_name is not None:
        expired_sso_login(home, cache_name)
    attempt.fails(
        1,
        said,
        "hint: Run `aws sso login --profile dev` and try again.",
        words=("--ca-profile", "dev", "lock"),
        code="sso-never" if cache_name is None else "sso-expired",
    )


def test_the_error_of_a_credential_process_is_shown(attempt: Attempt) -> None:
    attempt.aws_config("[default]\ncredential_process = sh -c 'echo no vault >&2; exit 3'\n", None)
    attempt.fails(1, "could not be retrieved", "no vault", code="credentials-source")


def test_an_invalid_aws_configuration_is_named(attempt: Attempt) -> None:
    attempt.aws_config("[profile dev\nregion=\n", None)
    attempt.fails(1, "aws-config", "aws configure list", code="aws-config")


# --- responses of AWS ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "code"),
    [
        ("codeartifact:GetAuthorizationToken", "token-denied"),
        ("sts:GetServiceBearerToken", "bearer-denied"),
    ],
)
def test_a_denied_token_names_both_permissions(
    action: str, code: str, attempt: Attempt, deny: Callable[[str], None]
) -> None:
    deny(action)
    said = attempt.fails(
        1, "AWS denies a token for my-dom (account 123456789012, us-east-1)", code=code
    )
    error, hint = said.stderr.splitlines()
    assert action in error
    assert "codeartifact:GetAuthorizationToken" in hint
    assert "sts:GetServiceBearerToken" in hint


def test_a_missing_domain_is_named_with_account_and_region(attempt: Attempt) -> None:
    domain = attempt.sandbox.endpoint.domain._replace(name="my-dim")
    attempt.sources(source(endpoint_for(domain, "team")), PACKAGES)
    said = "CodeArtifact domain my-dim (account 123456789012, us-east-1)"
    attempt.fails(1, said, code="domain-missing")


@pytest.mark.wide  # botocore waits between attempts
def test_permanent_throttling_fails_after_twelve_calls(attempt: Attempt) -> None:
    attempt.sandbox.throttle(1000, retry_after=0)
    calls = Calls(attempt.sandbox)
    try:
        attempt.fails(1, "AWS limits how many tokens may be asked for", code="throttled")
    finally:
        attempt.sandbox.throttle(0)
    assert calls.count() == 5 + 7


@pytest.mark.wide  # botocore waits between attempts
def test_six_throttled_calls_are_repeated(attempt: Attempt) -> None:
    attempt.sandbox.throttle(6, retry_after=0)
    calls = Calls(attempt.sandbox)
    assert get_token(attempt.sandbox, attempt.env, attempt.folder)
    assert calls.count() == 7


@pytest.mark.wide
def test_a_truncated_response_is_requested_again_and_then_reported(attempt: Attempt) -> None:
    attempt.sandbox.truncate(100, times=2, on="api")
    assert get_token(attempt.sandbox, attempt.env, attempt.folder)
    attempt.sandbox.truncate(100, on="api")
    try:
        attempt.fails(1, "broken off", words=("--ca-refresh", "lock"), code="service-fault")
    finally:
        attempt.sandbox.heal()


# --- the network -------------------------------------------------------------------------


def closed_port() -> int:
    """Return a closed port on loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def test_an_unreachable_proxy_is_named(attempt: Attempt) -> None:
    address = f"http://127.0.0.1:{closed_port()}"
    attempt.env |= {"HTTPS_PROXY": address, "https_proxy": address}
    attempt.fails(1, "proxy", "HTTPS_PROXY", code="proxy-down")


@pytest.mark.wide
@pytest.mark.parametrize(
    ("region", "said", "code"),
    [
        ("xx-nowhere-1", "no CodeArtifact in xx-nowhere-1", "region-unsupported"),
        ("us-west-1", "no CodeArtifact in us-west-1", "region-unsupported"),
        ("eu-west-1", "AWS CodeArtifact in eu-west-1 is not reached", "unreachable"),
    ],
)
def test_an_unreachable_host_is_reported_with_its_region(
    region: str, said: str, code: str, attempt: Attempt
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        attempt.env.pop(name, None)
    domain = attempt.sandbox.endpoint.domain._replace(region=region)
    attempt.sources(source(endpoint_for(domain, "team")), PACKAGES)
    attempt.fails(1, said, code=code)


# --- the project's files -----------------------------------------------------------------


@pytest.mark.parametrize("words", [("lock",), ("token",)])
def test_an_invalid_pipfile_is_reported_with_its_line(
    words: tuple[str, ...], attempt: Attempt
) -> None:
    path = attempt.folder / "Pipfile"
    path.write_text('[packages]\nsix = "*"\norb-common = \n')
    attempt.fails(2, str(path), "line 3", "not valid TOML", words=words)


def test_a_pipfile_in_another_encoding_is_reported_with_its_line(attempt: Attempt) -> None:
    path = attempt.folder / "Pipfile"
    path.write_bytes(b'[packages]\nsix = "*"  # caf\xe9\n')
    attempt.fails(2, f"{path}, line 2", "UTF-8")


@pytest.mark.parametrize(
    ("tables", "parts"),
    [
        (
            ('[[source]]\nname = "a"\nverify_ssl = true\n',),
            ("Source 1 in", "has no url", "[[source]]"),
        ),
        (
            ('[[source]]\nurl = "https://aws:${CODEARTIFACT_AUTH_TOKEN}@example.org/simple"\n',),
            ("would send the token in CODEARTIFACT_AUTH_TOKEN", "not CodeArtifact's"),
        ),
        (
            (
                '[[source]]\nurl = "http://aws:${CODEARTIFACT_AUTH_TOKEN}@my-dom-123456789012.d.'
                'codeartifact.us-east-1.amazonaws.com/pypi/team/simple/"\nname = "near"\n',
            ),
            ("it is http, not https", "(near: "),
        ),
        (
            (
                '[[source]]\nurl = "https://aws:${CODEARTIFACT_AUTH_TOKEN}@my-dom-12345678901.d.'
                'codeartifact.us-east-1.amazonaws.com/pypi/team/simple/"\n',
            ),
            ("its account number has 11 digits, not 12",),
        ),
        (
            (
                '[[source]]\nurl = "https://aws:${CODEARTIFACT_AUTH_TOKEN}@my-dom-123456789012.d.'
                'codeartifact.us-east-1.amazonaws.com:443x/pypi/team/simple/"\n',
            ),
            ("443x",),
        ),
        (
            (
                '[[source]]\nurl = "https://aws:${CODEARTIFACT_AUTH_TOKEN}@my-dom-123456789012.d.'
                'codeartifact.us-east-1.amazonaws.com:8443/pypi/team/simple/"\n',
            ),
            ("its port is 8443, not 443",),
        ),
        (
            (PYPI_SOURCE, '[packages]\nx = {file = "https://e.org/${CODEARTIFACT_AUTH_TOKEN}"}\n'),
            ("packages.x.file",),
        ),
    ],
    ids=["no-url", "foreign", "http", "11-digits", "bad-port", "other-port", "package"],
)
def test_a_source_that_leaks_the_token_or_lacks_a_url_is_refused(
    tables: tuple[str, ...], parts: tuple[str, ...], attempt: Attempt
) -> None:
    attempt.sources(*tables)
    calls = Calls(attempt.sandbox)
    astray = parts[0] != "Source 1 in" and "443x" not in parts
    attempt.fails(2, *parts, code="token-elsewhere" if astray else None)
    assert calls.to_aws() == 0


def test_a_missing_pipenv_pipfile_is_not_created(attempt: Attempt) -> None:
    attempt.env["PIPENV_PIPFILE"] = "elsewhere/Pipfile"
    attempt.fails(2, "PIPENV_PIPFILE names elsewhere/Pipfile", "Correct or unset it")


def test_an_unreadable_dotenv_is_reported(attempt: Attempt) -> None:
    (attempt.folder / ".env").write_bytes(b"NAME=caf\xe9\n")
    attempt.fails(2, ".env cannot be read", "PIPENV_DONT_LOAD_ENV=1")


def test_an_unknown_setting_in_pyproject_is_reported(attempt: Attempt) -> None:
    (attempt.folder / "pyproject.toml").write_text("[tool.codeartifact-pipenv]\nprofil = 'x'\n")
    attempt.fails(2, "sets profil, which is not a setting", "profile")


def test_token_explains_an_invalid_url(attempt: Attempt) -> None:
    url = attempt.sandbox.endpoint.url.replace("https", "http")
    attempt.fails(2, "it is http, not https", words=("token", url))
    attempt.fails(2, "AWS region is not set", words=("token", "--domain", "my-dom"))


# --- left to pipenv ---------------------------------------------------------------


@pytest.mark.wide
@pytest.mark.parametrize("content", ["", None], ids=["empty", "none"])
def test_a_project_without_codeartifact_gets_no_token(
    content: str | None, attempt: Attempt
) -> None:
    (attempt.folder / "Pipfile.lock").unlink()
    (attempt.folder / "Pipfile").unlink()
    if content is not None:
        (attempt.folder / "Pipfile").write_text(content)
    calls = Calls(attempt.sandbox)
    env = attempt.env | {"PIPENV_MAX_DEPTH": "1"}
    ours = run(PIPENV_CA, "verify", env=env, cwd=attempt.folder)
    assert ours == run(PIPENV, "verify", env=env, cwd=attempt.folder)
    words = (PIPENV_CA, "--ca-pipenv", "true", "lock")
    assert run(*words, env=env, cwd=attempt.folder) == Result(0, "", "")
    assert calls.to_aws() == 0


@pytest.mark.wide
def test_run_leaves_an_invalid_pipfile_to_pipenv(attempt: Attempt) -> None:
    (attempt.folder / "Pipfile").write_text("[packages\n")
    words = ("run", "pip", "install", "x")
    ours, theirs = attempt.run_both(*words)
    assert ours.status == theirs.status != 0
    assert ours.stderr.splitlines()[-1] == theirs.stderr.splitlines()[-1]


@pytest.mark.wide
def test_an_invalid_lock_is_left_to_pipenv(attempt: Attempt) -> None:
    (attempt.folder / "Pipfile.lock").write_text('{"_meta": ')
    token = get_token(attempt.sandbox, attempt.env, attempt.folder)
    attempt.env[TOKEN_VARIABLE] = token
    ours, theirs = attempt.run_both("sync")
    assert (ours.status, ours.stdout) == (theirs.status, theirs.stdout)
    # Lines before these have the time that the virtual environment took.
    assert ours.stderr.splitlines()[-2:] == theirs.stderr.splitlines()[-2:]
    assert not re.search(r"^(error|hint):", ours.stderr, re.MULTILINE)


def test_a_deleted_working_directory_is_reported(attempt: Attempt) -> None:
    folder = attempt.folder.parent / "gone"
    folder.mkdir()
    words = ("sh", "-c", 'rmdir "$PWD"; exec "$0" lock', PIPENV_CA)
    done = run(*words, env=attempt.env, cwd=folder)
    assert_error(done, 2, "This folder cannot be read", "[folder-unreadable]")


@pytest.mark.wide
@pytest.mark.parametrize("locked", [True, False])
def test_a_pipfile_that_pipenv_rejects_is_reported_and_unchanged(
    locked: bool, attempt: Attempt
) -> None:
    attempt.sources(
        PYPI_SOURCE,
        source(attempt.sandbox.endpoint),
        "[pipenv]\nx = 1\n[requires]\npython_version = 3\n",
        PACKAGES,
    )
    if not locked:
        (attempt.folder / "Pipfile.lock").unlink()
    before = (attempt.folder / "Pipfile").read_bytes()
    done = run(PIPENV_CA, "lock", env=attempt.env, cwd=attempt.folder)
    assert not re.search(r'File ".*codeartifact_pipenv', done.stderr), done.stderr
    assert done.status != 0
    if locked:
        assert_error(done, 2, "Invalid type for field python_version", "[pipfile-invalid]")
    assert (attempt.folder / "Pipfile").read_bytes() == before
