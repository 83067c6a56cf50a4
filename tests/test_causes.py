"""Each cause, reproduced: the code that the command and doctor name.

The summary of the terminal counts the recognised ones.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import trustme
from support.programs import PIPENV_CA, Result, run
from support.projects import PYPI_SOURCE, source
from support.runs import TOKEN_VARIABLE, expired_token, get_token
from support.workspace import (
    LEGACY_SSO,
    ROLE,
    SSO_SESSION,
    START,
    Workspace,
    expired_sso_login,
)

from codeartifact_pipenv.sandbox.behaviour import Behaviour
from codeartifact_pipenv.sandbox.hosts import endpoint_for
from codeartifact_pipenv.sandbox.sandbox import Sandbox
from codeartifact_pipenv.sandbox.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.wide


class BrokenProject(Workspace):
    """A healthy project for a cause to break.

    Attributes:
        lonely: a repository that does not reach the public index.
        words: the command that must fail.
    """

    def __init__(self, sandbox: Sandbox, env: dict[str, str], folder: Path, home: Path) -> None:
        super().__init__(sandbox, env, folder)
        self.home = home
        self.words: tuple[str, ...] = ("lock",)
        self.lonely = sandbox.add_repository("lonely")
        self.publish_wheels(self.team, self.lonely)
        self.pipfile('orb-tools = "*"')


@pytest.fixture
def broken(
    clean_env: dict[str, str],
    clean_base: dict[str, str],
    project: Path,
    home: Path,
    request: pytest.FixtureRequest,
) -> Iterator[BrokenProject]:
    # Other tests than those of causes have no name.
    name = getattr(request.node, "callspec", None) and request.node.callspec.params.get("name")
    behaviour = CAUSES[name].behaviour if name in CAUSES else None
    with Sandbox(
        domain="my-dom", repository="team", behaviour=behaviour, base=clean_base
    ) as sandbox:
        yield BrokenProject(sandbox, sandbox.environ(clean_env), project, home)


class Cause(NamedTuple):
    """A way to reproduce a cause.

    Attributes:
        code: the code of the cause.
        make: breaks the project.
        wrapper: whether a command can meet it.
        goes_on: whether the command succeeds with a warning.
        level: doctor's level.
        behaviour: the behaviour of AWS, if not the default.
        says: text in the error or the hint.
    """

    code: str
    make: Callable[[BrokenProject], object]
    wrapper: bool = True
    goes_on: bool = False
    level: str = "failure"
    behaviour: Behaviour | None = None
    says: str = ""


CAUSES: dict[str, Cause] = {}


def cause(
    code: str, name: str = "", **fields: Any
) -> Callable[[Callable[[BrokenProject], object]], None]:
    """Register a function that reproduces a cause, by name or else by code."""

    def register(make: Callable[[BrokenProject], object]) -> None:
        CAUSES[name or code] = Cause(code, make, **fields)

    return register


# --- tokens at hand ----------------------------------------------------------------------


cause("token-expired", "inherited-token-expired", goes_on=True, level="warning")(
    lambda p: p.env.update({TOKEN_VARIABLE: expired_token(p.sandbox)})
)


@cause("dotenv-token", "stale-token-in-dotenv")
def stale_token_in_dotenv(broken: BrokenProject) -> None:
    token = expired_token(broken.sandbox)
    (broken.folder / ".env").write_text(f"{TOKEN_VARIABLE}={token}\n")


@cause("token-wrong-domain", "token-of-another-domain")
def token_of_another_domain(broken: BrokenProject) -> None:
    other = broken.sandbox.add_repository("team", domain="other-dom")
    made = run(PIPENV_CA, "token", other.simple_url, env=broken.env, cwd=broken.folder)
    broken.env[TOKEN_VARIABLE] = made.stdout.strip()


@cause("token-revoked")
def token_revoked(broken: BrokenProject) -> None:
    assert get_token(broken.sandbox, broken.env, broken.folder)
    broken.sandbox.revoke_tokens()
    broken.words = ("--ca-route", "as-written", "lock")  # by the proxy index it is renewed


@cause("token-revoked", "inherited-token-revoked")
def inherited_token_revoked(broken: BrokenProject) -> None:
    broken.env[TOKEN_VARIABLE] = get_token(broken.sandbox, broken.env, broken.folder)
    broken.sandbox.revoke_tokens()


# --- identity --------------------------------------------------------------------------


cause("no-credentials")(lambda p: p.without_keys())
cause("partial-credentials", "half-of-a-key-pair", says="AWS_SECRET_ACCESS_KEY")(
    lambda p: p.env.pop("AWS_SECRET_ACCESS_KEY")
)


@cause("unknown-profile", says="nope")
def unknown_profile(broken: BrokenProject) -> None:
    broken.without_keys()
    broken.env["AWS_PROFILE"] = "nope"


cause("sso-never", "sso-never-logged-in-legacy", says="aws sso login --profile dev")(
    lambda p: p.aws_config(LEGACY_SSO)
)


@cause("sso-expired", "sso-expired-legacy", says="aws sso login --profile dev")
def sso_expired_legacy(broken: BrokenProject) -> None:
    broken.aws_config(LEGACY_SSO)
    expired_sso_login(broken.home, START)


cause("sso-never", "sso-never-logged-in-session", says="aws sso login --profile dev")(
    lambda p: p.aws_config(SSO_SESSION)
)


@cause("sso-expired", "sso-expired-session", says="aws sso login --profile dev")
def sso_expired_session(broken: BrokenProject) -> None:
    broken.aws_config(SSO_SESSION)
    expired_sso_login(broken.home, "corp")


cause("mfa-required", "second-factor-without-a-terminal", says="aws sts")(
    lambda p: p.aws_config(p.role_profile("mfa_serial = arn:aws:iam::123456789012:mfa/me\n"))
)


@cause("web-identity-missing", "web-identity-file-missing", says="/no/such/identity")
def web_identity_file_missing(broken: BrokenProject) -> None:
    broken.without_keys()
    broken.env |= {"AWS_ROLE_ARN": ROLE, "AWS_WEB_IDENTITY_TOKEN_FILE": "/no/such/identity"}


@cause("assume-role-denied", says="trust policy")
def assume_role_denied(broken: BrokenProject) -> None:
    broken.aws_config(broken.role_profile())
    broken.sandbox.deny("sts:AssumeRole")


cause("keys-wrong")(
    lambda p: p.env.update({"AWS_SECRET_ACCESS_KEY": p.env["AWS_SECRET_ACCESS_KEY"][:-4] + "AAAA"})
)
cause("keys-wrong", "key-unknown")(
    lambda p: p.env.update({"AWS_ACCESS_KEY_ID": p.env["AWS_ACCESS_KEY_ID"][:-4] + "AAAA"})
)


@cause("keys-expired", says="profile dev")
def keys_expired(broken: BrokenProject) -> None:
    keys = {"Version": 1, "AccessKeyId": "ASIAEXAMPLE", "SecretAccessKey": "x"}
    keys |= {"SessionToken": "y", "Expiration": "2020-01-01T00:00:00Z"}
    path = broken.folder.parent / "keys.json"
    path.write_text(json.dumps(keys))
    broken.aws_config(f"[profile dev]\ncredential_process = cat {path}\n")


@cause("clock-wrong")
def clock_wrong(broken: BrokenProject) -> None:
    broken.sandbox.clock_offset = 900


# --- what AWS allows ---------------------------------------------------------------------


cause("token-denied", "get-authorization-token-denied")(
    lambda p: p.sandbox.deny("codeartifact:GetAuthorizationToken")
)
cause("bearer-denied", "get-service-bearer-token-denied")(
    lambda p: p.sandbox.deny("sts:GetServiceBearerToken")
)


@cause("duration-refused", "duration-refused-by-policy")
def duration_refused_by_policy(broken: BrokenProject) -> None:
    broken.sandbox.maximum_duration = 3600


cause("read-denied")(lambda p: p.sandbox.deny("codeartifact:ReadFromRepository"))
cause("read-denied", "read-denied-as-if-unknown", behaviour=Behaviour(read_denied=401))(
    lambda p: p.sandbox.deny("codeartifact:ReadFromRepository")
)
cause("read-denied", "read-denied-as-if-missing", behaviour=Behaviour(read_denied=404))(
    lambda p: p.sandbox.deny("codeartifact:ReadFromRepository")
)


# --- names and network --------------------------------------------------------------------


def in_domain(broken: BrokenProject, **fields: str) -> None:
    domain = broken.team.domain._replace(**fields)
    broken.pipfile('orb-tools = "*"', source(endpoint_for(domain, "team")))


cause("domain-missing", says="my-dim (account 123456789012, us-east-1)")(
    lambda p: in_domain(p, name="my-dim")
)
cause("owner-wrong")(lambda p: in_domain(p, owner="210987654321"))
cause("repository-missing")(
    lambda p: p.pipfile('orb-tools = "*"', source(p.team._replace(repository="taem")))
)


def in_region(broken: BrokenProject, region: str) -> None:
    # The sandbox is reached through a proxy; without it no AWS host resolves.
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        broken.env.pop(name, None)
    in_domain(broken, region=region)


cause("region-unsupported", "region-without-codeartifact")(lambda p: in_region(p, "us-west-1"))
cause("unreachable", "host-does-not-resolve")(lambda p: in_region(p, "eu-west-1"))


@cause("tls-untrusted", "tls-not-trusted-by-aws", says="AWS_CA_BUNDLE")
def tls_not_trusted_by_aws(broken: BrokenProject) -> None:
    path = broken.folder.parent / "other-ca.pem"
    trustme.CA().cert_pem.write_to_path(path)
    broken.env["AWS_CA_BUNDLE"] = str(path)


@cause("tls-untrusted", "tls-not-trusted-by-clients")
def tls_not_trusted_by_clients(broken: BrokenProject) -> None:
    broken.env[TOKEN_VARIABLE] = get_token(broken.sandbox, broken.env, broken.folder)
    path = broken.folder.parent / "other-ca.pem"
    trustme.CA().cert_pem.write_to_path(path)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "PIP_CERT"):
        broken.env[name] = str(path)


@cause("proxy-down")
def proxy_down(broken: BrokenProject) -> None:
    broken.env[TOKEN_VARIABLE] = get_token(broken.sandbox, broken.env, broken.folder)
    proxy(broken)


def proxy(broken: BrokenProject) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{probe.getsockname()[1]}"
    broken.env |= {"HTTPS_PROXY": address, "https_proxy": address}


cause("proxy-down", "proxy-to-aws-down", says="HTTPS_PROXY")(proxy)
cause("throttled", "token-calls-throttled")(lambda p: p.sandbox.throttle(1000, retry_after=0))
cause("throttled", "reads-throttled")(lambda p: p.sandbox.fault(429))
cause("service-fault", "token-calls-fail")(lambda p: p.sandbox.fault(500, on="api"))
cause("service-fault", "reads-fail")(lambda p: p.sandbox.fault(503))


# --- packages ----------------------------------------------------------------------------


cause("package-missing")(lambda p: p.pipfile('orb-tols = "*"'))
cause("version-missing")(lambda p: p.pipfile('orb-tools = "==7.7"'))


@cause("index-missing", level="warning", says='index = "codeartifact"')
def index_missing(broken: BrokenProject) -> None:
    broken.pipfile('orb-tools = "*"', PYPI_SOURCE, source(broken.team))
    broken.words = ("--ca-route", "as-written", "lock")


@cause("dependency-unlisted", "dependency-not-listed", level="warning")
def dependency_not_listed(broken: BrokenProject) -> None:
    named = 'orb-tools = {version = "*", index = "codeartifact"}'
    broken.pipfile(named, PYPI_SOURCE, source(broken.team))
    broken.words = ("--ca-route", "as-written", "lock")


@cause("origin-blocked", "blocked-by-origin-control")
def blocked_by_origin_control(broken: BrokenProject) -> None:
    broken.sandbox.set_origin("iniconfig", upstream="BLOCK")
    broken.pipfile('iniconfig = "*"')


@cause("origin-blocked", "version-blocked-by-origin-control")
def version_blocked_by_origin_control(broken: BrokenProject) -> None:
    wheel = make_wheel(broken.folder.parent / "wheels", "iniconfig", "0.0.1")
    broken.sandbox.publish(wheel)
    broken.pipfile('iniconfig = "==2.0.0"')


cause("no-public-upstream")(lambda p: p.pipfile('six = "*"', source(p.lonely)))
cause("python-excluded")(lambda p: p.pipfile('orb-future = "*"'))


# --- the project's files -----------------------------------------------------------------


@cause("url-without-simple")
def url_without_simple(broken: BrokenProject) -> None:
    broken.pipfile('orb-tools = "*"', source(broken.team).replace("/simple/", "/"))
    broken.words = ("--ca-route", "as-written", "lock")


@cause("url-username", "url-with-wrong-username")
def url_with_wrong_username(broken: BrokenProject) -> None:
    broken.pipfile('orb-tools = "*"', source(broken.team, userinfo=f"bob:${{{TOKEN_VARIABLE}}}@"))
    broken.words = ("--ca-route", "as-written", "lock")


@cause("url-token", "literal-token")
def literal_token(broken: BrokenProject) -> None:
    token = get_token(broken.sandbox, broken.env, broken.folder)
    broken.sandbox.revoke_tokens()
    broken.pipfile('orb-tools = "*"', source(broken.team, userinfo=f"aws:{token}@"))
    broken.words = ("--ca-refresh", "--ca-route", "as-written", "lock")


@cause("variable-unset")
def variable_unset(broken: BrokenProject) -> None:
    own = source(broken.team).replace("us-east-1", "${THE_REGION}")
    broken.pipfile('orb-tools = "*"', own)


cause("variable-name", "variable-of-a-compiler")(
    lambda p: p.pipfile('orb-tools = "*"', source(p.team, "aws:${CFLAGS}@"))
)


@cause("variable-shared", says="${CODEARTIFACT_AUTH_TOKEN_FAR_DOM}")
def variable_shared(broken: BrokenProject) -> None:
    other = broken.sandbox.add_repository("far", domain="far-dom")
    broken.pipfile('orb-tools = "*"', source(broken.team), source(other, name="far"))


@cause("lock-outdated")
def lock_outdated(broken: BrokenProject) -> None:
    broken.pipfile('orb-common = "*"')
    assert broken.run("lock").status == 0
    broken.pipfile('orb-common = "*"\norb-tools = "*"')
    broken.words = ("install", "--deploy")


# --- other clients -----------------------------------------------------------------------


def path_with_keyring(broken: BrokenProject, version: str | None) -> None:
    """Set PATH to a folder with a keyring of this version, or with none."""
    folder = broken.folder.parent / "bin"
    folder.mkdir()
    if version is not None:
        library = broken.folder.parent / "library" / f"keyring-{version}.dist-info"
        library.mkdir(parents=True)
        (library / "METADATA").write_text(f"Name: keyring\nVersion: {version}\n")
        python = folder / "python"
        python.write_text(
            f'#!/bin/sh\nPYTHONPATH="{library.parent}" exec /usr/bin/env -u PYTHONHOME '
            f'{PIPENV_CA.rpartition("/")[0]}/python "$@"\n'
        )
        python.chmod(0o755)
        keyring = folder / "keyring"
        # A shebang cannot contain a path with a blank.
        link = broken.folder.parent / "python"
        link.symlink_to(python)
        keyring.write_text(f"#!{link}\nprint('keyring.backends.fail.Keyring')\n")
        keyring.chmod(0o755)
    broken.env["PATH"] = f"{folder}:/usr/bin:/bin"


cause("keyring-missing", wrapper=False, level="warning")(lambda p: path_with_keyring(p, None))
cause("keyring-outdated", "keyring-too-old", wrapper=False, level="warning")(
    lambda p: path_with_keyring(p, "24.3.1")
)


# --- the tests ---------------------------------------------------------------------------

ALL = pytest.mark.parametrize("name", CAUSES)


@pytest.mark.shows_token("files")
@ALL
def test_the_command_names_the_cause(
    name: str, broken: BrokenProject, record_property: Callable[[str, object], None]
) -> None:
    known = CAUSES[name]
    if not known.wrapper:
        pytest.skip("it concerns other clients only")
    record_property("cause", ("wrapper", name))
    known.make(broken)
    before = (broken.folder / "Pipfile").read_bytes()
    done = broken.run(*broken.words)
    assert (done.status == 0) == known.goes_on, done.output
    assert (broken.folder / "Pipfile").read_bytes() == before
    own = re.findall(r"^(?:error|warning): .* \[([a-z-]+)\]$", done.stderr, re.MULTILINE)
    assert own == [known.code], done.stderr
    assert known.says in done.stderr
    if not known.goes_on:
        assert done.stderr.splitlines()[-1].startswith("hint: "), done.stderr
    check_no_secret(broken, done)


@pytest.mark.shows_token("files")
@ALL
def test_doctor_names_only_this_cause(
    name: str, broken: BrokenProject, record_property: Callable[[str, object], None]
) -> None:
    record_property("cause", ("doctor", name))
    known = CAUSES[name]
    known.make(broken)
    options = [word for word in broken.words if word == "--ca-refresh"]
    done = broken.run(*options, "doctor", "--json")
    check_no_secret(broken, done)
    document = json.loads(done.stdout)
    found = [finding for section in document["sections"] for finding in section["findings"]]
    codes = {finding["code"] for finding in found if finding["level"] == known.level}
    failures = {finding["code"] for finding in found if finding["level"] == "failure"}
    assert known.code in codes, found
    assert failures <= {known.code}, found
    assert done.status == (1 if known.level == "failure" else 0)
    assert all(f["hint"] for f in found if f["level"] != "ok")


def check_no_secret(broken: BrokenProject, done: Result) -> None:
    assert "eyJ" not in done.output
    assert broken.sandbox.user.secret_access_key not in done.output
    assert not re.search(r'File ".*codeartifact_pipenv', done.output)  # pipenv's own may be


# --- failures of pipenv itself ----------------------------------------------------------------


def healthy(broken: BrokenProject) -> None:
    broken.pipfile('orb-tools = "*"\nsix = "*"')
    assert broken.run("lock").status == 0
    broken.words = ("verify",)


def compiler_error(broken: BrokenProject) -> None:
    broken.pipfile('orb-common = "*"')
    (broken.folder / "setup.py").write_text("raise SystemExit('no compiler here')\n")
    broken.words = ("install", "-e", ".")


def conflict(broken: BrokenProject) -> None:
    broken.pipfile('jinja2 = "==3.1.4"\nmarkupsafe = "<2"')


@pytest.mark.parametrize("make", [healthy, compiler_error, conflict])
def test_failures_of_pipenv_itself_are_not_explained(
    make: Callable[[BrokenProject], None], broken: BrokenProject
) -> None:
    make(broken)
    done = broken.run(*broken.words)
    assert (done.status == 0) == (make is healthy)
    assert re.findall(r" \[[a-z-]+\]$", done.stderr, re.MULTILINE) == []
    looked = broken.run("doctor", "--json")
    assert looked.status == 0, looked.stdout
    assert json.loads(looked.stdout)["ok"] is True


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a small disk."""
    place = tmp_path / "disk"
    place.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)]
    if subprocess.run(words, check=False, capture_output=True).returncode != 0:
        pytest.skip("a disk cannot be mounted here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.mark.parametrize(("public_first", "room"), [(False, 0), (True, 30_000)])
def test_a_full_disk_is_not_explained_and_keeps_the_files(
    public_first: bool, room: int, broken: BrokenProject, full_disk: Path
) -> None:
    broken.folder = full_disk
    tables = (PYPI_SOURCE, source(broken.team)) if public_first else ()
    broken.pipfile('orb-common = "*"', *tables)
    before = (full_disk / "Pipfile").read_bytes()
    with contextlib.suppress(OSError), open(full_disk / "filler", "wb", buffering=0) as file:
        while True:
            file.write(bytes(1024))
    if room:
        os.truncate(full_disk / "filler", (full_disk / "filler").stat().st_size - room)
    done = broken.run("lock")
    assert done.status != 0
    check_no_secret(broken, done)
    assert re.findall(r" \[[a-z-]+\]$", done.stderr, re.MULTILINE) == []
    assert (full_disk / "Pipfile").read_bytes() == before
    assert broken.run("doctor").status == 0
    assert not (full_disk / "Pipfile.lock").exists()
    (full_disk / "filler").unlink()
    # pipenv does not use a virtual environment that is half made.
    shutil.rmtree(full_disk / ".venv", ignore_errors=True)
    broken.env["PIPENV_VENV_IN_PROJECT"] = "0"
    assert broken.run("lock").status == 0


def test_a_limit_on_file_size_is_not_explained(broken: BrokenProject) -> None:
    words = ("sh", "-c", 'ulimit -f 64; exec "$0" lock', PIPENV_CA)
    done = run(*words, env=broken.env, cwd=broken.folder)
    assert done.status != 0
    check_no_secret(broken, done)
    assert re.findall(r" \[[a-z-]+\]$", done.stderr, re.MULTILINE) == []
