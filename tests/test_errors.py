"""What can go wrong, each made to go wrong: what is said, and that nothing is touched."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
from datetime import datetime, timedelta, timezone
from hashlib import sha1
from typing import TYPE_CHECKING

import pytest
import trustme
from support.files import files_below
from support.programs import PIPENV, PIPENV_CA, Result, run
from support.projects import PYPI_SOURCE, source, write_pipfile
from support.runs import (
    TOKEN_VARIABLE,
    Calls,
    assert_error,
    get_token,
    without_credentials,
)

from codeartifact_pipenv.sandbox.hosts import endpoint_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from codeartifact_pipenv.sandbox.sandbox import Sandbox

PACKAGES = '[packages]\norb-common = "*"\n'
LOCK = '{"_meta": {"hash": {"sha256": "0"}, "sources": []}, "default": {}, "develop": {}}\n'
START = "https://portal.awsapps.com/start"


class Attempt:
    """A project, and a command in it that is to fail before pipenv is started."""

    def __init__(self, sandbox: Sandbox, env: dict[str, str], folder: Path) -> None:
        self.env = env
        self.folder = folder
        self.sandbox = sandbox
        write_pipfile(folder, source(sandbox.endpoint), PACKAGES)
        (folder / "Pipfile.lock").write_text(LOCK)

    def fails(
        self, status: int, *parts: str, words: tuple[str, ...] = ("lock",), code: str | None = None
    ) -> Result:
        """Run it, and check what is said, the cause's code, and that nothing has changed."""
        before = self._files()
        done = run(PIPENV_CA, *words, env=self.env, cwd=self.folder)
        assert_error(done, status, *parts)
        error, hint = done.stderr.splitlines()[-2:]
        # One sentence: no full stop, before another capital letter, in the middle.
        assert not re.search(r"[.!?] +[A-Z]", error), error
        assert len(hint) < 400
        found = re.search(r" \[([a-z-]+)\]$", error)
        assert (found[1] if found else None) == code, error
        for secret in (self.sandbox.user.secret_access_key, self.env.get(TOKEN_VARIABLE)):
            assert not secret or secret not in done.output
        assert self._files() == before
        assert os.listdir(self.env["TMPDIR"]) == []
        return done

    def ours_and_theirs(self, *words: str) -> tuple[Result, Result]:
        """Run a command by us and by pipenv itself, each on a copy of the project's files."""
        results, files = [], []
        for program in (PIPENV_CA, PIPENV):
            twin = self.folder.with_name("twin")
            shutil.copytree(self.folder, twin)
            results.append(run(program, *words, env=self.env, cwd=twin))
            files.append({path.name: path.read_bytes() for path in twin.glob("Pipfile*")})
            shutil.rmtree(twin)
        assert files[0] == files[1]
        return results[0], results[1]

    def pipfile(self, *tables: str) -> None:
        """Write another Pipfile."""
        write_pipfile(self.folder, *tables)

    def without_keys(self) -> None:
        """Take the AWS keys out of the environment."""
        self.env = without_credentials(self.env)

    def aws_config(self, text: str) -> None:
        """Write an AWS configuration file, in place of keys."""
        self.without_keys()
        path = self.folder.parent / "aws-config"
        path.write_text(text)
        self.env["AWS_CONFIG_FILE"] = str(path)

    def _files(self) -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in files_below(self.folder)}


@pytest.fixture
def attempt(sandbox: Sandbox, sandbox_env: dict[str, str], project: Path) -> Attempt:
    """Return a project where all is well, to be spoilt."""
    return Attempt(sandbox, sandbox_env, project)


@pytest.fixture
def deny(sandbox: Sandbox) -> Iterator[Callable[[str], None]]:
    """Return what denies an IAM action until the test ends."""
    denied: list[str] = []

    def do(action: str) -> None:
        denied.append(action)
        sandbox.deny(action)

    yield do
    for action in denied:
        sandbox.allow(action)


# --- AWS: who we are ---------------------------------------------------------------------


