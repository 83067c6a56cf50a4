"""Escape sequences from servers, projects and arguments never reach the terminal."""

from __future__ import annotations

import json
import re
import threading
import unicodedata
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest
from support.programs import PIPENV_CA, Result, run
from support.projects import source, write_pipfile
from support.runs import KEYRING, StandIn, Terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from codeartifact_pipenv.sandbox.sandbox import Sandbox

pytestmark = pytest.mark.endurance

# Clear the screen, set the title, write to the clipboard, ring, move back, C1's CSI, reverse the
# direction, end a line, hide.
ESCAPES = {
    "CSI": "\x1b[2J\x1b[1;31m",
    "OSC": "\x1b]0;evil\x07\x1b]52;c;ZXZpbA==\x07",
    "DCS": "\x1bP1$r\x1b\\",
    "CR": "harmless\rerror: evil",
    "BS": "\x08\x08\x08\x7f",
    "C1": "\x9b2J\x9d0;evil\x9c",
    "bidi": "\u202e\u2066\u200f\u061c",
    "lines": "\u2028\u2029\x0b\x0c\x85",
    "hidden": "\u200b\ufeff\U000e0041",
}
ALL = "".join(ESCAPES.values())


def assert_clean(done: Result, *, allowed: str = "\n") -> None:
    """Check that a program printed only printable characters and newlines."""
    for text in (done.stdout, done.stderr):
        found = {c for c in text if not c.isprintable() and c not in allowed}
        assert found == set(), ([unicodedata.name(c, repr(c)) for c in found], text[-2000:])
    assert "Traceback" not in done.output


class HostileProject:
    """A project with hostile texts."""

    def __init__(self, sandbox: Sandbox, env: dict[str, str], folder: Path) -> None:
        self.sandbox = sandbox
        self.folder = folder
        failing = StandIn(folder.parent / "bin", "", "sys.exit(1)")
        self.env = env | {"PIPENV_CA_PIPENV": str(failing.path)}

    def check(self, *words: str, **env: str) -> Result:
        done = run(PIPENV_CA, *words, env=self.env | env, cwd=self.folder)
        assert_clean(done)
        return done


@pytest.fixture
def hostile(sandbox: Sandbox, sandbox_env: dict[str, str], project: Path) -> HostileProject:
    return HostileProject(sandbox, sandbox_env, project)


def toml(text: str) -> str:
    """Return a TOML string with escaped control characters."""
    return (
        '"'
        + "".join(c if " " <= c <= "~" and c not in '"\\' else f"\\U{ord(c):08x}" for c in text)
        + '"'
    )


VERBS = (
    ("config",),
    ("lock",),
    ("sync",),
    ("doctor", "--all"),
    ("lint",),
    ("fix", "--diff"),
    ("packages",),
    ("token",),
)


@pytest.mark.parametrize("kind", ["all", *ESCAPES])
def test_texts_of_a_pipfile_are_printed_clean(
    kind: str, hostile: HostileProject, size: Callable[[int, int], int]
) -> None:
    if kind != "all" and not size(0, 1):
        pytest.skip("one by one with --long")
    text = ESCAPES.get(kind, ALL)
    write_pipfile(
        hostile.folder,
        source(hostile.sandbox.endpoint),
        f"[[source]]\nname = {toml('s' + text)}\nurl = {toml(f'https://evil.example/{text}/')}\n"
        "verify_ssl = true\n",
        f'[packages]\n{toml("p" + text)} = {toml("==" + text)}\norb-common = {{version = "*", '
        f"index = {toml('i' + text)}}}\n",
        f"[{toml('category' + text)}]\nx = {toml(text)}\n[pipenv]\n{toml(text)} = true\n",
    )
    for words in VERBS if kind == "all" else (("lock",), ("lint",)):
        hostile.check(*words)
    hostile.check("--ca-verbose", "lock")


def test_raw_control_characters_in_files_are_printed_clean(
    hostile: HostileProject, size: Callable[[int, int], int]
) -> None:
    for name in ("Pipfile", "Pipfile.lock", "pyproject.toml", ".env", "pylock.toml"):
        write_pipfile(hostile.folder, source(hostile.sandbox.endpoint), "[packages]\n")
        path = hostile.folder / name
        path.write_bytes(f"[tool.codeartifact-pipenv]\n{ALL} = {ALL}\n".encode())
        for words in (("lock",), ("lint",), ("doctor", "--offline"))[: size(1, 3)]:
            hostile.check(*words)
        path.unlink()


