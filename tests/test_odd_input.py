"""Files, folders, answers and words that nobody expects: one sentence, and no traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.skipif(os.name == "nt", reason="devices and pipes are POSIX matters")

PROGRAM = str(Path(sys.executable).parent / "pipenv-ca")
HOST = "acme-111122223333.d.codeartifact.eu-west-1.amazonaws.com"
PIPFILE = f"""\
[[source]]
name = "codeartifact"
url = "https://aws:${{CODEARTIFACT_AUTH_TOKEN}}@{HOST}/pypi/main/simple/"
verify_ssl = true
"""
FAULTS = ("at fault", "Traceback", "Exception ignored")
LOCK = ["--ca-pipenv", "/bin/true", "lock"]


class Ended(NamedTuple):
    """What became of a process."""

    status: int
    printed: str
    said: str


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a repository, and a home beside it."""
    folder = tmp_path / "project"
    folder.mkdir()
    (tmp_path / "home").mkdir()
    (folder / "Pipfile").write_text(PIPFILE)
    return folder


@pytest.fixture
def ends(tmp_path: Path) -> Callable[..., Ended]:
    """Run pipenv-ca with bounded memory and time."""

    def ended(folder: Path | bytes, *words: str, before: str = "", **environ: str) -> Ended:
        own = {"HOME": str(tmp_path / "home"), "PATH": os.environ["PATH"]}
        done = subprocess.run(
            ["/bin/sh", "-c", f'{before} ulimit -v 2000000; exec "$@"', "sh", PROGRAM, *words],
            env={"CODEARTIFACT_AUTH_TOKEN": "e30.x", **own, **environ},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=120,
            check=False,
        )
        assert not any(fault in done.stderr for fault in FAULTS), done.stderr
        return Ended(done.returncode, done.stdout, done.stderr)

    return ended


def sparse(path: Path) -> None:
    """Make a file that is larger than any lock, and takes no room."""
    with path.open("wb") as file:
        file.truncate(80 << 20)


NO_FILES: dict[str, Callable[[Path], object]] = {
    "device": lambda path: path.symlink_to("/dev/zero"),
    "pipe": os.mkfifo,
    "folder": Path.mkdir,
    "loop": lambda path: path.symlink_to(path),
    "large": sparse,
}


@pytest.mark.wide
@pytest.mark.parametrize("kind", NO_FILES)
@pytest.mark.parametrize("name", ["Pipfile", "Pipfile.lock"])
def test_no_file(name: str, kind: str, project: Path, ends: Callable[..., Ended]) -> None:
    """What is not a file of a sensible size is named, neither read nor waited for."""
    (project / name).unlink(missing_ok=True)
    NO_FILES[kind](project / name)
    for words in (["lint"], LOCK):
        ended = ends(project, *words)
        assert ended.status == 2
        assert f"{name} is not a file" in ended.said or f"{name} cannot be read: " in ended.said


@pytest.mark.parametrize("kind", ["device", "pipe", "folder"])
def test_pylock_is_no_file(kind: str, project: Path, ends: Callable[..., Ended]) -> None:
    """A pylock.toml at which pipenv would hang is refused."""
    NO_FILES[kind](project / "pylock.toml")
    ended = ends(project, *LOCK)
    assert (ended.status, "pylock.toml is not a file" in ended.said) == (2, True)


DEEP = {
    "arrays": "a = " + "[" * 600 + "]" * 600,
    "more arrays": "a = " + "[" * 100_000,
    "inline tables": "a = " + "{a = " * 300 + "1" + "}" * 300,
    "dotted key": ".".join(["a"] * 600) + " = 1",
    "longer dotted key": "x." * 100_000 + "x = 1",
    "quoted parts": '"a" . ' * 100_000 + "b = 1",
    "dotted table": "[packages." + ".".join(["a"] * 100_000) + "]",
    "dotted key in a table": "b = {" + ".".join(["a"] * 50_000) + " = 1}",
}


@pytest.mark.wide
@pytest.mark.parametrize("kind", DEEP)
def test_deep_toml(kind: str, project: Path, ends: Callable[..., Ended]) -> None:
    """A Pipfile and a pylock may be nested as deeply as they like: it is said, and at once."""
    (project / "Pipfile").write_text(f"{DEEP[kind]}\n")
    ended = ends(project, *LOCK)
    assert ended.status == 2
    assert "Pipfile is not valid TOML: it is nested too deeply." in ended.said
    (project / "pylock.toml").write_text(f"{DEEP[kind]}\n")
    printed = ends(project, "lint").printed
    assert printed.count("is not valid TOML: it is nested too deeply.") == 2