def test_no_credentials(attempt: Attempt) -> None:
    """Without any AWS credentials the ways to get some are named."""
    attempt.without_keys()
    attempt.fails(
        1, "No AWS credentials were found.", "aws configure", TOKEN_VARIABLE, code="no-credentials"
    )


def test_no_credentials_in_a_profile(attempt: Attempt) -> None:
    """A profile without credentials is named."""
    attempt.aws_config("[profile empty]\nregion = us-east-1\n")
    attempt.env["AWS_PROFILE"] = "empty"
    said = ("No AWS credentials were found with profile empty", "--profile empty")
    attempt.fails(1, *said, code="no-credentials")


def test_half_a_key_pair(attempt: Attempt) -> None:
    """A key without its secret is told as such."""
    del attempt.env["AWS_SECRET_ACCESS_KEY"]
    attempt.fails(1, "incomplete", "AWS_SECRET_ACCESS_KEY", code="partial-credentials")


@pytest.mark.parametrize("way", ["option", "PIPENV_CA_PROFILE", "AWS_PROFILE"])
def test_unknown_profile(way: str, attempt: Attempt) -> None:
    """A profile that is nowhere configured is named, whoever named it."""
    words = ("--ca-profile", "nope", "lock") if way == "option" else ("lock",)
    if way != "option":
        attempt.env[way] = "nope"
        attempt.without_keys()
    said = ("There is no AWS profile named nope.", "list-profiles")
    attempt.fails(1, *said, words=words, code="unknown-profile")


SSO = f"sso_start_url = {START}\nsso_region = us-east-1\n"
SSO_ROLE = "sso_account_id = 123456789012\nsso_role_name = developer\n"


@pytest.mark.parametrize(
    ("config", "cache_name"),
    [
        (f"[profile dev]\n{SSO}{SSO_ROLE}", START),
        (f"[profile dev]\n{SSO}{SSO_ROLE}", None),
        (f"[profile dev]\nsso_session = corp\n{SSO_ROLE}[sso-session corp]\n{SSO}", "corp"),
        (f"[profile dev]\nsso_session = corp\n{SSO_ROLE}[sso-session corp]\n{SSO}", None),
    ],
    ids=["expired", "never", "session-expired", "session-never"],
)
def test_sso_login(config: str, cache_name: str | None, attempt: Attempt, home: Path) -> None:
    """An SSO login that has expired or was never made leads to the command that makes one."""
    attempt.aws_config(config)
    if cache_name is not None:
        yesterday = datetime.now(timezone.utc) - timedelta(days=1)
        token = {"accessToken": "x", "expiresAt": yesterday.strftime("%Y-%m-%dT%H:%M:%SZ")}
        cache = home / ".aws" / "sso" / "cache"
        cache.mkdir(parents=True)
        # (botocore's own name for the file.)
        name = sha1(cache_name.encode(), usedforsecurity=False).hexdigest()
        (cache / f"{name}.json").write_text(json.dumps(token | {"startUrl": START}))
    attempt.fails(
        1,
        "The AWS SSO login with profile dev "
        + ("was never made" if cache_name is None else "has expired"),
        "hint: Run `aws sso login --profile dev` and try again.",
        words=("--ca-profile", "dev", "lock"),
        code="sso-never" if cache_name is None else "sso-expired",
    )


def test_missing_web_identity(attempt: Attempt) -> None:
    """A web identity file that is not there is named, with the job's permission that it needs."""
    attempt.without_keys()
    attempt.env["AWS_ROLE_ARN"] = "arn:aws:iam::123456789012:role/ci"
    attempt.env["AWS_WEB_IDENTITY_TOKEN_FILE"] = "/no/such/identity"
    attempt.fails(1, "/no/such/identity", "id-token: write", code="web-identity-missing")


def test_failing_credential_process(attempt: Attempt) -> None:
    """What a credential process says of its failure is passed on, in one line."""
    attempt.aws_config("[default]\ncredential_process = sh -c 'echo no vault >&2; exit 3'\n")
    attempt.fails(1, "could not be retrieved", "no vault", code="credentials-source")


