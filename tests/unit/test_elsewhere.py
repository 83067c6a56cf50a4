"""Find-links, requirements files and files on the net."""

from __future__ import annotations

import os
from http.server import ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest
from support.servers import QuietHandler, served

from codeartifact_pipenv.errors import ConfigurationError
from codeartifact_pipenv.files.pip_config import in_pipenv_words, index_settings
from codeartifact_pipenv.project.requirements_files import RequirementsFile, RequirementsReader
from codeartifact_pipenv.wrapper import fetched_file
from codeartifact_pipenv.wrapper.fetched_file import fetch_text
from codeartifact_pipenv.wrapper.pip_inputs import user_find_links

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OWN = "https://own/simple"


def test_options_of_pipenv_that_name_files_or_indexes_are_found() -> None:
    words = ["-dr", "file", "--extra-pip", "-f x", "--ind=u", "-e", ".", "--extras", "f", "-opy"]
    found = [(given.name, given.value) for given in in_pipenv_words(words)]
    assert found == [("--requirements", "file"), ("--extra-pip-args", "-f x"), ("--index", "u")]


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    path = tmp_path / "pip.conf"
    conf = "[global]\nfind_links = /\n--pypi_url = a\nExtra_Index-URL = b\n"
    path.write_text(f"{conf}[install]\nFind-Links = /usr /tmp\n[wheel]\nx = 1\n")
    return {"HOME": str(tmp_path), "XDG_CONFIG_DIRS": "/nowhere", "PIP_CONFIG_FILE": str(path)}


def test_find_links_are_local_if_they_exist_or_remote_urls(
    environ: dict[str, str], tmp_path: Path
) -> None:
    folder, page = tmp_path / "my wheels", tmp_path / "page.html"
    folder.mkdir()
    page.touch()
    links = f"{folder.as_uri()} {page} ~ https://u:p@x/y http://z /none file:///none"
    found = user_find_links(environ | {"PIP_Find_Links": links})
    assert found.where == "PIP_Find_Links"
    assert found.local == (str(folder), str(page), os.path.expanduser("~"))
    assert found.remote == ("https://u:p@x/y", "http://z")


def test_variable_beats_command_section_beats_global_find_links(environ: dict[str, str]) -> None:
    assert user_find_links(environ | {"PIP_FIND_LINKS": "/"}).local == ("/",)
    assert user_find_links(environ).local == ("/usr", "/tmp")  # noqa: S108 - a folder that exists
    assert user_find_links(environ, "wheel").local == ("/",)
    assert user_find_links(environ | {"PIP_FIND_LINKS": ""}).where == environ["PIP_CONFIG_FILE"]
    assert index_settings(environ) == ("a", ["b"])


def read(path: Path, name: str = "r.txt", pages: dict[str, str] | None = None) -> RequirementsFile:
    reader = RequirementsReader(OWN.__eq__, {}, (pages or {}).__getitem__)
    return reader.read(name, str(path))


def copied(file: RequirementsFile) -> list[str]:
    """Return the lines of a file's copy."""
    text = file.text(lambda other: f"COPY OF {other.place}" if other.is_changed else other.place)
    return text.splitlines()


def test_copy_of_a_file_names_the_copies_of_changed_files_only(tmp_path: Path) -> None:
    (tmp_path / "r.txt").write_text("-c c.txt\n-r plain.txt\nsix --pre\n")
    (tmp_path / "plain.txt").write_text("six\n")
    (tmp_path / "c.txt").write_text(f"six<2 \\\n # x\n-i {OWN} --pre\n-r d.txt\n")
    (tmp_path / "d.txt").write_text("-r https://x/y/d.txt\n")
    pages = {"https://x/y/d.txt": "-c e.txt\n", "https://x/y/e.txt": "a\n"}
    file = read(tmp_path, pages=pages)
    first, *lines = copied(file)
    assert first == f"\ufeff --constraint 'COPY OF {tmp_path}/c.txt'"
    assert lines == [f" --requirement {tmp_path}/plain.txt", "six --pre"]
    nested = next(p for parts in file.lines for p in parts if isinstance(p, RequirementsFile))
    assert copied(nested)[2:] == [" --pre", f" --requirement 'COPY OF {tmp_path}/d.txt'"]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("-r r.txt\n", "includes itself"),
        ("-r none.txt\n", "none.txt cannot be read: No such file"),
        ("-c /dev/zero\n", "/dev/zero cannot be read: it is not a regular file"),
        ("-c pipe\n", "pipe cannot be read: it is not a regular file"),
        ("# coding: none\n", "r.txt cannot be read: unknown encoding"),
        (f"six -i {OWN} \\\n --extra-index-url x\n", "--extra-index-url in .*, line 1,"),
        ("--isolated\n", "--isolated in"),
    ],
)
def test_unreadable_files_and_other_indexes_are_refused_with_their_place(
    text: str, parts: str, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "r.txt").write_text(text)
    with pytest.raises(ConfigurationError, match=parts):
        read(tmp_path)


class _Site(QuietHandler):
    seen: list[str | None]

    def do_GET(self) -> None:  # noqa: N802 - the name that BaseHTTPRequestHandler expects
        self.seen.append(self.headers.get("Authorization"))
        self.send_response({"/moved": 302, "/none": 404}.get(self.path, 200))
        body = b"x" * 5000 if self.path == "/long" else b"six\n"
        self.send_header("Location", "/file")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    _Site.seen = []
    monkeypatch.setenv("NO_PROXY", "localhost")
    with served(ThreadingHTTPServer(("localhost", 0), _Site)) as server:
        yield f"http://u:p@localhost:{server.server_port}"


def test_fetching_a_file_sends_no_login(
    site: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine localhost login me password hunter2\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert fetch_text(f"{site}/file") == fetch_text(f"{site}/moved") == "six\n"
    assert _Site.seen == [None, None, None]


def test_failed_fetch_is_one_sentence_without_the_login(
    site: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetched_file, "_MAXIMUM_BYTES", 1000)
    for name, reason in (("none", "the answer is 404"), ("long", "it is too long")):
        with pytest.raises(ConfigurationError, match=rf"/{name} cannot be fetched: {reason}") as e:
            fetch_text(f"{site}/{name}")
        assert "u:p" not in e.value.sentence
    with pytest.raises(ConfigurationError, match="cannot be fetched: ConnectionError"):
        fetch_text("http://localhost:1/x")