def test_texts_of_other_files_are_printed_clean(
    hostile: HostileProject, size: Callable[[int, int], int]
) -> None:
    folder = hostile.folder / f"fol{ALL}der".replace("/", "")
    folder.mkdir()
    hostile.folder = folder
    write_pipfile(folder, source(hostile.sandbox.endpoint), '[packages]\norb-common = "*"\n')
    (folder / "pyproject.toml").write_text(
        f"[tool.codeartifact-pipenv]\n{toml('x' + ALL)} = {toml(ALL)}\n"
    )
    hostile.check("lock")
    (folder / "pyproject.toml").write_text(f"[tool.codeartifact-pipenv]\nroute = {toml(ALL)}\n")
    hostile.check("lock")
    (folder / "pyproject.toml").unlink()
    url = f"https://evil.example/{ALL}"
    lock = {
        "_meta": {"hash": {"sha256": ALL}, "sources": [{"name": ALL, "url": url}]},
        "default": {
            ALL: {"version": ALL, "index": ALL, "file": f"{url}${{CODEARTIFACT_AUTH_TOKEN}}"}
        },
    }
    (folder / "Pipfile.lock").write_text(json.dumps(lock))
    for words in VERBS[: size(4, 7)]:
        hostile.check(*words)
    (folder / "Pipfile.lock").unlink()
    (folder / ".env").write_text(f"CODEARTIFACT_AUTH_TOKEN='x{ALL}'\n", encoding="utf-8")
    hostile.check("lock")
    (folder / ".env").write_text(f"X=${{CODEARTIFACT_AUTH_TOKEN}}{ALL}\n", encoding="utf-8")
    hostile.check("lock")


def test_arguments_and_variables_are_printed_clean(hostile: HostileProject) -> None:
    write_pipfile(hostile.folder, source(hostile.sandbox.endpoint), "[packages]\n")
    plain = ALL.replace("\0", "")
    hostile.check("install", f"p{plain}")
    hostile.check(f"--ca-{plain}", "lock")
    hostile.check("--ca-route", plain, "lock")
    for name in ("PIPENV_CA_DURATION", "PIPENV_CA_PROFILE", "PIPENV_PIPFILE", "PIPENV_CA_CONFIG"):
        hostile.check("token", **{name: plain})
        hostile.check("lock", **{name: plain})
    got = run(KEYRING, "get", f"{hostile.sandbox.endpoint.simple_url}{plain}", "aws",
              env=hostile.env, cwd=hostile.folder)  # fmt: skip
    assert_clean(got)
    hostile.check("token", f"https://x.codeartifact.{plain}/")


class _Handler(BaseHTTPRequestHandler):
    """Sends the configured response to every request."""

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        self.rfile.read(length)
        server = self.server
        assert isinstance(server, HostileServer)
        body = server.body.encode()
        line = f"HTTP/1.1 {server.status} {server.phrase}\r\n".encode("latin-1", "replace")
        self.wfile.write(
            line + f"Content-Length: {len(body)}\r\n{server.heads}\r\n".encode() + body
        )
        self.close_connection = True

    do_GET = do_POST  # noqa: N815 - the base class's name

    def log_message(self, *arguments: object) -> None:
        del arguments


class HostileServer(ThreadingHTTPServer):
    """A hostile AWS or index."""

    daemon_threads = True
    status, phrase, body, heads = 400, "Bad", "", ""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"


@pytest.fixture
def aws() -> Iterator[HostileServer]:
    with HostileServer() as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server
        server.shutdown()


CODES = ("AccessDeniedException", "x" + ALL, "ResourceNotFoundException", "ValidationException")