def test_second_factor_without_a_terminal(attempt: Attempt) -> None:
    """A second factor cannot be typed where there is no terminal, and that is said."""
    user = attempt.sandbox.user
    attempt.aws_config(
        f"[profile base]\naws_access_key_id = {user.access_key_id}\n"
        f"aws_secret_access_key = {user.secret_access_key}\n"
        "[profile dev]\nrole_arn = arn:aws:iam::123456789012:role/admin\nsource_profile = base\n"
        "mfa_serial = arn:aws:iam::123456789012:mfa/me\n"
    )
    words = ("--ca-profile", "dev", "lock")
    attempt.fails(1, "second factor", "aws sts", words=words, code="mfa-required")


def test_denied_role(attempt: Attempt, deny: Callable[[str], None]) -> None:
    """A role that may not be assumed is told as that, not as a missing token permission."""
    user = attempt.sandbox.user
    attempt.aws_config(
        f"[profile base]\naws_access_key_id = {user.access_key_id}\n"
        f"aws_secret_access_key = {user.secret_access_key}\n"
        "[profile dev]\nrole_arn = arn:aws:iam::123456789012:role/admin\nsource_profile = base\n"
    )
    deny("sts:AssumeRole")
    words = ("--ca-profile", "dev", "lock")
    attempt.fails(1, "AssumeRole", "trust policy", words=words, code="assume-role-denied")


def test_broken_aws_configuration(attempt: Attempt) -> None:
    """An AWS configuration that cannot be parsed is named."""
    attempt.aws_config("[profile dev\nregion=\n")
    attempt.fails(1, "aws-config", "aws configure list", code="aws-config")


# --- AWS: what it answers ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "code"),
    [
        ("codeartifact:GetAuthorizationToken", "token-denied"),
        ("sts:GetServiceBearerToken", "bearer-denied"),
    ],
)
def test_denied(action: str, code: str, attempt: Attempt, deny: Callable[[str], None]) -> None:
    """A denied token names both permissions that it takes, and the one that AWS misses."""
    deny(action)
    said = attempt.fails(
        1, "AWS denies a token for my-dom (account 123456789012, us-east-1)", code=code
    )
    error, hint = said.stderr.splitlines()
    assert action in error
    assert "codeartifact:GetAuthorizationToken" in hint
    assert "sts:GetServiceBearerToken" in hint


def test_no_such_domain(attempt: Attempt) -> None:
    """A domain that AWS does not know is named with its account and region."""
    domain = attempt.sandbox.endpoint.domain._replace(name="my-dim")
    attempt.pipfile(source(endpoint_for(domain, "team")), PACKAGES)
    said = "There is no CodeArtifact domain my-dim (account 123456789012, us-east-1)"
    attempt.fails(1, said, code="domain-missing")


@pytest.mark.parametrize("name", ["AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID"])
def test_wrong_keys(name: str, attempt: Attempt) -> None:
    """Keys that AWS does not know, or with a wrong secret, are told as that."""
    attempt.env[name] = attempt.env[name][:-4] + "AAAA"
    attempt.fails(1, "AWS does not accept the credentials", "clock", code="keys-wrong")


def test_expired_keys(attempt: Attempt) -> None:
    """Temporary keys whose time is over lead back to logging in."""
    keys = {
        "Version": 1,
        "AccessKeyId": "ASIAEXAMPLE",
        "SecretAccessKey": "x",
        "SessionToken": "y",
        "Expiration": "2020-01-01T00:00:00Z",
    }
    path = attempt.folder.parent / "keys.json"
    path.write_text(json.dumps(keys))
    attempt.aws_config(f"[profile dev]\ncredential_process = cat {path}\n")
    words = ("--ca-profile", "dev", "lock")
    attempt.fails(1, "with profile dev", "expired", words=words, code="keys-expired")


