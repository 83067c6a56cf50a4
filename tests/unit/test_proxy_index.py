"""Pages, files, redirects and refusals of the proxy index."""

from __future__ import annotations

import base64
import hashlib
import http.client
import ipaddress
import os
import random
import re
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urljoin, urlsplit

import pytest
import requests
import trustme
import urllib3
from support.projects import make_private_packages
from support.proxy_index import BUNDLES, HTML, Handler, fake_repository
from support.runs import wait_for
from support.sandbox import JSON, FakePublicIndex, enter, get_token

from codeartifact_pipenv.proxy_index import upstreams as repositories
from codeartifact_pipenv.proxy_index.index import ProxyIndex
from codeartifact_pipenv.proxy_index.model import (
    DEFAULT_SOURCE,
    NOWHERE,
    USERNAME,
    IndexAccess,
    IndexSources,
    Refusal,
    Upstream,
)
from codeartifact_pipenv.sandbox.behaviour import Behaviour
from codeartifact_pipenv.sandbox.sandbox import Sandbox
from codeartifact_pipenv.sandbox.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from codeartifact_pipenv.endpoint import RepositoryEndpoint


PUBLIC = "http://127.0.0.1:1/simple"  # nothing listens there
COMMON, GENERATOR, BIG, SECOND = "orb-common", "orb-schema-generator", "orb-big", "orb-second"


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Repeat requests at once."""
    monkeypatch.setattr(urllib3.Retry, "get_backoff_time", lambda _: 0)


def login_as(username: str, password: str) -> dict[str, str]:
    login = base64.b64encode(f"{username}:{password}".encode()).decode()
    return {"Authorization": f"Basic {login}"}


class Client:
    """A client of an index that records all responses."""

    def __init__(self, index: ProxyIndex) -> None:
        self.index, self.observed = index, index.observed
        self.login = login_as(USERNAME, index.password)
        self.seen: list[bytes] = []

    @property
    def address(self) -> tuple[str, int]:
        return self.index.host, urlsplit(self.index.url).port or 0

    def ask(self, path: str, method: str = "GET", **headers: str) -> requests.Response:
        """Request a path without following redirects."""
        with requests.Session() as session:
            session.trust_env = False
            answer = session.request(
                method,
                urljoin(self.index.url, path),
                headers=self.login | {name.replace("_", "-"): headers[name] for name in headers},
                allow_redirects=False,
                timeout=10,
            )
        self.seen += [repr((answer.reason, answer.headers)).encode(), answer.content]
        return answer

    def page(self, name: str, accept: str = HTML) -> requests.Response:
        return self.ask(f"/simple/{name}/", Accept=accept)


@pytest.fixture(scope="module")
def sandbox(
    tmp_path_factory: pytest.TempPathFactory, clean_base: dict[str, str]
) -> Iterator[Sandbox]:
    """A CodeArtifact with two repositories of private packages."""
    folder = tmp_path_factory.mktemp("packages")
    ranges = Behaviour(ranges=True)
    with Sandbox(
        domain="my-dom", repository="lonely", upstream=False, behaviour=ranges, base=clean_base
    ) as running:
        second = running.add_repository("second")
        for wheel in make_private_packages(folder):
            running.publish(wheel)
        matter = random.Random(1).randbytes(100_000).hex()  # noqa: S311 - it only takes room
        running.publish(make_wheel(folder, BIG, "1.0", modules={"big.py": f"'{matter}'"}))
        for name in (COMMON, SECOND):
            running.publish(make_wheel(folder, name, "3.0"), second)
        yield running


@pytest.fixture
def world(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """The sandbox with this process inside it; faults end with the test."""
    enter(sandbox, monkeypatch)
    yield sandbox
    sandbox.heal()


@pytest.fixture
def second(sandbox: Sandbox) -> RepositoryEndpoint:
    return sandbox.endpoint._replace(repository="second")


@pytest.fixture
def upstream(world: Sandbox) -> Upstream:
    """The repository of private packages."""
    return Upstream(world.endpoint, get_token(world))


@contextmanager
def serving(
    *upstreams: Upstream, access: IndexAccess | None = None, **sources: Any
) -> Iterator[Client]:
    """Serve an index during the block; its default source does not answer unless given."""
    served = IndexSources(upstreams, **{"default_source": PUBLIC} | sources)
    with ProxyIndex(served, access) as index:
        yield Client(index)


@pytest.fixture
def client(upstream: Upstream) -> Iterator[Client]:
    with serving(upstream, private={"private": None}) as made:
        yield made
    token = upstream.token.encode()
    assert not any(token in seen for seen in made.seen), "a client has seen the token"


A = "a" * 64


def files_of(page: requests.Response) -> dict[str, tuple[str, str]]:
    """Return URL and hash by file name, from a page in either format."""
    if "json" in page.headers["Content-Type"]:
        files = page.json()["files"]
        return {file["filename"]: (file["url"], file["hashes"]["sha256"]) for file in files}
    links = re.findall(r'<a href="([^"#]+)#sha256=([0-9a-f]+)"[^>]*>([^<]+)</a>', page.text)
    return {name: (url, digest) for url, digest, name in links}


@pytest.mark.parametrize("path", ["simple/orb-common/", "repository/0/x", ""])
def test_requests_without_the_password_are_401(client: Client, world: Sandbox, path: str) -> None:
    before, right = len(world.requests), client.index.password
    passwords = ("wrong", "", f"{right} ", "x" * len(right))
    logins = [*((USERNAME, wrong) for wrong in passwords), ("aws", right), ("", right)]
    other = ({"Authorization": value} for value in (f"Bearer {right}", "Basic \xff", ""))
    for headers in ({}, *(login_as(*login) for login in logins), *other):
        for method in ("GET", "HEAD"):
            with closing(http.client.HTTPConnection(*client.address)) as connection:
                connection.request(method, f"/{path}", headers=headers)
                answer = connection.getresponse()
                assert (answer.status, answer.read()) == (401, b""), headers
                assert "Basic" in answer.headers["WWW-Authenticate"]
    assert len(world.requests) == before
    assert client.observed.found == {}


def test_each_run_has_its_own_long_password() -> None:
    made = {ProxyIndex(IndexSources([])).password for _ in range(5)}
    assert len(made) == 5
    assert min(map(len, made)) >= 32


@pytest.mark.parametrize("accept", [HTML, JSON, "application/vnd.pypi.simple.v1+html", "*/*"])
def test_pages_link_to_files_of_the_index(client: Client, accept: str) -> None:
    page = client.page(GENERATOR, accept)
    assert page.status_code == 200
    if accept != "*/*":
        assert page.headers["Content-Type"].partition(";")[0] == accept
    files = files_of(page)
    assert [name.split("-")[1] for name in files] == ["1.0.1", "1.1.0"]
    for url, digest in files.values():
        assert url.startswith(f"/files/{digest}/orb_schema_generator-")
        got = client.ask(url)
        assert got.status_code == 200
        assert hashlib.sha256(got.content).hexdigest() == digest
    assert client.observed.found == {GENERATOR: 0}
    assert client.observed.refused == {}


def test_ranges_and_conditions_are_passed_on(client: Client) -> None:
    [(url, _)] = files_of(client.page(COMMON)).values()
    whole = client.ask(url)
    head = client.ask(url, "HEAD")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["Content-Length"] == str(len(whole.content))
    assert head.headers["Accept-Ranges"] == "bytes"
    part = client.ask(url, Range="bytes=5-14")
    assert (part.status_code, part.content) == (206, whole.content[5:15])
    assert part.headers["Content-Range"] == f"bytes 5-14/{len(whole.content)}"
    assert client.ask(url, Range="bytes=-7").content == whole.content[-7:]
    unchanged = client.ask(url, If_None_Match=whole.headers["ETag"])
    assert (unchanged.status_code, unchanged.content) == (304, b"")


@pytest.mark.parametrize("spelled", ["Orb_Common", "orb.common", "ORB--COMMON", "orb%2Dcommon"])
def test_names_are_found_in_any_spelling(client: Client, spelled: str) -> None:
    assert client.page(spelled).status_code == 200
    assert client.ask(f"/simple/{spelled}").status_code == 200
    assert client.observed.found == {COMMON: 0}


@pytest.mark.parametrize(
    ("sources", "location"),
    [
        ({}, PUBLIC),
        ({"default_source": None}, None),
        ({"private": {"secret-project": None}}, None),
        ({"private": {"secret-project": 0}}, None),
        ({"elsewhere": {"secret-project": "https://lab.example"}}, "https://lab.example"),
    ],
)
def test_a_name_that_no_repository_has_redirects_unless_it_is_private(
    sources: dict[str, Any], location: str | None, world: Sandbox, upstream: Upstream
) -> None:
    before = len(world.requests)
    with serving(upstream, **sources) as client:
        answer = client.page("Secret_Project")
    assert (answer.status_code, answer.content) == (302 if location else 404, b"")
    assert answer.headers.get("Location") == (location and f"{location}/secret-project/")
    assert client.observed.found == {"secret-project": DEFAULT_SOURCE if location else NOWHERE}
    hosts = {request.host for request in world.requests[before:]}
    assert (world.endpoint.host in hosts) is ("elsewhere" not in sources)


@pytest.mark.parametrize("mark", ["\r\n\r\nHTTP/1.1 200 OK\r\n", "\n", "\u20ac"])
def test_a_line_break_in_a_source_url_cannot_split_the_response(mark: str) -> None:
    elsewhere = {COMMON: f"https://lab.example/{mark}Location: https://evil.example/"}
    with serving(elsewhere=elsewhere) as client:
        answer = client.page(COMMON)
        assert answer.status_code == 502
        assert "Location" not in answer.headers


def test_the_first_repository_with_a_name_serves_it(
    world: Sandbox, upstream: Upstream, second: RepositoryEndpoint
) -> None:
    other = get_token(world)
    before = len(world.requests)
    with serving(upstream, Upstream(second, other)) as client:
        assert list(files_of(client.page(COMMON))) == ["orb_common-2.0.0-py3-none-any.whl"]
        [(url, digest)] = files_of(client.page(SECOND)).values()
        assert hashlib.sha256(client.ask(url).content).hexdigest() == digest
        assert client.page("none").status_code == 302
        assert client.observed.found == {COMMON: 0, SECOND: 1, "none": DEFAULT_SOURCE}
    asked = [request for request in world.requests[before:] if request.method == "GET"]
    assert f"/pypi/second/simple/{COMMON}/" not in {request.path for request in asked}
    # Each repository gets its own token only.
    assert {(request.path.split("/")[2], request.sent) for request in asked} == {
        ("lonely", world.token_id(upstream.token)),
        ("second", world.token_id(other)),
    }


@pytest.mark.parametrize("status", [400, 403, 410, 429, 500])
def test_only_a_404_moves_on_to_the_next_source(
    client: Client, world: Sandbox, status: int
) -> None:
    [(url, _)] = files_of(client.page(BIG)).values()
    world.fault(status)
    for path in (f"/simple/{GENERATOR}/", "/simple/nobody/", url):
        answer = client.ask(path)
        assert (answer.status_code, answer.content) == (403 if status == 403 else 502, b"")
    assert client.observed.refused == dict.fromkeys([GENERATOR, "nobody", BIG], Refusal(0, status))
    assert "nobody" not in client.observed.found


@pytest.mark.parametrize("name", [*BUNDLES, "pip.conf", "another authority"])
def test_a_server_gets_the_token_if_a_certificate_setting_of_pip_trusts_it(
    world: Sandbox, upstream: Upstream, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    trusted, other = os.environ["PIP_CERT"], str(tmp_path / "ca.pem")
    cert = trusted if name == "pip.conf" else ""
    (tmp_path / "pip.conf").write_text(f"[global]\ncert = {cert}\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    for each in BUNDLES:
        monkeypatch.delenv(each)
    if name != "pip.conf":
        monkeypatch.setenv(*((name, trusted) if name in BUNDLES else ("PIP_CERT", other)))
    before = len(world.requests)
    with serving(upstream, default_source=None) as client:
        status = client.page(COMMON).status_code
    is_sent = any(request.sent for request in world.requests[before:])
    assert (status, is_sent) == ((504, False) if name == "another authority" else (200, True))


@pytest.mark.parametrize("kind", ["reset_head", "reset", "truncate"])
def test_the_rest_of_a_truncated_file_is_fetched(client: Client, world: Sandbox, kind: str) -> None:
    [(url, digest)] = files_of(client.page(BIG)).values()
    whole = client.ask(url).content
    assert hashlib.sha256(whole).hexdigest() == digest
    fail = getattr(world, kind)
    fail(70_000 if kind != "reset_head" else 10, times=2, on="files")
    assert client.ask(url).content == whole
    fail(10, times=1, on="files")
    part = client.ask(url, Range="bytes=100-90000")
    assert (part.status_code, part.content) == (206, whole[100:90001])


def test_a_missing_listed_file_is_retried_once_and_recorded(
    client: Client, world: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repositories, "_IMPORT_PAUSES", (0.01, 0.01, 0.01))
    [(url, _)] = files_of(client.page(BIG)).values()
    world.fault(404, on="files")
    before = len(world.requests)
    for path, asked in ((f"{url}.metadata", 4), (url, 1), (url, 1), (f"{url}.metadata", 1)):
        assert client.ask(path).status_code == 404
        assert len(world.requests) == before + asked
        before += asked
        [refused] = client.observed.refused.items()
        assert refused == (BIG, Refusal(0, 404, unquote(url.rpartition("/")[2])))
    world.heal()
    assert client.ask(url).status_code == 200
    wait_for(lambda: client.observed.refused == {})  # recorded after the last byte


def test_an_expired_token_is_renewed_once_for_all_clients(
    world: Sandbox, upstream: Upstream
) -> None:
    refused: list[str] = []

    def renew(endpoint: RepositoryEndpoint, token: str) -> str | None:
        assert endpoint.domain == world.endpoint.domain
        refused.append(token)
        return get_token(world) if len(refused) < 3 else None

    ended = upstream._replace(token="ended")
    with serving(ended, access=IndexAccess(renew=renew)) as client:
        names = [COMMON, BIG] * 10
        with ThreadPoolExecutor(20) as pool:
            assert {page.status_code for page in pool.map(client.page, names)} == {200}
        assert (refused, client.observed.refused) == (["ended"], {})
        world.revoke_tokens()
        assert client.page(GENERATOR).status_code == 200
        world.revoke_tokens()
        for name in "xyz":
            assert client.page(name).status_code == 403
        assert client.observed.refused == dict.fromkeys("xyz", Refusal(0, 401))
    assert len(refused) == 3


# Each leads out of the repository if taken literally.
OUTSIDE = r"""
/repository/0/../second/simple/x/ /repository/0/%2e%2e/second/simple/x/ /repository/0/./x
/repository/0/..%2F..%2F..%2Fx /repository/0/%2Fpypi/second/x /repository/0/..\second
/repository/0/%2F%2Fevil.example%2Fx /repository/0/%5C%5Cevil.example%5Cx
/repository/0/https:%2F%2Fevil.example%2Fx /simple/x%2F..%2F..%2F..%2Fy/ /simple/%2e%2e/
"""


@pytest.mark.parametrize("path", OUTSIDE.split())
def test_no_path_leaves_the_repository(client: Client, world: Sandbox, path: str) -> None:
    before = len(world.requests)
    with closing(http.client.HTTPConnection(*client.address)) as connection:
        connection.request("GET", path, headers=client.login)
        assert connection.getresponse().status in {302, 404}
    inside = re.compile(r"/pypi/lonely/(?!.*(\.\.|%2e|//|\\))", re.IGNORECASE)
    asked = [request for request in world.requests[before:] if request.method != "CONNECT"]
    assert [request for request in asked if not inside.match(request.path)] == []
    assert {request.host for request in world.requests[before:]} <= {world.endpoint.host}


@pytest.fixture
def fake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Client, FakePublicIndex]]:
    """A client of an index in front of a fake repository with configurable pages."""
    with (
        fake_repository(tmp_path, monkeypatch) as (server, endpoint),
        serving(Upstream(endpoint, "t")) as client,
    ):
        yield client, server


ODD_PAGE = "/pypi/one/simple/x/"


def test_connections_to_a_repository_are_reused(fake: tuple[Client, FakePublicIndex]) -> None:
    client, server = fake
    Handler.connections.clear()
    for number, status in enumerate([404, 403, 200] * 5):
        server.pages[f"/pypi/one/simple/x{number}/"] = (status, HTML, b"x")
        client.page(f"x{number}")
    assert len({path for path, _ in server.asked}) == 15
    assert len(Handler.connections) == 1


@pytest.mark.parametrize(
    ("status", "kind", "body"),
    [
        pytest.param(503, HTML, b"", id="Retry-After of an hour"),
        pytest.param(302, HTML, b"", id="redirect to an invalid URL"),
        (200, JSON, b"{"),
        (200, JSON, b"\xff\xfe"),
    ],
)
def test_an_invalid_answer_of_a_repository_is_502(
    fake: tuple[Client, FakePublicIndex], status: int, kind: str, body: bytes
) -> None:
    client, server = fake
    server.pages[ODD_PAGE] = (status, kind, body)
    assert client.page("x").status_code == 502
    if status != 200:
        server.pages[f"{ODD_PAGE}1/a.whl"] = (status, kind, body)
        assert client.ask("/repository/0/simple/x/1/a.whl").status_code == 502


def test_links_to_the_repository_lead_through_the_index(
    fake: tuple[Client, FakePublicIndex],
) -> None:
    client, server = fake
    host = f"https://127.0.0.1:{server.server_port}"
    links = {
        "1/a.whl": "/repository/0/simple/x/1/a.whl",
        "../../simple/x/1/b%2B1.whl": "/repository/0/simple/x/1/b%2B1.whl",
        f"/pypi/one/simple/x/c.whl#sha256={A}": f"/files/{A}/c.whl#sha256={A}",
        "/pypi/one/simple/x/c.whl#sha256=1": "/repository/0/simple/x/c.whl#sha256=1",
        f"{host}/pypi/one/d.whl?a=1&amp;b=2": "/repository/0/d.whl?a=1&amp;b=2",
        "/pypi/other/e.whl": f"{host}/pypi/other/e.whl",
        "https://files.example/f.whl": "https://files.example/f.whl",
    }
    page = "".join(f"<a data-x='1' href='{url}'>f</a>\n" for url in links)
    page += '<a href="http://[bad/g.whl">g</a>'
    server.pages[ODD_PAGE] = (200, HTML, page.encode())
    server.pages[f"{ODD_PAGE}1/b%2B1.whl"] = (200, "application/zip", b"bytes")
    assert re.findall('href="([^"]*)"', client.page("x").text) == list(links.values())
    assert client.ask("/repository/0/simple/x/1/b%2B1.whl").content == b"bytes"


@contextmanager
def silent_source() -> Iterator[tuple[socket.socket, str]]:
    """Listen without an answer; yield the socket and an index URL of it."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        yield silent, f"http://127.0.0.1:{silent.getsockname()[1]}/simple"


