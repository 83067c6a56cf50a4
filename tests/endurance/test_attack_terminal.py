"""Escape sequences from servers, projects and arguments never reach the terminal."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from support.programs import PIPENV_CA, Result, run
from support.projects import source, write_pipfile
from support.runs import KEYRING, StandIn, Terminal
from support.servers import FixedAnswer, served
from support.users import User

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.endurance

ALL = (
    "\x1b[2J\x1b[1;31m\x1b]0;evil\x07\x1b]52;c;ZXZpbA==\x07\x1bP1$r\x1b\\"  # CSI, OSC, DCS
    "harmless\rerror: evil\x08\x08\x08\x7f\x9b2J\x9d0;evil\x9c"  # CR, BS, C1
    "\u202e\u2066\u200f\u061c\u2028\u2029\x0b\x0c\x85\u200b\ufeff\U000e0041"  # bidi, lines, hidden
)
PACKAGES = '[packages]\norb-common = "*"\n'


def unprintable(text: str, allowed: str = "\n") -> set[str]:
    return {c for c in text if not c.isprintable() and c not in allowed}


class HostileProject(User):
    """A project with hostile texts, in which pipenv fails."""

    def write(self, *tables: str) -> None:
        write_pipfile(self.folder, source(self.sandbox.endpoint), *tables)

    def check(self, *words: str, program: str = PIPENV_CA, **env: str) -> Result:
        """Run a program, and check that it prints only printable characters and newlines."""
        done = run(program, *words, env=self.env | env, cwd=self.folder)
        assert unprintable(done.output) == set(), done.output[-2000:]
        assert "Traceback" not in done.output
        return done


@pytest.fixture
def hostile(user: User, tmp_path: Path) -> HostileProject:
    failing = StandIn(tmp_path / "bin", "", "sys.exit(1)")
    env = user.env | {"PIPENV_CA_PIPENV": str(failing.path)}
    return HostileProject(user.sandbox, env, user.folder)


def toml(text: str) -> str:
    """Return a TOML string with escaped control characters."""
    plain = "".join(c if " " <= c <= "~" and c not in '"\\' else f"\\U{ord(c):08x}" for c in text)
    return f'"{plain}"'


VERBS = [("config",), ("lock",), ("sync",), ("lint",), ("doctor", "--all"), ("fix", "--diff")]
VERBS += [("packages",), ("token",)]


URL = f"https://evil.example/{ALL}"


def test_texts_of_a_pipfile_are_printed_clean(hostile: HostileProject) -> None:
    hostile.write(
        f"[[source]]\nname = {toml('s' + ALL)}\nurl = {toml(URL)}\nverify_ssl = true\n",
        f'[packages]\n{toml("p" + ALL)} = {toml("==" + ALL)}\norb-common = {{version = "*", '
        f"index = {toml('i' + ALL)}}}\n",
        f"[{toml('category' + ALL)}]\nx = {toml(ALL)}\n[pipenv]\n{toml(ALL)} = true\n",
    )
    for words in [*VERBS, ("--ca-verbose", "lock")]:
        hostile.check(*words)


ENTRY = {"version": ALL, "index": ALL, "file": f"{URL}${{CODEARTIFACT_AUTH_TOKEN}}"}
META = {"hash": {"sha256": ALL}, "sources": [{"name": ALL, "url": URL}]}
TABLE = "[tool.codeartifact-pipenv]\n"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *((name, f"{TABLE}{ALL} = {ALL}\n") for name in ("Pipfile", "Pipfile.lock", ".env")),
        ("pylock.toml", f"{ALL} = {ALL}\n"),
        ("pyproject.toml", f"{TABLE}{toml('x' + ALL)} = {toml(ALL)}\n"),
        ("pyproject.toml", f"{TABLE}route = {toml(ALL)}\n"),
        ("Pipfile.lock", json.dumps({"_meta": META, "default": {ALL: ENTRY}})),
        (".env", f"CODEARTIFACT_AUTH_TOKEN='x{ALL}'\nX=${{CODEARTIFACT_AUTH_TOKEN}}{ALL}\n"),
    ],
    ids=["Pipfile", "lock", "env", "pylock", "unknown", "setting", "locked", "token"],
)
def test_texts_of_other_files_are_printed_clean(
    name: str, text: str, hostile: HostileProject
) -> None:
    hostile = hostile._replace(folder=hostile.folder / f"fol{ALL}der".replace("/", ""))
    hostile.folder.mkdir()
    hostile.write(PACKAGES)
    (hostile.folder / name).write_bytes(text.encode())
    for words in VERBS:
        hostile.check(*words)


def test_arguments_and_variables_are_printed_clean(hostile: HostileProject) -> None:
    hostile.write("[packages]\n")
    for words in (
        ("install", f"p{ALL}"),
        (f"--ca-{ALL}", "lock"),
        ("--ca-route", ALL, "lock"),
        ("token", f"https://x.codeartifact.{ALL}/"),
    ):
        hostile.check(*words)
    for name in ("PIPENV_CA_DURATION", "PIPENV_CA_PROFILE", "PIPENV_PIPFILE", "PIPENV_CA_CONFIG"):
        hostile.check("token", **{name: ALL})
        hostile.check("lock", **{name: ALL})
    hostile.check("get", f"{hostile.url}{ALL}", "aws", program=KEYRING)


@pytest.fixture
def server() -> Iterator[FixedAnswer]:
    with served(FixedAnswer()) as server:
        yield server


CODES = ("AccessDeniedException", "x" + ALL)


def test_messages_of_aws_are_printed_clean(hostile: HostileProject, server: FixedAnswer) -> None:
    hostile.write(PACKAGES)
    server.status, server.phrase = 400, "Bad\x1b[2J"
    env = {"AWS_ENDPOINT_URL": server.url, "PIPENV_CA_NO_CACHE": "1", "AWS_MAX_ATTEMPTS": "1"}
    for code in CODES:
        named = json.dumps(code)[1:-1]
        answer = {"message": f"evil {ALL}", "Message": ALL, "__type": code, "code": code}
        server.body = json.dumps(answer).encode()
        server.heads = f"x-amzn-ErrorType: {named}\r\nx-amzn-RequestId: \x1b[2J\r\n"
        for command in (
            *("token", "lock", "packages", "doctor"),
            "provision --dry-run --domain acme --repository team",
        ):
            assert hostile.check(*command.split(), **env).status in {1, 2}
        hostile.check("get", hostile.url, "aws", program=KEYRING, **env)


def test_pages_of_an_index_are_printed_clean(hostile: HostileProject, server: FixedAnswer) -> None:
    table = f'[[source]]\nurl = "{server.url}/simple"\nverify_ssl = true\nname = "evil"\n'
    package = '[packages]\nx = {version = "==1.0", index = "evil"}\n'
    write_pipfile(hostile.folder, table, source(hostile.sandbox.endpoint), package)
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
        server.status, server.body, server.phrase = status, page.encode(), "Evil\x1b[2J\x07"
        server.heads = f"Content-Type: {kind}\r\nDate: \x1b[2J\r\n"
        hostile.check("lock")
        hostile.check("doctor")


def test_a_terminal_gets_only_colours(hostile: HostileProject) -> None:
    hostile.write(
        f"[[source]]\nname = {toml('s' + ALL)}\nurl = {toml(f'https://x.codeartifact.{ALL}')}\n",
        f"[packages]\n{toml('p' + ALL)} = {toml(ALL)}\n",
    )
    env = {k: v for k, v in hostile.env.items() if k != "NO_COLOR"} | {"TERM": "xterm-256color"}
    for words in (("doctor", "--all"), ("lint",), ("lock",), ("packages",)):
        with Terminal(PIPENV_CA, *words, env=env, cwd=hostile.folder) as terminal:
            terminal.finish()
        plain = re.sub(r"\x1b\[[0-9;]*m", "", terminal.shown)
        assert unprintable(plain, "\r\n") == set(), words
