"""The netrc file of a run has our token and the entries of the user."""

from __future__ import annotations

import netrc
import os
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from codeartifact_pipenv.report import Report
from codeartifact_pipenv.wrapper import run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

HOST = "my-dom-123456789012.d.codeartifact.eu-west-1.amazonaws.com"
LINE = f"machine {HOST} login aws password our-token"
OURS = ("aws", "our-token")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def compose(lines: Sequence[str], environ: Mapping[str, str]) -> str:
    """Return the text of the netrc of a run, or an empty text."""
    return run.compose_netrc(lines, run.users_netrc(environ, Report())) or ""


def look_up(text: str, host: str, folder: Path) -> tuple[str, str] | None:
    """Look up a host with the netrc module of Python, as requests and pip do."""
    path = folder / "composed"
    path.write_text(text, encoding="utf-8")
    found = netrc.netrc(str(path)).authenticators(host)
    return None if found is None else (found[0], found[2] or "")


def first_entry(text: str, host: str) -> str | None:
    """Find a password as programs do that stop at the first entry, such as curl."""
    words = text.split()
    for at, word in enumerate(words[:-1]):
        if (word == "machine" and words[at + 1] == host) or word == "default":
            return words[words.index("password", at) + 1]
    return None


def test_netrc_holds_only_our_lines_when_the_user_has_no_netrc(home: Path) -> None:
    text = compose([LINE, f"machine aws@{HOST} login aws password our-token"], {})
    assert look_up(text, HOST, home) == OURS
    assert look_up(text, f"aws@{HOST}", home) == OURS
    assert look_up(text, "example.com", home) is None


@pytest.mark.parametrize("name", [".netrc", "_netrc"])
def test_machines_of_the_user_are_kept(home: Path, name: str) -> None:
    """A missing final newline does not matter."""
    (home / name).write_text("machine example.com login me password mine")
    text = compose([LINE], {})
    assert look_up(text, HOST, home) == OURS
    assert look_up(text, "example.com", home) == ("me", "mine")


def test_our_token_wins_over_entries_of_the_user(home: Path) -> None:
    """It wins over an entry for our host and over a default entry."""
    (home / ".netrc").write_text(
        f"machine {HOST} login aws password stale\n"
        "machine example.com login me password mine\n"
        "default login anyone password else\n"
    )
    text = compose([LINE], {})
    assert look_up(text, HOST, home) == OURS
    assert first_entry(text, HOST) == "our-token"
    assert look_up(text, "example.com", home) == ("me", "mine")
    assert look_up(text, "other.example.com", home) == ("anyone", "else")


def test_macros_and_comments_of_the_user_do_not_hide_our_token(home: Path) -> None:
    (home / ".netrc").write_text(
        "# a comment\nmachine example.com login me password mine\n"
        f"macdef init\ncd /x\n\nmachine {HOST} login aws password stale\n"
    )
    text = compose([LINE], {})
    assert look_up(text, HOST, home) == OURS
    assert look_up(text, "example.com", home) == ("me", "mine")


GOOD = "machine good.example login me password mine\n"
DEFAULT = "default login anyone password else\n"