@pytest.mark.wide
def test_a_silent_public_index_is_waited_for_once(upstream: Upstream) -> None:
    waits = []
    with silent_source() as (_, url), serving(upstream, default_source=url) as client:
        for name in (COMMON, GENERATOR, BIG):
            begin = time.monotonic()
            assert client.page(name).status_code == 200
            waits.append(time.monotonic() - begin)
    assert max(waits[1:]) < waits[0]


def test_the_index_has_one_loopback_address_for_itself_during_its_block() -> None:
    with serving() as client:
        host, port = client.address
        assert client.index.url == f"http://{host}:{port}/simple"
        assert ipaddress.ip_address(host).is_loopback
        socket.create_connection((host, port)).close()
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.2", port))
        for flag in (socket.SO_REUSEADDR, getattr(socket, "SO_REUSEPORT", socket.SO_REUSEADDR)):
            with socket.socket() as other:
                other.setsockopt(socket.SOL_SOCKET, flag, 1)
                with pytest.raises(OSError, match="in use"):
                    other.bind((host, port))
    with pytest.raises(OSError, match="refused"):
        socket.create_connection((host, port))


def test_disconnecting_clients_disturb_nobody(
    client: Client, capfd: pytest.CaptureFixture[str]
) -> None:
    [(url, digest)] = files_of(client.page(BIG)).values()
    login = client.login["Authorization"]
    whole = f"GET {url} HTTP/1.1\r\nAuthorization: {login}\r\n\r\n".encode()
    for request in (b"", b"GET", b"nonsense\r\n\r\n", whole):
        with socket.create_connection(client.address) as gone:
            gone.sendall(request)
    assert hashlib.sha256(client.ask(url).content).hexdigest() == digest
    assert client.ask("/simple/x/", "POST").status_code in {405, 501}
    assert capfd.readouterr() == ("", "")


_LEAVE = """
import sys
from codeartifact_pipenv.proxy_index.index import ProxyIndex
from codeartifact_pipenv.proxy_index.model import IndexSources
with ProxyIndex(IndexSources([], sys.argv[1])) as index:
    index.prefetch(["x"])
    sys.stdin.readline()
"""


def test_the_process_does_not_wait_for_a_silent_public_index() -> None:
    with silent_source() as (silent, url):
        words = [sys.executable, "-c", _LEAVE, url]
        process = subprocess.Popen(words, stdin=subprocess.PIPE, text=True)
        with silent.accept()[0]:
            try:
                process.communicate("\n", timeout=60)
            finally:
                process.kill()
                process.wait()
    assert process.returncode == 0
