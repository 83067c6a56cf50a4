"""The complete index: what it serves, what it sends on, and what it lets nobody have."""

from __future__ import annotations

import base64
import hashlib
import http.client
import ipaddress
import json
import re
import socket
import ssl
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urljoin

import pytest
import requests
import trustme

from codeartifact_pipenv.endpoint import Domain, RepositoryEndpoint, parse_url
from codeartifact_pipenv.sandbox.actor import Actor
from codeartifact_pipenv.wrapper import loopback, repositories
from codeartifact_pipenv.wrapper.loopback import (
    DEFAULT_SOURCE,
    NOWHERE,
    USERNAME,
    Loopback,
    Refusal,
)
from codeartifact_pipenv.wrapper.repositories import Upstream

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from typing_extensions import Self

    from codeartifact_pipenv.sandbox.sandbox import Sandbox

JSON = "application/vnd.pypi.simple.v1+json"
HTML = "text/html"
BUNDLES = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
PUBLIC = "https://public.example/simple"
COMMON, GENERATOR = "orb-common", "orb-schema-generator"
DOMAIN = Domain("my-dom", "123456789012", "us-east-1")


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have repeated requests follow at once."""
    monkeypatch.setattr(
        repositories, "_RETRIES", repositories._RETRIES.new(backoff_factor=0, backoff_jitter=0)
    )


def login_as(username: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{username}:{password}'.encode()).decode()}"


class Client:
    """Somebody who asks the index, and keeps all that came back."""

    def __init__(self, index: Loopback, password: str | None = None) -> None:
        self._root = index.url
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.auth = (USERNAME, password or index.password)
        self.seen: list[bytes] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def ask(
        self, path: str, method: str = "GET", headers: Mapping[str, str] | None = None
    ) -> requests.Response:
        """Ask for a path below the server's root; a redirect is not followed."""
        answer = self._session.request(
            method,
            urljoin(self._root, path),
            headers=dict(headers or {}),
            allow_redirects=False,
            timeout=10,
        )
        self.seen += [repr((answer.reason, answer.headers)).encode(), answer.content]
        return answer

    def page(self, name: str, accept: str = HTML) -> requests.Response:
        return self.ask(f"/simple/{name}/", headers={"Accept": accept})


# --- over the sandbox --------------------------------------------------------------------


