"""Each way in which AWS credentials can fail has a code, a cause, and a next step.

The files are real and botocore is the real one; nothing goes beyond loopback.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import re
import socket
import sys
import threading
import time
import warnings
from datetime import datetime, timedelta, timezone
from hashlib import sha1
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, NamedTuple

import botocore
import botocore.auth
import botocore.credentials
import botocore.exceptions
import botocore.loaders
import botocore.tokens
import botocore.utils
import pytest
from botocore.config import Config

from codeartifact_pipenv.auth import aws
from codeartifact_pipenv.aws.caller import Caller
from codeartifact_pipenv.endpoint import Domain
from codeartifact_pipenv.errors import TokenError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

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
LEGACY_CACHE, SESSION_CACHE = (
    f"{{home}}/.aws/sso/cache/{sha1(name.encode(), usedforsecurity=False).hexdigest()}.json"
    for name in (START, "corp")
)
WEB = {"AWS_ROLE_ARN": ROLE, "AWS_WEB_IDENTITY_TOKEN_FILE": "{home}/identity"}
CONTAINER = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "{url}/keys"}
IMDS = {
    "AWS_EC2_METADATA_DISABLED": "false",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT": "{url}",
}
STS_DENIED = (
    403,
    b"<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>User me is not "
    b"authorized</Message></Error></ErrorResponse>",
)
STS_EXPIRED = (400, STS_DENIED[1].replace(b"AccessDenied", b"ExpiredTokenException"))


def in_hours(hours: float) -> str:
    moment = datetime.now(timezone.utc) + timedelta(hours=hours)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


class Way(NamedTuple):
    """One way in which credentials fail.

    Attributes:
        code: the code of the cause.
        says: parts of the sentence.
        hints: parts of the hint.
        env: variables; {home} and {url} are the home folder and a server's address.
        config: the content of ~/.aws/config, if any.
        credentials: the content of ~/.aws/credentials, if any.
        files: other files, by path.
        profile: the profile to use, if any.
        answer: the status and body of the server's answer.
        advises: variables that the hint may name although they are not set.
    """

    code: str
    says: tuple[str, ...]
    hints: tuple[str, ...]
    env: Mapping[str, str] = {}
    config: str | bytes | None = None
    credentials: str | bytes | None = None
    files: Mapping[str, str | bytes] = {}
    profile: str | None = None
    answer: tuple[int, bytes] = (200, b"")
    advises: tuple[str, ...] = ()


def process(command: str, *says: str, hint: str = "{home}/.aws/config", **more: str) -> Way:
    """Return a way in which a credential process fails."""
    text = f"[profile dev]\ncredential_process = {command}\n"
    return Way(more.get("code", "credentials-source"), says, (hint,), config=text, profile="dev")


def role(lines: str, code: str, *says: str) -> Way:
    """Return a way in which a profile with a role is wrong."""
    text = f"{BASE}[profile dev]\nrole_arn = {ROLE}\n{lines}"
    return Way(code, says, ("{home}/.aws/config",), config=text, profile="dev")


def setting(name: str, value: str, code: str = "aws-config", **env: str) -> Way:
    """Return a way in which one variable has an unusable value."""
    return Way(code, (name,), (name,), {**KEYS, **env, name: value})


PRINTS = sys.executable + " -c"
WAYS = {
    # environment
    "nothing": Way(
        "no-credentials",
        ("No AWS credentials were found.",),
        ("aws configure", "CODEARTIFACT_AUTH_TOKEN", "AWS_EC2_METADATA_DISABLED"),
        advises=("AWS_PROFILE",),
    ),
    "key id alone": Way(
        "partial-credentials",
        ("AWS_SECRET_ACCESS_KEY is not set",),
        ("Set AWS_SECRET_ACCESS_KEY",),
        {"AWS_ACCESS_KEY_ID": KEY_ID},
        advises=("AWS_SECRET_ACCESS_KEY",),
    ),
    "secret alone": Way(
        "partial-credentials",
        ("AWS_SECRET_ACCESS_KEY is set and AWS_ACCESS_KEY_ID is not",),
        ("Set what is missing",),
        {"AWS_SECRET_ACCESS_KEY": SECRET},
    ),
    "session token alone": Way(
        "partial-credentials",
        ("AWS_SESSION_TOKEN is set and AWS_ACCESS_KEY_ID is not",),
        ("Set what is missing",),
        {"AWS_SESSION_TOKEN": SESSION},
    ),
    "key id with a line break": Way(
        "keys-malformed",
        ("access key id", "line break"),
        ("Export AWS_ACCESS_KEY_ID",),
        {**KEYS, "AWS_ACCESS_KEY_ID": f"{KEY_ID}\n"},
    ),
    "secret with a blank": Way(
        "keys-malformed",
        ("secret access key", "blank"),
        ("AWS_SECRET_ACCESS_KEY again",),
        {**KEYS, "AWS_SECRET_ACCESS_KEY": f"{SECRET} "},
    ),
    "session token that is not ASCII": Way(
        "keys-malformed",
        ("session token", "letter"),
        ("AWS_SESSION_TOKEN again",),
        {**KEYS, "AWS_SESSION_TOKEN": f"{SESSION}\N{HORIZONTAL ELLIPSIS}"},
    ),
    "keys in quotation marks": Way(
        "keys-malformed",
        ("quotation marks",),
        ("profile default in {home}/.aws/credentials",),
        credentials=f'[default]\naws_access_key_id = "{KEY_ID}"\naws_secret_access_key = {SECRET}\n',
    ),
    "expiration that is not a time": setting(
        "AWS_CREDENTIAL_EXPIRATION", "soon", "keys-malformed"
    )._replace(hints=("Unset it",)),
    "expiration that is over": Way(
        "keys-expired",
        ("have expired",),
        ("Export new keys",),
        {**KEYS, "AWS_SESSION_TOKEN": SESSION, "AWS_CREDENTIAL_EXPIRATION": in_hours(-1)},
    ),
    # the two files
    "configuration file that does not exist": Way(
        "no-credentials",
        ("/no/such", "AWS_CONFIG_FILE", "does not exist"),
        ("CODEARTIFACT_AUTH_TOKEN",),
        {"AWS_CONFIG_FILE": "/no/such"},
    ),
    "profile of a file that does not exist": Way(
        "unknown-profile",
        ("dev", "/no/such", "does not exist"),
        ("AWS_PROFILE",),
        {"AWS_CONFIG_FILE": "/no/such", "AWS_PROFILE": "dev"},
    ),
    "configuration file that is a folder": Way(
        "unknown-profile",
        ("{home}", "AWS_CONFIG_FILE", "is a directory"),
        ("AWS_DEFAULT_PROFILE",),
        {"AWS_CONFIG_FILE": "{home}", "AWS_DEFAULT_PROFILE": "dev"},
    ),
    "configuration file that is not UTF-8": Way(
        "aws-config",
        ("{home}/.aws/config", "not UTF-8"),
        ("Correct the file",),
        config=b"[default]\nregion = caf\xe9\n",
    ),
    "section without an end": Way(
        "aws-config",
        ("{home}/.aws/config", "line 1"),
        ("Correct the file",),
        config="[profile dev\nregion =\n",
    ),
    "keys without a section": Way(
        "aws-config",
        ("{home}/.aws/credentials", "line 1"),
        ("Correct the file",),
        credentials=f"aws_secret_access_key = {SECRET}\n",
    ),
    "section twice": Way(
        "aws-config",
        ("line 2", "[profile dev]", "second time"),
        ("Correct the file",),
        config="[profile dev]\n[profile dev]\n",
    ),
    "broken nested value": Way(
        "aws-config",
        ("{home}/.aws/config",),
        ("Correct the file",),
        config="[default]\ns3 =\n  foo\n",
    ),
    "profile missing": Way(
        "unknown-profile",
        ("AWS profile dev was not found",),
        ("AWS_PROFILE",),
        {"AWS_PROFILE": "dev"},
    ),
    "profile without a name": Way(
        "unknown-profile",
        ("AWS_PROFILE is set to nothing",),
        ("Unset AWS_PROFILE",),
        {"AWS_PROFILE": ""},
    ),
    "profile in a section of the wrong name": Way(
        "unknown-profile",
        ("[dev]", "[profile dev]", "{home}/.aws/config"),
        ("Rename",),
        {"AWS_PROFILE": "dev"},
        config="[dev]\nregion = us-east-1\n",
    ),
    "secret alone in a profile": Way(
        "partial-credentials",
        ("profile dev has aws_secret_access_key and lacks aws_access_key_id",),
        ("Set what is missing",),
        credentials=f"[dev]\naws_secret_access_key = {SECRET}\n",
        profile="dev",
    ),
    "key id alone in a profile": Way(
        "partial-credentials",
        ("aws_secret_access_key",),
        ("{home}/.aws/credentials",),
        credentials=f"[dev]\naws_access_key_id = {KEY_ID}\n",
        profile="dev",
    ),
    # roles
    "role without a source": role("", "partial-credentials", "source_profile"),
    "role with two sources": role(
        "source_profile = base\ncredential_source = Environment\n", "aws-config", '"dev"'
    ),
    "role with a source that is missing": role("source_profile = gone\n", "aws-config", '"gone"'),
    "role whose source is unknown": role("credential_source = Moon\n", "aws-config", '"Moon"'),
    "role whose source is empty": role(
        "credential_source = Environment\n", "credentials-source", "Environment"
    ),
    "roles in a circle": role(
        f"source_profile = b\n[profile b]\nrole_arn = {ROLE}\nsource_profile = dev\n",
        "aws-config",
        "loop",
    ),
    "role whose ARN is too short": Way(
        "aws-config",
        ("RoleArn",),
        ("role_arn", "{home}/.aws/config"),
        config=f"{BASE}[profile dev]\nrole_arn = ci\nsource_profile = base\n",
        profile="dev",
    ),
    "source without a role": Way(
        "partial-credentials",
        ("profile dev has source_profile and lacks role_arn",),
        ("Set what is missing",),
        config=f"{BASE}[profile dev]\nsource_profile = base\n",
        profile="dev",
    ),
    "second factor without a terminal": role(
        "source_profile = base\nmfa_serial = arn:aws:iam::123456789012:mfa/me\n",
        "mfa-required",
        "profile dev",
    )._replace(hints=("aws sts get-caller-identity",)),
    "role that is denied": Way(
        "assume-role-denied",
        ("AssumeRole", "profile dev"),
        ("trust policy",),
        {"AWS_ENDPOINT_URL_STS": "{url}"},
        config=DEV_ROLE,
        profile="dev",
        answer=STS_DENIED,
    ),
    "STS is not reached": Way(
        "unreachable",
        ("AWS STS is not reached",),
        ("network",),
        {"AWS_ENDPOINT_URL_STS": "http://127.0.0.1:{closed}"},
        config=DEV_ROLE,
        profile="dev",
    ),
    "number of tries that is none": setting("AWS_MAX_ATTEMPTS", "abc")._replace(
        env={"AWS_MAX_ATTEMPTS": "abc"}, config=DEV_ROLE, profile="dev"
    ),
    # credential_process
    "process that does not exist": process("/no/such --key x", "/no/such", "No such file"),
    "process that cannot be run": process("{home}/.aws/config", "{home}/.aws/config", "denied"),
    "process that is a folder": process("/etc", "/etc", "denied"),
    "process with an open quotation mark": process("sh -c 'echo", "quotation mark"),
    "process that fails": process("sh -c 'echo no vault >&2; exit 3'", "sh failed: no vault"),
    "process that fails in silence": process("false", "false failed and did not say why"),
    "process that shows keys as it fails": process(
        f"sh -c 'echo {KEY_ID} {SECRET} >&2; exit 3'", "sh failed: ****"
    ),
    "process that fails in another encoding": process(
        r"sh -c 'printf \\351 >&2; exit 3'", "sh failed"
    ),
    "process that prints nothing": process("true", "true", "printed nothing"),
    "process that prints text": process("echo hello", "echo", "not JSON"),
    "process that prints a list": process("echo []", "echo", "not JSON with keys"),
    "process of another version": process("""echo '{"Version": 2}'""", "version '2'"),
    "process without keys": process("""echo '{"Version": 1}'""", "AccessKeyId"),
    "process whose expiration is not a time": process(
        """echo '{"Version":1,"AccessKeyId":"a","SecretAccessKey":"b","Expiration":"soon"}'""",
        "Expiration",
        "echo",
    ),
    "process whose expiration is a number": process(
        """echo '{"Version":1,"AccessKeyId":"a","SecretAccessKey":"b","Expiration":5}'""",
        "Expiration",
        "echo",
    ),
    "process whose keys have ended": process(
        """echo '{"Version":1,"AccessKeyId":"a","SecretAccessKey":"b","SessionToken":"c",'"""
        """'"Expiration":"2020-01-01T00:00:00Z"}'""",
        "have expired",
        code="keys-expired",
        hint="Have echo give new ones",
    ),
    # SSO
    "SSO session that is missing": Way(
        "aws-config",
        ('"corp"',),
        ("{home}/.aws/config",),
        config=f"[profile dev]\nsso_session = corp\n{SSO_ROLE}",
        profile="dev",
    ),
    "SSO without a start URL": Way(
        "aws-config",
        ("sso_start_url",),
        ("{home}/.aws/config",),
        config=f"[profile dev]\nsso_region = us-east-1\n{SSO_ROLE}",
        profile="dev",
    ),
    "SSO without an account": Way(
        "partial-credentials",
        ("sso_account_id and sso_role_name",),
        ("Set what is missing",),
        config=f"[profile dev]\nsso_session = corp\n[sso-session corp]\n{SSO}",
        profile="dev",
    ),
    "SSO login that was never made": Way(
        "sso-never",
        ("profile dev", "never made"),
        ("aws sso login --profile dev",),
        config=DEV_SSO,
        profile="dev",
    ),
    "SSO login of the profile that a role begins with": Way(
        "sso-never",
        ("profile dev", "never made"),
        ("Run `aws sso login --profile 'sign in'` and try again.",),
        config=f"[profile 'sign in']\n{SSO}{SSO_ROLE}[profile dev]\nrole_arn = {ROLE}\n"
        "source_profile = sign in\n",
        profile="dev",
    ),
    "SSO login of the default profile": Way(
        "sso-never",
        ("never made",),
        ("Run `aws sso login` and try again.",),
        config=f"[default]\n{SSO}{SSO_ROLE}",
    ),
    "SSO login of the default profile, where the environment names another": Way(
        "sso-never",
        ("never made",),
        ("Run `aws sso login --profile default` and try again.",),
        env={"AWS_PROFILE": "other"},
        config=f"[default]\n{SSO}{SSO_ROLE}[profile other]\nregion = us-east-1\n",
        profile="default",
    ),
    "SSO login that is not JSON": Way(
        "sso-broken",
        ("profile dev", "cannot be read"),
        ("aws sso login --profile dev",),
        config=DEV_SSO,
        files={LEGACY_CACHE: '{"accessToken": '},
        profile="dev",
    ),
    "SSO login that is incomplete": Way(
        "sso-broken",
        ("incomplete",),
        ("aws sso login --profile dev",),
        config=DEV_SESSION,
        files={SESSION_CACHE: '{"accessToken": "x"}'},
        profile="dev",
    ),
    "SSO login whose end is not a time": Way(
        "sso-broken",
        ("cannot be read",),
        ("aws sso login --profile dev",),
        config=DEV_SESSION,
        files={SESSION_CACHE: '{"accessToken": "x", "expiresAt": "soon"}'},
        profile="dev",
    ),
    "SSO login that has expired": Way(
        "sso-expired",
        ("profile dev", "expired"),
        ("aws sso login --profile dev",),
        config=DEV_SESSION,
        files={SESSION_CACHE: json.dumps({"accessToken": "x", "expiresAt": in_hours(-1)})},
        profile="dev",
    ),
    "SSO registration that has expired": Way(
        "sso-expired",
        ("profile dev", "expired"),
        ("aws sso login --profile dev",),
        config=DEV_SESSION,
        files={
            SESSION_CACHE: json.dumps(
                {
                    "accessToken": "x",
                    "expiresAt": in_hours(-1),
                    "refreshToken": "r",
                    "clientId": "i",
                    "clientSecret": "s",
                    "registrationExpiresAt": in_hours(-1),
                }
            )
        },
        profile="dev",
    ),
    "SSO portal that is not reached": Way(
        "unreachable",
        ("the portal of AWS SSO",),
        ("network",),
        {"AWS_ENDPOINT_URL_SSO": "http://127.0.0.1:{closed}"},
        config=DEV_SESSION,
        files={SESSION_CACHE: json.dumps({"accessToken": "x", "expiresAt": in_hours(1)})},
        profile="dev",
    ),
    "SSO that gives nothing": Way(
        "sso-denied",
        ("AWS SSO gives no credentials with profile dev",),
        ("aws sso login --profile dev",),
        {"AWS_ENDPOINT_URL_SSO": "{url}"},
        config=DEV_SESSION,
        files={SESSION_CACHE: json.dumps({"accessToken": "x", "expiresAt": in_hours(1)})},
        profile="dev",
        answer=(403, b'{"message": "No access", "__type": "ForbiddenException"}'),
    ),
    # web identity
    "identity file that does not exist": Way(
        "web-identity-missing",
        ("{home}/identity", "does not exist"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", "id-token: write"),
        WEB,
    ),
    "identity file that is a folder": Way(
        "web-identity-missing",
        ("{home}", "directory"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE",),
        {**WEB, "AWS_WEB_IDENTITY_TOKEN_FILE": "{home}"},
    ),
    "identity file that is empty": Way(
        "web-identity-missing",
        ("{home}/identity", "empty"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE",),
        WEB,
        files={"{home}/identity": ""},
    ),
    "identity file that is not text": Way(
        "web-identity-missing",
        ("{home}/identity", "does not hold a token"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE",),
        WEB,
        files={"{home}/identity": b"\xff\xfe\x00"},
    ),
    "identity of a profile that does not exist": Way(
        "web-identity-missing",
        ("/no/such", "does not exist"),
        ("web_identity_token_file of profile dev in {home}/.aws/config",),
        config=f"[profile dev]\nrole_arn = {ROLE}\nweb_identity_token_file = /no/such\n",
        profile="dev",
    ),
    "identity file without a role": Way(
        "aws-config",
        ("AWS_WEB_IDENTITY_TOKEN_FILE is set",),
        ("AWS_ROLE_ARN",),
        {"AWS_WEB_IDENTITY_TOKEN_FILE": "{home}/identity"},
        advises=("AWS_ROLE_ARN",),
    ),
    "role without an identity file": Way(
        "partial-credentials",
        ("AWS_ROLE_ARN is set and AWS_WEB_IDENTITY_TOKEN_FILE is not",),
        ("Set what is missing",),
        {"AWS_ROLE_ARN": ROLE},
    ),
    "identity that has expired": Way(
        "web-identity-refused",
        ("{home}/identity",),
        ("AWS_WEB_IDENTITY_TOKEN_FILE",),
        {**WEB, "AWS_ENDPOINT_URL_STS": "{url}"},
        files={"{home}/identity": "a.b.c"},
        answer=STS_EXPIRED,
    ),
    # a container
    "container host that is not allowed": setting(
        "AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://example.org/x", "credentials-source"
    )._replace(
        env={"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://example.org/x"}, hints=("https",)
    ),
    "container address that is no address": Way(
        "credentials-source",
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI",),
        ("loopback",),
        {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://[::1/x"},
    ),
    "container's token file is missing": Way(
        "credentials-source",
        ("/no/such", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",),
        {**CONTAINER, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "/no/such"},
    ),
    "container's token has a line break": Way(
        "credentials-source",
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "line break"),
        ("line break",),
        {**CONTAINER, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "{home}/token"},
        files={"{home}/token": "secret\n"},
    ),
    "container answers without keys": Way(
        "credentials-source",
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "does not answer with credentials"),
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI",),
        CONTAINER,
        answer=(200, b"{}"),
    ),
    "container answers a list": Way(
        "credentials-source",
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "does not answer with credentials"),
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI",),
        CONTAINER,
        answer=(200, b"[]"),
    ),
    # an instance
    "instance without a role": Way(
        "no-credentials",
        ("No AWS credentials were found.",),
        ("aws configure",),
        IMDS,
        answer=(404, b""),
        advises=("AWS_PROFILE",),
    ),
    "instance that answers a number": Way(
        "credentials-source",
        ("instance metadata",),
        ("AWS_EC2_METADATA_DISABLED",),
        IMDS,
        answer=(200, b"1"),
    ),
    "instance's address that is no address": setting(
        "AWS_EC2_METADATA_SERVICE_ENDPOINT", "nonsense"
    )._replace(env={**IMDS, "AWS_EC2_METADATA_SERVICE_ENDPOINT": "nonsense"}),
    "instance's time-out that is no number": setting(
        "AWS_METADATA_SERVICE_TIMEOUT", "abc"
    )._replace(env={**IMDS, "AWS_METADATA_SERVICE_TIMEOUT": "abc"}),
    # connection settings
    "defaults mode that is none": setting("AWS_DEFAULTS_MODE", "fast"),
    "STS endpoints that are none": setting("AWS_STS_REGIONAL_ENDPOINTS", "some"),
    "endpoint that is no URL": setting("AWS_ENDPOINT_URL", "nonsense"),
    "endpoint with a bracket": setting("AWS_ENDPOINT_URL_CODEARTIFACT", "http://[bad"),
    "endpoint with a port of letters": setting("AWS_ENDPOINT_URL_CODEARTIFACT", "http://h:abc"),
    "proxy with a port of letters": setting("HTTPS_PROXY", "http://127.0.0.1:abc", "proxy-invalid"),
    "proxy with a bracket": setting("HTTPS_PROXY", "http://[bad", "proxy-invalid"),
    "proxy that is no URL": setting("HTTPS_PROXY", "not a url", "proxy-invalid"),
    "proxy that is not there": Way(
        "proxy-down",
        ("proxy", "127.0.0.1:{closed}"),
        ("HTTPS_PROXY",),
        {**KEYS, "HTTPS_PROXY": "http://me:pass-of-mine@127.0.0.1:{closed}"},
    ),
    "CA bundle that does not exist": setting(
        "AWS_CA_BUNDLE",
        "/no/such.pem",
        "ca-bundle-missing",
        AWS_ENDPOINT_URL="https://127.0.0.1:{port}",
    ),
    "service section that is missing": Way(
        "aws-config",
        ('"gone"',),
        ("{home}/.aws/config",),
        KEYS,
        config="[default]\nservices = gone\n",
    ),
    # answers of AWS
    "answer that is a list": Way(
        "service-fault",
        ("garbled",),
        ("proxy",),
        {**KEYS, "AWS_ENDPOINT_URL_CODEARTIFACT": "{url}"},
        answer=(200, b"[1]"),
    ),
    "answer with a token that has a line break": Way(
        "service-fault",
        ("garbled",),
        ("proxy",),
        {**KEYS, "AWS_ENDPOINT_URL_CODEARTIFACT": "{url}"},
        answer=(200, b'{"authorizationToken": "a\\nb", "expiration": 1900000000}'),
    ),
    "keys that AWS says have ended": Way(
        "keys-expired",
        ("have expired",),
        ("profile dev into {home}/.aws/credentials",),
        {"AWS_ENDPOINT_URL_CODEARTIFACT": "{url}"},
        credentials=f"[dev]\naws_access_key_id = {KEY_ID}\naws_secret_access_key = {SECRET}\n",
        profile="dev",
        answer=(403, b'{"__type": "ExpiredTokenException", "message": "ended"}'),
    ),
}


class Server:
    """Give the same answer to every request, after a delay."""

    def __init__(self) -> None:
        self.answer = (200, b"")
        self.delay = 0.0
        self.was_asked = False
        server = self

        class Handler(BaseHTTPRequestHandler):
            def setup(self) -> None:
                server.was_asked = True
                super().setup()

            def do_GET(self) -> None:
                time.sleep(server.delay)
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                self.send_response(server.answer[0])
                self.send_header("Content-Length", str(len(server.answer[1])))
                self.end_headers()
                with contextlib.suppress(OSError):  # the client has disconnected
                    self.wfile.write(server.answer[1])

            do_POST = do_PUT = do_GET  # noqa: N815 - its base calls them so

            def log_message(self, *_: object) -> None:
                """Log nothing."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._http.server_port
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    """Return a server on loopback."""
    started = Server()
    yield started
    started.close()
    if started.was_asked:
        # botocore leaves its connections to the garbage collector, which must not meet them in
        # another test: there their warnings are errors.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Return an empty home, in an environment without AWS settings."""
    for name in list(os.environ):
        if (
            name.upper().startswith("AWS_")
            or name.upper().endswith("_PROXY")
            or "CA_BUNDLE" in name
        ):
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


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def failure(profile: str | None = None, **more: str) -> TokenError:
    """Request a token and return the error."""
    with pytest.raises(TokenError) as caught:
        aws.get_authorization_token(
            DOMAIN,
            duration=900,
            caller=Caller(profile, **more),  # type: ignore[arg-type]
            may_prompt=False,
        )
    return caught.value


