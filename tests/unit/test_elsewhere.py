"""Where files may come from: find-links, requirements files, files on the net, and who names them."""

from __future__ import annotations

import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from codeartifact_pipenv.errors import ConfigurationError
from codeartifact_pipenv.files.pip_config import (
    in_pip_words,
    in_pipenv_words,
    index_settings,
    setting_value,
)
from codeartifact_pipenv.project.requirements_files import RequirementsFile, RequirementsReader
from codeartifact_pipenv.wrapper import fetched_file
from codeartifact_pipenv.wrapper.fetched_file import fetch_text
from codeartifact_pipenv.wrapper.pip_inputs import user_find_links
from codeartifact_pipenv.wrapper.pipenv_cli import pip_calls

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OWN = "https://own/simple"


# -- words ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("install -Uqf DIR x", [("-f", "DIR", 1, 2, "-Uq")]),
        ("install -fDIR --no-index", [("-f", "DIR", 1, 1, ""), ("--no-index", "", 2, 1, "")]),
        ("install --requ=r.txt -cc", [("--requ", "r.txt", 1, 1, ""), ("-c", "c", 2, 1, "")]),
        ("install -tfile -e./index -Cf=r", []),
        ("list -oi URL", [("-i", "URL", 1, 2, "-o")]),
        ("lock -ofile", []),
        ("install --iso --isola", []),
        ("install -r --isolated", [("-r", "--isolated", 1, 2, ""), ("--isolated", "", 2, 1, "")]),
        ("install -- -i URL", [("-i", "URL", 2, 2, "")]),
        ("install -i", [("-i", "", 1, 2, "")]),
    ],
)
def test_options_of_pip_are_found_with_value_and_place(
    words: str, found: list[tuple[str, str, int, int, str]]
) -> None:
    assert [tuple(given[1:]) for given in in_pip_words(words.split())] == found


def test_options_of_pipenv_are_found() -> None:
    words = ["-dr", "file", "--extra-pip", "-f x", "--ind=u", "-e", ".", "--extras", "f", "-opy"]
    found = [(given.name, given.value) for given in in_pipenv_words(words)]
    assert found == [("--requirements", "file"), ("--extra-pip-args", "-f x"), ("--index", "u")]


def test_command_line_is_split_before_the_words_of_pip() -> None:
    scripts: dict[str, object] = {
        "deps": ["echo x", "A=1 python -X dev -m pip install -U", "pip freeze"],
        "one": "pip install",
    }
    (typed,) = pip_calls("run", ["--system", "B=2", "C=", "pip3", "install", "x"], scripts)
    assert (typed.before, typed.words) == (["B=2", "C=", "pip3"], ["install", "x"])
    assert (typed.script, typed.is_only_line, typed.assigned) == (None, True, {"B": "2", "C": ""})
    (listed,) = pip_calls("run", ["deps", "x"], scripts)
    assert listed.before == ["A=1", "python", "-X", "dev", "-m", "pip"]
    assert (listed.words, listed.script) == (["install", "-U", "x"], "deps")
    assert (listed.is_only_line, listed.assigned) == (False, {"A": "1"})
    assert pip_calls("run", ["one"], scripts)[0].is_only_line
    assert pip_calls("run", ["A=1"], scripts) == pip_calls("run", [], scripts) == []


# -- variables and configuration ------------------------------------------------------------


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path), "XDG_CONFIG_DIRS": "/nowhere"}


