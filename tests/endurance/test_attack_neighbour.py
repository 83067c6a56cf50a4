"""Attacks by another user of the same machine."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from support.programs import PIPENV_CA
from support.projects import PYPI_SOURCE, source, write_pipfile
from support.runs import Calls, StandIn, rewrite_token, started, until_exists, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from urllib.parse import SplitResult

    from support.users import User

NOBODY = 65534
pytestmark = [
    pytest.mark.endurance,
    pytest.mark.skipif(sys.platform == "win32", reason="users and modes as on POSIX"),
]
needs_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can be another user"
)


def as_neighbour(look: Callable[[], Any]) -> Any:
    """Run a function as another user in a child process; return its result."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            os.write(writer, json.dumps(look()).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as file:
        said = file.read()
    os.waitpid(child, 0)
    return json.loads(said)


def readable(paths: list[str]) -> dict[str, str]:
    """Return the readable files and folders with their content."""
    found = {}
    for path in paths:
        with contextlib.suppress(OSError):
            if os.path.isdir(path):
                found[path] = " ".join(os.listdir(path))
            else:
                found[path] = Path(path).read_bytes().decode("latin-1")
    return found


def answers_without_password(index: SplitResult) -> Iterator[list[Any]]:
    """Yield status and body of requests to an index with various hosts and logins."""
    for host in (index.netloc, "evil.example", f"localhost:{index.port}"):
        for login in (None, "Basic cGlwZW52LWNhOg==", "Bearer x", "Basic " + "A" * 70000):
            with contextlib.suppress(OSError, http.client.HTTPException):
                connection = http.client.HTTPConnection(index.netloc, timeout=5)
                heads = {"Host": host} | ({"Authorization": login} if login else {})
                connection.request("GET", "/simple/orb-common/", headers=heads)
                answer = connection.getresponse()
                yield [answer.status, answer.read().decode()]


@pytest.fixture
def open_way(tmp_path: Path) -> Iterator[None]:
    """Let other users enter the test's folder, so only its content is protected."""
    modes = {folder: stat.S_IMODE(folder.stat().st_mode) for folder in tmp_path.parents}
    for folder, mode in modes.items():
        folder.chmod(mode | 0o005)
    yield
    for folder, mode in modes.items():
        folder.chmod(mode)


@pytest.fixture
def user(user: User) -> User:
    """Return a user with a project of a private package."""
    own = source(user.sandbox.endpoint)
    write_pipfile(user.folder, PYPI_SOURCE, own, '[packages]\norb-common = "*"\n')
    return user


_LOOK = """
record["pipfile"] = open(os.environ["PIPENV_PIPFILE"]).read()
record["netrc"] = open(os.environ["NETRC"]).read()
record["mode"] = os.stat(os.environ["TMPDIR"]).st_mode & 0o777
"""


@needs_root
@pytest.mark.usefixtures("open_way")
def test_another_user_reads_no_secret_of_a_run(user: User, tmp_path: Path) -> None:
    sandbox, token = user.sandbox, user.token()
    over = tmp_path / "over"
    pipenv = StandIn(tmp_path / "bin", _LOOK, until_exists(over))
    env = user.env | {"PIPENV_CA_PIPENV": str(pipenv.path)}
    with started(PIPENV_CA, "lock", env=env, cwd=user.folder) as wrapper:
        record = pipenv.wait_until_run()
        (index,) = {word.strip('"') for word in record["pipfile"].split() if "http://127" in word}
        where = urlsplit(index)
        password = record["netrc"].split("login pipenv-ca password ")[1].split()[0]
        wait_for(lambda: sandbox.count("orb-common") > 0)  # the prefetched page
        before = sandbox.count("orb-common")

        def look() -> Any:
            lines = [f"/proc/{entry}/cmdline" for entry in os.listdir("/proc") if entry.isdecimal()]
            netrc, temporary = record["environ"]["NETRC"], record["environ"]["TMPDIR"]
            private = [netrc, os.path.dirname(netrc), temporary, env["PIPENV_CA_CACHE_DIR"]]
            private += [f"/proc/{pid}/environ" for pid in (wrapper.pid, record["pid"])]
            return [readable(lines), readable(private), [*answers_without_password(where)]]

        lines, private, answers = as_neighbour(look)
        asked = sandbox.count("orb-common") - before
        over.touch()
        assert wrapper.wait(60) == 0
    assert str(record["pid"]) in {path.split("/")[2] for path in lines}
    for secret in (token, password, token[:40]):
        assert not any(secret in line for line in lines.values())
    assert private == {}
    assert len(answers) >= 9
    assert {status for status, _ in answers} <= {401, 431}
    assert {body for status, body in answers if status == 401} == {""}
    assert asked == 0


