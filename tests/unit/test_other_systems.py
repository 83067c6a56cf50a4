"""Differences of macOS and Windows, simulated on other systems."""

from __future__ import annotations

import contextlib
import errno
import locale
import os
import socket
import sys
from typing import TYPE_CHECKING, Any

import pytest

from codeartifact_pipenv.clients import show_environment
from codeartifact_pipenv.clients.places import config_path
from codeartifact_pipenv.errors import ConfigurationError
from codeartifact_pipenv.files import io, pip_config
from codeartifact_pipenv.processes.child import exit_like_child
from codeartifact_pipenv.project.pipfile import load_project
from codeartifact_pipenv.proxy_index.index import ProxyIndex
from codeartifact_pipenv.proxy_index.model import IndexAccess, IndexSources
from codeartifact_pipenv.settings import CommandLine, Settings
from codeartifact_pipenv.wrapper.pip_inputs import PipInputs
from codeartifact_pipenv.wrapper.pipenv_cli import Pipenv, find_pipenv
from codeartifact_pipenv.wrapper.run_files import environment_name

if TYPE_CHECKING:
    from pathlib import Path

    from codeartifact_pipenv.project.pipfile import Project


HOST = "acme-123456789012.d.codeartifact.eu-west-1.amazonaws.com"
SOURCE = f"https://aws:${{Codeartifact_Auth_Token}}@{HOST}/pypi/team/simple/"
LIBRARY = "Library/Application Support/pip"


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")


@pytest.mark.parametrize(
    ("folders", "has_xdg", "written", "others"),
    [
        ([LIBRARY], False, LIBRARY, []),
        (["data/pip"], True, "data/pip", [".config/pip"]),
        (["data/pip"], False, ".config/pip", []),
        (["data/pip", LIBRARY], True, "data/pip", [LIBRARY]),
        ([LIBRARY], True, ".config/pip", [LIBRARY]),
    ],
)
def test_login_on_macos_writes_where_the_newest_pip_looks(
    folders: list[str],
    has_xdg: bool,
    written: str,
    others: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    for folder in folders:
        (tmp_path / folder).mkdir(parents=True)
    environ = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "not read")}
    shared = [f"/{LIBRARY}/pip.conf"]
    if has_xdg:
        environ |= {"XDG_DATA_HOME": f"{tmp_path}/data", "XDG_DATA_DIRS": "/opt/share:/usr/share"}
        shared = ["/opt/share/pip/pip.conf", "/usr/share/pip/pip.conf", *shared]
    assert config_path("pip", environ) == f"{tmp_path}/{written}/pip.conf"
    own = [f"{tmp_path}/{folder}/pip.conf" for folder in (".pip", *others, written)]
    assert pip_config.all_files(environ)[:-1] == shared + own


def test_urls_stay_the_same_with_a_single_loopback_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def bind(self: Any, address: tuple[str, int]) -> None:
        if address[0] != "127.0.0.1":
            raise OSError(errno.EADDRNOTAVAIL, "Can't assign requested address")
        super(socket.socket, self).bind(address)

    monkeypatch.setattr(socket.socket, "bind", bind)
    addresses = set()
    for _ in range(2):
        with ProxyIndex(IndexSources([]), IndexAccess(cache=str(tmp_path / "cache"))) as index:
            assert index.uses_saved_address
            addresses.add(index.url)
    assert len(addresses) == 1


def project(folder: Path, packages: str = "", dotenv: str = "") -> Project:
    """Return a project of one repository, with the environment as Windows has it."""
    (folder / "Pipfile").write_text(
        f'[[source]]\nname = "ca"\nurl = "{SOURCE}"\nverify_ssl = true\n[packages]\n{packages}'
    )
    if dotenv:
        (folder / ".env").write_text(dotenv)
    return load_project({}, str(folder), lambda: None)


@pytest.mark.usefixtures("windows")
def test_token_variable_and_pipfile_of_windows_may_be_written_in_any_case(tmp_path: Path) -> None:
    found = project(tmp_path)
    assert list(found.assign_variables(found.sources())) == ["CODEARTIFACT_AUTH_TOKEN"]
    (tmp_path / "other").write_text("[packages]\n")
    assert project(tmp_path, dotenv="pipenv_pipfile=other\n").pipfile == str(tmp_path / "other")


OTHER_URL = "https://other.example/${codeartifact_AUTH_token}/a.whl"


@pytest.mark.usefixtures("windows")
@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("", f'a = {{file = "{OTHER_URL}"}}'),
        ("", 'a = {file = "https://other.example/%codeartifact_AUTH_token%/a.whl"}'),
        (".env", f"ELSEWHERE={OTHER_URL}\n"),
        ("PYLOCK.TOML", f'a = "{OTHER_URL}"'),  # found as pylock.toml
    ],
)
def test_a_token_variable_in_another_url_is_refused_in_any_case(
    file: str, text: str, tmp_path: Path
) -> None:
    (tmp_path / (file or "unused")).write_text(text)
    found = project(tmp_path, "" if file else text)
    with pytest.raises(ConfigurationError, match="CODEARTIFACT_AUTH_TOKEN"):
        found.assign_variables(found.sources())