def test_find_links_are_local_if_they_exist_or_remote_urls(
    environ: dict[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "my wheels"
    folder.mkdir()
    page = tmp_path / "page.html"
    page.write_text("")
    links = f"{folder.as_uri()} {page} ~ https://u:p@x/y http://z /none file:///none"
    found = user_find_links(environ | {"PIP_Find_Links": links})
    assert found.where == "PIP_Find_Links"
    assert found.local == (str(folder), str(page), os.path.expanduser("~"))
    assert found.remote == ("https://u:p@x/y", "http://z")
    assert user_find_links(environ).local == ()
    assert user_find_links(environ | {"PIP_FIND_LINKS": " "}).where == ""


def test_variable_beats_command_section_beats_global_find_links(
    environ: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "pip.conf"
    path.write_text("[global]\nfind_links = /\n[install]\nFind-Links = /usr /tmp\n[wheel]\nx = 1\n")
    environ["PIP_CONFIG_FILE"] = str(path)
    assert user_find_links(environ).local == ("/usr", "/tmp")  # noqa: S108 - a folder that exists
    assert user_find_links(environ, "wheel").local == ("/",)
    assert user_find_links(environ).where == str(path)
    assert user_find_links(environ | {"PIP_FIND_LINKS": ""}).where == str(path)
    assert user_find_links(environ | {"PIP_FIND_LINKS": "/"}).local == ("/",)


def test_index_settings_are_found_in_any_case(environ: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "pip.conf"
    path.write_text("[global]\n--pypi_url = a\nExtra_Index-URL = b\n")
    environ["PIP_CONFIG_FILE"] = str(path)
    assert index_settings(environ) == ("a", ["b"])
    assert setting_value("extra-index-url", environ | {"PIP_Extra_Index_Url": "c"}) == (
        "c",
        "PIP_Extra_Index_Url",
    )


# -- requirements files ---------------------------------------------------------------------


def read(path: Path, name: str = "r.txt", pages: dict[str, str] | None = None) -> RequirementsFile:
    reader = RequirementsReader(OWN.__eq__, {}, (pages or {}).__getitem__)
    return reader.read(name, str(path))


def copied(file: RequirementsFile) -> str:
    return file.text(lambda other: f"COPY OF {other.place}" if other.is_changed else other.place)


def test_files_without_index_lines_are_not_copied(tmp_path: Path) -> None:
    (tmp_path / "r.txt").write_text("six\n-c sub/c.txt\n")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "c.txt").write_text("six<2\n")
    assert not read(tmp_path).is_changed


def test_copy_of_a_file_names_the_copies_of_its_files(tmp_path: Path) -> None:
    (tmp_path / "r.txt").write_text("-c sub/c.txt\n-r plain.txt\nsix --pre\n")
    (tmp_path / "plain.txt").write_text("six\n")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "c.txt").write_text(f"six<2 \\\n # x\n-i {OWN} --pre\n-r ../d.txt\n")
    (tmp_path / "d.txt").write_text("-r https://x/y/d.txt\n")
    pages = {"https://x/y/d.txt": "-c e.txt\n", "https://x/y/e.txt": "a\n"}
    file = read(tmp_path, pages=pages)
    assert file.is_changed
    lines = copied(file).splitlines()
    assert lines[0] == f"\ufeff --constraint 'COPY OF {tmp_path}/sub/c.txt'"
    assert lines[1:] == [f" --requirement {tmp_path}/plain.txt", "six --pre"]
    nested = next(p for parts in file.lines for p in parts if isinstance(p, RequirementsFile))
    assert copied(nested).splitlines()[2:] == [
        " --pre",
        f" --requirement 'COPY OF {tmp_path}/d.txt'",
    ]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("-r r.txt\n", "includes itself"),
        ("-r none.txt\n", "none.txt cannot be read: No such file"),
        ("-c /dev/zero\n", "/dev/zero cannot be read: it is not a regular file"),
        ("-c pipe\n", "pipe cannot be read: it is not a regular file"),
        ("# coding: none\n", "r.txt cannot be read: unknown encoding"),
        ("six\n\n-f .\n", r"--find-links in .*r.txt, line 3,"),
        (f"six -i {OWN} \\\n --extra-index-url x\n", "--extra-index-url in .*, line 1,"),
        ("--no-index\n", "--no-index in"),
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


# -- files on the net -----------------------------------------------------------------------


class _Site(BaseHTTPRequestHandler):
    seen: list[str | None]

    def do_GET(self) -> None:
        self.seen.append(self.headers.get("Authorization"))
        moved = self.path == "/moved"
        self.send_response(302 if moved else 404 if self.path == "/none" else 200)
        body = b"x" * 5000 if self.path == "/long" else b"six\n"
        if moved:
            self.send_header("Location", "/file")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


@pytest.fixture
def site() -> Iterator[str]:
    _Site.seen = []
    with ThreadingHTTPServer(("localhost", 0), _Site) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://u:p@localhost:{server.server_port}"
        server.shutdown()


def test_fetching_a_file_sends_no_login(
    site: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine localhost login me password hunter2\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("NO_PROXY", "localhost")
    assert fetch_text(f"{site}/file") == fetch_text(f"{site}/moved") == "six\n"
    assert _Site.seen == [None, None, None]


def test_failed_fetch_is_one_sentence_without_the_login(
    site: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "localhost")
    monkeypatch.setattr(fetched_file, "_MAXIMUM_BYTES", 1000)
    for name, reason in (("none", "the answer is 404"), ("long", "it is too long")):
        with pytest.raises(ConfigurationError, match=rf"/{name} cannot be fetched: {reason}") as e:
            fetch_text(f"{site}/{name}")
        assert "u:p" not in e.value.sentence
    with pytest.raises(ConfigurationError, match="cannot be fetched: ConnectionError"):
        fetch_text("http://localhost:1/x")