@pytest.fixture
def world(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """The sandbox, as this process meets it under the real names."""
    environ = sandbox.environ()
    for name in (*BUNDLES, "HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, environ[name])
    return sandbox


@pytest.fixture
def token(sandbox: Sandbox) -> str:
    actor = Actor(sandbox.user.account, sandbox.user.arn)
    domain = sandbox.endpoint.domain
    issued: str = sandbox._state.tokens.issue(domain, 3600, "AKIDEXAMPLE", actor)[0]
    return issued


@pytest.fixture
def lonely(sandbox: Sandbox) -> RepositoryEndpoint:
    found = parse_url(sandbox.endpoint.url.replace("/team/", "/lonely/"))
    assert found is not None
    return found


@pytest.fixture
def index(world: Sandbox, lonely: RepositoryEndpoint, token: str) -> Iterator[Loopback]:
    assert world.is_published(COMMON)
    with Loopback([Upstream(lonely, token)], PUBLIC, {"private": None}, {}) as made:
        yield made


@pytest.fixture
def client(index: Loopback, token: str) -> Iterator[Client]:
    with Client(index) as made:
        yield made
    assert not any(token.encode() in seen for seen in made.seen), "a client has seen the token"


def wrong_headers(index: Loopback) -> list[dict[str, str]]:
    """Return ways to come without the right name and password."""
    logins = [
        login_as(USERNAME, "wrong"),
        login_as(USERNAME, ""),
        login_as("aws", index.password),
        login_as("", index.password),
        login_as(USERNAME, f"{index.password} "),
        login_as(USERNAME, "x" * len(index.password)),
        f"Bearer {index.password}",
        "Basic \xff",
        "",
    ]
    return [{}, *({"Authorization": login} for login in logins)]


@pytest.mark.parametrize(
    "path", ["simple/orb-common/", "simple/nobody/", "repository/0/x", "", "x"]
)
def test_strangers_get_nothing(index: Loopback, world: Sandbox, path: str) -> None:
    """Without the password of the run everything is 401, and nobody is asked for anything."""
    before = len(world.requests)
    for headers in wrong_headers(index):
        for method in ("GET", "HEAD"):
            connection = http.client.HTTPConnection(index.host, int(index.url.split(":")[2][:-7]))
            connection.request(method, f"/{path}", headers=headers)
            answer = connection.getresponse()
            body = answer.read()
            connection.close()
            assert (answer.status, body) == (401, b""), headers
            assert "Basic" in answer.headers["WWW-Authenticate"]
    assert len(world.requests) == before
    assert index.found == {}


def test_passwords_differ(lonely: RepositoryEndpoint) -> None:
    """Each run has a password of its own, and it is long."""
    made = {Loopback([Upstream(lonely, "t")], None, {}, {}).password for _ in range(5)}
    assert len(made) == 5
    assert min(map(len, made)) >= 32


def files_of(page: requests.Response) -> dict[str, tuple[str, str | None]]:
    """Return, by file name, URL and hash of the files on a page of either form."""
    if "json" in page.headers["Content-Type"]:
        return {
            file["filename"]: (file["url"], file["hashes"].get("sha256"))
            for file in page.json()["files"]
        }
    links = re.findall(r'<a href="([^"#]+)(?:#sha256=([0-9a-f]+))?"[^>]*>([^<]+)</a>', page.text)
    return {name: (url, digest or None) for url, digest, name in links}


@pytest.mark.parametrize("accept", [HTML, JSON, "application/vnd.pypi.simple.v1+html", "*/*"])
def test_page_and_files(client: Client, index: Loopback, accept: str) -> None:
    """A page comes in the form that is asked for; its links lead through here to the bytes."""
    page = client.page(GENERATOR, accept)
    assert page.status_code == 200
    if accept != "*/*":
        assert page.headers["Content-Type"].partition(";")[0] == accept
    files = files_of(page)
    assert [name.split("-")[1] for name in files] == ["1.0.1", "1.1.0"]
    for url, digest in files.values():
        assert url.startswith("/repository/0/simple/orb-schema-generator/")
        got = client.ask(url)
        assert got.status_code == 200
        assert hashlib.sha256(got.content).hexdigest() == digest
    assert index.found == {GENERATOR: 0}
    assert index.refused == {}


def test_part_of_a_file(client: Client) -> None:
    """A range of a file, its head, and what is beyond its end, are as of the repository."""
    ((url, _),) = files_of(client.page(COMMON)).values()
    whole = client.ask(url)
    head = client.ask(url, "HEAD")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["Content-Length"] == str(len(whole.content))
    assert head.headers["Accept-Ranges"] == "bytes"
    part = client.ask(url, headers={"Range": "bytes=5-14"})
    assert (part.status_code, part.content) == (206, whole.content[5:15])
    assert part.headers["Content-Range"] == f"bytes 5-14/{len(whole.content)}"
    tail = client.ask(url, headers={"Range": "bytes=-7"})
    assert (tail.status_code, tail.content) == (206, whole.content[-7:])
    unchanged = client.ask(url, headers={"If-None-Match": whole.headers["ETag"]})
    assert (unchanged.status_code, unchanged.content) == (304, b"")


def test_head_of_a_page(client: Client) -> None:
    """The head of a page has no body, and the connection goes on."""
    assert client.ask(f"/simple/{COMMON}/", "HEAD").content == b""
    assert client.page(COMMON).status_code == 200


@pytest.mark.parametrize("spelled", ["Orb_Common", "orb.common", "ORB--COMMON", "orb%2Dcommon"])
def test_names_are_normalised(client: Client, index: Loopback, spelled: str) -> None:
    """A name is found, and remembered, in whatever spelling it is asked for."""
    assert client.page(spelled).status_code == 200
    assert client.ask(f"/simple/{spelled}").status_code == 200
    assert index.found == {COMMON: 0}


def test_unknown_name(client: Client, index: Loopback) -> None:
    """What no repository knows is sent on to the default source, without any credentials."""
    answer = client.page("Nobody_Knows")
    assert (answer.status_code, answer.content) == (302, b"")
    assert answer.headers["Location"] == f"{PUBLIC}/nobody-knows/"
    assert index.found == {"nobody-knows": DEFAULT_SOURCE}


def test_unknown_file(client: Client) -> None:
    """A file that the repository does not have is looked for nowhere else."""
    assert client.ask("/repository/0/simple/orb-common/9/x.whl").status_code == 404
    assert client.ask("/repository/1/simple/orb-common/9/x.whl").status_code == 404
    assert client.ask("/repository/x/simple/orb-common/9/x.whl").status_code == 404
    assert client.ask("/simple/").status_code == 404
    assert client.ask("/").status_code == 404


@pytest.mark.parametrize("only", [None, 0])
def test_private_name(
    world: Sandbox, lonely: RepositoryEndpoint, token: str, only: int | None
) -> None:
    """A private name that the repository does not have is not found: it is not looked for."""
    assert world.endpoint.repository == "team"
    made = Loopback([Upstream(lonely, token)], PUBLIC, {"secret-project": only}, {})
    with made as index, Client(index) as client:
        assert client.page("Secret_Project").status_code == 404
        assert index.found == {"secret-project": NOWHERE}


def test_without_default_source(world: Sandbox, lonely: RepositoryEndpoint, token: str) -> None:
    """Where all sources are repositories, their answer is the last word."""
    assert world.requests is not None
    with Loopback([Upstream(lonely, token)], None, {}, {}) as index, Client(index) as client:
        assert client.page("nobody").status_code == 404
        assert index.found == {"nobody": NOWHERE}


def test_denied(client: Client, index: Loopback, world: Sandbox) -> None:
    """A refusal of CodeArtifact is one here, for a name that it has and for one it has not."""
    ((url, _),) = files_of(client.page(COMMON)).values()
    world.deny("codeartifact:ReadFromRepository")
    try:
        for path in (f"/simple/{COMMON}/", "/simple/nobody/", url):
            assert client.ask(path).status_code == 403
    finally:
        world.allow("codeartifact:ReadFromRepository")
    assert index.refused == dict.fromkeys([COMMON, "nobody"], Refusal(0, 403))
    assert "nobody" not in index.found


def test_revoked(world: Sandbox, lonely: RepositoryEndpoint) -> None:
    """A token that CodeArtifact does not take is a refusal, but no doubt of the client's password."""
    assert not world.is_published("nobody")
    with (
        Loopback([Upstream(lonely, "revoked")], PUBLIC, {}, {}) as index,
        Client(index) as client,
    ):
        for path in ("/simple/orb-common/", "/simple/nobody/", "/repository/0/simple/a/1/b"):
            assert client.ask(path).status_code == 403
        assert index.refused == dict.fromkeys([COMMON, "nobody", "a"], Refusal(0, 401))
        assert index.found == {}


def test_elsewhere(world: Sandbox, lonely: RepositoryEndpoint, token: str) -> None:
    """A name that the Pipfile gives to another index goes there; the repository is not asked."""
    before = len(world.requests)
    elsewhere = {COMMON: "https://lab.example/simple/"}
    with (
        Loopback([Upstream(lonely, token)], PUBLIC, {}, elsewhere) as index,
        Client(index) as client,
    ):
        answer = client.page("Orb_Common")
        assert answer.status_code == 302
        assert answer.headers["Location"] == "https://lab.example/simple/orb-common/"
        assert index.found == {COMMON: DEFAULT_SOURCE}
    assert len(world.requests) == before


@pytest.mark.parametrize("mark", ["\r\n\r\nHTTP/1.1 200 OK\r\n", "\n", "\u20ac"])
def test_line_break_in_a_url(mark: str, lonely: RepositoryEndpoint, token: str) -> None:
    """A source's URL cannot go on as another answer of this index's."""
    elsewhere = {COMMON: f"https://lab.example/{mark}Location: https://evil.example/"}
    with Loopback([Upstream(lonely, token)], PUBLIC, {}, elsewhere) as index:
        with Client(index) as client:
            answer = client.page(COMMON)
        assert answer.status_code == 502
        assert "Location" not in answer.headers


def test_many_clients(index: Loopback) -> None:
    """Twenty at once get each what they asked for."""

    def fetch(number: int) -> tuple[int, int, bool]:
        with Client(index) as client:
            page = client.page((COMMON, GENERATOR)[number % 2], (HTML, JSON)[number % 3 == 0])
            url, digest = next(iter(files_of(page).values()))
            got = client.ask(url)
            right = hashlib.sha256(got.content).hexdigest() == digest
            return client.page(f"unknown-{number}").status_code, got.status_code, right

    with ThreadPoolExecutor(20) as pool:
        assert set(pool.map(fetch, range(20))) == {(302, 200, True)}
    assert len(index.found) == 22


# --- over a small upstream of our own ----------------------------------------------------


class Reply(NamedTuple):
    """What the small upstream says; the kind is a Content-Type.

    After so many bytes of its body as ``cut`` says it hangs up; None for never. With -1 that is
    in the head, before it says how long the body is.
    """

    status: int
    body: bytes = b""
    kind: str = HTML
    headers: Mapping[str, str] = {}
    cut: int | None = None

    def part(self, span: str | None) -> Reply:
        """Return what is said to a question for a span of the body, such as ``bytes=3-7``."""
        found = re.fullmatch(r"bytes=(\d+)-(\d+)", span or "")
        if self.status != 200 or found is None:
            return self
        first, last = int(found[1]), int(found[2])
        headers = {**self.headers, "Content-Range": f"bytes {first}-{last}/{len(self.body)}"}
        return self._replace(status=206, body=self.body[first : last + 1], headers=headers)


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        pass


class Strict:
    """A server that takes one token, or anybody; it writes down who came for what."""

    def __init__(self, token: str | None, context: ssl.SSLContext | None = None) -> None:
        self.replies: dict[str, Reply | list[Reply]] = {}
        self.asked: list[tuple[str, str | None]] = []
        self.spans: list[str | None] = []
        self.connections: set[int] = set()
        self.wanted = None if token is None else login_as("aws", token)
        strict = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                given = self.headers.get("Authorization")
                strict.asked.append((self.path, given))
                strict.connections.add(self.client_address[1])
                strict.spans.append(self.headers.get("Range"))
                reply = strict.reply(self.path).part(self.headers.get("Range"))
                if strict.wanted is not None and given != strict.wanted:
                    reply = Reply(401)
                self.send_response(reply.status)
                self.send_header("Content-Type", reply.kind)
                if reply.cut == -1:
                    self.flush_headers()
                    self.close_connection = True
                    return
                self.send_header("Content-Length", str(len(reply.body)))
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(reply.body[: reply.cut])
                self.close_connection = reply.cut is not None

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
                pass

        self._server = _Quiet(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._server.server_port}"
        if context is not None:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.002,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def reply(self, path: str) -> Reply:
        found = self.replies.get(path, Reply(404))
        if isinstance(found, list):
            return found.pop(0) if len(found) > 1 else found[0]
        return found

    @property
    def paths(self) -> list[str]:
        return [path for path, _ in self.asked]

    def upstream(self, token: str, repository: str = "one") -> Upstream:
        return Upstream(RepositoryEndpoint(DOMAIN, repository, "ipv4", self.address), token)


class Setup(NamedTuple):
    """Two repositories with a token each, a public index, and how to stand before them."""

    one: Strict
    two: Strict
    public: Strict

    @contextmanager
    def served(
        self,
        private: Mapping[str, int | None] | None = None,
        elsewhere: Mapping[str, str] | None = None,
    ) -> Iterator[tuple[Loopback, Client]]:
        """Serve all three; no client may see a token, nor a server one that is not its own."""
        upstreams = [self.one.upstream("token-one"), self.two.upstream("token-two")]
        source = f"http://{self.public.address}/simple"
        with (
            Loopback(upstreams, source, private or {}, elsewhere or {}) as index,
            Client(index) as client,
        ):
            yield index, client
        assert not any(b"token-" in seen for seen in client.seen)
        assert [given for _, given in self.public.asked if given] == []
        for server in (self.one, self.two):
            assert len({given for _, given in server.asked}) <= 1


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def setup(
    authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Setup]:
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    for name in BUNDLES:
        monkeypatch.setenv(name, str(bundle))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setenv("no_proxy", "127.0.0.1,localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    with ExitStack() as stack:
        one, two = (
            stack.enter_context(Strict(token, context)) for token in ("token-one", "token-two")
        )
        yield Setup(one, two, stack.enter_context(Strict(None)))


def page_of(*urls: str) -> Reply:
    links = "".join(f"<a data-x='1' href='{url}'>f</a>\n" for url in urls)
    return Reply(200, f"<!DOCTYPE html><html><body>{links}</body></html>".encode())


ONE_X, TWO_X = "/pypi/one/simple/x/", "/pypi/one/simple/x/"


@pytest.mark.parametrize("reply", [Reply(404, b"none"), Reply(403, b"no"), page_of("a-1.whl")])
def test_connections_are_kept(setup: Setup, reply: Reply) -> None:
    """Twenty questions to a repository, whatever its answers, take one connection."""
    for number in range(20):
        setup.one.replies[f"/pypi/one/simple/x{number}/"] = reply
    with setup.served() as (_, client):
        for number in range(20):
            client.page(f"x{number}")
    assert len(setup.one.paths) == 20
    assert len(setup.one.connections) == 1


def test_order_of_repositories(setup: Setup) -> None:
    """The first repository that has a name serves it; the next is asked after a 404 only."""
    setup.one.replies["/pypi/one/simple/both/"] = page_of("1/first.whl")
    setup.two.replies["/pypi/one/simple/both/"] = page_of("1/second.whl")
    setup.two.replies[TWO_X] = page_of("1/x.whl")
    with setup.served() as (index, client):
        assert "/repository/0/simple/both/1/first.whl" in client.page("both").text
        assert "/repository/1/simple/x/1/x.whl" in client.page("x").text
        assert client.page("none").status_code == 302
        assert index.found == {"both": 0, "x": 1, "none": DEFAULT_SOURCE}
    assert "/pypi/one/simple/both/" not in setup.two.paths


def test_name_of_one_repository(setup: Setup) -> None:
    """A name that belongs to one repository is asked for nowhere else, public index included."""
    setup.one.replies[ONE_X] = page_of("1/stranger.whl")
    with setup.served({"x": 1, "y": 0}) as (index, client):
        assert client.page("x").status_code == 404
        assert client.page("y").status_code == 404
        assert index.found == {"x": NOWHERE, "y": NOWHERE}
    assert setup.one.paths == ["/pypi/one/simple/y/"]
    assert setup.two.paths == [TWO_X]
    assert setup.public.asked == []


def test_files_come_with_their_own_token(setup: Setup) -> None:
    """A file is fetched from the repository whose page named it."""
    setup.two.replies[TWO_X] = page_of("1/x%2B1.whl#sha256=00")
    setup.two.replies["/pypi/one/simple/x/1/x%2B1.whl"] = Reply(200, b"bytes")
    with setup.served() as (_, client):
        (link,) = re.findall(r"href='([^'#]+)#sha256=00'", client.page("x").text)
        assert client.ask(link).content == b"bytes"


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_fault_that_stays(setup: Setup, status: int) -> None:
    """A fault of CodeArtifact that stays is a 502, and leads nobody to the next or the public."""
    setup.one.replies[ONE_X] = Reply(status, b"secret detail")
    setup.one.replies["/pypi/one/x.whl"] = Reply(status, b"secret detail")
    with setup.served() as (index, client):
        answer = client.page("x")
        assert (answer.status_code, answer.content) == (502, b"")
        assert client.ask("/repository/0/x.whl").status_code == 502
        assert index.refused == {"x": Refusal(0, status)}
        assert index.found == {}
    assert len(setup.one.asked) == 10
    assert setup.two.asked == setup.public.asked == []


@pytest.mark.parametrize("status", [429, 500, 503])
def test_fault_that_passes(setup: Setup, status: int) -> None:
    """A fault that passes is not seen by the client."""
    setup.one.replies[ONE_X] = [Reply(status), Reply(status), page_of("1/x.whl")]
    with setup.served() as (index, client):
        assert client.page("x").status_code == 200
        assert (index.found, index.refused) == ({"x": 0}, {})


def test_refusal_of_the_second(setup: Setup) -> None:
    """It is known which repository refused."""
    setup.one.replies[ONE_X] = Reply(404)
    setup.two.replies[TWO_X] = Reply(403)
    with setup.served() as (index, client):
        assert client.page("x").status_code == 403
        assert index.refused == {"x": Refusal(1, 403)}


@pytest.mark.parametrize("status", [400, 401, 403, 405, 406, 410, 418])
def test_other_refusals(setup: Setup, status: int) -> None:
    """Only a 404 says that a name is not there; nothing else sends the client on."""
    setup.one.replies[ONE_X] = Reply(status)
    with setup.served() as (index, client):
        assert client.page("x").status_code == (403 if status in {401, 403} else 502)
        assert index.refused == {"x": Refusal(0, status)}
    assert setup.two.asked == []


def test_nobody_answers(setup: Setup) -> None:
    """A repository that cannot be reached is a 502, and leads nobody on."""
    address = setup.one.address
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        setup.one.address = f"127.0.0.1:{taken.getsockname()[1]}"
        with setup.served() as (index, client):
            assert client.page("x").status_code == 502
            assert client.ask("/repository/0/x").status_code == 502
            assert index.found == {}
    setup.one.address = address


@pytest.mark.parametrize("name", BUNDLES)
def test_certificates_of_the_user(setup: Setup, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Any of the variables by which pip and requests are told whom to trust is enough."""
    for other in BUNDLES:
        if other != name:
            monkeypatch.delenv(other)
    setup.one.replies[ONE_X] = page_of("1/x.whl")
    with setup.served() as (_, client):
        assert client.page("x").status_code == 200


def test_wait_that_is_too_long(setup: Setup) -> None:
    """A repository that asks to come back in an hour does not keep the client waiting for it."""
    setup.one.replies[ONE_X] = Reply(503, headers={"Retry-After": "3600"})
    with setup.served() as (_, client):
        assert client.page("x").status_code == 502


def test_untrusted_certificate(setup: Setup) -> None:
    """A server with a certificate that nobody vouches for gets no token."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with Strict("token-one", context) as stranger:
        upstream = stranger.upstream("token-one")
        with Loopback([upstream], PUBLIC, {}, {}) as index, Client(index) as client:
            assert client.page("x").status_code == 502
        assert stranger.asked == []
    assert setup.one.asked == []


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"{", JSON),
        (b"[]", JSON),
        (b"3", JSON),
        (b'{"files": 3}', JSON),
        (b'{"files": [{"filename": "x"}]}', JSON),
        (b'{"files": [3]}', JSON),
        (b"\xff\xfe", JSON),
    ],
)
def test_page_that_cannot_be_read(setup: Setup, body: bytes, kind: str) -> None:
    """A page that is none is a 502: the client gets an answer, and is not led on."""
    setup.one.replies[ONE_X] = Reply(200, body, kind)
    with setup.served() as (_, client):
        assert client.page("x").status_code == 502
    assert setup.two.asked == []


def test_links_of_all_kinds(setup: Setup) -> None:
    """Links of the repository lead through here however they are written, others where they did."""
    own = f"https://{setup.one.address}/pypi/one/"
    links = {
        "1/a.whl": "/repository/0/simple/x/1/a.whl",
        "../../simple/x/1/b.whl": "/repository/0/simple/x/1/b.whl",
        "/pypi/one/simple/x/c.whl#sha256=1&amp;x": "/repository/0/simple/x/c.whl#sha256=1&amp;x",
        f"{own}d.whl?a=1&amp;b=2": "/repository/0/d.whl?a=1&amp;b=2",
        "/pypi/other/e.whl": f"https://{setup.one.address}/pypi/other/e.whl",
        "https://files.example/f.whl": "https://files.example/f.whl",
    }
    setup.one.replies[ONE_X] = page_of(*links)
    with setup.served() as (_, client):
        found = re.findall("href='([^']*)'", client.page("x").text)
    assert found == list(links.values())


def test_json_links(setup: Setup) -> None:
    """On a JSON page only the URLs of files change."""
    document = {
        "meta": {"api-version": "1.1"},
        "name": "x",
        "files": [
            {"filename": "a.whl", "url": "1/a.whl", "hashes": {"sha256": "1"}, "yanked": True},
            {"filename": "b.whl", "url": "https://files.example/b.whl", "hashes": {}},
        ],
    }
    setup.one.replies[ONE_X] = Reply(200, json.dumps(document).encode(), JSON)
    with setup.served() as (_, client):
        found = client.page("x", JSON).json()
    assert [file.pop("url") for file in found["files"]] == [
        "/repository/0/simple/x/1/a.whl",
        "https://files.example/b.whl",
    ]
    for file in document["files"]:
        assert isinstance(file, dict)
        del file["url"]
    assert found == document


@pytest.mark.parametrize("status", [404, 416])
def test_file_that_is_not_there(setup: Setup, status: int) -> None:
    """That a file, or a part of it, is not there is passed on as it is."""
    setup.one.replies["/pypi/one/x.whl"] = Reply(status)
    with setup.served() as (_, client):
        answer = client.ask("/repository/0/x.whl", headers={"Range": "bytes=99-"})
        assert answer.status_code == status


def test_redirected_file(setup: Setup) -> None:
    """Where CodeArtifact sends a file's reader on to a store, that store gets no token."""
    store = f"http://{setup.public.address}/store/x"
    setup.one.replies["/pypi/one/x.whl"] = Reply(302, headers={"Location": store})
    setup.public.replies["/store/x"] = Reply(200, b"stored")
    with setup.served() as (_, client):
        assert client.ask("/repository/0/x.whl").content == b"stored"
    assert setup.public.asked == [("/store/x", None)]


# --- what breaks off ---------------------------------------------------------------------


@pytest.mark.parametrize("cut", [-1, 0, 10])
def test_page_that_breaks_off(setup: Setup, cut: int) -> None:
    """A page that breaks off in passing is not seen by the client; for good it is a 502."""
    whole = page_of("1/x.whl")
    setup.one.replies[ONE_X] = [whole._replace(cut=cut), whole._replace(cut=cut), whole]
    setup.one.replies["/pypi/one/simple/y/"] = whole._replace(cut=cut)
    with setup.served() as (index, client):
        assert "/repository/0/simple/x/1/x.whl" in client.page("x").text
        assert len(setup.one.asked) == 3
        assert client.page("y").status_code == 502
        assert index.found == {"x": 0}
        assert index.refused == {"y": Refusal(0, None)}
        setup.one.replies["/pypi/one/simple/y/"] = whole
        assert client.page("y").status_code == 200
        assert index.refused == {}
    assert setup.two.asked == []


def test_file_that_breaks_off(setup: Setup) -> None:
    """Of a file that breaks off the rest is fetched, and no byte of it twice."""
    data = bytes(range(256)) * 1000
    whole = Reply(200, data, headers={"ETag": '"one"'})
    setup.one.replies["/pypi/one/x.whl"] = [
        whole._replace(cut=70_000),
        whole._replace(cut=100_000),
        whole,
    ]
    with setup.served() as (_, client):
        assert client.ask("/repository/0/x.whl").content == data
    first, second, third = setup.one.spans
    assert first is None
    starts = [
        int((span or "").removeprefix("bytes=").partition("-")[0]) for span in (second, third)
    ]
    assert 65_536 <= starts[0] <= 70_000
    assert starts[0] < starts[1] <= starts[0] + 100_000


def test_file_whose_head_breaks_off(setup: Setup) -> None:
    """A file whose head breaks off is no empty file: it is asked for again, and then a 502."""
    whole = Reply(200, b"bytes")
    setup.one.replies["/pypi/one/x.whl"] = [whole._replace(cut=-1), whole]
    setup.one.replies["/pypi/one/y.whl"] = whole._replace(cut=-1)
    with setup.served() as (_, client):
        assert client.ask("/repository/0/x.whl").content == b"bytes"
        assert client.ask("/repository/0/y.whl").status_code == 502


def test_part_of_a_file_that_breaks_off(setup: Setup) -> None:
    """A span of a file that breaks off is completed to that span, and no further."""
    data = bytes(range(256)) * 1000
    whole = Reply(200, data)
    setup.one.replies["/pypi/one/x.whl"] = [whole._replace(cut=10), whole]
    with setup.served() as (_, client):
        part = client.ask("/repository/0/x.whl", headers={"Range": "bytes=100-90000"})
        assert (part.status_code, part.content) == (206, data[100:90001])


@pytest.mark.parametrize(
    "second", [Reply(404), Reply(206, b"x" * 9, headers={"Content-Range": "bytes 0-8/20"})]
)
def test_file_whose_rest_is_not_to_be_had(setup: Setup, second: Reply) -> None:
    """Where the rest is refused, or is another one, the client sees that the file breaks off."""
    data = b"y" * 100_000
    setup.one.replies["/pypi/one/x.whl"] = [Reply(200, data, cut=70_000), second]
    with setup.served() as (_, client), pytest.raises(requests.RequestException):
        client.ask("/repository/0/x.whl")


# --- tokens that are not taken any more --------------------------------------------------


class Renewals:
    """Gives other tokens, in order, and counts."""

    def __init__(self, *tokens: str | None) -> None:
        self.left = list(tokens)
        self.refused: list[str] = []

    def __call__(self, endpoint: RepositoryEndpoint, refused: str) -> str | None:
        assert endpoint.domain == DOMAIN
        self.refused.append(refused)
        return self.left.pop(0)


def served_once(setup: Setup, renewals: Renewals) -> Loopback:
    return Loopback([setup.one.upstream("ended")], PUBLIC, {}, {}, renew=renewals)


def test_token_that_ends_is_renewed_once_for_all(setup: Setup) -> None:
    """Many who meet a refused token at once have one new one made, and see nothing of it."""
    setup.one.replies[ONE_X] = page_of("1/x.whl")
    setup.one.replies["/pypi/one/x.whl"] = Reply(200, b"bytes")
    renewals = Renewals("token-one")
    with served_once(setup, renewals) as index, ThreadPoolExecutor(8) as pool:

        def fetch(number: int) -> int:
            with Client(index) as client:
                return client.ask(("/simple/x/", "/repository/0/x.whl")[number % 2]).status_code

        assert set(pool.map(fetch, range(16))) == {200}
        assert index.refused == {}
    assert renewals.refused == ["ended"]


@pytest.mark.parametrize("tokens", [(None,), ("another",)])
def test_token_that_cannot_be_renewed(setup: Setup, tokens: tuple[str | None, ...]) -> None:
    """Without another token, or where that is refused as well, all is refused, and no more asked."""
    renewals = Renewals(*tokens)
    with served_once(setup, renewals) as index, Client(index) as client:
        for _ in range(3):
            assert client.page("x").status_code == 403
        assert index.refused == {"x": Refusal(0, 401)}
    assert renewals.refused == ["ended"]


def test_token_that_ends_again(setup: Setup) -> None:
    """A token that was taken for a while, and then not any more, is renewed each time."""
    setup.one.replies[ONE_X] = page_of("1/x.whl")
    renewals = Renewals("token-one", "next", "token-one")
    with served_once(setup, renewals) as index, Client(index) as client:
        assert client.page("x").status_code == 200
        setup.one.wanted = login_as("aws", "next")
        assert client.page("x").status_code == 200
        setup.one.wanted = login_as("aws", "token-one")
        assert client.page("x").status_code == 200
    assert renewals.refused == ["ended", "token-one", "next"]


# Each would lead out of the repository if it were taken at its word.
OUTSIDE = [
    "/repository/0/../two/simple/x/",
    "/repository/0/./x",
    "/repository/0/%2e%2e/two/simple/x/",
    "/repository/0/..%2ftwo/simple/x/",
    "/repository/0/..%2F..%2F..%2Fx",
    "/repository/0/x%2F..%2F..%2Ftwo/x",
    "/repository/0/%2Fpypi/two/x",
    "/repository/0/%2F%2F{public}%2Fx",
    "/repository/0/%2F%2F{two}%2Fx/y",
    "/repository/0/..\\two",
    "/repository/0/%5C%5C{two}%5Cx",
    "/repository/0/https:%2F%2F{two}%2Fx",
    "/simple/..%2F..%2Ftwo/",
    "/simple/x%2F..%2F..%2F..%2Fy/",
    "/simple/%2F%2F{two}/",
    "/simple/%2e%2e/",
]


@pytest.mark.parametrize("path", OUTSIDE)
def test_nothing_outside_of_the_repository(setup: Setup, path: str) -> None:
    """No path leads out of a repository, to another one, or with its token to another host."""
    path = path.format(two=setup.two.address, public=setup.public.address)
    with setup.served() as (index, client):
        server = index.url.removeprefix("http://").removesuffix("/simple")
        login = {"Authorization": login_as(USERNAME, index.password)}
        with closing(http.client.HTTPConnection(server)) as connection:
            connection.request("GET", path, headers=login)
            assert connection.getresponse().status in {302, 404}
        assert client.page("still-here").status_code == 302
    inside = re.compile(r"/pypi/one/(?!.*(\.\.|%2e|//|\\))", re.IGNORECASE)
    assert [asked for asked in setup.one.paths if not inside.match(asked)] == []
    assert [asked for asked in setup.two.asked if asked[1] != login_as("aws", "token-two")] == []
    assert setup.public.asked == []


# --- public by hash ----------------------------------------------------------------------


def test_silent_public_index(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    """A default source that never answers is waited for once, however many names there are."""
    monkeypatch.setattr(loopback, "_PATIENCE", 0.5)
    names = [f"x{number}" for number in range(20)]
    for name in names:
        setup.one.replies[f"/pypi/one/simple/{name}/"] = page_of("1/x.whl")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        source = f"http://127.0.0.1:{silent.getsockname()[1]}/simple"
        with (
            Loopback([setup.one.upstream("token-one")], source, {}, {}) as index,
            Client(index) as client,
        ):
            assert {client.page(name).status_code for name in names} == {200}
            begin = time.monotonic()
            assert not any(index.is_public(name, ["sha256:0"]) for name in names)
            assert time.monotonic() - begin < 2


A, B = "a" * 64, "b" * 64


FILE = {"filename": "x.whl", "url": "x.whl", "hashes": {"sha256": A}}


@pytest.mark.parametrize(
    ("reply", "hashes", "wanted"),
    [
        (page_of(f"x.whl#sha256={A}"), [f"sha256:{A}"], True),
        (page_of(f"x.whl#sha256={A}"), [f"sha256:{B}", f"sha256:{A}"], True),
        (page_of(f"x.whl#sha256={A}"), [f"sha256:{B}"], False),
        (page_of(f"x.whl#sha256={A}"), [], False),
        (page_of("x.whl"), [f"sha256:{A}"], False),
        (
            Reply(200, json.dumps({"files": [FILE]}).encode(), JSON),
            [f"sha256:{A}"],
            True,
        ),
        (
            Reply(200, json.dumps({"files": [FILE]}, separators=(",", ":")).encode(), JSON),
            [f"sha256:{A}"],
            True,
        ),
        (Reply(404), [f"sha256:{A}"], False),
        (Reply(500, f"sha256={A}".encode()), [f"sha256:{A}"], False),
    ],
)
def test_public_by_hash(setup: Setup, reply: Reply, hashes: list[str], wanted: bool) -> None:
    """What a repository served is the public package where the public index has the same file."""
    setup.one.replies[ONE_X] = page_of("1/x.whl")
    setup.public.replies["/simple/x/"] = reply
    with setup.served() as (index, client):
        assert not index.is_public("x", hashes)
        assert client.page("x").status_code == 200
        assert client.page("x").status_code == 200
        assert index.is_public("x", hashes) is wanted
    assert setup.public.paths == ["/simple/x/"]


def test_private_names_are_not_asked_for_in_public(setup: Setup) -> None:
    """The public index does not hear of a name that is known to be private."""
    setup.one.replies[ONE_X] = page_of("1/x.whl")
    setup.public.replies["/simple/x/"] = page_of(f"x.whl#sha256={A}")
    with setup.served({"x": 0}) as (index, client):
        assert client.page("x").status_code == 200
        assert not index.is_public("x", [f"sha256:{A}"])
    assert setup.public.asked == []


def test_public_index_that_does_not_answer(setup: Setup) -> None:
    """Where the public index cannot be asked, the package is the repository's."""
    setup.one.replies[ONE_X] = page_of("1/x.whl")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        setup.public.address = f"127.0.0.1:{taken.getsockname()[1]}"
        with setup.served() as (index, client):
            assert client.page("x").status_code == 200
            assert not index.is_public("x", [f"sha256:{A}"])


# --- the server itself -------------------------------------------------------------------


def connects(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), 2).close()
    except OSError:
        return False
    return True


def test_on_loopback_only_and_gone_afterwards(setup: Setup) -> None:
    """It listens on one address of loopback, on a port of its own, and not beyond its block."""
    with setup.served() as (index, _), setup.served() as (other, _client):
        port = int(index.url.rpartition(":")[2].partition("/")[0])
        assert index.url == f"http://{index.host}:{port}/simple"
        assert ipaddress.ip_address(index.host).is_loopback
        assert index.host != other.host or sys.platform != "linux"
        assert index.url != other.url
        assert index._server is not None
        assert index._server.server_address[0] == index.host
        assert connects(index.host, port)
        assert not connects("127.0.0.2", port)
    assert not connects(index.host, port)


def test_gone_after_an_exception(setup: Setup) -> None:
    """An error in the block ends the server too."""
    places = []

    def fail() -> None:
        with setup.served() as (index, _):
            places.append((index.host, int(index.url.rpartition(":")[2].partition("/")[0])))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert not connects(*places[0])


def test_client_that_hangs_up(setup: Setup, capfd: pytest.CaptureFixture[str]) -> None:
    """A client that goes away in the middle says nothing to anybody, and others go on."""
    setup.one.replies["/pypi/one/big"] = Reply(200, b"x" * 5_000_000)
    with setup.served() as (index, client):
        port = int(index.url.rpartition(":")[2].partition("/")[0])
        login = login_as(USERNAME, index.password)
        for request in (
            b"",
            b"GET",
            b"nonsense\r\n\r\n",
            (f"GET /repository/0/big HTTP/1.1\r\nAuthorization: {login}\r\n\r\n".encode()),
        ):
            with socket.create_connection((index.host, port)) as gone:
                gone.sendall(request)
        assert client.ask("/repository/0/big").content == b"x" * 5_000_000
        assert client.ask("/simple/x/", "POST").status_code in {405, 501}
    assert capfd.readouterr() == ("", "")


def test_places(setup: Setup) -> None:
    """Where a URL of this index is at the repository can be told."""
    with setup.served() as (index, _):
        root = index.url.removesuffix("simple")
        assert index.places() == {
            f"{root}repository/0/": f"https://{setup.one.address}/pypi/one/",
            f"{root}repository/1/": f"https://{setup.two.address}/pypi/one/",
        }


_LEAVE = """
import sys
from codeartifact_pipenv.wrapper.loopback import Loopback
with Loopback([], sys.argv[1], {}, {}) as index:
    index.look_up_public("x")
    sys.stdin.readline()
"""


def test_process_ends_before_a_silent_public_index() -> None:
    """Who has what he wants does not wait for the public index, nor does the process's end."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        source = f"http://127.0.0.1:{silent.getsockname()[1]}/simple"
        process = subprocess.Popen(
            [sys.executable, "-c", _LEAVE, source], stdin=subprocess.PIPE, text=True
        )
        connection, _ = silent.accept()
        with closing(connection):
            try:
                process.communicate("\n", timeout=10)
            finally:
                process.kill()
                process.wait()
    assert process.returncode == 0
