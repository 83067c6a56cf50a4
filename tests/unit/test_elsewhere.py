"""Where files may come from: find-links, requirements files, files on the net, and who names them."""

from __future__ import annotations

import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from codeartifact_pipenv.errors import ConfigurationError
from codeartifact_pipenv.files.pip_config import index_settings, setting_value
from codeartifact_pipenv.files.pip_settings import in_pip_words, in_pipenv_words
from codeartifact_pipenv.project.requirements_files import RequirementsFile, RequirementsReader
from codeartifact_pipenv.wrapper import fetched_file
from codeartifact_pipenv.wrapper.commands import pip_calls
from codeartifact_pipenv.wrapper.fetched_file import fetch_text
from codeartifact_pipenv.wrapper.user_settings import user_find_links

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
def test_words_for_pip(words: str, found: list[tuple[str, str, int, int, str]]) -> None:
    """Options are found with their value, their place, and the flags before them."""
    assert [tuple(given[1:]) for given in in_pip_words(words.split())] == found


def test_words_for_pipenv() -> None:
    """Pipenv's own options are other ones; what is for pip is one word."""
    words = ["-dr", "file", "--extra-pip", "-f x", "--ind=u", "-e", ".", "--extras", "f", "-opy"]
    found = [(given.name, given.value) for given in in_pipenv_words(words)]
    assert found == [("--requirements", "file"), ("--extra-pip-args", "-f x"), ("--index", "u")]


def test_calls_of_pip() -> None:
    """A command line is taken apart into what stands before pip's own words, and these."""
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


def test_own_find_links(environ: dict[str, str], tmp_path: Path) -> None:
    """Folders and files that exist are local, other URLs remote, and all else is nothing."""
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


def test_find_links_of_a_configuration(environ: dict[str, str], tmp_path: Path) -> None:
    """A section for the command counts more than the common one, and a variable more than both."""
    path = tmp_path / "pip.conf"
    path.write_text("[global]\nfind_links = /\n[install]\nFind-Links = /usr /tmp\n[wheel]\nx = 1\n")
    environ["PIP_CONFIG_FILE"] = str(path)
    assert user_find_links(environ).local == ("/usr", "/tmp")  # noqa: S108 - a folder that exists
    assert user_find_links(environ, "wheel").local == ("/",)
    assert user_find_links(environ).where == str(path)
    assert user_find_links(environ | {"PIP_FIND_LINKS": ""}).where == str(path)
    assert user_find_links(environ | {"PIP_FIND_LINKS": "/"}).local == ("/",)


def test_index_settings_in_every_spelling(environ: dict[str, str], tmp_path: Path) -> None:
    """Indexes are found by pip's names for them, whatever their case."""
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


def test_nothing_to_copy(tmp_path: Path) -> None:
    """Files without lines of these settings stay what they are."""
    (tmp_path / "r.txt").write_text("six\n-c sub/c.txt\n")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "c.txt").write_text("six<2\n")
    assert not read(tmp_path).is_changed


def test_copies_of_a_tree(tmp_path: Path) -> None:
    """A copy of one file leads to copies of all that name it; other names become absolute."""
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
        ("-r r.txt\n", "names itself"),
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
def test_files_that_are_refused(text: str, parts: str, tmp_path: Path) -> None:
    """What cannot be read, and other indexes, are refused with their place."""
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


def test_fetched_without_login(site: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No login is sent: not of the URL, not of the user's netrc, and not after a redirect."""
    (tmp_path / "netrc").write_text("machine localhost login me password hunter2\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("NO_PROXY", "localhost")
    assert fetch_text(f"{site}/file") == fetch_text(f"{site}/moved") == "six\n"
    assert _Site.seen == [None, None, None]


def test_what_cannot_be_fetched(site: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure is one sentence, without the login of the URL."""
    monkeypatch.setenv("NO_PROXY", "localhost")
    monkeypatch.setattr(fetched_file, "_MAXIMUM_BYTES", 1000)
    for name, reason in (("none", "the answer is 404"), ("long", "it is too long")):
        with pytest.raises(ConfigurationError, match=rf"/{name} cannot be fetched: {reason}") as e:
            fetch_text(f"{site}/{name}")
        assert "u:p" not in e.value.sentence
    with pytest.raises(ConfigurationError, match="cannot be fetched: ConnectionError"):
        fetch_text("http://localhost:1/x")