@pytest.mark.parametrize(
    "text",
    [
        "[tool.codeartifact-pipenv]\nprivate-packages = [",
        "[tool.codeartifact-pipenv]\n" + "a." * 100_000 + "b = 1",
        "[tool.codeartifact-pipenv]\na = " + "9" * 5_000,
    ],
)
def test_settings_that_cannot_be_read(text: str, project: Path, ends: Callable[..., Ended]) -> None:
    """Settings of a project are not passed over because another part of the file is broken."""
    (project / "pyproject.toml").write_text(text)
    ended = ends(project, *LOCK)
    assert (ended.status, "pyproject.toml cannot be read: " in ended.said) == (2, True)
    (project / "pyproject.toml").write_text(text.replace("codeartifact-pipenv", "other"))
    assert "pyproject.toml" not in ends(project, *LOCK).said


@pytest.mark.parametrize("name", [b"\xff", b"caf\xe9", b"\xe2\x82"])
def test_folder_that_is_not_utf_8(name: bytes, tmp_path: Path, ends: Callable[..., Ended]) -> None:
    """A folder in which pipenv cannot work is named; what needs no pipenv works there."""
    folder = os.path.join(os.fsencode(tmp_path), name)
    os.mkdir(folder)
    (tmp_path / "home").mkdir()
    with open(os.path.join(folder, b"Pipfile"), "w") as pipfile:
        pipfile.write(PIPFILE)
    ended = ends(folder, *LOCK)
    assert (ended.status, "its name is not UTF-8" in ended.said) == (2, True)
    assert [ends(folder, *words).status for words in (["lint"], ["token"], ["env"])] == [0, 0, 0]


@pytest.mark.parametrize(
    "words", [["lint"], ["env", f"https://{HOST}/pypi/main/"], LOCK, ["lint", "a"]]
)
def test_folder_that_is_gone(words: list[str], project: Path, ends: Callable[..., Ended]) -> None:
    """A working directory that has been removed is said to be, whatever is asked for."""
    ended = ends(project, *words, before='rm -r "$PWD";')
    assert ended.status == 2
    assert "This folder cannot be read" in ended.said or "a does not exist." in ended.said


@pytest.mark.parametrize("home", ["", "relative", "/nowhere/at/all", "/dev/null"])
def test_no_home(home: str, project: Path, ends: Callable[..., Ended]) -> None:
    """Without a usable home a token is printed; a login, which needs one, says so."""
    gone = "unset XDG_CONFIG_HOME;"
    assert ends(project, "token", before=gone, HOME=home).printed == "e30.x\n"
    if os.geteuid() != 0 or home in {"relative", "/dev/null"}:
        ended = ends(project, "login", "pip", before=gone, HOME=home)
        assert (ended.status, ended.said.startswith("error: ")) == (2, True)


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (["--json", "doctor", "--offline"], "--json"),
        (["--bogus", "lint"], "--bogus"),
        (["--python", "3.12", "token"], "--python"),
        (["-v", "--ca-verbose", "env"], "-v"),
    ],
)
def test_options_before_a_verb(
    words: list[str], option: str, project: Path, ends: Callable[..., Ended]
) -> None:
    """An option that would have no effect is refused."""
    ended = ends(project, *words)
    assert (ended.status, ended.printed) == (2, "")
    assert f"error: {option} stands before " in ended.said


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("PIPENV_CA_PROFIL", "did you mean PIPENV_CA_PROFILE?"),
        ("PIPENV_CA_PRIVATE_PACKAGE", "did you mean PIPENV_CA_PRIVATE_PACKAGES?"),
        ("PIPENV_CA_NOCACHE", "did you mean PIPENV_CA_NO_CACHE?"),
        ("PIPENV_CA_ZZZ", "see `pipenv-ca --ca-help`."),
    ],
)
def test_misspelt_variable(
    name: str, meant: str, project: Path, ends: Callable[..., Ended]
) -> None:
    """A variable that looks like a setting and is not one is told, with the nearest one."""
    for words in (["lint"], LOCK):
        ended = ends(project, *words, **{name: "x"})
        sentence = f"warning: {name} is not a setting, and has no effect; {meant}\n"
        assert (ended.status, ended.said.count(sentence)) == (0, 1)
    assert "warning" not in ends(project, "lint", PIPENV_CA_CONFIG="", PIPENV_CA_NO_CACHE="1").said


@pytest.mark.parametrize("word", ["acme/utils", "acme utils", "acme-"])
def test_neither_name_nor_url(word: str, project: Path, ends: Callable[..., Ended]) -> None:
    """A word that is not a package's name is not called an endpoint."""
    ended = ends(project, "packages", "--", word)
    assert ended.status == 2
    assert "is neither the name of a package nor the URL of an index." in ended.said


def token(value: object = "abc.def", expiration: object = None) -> bytes:
    """Return what AWS answers to GetAuthorizationToken."""
    end = time.time() + 3600 if expiration is None else expiration
    return json.dumps({"authorizationToken": value, "expiration": end}).encode()


