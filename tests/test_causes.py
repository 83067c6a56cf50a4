"""Each cause, reproduced: the code that the command and doctor name."""

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
from support.programs import SCRIPTS, Result
from support.projects import PYPI_SOURCE, source
from support.runs import TOKEN_VARIABLE, expired_token, get_token
from support.sandbox import get_token as issued_token
from support.users import (
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
    """A healthy project for a cause to break; ``words`` replace the cause's command."""

    def __init__(self, sandbox: Sandbox, env: dict[str, str], folder: Path, home: Path) -> None:
        super().__init__(sandbox, env, folder)
        self.home = home
        self.words: tuple[str, ...] = ()
        self.lonely = sandbox.add_repository("lonely")  # it does not reach the public index
        self.publish_wheels(self.team, self.lonely)
        self.pipfile('orb-tools = "*"')


DIRECT = ("--ca-route", "as-written", "lock")


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
        make: breaks the project.
        wrapper: whether a command can meet it.
        goes_on: whether the command succeeds with a warning.
        level: doctor's level.
        says: text in the error or the hint.
        words: the command.
    """

    code: str
    make: Callable[[BrokenProject], object]
    wrapper: bool = True
    goes_on: bool = False
    level: str = "failure"
    behaviour: Behaviour | None = None
    says: str = ""
    words: tuple[str, ...] = ("lock",)


CAUSES: dict[str, Cause] = {}


def cause(
    code: str, name: str = "", **fields: Any
) -> Callable[[Callable[[BrokenProject], object]], None]:
    """Register a function that reproduces a cause, by name or else by code."""

    def register(make: Callable[[BrokenProject], object]) -> None:
        CAUSES[name or code] = Cause(code, make, **fields)

    return register


# --- tokens and identity -----------------------------------------------------------------


def own_token(broken: BrokenProject) -> None:
    broken.env[TOKEN_VARIABLE] = get_token(broken.sandbox, broken.env, broken.folder)


def in_domain(broken: BrokenProject, **fields: str) -> None:
    domain = broken.team.domain._replace(**fields)
    broken.pipfile('orb-tools = "*"', source(endpoint_for(domain, "team")))


def with_userinfo(broken: BrokenProject, userinfo: str) -> None:
    broken.pipfile('orb-tools = "*"', source(broken.team, userinfo))


def altered(broken: BrokenProject, name: str) -> None:
    broken.env[name] = broken.env[name][:-4] + "AAAA"


def deny(action: str) -> Callable[[BrokenProject], None]:
    return lambda p: p.sandbox.deny(action)


cause("token-expired", "inherited-token-expired", goes_on=True, level="warning")(
    lambda p: p.env.update({TOKEN_VARIABLE: expired_token(p.sandbox)})
)
cause("dotenv-token", "stale-token-in-dotenv")(
    lambda p: (p.folder / ".env").write_text(f"{TOKEN_VARIABLE}={expired_token(p.sandbox)}\n")
)


@cause("token-wrong-domain", "token-of-another-domain")
def token_of_another_domain(broken: BrokenProject) -> None:
    other = broken.sandbox.add_repository("team", domain="other-dom")
    broken.env[TOKEN_VARIABLE] = issued_token(broken.sandbox, other)


@cause("token-revoked")
def token_revoked(broken: BrokenProject) -> None:
    assert get_token(broken.sandbox, broken.env, broken.folder)
    broken.sandbox.revoke_tokens()
    broken.words = DIRECT  # by the proxy index it is renewed


@cause("token-revoked", "inherited-token-revoked")
def inherited_token_revoked(broken: BrokenProject) -> None:
    own_token(broken)
    broken.sandbox.revoke_tokens()


cause("no-credentials")(lambda p: p.without_keys())
cause("partial-credentials", "half-of-a-key-pair", says="AWS_SECRET_ACCESS_KEY")(
    lambda p: p.env.pop("AWS_SECRET_ACCESS_KEY")
)


@cause("unknown-profile", says="nope")
def unknown_profile(broken: BrokenProject) -> None:
    broken.without_keys()
    broken.env["AWS_PROFILE"] = "nope"


def expired_sso(config: str, cached: str) -> Callable[[BrokenProject], None]:
    def make(broken: BrokenProject) -> None:
        broken.aws_config(config)
        expired_sso_login(broken.home, cached)

    return make


SSO_LOGIN = "`aws sso login --profile dev`"
cause("sso-never", "sso-never-logged-in-legacy", says=SSO_LOGIN)(lambda p: p.aws_config(LEGACY_SSO))
cause("sso-never", "sso-never-logged-in-session", says=SSO_LOGIN)(
    lambda p: p.aws_config(SSO_SESSION)
)
cause("sso-expired", "sso-expired-legacy", says=SSO_LOGIN)(expired_sso(LEGACY_SSO, START))
cause("sso-expired", "sso-expired-session", says=SSO_LOGIN)(expired_sso(SSO_SESSION, "corp"))
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


cause("keys-wrong")(lambda p: altered(p, "AWS_SECRET_ACCESS_KEY"))
cause("keys-wrong", "key-unknown")(lambda p: altered(p, "AWS_ACCESS_KEY_ID"))


@cause("keys-expired", says="profile dev")
def keys_expired(broken: BrokenProject) -> None:
    keys = {"Version": 1, "AccessKeyId": "ASIAEXAMPLE", "SecretAccessKey": "x"}
    keys |= {"SessionToken": "y", "Expiration": "2020-01-01T00:00:00Z"}
    path = broken.folder.parent / "keys.json"
    path.write_text(json.dumps(keys))
    broken.aws_config(f"[profile dev]\ncredential_process = cat {path}\n")


cause("clock-wrong")(lambda p: setattr(p.sandbox, "clock_offset", 900))

# --- what AWS allows ---------------------------------------------------------------------

cause("token-denied", "get-authorization-token-denied", says="sts:GetServiceBearerToken")(
    deny("codeartifact:GetAuthorizationToken")
)
cause(
    "bearer-denied", "get-service-bearer-token-denied", says="codeartifact:GetAuthorizationToken"
)(deny("sts:GetServiceBearerToken"))
cause("duration-refused", "duration-refused-by-policy")(
    lambda p: setattr(p.sandbox, "maximum_duration", 3600)
)
REFRESHED = ("--ca-refresh", "lock")  # only for a new token does 401 mean a denial
for name, behaviour in (
    ("read-denied", None),
    ("read-denied-as-if-unknown", Behaviour(read_denied=401)),
    ("read-denied-as-if-missing", Behaviour(read_denied=404)),
):
    cause("read-denied", name, behaviour=behaviour, words=REFRESHED)(
        deny("codeartifact:ReadFromRepository")
    )

# --- names and network --------------------------------------------------------------------

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


cause("region-unsupported", "region-without-codeartifact", says="no CodeArtifact in us-west-1")(
    lambda p: in_region(p, "us-west-1")
)
cause("region-unsupported", "region-that-does-not-exist", says="no CodeArtifact in xx-nowhere-1")(
    lambda p: in_region(p, "xx-nowhere-1")
)
cause(
    "unreachable", "host-does-not-resolve", says="AWS CodeArtifact in eu-west-1 cannot be reached"
)(lambda p: in_region(p, "eu-west-1"))


def trust_another(broken: BrokenProject, *names: str) -> None:
    path = broken.folder.parent / "other-ca.pem"
    trustme.CA().cert_pem.write_to_path(path)
    broken.env |= dict.fromkeys(names, str(path))


cause("tls-untrusted", "tls-not-trusted-by-aws", says="AWS_CA_BUNDLE")(
    lambda p: trust_another(p, "AWS_CA_BUNDLE")
)


@cause("tls-untrusted", "tls-not-trusted-by-clients")
def tls_not_trusted_by_clients(broken: BrokenProject) -> None:
    own_token(broken)
    trust_another(broken, "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "PIP_CERT")


@cause("proxy-down", "proxy-to-aws-down", says="HTTPS_PROXY")
def proxy_to_aws_down(broken: BrokenProject) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{probe.getsockname()[1]}"
    broken.env |= {"HTTPS_PROXY": address, "https_proxy": address}


@cause("proxy-down")
def proxy_down(broken: BrokenProject) -> None:
    own_token(broken)
    CAUSES["proxy-to-aws-down"].make(broken)


cause("throttled", "token-calls-throttled")(lambda p: p.sandbox.throttle(1000, retry_after=0))
cause("throttled", "reads-throttled")(lambda p: p.sandbox.fault(429))
cause("service-fault", "token-calls-fail")(lambda p: p.sandbox.fault(500, on="api"))
cause("service-fault", "reads-fail")(lambda p: p.sandbox.fault(503))

# --- packages ----------------------------------------------------------------------------

NAMED = 'orb-tools = {version = "*", index = "codeartifact"}'
cause("package-missing")(lambda p: p.pipfile('orb-tols = "*"'))
cause("version-missing")(lambda p: p.pipfile('orb-tools = "==7.7"'))
cause("index-missing", level="warning", says='index = "codeartifact"', words=DIRECT)(
    lambda p: p.pipfile('orb-tools = "*"', PYPI_SOURCE, source(p.team))
)
cause("dependency-unlisted", "dependency-not-listed", level="warning", words=DIRECT)(
    lambda p: p.pipfile(NAMED, PYPI_SOURCE, source(p.team))
)


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

cause("url-without-simple", words=DIRECT)(
    lambda p: p.pipfile('orb-tools = "*"', source(p.team).replace("/simple/", "/"))
)
cause("url-username", "url-with-wrong-username", words=DIRECT)(
    lambda p: with_userinfo(p, f"bob:${{{TOKEN_VARIABLE}}}@")
)


@cause("url-token", "literal-token", words=("--ca-refresh", *DIRECT))
def literal_token(broken: BrokenProject) -> None:
    token = get_token(broken.sandbox, broken.env, broken.folder)
    broken.sandbox.revoke_tokens()
    with_userinfo(broken, f"aws:{token}@")


cause("variable-unset", says="names THE_REGION, which nothing sets")(
    lambda p: p.pipfile('orb-tools = "*"', source(p.team).replace("us-east-1", "${THE_REGION}"))
)
cause("variable-name", "variable-of-a-compiler")(lambda p: with_userinfo(p, "aws:${CFLAGS}@"))


@cause("variable-shared", says="${CODEARTIFACT_AUTH_TOKEN_FAR_DOM}")
def variable_shared(broken: BrokenProject) -> None:
    other = broken.sandbox.add_repository("far", domain="far-dom")
    broken.pipfile('orb-tools = "*"', source(broken.team), source(other, name="far"))


@cause("lock-outdated", words=("install", "--deploy"))
def lock_outdated(broken: BrokenProject) -> None:
    broken.pipfile('orb-common = "*"')
    assert broken.run("lock").status == 0
    broken.pipfile('orb-common = "*"\norb-tools = "*"')


# --- other clients -----------------------------------------------------------------------


def path_with_keyring(broken: BrokenProject, version: str | None) -> None:
    """Set PATH to a folder with a keyring of this version, or with none."""
    folder = broken.folder.parent / "bin"
    folder.mkdir()
    if version is not None:
        library = broken.folder.parent / "library" / f"keyring-{version}.dist-info"
        library.mkdir(parents=True)
        (library / "METADATA").write_text(f"Name: keyring\nVersion: {version}\n")
        python = f'PYTHONPATH="{library.parent}" exec env -u PYTHONHOME {SCRIPTS}/python "$@"'
        # A shebang cannot contain a path with a blank.
        keyring = f"#!{folder}/python\nprint('keyring.backends.fail.Keyring')\n"
        for name, text in (("python", f"#!/bin/sh\n{python}\n"), ("keyring", keyring)):
            (folder / name).write_text(text)
            (folder / name).chmod(0o755)
    broken.env["PATH"] = f"{folder}:/usr/bin:/bin"


cause("keyring-missing", wrapper=False, level="warning")(lambda p: path_with_keyring(p, None))
cause("keyring-outdated", "keyring-too-old", wrapper=False, level="warning")(
    lambda p: path_with_keyring(p, "24.3.1")
)


@cause("package-missing", "repository-that-only-pip-knows", says="pipenv-ca fix --add-source https")
def repository_that_only_pip_knows(broken: BrokenProject) -> None:
    broken.env["PIP_INDEX_URL"] = broken.team.simple_url
    broken.pipfile('orb-tools = "*"', PYPI_SOURCE)


@cause("lock-index", "index-that-dependabot-invents", words=("sync",), says="pipenv-ca lock")
def index_that_dependabot_invents(broken: BrokenProject) -> None:
    broken.pipfile(
        'orb-tools = {version = "*", index = "codeartifact"}', PYPI_SOURCE, source(broken.team)
    )
    assert broken.run("lock").status == 0
    path = broken.folder / "Pipfile.lock"
    invented = '"index": "dependabot-inserted-index-0"'
    path.write_text(path.read_text().replace('"index": "codeartifact"', invented))


# --- the tests ---------------------------------------------------------------------------


@pytest.mark.shows_token("files")
@pytest.mark.parametrize("name", CAUSES)
def test_the_command_and_doctor_name_only_this_cause(
    name: str, broken: BrokenProject, record_property: Callable[[str, object], None]
) -> None:
    known = CAUSES[name]
    known.make(broken)
    if known.wrapper:
        record_property("cause", ("wrapper", name))
        before = (broken.folder / "Pipfile").read_bytes()
        done = broken.run(*broken.words or known.words)
        assert (done.status == 0) == known.goes_on, done.output
        assert (broken.folder / "Pipfile").read_bytes() == before
        own = re.findall(r"^(?:error|warning): (.*) \[([a-z-]+)\]$", done.stderr, re.MULTILINE)
        assert [code for _, code in own] == [known.code], done.stderr
        assert not re.search(r"[.!?] +[A-Z]", own[0][0]), "more than one sentence"
        assert known.says in done.stderr
        if not known.goes_on:
            assert done.stderr.splitlines()[-1].startswith("hint: "), done.stderr
        check_no_secret(broken, done)
    record_property("cause", ("doctor", name))
    options = [word for word in known.words if word == "--ca-refresh"]
    done = broken.run(*options, "doctor", "--json")
    check_no_secret(broken, done)
    sections = json.loads(done.stdout)["sections"]
    found = [finding for section in sections for finding in section["findings"]]
    assert known.code in {f["code"] for f in found if f["level"] == known.level}, found
    assert {f["code"] for f in found if f["level"] == "failure"} <= {known.code}, found
    assert done.status == (1 if known.level == "failure" else 0)
    assert all(f["hint"] for f in found if f["level"] != "ok")


def test_package_that_a_pip_misses_is_named(broken: BrokenProject) -> None:
    wheel = make_wheel(broken.folder.parent, "orb-ghost", "1.0", requires=["orb-nowhere"])
    broken.sandbox.publish(wheel)
    broken.pipfile("", PYPI_SOURCE, source(broken.team))
    for words in (("install", "orb-ghost"), ("download", "orb-nowhere")):
        done = broken.run("run", "pip", *words)
        assert done.status == 1, done.output
        assert "Package orb-nowhere was not found in this project's indexes" in done.stderr


def check_no_secret(broken: BrokenProject, done: Result) -> None:
    assert "eyJ" not in done.output
    assert broken.sandbox.user.secret_access_key not in done.output
    assert not re.search(r'File ".*codeartifact_pipenv', done.output)  # pipenv's own may be


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
    broken.words = ("lock",)


@pytest.mark.parametrize("make", [healthy, compiler_error, conflict])
def test_failures_of_pipenv_itself_are_not_explained(
    make: Callable[[BrokenProject], None], broken: BrokenProject
) -> None:
    make(broken)
    done = broken.run(*broken.words)
    assert (done.status == 0) == (make is healthy)
    assert re.findall(r" \[[a-z-]+\]$", done.stderr, re.MULTILINE) == []
    looked = broken.run("doctor", "--json")
    assert (looked.status, json.loads(looked.stdout)["ok"]) == (0, True), looked.stdout


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
    assert not (full_disk / "Pipfile.lock").exists()
    (full_disk / "filler").unlink()
    # pipenv does not use a virtual environment that is half made.
    shutil.rmtree(full_disk / ".venv", ignore_errors=True)
    broken.env["PIPENV_VENV_IN_PROJECT"] = "0"
    assert broken.run("lock").status == 0
