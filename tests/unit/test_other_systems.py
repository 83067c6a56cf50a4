"""What differs on macOS and Windows, simulated where this machine is another one."""

from __future__ import annotations

import errno
import socket
import sys
from typing import TYPE_CHECKING, Any

import pytest

from codeartifact_pipenv import pip_files
from codeartifact_pipenv.clients.places import config_path
from codeartifact_pipenv.proxy_index.index import ProxyIndex

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def macos(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")


@pytest.mark.usefixtures("macos")
@pytest.mark.parametrize(
    ("folders", "has_xdg", "written", "others"),
    [
        ([], False, ".config/pip", []),
        (["Library/Application Support/pip"], False, "Library/Application Support/pip", []),
        ([], True, ".config/pip", []),
        (["data/pip"], True, "data/pip", [".config/pip"]),
        (["data/pip"], False, ".config/pip", []),
        (
            ["data/pip", "Library/Application Support/pip"],
            True,
            "data/pip",
            ["Library/Application Support/pip"],
        ),
        (
            ["Library/Application Support/pip"],
            True,
            ".config/pip",
            ["Library/Application Support/pip"],
        ),
    ],
)
def test_pip_of_macos(
    folders: list[str], has_xdg: bool, written: str, others: list[str], tmp_path: Path
) -> None:
    """A login goes where the newest pip looks, and is found wherever any pip looks."""
    for folder in folders:
        (tmp_path / folder).mkdir(parents=True)
    environ = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "not read")}
    if has_xdg:
        environ |= {"XDG_DATA_HOME": f"{tmp_path}/data", "XDG_DATA_DIRS": "/opt/share:/usr/share"}
    assert config_path("pip", environ) == f"{tmp_path}/{written}/pip.conf"
    files = pip_files.all_files(environ)
    shared = [f"{place}/pip/pip.conf" for place in ("/opt/share", "/usr/share") if has_xdg]
    shared.append("/Library/Application Support/pip/pip.conf")
    assert files[: len(shared)] == shared
    own = [f"{tmp_path}/{folder}/pip.conf" for folder in (".pip", *others, written)]
    assert files[len(shared) : -1] == own


def test_one_loopback_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On macOS, where 127.0.0.1 is the only loopback address, URLs are those of the last run, too."""

    def bind(self: Any, address: tuple[str, int]) -> None:
        if address[0] != "127.0.0.1":
            raise OSError(errno.EADDRNOTAVAIL, "Can't assign requested address")
        super(socket.socket, self).bind(address)

    monkeypatch.setattr(socket.socket, "bind", bind)
    addresses = []
    for _ in range(2):
        with ProxyIndex([], None, {}, {}, cache=str(tmp_path / "cache")) as index:
            assert index.is_at_kept_address
            addresses.append(index.url)
    assert addresses[0] == addresses[1]
