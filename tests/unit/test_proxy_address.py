"""The address of the proxy index, which is the same from run to run."""

from __future__ import annotations

import http.client
import ipaddress
import os
import stat
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from codeartifact_pipenv.proxy_index.index import Address, ProxyIndex, saved_address
from codeartifact_pipenv.proxy_index.model import IndexAccess, IndexSources

if TYPE_CHECKING:
    from pathlib import Path


def connection_to(proxy: ProxyIndex) -> closing[http.client.HTTPConnection]:
    port = urlsplit(proxy.url).port
    return closing(http.client.HTTPConnection(proxy.host, port, timeout=100))


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