ERROR_RESPONSES = {
    "list": b"[]",
    "list of objects": b'[{"authorizationToken": "abc"}]',
    "number": b"7",
    "null": b"null",
    "nothing": b"",
    "text": b'"abc"',
    "object": b"{}",
    "HTML": b"<html><body>Log in</body></html>",
    "bytes": b"\xff\xfe\x00",
    "deep": b"[" * 5_000 + b"]" * 5_000,
    "token: number": token(7),
    "token: list": token(["abc"]),
    "token: null": token(None),
    "token: nothing": token(""),
    "token: long": token("a" * 1_000_000),
    "token: line break": token("ab\ncd"),
    "token: blank": token("ab cd"),
    "token: escape": token("ab\x1b[2Jcd"),
    "token: letter": token("ab\N{LATIN SMALL LETTER E WITH ACUTE}"),
    "token: half a pair": b'{"authorizationToken": "a\\ud800", "expiration": 4000000000}',
    "end: missing": b'{"authorizationToken": "abc"}',
    "end: past": token(expiration=time.time() - 10),
    "end: year 9999": token(expiration=253402300799),
    "end: beyond": token(expiration=1e300),
    "end: negative": token(expiration=-1e12),
    "end: text": token(expiration="soon"),
    "end: list": token(expiration=[1]),
    "end: digits": b'{"authorizationToken": "abc", "expiration": %s}' % (b"9" * 9_000),
}


@pytest.fixture(scope="module")
def aws() -> Iterator[Any]:
    """Serve whatever ``aws.body`` is to every request."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(server.body)))  # type: ignore[attr-defined]
            self.end_headers()
            self.wfile.write(server.body)  # type: ignore[attr-defined]

        do_GET = do_POST  # noqa: N815 - the library's name

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def asks(aws: Any, project: Path, ends: Callable[..., Ended]) -> Callable[..., Ended]:
    """Run a verb to whose calls AWS answers something."""

    def asked(answer: bytes, *words: str) -> Ended:
        aws.body = answer
        return ends(
            project,
            *words,
            AWS_ENDPOINT_URL=f"http://127.0.0.1:{aws.server_port}",
            AWS_ACCESS_KEY_ID="AKIAIOSFODNN7EXAMPLE",
            AWS_SECRET_ACCESS_KEY="x" * 40,
            CODEARTIFACT_AUTH_TOKEN="",
            NO_PROXY="127.0.0.1",
        )

    return asked


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(k, marks=[] if i % 7 == 0 else pytest.mark.wide)
        for i, k in enumerate(ERROR_RESPONSES)
    ],
)
def test_garbled_token(kind: str, asks: Callable[..., Ended]) -> None:
    """An answer of AWS that is no token is said to be garbled, and goes nowhere."""
    ended = asks(ERROR_RESPONSES[kind], "token")
    assert (ended.status, ended.printed) == (1, "")
    assert "is broken off or garbled. [service-fault]" in ended.said


def test_good_token(asks: Callable[..., Ended]) -> None:
    """The same server's proper answer is a token."""
    assert asks(token("abc.def"), "token").printed == "abc.def\n"


@pytest.mark.parametrize("kind", ["list", "object", "HTML"])
def test_garbled_caller(kind: str, asks: Callable[..., Ended]) -> None:
    """So is an answer of STS that names no account."""
    ended = asks(ERROR_RESPONSES[kind], "token", "--domain", "acme", "--region", "eu-west-1")
    assert (ended.status, ended.printed) == (1, "")
    assert (
        "request for the caller's account is broken off or garbled. [service-fault]" in ended.said
    )


@pytest.mark.parametrize("kind", ["list", "null", "deep"])
def test_garbled_listing(kind: str, asks: Callable[..., Ended]) -> None:
    """So is one that should list packages."""
    ended = asks(ERROR_RESPONSES[kind], "packages")
    assert (ended.status, "is broken off or garbled. [service-fault]" in ended.said) == (1, True)


@pytest.mark.parametrize("kind", ["list", "object", "HTML"])
def test_garbled_resources(kind: str, asks: Callable[..., Ended]) -> None:
    """So is one that should say what there is to provision."""
    words = "provision --dry-run --domain acme --domain-owner 111122223333 --region eu-west-1"
    ended = asks(ERROR_RESPONSES[kind], *words.split(), "--repository", "main")
    assert (ended.status, "is broken off or garbled. [service-fault]" in ended.said) == (1, True)


@pytest.mark.wide
@pytest.mark.parametrize("kind", ["list", "null", "object", "HTML", "deep"])
def test_doctor_knows_nothing(kind: str, asks: Callable[..., Ended]) -> None:
    """What doctor is not told it does not know; it neither guesses nor breaks."""
    ended = asks(ERROR_RESPONSES[kind], "doctor")
    assert ended.status == 1
    assert "denied" not in ended.printed
