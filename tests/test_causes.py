"""Every cause that is known, made for real: by which code the wrapper and doctor name it.

The terminal's summary prints how many of them each recognises.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
from datetime import datetime, timedelta, timezone
from hashlib import sha1
from typing import TYPE_CHECKING, NamedTuple

import pytest
import trustme
from support.programs import PIPENV_CA, Result, run
from support.projects import PYPI_SOURCE, source, write_pipfile
from support.runs import TOKEN_VARIABLE, expired_token, get_token, without_credentials

from codeartifact_pipenv.sandbox.behaviour import Behaviour
from codeartifact_pipenv.sandbox.hosts import endpoint_for
from codeartifact_pipenv.sandbox.sandbox import Sandbox
from codeartifact_pipenv.sandbox.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.wide

START = "https://portal.awsapps.com/start"
ROLE = "arn:aws:iam::123456789012:role/admin"


class World:
    """A sandbox of the test's own, and a healthy project in it, to be spoilt.

    Attributes:
        sandbox: the repository ``team`` reaches the public index, ``lonely`` does not.
        words: the command that is to fail.
    """

    def __init__(self, sandbox: Sandbox, env: dict[str, str], folder: Path, home: Path) -> None:
        self.sandbox = sandbox
        self.env = env
        self.folder = folder
        self.home = home
        self.words: tuple[str, ...] = ("lock",)
        self.team = sandbox.endpoint
        self.lonely = sandbox.add_repository("lonely")
        wheels = folder.parent / "wheels"
        for wheel in (
            make_wheel(wheels, "orb-common", "2.0.0"),
            make_wheel(wheels, "orb-tools", "1.0", requires=["orb-common"]),
            make_wheel(wheels, "orb-future", "1.0", requires_python=">=3.99"),
        ):
            sandbox.publish(wheel)
            sandbox.publish(wheel, self.lonely)
        self.pipfile('orb-tools = "*"')

    def pipfile(self, packages: str, *tables: str) -> None:
        """Write the Pipfile; without tables the team's repository is the one source."""
        write_pipfile(self.folder, *(tables or (source(self.team),)), f"[packages]\n{packages}\n")

    def without_keys(self) -> None:
        self.env = without_credentials(self.env) | {"AWS_EC2_METADATA_DISABLED": "true"}

    def aws_config(self, text: str, profile: str = "dev") -> None:
        """Write an AWS configuration file in place of keys, and choose a profile of it."""
        self.without_keys()
        path = self.folder.parent / "aws-config"
        path.write_text(text)
        self.env |= {"AWS_CONFIG_FILE": str(path), "AWS_PROFILE": profile}

    def sso_login(self, cache_name: str) -> None:
        """Leave an SSO login that ended yesterday."""
        yesterday = datetime.now(timezone.utc) - timedelta(days=1)
        ended = {"accessToken": "x", "expiresAt": yesterday.strftime("%Y-%m-%dT%H:%M:%SZ")}
        cache = self.home / ".aws" / "sso" / "cache"
        cache.mkdir(parents=True)
        # (botocore's own name for the file.)
        name = sha1(cache_name.encode(), usedforsecurity=False).hexdigest()
        (cache / f"{name}.json").write_text(json.dumps(ended | {"startUrl": START}))

    def run(self, *words: str) -> Result:
        return run(PIPENV_CA, *words, env=self.env, cwd=self.folder)


@pytest.fixture
def world(
    clean_env: dict[str, str],
    clean_base: dict[str, str],
    project: Path,
    home: Path,
    request: pytest.FixtureRequest,
) -> Iterator[World]:
    # Only the tests of causes have a name; the others take what is likely.
    name = getattr(request.node, "callspec", None) and request.node.callspec.params.get("name")
    behaviour = CAUSES[name].behaviour if name in CAUSES else None
    with Sandbox(
        domain="my-dom", repository="team", behaviour=behaviour, base=clean_base
    ) as sandbox:
        yield World(sandbox, sandbox.environ(clean_env), project, home)


class Cause(NamedTuple):
    """A cause, and how it shows.

    Attributes:
        code: its code.
        make: brings it about.
        wrapper: whether the wrapper can meet it.
        goes_on: whether the wrapper's command succeeds all the same, with a warning.
        level: what doctor says of it.
        behaviour: how AWS is taken to be; None for the likeliest.
    """

    code: str
    make: Callable[[World], None]
    wrapper: bool = True
    goes_on: bool = False
    level: str = "failure"
    behaviour: Behaviour | None = None


CAUSES: dict[str, Cause] = {}


