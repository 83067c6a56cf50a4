"""Limits and address of the proxy index's server; the address is the same from run to run."""

from __future__ import annotations

import base64
import http.client
import ipaddress
import os
import socket
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, nullcontext
from http import HTTPStatus
from itertools import chain, repeat
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

import pytest
import urllib3
from support.proxy_index import HTML, fake_repository, peak_of

from codeartifact_pipenv.lookups.index_client import MOST_BYTES as MOST_OF_A_PAGE
from codeartifact_pipenv.proxy_index import index
from codeartifact_pipenv.proxy_index.index import Address, ProxyIndex, saved_address
from codeartifact_pipenv.proxy_index.model import (
    USERNAME,
    IndexAccess,
    IndexSources,
    Refusal,
    Upstream,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.sandbox import FakePublicIndex

# Only a test that hangs takes as long, even on a busy machine.
LONG = 100
PAGE = "/pypi/one/simple/"


def connection_to(proxy: ProxyIndex) -> closing[http.client.HTTPConnection]:
    port = urlsplit(proxy.url).port
    return closing(http.client.HTTPConnection(proxy.host, port, timeout=LONG))


class RunningIndex(NamedTuple):
    """An index and its fake repository."""

    proxy: ProxyIndex
    repository: FakePublicIndex

    @property
    def login(self) -> str:
        word = base64.b64encode(f"{USERNAME}:{self.proxy.password}".encode()).decode()
        return f"Basic {word}"

    def connect_without_password(self) -> socket.socket:
        return socket.create_connection((self.proxy.host, urlsplit(self.proxy.url).port), LONG)

    def ask(
        self, path: str, connection: http.client.HTTPConnection | None = None
    ) -> tuple[int, bytes]:
        """Send a request with the password; return status and body."""
        with connection_to(self.proxy) if connection is None else nullcontext(connection) as used:
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
    monkeypatch.setattr(index, "_LOGIN_SECONDS", 0.5)
    monkeypatch.setattr(index._Handler, "timeout", None)
    with ThreadPoolExecutor(len(SLOW)) as pool:
        clients = [running.connect_without_password() for _ in SLOW]
        assert list(pool.map(is_disconnected, clients, SLOW)) == [True] * len(SLOW)
    assert running.has_a_page()


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
    with connection_to(running.proxy) as connection:
        assert running.has_a_page(connection)
        connection.auto_open = 0
        request = f"GET {path} HTTP/1.1\r\nAuthorization: {running.login}\r\n\r\n"
        connection.sock.sendall(request.encode())
        answer = http.client.HTTPResponse(connection.sock)
        answer.begin()
        assert (answer.status, answer.read()) == (404, b"")
        assert running.has_a_page(connection)


def address_of(folder: Path) -> Address:
    """Return the saved address of a folder and check it."""
    address = saved_address(str(folder))
    assert address is not None
    assert ipaddress.IPv4Address(address[0]).is_loopback
    assert 10240 <= address[1] < 32768
    return address


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def kept_file(folder: Path) -> Path:
    address_of(folder)
    (file,) = folder.iterdir()
    return file


@pytest.mark.skipif(os.name == "nt", reason="modes of POSIX")
def test_files_and_folders_that_others_can_access_are_not_used(folder: Path) -> None:
    before = os.umask(0)
    file = kept_file(folder)
    os.umask(before)
    assert [stat.S_IMODE(path.stat().st_mode) for path in (folder, file)] == [0o700, 0o600]
    file.write_bytes(b"127.1.2.3 20000\n")
    assert address_of(folder) == ("127.1.2.3", 20000)
    file.chmod(0o602)
    assert address_of(folder) != ("127.1.2.3", 20000)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    folder.chmod(0o777)
    assert saved_address(str(folder)) is None


INVALID = """|127.1.2.3|127.1.2.3 20000 1|127.1.2.3 x|127.1.2.3 10239|127.1.2.3 32768|10.0.0.1 20000
|126.255.255.255 20000|128.0.0.1 20000|::1 20000|localhost 20000"""


@pytest.mark.parametrize(
    "content",
    [*INVALID.encode().split(b"|"), b"127.1.2.3 20000" + b" " * 1000, b"\xff\xfe 20000\n"],
)
def test_an_invalid_address_is_replaced(folder: Path, content: bytes) -> None:
    kept_file(folder).write_bytes(content)
    address = address_of(folder)
    assert address_of(folder) == address
    assert f"{address[0]} {address[1]}\n".encode() != content


@pytest.mark.parametrize("name", [None, "file/below", "full"])
def test_without_a_usable_folder_the_index_still_listens(tmp_path: Path, name: str | None) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "full" / "proxy-address" / "below").mkdir(parents=True)  # has the file's name
    folder = None if name is None else tmp_path / name
    with index_at(folder) as index, index_at(folder) as other:
        assert not index.uses_saved_address
        assert asked(index) == 401
        assert index.url != other.url


def index_at(folder: Path | None) -> ProxyIndex:
    return ProxyIndex(IndexSources([]), IndexAccess(cache=None if folder is None else str(folder)))


def asked(index: ProxyIndex) -> int:
    """Return the status of a request without the password."""
    with connection_to(index) as connection:
        connection.request("GET", "/simple/x/")
        return connection.getresponse().status


@pytest.mark.parametrize("is_whole", [True, False])
def test_the_next_run_listens_at_the_same_url(folder: Path, is_whole: bool) -> None:
    """A client of the last run may have left its connection open, also in the middle."""
    urls = set()
    with ExitStack() as stack:
        for _ in range(3):
            with index_at(folder) as index:
                urls.add(index.url)
                connection = stack.enter_context(connection_to(index))
                connection.connect()
                connection.sock.sendall(b"GET / HTTP/1.1\r\n" + b"\r\n" * is_whole)
                assert not is_whole or connection.sock.recv(12) == b"HTTP/1.1 401"
                assert asked(index) == 401
    host, port = address_of(folder)
    assert urls == {f"http://{host}:{port}/simple"}


def test_two_runs_at_once_have_different_urls(folder: Path) -> None:
    with index_at(folder) as first, index_at(folder) as second:
        assert [first.uses_saved_address, second.uses_saved_address] == [True, False]
        assert first.host != second.host
        assert {asked(first), asked(second)} == {401}


def test_starting_makes_no_dns_query(monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(_host: str) -> str:
        raise AssertionError

    monkeypatch.setattr("socket.getfqdn", hang)
    with index_at(None) as index:
        assert asked(index) == 401
