"""Where the index on loopback listens: at the same address from run to run, if it can be."""

from __future__ import annotations

import http.client
import ipaddress
import os
import stat
from contextlib import closing
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from codeartifact_pipenv.proxy_index.address import Address, saved_address
from codeartifact_pipenv.proxy_index.index import ProxyIndex
from codeartifact_pipenv.proxy_index.model import IndexAccess, IndexSources

if TYPE_CHECKING:
    from pathlib import Path

posix = pytest.mark.skipif(os.name == "nt", reason="modes and links of POSIX")
PRIVATE = 0o600


def is_good(address: Address | None) -> bool:
    return (
        address is not None
        and ipaddress.IPv4Address(address[0]).is_loopback
        and 10240 <= address[1] < 32768
    )


def address_of(folder: Path) -> Address:
    """Return the address of a folder, which has to have one."""
    address = saved_address(str(folder))
    assert address is not None
    assert is_good(address)
    return address


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def test_same_each_time(folder: Path) -> None:
    """An address is chosen once, and is the same from then on."""
    assert len({address_of(folder) for _ in range(3)}) == 1


def test_others_elsewhere(tmp_path: Path) -> None:
    """Each folder, and so each user, has an address of its own."""
    assert len({address_of(tmp_path / str(number)) for number in range(5)}) > 1


@posix
def test_modes(folder: Path) -> None:
    """With no umask at all, the folder is 0700 and the file 0600."""
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


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"nonsense\n",
        b"127.1.2.3\n",
        b"127.1.2.3 20000 1\n",
        b"127.1.2.3 x\n",
        b"127.1.2.3 -20000\n",
        b"127.1.2.3 0\n",
        b"127.1.2.3 80\n",
        b"127.1.2.3 10239\n",
        b"127.1.2.3 32768\n",
        b"127.1.2.3 99999999\n",
        b"0.0.0.0 20000\n",
        b"10.0.0.1 20000\n",
        b"126.255.255.255 20000\n",
        b"128.0.0.1 20000\n",
        b"::1 20000\n",
        b"localhost 20000\n",
        b"127.1.2.3 20000" + b" " * 1000,
        b"\xff\xfe 20000\n",
    ],
)
def test_what_is_no_address_is_replaced(folder: Path, content: bytes) -> None:
    """What is broken, not of loopback or out of range makes room for an address, which then stays."""
    kept_file(folder).write_bytes(content)
    address = address_of(folder)
    assert address_of(folder) == address
    assert f"{address[0]} {address[1]}\n".encode() != content


@posix
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o602, 0o666])
def test_what_others_may_read_or_write_is_replaced(folder: Path, mode: int) -> None:
    """An address that others may have written, or know, is not taken; the next one is private."""
    file = kept_file(folder)
    file.write_bytes(b"127.1.2.3 20000\n")
    assert address_of(folder) == ("127.1.2.3", 20000)
    file.chmod(mode)
    address = address_of(folder)
    assert address != ("127.1.2.3", 20000)
    assert address_of(folder) == address
    assert stat.S_IMODE(file.stat().st_mode) == PRIVATE


@posix
def test_link_is_replaced(folder: Path, tmp_path: Path) -> None:
    """A link is not followed, and what it leads to is not written."""
    file = kept_file(folder)
    other = tmp_path / "other"
    other.write_bytes(b"127.1.2.3 20000\n")
    other.chmod(PRIVATE)
    file.unlink()
    file.symlink_to(other)
    assert address_of(folder) != ("127.1.2.3", 20000)
    assert other.read_bytes() == b"127.1.2.3 20000\n"


@posix
def test_folder_of_everybody(folder: Path) -> None:
    """In a folder where everybody can write nothing is taken or kept, even what is there."""
    file = kept_file(folder)
    folder.chmod(0o777)
    assert saved_address(str(folder)) is None
    file.unlink()
    assert saved_address(str(folder)) is None
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("kind", ["none", "below a file", "a file", "too long", "full"])
def test_where_nothing_can_be_kept(tmp_path: Path, kind: str) -> None:
    """Where nothing can be kept there is no address, and an index listens all the same."""
    (tmp_path / "file").touch()
    (tmp_path / "full" / "proxy-address" / "below").mkdir(parents=True)
    folder = {
        "none": None,
        "below a file": str(tmp_path / "file" / "below"),
        "a file": str(tmp_path / "file"),
        "too long": str(tmp_path / ("x" * 300)),
        "full": str(tmp_path / "full"),  # a folder is in the file's place
    }[kind]
    assert saved_address(folder) is None
    with index_at(folder) as index:
        assert not index.uses_saved_address
        assert asked(index) == 401


# --- an index there ----------------------------------------------------------------------


def index_at(folder: Path | str | None) -> ProxyIndex:
    return ProxyIndex(IndexSources([]), IndexAccess(cache=None if folder is None else str(folder)))


def connection_to(index: ProxyIndex) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(index.host, urlsplit(index.url).port, timeout=60)


def asked(index: ProxyIndex) -> int:
    """Return what the index answers to a stranger: it is there."""
    with closing(connection_to(index)) as connection:
        connection.request("GET", "/simple/x/")
        return connection.getresponse().status


@pytest.mark.parametrize("kind", ["closed by the index", "left open", "in the middle"])
def test_same_url_again_at_once(folder: Path, kind: str) -> None:
    """After a run the next one listens at its URL at once, whatever connections there were."""
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


def test_another_url_while_it_is_in_use(folder: Path) -> None:
    """Two runs at a time listen at two URLs; the first one's is still there for the next run."""
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


def test_any_url_without_a_folder() -> None:
    """Without a folder each run listens elsewhere, and says that it does."""
    with index_at(None) as first, index_at(None) as second:
        assert first.url != second.url
        assert not first.uses_saved_address
        assert not second.uses_saved_address


def test_no_name_server_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """An index listens without asking for the name of its address, which may take long."""

    def hang(_host: str) -> str:
        raise AssertionError

    monkeypatch.setattr("socket.getfqdn", hang)
    with index_at(None) as index:
        assert asked(index) == 401