def cause(
    code: str,
    *,
    name: str | None = None,
    wrapper: bool = True,
    goes_on: bool = False,
    level: str = "failure",
    behaviour: Behaviour | None = None,
) -> Callable[[Callable[[World], None]], Callable[[World], None]]:
    """Register a function as what brings a cause about."""

    def register(make: Callable[[World], None]) -> Callable[[World], None]:
        key = (name or make.__name__).replace("_", "-")
        CAUSES[key] = Cause(code, make, wrapper, goes_on, level, behaviour)
        return make

    return register


# --- tokens at hand ----------------------------------------------------------------------


@cause("token-expired", goes_on=True, level="warning")
def inherited_token_expired(world: World) -> None:
    world.env[TOKEN_VARIABLE] = expired_token(world.sandbox)


@cause("dotenv-token")
def stale_token_in_dotenv(world: World) -> None:
    token = expired_token(world.sandbox)
    (world.folder / ".env").write_text(f"{TOKEN_VARIABLE}={token}\n")


@cause("token-wrong-domain")
def token_of_another_domain(world: World) -> None:
    other = world.sandbox.add_repository("team", domain="other-dom")
    made = run(PIPENV_CA, "token", other.simple_url, env=world.env, cwd=world.folder)
    world.env[TOKEN_VARIABLE] = made.stdout.strip()


@cause("token-revoked")
def token_revoked(world: World) -> None:
    assert get_token(world.sandbox, world.env, world.folder)
    world.sandbox.revoke_tokens()
    world.words = ("--ca-route", "as-written", "lock")  # by the proxy index it is renewed


@cause("token-revoked")
def inherited_token_revoked(world: World) -> None:
    world.env[TOKEN_VARIABLE] = get_token(world.sandbox, world.env, world.folder)
    world.sandbox.revoke_tokens()


# --- who we are --------------------------------------------------------------------------


@cause("no-credentials")
def no_credentials(world: World) -> None:
    world.without_keys()


@cause("partial-credentials")
def half_of_a_key_pair(world: World) -> None:
    del world.env["AWS_SECRET_ACCESS_KEY"]


@cause("unknown-profile")
def unknown_profile(world: World) -> None:
    world.without_keys()
    world.env["AWS_PROFILE"] = "nope"


SSO = f"sso_start_url = {START}\nsso_region = us-east-1\n"
SSO_ROLE = "sso_account_id = 123456789012\nsso_role_name = developer\n"
LEGACY = f"[profile dev]\n{SSO}{SSO_ROLE}"
SESSION = f"[profile dev]\nsso_session = corp\n{SSO_ROLE}[sso-session corp]\n{SSO}"


@cause("sso-never")
def sso_never_logged_in_legacy(world: World) -> None:
    world.aws_config(LEGACY)


@cause("sso-expired")
def sso_expired_legacy(world: World) -> None:
    world.aws_config(LEGACY)
    world.sso_login(START)


@cause("sso-never")
def sso_never_logged_in_session(world: World) -> None:
    world.aws_config(SESSION)


@cause("sso-expired")
def sso_expired_session(world: World) -> None:
    world.aws_config(SESSION)
    world.sso_login("corp")


def profiles(world: World, more: str = "") -> str:
    user = world.sandbox.user
    return (
        f"[profile base]\naws_access_key_id = {user.access_key_id}\n"
        f"aws_secret_access_key = {user.secret_access_key}\n"
        f"[profile dev]\nrole_arn = {ROLE}\nsource_profile = base\n{more}"
    )


@cause("mfa-required")
def second_factor_without_a_terminal(world: World) -> None:
    world.aws_config(profiles(world, "mfa_serial = arn:aws:iam::123456789012:mfa/me\n"))


@cause("web-identity-missing")
def web_identity_file_missing(world: World) -> None:
    world.without_keys()
    world.env |= {"AWS_ROLE_ARN": ROLE, "AWS_WEB_IDENTITY_TOKEN_FILE": "/no/such/identity"}


@cause("assume-role-denied")
def assume_role_denied(world: World) -> None:
    world.aws_config(profiles(world))
    world.sandbox.deny("sts:AssumeRole")


@cause("keys-wrong")
def keys_wrong(world: World) -> None:
    world.env["AWS_SECRET_ACCESS_KEY"] = world.env["AWS_SECRET_ACCESS_KEY"][:-4] + "AAAA"


@cause("keys-expired")
def keys_expired(world: World) -> None:
    keys = {"Version": 1, "AccessKeyId": "ASIAEXAMPLE", "SecretAccessKey": "x"}
    keys |= {"SessionToken": "y", "Expiration": "2020-01-01T00:00:00Z"}
    path = world.folder.parent / "keys.json"
    path.write_text(json.dumps(keys))
    world.aws_config(f"[profile dev]\ncredential_process = cat {path}\n")