@pytest.mark.parametrize(
    ("content", "machine", "line"),
    [
        ("machine x.example login a password b protocol https\n", ("a", "b"), 0),
        (
            "machine x.example\n  login a\n  protocol https\n  port 443\n  password b\n",
            ("a", "b"),
            0,
        ),
        ("machine x.example protocol ftp login a password b\n", None, 0),
        ("#my own hosts, by name\nmachine x.example login a password b\n", ("a", "b"), 0),
        ("machine x.example user a password #b # c\n", ("a", "#b"), 0),
        ('machine x.example login "a b" password "c\\"d"\n', ("a b", 'c"d'), 0),
        ("macdef init\ncd /x\n\nmachine x.example login a password b\n", ("a", "b"), 0),
        ("machine x.example login a password b\nmacdef init\ncd /x\n\n", ("a", "b"), 0),
        ("machine x.example\nlogin a\nnonsense and more\npassword b\n", ("a", "b"), 3),
        ("my password is secret\nmachine x.example login a password b\n", ("a", "b"), 1),
        ("machine x.example login a password b and more\n", None, 1),
        ('machine x.example login a password "b\n', None, 1),
        ("machine x.example login a password b\\\n", None, 1),
        ("machine x.example login a password\n", None, 1),
        ("\nmachine\nlogin a password b\n", None, 2),
        ('machine "x.example\nlogin a password b\n', None, 1),
        ('machine "" login a password b\n', None, 1),
    ],
)
def test_a_line_that_python_cannot_read_is_left_out_with_a_warning(
    home: Path,
    content: str,
    machine: tuple[str, str] | None,
    line: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """All other entries are found, before and after that line."""
    if '"a b"' in content and sys.version_info < (3, 11):  # it does not read quotes
        machine, line = None, 1
    for text in (f"{GOOD}{content}{DEFAULT}", f"{content}{GOOD}{DEFAULT}"):
        (home / ".netrc").write_text(text, encoding="utf-8")
        composed = compose([LINE], {})
        assert look_up(composed, HOST, home) == OURS
        assert look_up(composed, "good.example", home) == ("me", "mine")
        assert look_up(composed, "other.example", home) == ("anyone", "else")
        assert look_up(composed, "x.example", home) == (machine or ("anyone", "else"))
        at = line + (text.startswith(GOOD) and bool(line))
        stderr = capsys.readouterr().err
        assert stderr.startswith(f"warning: {home}/.netrc, line {at}:" if line else "")
        assert bool(stderr) is bool(line)
        assert "secret" not in stderr


@pytest.mark.parametrize(
    ("first", "line"), [("\ufeff", 0), ("login a password b\n", 1), ("nonsense\n", 1)]
)
def test_text_before_the_first_machine_does_not_hide_it(
    home: Path, first: str, line: int, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / ".netrc").write_text(f"{first}{GOOD}", encoding="utf-8")
    assert look_up(compose([LINE], {}), "good.example", home) == ("me", "mine")
    assert (f"line {line}:" in capsys.readouterr().err) is bool(line)


def test_a_macro_without_an_end_is_reported_when_it_hides_machines(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / ".netrc").write_text(
        f"{GOOD}macdef init\ncd /x\nmachine x.example login a password b\n"
    )
    assert look_up(compose([], {}), "good.example", home) == ("me", "mine")
    assert "line 2:" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "kept"),
    [
        (b"machine x.example login caf\xe9 password x\n", False),
        (b"# caf\xe9\nmachine x.example login me password x\n", True),
        (b"\x00\xff\xfe\nmachine x.example login me password x\n", True),
    ],
)
def test_an_entry_that_is_not_utf_8_is_left_out(home: Path, content: bytes, kept: bool) -> None:
    """The other entries stay."""
    (home / ".netrc").write_bytes(GOOD.encode() + content)
    composed = compose([LINE], {})
    assert look_up(composed, HOST, home) == OURS
    assert look_up(composed, "good.example", home) == ("me", "mine")
    assert look_up(composed, "x.example", home) == (("me", "x") if kept else None)


@pytest.mark.skipif(os.name == "nt", reason="POSIX only")
@pytest.mark.parametrize("kind", ["folder", "fifo", "link", "locked", "missing", "device"])
def test_an_unreadable_netrc_is_a_warning(
    home: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Pip gets an empty file instead. A missing file causes no warning."""
    path = home / ".netrc"
    if kind == "folder":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "link":
        path.symlink_to(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "locked":
        if os.geteuid() == 0:
            pytest.skip("root may read everything")
        path.write_text(GOOD)
        path.chmod(0)
    found = run.compose_netrc([], run.users_netrc({}, Report()))
    stderr = capsys.readouterr().err
    if kind == "missing":
        assert (found, stderr) == (None, "")
    else:
        assert found == ""
        assert stderr.startswith(f"warning: {path} cannot be read: ")
    assert compose([LINE], {}) == f"{LINE}\n"


def test_netrc_variable_replaces_the_file_in_the_home(home: Path) -> None:
    (home / ".netrc").write_text("machine at-home.com login me password home\n")
    named = home / "work.netrc"
    environ = {"NETRC": str(named)}
    assert compose([LINE], environ) == f"{LINE}\n"
    assert compose([], environ) == ""
    named.write_text("machine at-work.com login me password work\n")
    text = compose([LINE], environ)
    assert look_up(text, "at-work.com", home) == ("me", "work")
    assert look_up(text, "at-home.com", home) is None


def test_netrc_variable_may_begin_with_a_tilde(home: Path) -> None:
    """Requests and pip expand it too."""
    (home / "work.netrc").write_text("machine at-work.com login me password work\n")
    text = compose([LINE], {"NETRC": "~/work.netrc"})
    assert look_up(text, "at-work.com", home) == ("me", "work")


words = st.sampled_from(
    ["machine", "default", "login", "password", "account", "macdef", HOST, "x", "#", '"', "\\"]
)
netrcs = st.one_of(
    st.text(),
    st.lists(st.one_of(words, st.text(max_size=3), st.sampled_from(["\n", "\n\n"]))).map(" ".join),
    st.lists(
        st.sampled_from(
            [
                "machine example.com login a password b\n",
                f"machine {HOST} login aws password stale\n",
                "default login c password d\n",
                "macdef m\nx\n\n",
                "# comment\n",
                "machine e.com\n\tlogin a\n\tpassword b\n",
            ]
        )
    ).map("".join),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(theirs=netrcs)
@example(theirs=f"machine {HOST} login")
@example(theirs=f"machine {HOST} login aws password stale\nmachine example.com password")
def test_our_token_is_found_whatever_the_user_file_contains(home: Path, theirs: str) -> None:
    (home / ".netrc").write_text(theirs, encoding="utf-8")
    assert look_up(compose([LINE], {}), HOST, home) == OURS
