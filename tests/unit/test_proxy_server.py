"""Limits of the proxy index's server."""

from __future__ import annotations

import base64
import http.client
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, nullcontext, suppress
from http import HTTPStatus
from itertools import chain, repeat
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

import pytest
import urllib3
from support.memory import peak_of
from support.proxy_index import HTML, fake_repository

from codeartifact_pipenv.lookups.index_client import MOST_BYTES as MOST_OF_A_PAGE
from codeartifact_pipenv.proxy_index import index
from codeartifact_pipenv.proxy_index.index import ProxyIndex
from codeartifact_pipenv.proxy_index.model import USERNAME, IndexSources, Refusal, Upstream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.sandbox import FakePublicIndex

# Only a test that hangs takes as long, even on a busy machine.
LONG = 100
PAGE = "/pypi/one/simple/"


class RunningIndex(NamedTuple):
    """An index and its fake repository."""

    proxy: ProxyIndex
    repository: FakePublicIndex

    @property
    def address(self) -> tuple[str, int]:
        return self.proxy.host, urlsplit(self.proxy.url).port or 0

    @property
    def login(self) -> str:
        word = base64.b64encode(f"{USERNAME}:{self.proxy.password}".encode()).decode()
        return f"Basic {word}"

    def connect(self) -> closing[http.client.HTTPConnection]:
        return closing(http.client.HTTPConnection(*self.address, timeout=LONG))

    def connect_without_password(self) -> socket.socket:
        return socket.create_connection(self.address, LONG)

    def ask(
        self, path: str, connection: http.client.HTTPConnection | None = None
    ) -> tuple[int, bytes]:
        """Send a request with the password; return status and body."""
        with self.connect() if connection is None else nullcontext(connection) as used:
            used.request("GET", path, headers={"Authorization": self.login})
            answer = used.getresponse()
            return answer.status, answer.read()

    def has_a_page(self, connection: http.client.HTTPConnection | None = None) -> bool:
        return self.ask("/simple/acme/", connection)[0] == HTTPStatus.OK


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningIndex]:
    """An index in front of a repository with the page of acme."""
    monkeypatch.setattr(urllib3.Retry, "get_backoff_time", lambda _: 0)
    with fake_repository(tmp_path, monkeypatch) as (repository, endpoint):
        repository.pages[f"{PAGE}acme/"] = (200, HTML, b"<a href='acme-1.0.tar.gz'>acme</a>")
        with ProxyIndex(IndexSources([Upstream(endpoint, "t")])) as proxy:
            yield RunningIndex(proxy, repository)


def hurry(monkeypatch: pytest.MonkeyPatch, between: float | None) -> None:
    """Give clients without the password half a second, and some seconds between bytes."""
    monkeypatch.setattr(index, "_LOGIN_SECONDS", 0.5)
    monkeypatch.setattr(index._Handler, "timeout", between)


def is_disconnected(connection: socket.socket, words: list[bytes]) -> bool:
    """Write words, the last one again and again; return whether the connection was closed."""
    end = time.monotonic() + LONG
    connection.settimeout(0.02)
    with connection:
        for word in chain(words[:-1], repeat(words[-1])):
            try:
                connection.sendall(word)
                if not connection.recv(1000):
                    return True
            except TimeoutError:
                if time.monotonic() > end:
                    return False
            except OSError:
                return True
    return False


SLOW = (
    *([b""], [b"G"], [b"\r\n"], [b"GET / HTTP/1.1\r\n", b""], [b"GET / HTTP/1.1\r\n", b"a"]),
    [b"GET / HTTP/1.1\r\n", b"a: b\r\n"],
    [b"GET / HTTP/1.1\r\n\r\n"],
    [b"GET / HTTP/1.1\r\nAuthorization: Basic eDp5\r\n\r\n"],
)


def test_slow_and_silent_clients_without_password_are_disconnected(
    running: RunningIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch, None)
    with ThreadPoolExecutor(len(SLOW)) as pool:
        clients = [running.connect_without_password() for _ in SLOW]
        assert list(pool.map(is_disconnected, clients, SLOW)) == [True] * len(SLOW)
    assert running.has_a_page()


@pytest.mark.wide
def test_clients_with_the_password_may_be_idle(
    running: RunningIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch, 0.5)
    with running.connect() as connection:
        while True:  # on a busy machine even the first request may be too late
            with suppress(OSError, http.client.HTTPException):
                assert running.has_a_page(connection)
                break
            connection.close()
        connection.auto_open = 0
        for _ in range(2):
            time.sleep(1.2)
            assert running.has_a_page(connection)
        connection.sock.sendall(b"GET /simple/acme/ HTTP/1.1\r\n")
        time.sleep(1.2)
        connection.sock.sendall(f"Authorization: {running.login}\r\n\r\n".encode())
        assert connection.sock.recv(12) == b"HTTP/1.1 200"


def test_fifty_slow_clients_do_not_block_a_page(
    running: RunningIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index, "_LOGIN_SECONDS", LONG)
    with ExitStack() as stack:
        slow = [stack.enter_context(running.connect_without_password()) for _ in range(50)]
        for _ in range(5):
            for client in slow:
                client.sendall(b"G")
            assert running.has_a_page()
        for client in slow:
            client.setblocking(False)
            with pytest.raises(BlockingIOError):  # it is still open
                client.recv(1)


def test_a_page_that_is_too_large_is_502_and_takes_limited_memory(running: RunningIndex) -> None:
    running.repository.pages[f"{PAGE}large/"] = (200, HTML, bytes(2 * MOST_OF_A_PAGE))
    answer, peak = peak_of(lambda: running.ask("/simple/large/"))
    assert answer == (502, b"")
    assert peak < 3 * MOST_OF_A_PAGE
    assert running.proxy.observed.refused == {"large": Refusal(0, None)}
    assert running.has_a_page()


ODD_PATHS = """
http://[bad/ //[bad/ [ x / /simple/ /repository/0/simple/acme/9/x.whl //a]/x // * ? /%
/%00 /simple/%00/ /simple/%ff/ /simple/acme/x/ /files/ /files/x/acme-1.0.tar.gz /files/.metadata
/repository/ /repository/0 /repository/0/[bad /repository/0/%0d%0aX:%20y /repository/1/x
/repository/-1/x /repository/x/x /repository/%C2%B2/x
"""


@pytest.mark.parametrize(
    "path", [*ODD_PATHS.split(), f"/repository/{'9' * 5000}/x", "/" + "x/" * 10_000]
)
def test_odd_paths_are_404_and_keep_the_connection(running: RunningIndex, path: str) -> None:
    with running.connect() as connection:
        assert running.has_a_page(connection)
        connection.auto_open = 0
        request = f"GET {path} HTTP/1.1\r\nAuthorization: {running.login}\r\n\r\n"
        connection.sock.sendall(request.encode())
        answer = http.client.HTTPResponse(connection.sock)
        answer.begin()
        assert (answer.status, answer.read()) == (404, b"")
        assert running.has_a_page(connection)