PLANT: dict[str, Callable[[Path, Path], object]] = {
    "a link": lambda place, target: place.symlink_to(target),
    "a link to nowhere": lambda place, target: place.symlink_to(target.with_name("nowhere")),
    "a pipe": lambda place, _: os.mkfifo(place),
    "a folder": lambda place, _: place.mkdir(),
    "a file": lambda place, _: place.write_text("evil"),
}


@pytest.mark.parametrize("way", PLANT)
def test_planted_files_in_the_project_change_nothing(way: str, user: User, tmp_path: Path) -> None:
    target = tmp_path / "bashrc"
    target.write_text("mine")
    for name in ("lock", "0123456789ab", "0123456789ab.lock"):
        PLANT[way](user.folder / f".Pipfile.pipenv-ca-{name}", target)
    pipenv = StandIn(tmp_path / "bin")
    done = user.run("lock", env=user.env | {"PIPENV_CA_PIPENV": str(pipenv.path)})
    assert (done.status, pipenv.was_run) == (0, True), done.output
    assert target.read_text() == "mine"
    assert not (tmp_path / "nowhere").exists()
    if way in {"a pipe", "a file"}:
        assert {path.name for path in user.folder.iterdir()} == {"Pipfile"}


PLANTED = "eyJhbGciOiJkaXIifQ.planted.by.the.neighbour"


def _is_hard_link(kept: Path, other: Path) -> None:
    kept.rename(other)
    os.chown(other, NOBODY, NOBODY)
    os.link(other, kept)


UNSAFE: dict[str, Callable[[Path, Path], object]] = {
    "a hard link to his": _is_hard_link,
    "his folder": lambda kept, _: os.chown(kept.parent, NOBODY, NOBODY),
    "a folder for everybody": lambda kept, _: kept.parent.chmod(0o777),
}


@pytest.mark.parametrize(
    "way", [pytest.param(way, marks=needs_root if "his" in way else ()) for way in UNSAFE]
)
def test_a_planted_token_is_not_used(way: str, user: User, tmp_path: Path) -> None:
    folder = Path(user.env["PIPENV_CA_CACHE_DIR"])
    user.token()
    (kept,) = folder.glob("*.json")
    rewrite_token(kept, token=PLANTED)
    assert user.token() == PLANTED  # the file is valid
    UNSAFE[way](kept, tmp_path / "other")
    calls = Calls(user.sandbox)
    got = user.token()
    assert got != PLANTED
    assert calls.count() == 1
    if "folder" in way:  # the new token is not stored in an unsafe folder
        assert not any(got in path.read_text() for path in folder.glob("*.json"))


@needs_root
def test_planted_temporary_folders_change_nothing(user: User, tmp_path: Path) -> None:
    temporary = Path(user.env["TMPDIR"])
    temporary.chmod(0o1777)
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "kept").write_text("kept")
    for number in (1, 2):
        (temporary / f"pipenv-ca-{number:016}").symlink_to(victim)
        (temporary / f"pipenv-ca-{number:016}.lock").touch()
    his = temporary / f"pipenv-ca-{1:016}.lock"
    os.chown(his, NOBODY, NOBODY)
    (temporary / f"pipenv-ca-{3:016}.lock").symlink_to(victim / "kept")
    pipenv = StandIn(tmp_path / "bin", _LOOK)
    assert user.run("lock", env=user.env | {"PIPENV_CA_PIPENV": str(pipenv.path)}).status == 0
    assert (victim / "kept").read_text() == "kept"
    assert his.exists()
    assert pipenv.record["mode"] == 0o700
    assert not Path(pipenv.record["environ"]["TMPDIR"]).exists()


@needs_root
def test_a_planted_saved_login_is_not_restored(user: User, home: Path) -> None:
    folder = home / ".local" / "state" / "codeartifact-pipenv" / "logins"
    folder.mkdir(parents=True)
    target = home / ".netrc"
    target.write_text("machine mine login me password x\n")
    document = {"version": 1, "tool": "netrc", "path": str(target), "base": "ZXZpbA=="}
    document |= {"mode": 0o644, "written": "", "entries": [], "expires_at": None}
    name = hashlib.sha256(os.path.realpath(target).encode()).hexdigest()
    (folder / f"{name}.json").write_text(json.dumps(document))
    for path in (folder, folder / f"{name}.json"):
        os.chown(path, NOBODY, NOBODY)
    done = user.run("logout")
    assert "Traceback" not in done.stderr
    assert target.read_text() == "machine mine login me password x\n"
