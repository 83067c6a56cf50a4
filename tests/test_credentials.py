"""Each way in which AWS credentials can fail has a code, a cause, and a next step.

The files are real and botocore is the real one; nothing goes beyond loopback.
"""

from __future__ import annotations

import contextlib
import gc
import os
import re
import socket
import warnings
from hashlib import sha1
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import botocore.credentials
import botocore.tokens
import botocore.utils
import pytest
from botocore.config import Config
from support.answers import AnsweringServer

from codeartifact_pipenv.auth import aws
from codeartifact_pipenv.aws.caller import Caller
from codeartifact_pipenv.endpoint import Domain
from codeartifact_pipenv.errors import TokenError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

DOMAIN = Domain("my-dom", "123456789012", "us-east-1")
ROLE = "arn:aws:iam::123456789012:role/ci"
START = "https://portal.example.org/start"
# Secrets that no message may show.
KEY_ID, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
SESSION = "IQoJb3JpZ2luX2VjEPTsecretSESSION1token"
KEYS = {"AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET}
BASE = f"[profile base]\naws_access_key_id = {KEY_ID}\naws_secret_access_key = {SECRET}\n"
DEV_ROLE = f"{BASE}[profile dev]\nrole_arn = {ROLE}\nsource_profile = base\n"
SSO_ROLE = "sso_account_id = 123456789012\nsso_role_name = developer\n"
SSO = f"sso_start_url = {START}\nsso_region = us-east-1\n"
DEV_SSO = f"[profile dev]\n{SSO}{SSO_ROLE}"
DEV_SESSION = f"[profile dev]\nsso_session = corp\n{SSO_ROLE}[sso-session corp]\n{SSO}"
DEFAULT_SSO = f"[default]\n{SSO}{SSO_ROLE}"
LEGACY_CACHE, SESSION_CACHE = (
    f"{{home}}/.aws/sso/cache/{sha1(name.encode(), usedforsecurity=False).hexdigest()}.json"
    for name in (START, "corp")
)
WEB = {"AWS_ROLE_ARN": ROLE, "AWS_WEB_IDENTITY_TOKEN_FILE": "{home}/identity"}
CONTAINER = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "{url}/keys"}
IMDS = {"AWS_EC2_METADATA_DISABLED": "false", "AWS_EC2_METADATA_SERVICE_ENDPOINT": "{url}"}
STS_DENIED = (
    403,
    b"<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>User me is not "
    b"authorized</Message></Error></ErrorResponse>",
)
STS_EXPIRED = (400, STS_DENIED[1].replace(b"AccessDenied", b"ExpiredTokenException"))


class Way(NamedTuple):
    """One way in which credentials fail.

    Between " ... " in the message anything may stand. In values, {home}, {url}, {address} and
    {closed} are the home folder, a server's URL and address, and a port without a server.
    """

    message: str
    env: Mapping[str, str] = {}
    config: str | bytes | None = None
    credentials: str | None = None
    files: Mapping[str, str | bytes] = {}
    profile: str | None = None
    answer: tuple[int, bytes] = (200, b"")


def dev(message: str, config: str, **more: Any) -> Way:
    """Return a way in which the profile dev fails."""
    return Way(message, config=config, profile="dev", **more)


def broken(message: str, config: str | bytes) -> Way:
    """Return a way in which the configuration cannot be read."""
    return Way(f"~/.aws/config ... {message} ... [aws-config] ... Correct the file", config=config)


def process(command: str, says: str) -> Way:
    """Return a way in which a credential process fails."""
    config = f"[profile dev]\ncredential_process = {command}\n"
    return dev(f"{says} ... [credentials-source] ... ~/.aws/config", config)


def role(lines: str, message: str) -> Way:
    """Return a way in which a profile with a role is wrong."""
    return dev(f"{message} ... ~/.aws/config", f"{BASE}[profile dev]\nrole_arn = {ROLE}\n{lines}")


def web(says: str, identity: str | bytes | None = None, **env: str) -> Way:
    """Return a way in which the identity file has no identity."""
    files = {} if identity is None else {"{home}/identity": identity}
    rest = "[web-identity-missing] ... AWS_WEB_IDENTITY_TOKEN_FILE ... id-token: write"
    return Way(f"{says} ... {rest}", {**WEB, **env}, files=files)


def container(says: str, hint: str, answer: bytes = b"", **env: str) -> Way:
    """Return a way in which a container has no credentials."""
    env = {f"AWS_CONTAINER_{name}": value for name, value in env.items()}
    message = f"AWS_CONTAINER_{says} ... [credentials-source] ... {hint}"
    files = {"{home}/token": "secret\n"}
    return Way(message, {**CONTAINER, **env}, files=files, answer=(200, answer))


