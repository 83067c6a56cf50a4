"""The address of the proxy index, the same from run to run if possible."""

from __future__ import annotations

import http.client
import ipaddress
import os
import stat
from contextlib import closing
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from codeartifact_pipenv.proxy_index.index import Address, ProxyIndex, saved_address
from codeartifact_pipenv.proxy_index.model import IndexAccess, IndexSources

if TYPE_CHECKING:
    from pathlib import Path

posix = pytest.mark.skipif(os.name == "nt", reason="modes and links of POSIX")
PRIVATE = 0o600


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


def test_the_address_stays_the_same(folder: Path) -> None:
    assert len({address_of(folder) for _ in range(3)}) == 1


def test_each_folder_has_its_own_address(tmp_path: Path) -> None:
    assert len({address_of(tmp_path / str(number)) for number in range(5)}) > 1


@posix
def test_folder_and_file_are_private(folder: Path) -> None:
    before = os.umask(0)
    try:
        address_of(folder)
    finally:
        os.umask(before)
    (file,) = folder.iterdir()
    assert [stat.S_IMODE(path.stat().st_mode) for path in (folder, file)] == [0o700, PRIVATE]


def kept_file(folder: Path) -> Path:
    address_of(folder)
    (file,) = folder.iterdir()
    return file


INVALID = """|nonsense|127.1.2.3|127.1.2.3 20000 1|127.1.2.3 x|127.1.2.3 -20000|127.1.2.3 0|127.1.2.3 80
|127.1.2.3 10239|127.1.2.3 32768|127.1.2.3 99999999|0.0.0.0 20000|10.0.0.1 20000|126.255.255.255 20000
|128.0.0.1 20000|::1 20000|localhost 20000"""


@pytest.mark.parametrize(
    "content",
    [*INVALID.encode().split(b"|"), b"127.1.2.3 20000" + b" " * 1000, b"\xff\xfe 20000\n"],
)
def test_an_invalid_address_is_replaced(folder: Path, content: bytes) -> None:
    kept_file(folder).write_bytes(content)
    address = address_of(folder)
    assert address_of(folder) == address
    assert f"{address[0]} {address[1]}\n".encode() != content


@posix
@pytest.mark.parametrize("mode", [0o644, 0o602])
def test_a_file_that_others_can_access_is_replaced(folder: Path, mode: int) -> None:
    file = kept_file(folder)
    file.write_bytes(b"127.1.2.3 20000\n")
    assert address_of(folder) == ("127.1.2.3", 20000)
    file.chmod(mode)
    address = address_of(folder)
    assert address != ("127.1.2.3", 20000)
    assert address_of(folder) == address
    assert stat.S_IMODE(file.stat().st_mode) == PRIVATE


@posix
def test_a_folder_that_others_can_write_is_not_used(folder: Path) -> None:
    file = kept_file(folder)
    folder.chmod(0o777)
    assert saved_address(str(folder)) is None
    file.unlink()
    assert saved_address(str(folder)) is None
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("kind", ["none", "below a file", "a file", "too long", "full"])
def test_without_a_usable_folder_the_index_still_listens(tmp_path: Path, kind: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "full" / "proxy-address" / "below").mkdir(parents=True)
    folder = {
        "none": None,
        "below a file": str(tmp_path / "file" / "below"),
        "a file": str(tmp_path / "file"),
        "too long": str(tmp_path / ("x" * 300)),
        "full": str(tmp_path / "full"),  # a folder has the file's name
    }[kind]
    assert saved_address(folder) is None
    with index_at(folder) as index:
        assert not index.uses_saved_address
        assert asked(index) == 401


def index_at(folder: Path | str | None) -> ProxyIndex:
    return ProxyIndex(IndexSources([]), IndexAccess(cache=None if folder is None else str(folder)))


def connection_to(index: ProxyIndex) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(index.host, urlsplit(index.url).port, timeout=60)


def asked(index: ProxyIndex) -> int:
    """Return the status of a request without the password."""
    with closing(connection_to(index)) as connection:
        connection.request("GET", "/simple/x/")
        return connection.getresponse().status


@pytest.mark.parametrize("kind", ["closed by the index", "left open", "in the middle"])
def test_the_next_run_listens_at_the_same_url(folder: Path, kind: str) -> None:
    urls, connections = [], []
    for _ in range(3):
        with index_at(folder) as index:
            urls.append(index.url)
            assert index.uses_saved_address
            connection = connection_to(index)
            connections.append(connection)
            if kind == "in the middle":
                connection.connect()
                connection.sock.sendall(b"GET /simple/x/ HTTP/1.1\r\n")
            else:
                close = {"Connection": "close"} if kind == "closed by the index" else {}
                connection.request("GET", "/simple/x/", headers=close)
                assert connection.getresponse().read() == b""
            assert asked(index) == 401
    for connection in connections:
        connection.close()
    assert len(set(urls)) == 1
    host, port = address_of(folder)
    assert urls[0] == f"http://{host}:{port}/simple"


def test_two_runs_at_once_have_different_urls(folder: Path) -> None:
    with index_at(folder) as first:
        with index_at(folder) as second:
            assert [first.uses_saved_address, second.uses_saved_address] == [True, False]
            assert first.url != second.url
            assert ipaddress.IPv4Address(second.host).is_loopback
            assert {asked(first), asked(second)} == {401}
            assert first.password != second.password
        url = first.url
    with index_at(folder) as third:
        assert (third.url, third.uses_saved_address) == (url, True)
    with index_at(None) as fourth, index_at(None) as fifth:
        assert [fourth.uses_saved_address, fifth.uses_saved_address] == [False, False]
        assert fourth.url != fifth.url


def test_starting_makes_no_dns_query(monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(_host: str) -> str:
        raise AssertionError

    monkeypatch.setattr("socket.getfqdn", hang)
    with index_at(None) as index:
        assert asked(index) == 401