@cause("clock-wrong")
def clock_wrong(world: World) -> None:
    world.sandbox.clock_offset = 900


# --- what AWS allows ---------------------------------------------------------------------


@cause("token-denied")
def get_authorization_token_denied(world: World) -> None:
    world.sandbox.deny("codeartifact:GetAuthorizationToken")


@cause("bearer-denied")
def get_service_bearer_token_denied(world: World) -> None:
    world.sandbox.deny("sts:GetServiceBearerToken")


@cause("duration-refused")
def duration_refused_by_policy(world: World) -> None:
    world.sandbox.maximum_duration = 3600


@cause("read-denied")
def read_denied(world: World) -> None:
    world.sandbox.deny("codeartifact:ReadFromRepository")


@cause("read-denied", behaviour=Behaviour(read_denied=401))
def read_denied_as_if_unknown(world: World) -> None:
    world.sandbox.deny("codeartifact:ReadFromRepository")


@cause("read-denied", behaviour=Behaviour(read_denied=404))
def read_denied_as_if_missing(world: World) -> None:
    world.sandbox.deny("codeartifact:ReadFromRepository")


# --- where things are --------------------------------------------------------------------


@cause("domain-missing")
def domain_missing(world: World) -> None:
    domain = world.team.domain._replace(name="my-dim")
    world.pipfile('orb-tools = "*"', source(endpoint_for(domain, "team")))


@cause("owner-wrong")
def owner_wrong(world: World) -> None:
    domain = world.team.domain._replace(owner="210987654321")
    world.pipfile('orb-tools = "*"', source(endpoint_for(domain, "team")))


@cause("repository-missing")
def repository_missing(world: World) -> None:
    world.pipfile('orb-tools = "*"', source(world.team._replace(repository="taem")))


def in_region(world: World, region: str) -> None:
    # Without the proxy to the sandbox no host of AWS is known here.
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        world.env.pop(name, None)
    domain = world.team.domain._replace(region=region)
    world.pipfile('orb-tools = "*"', source(endpoint_for(domain, "team")))


@cause("region-unsupported")
def region_without_codeartifact(world: World) -> None:
    in_region(world, "us-west-1")


@cause("unreachable")
def host_does_not_resolve(world: World) -> None:
    in_region(world, "eu-west-1")


@cause("tls-untrusted")
def tls_not_trusted_by_aws(world: World) -> None:
    path = world.folder.parent / "other-ca.pem"
    trustme.CA().cert_pem.write_to_path(path)
    world.env["AWS_CA_BUNDLE"] = str(path)


@cause("tls-untrusted")
def tls_not_trusted_by_clients(world: World) -> None:
    world.env[TOKEN_VARIABLE] = get_token(world.sandbox, world.env, world.folder)
    path = world.folder.parent / "other-ca.pem"
    trustme.CA().cert_pem.write_to_path(path)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "PIP_CERT"):
        world.env[name] = str(path)


@cause("proxy-down")
def proxy_down(world: World) -> None:
    world.env[TOKEN_VARIABLE] = get_token(world.sandbox, world.env, world.folder)
    proxy(world)


@cause("proxy-down")
def proxy_to_aws_down(world: World) -> None:
    proxy(world)


def proxy(world: World) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{probe.getsockname()[1]}"
    world.env |= {"HTTPS_PROXY": address, "https_proxy": address}


@cause("throttled")
def token_calls_throttled(world: World) -> None:
    world.sandbox.throttle(1000, retry_after=0)


@cause("throttled")
def reads_throttled(world: World) -> None:
    world.sandbox.fault(429)


@cause("service-fault")
def token_calls_fail(world: World) -> None:
    world.sandbox.fault(500, on="api")


@cause("service-fault")
def reads_fail(world: World) -> None:
    world.sandbox.fault(503)


# --- packages ----------------------------------------------------------------------------


@cause("package-missing")
def package_missing(world: World) -> None:
    world.pipfile('orb-tols = "*"')


@cause("version-missing")
def version_missing(world: World) -> None:
    world.pipfile('orb-tools = "==7.7"')


@cause("index-missing", level="warning")
def index_missing(world: World) -> None:
    world.pipfile('orb-tools = "*"', PYPI_SOURCE, source(world.team))
    world.words = ("--ca-route", "as-written", "lock")


@cause("dependency-unlisted", level="warning")
def dependency_not_listed(world: World) -> None:
    named = 'orb-tools = {version = "*", index = "codeartifact"}'
    world.pipfile(named, PYPI_SOURCE, source(world.team))
    world.words = ("--ca-route", "as-written", "lock")


