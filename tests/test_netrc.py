"""The netrc file of a run has our token and the entries of the user's that Python can read."""

from __future__ import annotations

import netrc
import os
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from support.runs import StandIn
from support.workspace import Workspace

from codeartifact_pipenv.report import Report
from codeartifact_pipenv.wrapper import run

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from support.clients import Clients

    from codeartifact_pipenv.sandbox.sandbox import Sandbox

HOST = "my-dom-123456789012.d.codeartifact.eu-west-1.amazonaws.com"
LINE = f"machine {HOST} login aws password our-token"
OURS = ("aws", "our-token")
GOOD = "machine good.example login me password mine\n"
STALE = f"machine {HOST} login aws password stale\n"
DEFAULT = "default login anyone password else\n"


@pytest.fixture(autouse=True)
def in_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compose the netrc in an empty home."""
    monkeypatch.setenv("HOME", str(home))


def compose(environ: Mapping[str, str] | None = None, lines: Sequence[str] = (LINE,)) -> str | None:
    """Return the text of the netrc of a run."""
    return run.compose_netrc(lines, run.users_netrc(environ or {}, Report()))


def look_up(text: str | None, host: str, folder: Path) -> tuple[str, str] | None:
    """Look up a host with the netrc module of Python, as requests and pip do."""
    path = folder / "composed"
    path.write_text(text or "", encoding="utf-8")
    found = netrc.netrc(str(path)).authenticators(host)
    return None if found is None else (found[0], found[2] or "")


def test_netrc_holds_only_our_lines_when_the_user_has_no_netrc(home: Path) -> None:
    text = compose(lines=[LINE, f"machine aws@{HOST} login aws password our-token"])
    assert look_up(text, HOST, home) == look_up(text, f"aws@{HOST}", home) == OURS
    assert look_up(text, "example.com", home) is None
    assert compose(lines=[]) is None


@pytest.mark.parametrize("name", [".netrc", "_netrc"])
def test_our_token_wins_over_entries_of_the_user_which_are_kept(home: Path, name: str) -> None:
    (home / name).write_text(f"{STALE}{GOOD}{DEFAULT}".rstrip())
    text = compose()
    assert look_up(text, HOST, home) == OURS
    assert look_up(text, "good.example", home) == ("me", "mine")
    assert look_up(text, "other.example.com", home) == ("anyone", "else")
    # curl and other programs stop at the first entry.
    assert text is not None
    assert "stale" not in text.partition("our-token")[0]
    assert "default" not in text.partition("our-token")[0]


AB = "machine x.example login a password b"


@pytest.mark.parametrize(
    ("content", "machine", "line"),
    [
        (f"{AB.replace(' ', chr(10))}\n  protocol https\n  port 443\n", ("a", "b"), 0),
        ("machine x.example protocol ftp login a password b\n", None, 0),
        (f"#my own hosts, by name\n{AB}\n", ("a", "b"), 0),
        ('machine x.example login "a b" password "c\\"d"\n', ("a b", 'c"d'), 0),
        (f"macdef init\ncd /x\n\n{AB}\n", ("a", "b"), 0),
        ("machine x.example\nlogin a\nnonsense and more\npassword b\n", ("a", "b"), 3),
        (f"my password is secret\n{AB}\n", ("a", "b"), 1),
        (f"{AB} and more\n", None, 1),
        ('machine x.example login a password "b\n', None, 1),
        (f"{AB}\\\n", None, 1),
        ("\nmachine\nlogin a password b\n", None, 2),
        ('machine "" login a password b\n', None, 1),
        (b"machine x.example login caf\xe9 password x\n", None, 1),
        (b"# caf\xe9 \x00\xff\xfe\n" + AB.encode() + b"\n", ("a", "b"), 0),
    ],
)
def test_an_entry_that_python_cannot_read_is_left_out_with_a_warning(
    home: Path,
    content: str | bytes,
    machine: tuple[str, str] | None,
    line: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    theirs = content if isinstance(content, bytes) else content.encode()
    if b'"a b"' in theirs and sys.version_info < (3, 11):  # it does not read quotes
        machine, line = None, 1
    for first, last in ((GOOD, ""), ("", GOOD)):
        (home / ".netrc").write_bytes(first.encode() + theirs + f"{last}{DEFAULT}".encode())
        composed = compose()
        assert look_up(composed, HOST, home) == OURS
        assert look_up(composed, "good.example", home) == ("me", "mine")
        assert look_up(composed, "other.example", home) == ("anyone", "else")
        assert look_up(composed, "x.example", home) == (machine or ("anyone", "else"))
        stderr = capsys.readouterr().err
        at = line + bool(first)
        assert stderr.startswith(f"warning: {home}/.netrc, line {at}:" if line else "")
        assert bool(stderr) is bool(line)
        assert "secret" not in stderr


@pytest.mark.parametrize(
    ("first", "last", "line"),
    [("\ufeff", "", 0), ("login a password b\n", "", 1), ("", f"macdef without an end\n{AB}\n", 2)],
)
def test_text_around_a_machine_does_not_hide_it(
    home: Path, first: str, last: str, line: int, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / ".netrc").write_text(f"{first}{GOOD}{last}", encoding="utf-8")
    assert look_up(compose(), "good.example", home) == ("me", "mine")
    stderr = capsys.readouterr().err
    assert f"line {line}:" in stderr if line else stderr == ""


@pytest.mark.skipif(os.name == "nt", reason="POSIX only")
@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo])
def test_an_unreadable_netrc_is_a_warning(
    make: Callable[[Path], object], home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = home / ".netrc"
    make(path)
    assert compose(lines=[]) == ""
    assert capsys.readouterr().err.startswith(f"warning: {path} cannot be read: ")
    assert compose() == f"{LINE}\n"


@pytest.mark.parametrize("named", ["{home}/work.netrc", "~/work.netrc"])
def test_netrc_variable_replaces_the_file_in_the_home(named: str, home: Path) -> None:
    (home / ".netrc").write_text("machine at-home.com login me password home\n")
    environ = {"NETRC": named.format(home=home)}
    assert compose(environ) == f"{LINE}\n"
    (home / "work.netrc").write_text("machine at-work.com login me password work\n")
    text = compose(environ)
    assert look_up(text, "at-work.com", home) == ("me", "work")
    assert look_up(text, "at-home.com", home) is None


words = st.sampled_from(
    ["machine", "default", "login", "password", "account", "macdef", HOST, "x", "#", '"', "\\"]
)
entries = [GOOD, STALE, DEFAULT, "macdef m\nx\n\n", "# comment\n"]
netrcs = st.one_of(
    st.text(),
    st.lists(words | st.text(max_size=3) | st.sampled_from(["\n", "\n\n"])).map(" ".join),
    st.lists(st.sampled_from(entries)).map("".join),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(theirs=netrcs)
@example(theirs=f"machine {HOST} login")
@example(theirs=f"{STALE}machine example.com password")
def test_our_token_is_found_whatever_the_user_file_contains(home: Path, theirs: str) -> None:
    (home / ".netrc").write_text(theirs, encoding="utf-8")
    assert look_up(compose(), HOST, home) == OURS


# --- whole commands ----------------------------------------------------------------------

MINE = "machine mine.example login me password mine\n"
PROTOCOL = f"{MINE}machine git.example\n  login a\n  protocol https\n  password b\n"
PIP = "run pip install --force-reinstall orb-common"
DIRECT = ("sync", "install --deploy", "install --ignore-pipfile", "--ca-route as-written lock", PIP)


@pytest.fixture
def work(sandbox: Sandbox, sandbox_env: dict[str, str], project: Path) -> Workspace:
    workspace = Workspace(sandbox, sandbox_env, project)
    workspace.pipfile('orb-common = "*"')
    return workspace


@pytest.mark.wide
@pytest.mark.parametrize(
    ("version", "commands"), [("newest", DIRECT), ("2023.12.1", ["sync", PIP])]
)
def test_commands_work_and_warn_of_an_unreadable_line(
    version: str, commands: list[str], work: Workspace, home: Path, clients: Clients
) -> None:
    path = home / ".netrc"
    path.write_text(f'{MINE}machine git.example login a password "b\n')
    work.env["PIPENV_CA_PIPENV"] = str(clients.pipenv(version))
    for words in ("lock", *commands):
        done = work.run(*words.split())
        assert done.status == 0, (words, done.output)
        assert done.stderr.count(f"{path}, line 2: ") == 1, done.stderr


READ = """
path = os.environ.get('NETRC')
record['netrc'] = [open(path).read(), os.stat(path).st_mode, path] if path else None
"""


@pytest.mark.parametrize("where", ["home", "NETRC", "none"])
def test_pipenv_gets_a_private_copy_of_the_readable_netrc_lines(
    where: str, work: Workspace, home: Path, tmp_path: Path
) -> None:
    (work.folder / "Pipfile.lock").write_text('{"_meta": {}, "default": {}, "develop": {}}')
    pipenv = StandIn(tmp_path / "stand-in", READ)
    work.env["PIPENV_CA_PIPENV"] = str(pipenv.path)
    path = home / ".netrc" if where == "home" else tmp_path / "mine"
    path.write_text(PROTOCOL)
    path.chmod(0o600)
    if where == "NETRC":
        work.env["NETRC"] = str(path)
        (home / ".netrc").write_text("machine other.example login a password b\n")
    assert work.run("sync").status == 0
    if where == "none":
        assert pipenv.record["netrc"] is None
        return
    text, mode, copy = pipenv.record["netrc"]
    assert text == f"{MINE}machine git.example login a password b\n"
    assert stat.S_IMODE(mode) == 0o600
    assert copy != str(path)
    assert not os.path.lexists(copy)