@pytest.mark.wide  # the waits between the tries are botocore's
def test_throttled(attempt: Attempt) -> None:
    """AWS's limit, met at every try, is told as that."""
    attempt.sandbox.throttle(1000, retry_after=0)
    calls = Calls(attempt.sandbox)
    try:
        attempt.fails(1, "AWS limits how many tokens may be asked for", code="throttled")
    finally:
        attempt.sandbox.throttle(0)
    assert calls.count() == 5 + 7


def test_throttled_at_first(attempt: Attempt) -> None:
    """One refusal for too many calls is got over by trying again."""
    attempt.sandbox.throttle(1, retry_after=0)
    assert get_token(attempt.sandbox, attempt.env, attempt.folder)


@pytest.mark.wide  # the waits between the tries are botocore's
def test_throttled_for_long(attempt: Attempt) -> None:
    """A burst of many machines is got over, though AWS refuses one of them six times."""
    attempt.sandbox.throttle(6, retry_after=0)
    calls = Calls(attempt.sandbox)
    assert get_token(attempt.sandbox, attempt.env, attempt.folder)
    assert calls.count() == 7


def test_answer_that_breaks_off(attempt: Attempt) -> None:
    """An answer of AWS that breaks off is asked for again; for good it is told as that."""
    attempt.sandbox.truncate(100, times=2, on="api")
    assert get_token(attempt.sandbox, attempt.env, attempt.folder)
    attempt.sandbox.truncate(100, on="api")
    try:
        attempt.fails(1, "broken off", words=("--ca-refresh", "lock"), code="service-fault")
    finally:
        attempt.sandbox.heal()


# --- the network -------------------------------------------------------------------------


def closed_port() -> int:
    """Return a port on loopback at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def test_proxy_is_not_there(attempt: Attempt) -> None:
    """A proxy that does not answer is told as the proxy's fault."""
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
def test_host_does_not_resolve(region: str, said: str, code: str, attempt: Attempt) -> None:
    """A host that is not reached is told with its region, if there is no CodeArtifact in that."""
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        attempt.env.pop(name, None)
    domain = attempt.sandbox.endpoint.domain._replace(region=region)
    attempt.pipfile(source(endpoint_for(domain, "team")), PACKAGES)
    attempt.fails(1, said, code=code)


def test_certificate_is_not_trusted(attempt: Attempt, tmp_path: Path) -> None:
    """A certificate of an authority that is not trusted leads to AWS_CA_BUNDLE."""
    bundle = tmp_path / "other-ca.pem"
    trustme.CA().cert_pem.write_to_path(bundle)
    attempt.env["AWS_CA_BUNDLE"] = str(bundle)
    attempt.fails(1, "TLS certificate", "AWS_CA_BUNDLE", code="tls-untrusted")


# --- the project's files -----------------------------------------------------------------


@pytest.mark.parametrize("words", [("lock",), ("token",)])
def test_broken_pipfile(words: tuple[str, ...], attempt: Attempt) -> None:
    """A Pipfile that is no TOML is told with its line."""
    path = attempt.folder / "Pipfile"
    path.write_text('[packages]\nsix = "*"\norb-common = \n')
    attempt.fails(2, str(path), "line 3", "not valid TOML", words=words)


def test_pipfile_that_is_not_utf8(attempt: Attempt) -> None:
    """A Pipfile in another encoding is told with the line where that shows."""
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
def test_sources_that_cannot_be_right(
    tables: tuple[str, ...], parts: tuple[str, ...], attempt: Attempt
) -> None:
    """A source that would send the token astray, or that has no URL, is refused with the reason."""
    attempt.pipfile(*tables)
    calls = Calls(attempt.sandbox)
    astray = parts[0] != "Source 1 in" and "443x" not in parts
    attempt.fails(2, *parts, code="token-elsewhere" if astray else None)
    assert calls.to_aws() == 0


def test_two_domains_with_one_variable(attempt: Attempt) -> None:
    """One variable cannot hold the tokens of two domains; another name for one is suggested."""
    first = attempt.sandbox.endpoint
    other = endpoint_for(first.domain._replace(name="far-dom"), "far")
    attempt.pipfile(source(first), source(other, name="far"), PACKAGES)
    said = ("my-dom", "far-dom", "${CODEARTIFACT_AUTH_TOKEN_FAR_DOM}")
    attempt.fails(2, "two domains", *said, code="variable-shared")