@cause("origin-blocked")
def blocked_by_origin_control(world: World) -> None:
    world.sandbox.set_origin("iniconfig", upstream="BLOCK")
    world.pipfile('iniconfig = "*"')


@cause("origin-blocked")
def version_blocked_by_origin_control(world: World) -> None:
    wheel = make_wheel(world.folder.parent / "wheels", "iniconfig", "0.0.1")
    world.sandbox.publish(wheel)
    world.pipfile('iniconfig = "==2.0.0"')


@cause("no-public-upstream")
def no_public_upstream(world: World) -> None:
    world.pipfile('six = "*"', source(world.lonely))


@cause("python-excluded")
def python_excluded(world: World) -> None:
    world.pipfile('orb-future = "*"')


# --- the project's files -----------------------------------------------------------------


@cause("url-without-simple")
def url_without_simple(world: World) -> None:
    world.pipfile('orb-tools = "*"', source(world.team).replace("/simple/", "/"))
    world.words = ("--ca-route", "as-written", "lock")


@cause("url-username")
def url_with_wrong_username(world: World) -> None:
    world.pipfile('orb-tools = "*"', source(world.team, userinfo=f"bob:${{{TOKEN_VARIABLE}}}@"))
    world.words = ("--ca-route", "as-written", "lock")


@cause("url-token")
def literal_token(world: World) -> None:
    token = get_token(world.sandbox, world.env, world.folder)
    world.sandbox.revoke_tokens()
    world.pipfile('orb-tools = "*"', source(world.team, userinfo=f"aws:{token}@"))
    world.words = ("--ca-refresh", "--ca-route", "as-written", "lock")


@cause("variable-unset")
def variable_unset(world: World) -> None:
    own = source(world.team).replace("us-east-1", "${THE_REGION}")
    world.pipfile('orb-tools = "*"', own)


@cause("variable-name")
def variable_of_a_compiler(world: World) -> None:
    world.pipfile('orb-tools = "*"', source(world.team, "aws:${CFLAGS}@"))


@cause("variable-shared")
def variable_shared(world: World) -> None:
    other = world.sandbox.add_repository("far", domain="far-dom")
    world.pipfile('orb-tools = "*"', source(world.team), source(other, name="far"))


@cause("lock-outdated")
def lock_outdated(world: World) -> None:
    world.pipfile('orb-common = "*"')
    assert world.run("lock").status == 0
    world.pipfile('orb-common = "*"\norb-tools = "*"')
    world.words = ("install", "--deploy")


# --- other clients -----------------------------------------------------------------------


def path_with_keyring(world: World, version: str | None) -> None:
    """Have only one folder with a keyring on PATH, or one without."""
    folder = world.folder.parent / "bin"
    folder.mkdir()
    if version is not None:
        library = world.folder.parent / "library" / f"keyring-{version}.dist-info"
        library.mkdir(parents=True)
        (library / "METADATA").write_text(f"Name: keyring\nVersion: {version}\n")
        python = folder / "python"
        python.write_text(
            f'#!/bin/sh\nPYTHONPATH="{library.parent}" exec /usr/bin/env -u PYTHONHOME '
            f'{PIPENV_CA.rpartition("/")[0]}/python "$@"\n'
        )
        python.chmod(0o755)
        keyring = folder / "keyring"
        # (A path with a blank cannot stand in a shebang.)
        link = world.folder.parent / "python"
        link.symlink_to(python)
        keyring.write_text(f"#!{link}\nprint('keyring.backends.fail.Keyring')\n")
        keyring.chmod(0o755)
    world.env["PATH"] = f"{folder}:/usr/bin:/bin"


@cause("keyring-missing", wrapper=False, level="warning")
def keyring_missing(world: World) -> None:
    path_with_keyring(world, None)


@cause("keyring-outdated", wrapper=False, level="warning")
def keyring_too_old(world: World) -> None:
    path_with_keyring(world, "24.3.1")


# --- the tests ---------------------------------------------------------------------------

ALL = pytest.mark.parametrize("name", CAUSES)


@pytest.mark.shows_token("files")
@ALL
def test_wrapper(name: str, world: World, record_property: Callable[[str, object], None]) -> None:
    """The wrapper names the cause, before hand-off or after pipenv has failed."""
    known = CAUSES[name]
    if not known.wrapper:
        pytest.skip("it concerns other clients only")
    record_property("cause", ("wrapper", name))
    known.make(world)
    done = world.run(*world.words)
    assert (done.status == 0) == known.goes_on, done.output
    own = re.findall(r"^(?:error|warning): .* \[([a-z-]+)\]$", done.stderr, re.MULTILINE)
    assert own == [known.code], done.stderr
    if not known.goes_on:
        assert done.stderr.splitlines()[-1].startswith("hint: "), done.stderr
    check_no_secret(world, done)