def setting(name: str, value: str, code: str = "aws-config", **env: str) -> Way:
    """Return a way in which one variable has an unusable value."""
    return Way(f"{name} ... [{code}] ... {name}", {**KEYS, **env, name: value})


PRINTED_KEYS = '"Version":1,"AccessKeyId":"a","SecretAccessKey":"b","SessionToken":"c"'
LOG_IN = "aws sso login --profile dev"
CLOSED = "http://127.0.0.1:{closed}"
SIGN_IN = f"[profile 'sign in']\n{SSO}{SSO_ROLE}[profile dev]\nrole_arn = {ROLE}\n"
NO_KEYS = "No AWS credentials were found. [no-credentials] ... aws configure ... AWS_PROFILE"
WAYS = [
    # environment
    Way(f"{NO_KEYS} ... AWS_EC2_METADATA_DISABLED ... CODEARTIFACT_AUTH_TOKEN"),
    Way("AWS_ACCESS_KEY_ID is not ... [partial-credentials]", {"AWS_SECRET_ACCESS_KEY": SECRET}),
    Way("id ... line break ... [keys-malformed]", KEYS | {"AWS_ACCESS_KEY_ID": f"{KEY_ID}\n"}),
    Way("secret ... space ... [keys-malformed]", KEYS | {"AWS_SECRET_ACCESS_KEY": f"{SECRET} "}),
    Way("token ... character ... [keys-malformed]", KEYS | {"AWS_SESSION_TOKEN": f"{SESSION}…"}),
    Way(
        "quotation marks ... [keys-malformed] ... profile default in ~/.aws/credentials",
        credentials=f'[default]\naws_access_key_id = "{KEY_ID}"\naws_secret_access_key = {SECRET}\n',
    ),
    Way("[keys-malformed] ... Unset it", KEYS | {"AWS_CREDENTIAL_EXPIRATION": "soon"}),
    Way(
        "have expired ... [keys-expired] ... Export new keys",
        KEYS | {"AWS_SESSION_TOKEN": SESSION, "AWS_CREDENTIAL_EXPIRATION": "2020-01-01T00:00:00Z"},
    ),
    # the two files
    Way("/no/such ... does not exist ... [no-credentials]", {"AWS_CONFIG_FILE": "/no/such"}),
    Way(
        "AWS_CONFIG_FILE ... is a directory ... [unknown-profile] ... AWS_DEFAULT_PROFILE",
        {"AWS_CONFIG_FILE": "{home}", "AWS_DEFAULT_PROFILE": "dev"},
    ),
    broken("not UTF-8", b"[default]\nregion = caf\xe9\n"),
    broken("line 1", "[profile dev\nregion =\n"),
    broken("line 2 ... [profile dev] ... second time", "[profile dev]\n[profile dev]\n"),
    broken("", "[default]\ns3 =\n  foo\n"),
    Way(
        "~/.aws/credentials ... line 1 ... [aws-config] ... Correct the file",
        credentials=f"aws_secret_access_key = {SECRET}\n",
    ),
    Way(
        "profile first ... [unknown-profile] ... AWS_DEFAULT_PROFILE",
        {"AWS_PROFILE": "second", "AWS_DEFAULT_PROFILE": "first"},
    ),
    Way("AWS_PROFILE is empty ... [unknown-profile] ... Unset AWS_PROFILE", {"AWS_PROFILE": ""}),
    dev("~/.aws/config ... [dev] ... [profile dev] ... [unknown-profile] ... Rename", "[dev]\n"),
    Way(
        "dev has aws_secret_access_key and lacks aws_access_key_id ... [partial-credentials]",
        credentials=f"[dev]\naws_secret_access_key = {SECRET}\n",
        profile="dev",
    ),
    Way(
        "aws_secret_access_key ... [partial-credentials] ... ~/.aws/credentials",
        credentials=f"[dev]\naws_access_key_id = {KEY_ID}\n",
        profile="dev",
    ),
    # roles
    role("", "source_profile ... [partial-credentials]"),
    role("source_profile = gone\n", '"gone" ... [aws-config]'),
    role("credential_source = Environment\n", "Environment ... [credentials-source]"),
    role(
        f"source_profile = b\n[profile b]\nrole_arn = {ROLE}\nsource_profile = dev\n",
        "loop ... [aws-config]",
    ),
    dev("RoleArn ... [aws-config] ... role_arn ... ~/.aws/config", DEV_ROLE.replace(ROLE, "ci")),
    dev("AWS STS ... [unreachable] ... network", DEV_ROLE, env={"AWS_ENDPOINT_URL_STS": CLOSED}),
    dev("MAX_ATTEMPTS ... [aws-config] ... MAX", DEV_ROLE, env={"AWS_MAX_ATTEMPTS": "abc"}),
    # credential_process
    process("/no/such --key x", "/no/such ... No such file"),
    process("/etc", "/etc ... denied"),
    process("sh -c 'echo", "quotation mark"),
    process("false", "false failed and did not say why"),
    process(f"sh -c 'echo {KEY_ID} {SECRET} >&2; exit 3'", "sh failed: ****"),
    process(r"sh -c 'printf \\351 >&2; exit 3'", "sh failed"),
    process("true", "true ... printed nothing"),
    process("echo []", "echo ... not print JSON with keys"),
    process("""echo '{"Version": 2}'""", "version '2'"),
    process(f"""echo '{{{PRINTED_KEYS},"Expiration":"soon"}}'""", "echo ... Expiration"),
    # SSO
    dev("sso_account_id ... [partial-credentials]", DEV_SESSION.replace(SSO_ROLE, "")),
    dev("[sso-never] ... `aws sso login --profile 'sign in'`", f"{SIGN_IN}source_profile=sign in"),
    Way("not logged in ... [sso-never] ... Run `aws sso login` and try again.", config=DEFAULT_SSO),
    Way(
        "not logged in ... [sso-never] ... Run `aws sso login --profile default` and try again.",
        {"AWS_PROFILE": "other"},
        config=f"{DEFAULT_SSO}[profile other]\nregion = us-east-1\n",
        profile="default",
    ),
    dev(f"be read ... [sso-broken] ... {LOG_IN}", DEV_SSO, files={LEGACY_CACHE: '{"access'}),
    dev(f"be read ... [sso-broken] ... {LOG_IN}", DEV_SESSION, files={SESSION_CACHE: "{}"}),
    dev(
        f"AWS SSO gives no credentials with profile dev ... [sso-denied] ... {LOG_IN}",
        DEV_SESSION,
        files={SESSION_CACHE: '{"accessToken": "x", "expiresAt": "2100-01-01T00:00:00Z"}'},
        env={"AWS_ENDPOINT_URL_SSO": "{url}"},
        answer=(403, b'{"message": "No access", "__type": "ForbiddenException"}'),
    ),
    # web identity
    web("{home} ... directory", AWS_WEB_IDENTITY_TOKEN_FILE="{home}"),
    web("{home}/identity ... empty", ""),
    web("{home}/identity ... does not hold a token", b"\xff\x00"),
    dev(
        "/no/such ... does not exist ... [web-identity-missing] ... of profile dev in ~/.aws/config",
        f"[profile dev]\nrole_arn = {ROLE}\nweb_identity_token_file = /no/such\n",
    ),
    Way(
        "is set ... [aws-config] ... AWS_ROLE_ARN",
        {"AWS_WEB_IDENTITY_TOKEN_FILE": "{home}/identity"},
    ),
    Way("AWS_WEB_IDENTITY_TOKEN_FILE is not ... [partial-credentials]", {"AWS_ROLE_ARN": ROLE}),
    Way(
        "~/identity ... [web-identity-refused] ... AWS_WEB_IDENTITY_TOKEN_FILE",
        {**WEB, "AWS_ENDPOINT_URL_STS": "{url}"},
        files={"{home}/identity": "a.b.c"},
        answer=STS_EXPIRED,
    ),
    # a container
    container("CREDENTIALS_FULL_URI", "https", CREDENTIALS_FULL_URI="http://example.org/x"),
    container("CREDENTIALS_FULL_URI", "loopback", CREDENTIALS_FULL_URI="http://[::1/x"),
    container("AUTHORIZATION_TOKEN_FILE", "", AUTHORIZATION_TOKEN_FILE="/no/such"),
    container("AUTHORIZATION_TOKEN_FILE", "break", AUTHORIZATION_TOKEN_FILE="{home}/token"),
    container("CREDENTIALS_FULL_URI ... does not answer with credentials", "FULL_URI", b"{}"),
    # an instance
    Way(NO_KEYS, IMDS, answer=(404, b"")),
    Way(
        "instance metadata ... [credentials-source] ... AWS_EC2_METADATA_DISABLED",
        IMDS,
        answer=(200, b"1"),
    ),
    Way("ENDPOINT ... [aws-config]", IMDS | {"AWS_EC2_METADATA_SERVICE_ENDPOINT": "nonsense"}),
    Way("TIMEOUT ... [aws-config] ... TIMEOUT", IMDS | {"AWS_METADATA_SERVICE_TIMEOUT": "abc"}),
    # connection settings
    setting("AWS_DEFAULTS_MODE", "fast"),
    setting("AWS_STS_REGIONAL_ENDPOINTS", "some"),
    setting("AWS_ENDPOINT_URL", "nonsense"),
    setting("AWS_ENDPOINT_URL_CODEARTIFACT", "http://[bad"),
    setting("AWS_ENDPOINT_URL_CODEARTIFACT", "http://h:abc"),
    setting("HTTPS_PROXY", "http://127.0.0.1:abc", "proxy-invalid"),
    setting("HTTPS_PROXY", "not a url", "proxy-invalid"),
    Way(
        "proxy ... 127.0.0.1:{closed} ... [proxy-down] ... HTTPS_PROXY",
        KEYS | {"HTTPS_PROXY": "http://me:pass-of-mine@127.0.0.1:{closed}"},
    ),
    setting("AWS_CA_BUNDLE", "/no.pem", "ca-bundle-missing", AWS_ENDPOINT_URL="https://{address}"),
    Way('"gone" ... [aws-config]', KEYS, config="[default]\nservices = gone\n"),
]


