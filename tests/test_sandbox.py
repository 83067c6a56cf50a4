"""The sandbox, as real clients meet it: botocore, pip, urllib3 and its own command line."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from datetime import timedelta
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest
import trustme
import urllib3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError
from support.sandbox import (
    IDENTITY,
    JSON,
    FakePublicIndex,
    Http,
    ask,
    client,
    enter,
    get_token,
)

from codeartifact_pipenv.endpoint import Domain
from codeartifact_pipenv.sandbox.behaviour import Behaviour
from codeartifact_pipenv.sandbox.hosts import endpoint_for
from codeartifact_pipenv.sandbox.sandbox import Sandbox
from codeartifact_pipenv.sandbox.wheels import make_sdist, make_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OWNER = "123456789012"
ROLE = f"arn:aws:iam::{OWNER}:role/developer"
PUBLIC = "six"


# --- what the tests stand on -------------------------------------------------------------


@pytest.fixture
def base(tmp_path: Path) -> dict[str, str]:
    """Return the environment of a machine whose pip has no settings and no cache of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    return kept | {
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_CACHE_DIR": str(tmp_path / "pip-cache"),
    }


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """Return a folder with a private wheel that needs a public package, and an sdist."""
    folder = tmp_path / "packages"
    make_wheel(folder, "acme-greeting", "1.0", [PUBLIC], requires_python=">=3.8")
    make_sdist(folder, "acme-greeting", "1.1", build_requires=())
    make_wheel(folder, "acme-alone", "2.0")
    return folder


@pytest.fixture
def sandbox(packages: Path, base: dict[str, str]) -> Iterator[Sandbox]:
    with Sandbox([packages], upstream=False, base=base) as running:
        yield running


