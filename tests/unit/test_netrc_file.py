"""The netrc file for one run: ours is found, and the user's own is not lost."""

from __future__ import annotations

import netrc
import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from codeartifact_pipenv.wrapper.netrc_file import compose

if TYPE_CHECKING:
    from pathlib import Path

HOST = "my-dom-123456789012.d.codeartifact.eu-west-1.amazonaws.com"
LINE = f"machine {HOST} login aws password our-token"
OURS = ("aws", "our-token")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def look_up(text: str, host: str, folder: Path) -> tuple[str, str] | None:
    """Ask Python's netrc module, as requests and pip do."""
    path = folder / "composed"
    path.write_text(text, encoding="utf-8")
    found = netrc.netrc(str(path)).authenticators(host)
    return None if found is None else (found[0], found[2] or "")


def first_entry(text: str, host: str) -> str | None:
    """Find a password as readers do that stop at the first entry, such as curl."""
    words = text.split()
    for at, word in enumerate(words[:-1]):
        if (word == "machine" and words[at + 1] == host) or word == "default":
            return words[words.index("password", at) + 1]
    return None


def test_without_a_netrc_of_the_user(home: Path) -> None:
    """Alone, the file holds our lines."""
    text = compose([LINE, f"machine aws@{HOST} login aws password our-token"], {})
    assert look_up(text, HOST, home) == OURS
    assert look_up(text, f"aws@{HOST}", home) == OURS
    assert look_up(text, "example.com", home) is None


@pytest.mark.parametrize("name", [".netrc", "_netrc"])
def test_users_machines_survive(home: Path, name: str) -> None:
    """The user's other machines are found as before, also without a final newline."""
    (home / name).write_text("machine example.com login me password mine")
    text = compose([LINE], {})
    assert look_up(text, HOST, home) == OURS
    assert look_up(text, "example.com", home) == ("me", "mine")


def test_same_machine_and_default(home: Path) -> None:
    """Our token wins over the user's entry for our host, and over a default entry."""
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


def test_macros_and_comments(home: Path) -> None:
    """Comments and macros of the user's file do no harm to our lines."""
    (home / ".netrc").write_text(
        "# a comment\nmachine example.com login me password mine\n"
        f"macdef init\ncd /x\n\nmachine {HOST} login aws password stale\n"
    )
    text = compose([LINE], {})
    assert look_up(text, HOST, home) == OURS
    assert look_up(text, "example.com", home) == ("me", "mine")


@pytest.mark.parametrize(
    "content",
    [
        b"machine",
        b"nonsense here",
        b"login me password mine",
        b"machine example.com login caf\xe9 password x\n",
        b"\x00\xff\xfe",
    ],
)
def test_broken_netrc(home: Path, content: bytes) -> None:
    """A file that Python's netrc cannot read is left out, so that ours can be read."""
    (home / ".netrc").write_bytes(content)
    text = compose([LINE], {})
    assert text == f"{LINE}\n"
    assert look_up(text, HOST, home) == OURS


def test_netrc_variable(home: Path) -> None:
    """NETRC names the user's file in place of the one in the home."""
    (home / ".netrc").write_text("machine at-home.com login me password home\n")
    named = home / "work.netrc"
    environ = {"NETRC": str(named)}
    assert compose([LINE], environ) == f"{LINE}\n"
    named.write_text("machine at-work.com login me password work\n")
    text = compose([LINE], environ)
    assert look_up(text, "at-work.com", home) == ("me", "work")
    assert look_up(text, "at-home.com", home) is None


def test_netrc_variable_with_tilde(home: Path) -> None:
    """NETRC may begin with ~, as requests and pip read it."""
    (home / "work.netrc").write_text("machine at-work.com login me password work\n")
    text = compose([LINE], {"NETRC": "~/work.netrc"})
    assert look_up(text, "at-work.com", home) == ("me", "work")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="POSIX only")
def test_folder_in_place_of_the_file(home: Path) -> None:
    """A folder of that name is no netrc."""
    (home / ".netrc").mkdir()
    assert compose([LINE], {}) == f"{LINE}\n"


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
def test_ours_is_found_whatever_theirs_says(home: Path, theirs: str) -> None:
    """Whatever the user's file says, our token is the one for our host."""
    (home / ".netrc").write_text(theirs, encoding="utf-8")
    assert look_up(compose([LINE], {}), HOST, home) == OURS