@pytest.mark.wide
@pytest.mark.parametrize("name", WAYS)
def test_each_missing_or_broken_credential_is_explained(
    name: str, alone: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each failure has its code, names its cause, and hints at the settings in use."""
    way = WAYS[name]
    words = {
        "home": str(alone),
        "url": f"http://127.0.0.1:{server.port}",
        "port": str(server.port),
        "closed": str(closed_port()),
    }

    def fill(text: str) -> str:
        return re.sub(r"\{(home|url|port|closed)\}", lambda match: words[match[1]], text)

    server.answer = way.answer
    files = dict(way.files)
    for path, text in (("config", way.config), ("credentials", way.credentials)):
        if text is not None:
            files[f"{{home}}/.aws/{path}"] = text
    for path, text in files.items():
        place = alone / fill(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(text if isinstance(text, bytes) else fill(text).encode())
    for variable, value in way.env.items():
        monkeypatch.setenv(variable, fill(value))
        if variable == "HTTPS_PROXY":
            monkeypatch.delenv("NO_PROXY")
    error = failure(way.profile)
    message = f"{error.sentence}\n{error.hint}"
    assert error.code == way.code, message
    for part in way.says:
        assert fill(part) in error.sentence, message
    for part in way.hints:
        assert fill(part) in error.hint, message
    for secret in (KEY_ID, SECRET, SESSION, "pass-of-mine", "secret\n"):
        assert secret not in message
    assert "at fault" not in message
    assert "None" not in message
    assert "  " not in message
    assert len(error.hint) < 400
    assert ("aws sso login" in message) <= ("sso_" in str(way.config))
    named = set(re.findall(r"\bAWS_[A-Z0-9_]+", error.hint))
    assert named <= {*os.environ, *way.advises}, message


def test_hint_about_a_missing_profile_names_the_option_it_came_from(alone: Path) -> None:
    assert alone.exists()
    hint = failure("gone", profile_from="--ca-profile").hint
    assert "comes from --ca-profile." in hint
    assert "AWS_PROFILE" not in hint


@pytest.mark.wide
@pytest.mark.parametrize("service", ["CODEARTIFACT", "STS"])
def test_a_slow_answer_is_reported_as_unreachable_with_its_timeout(
    service: str, alone: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error does not speak of a denial."""
    server.delay = 1.5
    monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", f"http://127.0.0.1:{server.port}")
    if service == "STS":
        monkeypatch.setattr(aws, "TIMEOUTS", Config(read_timeout=0.2))
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
        (alone / ".aws").mkdir()
        (alone / ".aws" / "config").write_text(DEV_ROLE)
        error = failure("dev")
        assert "AWS STS is slow" in error.sentence
    else:
        for name, value in KEYS.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(aws, "CALLS", aws.CALLS.merge(Config(read_timeout=0.2)))
        error = failure()
        assert "is slow" in error.sentence
    assert "does not answer within 0.2 seconds" in error.sentence
    assert error.code == "unreachable"
    assert "denie" not in error.sentence


def test_a_connection_timeout_is_reported_with_its_seconds(
    alone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert alone.exists()
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = []
        for _ in range(4):  # more than the kernel queues
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(full.getsockname())
            waiting.append(client)
        port = full.getsockname()[1]
        for name, value in KEYS.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("AWS_ENDPOINT_URL_CODEARTIFACT", f"http://127.0.0.1:{port}")
        monkeypatch.setattr(aws, "CALLS", aws.CALLS.merge(Config(connect_timeout=0.2)))
        error = failure()
        for client in waiting:
            client.close()
    assert "no connection within 0.2 seconds" in error.sentence
    assert error.code == "unreachable"


def test_a_hanging_credential_process_is_killed_and_named(
    alone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (alone / ".aws").mkdir()
    command = f"sh -c 'echo $$ > {alone}/pid; exec sleep 600'"
    (alone / ".aws" / "config").write_text(f"[profile dev]\ncredential_process = {command}\n")
    monkeypatch.setattr(aws, "PROCESS_SECONDS", 0.5)
    error = failure("dev")
    assert error.code == "credentials-source"
    assert "sh with profile dev has not ended" in error.sentence
    with pytest.raises(ProcessLookupError):
        os.kill(int((alone / "pid").read_text()), 0)


@pytest.mark.wide
def test_a_broken_role_cache_is_ignored(
    alone: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cached role that cannot be read is requested again."""
    cache = alone / ".aws" / "cli" / "cache"
    cache.mkdir(parents=True)
    (alone / ".aws" / "config").write_text(DEV_ROLE)
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", f"http://127.0.0.1:{server.port}")
    server.answer = STS_DENIED
    before = failure("dev")
    key = botocore.credentials.AssumeRoleCredentialFetcher(None, None, ROLE, {}).__dict__[
        "_cache_key"
    ]
    for text in ("", "[]", '{"Credentials": '):
        (cache / f"{key}.json").write_text(text)
        assert failure("dev").sentence == before.sentence


LOGIN = "[profile dev]\nlogin_session = arn:aws:iam::123456789012:user/me\n"


@pytest.mark.parametrize("kept", [None, "{", "{}", '{"accessToken": 1}'])
def test_a_missing_or_broken_login_session_leads_to_aws_login(
    kept: str | None, alone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hint does not suggest SSO."""
    if not hasattr(botocore.credentials, "LoginProvider"):
        pytest.skip("this botocore does not know `aws login`")
    (alone / ".aws").mkdir()
    (alone / ".aws" / "config").write_text(LOGIN)
    monkeypatch.setenv("AWS_LOGIN_CACHE_DIRECTORY", str(alone))
    monkeypatch.setattr(botocore.credentials, "EC", object())  # the library that it needs
    if kept is not None:
        key = botocore.utils.generate_login_cache_key("arn:aws:iam::123456789012:user/me")
        (alone / f"{key}.json").write_text(kept)
    error = failure("dev")
    assert error.code == "login-expired"
    assert "with profile dev" in error.sentence
    assert error.hint == "Run `aws login --profile dev` and try again."
    monkeypatch.setattr(botocore.credentials, "EC", None)
    error = failure("dev")
    assert error.code == "login-library"
    assert error.hint == "Run `pip install 'codeartifact-pipenv[login]'`."


def test_a_botocore_without_codeartifact_is_named_with_its_version(
    alone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert alone.exists()
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)

    def unknown(*_: object) -> None:
        raise botocore.exceptions.UnknownServiceError(
            service_name="codeartifact", known_service_names=["s3"]
        )

    monkeypatch.setattr(botocore.loaders.Loader, "load_service_model", unknown)
    error = failure()
    assert error.code == "botocore-incomplete"
    assert f"botocore {botocore.__version__}" in error.sentence
    assert "does not know the service codeartifact" in error.sentence
    assert "s3" not in error.sentence
    assert "Upgrade" in error.hint


@pytest.mark.parametrize("kind", [KeyError, TypeError, OverflowError, ImportError, OSError])
def test_unexpected_exceptions_get_a_code_and_are_not_quoted(
    kind: type[Exception], alone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert alone.exists()

    def surprise(*_: object, **__: object) -> None:
        raise kind(SECRET)

    with monkeypatch.context() as changed:
        changed.setattr(botocore.credentials.SharedCredentialProvider, "load", surprise)
        error = failure()
    assert error.code in {"credentials-source", "botocore-incomplete"}
    assert SECRET not in error.sentence + error.hint
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(botocore.auth.SigV4Auth, "add_auth", surprise)
    error = failure()
    assert error.code in {"service-fault", "botocore-incomplete"}
    assert SECRET not in error.sentence + error.hint


def test_error_names_the_profile_variable_that_botocore_uses(
    alone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AWS_DEFAULT_PROFILE wins over AWS_PROFILE."""
    assert alone.exists()
    monkeypatch.setenv("AWS_PROFILE", "second")
    monkeypatch.setenv("AWS_DEFAULT_PROFILE", "first")
    error = failure()
    assert "profile first" in error.sentence
    assert "AWS_DEFAULT_PROFILE" in error.hint
