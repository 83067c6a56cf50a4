"""Unexpected files, folders, responses and arguments give an error without a traceback."""

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
    """Exit status and output of a process."""

    status: int
    stdout: str
    stderr: str


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a repository, and a home next to it."""
    folder = tmp_path / "project"
    folder.mkdir()
    (tmp_path / "home").mkdir()
    (folder / "Pipfile").write_text(PIPFILE)
    return folder


@pytest.fixture
def invoke(tmp_path: Path) -> Callable[..., Ended]:
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
    """Create a file that is larger than any lock but uses no disk space."""
    with path.open("wb") as file:
        file.truncate(80 << 20)


NOT_FILES: dict[str, Callable[[Path], object]] = {
    "device": lambda path: path.symlink_to("/dev/zero"),
    "pipe": os.mkfifo,
    "folder": Path.mkdir,
    "loop": lambda path: path.symlink_to(path),
    "large": sparse,
}


@pytest.mark.wide
@pytest.mark.parametrize("kind", NOT_FILES)
@pytest.mark.parametrize("name", ["Pipfile", "Pipfile.lock"])
def test_pipfile_or_lock_that_is_not_a_normal_file_is_refused(
    name: str, kind: str, project: Path, invoke: Callable[..., Ended]
) -> None:
    (project / name).unlink(missing_ok=True)
    NOT_FILES[kind](project / name)
    for words in (["lint"], LOCK):
        ended = invoke(project, *words)
        assert ended.status == 2
        assert f"{name} is not a file" in ended.stderr or f"{name} cannot be read: " in ended.stderr


@pytest.mark.parametrize("kind", ["device", "pipe", "folder"])
def test_pylock_that_is_not_a_file_is_refused(
    kind: str, project: Path, invoke: Callable[..., Ended]
) -> None:
    NOT_FILES[kind](project / "pylock.toml")
    ended = invoke(project, *LOCK)
    assert (ended.status, "pylock.toml is not a file" in ended.stderr) == (2, True)


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
def test_toml_that_is_nested_too_deeply_is_reported(
    kind: str, project: Path, invoke: Callable[..., Ended]
) -> None:
    (project / "Pipfile").write_text(f"{DEEP[kind]}\n")
    ended = invoke(project, *LOCK)
    assert ended.status == 2
    assert "Pipfile is not valid TOML: it is nested too deeply." in ended.stderr
    (project / "pylock.toml").write_text(f"{DEEP[kind]}\n")
    printed = invoke(project, "lint").stdout
    assert printed.count("is not valid TOML: it is nested too deeply.") == 2


@pytest.mark.parametrize(
    "text",
    [
        "[tool.codeartifact-pipenv]\nprivate-packages = [",
        "[tool.codeartifact-pipenv]\n" + "a." * 100_000 + "b = 1",
        "[tool.codeartifact-pipenv]\na = " + "9" * 5_000,
    ],
)
def test_settings_that_cannot_be_read_are_an_error(
    text: str, project: Path, invoke: Callable[..., Ended]
) -> None:
    """A broken pyproject.toml without settings for pipenv-ca is ignored."""
    (project / "pyproject.toml").write_text(text)
    ended = invoke(project, *LOCK)
    assert (ended.status, "pyproject.toml cannot be read: " in ended.stderr) == (2, True)
    (project / "pyproject.toml").write_text(text.replace("codeartifact-pipenv", "other"))
    assert "pyproject.toml" not in invoke(project, *LOCK).stderr


@pytest.mark.wide
@pytest.mark.parametrize("name", [b"\xff", b"caf\xe9", b"\xe2\x82"])
def test_lock_is_refused_in_a_folder_whose_name_is_not_utf_8(
    name: bytes, tmp_path: Path, invoke: Callable[..., Ended]
) -> None:
    """Commands that do not need pipenv work there."""
    folder = os.path.join(os.fsencode(tmp_path), name)
    os.mkdir(folder)
    (tmp_path / "home").mkdir()
    with open(os.path.join(folder, b"Pipfile"), "w") as pipfile:
        pipfile.write(PIPFILE)
    ended = invoke(folder, *LOCK)
    assert (ended.status, "its name is not UTF-8" in ended.stderr) == (2, True)
    assert [invoke(folder, *words).status for words in (["lint"], ["token"], ["env"])] == [0, 0, 0]


@pytest.mark.parametrize(
    "words", [["lint"], ["env", f"https://{HOST}/pypi/main/"], LOCK, ["lint", "a"]]
)
def test_removed_working_directory_is_an_error(
    words: list[str], project: Path, invoke: Callable[..., Ended]
) -> None:
    ended = invoke(project, *words, before='rm -r "$PWD";')
    assert ended.status == 2
    assert "This folder cannot be read" in ended.stderr or "a does not exist." in ended.stderr


@pytest.mark.parametrize("home", ["", "relative", "/nowhere/at/all", "/dev/null"])
def test_token_works_without_a_home_and_login_fails(
    home: str, project: Path, invoke: Callable[..., Ended]
) -> None:
    gone = "unset XDG_CONFIG_HOME;"
    assert invoke(project, "token", before=gone, HOME=home).stdout == "e30.x\n"
    if os.geteuid() != 0 or home in {"relative", "/dev/null"}:
        ended = invoke(project, "login", "pip", before=gone, HOME=home)
        assert (ended.status, ended.stderr.startswith("error: ")) == (2, True)


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (["--json", "doctor", "--offline"], "--json"),
        (["--bogus", "lint"], "--bogus"),
        (["--python", "3.12", "token"], "--python"),
        (["-v", "--ca-verbose", "env"], "-v"),
    ],
)
def test_option_before_the_verb_is_refused(
    words: list[str], option: str, project: Path, invoke: Callable[..., Ended]
) -> None:
    ended = invoke(project, *words)
    assert (ended.status, ended.stdout) == (2, "")
    assert f"error: {option} stands before " in ended.stderr


@pytest.mark.wide
@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("PIPENV_CA_PROFIL", "did you mean PIPENV_CA_PROFILE?"),
        ("PIPENV_CA_PRIVATE_PACKAGE", "did you mean PIPENV_CA_PRIVATE_PACKAGES?"),
        ("PIPENV_CA_NOCACHE", "did you mean PIPENV_CA_NO_CACHE?"),
        ("PIPENV_CA_ZZZ", "see `pipenv-ca --ca-help`."),
    ],
)
def test_misspelt_setting_gets_a_warning_with_the_nearest_name(
    name: str, advice: str, project: Path, invoke: Callable[..., Ended]
) -> None:
    for words in (["lint"], LOCK):
        ended = invoke(project, *words, **{name: "x"})
        sentence = f"warning: {name} is not a setting, and has no effect; {advice}\n"
        assert (ended.status, ended.stderr.count(sentence)) == (0, 1)
    assert (
        "warning" not in invoke(project, "lint", PIPENV_CA_CONFIG="", PIPENV_CA_NO_CACHE="1").stderr
    )


@pytest.mark.parametrize("word", ["acme/utils", "acme utils", "acme-"])
def test_word_that_is_neither_name_nor_url_is_refused(
    word: str, project: Path, invoke: Callable[..., Ended]
) -> None:
    ended = invoke(project, "packages", "--", word)
    assert ended.status == 2
    assert "is neither the name of a package nor the URL of an index." in ended.stderr


def token(value: object = "abc.def", expiration: object = None) -> bytes:
    """Return an answer of AWS to GetAuthorizationToken."""
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
    """Serve ``aws.body`` for every request."""

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
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def invoke_with_answer(
    aws: Any, project: Path, invoke: Callable[..., Ended]
) -> Callable[..., Ended]:
    """Run a command for which AWS gives a fixed answer."""

    def asked(answer: bytes, *words: str) -> Ended:
        aws.body = answer
        return invoke(
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
def test_garbled_token_response_is_reported_and_not_printed(
    kind: str, invoke_with_answer: Callable[..., Ended]
) -> None:
    ended = invoke_with_answer(ERROR_RESPONSES[kind], "token")
    assert (ended.status, ended.stdout) == (1, "")
    assert "is incomplete or damaged. [service-fault]" in ended.stderr


def test_valid_token_response_is_printed(invoke_with_answer: Callable[..., Ended]) -> None:
    assert invoke_with_answer(token("abc.def"), "token").stdout == "abc.def\n"


@pytest.mark.parametrize("kind", ["list", "object", "HTML"])
def test_garbled_response_about_the_caller_is_reported(
    kind: str, invoke_with_answer: Callable[..., Ended]
) -> None:
    ended = invoke_with_answer(
        ERROR_RESPONSES[kind], "token", "--domain", "acme", "--region", "eu-west-1"
    )
    assert (ended.status, ended.stdout) == (1, "")
    assert (
        "request for the caller's account is incomplete or damaged. [service-fault]" in ended.stderr
    )


@pytest.mark.parametrize("kind", ["list", "null", "deep"])
def test_garbled_list_of_packages_is_reported(
    kind: str, invoke_with_answer: Callable[..., Ended]
) -> None:
    ended = invoke_with_answer(ERROR_RESPONSES[kind], "packages")
    assert (ended.status, "is incomplete or damaged. [service-fault]" in ended.stderr) == (1, True)


@pytest.mark.wide
@pytest.mark.parametrize("kind", ["list", "object", "HTML"])
def test_garbled_response_to_provision_is_reported(
    kind: str, invoke_with_answer: Callable[..., Ended]
) -> None:
    words = "provision --dry-run --domain acme --domain-owner 111122223333 --region eu-west-1"
    ended = invoke_with_answer(ERROR_RESPONSES[kind], *words.split(), "--repository", "main")
    assert (ended.status, "is incomplete or damaged. [service-fault]" in ended.stderr) == (1, True)


@pytest.mark.wide
@pytest.mark.parametrize("kind", ["list", "null", "object", "HTML", "deep"])
def test_doctor_does_not_take_a_garbled_response_for_a_denial(
    kind: str, invoke_with_answer: Callable[..., Ended]
) -> None:
    ended = invoke_with_answer(ERROR_RESPONSES[kind], "doctor")
    assert ended.status == 1
    assert "denied" not in ended.stdout