@pytest.fixture
def server() -> Iterator[AnsweringServer]:
    """Return a server on loopback."""
    with AnsweringServer() as started:
        yield started
    if started.connections:
        # botocore leaves its connections to the garbage collector, which must not meet them in
        # another test: there their warnings are errors.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Return an empty home, in an environment without AWS settings."""
    for name in list(os.environ):
        if re.match(r"aws_|.*_proxy$|.*ca_bundle", name, re.IGNORECASE):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    # botocore reads HOME once, when it is imported.
    cache = str(tmp_path / ".aws" / "sso" / "cache")
    for provider in (botocore.credentials.SSOProvider, botocore.tokens.SSOTokenProvider):
        monkeypatch.setattr(provider, "_SSO_TOKEN_CACHE_DIR", cache)
    quick = aws.CALLS.merge(Config(retries={"mode": "standard", "total_max_attempts": 1}))
    monkeypatch.setattr(aws, "CALLS", quick)
    return tmp_path


@pytest.fixture
def own_keys(alone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set keys in the environment of this process."""
    del alone
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)


def write_config(home: Path, text: str) -> None:
    (home / ".aws").mkdir()
    (home / ".aws" / "config").write_text(text)


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def failure(profile: str | None = None, **more: str) -> TokenError:
    """Request a token and return the error."""
    caller = Caller(profile, **more)  # type: ignore[arg-type]
    with pytest.raises(TokenError) as caught:
        aws.get_authorization_token(DOMAIN, duration=900, caller=caller, may_prompt=False)
    return caught.value


@pytest.mark.wide
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.message)
def test_each_missing_or_broken_credential_is_explained(
    way: Way, alone: Path, server: AnsweringServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each failure has its code, names its cause, and hints at the settings in use."""
    address = server.url.removeprefix("http://")
    words = {"home": str(alone), "address": address, "url": server.url}
    words["closed"] = str(closed_port())

    def fill(text: str) -> str:
        return re.sub(r"\{(\w+)\}", lambda match: words[match[1]], text)

    server.answer = way.answer
    files = {**way.files, "{home}/.aws/config": way.config}
    files["{home}/.aws/credentials"] = way.credentials
    for path, text in files.items():
        if text is not None:
            Path(fill(path)).parent.mkdir(parents=True, exist_ok=True)
            Path(fill(path)).write_bytes(text if isinstance(text, bytes) else fill(text).encode())
    for variable, value in way.env.items():
        monkeypatch.setenv(variable, fill(value))
        if variable == "HTTPS_PROXY":
            monkeypatch.delenv("NO_PROXY")
    error = failure(way.profile)
    message = f"{error.sentence} [{error.code}] {error.hint}"
    parts = fill(way.message.replace("~", "{home}")).split(" ... ")
    assert re.search(".*".join(map(re.escape, parts)), message), message
    for secret in (KEY_ID, SECRET, SESSION, "pass-of-mine", "secret\n"):
        assert secret not in message
    for wrong in ("at fault", "None", "  "):
        assert wrong not in message
    assert len(error.hint) < 400
    assert ("aws sso login" in message) <= ("sso_" in str(way.config))
    named = set(re.findall(r"\bAWS_[A-Z0-9_]+", error.hint))
    assert named <= {*os.environ, *re.findall(r"AWS_\w+", way.message)}, message


@pytest.mark.usefixtures("alone")
def test_hint_about_a_missing_profile_names_the_option_it_came_from() -> None:
    hint = failure("gone", profile_from="--ca-profile").hint
    assert "comes from --ca-profile." in hint
    assert "AWS_PROFILE" not in hint


@pytest.mark.wide
@pytest.mark.parametrize("service", ["CODEARTIFACT", "STS"])
@pytest.mark.usefixtures("own_keys")
def test_a_slow_answer_is_reported_as_unreachable_with_its_timeout(
    service: str, alone: Path, server: AnsweringServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.delay = 1.5
    monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", server.url)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    for name in ("TIMEOUTS", "CALLS"):
        monkeypatch.setattr(aws, name, getattr(aws, name).merge(Config(read_timeout=0.2)))
    write_config(alone, DEV_ROLE)
    error = failure("dev" if service == "STS" else None)
    assert ("AWS STS" in error.sentence) == (service == "STS")
    assert "is slow" in error.sentence
    assert "does not answer within 0.2 seconds" in error.sentence
    assert error.code == "unreachable"


@pytest.mark.usefixtures("own_keys")
def test_a_connection_timeout_is_reported_with_its_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aws, "CALLS", aws.CALLS.merge(Config(connect_timeout=0.2)))
    with contextlib.ExitStack() as stack:
        full = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):  # more than the kernel queues
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(full.getsockname())
        url = f"http://127.0.0.1:{full.getsockname()[1]}"
        monkeypatch.setenv("AWS_ENDPOINT_URL_CODEARTIFACT", url)
        error = failure()
    assert "no connection within 0.2 seconds" in error.sentence
    assert error.code == "unreachable"