@pytest.mark.shows_token("files")
@ALL
def test_doctor(name: str, world: World, record_property: Callable[[str, object], None]) -> None:
    """Doctor names the cause, and no other one with it."""
    record_property("cause", ("doctor", name))
    known = CAUSES[name]
    known.make(world)
    options = [word for word in world.words if word == "--ca-refresh"]
    done = world.run(*options, "doctor", "--json")
    check_no_secret(world, done)
    document = json.loads(done.stdout)
    found = [finding for section in document["sections"] for finding in section["findings"]]
    codes = {finding["code"] for finding in found if finding["level"] == known.level}
    failures = {finding["code"] for finding in found if finding["level"] == "failure"}
    assert known.code in codes, found
    assert failures <= {known.code}, found
    assert done.status == (1 if known.level == "failure" else 0)
    assert all(f["hint"] for f in found if f["level"] != "ok")


def check_no_secret(world: World, done: Result) -> None:
    assert "eyJ" not in done.output
    assert world.sandbox.user.secret_access_key not in done.output
    assert not re.search(r'File ".*codeartifact_pipenv', done.output)  # pipenv's own may be


# --- what is none of ours ----------------------------------------------------------------


def healthy(world: World) -> None:
    world.pipfile('orb-tools = "*"\nsix = "*"')
    assert world.run("lock").status == 0
    world.words = ("verify",)


def compiler_error(world: World) -> None:
    world.pipfile('orb-common = "*"')
    (world.folder / "setup.py").write_text("raise SystemExit('no compiler here')\n")
    world.words = ("install", "-e", ".")


def conflict(world: World) -> None:
    world.pipfile('jinja2 = "==3.1.4"\nmarkupsafe = "<2"')


@pytest.mark.parametrize("make", [healthy, compiler_error, conflict])
def test_none_of_ours(make: Callable[[World], None], world: World) -> None:
    """Of what is not ours to explain nothing is said, and doctor finds nothing wrong."""
    make(world)
    done = world.run(*world.words)
    assert (done.status == 0) == (make is healthy)
    assert re.findall(r" \[[a-z-]+\]$", done.stderr, re.MULTILINE) == []
    looked = world.run("doctor", "--json")
    assert looked.status == 0, looked.stdout
    assert json.loads(looked.stdout)["ok"] is True


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own with no room on it."""
    place = tmp_path / "disk"
    place.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)]
    if subprocess.run(words, check=False, capture_output=True).returncode != 0:
        pytest.skip("a disk cannot be mounted here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.mark.parametrize(("public_first", "room"), [(False, 0), (True, 30_000)])
def test_full_disk(public_first: bool, room: int, world: World, full_disk: Path) -> None:
    """A full disk is told as what it is, without a traceback of ours, and the files stay."""
    world.folder = full_disk
    tables = (PYPI_SOURCE, source(world.team)) if public_first else ()
    world.pipfile('orb-common = "*"', *tables)
    before = (full_disk / "Pipfile").read_bytes()
    with contextlib.suppress(OSError), open(full_disk / "filler", "wb", buffering=0) as file:
        while True:
            file.write(bytes(1024))
    if room:
        os.truncate(full_disk / "filler", (full_disk / "filler").stat().st_size - room)
    done = world.run("lock")
    assert done.status != 0
    check_no_secret(world, done)
    assert re.findall(r" \[[a-z-]+\]$", done.stderr, re.MULTILINE) == []
    assert (full_disk / "Pipfile").read_bytes() == before
    assert world.run("doctor").status == 0
    assert not (full_disk / "Pipfile.lock").exists()
    (full_disk / "filler").unlink()
    # pipenv does not use what it has left half made.
    shutil.rmtree(full_disk / ".venv", ignore_errors=True)
    world.env["PIPENV_VENV_IN_PROJECT"] = "0"
    assert world.run("lock").status == 0


def test_files_limited_in_size(world: World) -> None:
    """A limit that keeps programs from writing is none of ours to explain."""
    words = ("sh", "-c", 'ulimit -f 64; exec "$0" lock', PIPENV_CA)
    done = run(*words, env=world.env, cwd=world.folder)
    assert done.status != 0
    check_no_secret(world, done)
    assert re.findall(r" \[[a-z-]+\]$", done.stderr, re.MULTILINE) == []