def test_named_pipfile_is_not_there(attempt: Attempt) -> None:
    """A PIPENV_PIPFILE that does not exist is told, and none is made."""
    attempt.env["PIPENV_PIPFILE"] = "elsewhere/Pipfile"
    attempt.fails(2, "PIPENV_PIPFILE names elsewhere/Pipfile", "Correct or unset it")


def test_dotenv_that_is_not_utf8(attempt: Attempt) -> None:
    """A .env that cannot be read is told before pipenv trips over it."""
    (attempt.folder / ".env").write_bytes(b"NAME=caf\xe9\n")
    attempt.fails(2, ".env cannot be read", "PIPENV_DONT_LOAD_ENV=1")


def test_pyproject_with_an_unknown_setting(attempt: Attempt) -> None:
    """A misspelt key of ours in pyproject.toml is told, with what there is."""
    (attempt.folder / "pyproject.toml").write_text("[tool.codeartifact-pipenv]\nprofil = 'x'\n")
    attempt.fails(2, "sets profil, which is not a setting", "profile")


def test_token_verb_with_another_url(attempt: Attempt) -> None:
    """`token` for a URL that only resembles CodeArtifact's says what is wrong with it."""
    url = attempt.sandbox.endpoint.url.replace("https", "http")
    attempt.fails(2, "it is http, not https", words=("token", url))
    attempt.fails(2, "not clear which AWS region", words=("token", "--domain", "my-dom"))


# --- pipenv's own business ---------------------------------------------------------------


@pytest.mark.wide
@pytest.mark.parametrize("content", ["", None], ids=["empty", "none"])
def test_pipfile_without_anything(content: str | None, attempt: Attempt) -> None:
    """Without a source of ours, an empty Pipfile or none at all is pipenv's business, tokenless."""
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
def test_broken_pipfile_for_a_program(attempt: Attempt) -> None:
    """With `run`, a broken Pipfile is left to pipenv, which says it its own way."""
    (attempt.folder / "Pipfile").write_text("[packages\n")
    words = ("run", "pip", "install", "x")
    ours, theirs = attempt.ours_and_theirs(*words)
    assert ours.status == theirs.status != 0
    assert ours.stderr.splitlines()[-1] == theirs.stderr.splitlines()[-1]


@pytest.mark.wide
def test_corrupt_lock(attempt: Attempt) -> None:
    """A lock that is no JSON is pipenv's to tell: same words, same status, same files."""
    (attempt.folder / "Pipfile.lock").write_text('{"_meta": ')
    token = get_token(attempt.sandbox, attempt.env, attempt.folder)
    attempt.env[TOKEN_VARIABLE] = token
    ours, theirs = attempt.ours_and_theirs("sync")
    assert (ours.status, ours.stdout) == (theirs.status, theirs.stdout)
    # (Before that it tells how long making the environment took.)
    assert ours.stderr.splitlines()[-2:] == theirs.stderr.splitlines()[-2:]
    assert not re.search(r"^(error|hint):", ours.stderr, re.MULTILINE)


def test_folder_that_was_removed(attempt: Attempt) -> None:
    """In a folder that is no more, the command says so."""
    folder = attempt.folder.parent / "gone"
    folder.mkdir()
    words = ("sh", "-c", 'rmdir "$PWD"; exec "$0" lock', PIPENV_CA)
    done = run(*words, env=attempt.env, cwd=folder)
    assert_error(done, 2, "This folder cannot be read", "[folder-unreadable]")


@pytest.mark.wide
@pytest.mark.parametrize("locked", [True, False])
def test_pipfile_that_pipenv_cannot_read(locked: bool, attempt: Attempt) -> None:
    """A Pipfile with a table that pipenv does not take is told, and nothing is changed."""
    attempt.pipfile(
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