@pytest.fixture
def inside(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """Put this very process into the sandbox."""
    enter(sandbox, monkeypatch)
    return sandbox


def pip(
    sandbox: Sandbox, folder: Path, requirement: str, userinfo: str = "", *options: str
) -> subprocess.CompletedProcess[str]:
    url = sandbox.endpoint.simple_url.replace("https://", f"https://{userinfo}")
    command = [sys.executable, "-m", "pip", "install", "--no-input", "--target", str(folder)]
    command += ["--index-url", url, *options, requirement]
    return subprocess.run(
        command, env=sandbox.environ(), capture_output=True, text=True, check=False
    )


class Anchors(HTMLParser):
    """Reads the links of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[dict[str, str | None]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.found.append(dict(attrs))


# --- the API: tokens ---------------------------------------------------------------------


def test_a_token_has_the_real_shape(inside: Sandbox) -> None:
    """A token is a JWE of five parts whose header says when it ends, twelve hours from now."""
    answer = client().get_authorization_token(domain="demo", domainOwner=OWNER)
    token = answer["authorizationToken"]
    parts = token.split(".")
    header = json.loads(base64.urlsafe_b64decode(parts[0] + "=" * (-len(parts[0]) % 4)))
    assert len(parts) == 5
    assert 1200 <= len(token) <= 1500
    assert re.fullmatch(r"[A-Za-z0-9._-]+", token)
    assert {"ver", "isu", "enc", "tag", "exp", "alg", "iv"} == set(header)
    assert header["exp"] - header["isu"] == 43200
    assert abs(answer["expiration"].timestamp() - time.time() - 43200) < 10
    assert inside.count("GetAuthorizationToken") == 1


@pytest.mark.parametrize(
    ("asked", "seconds"), [({"durationSeconds": 900}, 900), ({"durationSeconds": 0}, 43200)]
)
def test_a_token_lives_as_long_as_asked(
    inside: Sandbox, asked: dict[str, int], seconds: int
) -> None:
    """A token lives the seconds that were asked for, and with long-lived keys 0 means 12 hours."""
    answer = client().get_authorization_token(domain="demo", **asked)
    assert abs(answer["expiration"].timestamp() - time.time() - seconds) < 10
    assert inside.requests[-1].status == 200


REFUSALS: dict[str, tuple[dict[str, Any], dict[str, Any], str, int]] = {
    "too short": ({}, {"durationSeconds": 899}, "ValidationException", 400),
    "too long": ({}, {"durationSeconds": 43201}, "ValidationException", 400),
    "impossible name": ({}, {"domain": "Bad_Name"}, "ValidationException", 400),
    "impossible owner": ({}, {"domainOwner": "12345678901x"}, "ValidationException", 400),
    "unknown domain": ({}, {"domain": "other"}, "ResourceNotFoundException", 404),
    "another owner": ({}, {"domainOwner": "0" * 12}, "ResourceNotFoundException", 404),
    "another region": ({"region": "eu-west-1"}, {}, "ResourceNotFoundException", 404),
    "wrong secret": ({"aws_secret_access_key": "x" * 40}, {}, "InvalidSignatureException", 403),
    "session token": ({"aws_session_token": "x"}, {}, "UnrecognizedClientException", 403),
    "unsigned": (
        {"config": Config(signature_version=UNSIGNED)},
        {},
        "MissingAuthenticationTokenException",
        403,
    ),
}


@pytest.mark.wide
@pytest.mark.parametrize("case", REFUSALS)
def test_a_bad_request_for_a_token_gets_the_real_error(inside: Sandbox, case: str) -> None:
    """What AWS refuses is refused, with its own code and status."""
    settings, asked, code, status = REFUSALS[case]
    keys = {
        "aws_access_key_id": inside.user.access_key_id,
        "aws_secret_access_key": inside.user.secret_access_key,
    }
    with pytest.raises(ClientError) as caught:
        client(**(keys | settings)).get_authorization_token(**({"domain": "demo"} | asked))
    assert caught.value.response["Error"]["Code"] == code
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == status


def test_an_unknown_key_is_refused(inside: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that nobody has is not taken."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    with pytest.raises(ClientError, match="security token included in the request is invalid"):
        client().get_authorization_token(domain="demo")
    assert inside.requests[-1].credential is None


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"scope": ("sts", "us-east-1")}, "correct service: 'codeartifact'"),
        ({"scope": ("codeartifact", "eu-west-1")}, "valid region, not 'eu-west-1'"),
        ({"signed": {"X-Amz-Content-Sha256": "0" * 64}}, "does not match what was computed"),
        ({"unsigned": {"X-Amz-Something": "1"}}, "not signed: x-amz-something"),
        ({"instead": "/v1/authorization-token?domain=demo&duration=900"}, "does not match"),
    ],
)
def test_a_signature_holds_for_the_very_request(
    sandbox: Sandbox, changed: dict[str, Any], says: str
) -> None:
    """What was signed for another service or region, or changed on its way, is refused."""
    answer = ask(sandbox, "POST", "/v1/authorization-token?domain=demo", **changed)
    assert (answer.status, answer.headers["x-amzn-errortype"]) == (403, "InvalidSignatureException")
    assert says in answer.json()["message"]


@pytest.mark.wide
@pytest.mark.parametrize(
    "action", ["codeartifact:GetAuthorizationToken", "sts:GetServiceBearerToken"]
)
def test_a_denied_action_is_refused_until_it_is_allowed(inside: Sandbox, action: str) -> None:
    """A missing permission is named in AWS's own words, and can be given back."""
    inside.deny(action)
    user = re.escape(
        f"User: arn:aws:iam::{OWNER}:user/sandbox is not authorized to perform: {action} on"
    )
    with pytest.raises(ClientError, match=user) as caught:
        client().get_authorization_token(domain="demo")
    assert caught.value.response["Error"]["Code"] == "AccessDeniedException"
    inside.allow(action)
    assert client().get_authorization_token(domain="demo")["authorizationToken"]


def test_throttling_names_a_wait_and_ends(inside: Sandbox) -> None:
    """The next calls, as many as asked for, are throttled; then all is well."""
    inside.throttle(1, retry_after=7)
    with pytest.raises(ClientError) as caught:
        client().get_authorization_token(domain="demo")
    assert caught.value.response["Error"]["Code"] == "ThrottlingException"
    assert caught.value.response["ResponseMetadata"]["HTTPHeaders"]["retry-after"] == "7"
    assert client().get_authorization_token(domain="demo")["authorizationToken"]


def test_an_operation_that_is_not_played_is_unknown(inside: Sandbox) -> None:
    """What the sandbox does not know it refuses, and does not make up."""
    with pytest.raises(ClientError) as caught:
        client().dispose_package_versions(
            domain="demo", repository="pypi-store", format="pypi", package="six", versions=["1"]
        )
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    assert caught.value.response["reason"] == "UNKNOWN_OPERATION"
    assert inside.requests[-1].name == "DisposePackageVersions"


@pytest.mark.parametrize(
    ("query", "kind"), [("", "ipv4"), ("&endpointType=dualstack", "dualstack")]
)
def test_the_repository_endpoint_is_the_one_that_answers(
    sandbox: Sandbox, query: str, kind: str
) -> None:
    """GetRepositoryEndpoint names the repository's own URL, in the shape asked for."""
    path = "/v1/repository/endpoint?domain=demo&repository=pypi-store&format=pypi"
    answer = ask(sandbox, "GET", f"{path}{query}").json()
    expected = endpoint_for(sandbox.endpoint.domain, "pypi-store", kind).url
    assert answer == {"repositoryEndpoint": expected}
    assert expected.endswith("/pypi/pypi-store/")


# --- the API: who asks -------------------------------------------------------------------


def test_an_assumed_role_gets_a_token(inside: Sandbox) -> None:
    """A role's temporary keys get a token, and 0 gives it the session's own end."""
    given = client("sts").assume_role(RoleArn=ROLE, RoleSessionName="me", DurationSeconds=1800)
    keys = given["Credentials"]
    assumed = client(
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
    )
    answer = assumed.get_authorization_token(domain="demo", durationSeconds=0)
    assert abs((answer["expiration"] - keys["Expiration"]).total_seconds()) < 5
    assert inside.requests[-1].credential == keys["AccessKeyId"]


def test_a_role_from_a_profile_gets_a_token(inside: Sandbox) -> None:
    """A profile with a role works as on any machine, through the run's own AWS files."""
    keys = inside.user
    inside.aws_config.write_text(
        f"[profile user]\naws_access_key_id={keys.access_key_id}\naws_secret_access_key={keys.secret_access_key}\n"
        f"[profile dev]\nrole_arn={ROLE}\nsource_profile=user\nregion=us-east-1\n"
    )
    session = botocore.session.Session(profile="dev")
    answer = session.create_client("codeartifact", "us-east-1").get_authorization_token(
        domain="demo"
    )
    assert answer["authorizationToken"]
    assert inside.count("AssumeRole") == 1


def test_temporary_keys_end(inside: Sandbox) -> None:
    """Temporary keys whose time is over get AWS's answer to such keys."""
    given = client("sts").assume_role(RoleArn=ROLE, RoleSessionName="me")
    keys = given["Credentials"]
    with inside._identities._moto() as (_, sts):
        (role,) = sts[OWNER]["aws"].assumed_roles
        role.expiration -= timedelta(hours=2)
    with pytest.raises(ClientError) as caught:
        client(
            aws_access_key_id=keys["AccessKeyId"],
            aws_secret_access_key=keys["SecretAccessKey"],
            aws_session_token=keys["SessionToken"],
        ).get_authorization_token(domain="demo")
    assert caught.value.response["Error"]["Code"] == "ExpiredTokenException"
    assert inside.requests[-1].status == 403


@pytest.mark.wide
def test_a_web_identity_gets_a_token_without_keys(inside: Sandbox, tmp_path: Path) -> None:
    """In CI a web identity token is enough: no key of the user's takes part."""
    before = len(inside.requests)
    (tmp_path / "jwt").write_text(IDENTITY)
    inside.aws_config.write_text(
        f"[profile ci]\nrole_arn={ROLE}\nweb_identity_token_file={tmp_path / 'jwt'}\n"
    )
    session = botocore.session.Session(profile="ci")
    answer = session.create_client("codeartifact", "us-east-1").get_authorization_token(
        domain="demo"
    )
    assert answer["authorizationToken"]
    after = inside.requests[before:]
    assert inside.user.access_key_id not in {record.credential for record in after}


def test_sts_knows_the_sandbox_user_and_nobody_else(inside: Sandbox) -> None:
    """STS says who the sandbox's user is, and refuses a wrong secret."""
    assert client("sts").get_caller_identity()["Arn"] == inside.user.arn
    with pytest.raises(ClientError) as caught:
        client(
            "sts", aws_access_key_id=inside.user.access_key_id, aws_secret_access_key="x" * 40
        ).get_caller_identity()
    assert caught.value.response["Error"]["Code"] == "SignatureDoesNotMatch"


# --- the package endpoint ----------------------------------------------------------------


@pytest.mark.wide
def test_pip_installs_a_private_package_and_the_public_one_it_needs(
    packages: Path, tmp_path: Path, base: dict[str, str]
) -> None:
    """With a live token pip gets the private wheel, and from the real public index what it needs."""
    with Sandbox([packages], base=base) as sandbox:
        userinfo = f"aws:{get_token(sandbox)}@"
        done = pip(sandbox, tmp_path / "to", "acme-greeting==1.0", userinfo)
        assert done.returncode == 0, done.stderr
        assert {path.name for path in (tmp_path / "to").iterdir()} >= {"acme_greeting", "six.py"}
        # Nothing came past the sandbox.
        assert "CONNECT" not in {record.method for record in sandbox.requests}


def test_html_and_json_say_the_same(sandbox: Sandbox, http: Http) -> None:
    """Both forms of a page list the same files with the same facts, and their links work."""
    token, url = get_token(sandbox), f"{sandbox.endpoint.simple_url}acme-greeting/"
    page = http(url, token)
    document = http(url, token, headers={"Accept": JSON}).json()
    anchors = Anchors(page.data.decode()).found
    assert page.headers["Content-Type"] == "text/html"
    assert document["meta"]["api-version"] == "1.1"
    assert document["versions"] == ["1.0", "1.1"]
    assert [anchor["href"] for anchor in anchors] == [
        f"{file['url']}#sha256={file['hashes']['sha256']}" for file in document["files"]
    ]
    assert anchors[0]["data-requires-python"] == document["files"][0]["requires-python"] == ">=3.8"
    for file in document["files"]:
        data = http(url + file["url"], token).data
        assert hashlib.sha256(data).hexdigest() == file["hashes"]["sha256"]
        assert len(data) == file["size"]


def test_names_are_taken_as_clients_write_them(sandbox: Sandbox, http: Http) -> None:
    """Another spelling and a doubled slash are served, and a missing slash leads to the page."""
    token, url = get_token(sandbox), sandbox.endpoint.simple_url
    for spelled in ("Acme_Alone/", "ACME.alone/", "/acme-alone/"):
        page = http(url + spelled, token)
        (anchor,) = Anchors(page.data.decode()).found
        assert http(f"{url}{spelled}{anchor['href']}", token).status == 200
    moved = http(f"{url}acme-alone", token)
    assert moved.status == 301
    assert moved.headers["Location"] == "/pypi/pypi-store/simple/acme-alone/"


@pytest.mark.parametrize("kind", ["ipv4", "dualstack", "vpce"])
def test_each_shape_of_host_answers(sandbox: Sandbox, http: Http, kind: str) -> None:
    """The same repository answers under each of its three addresses, with the same token."""
    endpoint = endpoint_for(sandbox.endpoint.domain, "pypi-store", kind)
    assert http(f"{endpoint.simple_url}acme-alone/", get_token(sandbox)).status == 200
    assert sandbox.requests[-1].host == endpoint.host


def test_a_vpc_host_does_not_open_another_domain(sandbox: Sandbox, http: Http) -> None:
    """Where the path names the domain, the token must be of that domain."""
    sandbox.add_repository("theirs", domain="other")
    endpoint = endpoint_for(Domain("other", OWNER, "us-east-1"), "theirs", "vpce")
    assert http(f"{endpoint.simple_url}acme-alone/", get_token(sandbox)).status == 401


@pytest.mark.wide
def test_two_runs_do_not_mix(tmp_path: Path, base: dict[str, str]) -> None:
    """The same file name with other bytes in the next run is installed as it then is."""
    for number in ("first", "second"):
        wheel = make_wheel(
            tmp_path / number, "acme", "1.0", modules={"acme.py": f"RUN = {number!r}\n"}
        )
        with Sandbox([wheel], upstream=False, base=base) as sandbox:
            done = pip(sandbox, tmp_path / f"to-{number}", "acme", f"aws:{get_token(sandbox)}@")
        assert done.returncode == 0, done.stderr
        assert number in (tmp_path / f"to-{number}" / "acme.py").read_text()


# --- uploads -----------------------------------------------------------------------------


# --- the upstream ------------------------------------------------------------------------


@pytest.fixture
def with_upstream(
    packages: Path, base: dict[str, str], public: FakePublicIndex
) -> Iterator[tuple[Sandbox, Http, str]]:
    """Yield a sandbox whose public index is on loopback, a client, and a token."""
    private = public.url.replace("http://", "http://reader:s%40cret@")
    told = Behaviour(yanked=True, ranges=True)
    base = base | {"PIP_INDEX_URL": private}
    with Sandbox([packages], base=base, behaviour=told) as sandbox:
        http = Http(sandbox)
        yield sandbox, http, get_token(sandbox)
        http.close()


Upstream = tuple[Sandbox, "Http", str]


def test_a_private_name_never_falls_through(
    with_upstream: Upstream, public: FakePublicIndex, tmp_path: Path
) -> None:
    """A stranger's higher version of a private name on the public index is never offered."""
    sandbox, http, token = with_upstream
    public.add("acme-alone", make_wheel(tmp_path, "acme-alone", "99.0"))
    page = http(f"{sandbox.endpoint.simple_url}acme-alone/", token, headers={"Accept": JSON})
    assert page.json()["versions"] == ["2.0"]
    assert public.asked == []


def test_public_facts_pass_through(
    with_upstream: Upstream, public: FakePublicIndex, tmp_path: Path
) -> None:
    """Yanked, Python and size come through in both forms; the file comes whole and only once."""
    sandbox, http, token = with_upstream
    wheel = make_wheel(tmp_path, "Pub.lic", "1.0")
    facts = {"yanked": "it <broke>", "requires-python": ">=3.10", "core-metadata": True}
    public.add("pub-lic", wheel, **facts)
    url = f"{sandbox.endpoint.simple_url}pub-lic/"
    (file,) = http(url, token, headers={"Accept": JSON}).json()["files"]
    (anchor,) = Anchors(http(url, token).data.decode()).found
    assert file["yanked"] == anchor["data-yanked"] == "it <broke>"
    assert file["requires-python"] == anchor["data-requires-python"] == ">=3.10"
    assert file["size"] == len(wheel.read_bytes())
    assert "core-metadata" not in file
    for _ in range(2):
        assert http(url + file["url"], token).data == wheel.read_bytes()
    assert http(url + file["url"], token, headers={"Range": "bytes=0-1"}).data == b"PK"
    basic = "Basic " + base64.b64encode(b"reader:s@cret").decode()
    assert public.asked == [("/simple/pub-lic/", basic), (f"/files/{wheel.name}", basic)]


def test_an_html_index_is_read(with_upstream: Upstream, public: FakePublicIndex) -> None:
    """A public index that speaks only HTML gives the same facts, without sizes."""
    sandbox, http, token = with_upstream
    public.pages["/simple/old/"] = (
        200,
        "text/html",
        b'<a href="../../f/old-1.0.tar.gz#sha256=abc" data-requires-python="&gt;=3.8" data-yanked="">x</a>'
        b'<a href="../../f/old-1.0.win32.exe">x</a><a href="/f/older-1.0.tar.gz">x</a>',
    )
    page = http(f"{sandbox.endpoint.simple_url}old/", token, headers={"Accept": JSON}).json()
    assert page == {
        "meta": {"api-version": "1.0"},
        "name": "old",
        "versions": ["1.0"],
        "files": [
            {
                "filename": "old-1.0.tar.gz",
                "url": "1.0/old-1.0.tar.gz",
                "hashes": {"sha256": "abc"},
                "yanked": True,
                "requires-python": ">=3.8",
            }
        ],
    }


def test_old_post_releases_are_read(with_upstream: Upstream, public: FakePublicIndex) -> None:
    """An old sdist with a dash in its version is a file of its project, as it is for pip."""
    sandbox, http, token = with_upstream
    link = b'<a href="/f/olden-py3-0.3.1-1.tar.gz#sha256=abc">x</a>'
    public.pages["/simple/olden-py3/"] = (200, "text/html", link)
    page = http(f"{sandbox.endpoint.simple_url}olden-py3/", token, headers={"Accept": JSON}).json()
    assert [file["filename"] for file in page["files"]] == ["olden-py3-0.3.1-1.tar.gz"]


def test_a_failing_public_index_is_no_404(
    with_upstream: Upstream, public: FakePublicIndex, tmp_path: Path
) -> None:
    """Where the public index fails the answer is 502, never "not found"; unknown names are 404."""
    sandbox, http, token = with_upstream
    public.pages["/simple/broken/"] = (403, "text/plain", b"")
    public.pages["/simple/nonsense/"] = (200, JSON, b"[]")
    public.add("lost", make_wheel(tmp_path, "lost", "1.0"))
    del public.pages["/files/lost-1.0-py3-none-any.whl"]
    url = sandbox.endpoint.simple_url
    paths = ["broken/", "nonsense/", "lost/1.0/lost-1.0-py3-none-any.whl", "unknown/"]
    assert [http(url + path, token).status for path in paths] == [502, 502, 502, 404]


def test_wrong_bytes_from_the_public_index_are_not_kept(
    with_upstream: Upstream, public: FakePublicIndex, tmp_path: Path
) -> None:
    """A file that is not what the public index promised breaks off and is fetched anew."""
    sandbox, http, token = with_upstream
    public.add("wrong", make_wheel(tmp_path, "wrong", "1.0"), hashes={"sha256": "0" * 64})
    url = f"{sandbox.endpoint.simple_url}wrong/1.0/wrong-1.0-py3-none-any.whl"
    assert http(url, token, headers={"Range": "bytes=0-1"}).status == 502
    assert http(url, token, headers={"Range": "bytes=0-1"}).status == 502


# --- the way there -----------------------------------------------------------------------


@pytest.fixture
def stranger() -> Iterator[tuple[int, trustme.CA]]:
    """Yield a TLS server that has nothing to do with the sandbox: its port and authority."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    with FakePublicIndex() as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.pages["/"] = (200, "text/plain", b"a stranger")
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_port, authority
        server.shutdown()
        thread.join()


def through(proxy: str, port: int, authority: trustme.CA) -> bytes:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    with urllib3.ProxyManager(proxy, ssl_context=context, retries=False) as pool:
        return pool.request("GET", f"https://localhost:{port}/").data


def test_another_host_passes_untouched(sandbox: Sandbox, stranger: tuple[int, trustme.CA]) -> None:
    """A host that is not ours is reached end to end, with its own certificate."""
    assert through(sandbox.environ()["HTTPS_PROXY"], *stranger) == b"a stranger"
    (record,) = sandbox.requests
    assert (record.method, record.host, record.status) == ("CONNECT", "localhost", 200)


def test_another_host_is_reached_through_the_machines_own_proxy(
    sandbox: Sandbox, stranger: tuple[int, trustme.CA], base: dict[str, str]
) -> None:
    """The proxy of the environment around the sandbox is used, unless NO_PROXY says otherwise."""
    outer = base | {"https_proxy": sandbox.environ()["HTTPS_PROXY"], "no_proxy": ""}
    with Sandbox(upstream=False, base=outer) as inner:
        assert through(inner.environ()["HTTPS_PROXY"], *stranger) == b"a stranger"
    assert [record.host for record in sandbox.requests] == ["localhost"]
    with Sandbox(upstream=False, base=outer | {"no_proxy": "localhost"}) as inner:
        assert through(inner.environ()["HTTPS_PROXY"], *stranger) == b"a stranger"
    assert len(sandbox.requests) == 1


def ask_proxy(sandbox: Sandbox, request: str) -> str:
    host, port = sandbox.environ()["HTTPS_PROXY"].removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), 10) as connection:
        connection.sendall(f"{request}\r\n\r\n".encode())
        return connection.makefile("rb").read().decode()


def test_a_tunnel_ends_when_the_far_side_hangs_up(
    sandbox: Sandbox, public: FakePublicIndex
) -> None:
    """A client in a tunnel is told that the server has closed the connection."""
    port = int(sandbox.environ()["HTTPS_PROXY"].rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.sendall(f"CONNECT 127.0.0.1:{public.server_port} HTTP/1.1\r\n\r\n".encode())
        assert b" 200 " in connection.recv(1000)
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert b" 404 " in connection.makefile("rb").read()


@pytest.mark.parametrize(
    ("request_line", "status", "says"),
    [
        ("GET http://sts.amazonaws.com/ HTTP/1.1", 403, "supports only https."),
        ("GET http://localhost/ HTTP/1.1", 501, "supports only https."),
        ("CONNECT codeartifact.us-east-1.amazonaws.com:80 HTTP/1.1", 403, "only https on port 443"),
        ("CONNECT host.invalid:443 HTTP/1.1", 502, "cannot connect to"),
        ("CONNECT demo HTTP/1.1", 400, "host and a port"),
    ],
)
def test_what_cannot_be_reached_says_so(
    sandbox: Sandbox, request_line: str, status: int, says: str
) -> None:
    """The proxy refuses with a clear text what it does not do."""
    answer = ask_proxy(sandbox, request_line)
    assert f" {status} " in answer.splitlines()[0]
    assert says in answer


def test_the_environment_leads_nobody_around_the_sandbox(
    sandbox: Sandbox, base: dict[str, str]
) -> None:
    """What is set already is composed with, or removed where it would lead to real AWS."""
    given = base | {
        "NO_PROXY": "corp.example,.amazonaws.com,*.on.aws,aws.com",
        "AWS_PROFILE": "real",
        "AWS_SESSION_TOKEN": "real",
        "AWS_ENDPOINT_URL_CODEARTIFACT": "https://real",
        "CODEARTIFACT_AUTH_TOKEN": "real",
        "SSL_CERT_DIR": "/real",
        "PIPENV_VERBOSITY": "-1",
    }
    before = dict(given)
    environ = sandbox.environ(given)
    assert given == before
    assert environ["NO_PROXY"] == environ["no_proxy"] == "127.0.0.1,localhost,corp.example"
    assert {name for name in environ if name.startswith("AWS_")} == {
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_EC2_METADATA_DISABLED",
        "AWS_CONFIG_FILE",
        "AWS_SHARED_CREDENTIALS_FILE",
        "AWS_CA_BUNDLE",
    }
    assert environ.keys().isdisjoint({"CODEARTIFACT_AUTH_TOKEN", "SSL_CERT_DIR"})
    assert environ["PIPENV_VERBOSITY"] == "-1"


def test_a_certificate_that_the_user_trusts_stays_trusted(
    tmp_path: Path, stranger: tuple[int, trustme.CA], base: dict[str, str]
) -> None:
    """The bundle for clients holds what the environment's own bundle holds, and the run's own."""
    port, authority = stranger
    authority.cert_pem.write_to_path(tmp_path / "corporate.pem")
    only = {name: value for name, value in base.items() if "CERT" not in name and "CA" not in name}
    with Sandbox(
        upstream=False, base=only | {"PIP_CERT": str(tmp_path / "corporate.pem")}
    ) as sandbox:
        http = Http(sandbox)
        assert http(f"https://localhost:{port}/").data == b"a stranger"
        assert http(f"{sandbox.endpoint.simple_url}acme/").status == 401
        http.close()


def test_closing_leaves_nothing(packages: Path, base: dict[str, str]) -> None:
    """After the end there is no folder, no thread and no listener, even with a client connected."""
    threads = threading.active_count()
    sandbox = Sandbox([packages], upstream=False, base=base)
    with sandbox:
        http = Http(sandbox)
        folder = sandbox.aws_config.parent
        port = int(sandbox.environ()["HTTPS_PROXY"].rpartition(":")[2])
        assert folder.stat().st_mode & 0o777 == 0o700
        assert http(f"{sandbox.endpoint.simple_url}acme/").status == 401
        started = time.monotonic()
    assert time.monotonic() - started < 2
    assert not folder.exists()
    assert threading.active_count() == threads
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 1)
    http.close()


# --- packages and the command line -------------------------------------------------------


def test_packages_are_the_same_every_time(tmp_path: Path) -> None:
    """The same input makes the same bytes."""
    for make in (make_wheel, make_sdist):
        first, second = (make(tmp_path / str(n), "acme", "1.0", ["six"]) for n in (1, 2))
        assert first.read_bytes() == second.read_bytes()
    # Where gzip would write the time.
    assert (tmp_path / "1" / "acme-1.0.tar.gz").read_bytes()[4:8] == bytes(4)


@pytest.mark.wide
@pytest.mark.parametrize("build_requires", [(), ("acme-alone",)])
def test_an_sdist_is_built_by_pip(
    sandbox: Sandbox, tmp_path: Path, build_requires: tuple[str, ...]
) -> None:
    """An sdist of the maker installs, and so does what it needs to be built."""
    sandbox.publish(make_sdist(tmp_path, "acme-source", "1.0", build_requires=build_requires))
    done = pip(sandbox, tmp_path / "to", "acme-source", f"aws:{get_token(sandbox)}@")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "to" / "acme_source" / "__init__.py").is_file()
    assert sandbox.count("acme-alone") == 2 * len(build_requires)


def test_a_project_folder_is_built_and_left_as_it_was(tmp_path: Path, base: dict[str, str]) -> None:
    """A project is built into a wheel and an sdist, elsewhere; its folder gets no litter."""
    sdist = make_sdist(tmp_path, "acme-project", "3.0", build_requires=())
    shutil.unpack_archive(sdist, tmp_path / "projects", filter="data")
    before = sorted((tmp_path / "projects").rglob("*"))
    with Sandbox([tmp_path / "projects"], upstream=False, base=base) as sandbox:
        http = Http(sandbox)
        url = f"{sandbox.endpoint.simple_url}acme-project/"
        page = http(url, get_token(sandbox), headers={"Accept": JSON}).json()
        http.close()
    assert [file["filename"] for file in page["files"]] == [
        "acme_project-3.0-py3-none-any.whl",
        "acme_project-3.0.tar.gz",
    ]
    assert sorted((tmp_path / "projects").rglob("*")) == before


def sandbox_command(*arguments: str) -> list[str]:
    code = (
        "import sys; from codeartifact_pipenv.sandbox.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    return [sys.executable, "-c", code, *arguments]


def test_run_gives_the_commands_own_exit_status(packages: Path, base: dict[str, str]) -> None:
    """The command runs inside, stdout is its own, and its exit status is passed on."""
    code = "import os, sys; print(os.environ['PIPENV_CA_SANDBOX_URL']); sys.exit(7)"
    options = ["--packages", str(packages), "--domain", "mine", "--no-upstream"]
    command = sandbox_command("run", *options, "--", sys.executable, "-c", code)
    done = subprocess.run(command, env=base, capture_output=True, text=True, check=False)
    assert done.returncode == 7
    assert (
        done.stdout
        == f"{endpoint_for(Domain('mine', OWNER, 'us-east-1'), 'pypi-store').simple_url}\n"
    )
    assert done.stderr == ""


def test_run_begins_with_faults(base: dict[str, str]) -> None:
    """The command meets the faults that --fault names."""
    words = ["--fault", "deny codeartifact:ListDomains", "--fault", "throttle 1 --retry-after 7"]
    code = (
        "import botocore.session as b; from botocore.config import Config\n"
        "c = b.Session().create_client('codeartifact', config=Config(retries={'total_max_attempts': 1}))\n"
        "for _ in range(2):\n"
        "    try: c.list_domains()\n"
        "    except Exception as error: print(error.response['Error']['Code'])\n"
    )
    command = sandbox_command("run", "--no-upstream", *words, "--", sys.executable, "-c", code)
    done = subprocess.run(command, env=base, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["ThrottlingException", "AccessDeniedException"], done.stderr


@pytest.mark.wide
@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["run", "--", "/no/such/command"], 127, "Command /no/such/command was not found."),
        (["run", "--", os.devnull], 126, "cannot be run"),
        (["run", "true"], 2, "unrecognized arguments"),
        (["run"], 2, "needs a command"),
        ([], 2, "required: VERB"),
        (["run", "--owner", "x", "--", "true"], 2, "cannot be a CodeArtifact repository"),
        (["run", "--fault", "flood", "--", "true"], 2, "Unknown fault 'flood'."),
        (["run", "--fault", "delay long", "--", "true"], 2, "Invalid fault: "),
        (
            ["run", "--fault", "status 200", "--", "true"],
            2,
            "Fault status 200 on packages",
        ),
    ],
)
def test_run_says_what_is_wrong(
    base: dict[str, str], arguments: list[str], status: int, says: str
) -> None:
    """Each failure of its own is one error and one hint on stderr, with the documented status."""
    done = subprocess.run(
        sandbox_command(*arguments), env=base, capture_output=True, text=True, check=False
    )
    error, hint = done.stderr.splitlines()
    assert done.returncode == status
    assert error.startswith("error: ")
    assert says in error
    assert hint.startswith("hint: ")
    assert done.stdout == ""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_run_hands_signals_on(base: dict[str, str], tmp_path: Path, number: int) -> None:
    """The command gets the signal and ends as it likes; nothing stays behind."""
    code = (
        "import signal, sys, time\n"
        "for n in (signal.SIGTERM, signal.SIGINT): signal.signal(n, lambda n, f: sys.exit(100 + n))\n"
        "print('ready', flush=True); time.sleep(20)"
    )
    environ = base | {"TMPDIR": str(tmp_path)}
    command = sandbox_command("run", "--no-upstream", "--", sys.executable, "-c", code)
    with subprocess.Popen(
        command, env=environ, stdout=subprocess.PIPE, start_new_session=True
    ) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == b"ready\n"
        running.send_signal(number)
        assert running.wait(10) == 100 + number
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="pexpect needs a terminal")
def test_ctrl_c_reaches_the_command_once(base: dict[str, str], tmp_path: Path) -> None:
    """On a terminal the command gets one interrupt, not a second one from the sandbox."""
    import pexpect

    code = (
        "import signal, sys, time; got = []\n"
        "signal.signal(signal.SIGINT, lambda n, f: got.append(n))\n"
        "print('ready', flush=True)\n"
        "while not got: time.sleep(0.01)\n"
        "time.sleep(0.3); sys.exit(100 + len(got))"
    )
    command = sandbox_command("run", "--no-upstream", "--", sys.executable, "-c", code)
    running = pexpect.spawn(
        command[0], command[1:], env=base | {"TMPDIR": str(tmp_path)}, timeout=20
    )
    running.expect_exact("ready")
    running.sendintr()
    running.expect(pexpect.EOF)
    running.close()
    assert running.exitstatus == 101
    assert list(tmp_path.iterdir()) == []


@pytest.mark.wide
def test_the_demonstration_installs_a_private_package(base: dict[str, str], tmp_path: Path) -> None:
    """One command shows a private package locked, installed and used, and leaves nothing."""
    environ = base | {"TMPDIR": str(tmp_path)}
    done = subprocess.run(
        sandbox_command("demo"), env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    rows = [line.split()[:3] for line in done.stdout.splitlines()]
    assert ["acme-greeting", "1.0", "codeartifact"] in rows
    assert [PUBLIC, "codeartifact"] in [row[::2] for row in rows]
    assert "this came from a private repository" in done.stdout
    assert "$ pipenv-ca lock" in done.stderr
    assert [path for path in tmp_path.iterdir() if path.name != "pip-cache"] == []
