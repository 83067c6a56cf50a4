"""Each cause, reproduced: the code that the command and doctor name, or no cause."""

from __future__ import annotations

import json
import re
import socket
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import trustme
from support.guides import ROOT, section
from support.programs import SCRIPTS, Result
from support.projects import PYPI_SOURCE, source
from support.runs import TOKEN_VARIABLE, StandIn, expired_token, get_token
from support.sandbox import get_token as issued_token
from support.workspace import (
    SSO_SESSION,
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

    def fails(self, code: str, *words: str, says: str = "") -> Result:
        """Run a command that fails, and check that it ends with this cause and a hint."""
        done = self.run(*words)
        assert done.status != 0, done.output
        *_, error, hint = done.stderr.splitlines()
        assert re.fullmatch(rf"error: .* \[{code}\]", error), done.stderr
        assert hint.startswith("hint: ")
        assert says in f"{error}\n{hint}"
        check_no_secret(self, done)
        return done


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
# test_credentials.py has each way in which credentials fail.
SSO_LOGIN = "`aws sso login --profile dev`"
cause("sso-never", says=SSO_LOGIN)(lambda p: p.aws_config(SSO_SESSION))


@cause("sso-expired", says=SSO_LOGIN)
def sso_expired(broken: BrokenProject) -> None:
    broken.aws_config(SSO_SESSION)
    expired_sso_login(broken.home, "corp")


cause("mfa-required", "second-factor-without-a-terminal", says="aws sts")(
    lambda p: p.aws_config(p.role_profile("mfa_serial = arn:aws:iam::123456789012:mfa/me\n"))
)


@cause("assume-role-denied", says="trust policy")
def assume_role_denied(broken: BrokenProject) -> None:
    broken.aws_config(broken.role_profile())
    broken.sandbox.deny("sts:AssumeRole")


cause("keys-wrong")(lambda p: altered(p, "AWS_SECRET_ACCESS_KEY"))
cause("keys-wrong", "key-unknown")(lambda p: altered(p, "AWS_ACCESS_KEY_ID"))
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


@cause("read-denied", "one-of-two-repositories-denies", says="repository team of other-dom")
def one_of_two_repositories_denies(broken: BrokenProject) -> None:
    other = broken.sandbox.add_repository("team", domain="other-dom")
    broken.publish_wheels(other)
    broken.sandbox.deny("codeartifact:ReadFromRepository", other)
    sources = source(broken.team, "aws:${A_TOKEN}@"), source(other, "aws:${B_TOKEN}@", "other")
    broken.pipfile('orb-tools = "*"\norb-common = {version = "*", index = "other"}', *sources)


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
MIRROR = PYPI_SOURCE.replace("https://pypi.org", "https://${MIRROR_HOST}")
cause("variable-unset", "variable-of-another-index", words=DIRECT, says="MIRROR_HOST")(
    lambda p: p.pipfile('six = "*"', MIRROR, source(p.team))
)
cause("pipfile-invalid", "number-as-python-version", says="python_version must be a string")(
    lambda p: p.pipfile('six = "*"\n[requires]\npython_version = 3')
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


# --- what the explanation names ------------------------------------------------------------


@pytest.mark.parametrize("command", ["install", "run pip install -U"])
def test_a_misspelt_argument_of_a_command_is_the_cause(command: str, broken: BrokenProject) -> None:
    tables = (PYPI_SOURCE, source(broken.team)) if command == "install" else ()
    broken.pipfile('orb-common = "*"', *tables)
    words = (*command.split(), "orb-tolls")
    broken.fails("package-missing", *words, says="did you mean orb-tools?")


def test_a_misspelt_url_is_shown_with_the_right_one(broken: BrokenProject) -> None:
    wrong = source(broken.team, "").replace("pypi/team/simple/", "npm/team/")
    broken.pipfile('orb-tools = "*"', wrong)
    done = broken.run("lock")
    assert done.status != 0
    assert f"{broken.team.simple_url.partition('://')[2]} in its place. [near-miss]" in done.stderr


def test_a_failed_lock_prints_the_lines_of_the_readme(broken: BrokenProject) -> None:
    wheel = make_wheel(broken.folder.parent / "wheels", "acme-invoices", "1.0")
    broken.sandbox.publish(wheel, broken.team)
    broken.pipfile('acme-invocies = "*"', PYPI_SOURCE, source(broken.team))
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = section(readme, "When it fails").split("```")[1].lstrip("\n")
    assert broken.fails("package-missing", "lock").stderr.endswith(shown)


def failing_pipenv(broken: BrokenProject) -> None:
    """Give commands a token, and a pipenv that fails at once."""
    own_token(broken)
    failing = StandIn(broken.folder.parent / "bin", afterwards="sys.exit(1)")
    broken.env["PIPENV_CA_PIPENV"] = str(failing.path)


@pytest.mark.parametrize("public_first", [True, False])
def test_an_index_that_never_answers_is_unreachable(
    public_first: bool, broken: BrokenProject
) -> None:
    tables = (PYPI_SOURCE, source(broken.team)) if public_first else ()
    broken.pipfile("\n".join(f'orb-{number} = "*"' for number in range(100)), *tables)
    failing_pipenv(broken)
    with socket.create_server(("127.0.0.1", 0), backlog=500) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        broken.env |= {"HTTPS_PROXY": address, "https_proxy": address}
        broken.env["AWS_EC2_METADATA_DISABLED"] = "true"
        broken.fails("unreachable", "lock")


@pytest.mark.parametrize("command", ["lock", "sync"])
def test_a_slow_index_on_the_direct_route_is_reported_as_unknown(
    command: str, broken: BrokenProject
) -> None:
    broken.pipfile('orb-tools = "*"')
    failing_pipenv(broken)
    broken.sandbox.delay(6, on="pages")
    broken.fails("no-answer", "--ca-route", "as-written", command, says="slow or down")


def test_explain_finds_the_last_cause_until_it_is_fixed(broken: BrokenProject) -> None:
    broken.pipfile('orb-tools = "==7.7"')
    assert broken.run("lock").status != 0
    done = broken.run("explain")
    assert done.status == 0, done.output
    assert "pipenv lock" in done.stdout
    assert "[version-missing]" in done.stdout
    assert "its newest is 1.0" in done.stdout
    broken.pipfile('orb-tools = "*"')
    again = broken.run("explain")
    assert "[version-missing]" not in again.stdout
    assert again.status == 1


def test_other_hashes_than_locked_are_the_cause(broken: BrokenProject) -> None:
    broken.pipfile('orb-common = "*"')
    assert broken.run("lock").status == 0
    path = broken.folder / "Pipfile.lock"
    path.write_text(re.sub(r"sha256:[0-9a-f]{64}", f"sha256:{'0' * 64}", path.read_text()))
    for words in (("sync",), ("install", "--deploy")):
        broken.fails("hash-mismatch", *words, says="other hashes than those in Pipfile.lock")


def test_verbose_notes_list_sources_route_token_and_files(broken: BrokenProject) -> None:
    broken.pipfile('orb-tools = "*"', PYPI_SOURCE, source(broken.team))
    notes = re.findall(
        r"^note: (\w+ \w+|\w+)", broken.run("--ca-verbose", "lock").stderr, re.MULTILINE
    )
    sources = ["source pypi", "source codeartifact"]
    assert notes == ["Pipfile", *sources, "route loopback", "token for", "works on", "runs"]