def test_a_hanging_credential_process_is_killed_and_named(
    alone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = f"sh -c 'echo $$ > {alone}/pid; exec sleep 600'"
    write_config(alone, f"[profile dev]\ncredential_process = {command}\n")
    monkeypatch.setattr(aws, "PROCESS_SECONDS", 0.5)
    error = failure("dev")
    assert error.code == "credentials-source"
    assert "sh with profile dev has not ended" in error.sentence
    with pytest.raises(ProcessLookupError):
        os.kill(int((alone / "pid").read_text()), 0)


@pytest.mark.wide
def test_a_role_is_requested_again_when_its_cache_is_broken(
    alone: Path, server: AnsweringServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_config(alone, DEV_ROLE)
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", server.url)
    server.answer = STS_DENIED
    cache = alone / ".aws" / "cli" / "cache"
    cache.mkdir(parents=True)
    fetcher = botocore.credentials.AssumeRoleCredentialFetcher(None, None, ROLE, {})
    for text in ("", "[]", '{"Credentials": '):
        (cache / f"{vars(fetcher)['_cache_key']}.json").write_text(text)
        assert failure("dev").code == "assume-role-denied", text


@pytest.mark.skipif(
    not hasattr(botocore.credentials, "LoginProvider"),
    reason="this botocore does not know `aws login`",
)
@pytest.mark.parametrize("kept", [None, "{", "{}", '{"accessToken": 1}'])
def test_a_missing_or_broken_login_session_leads_to_aws_login(
    kept: str | None, alone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = "arn:aws:iam::123456789012:user/me"
    write_config(alone, f"[profile dev]\nlogin_session = {user}\n")
    monkeypatch.setenv("AWS_LOGIN_CACHE_DIRECTORY", str(alone))
    if kept is not None:
        (alone / f"{botocore.utils.generate_login_cache_key(user)}.json").write_text(kept)
    monkeypatch.setattr(botocore.credentials, "EC", object())  # the library that it needs
    error = failure("dev")
    assert error.code == "login-expired"
    assert "with profile dev" in error.sentence
    assert error.hint == "Run `aws login --profile dev` and try again."
    monkeypatch.setattr(botocore.credentials, "EC", None)
    error = failure("dev")
    assert error.code == "login-library"
    assert error.hint == "Run `pip install 'codeartifact-pipenv[login]'`."


@pytest.mark.parametrize("kind", [KeyError, TypeError, OverflowError, ImportError, OSError])
@pytest.mark.parametrize(
    ("function", "code"),
    [
        ("botocore.credentials.EnvProvider.load", "credentials-source"),
        ("botocore.auth.SigV4Auth.add_auth", "service-fault"),
    ],
)
@pytest.mark.usefixtures("own_keys")
def test_unexpected_exceptions_get_a_code_and_are_not_quoted(
    kind: type[Exception], function: str, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def surprise(*_: object, **__: object) -> None:
        raise kind(SECRET)

    monkeypatch.setattr(function, surprise)
    error = failure()
    assert error.code == ("botocore-incomplete" if kind is ImportError else code)
    assert SECRET not in error.sentence + error.hint