@pytest.mark.usefixtures("windows")
@pytest.mark.parametrize("name", ["pip_index_url", "Pip_Find_Links"])
def test_an_index_in_dotenv_is_refused_in_any_case(name: str, tmp_path: Path) -> None:
    found = project(tmp_path, dotenv=f"{name}=https://other.example/\n")
    with pytest.raises(ConfigurationError, match=rf"\.env sets {name.upper()}"):
        PipInputs(CommandLine({}, ["lock"], 0), found, found.sources(), pip=False)


@pytest.mark.usefixtures("windows")
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("pipenv.bat", "batch file"),  # Windows would treat `requests>=2` as a redirection.
        ("PIPENV.CMD", "batch file"),
        ("codeartifact-pipenv.exe", "this program itself"),
    ],
)
def test_a_batch_file_or_this_program_is_not_run_as_pipenv(
    name: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / name).touch()
    monkeypatch.setattr(sys, "argv", [str(tmp_path / "pipenv-ca")])
    with pytest.raises(ConfigurationError, match=reason):
        find_pipenv(Settings({"pipenv": str(tmp_path / name)}, {}))


def test_the_version_of_a_pipenv_on_windows_is_read_from_its_files(tmp_path: Path) -> None:
    module = tmp_path / "lib" / "site-packages" / "pipenv"
    module.mkdir(parents=True)
    (module / "__version__.py").write_text('__version__ = "2030.1"\n')
    assert Pipenv([str(tmp_path / "Scripts" / "pipenv.exe")], own=False).version() == "2030.1"


@pytest.mark.usefixtures("windows")
def test_login_on_windows_writes_the_netrc_that_pip_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))  # for expanduser, which reads USERPROFILE on Windows
    assert config_path("netrc", {}) == str(tmp_path / "_netrc")
    (tmp_path / ".netrc").touch()
    assert config_path("netrc", {}) == str(tmp_path / ".netrc")


@pytest.mark.usefixtures("windows")
def test_indexes_in_the_files_of_uv_on_windows_are_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("APPDATA", "PROGRAMDATA"):
        file = tmp_path / variable / "uv" / "uv.toml"
        file.parent.mkdir(parents=True)
        text = f'[[index]]\nname = "{variable}"\nurl = "https://other.example/simple"\n'
        file.write_text(text, encoding="utf-8-sig")  # as PowerShell 5 writes it
        monkeypatch.setenv(variable, str(tmp_path / variable))
    monkeypatch.chdir(tmp_path)
    names = {index.source.name for index in show_environment._indexes_here()}
    assert {"APPDATA", "PROGRAMDATA"} <= names


def test_a_pip_ini_in_the_encoding_of_windows_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locale, "getpreferredencoding", lambda **_options: "cp1252")
    file = tmp_path / "pip.ini"
    file.write_text("# für alle\n[global]\nindex-url = https://one.example/\n", encoding="cp1252")
    environ = {"PIP_CONFIG_FILE": str(file), "HOME": str(tmp_path)}
    assert pip_config.index_settings(environ)[0] == "https://one.example/"


@pytest.mark.usefixtures("windows")
def test_environment_is_the_same_for_a_drive_in_either_case() -> None:
    assert len({environment_name(f"{drive}:/projects/app/Pipfile", {}) for drive in "cC"}) == 1


@pytest.mark.parametrize(("seconds", "wanted"), [(2.0, b"new"), (0.0, b"old")])
def test_a_file_open_in_another_program_is_replaced_once_it_is_closed(
    seconds: float, wanted: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, tries, replace = tmp_path / "Pipfile", iter("12"), os.replace
    path.write_bytes(b"old")

    def held(source: str, target: str) -> None:
        if next(tries, None):
            raise PermissionError(errno.EACCES, "Access is denied")
        replace(source, target)

    monkeypatch.setattr(io, "_HELD_SECONDS", seconds)
    monkeypatch.setattr(os, "replace", held)
    with contextlib.suppress(PermissionError):
        io.write_file(str(path), b"new")
    assert path.read_bytes() == wanted
    assert [p.name for p in tmp_path.iterdir()] == ["Pipfile"]


@pytest.mark.usefixtures("windows")
@pytest.mark.parametrize(
    ("status", "wanted"), [(0, 0), (3, 3), (0xC000013A, -1073741510), (-2, 130)]
)
def test_the_exit_status_of_pipenv_on_windows_is_passed_on(status: int, wanted: int) -> None:
    assert exit_like_child(status) == wanted
