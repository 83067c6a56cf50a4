"""Limits of the proxy index's server."""

from __future__ import annotations

import base64
import hashlib
import http.client
import io
import socket
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from threading import Event, Thread
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

import pytest
import urllib3
from support.memory import peak_of
from support.proxy_index import HTML, endpoint_at, https_server
from support.sandbox import FakePublicIndex, FakePublicIndexHandler

from codeartifact_pipenv.lookups.index_client import MOST_BYTES as MOST_OF_A_PAGE
from codeartifact_pipenv.proxy_index import index
from codeartifact_pipenv.proxy_index.index import ProxyIndex
from codeartifact_pipenv.proxy_index.metadata import MOST_BYTES
from codeartifact_pipenv.proxy_index.model import USERNAME, IndexSources, Refusal, Upstream

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

# Only a test that hangs takes as long, even on a busy machine.
LONG = 100
PAGE = "/pypi/one/simple/"
ENDLESS = "endless"
_BLOCK = b"x" * 65_536
_CHUNK = b"%x\r\n%b\r\n" % (len(_BLOCK), _BLOCK)


class _Handler(FakePublicIndexHandler):
    """Keeps connections open and has an endless page."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:  # noqa: N802 - the base class's name
        if self.path != f"{PAGE}{ENDLESS}/":
            super().do_GET()
            return
        self.send_response(200)
        self.send_header("Content-Type", HTML)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.close_connection = True
        with suppress(OSError):
            while True:
                self.wfile.write(_CHUNK)


class Answer(NamedTuple):
    status: int
    body: bytes


class RunningIndex(NamedTuple):
    """An index and its fake repository."""

    proxy: ProxyIndex
    repository: FakePublicIndex

    @property
    def address(self) -> tuple[str, int]:
        return self.proxy.host, urlsplit(self.proxy.url).port or 0

    @property
    def login(self) -> dict[str, str]:
        word = base64.b64encode(f"{USERNAME}:{self.proxy.password}".encode()).decode()
        return {"Authorization": f"Basic {word}"}

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(*self.address, timeout=LONG)

    def connect_without_password(self) -> socket.socket:
        return socket.create_connection(self.address, LONG)

    def ask(self, path: str) -> Answer:
        """Send a request with the password over a new connection."""
        with closing(self.connect()) as connection:
            return ask(connection, path, self.login)


def ask(connection: http.client.HTTPConnection, path: str, headers: Mapping[str, str]) -> Answer:
    connection.request("GET", path, headers=dict(headers))
    answer = connection.getresponse()
    return Answer(answer.status, answer.read())


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningIndex]:
    """An index in front of a repository with the page of acme."""
    monkeypatch.setattr(urllib3.Retry, "get_backoff_time", lambda _: 0)
    with https_server(tmp_path, monkeypatch, _Handler) as repository:
        repository.pages[f"{PAGE}acme/"] = (200, HTML, b"<a href='acme-1.0.tar.gz'>acme</a>")
        with ProxyIndex(IndexSources([Upstream(endpoint_at(repository), "t")])) as index:
            yield RunningIndex(index, repository)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give clients without the password half a second."""
    monkeypatch.setattr(index, "_LOGIN_SECONDS", 0.5)
    monkeypatch.setattr(index._Handler, "timeout", 0.5)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give clients without the password half a second in total, with no limit between bytes."""
    monkeypatch.setattr(index, "_LOGIN_SECONDS", 0.5)
    monkeypatch.setattr(index._Handler, "timeout", None)


def write_until_lost(connection: socket.socket, words: Iterator[bytes]) -> bool:
    """Write bytes slowly; return whether the connection was closed."""
    end = time.monotonic() + LONG
    with connection, suppress(OSError):
        while time.monotonic() < end:
            connection.sendall(next(words))
            time.sleep(0.02)
        return False
    return True


def repeated(*words: bytes) -> Iterator[bytes]:
    """Yield the words, then repeat the last one."""
    yield from words
    while True:
        yield words[-1]


SLOW = (
    [b"G"],
    [b"GET / HTTP/1.1\r\n", b"a"],
    [b"GET / HTTP/1.1\r\n", b"a: b\r\n"],
    [b"GET / HTTP/1.1\r\n\r\n"],
    [b"GET / HTTP/1.1\r\nAuthorization: Basic eDp5\r\n\r\n"],
    [b"\r\n"],
)


@pytest.mark.usefixtures("patient")
def test_slow_clients_without_password_are_disconnected(running: RunningIndex) -> None:
    def is_disconnected(words: list[bytes]) -> bool:
        return write_until_lost(running.connect_without_password(), repeated(*words))

    with ThreadPoolExecutor(len(SLOW)) as pool:
        assert all(pool.map(is_disconnected, SLOW))
    assert running.ask("/simple/acme/").status == 200


@pytest.mark.parametrize("kind", ["hasty", "patient"])
def test_silent_clients_without_password_are_disconnected(
    running: RunningIndex, request: pytest.FixtureRequest, kind: str
) -> None:
    request.getfixturevalue(kind)
    silent = [running.connect_without_password() for _ in range(2)]
    silent[1].sendall(b"GET / HTTP/1.1\r\n")
    for client in silent:
        with client:
            assert client.recv(1) == b""
    assert running.ask("/simple/acme/").status == 200


@pytest.mark.wide
@pytest.mark.usefixtures("hasty")
def test_clients_with_the_password_may_be_idle(running: RunningIndex) -> None:
    with closing(running.connect()) as connection:
        while True:
            # On a busy machine even this request may be too late.
            with suppress(OSError, http.client.HTTPException):
                assert ask(connection, "/simple/acme/", running.login).status == 200
                break
            connection.close()
        connection.auto_open = 0
        for _ in range(2):
            time.sleep(1.2)
            assert ask(connection, "/simple/acme/", running.login).status == 200
        connection.sock.sendall(b"GET /simple/acme/ HTTP/1.1\r\n")
        time.sleep(1.2)
        connection.sock.sendall(f"Authorization: {running.login['Authorization']}\r\n\r\n".encode())
        assert connection.sock.recv(12) == b"HTTP/1.1 200"


def is_open(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return connection.recv(1) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False


def test_fifty_slow_clients_do_not_block_a_page(
    running: RunningIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index, "_LOGIN_SECONDS", LONG)
    with ExitStack() as stack:
        slow_clients = [stack.enter_context(running.connect_without_password()) for _ in range(50)]
        ended = Event()

        def dribble() -> None:
            while not ended.wait(0.05):
                for client in slow_clients:
                    with suppress(OSError):
                        client.sendall(b"G")

        thread = Thread(target=dribble)
        thread.start()
        try:
            assert [running.ask("/simple/acme/").status for _ in range(5)] == [200] * 5
        finally:
            ended.set()
            thread.join()
        assert all(map(is_open, slow_clients))


def test_fifty_clients_can_connect_at_once(running: RunningIndex) -> None:
    with ExitStack() as stack:
        proxy = running.proxy
        made = index.Server(proxy.password, proxy.content, proxy.host, 0)
        busy = stack.enter_context(made)
        for _ in range(50):
            stack.enter_context(socket.create_connection((proxy.host, busy.server_port), 10))


def test_an_endless_page_is_502_and_takes_limited_memory(running: RunningIndex) -> None:
    answer, peak = peak_of(lambda: running.ask(f"/simple/{ENDLESS}/"))
    assert answer == (502, b"")
    assert peak < 3 * MOST_OF_A_PAGE
    assert running.proxy.observed.refused == {ENDLESS: Refusal(0, None)}
    assert running.ask("/simple/acme/").status == 200


def test_oversized_metadata_is_404(running: RunningIndex) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("big-1.0.dist-info/METADATA", bytes(MOST_BYTES + 1))
    name, wheel = "big-1.0-py3-none-any.whl", out.getvalue()
    digest = hashlib.sha256(wheel).hexdigest()
    page = f"<a href='{name}#sha256={digest}'>{name}</a>"
    running.repository.pages[f"{PAGE}big/"] = (200, HTML, page.encode())
    running.repository.pages[f"{PAGE}big/{name}"] = (200, "application/zip", wheel)
    assert running.ask("/simple/big/").status == 200
    assert running.ask(f"/files/{digest}/{name}.metadata") == (404, b"")
    assert running.ask(f"/files/{digest}/{name}") == (200, wheel)


ODD_PATHS = """
//[bad/ //[bad/simple/acme/ //[::1/x //a]/x // * ? /% /%00 /simple/%00/ /simple/%ff/ /simple/acme/x/
/files/ /files/x/acme-1.0.tar.gz /files/.metadata /repository/ /repository/0 /repository/0/[bad
/repository/0/%0d%0aX:%20y /repository/1/x /repository/-1/x /repository/%C2%B2/x
"""


@pytest.mark.parametrize(
    "path", [*ODD_PATHS.split(), f"/repository/{'9' * 5000}/x", "/" + "x/" * 10_000]
)
def test_odd_paths_are_404_and_keep_the_connection(running: RunningIndex, path: str) -> None:
    with closing(running.connect()) as connection:
        assert ask(connection, "/simple/acme/", running.login).status == 200
        connection.auto_open = 0
        assert ask(connection, path, running.login) == (404, b"")
        assert ask(connection, "/simple/acme/", running.login).status == 200


@pytest.mark.parametrize(
    "target", ["http://[bad/", "http://[::1/simple/acme/", "//[bad/", "[", "x"]
)
def test_invalid_targets_are_404_and_keep_the_connection(
    running: RunningIndex, target: str
) -> None:
    with closing(running.connect()) as connection:
        connection.connect()
        connection.auto_open = 0
        login = f"Authorization: {running.login['Authorization']}"
        connection.sock.sendall(f"GET {target} HTTP/1.1\r\n{login}\r\n\r\n".encode())
        answer = http.client.HTTPResponse(connection.sock)
        answer.begin()
        assert Answer(answer.status, answer.read()) == (404, b"")
        assert ask(connection, "/simple/acme/", running.login).status == 200
