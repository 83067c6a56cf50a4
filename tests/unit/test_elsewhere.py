"""Requirements files, also on the net, and distributions in local folders."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.sandbox import FakePublicIndexHandler

from codeartifact_pipenv.errors import ConfigurationError
from codeartifact_pipenv.files.pip_config import in_pipenv_words, setting_value
from codeartifact_pipenv.project.requirements_files import RequirementsReader
from codeartifact_pipenv.proxy_index.local_files import local_files
from codeartifact_pipenv.wrapper import fetched_file
from codeartifact_pipenv.wrapper.fetched_file import fetch_text

if TYPE_CHECKING:
    from support.sandbox import FakePublicIndex


def test_options_of_pipenv_that_name_files_or_indexes_are_found() -> None:
    words = ["-dr", "file", "--extra-pip", "-f x", "--ind=u", "-e", ".", "--extras", "f", "-opy"]
    found = [(given.name, given.value) for given in in_pipenv_words(words)]
    assert found == [("--requirements", "file"), ("--extra-pip-args", "-f x"), ("--index", "u")]


def test_a_variable_that_is_not_empty_beats_the_configuration_of_pip(tmp_path: Path) -> None:
    path = tmp_path / "pip.conf"
    path.write_text("[install]\nFind-Links = b c\n")
    environ = {"HOME": str(tmp_path), "XDG_CONFIG_DIRS": "/nowhere", "PIP_CONFIG_FILE": str(path)}
    for value, found in (("d", ("d", "PIP_Find_Links")), ("", ("b c", str(path)))):
        assert setting_value("find-links", environ | {"PIP_Find_Links": value}) == found


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("-r r.txt\n", "includes itself"),
        ("-r none.txt\n", "none.txt cannot be read: No such file"),
        ("-c /dev/zero\n", "/dev/zero cannot be read: it is not a regular file"),
        ("-c pipe\n", "pipe cannot be read: it is not a regular file"),
        ("# coding: none\n", "r.txt cannot be read: unknown encoding"),
        ("--isolated\n", "--isolated in"),
    ],
)
def test_unreadable_files_and_other_indexes_are_refused_with_their_place(
    text: str, parts: str, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "r.txt").write_text(text)
    with pytest.raises(ConfigurationError, match=parts):
        RequirementsReader("https://own".__eq__, {}, str).read("r.txt", str(tmp_path))


def test_file_that_includes_a_changed_file_is_changed_too(tmp_path: Path) -> None:
    (tmp_path / "r.txt").write_text("six\n-c c.txt\n")
    (tmp_path / "c.txt").write_text("six<2\n-i https://own\n")
    file = RequirementsReader("https://own".__eq__, {}, str).read("r.txt", str(tmp_path))
    assert file.is_changed
    assert file.text(lambda other: other.place) == f"\ufeffsix\n --constraint {tmp_path}/c.txt\n"


class _Handler(FakePublicIndexHandler):
    def end_headers(self) -> None:
        self.send_header("Location", "/file")
        super().end_headers()


def test_fetching_a_file_sends_no_login_and_a_failure_shows_none(
    public: FakePublicIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password hunter2\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(fetched_file, "_MAXIMUM_BYTES", 1000)
    public.RequestHandlerClass = _Handler
    public.pages["/file"] = (200, "text/plain", b"six\n")
    public.pages["/moved"] = (302, "text/plain", b"")
    public.pages["/long"] = (200, "text/plain", b"x" * 5000)
    site = f"http://u:p@127.0.0.1:{public.server_port}"
    assert fetch_text(f"{site}/file") == fetch_text(f"{site}/moved") == "six\n"
    for name, reason in (("none", "the answer is 404"), ("long", "it is too long")):
        with pytest.raises(ConfigurationError, match=rf"/{name} cannot be fetched: {reason}") as e:
            fetch_text(f"{site}/{name}")
        assert "u:p" not in e.value.sentence
    assert {login for _, login in public.asked} == {None}
    with pytest.raises(ConfigurationError, match="cannot be fetched: ConnectionError"):
        fetch_text("http://127.0.0.1:1/x")


# The packages that a file may belong to.
FILES = {
    "My_App-1.0-py3-none-any.whl": {"my-app"},
    "my.app-1.0-1-cp312-cp312-linux_x86_64.whl": {"my-app"},
    "my-app-1.0.tar.gz": {"my-app"},
    "app-1-2.zip": {"app", "app-1"},
    **{key: set() for key in ["app.zip", "app-latest.tar.gz", "app-1.0-py3.whl", "app-1.0.exe"]},
    "app-\N{SNOWMAN}.whl": set(),
}


def test_files_of_folders_are_listed_with_hashes_under_their_names(tmp_path: Path) -> None:
    folder, single = tmp_path / "wheels", tmp_path / "app-3.0-py3-none-any.whl"
    (folder / "app-2.0.tar.gz").mkdir(parents=True)
    for path in (*(folder / name for name in FILES), single):
        path.write_bytes(path.name.encode())
    places = [str(folder), str(single), str(tmp_path / "none")]
    for name in ("my-app", "app", "app-1", "my", "nothing"):
        wanted = {file for file, names in FILES.items() if name in names}
        wanted |= {single.name} if name == "app" else set()
        found = {Path(path).name: digest for path, digest in local_files(places, name)}
        assert found == {file: hashlib.sha256(file.encode()).hexdigest() for file in wanted}