@pytest.mark.parametrize("code", CODES)
def test_messages_of_aws_are_printed_clean(
    code: str, hostile: HostileProject, aws: HostileServer, size: Callable[[int, int], int]
) -> None:
    if code in CODES[2:] and not size(0, 1):
        pytest.skip("with --long")
    write_pipfile(
        hostile.folder, source(hostile.sandbox.endpoint), '[packages]\norb-common = "*"\n'
    )
    named = json.dumps(code)[1:-1].encode("ascii", "ignore").decode()
    aws.body = json.dumps({"message": f"evil {ALL}", "Message": ALL, "__type": code, "code": code})
    aws.heads = f"x-amzn-ErrorType: {named}\r\nx-amzn-RequestId: \x1b[2J\r\n"
    aws.phrase = "Bad\x1b[2J"
    env = {"AWS_ENDPOINT_URL": aws.url, "PIPENV_CA_NO_CACHE": "1", "AWS_MAX_ATTEMPTS": "1"}
    for words in (
        ("token",),
        ("lock",),
        ("packages",),
        ("doctor",),
        ("provision", "--dry-run", "--domain", "acme", "--repository", "team"),
    ):
        done = hostile.check(*words, **env)
        assert done.status in {1, 2}
    got = run(KEYRING, "get", hostile.sandbox.endpoint.simple_url, "aws",
              env=hostile.env | env, cwd=hostile.folder)  # fmt: skip
    assert_clean(got)


def test_pages_of_an_index_are_printed_clean(
    hostile: HostileProject, aws: HostileServer, size: Callable[[int, int], int]
) -> None:
    url = f"{aws.url}/simple"
    table = f'[[source]]\nurl = "{url}"\nverify_ssl = true\nname = "evil"\n'
    write_pipfile(
        hostile.folder,
        table,
        source(hostile.sandbox.endpoint),
        '[packages]\nx = {version = "==1.0", index = "evil"}\n',
    )
    file = {
        "filename": f"x-1.0{ALL}-py3-none-any.whl",
        "url": f"https://evil.example/{ALL}",
        "requires-python": f">=99 {ALL}",
        "yanked": f"because {ALL}",
        "hashes": {"sha256": ALL},
    }
    good = file | {"filename": "x-1.0-py3-none-any.whl", "requires-python": ">=99"}
    json_page = json.dumps({"meta": {"api-version": "1.1"}, "name": ALL, "files": [file, good]})
    html_page = (
        f'<html>{ALL}<a href="x-1.0-py3-none-any.whl" data-yanked="{ALL}" '
        f'data-requires-python="&gt;=99{ALL}">{ALL}</a></html>'
    )
    for status, kind, page in (
        (200, "application/vnd.pypi.simple.v1+json", json_page),
        (200, "text/html", html_page),
        (200, "\x1b[2Japplication/x-nothing", ALL),
        (403, "text/html", ALL),
        (500, "text/plain", ALL),
    ):
        aws.status, aws.body, aws.phrase = status, page, "Evil\x1b[2J\x07"
        aws.heads = f"Content-Type: {kind}\r\nDate: \x1b[2J\r\n"
        hostile.check("lock")
        if size(0, 1) or status == 200:
            hostile.check("doctor")


def test_a_terminal_gets_only_colours(
    hostile: HostileProject, figure: Callable[[str, str], None]
) -> None:
    write_pipfile(
        hostile.folder,
        source(hostile.sandbox.endpoint),
        f"[[source]]\nname = {toml('s' + ALL)}\nurl = {toml(f'https://x.codeartifact.{ALL}')}\n",
        f"[packages]\n{toml('p' + ALL)} = {toml(ALL)}\n",
    )
    env = {k: v for k, v in hostile.env.items() if k != "NO_COLOR"} | {"TERM": "xterm-256color"}
    for words in (("doctor", "--all"), ("lint",), ("lock",), ("packages",)):
        with Terminal(PIPENV_CA, *words, env=env, cwd=hostile.folder) as terminal:
            terminal.finish()
        # Without colours, no escape sequence remains.
        plain = re.sub(r"\x1b\[[0-9;]*m", "", terminal.shown)
        found = {c for c in plain if not c.isprintable() and c not in "\r\n"}
        assert found == set(), (words, found)
        assert "evil" not in terminal.shown.split("\x1b]")[1:]
    figure("terminal: kinds of sequences tried, seen", f"{len(ESCAPES)}, 0")
