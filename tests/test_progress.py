"""Work of more than a second shows progress on a terminal only."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import pytest
from support.programs import PIPENV_CA
from support.projects import PYPI_SOURCE, source, write_pipfile
from support.runs import Terminal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from support.users import User

WIDE = pytest.mark.wide
ERASE = "\r\x1b[K"
LINE = f"pipenv-ca does something ...{ERASE}"


def shown(words: list[str], env: Mapping[str, str], folder: Path, kind: str = "xterm") -> str:
    with Terminal(*words, env={**env, "TERM": kind}, cwd=folder) as terminal:
        terminal.finish()
    return terminal.shown


def work(code: str, tells: bool = True) -> list[str]:
    """Return a program that works with a report."""
    start = "import time; from codeartifact_pipenv.report import Report\n"
    start += f"report = Report(tells_progress={tells})\nwith report.working('does something'):"
    return [sys.executable, "-c", f"{start} {code}\nprint('done')"]


@pytest.mark.parametrize(
    ("code", "kind", "tells", "wanted"),
    [
        ("time.sleep(1.4)", "xterm", True, f"{LINE}done\r\n"),
        ("time.sleep(0.1)", "xterm", True, "done\r\n"),
        pytest.param("time.sleep(1.2)", "dumb", True, "done\r\n", marks=WIDE),
        pytest.param("time.sleep(1.2)", "xterm", False, "done\r\n", marks=WIDE),  # for a client
        pytest.param(
            *("time.sleep(1.4); report.warning('It is late.')", "xterm", True),
            f"{LINE}warning: It is late.\r\ndone\r\n",
            marks=WIDE,
        ),
    ],
)
def test_slow_work_shows_a_line_and_removes_it(
    code: str, kind: str, tells: bool, wanted: str, clean_env: dict[str, str], tmp_path: Path
) -> None:
    assert shown(work(code, tells), clean_env, tmp_path, kind) == wanted


@WIDE
def test_progress_is_hidden_while_a_program_asks_for_a_password(
    clean_env: dict[str, str], tmp_path: Path
) -> None:
    words = work("import getpass; getpass.getpass('MFA: ')")
    with Terminal(*words, env={**clean_env, "TERM": "xterm"}, cwd=tmp_path) as terminal:
        time.sleep(1.6)
        terminal.type(b"1\n")
        terminal.finish()
    assert "MFA: " in terminal.shown
    assert "does" not in terminal.shown


@WIDE
@pytest.mark.shows_token("output")
@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("token", "asks AWS for a token"),
        ("doctor", "checks programs, AWS, sources and packages"),
        ("packages", "lists repository team"),
        ("lint --online", "asks the repositories what is private"),
        ("lock", "looks for the cause"),
    ],
)
def test_verbs_show_progress_on_a_terminal_only(words: str, told: str, user: User) -> None:
    package = 'orb-nothing = "*"' if words == "lock" else 'six = "*"'
    first = [] if words == "lock" else [PYPI_SOURCE]
    own = source(user.sandbox.endpoint)
    write_pipfile(user.folder, *first, own, f"[packages]\n{package}\n")
    user.sandbox.delay(1.5, on="packages" if words == "lock" else "api")
    try:
        said = shown([PIPENV_CA, *words.split()], user.env, user.folder)
        assert f"pipenv-ca {told} ...{ERASE}" in said
        assert said.count(told) == 1
        done = user.run("--ca-refresh", *words.split())
        assert told not in done.output
        assert "\x1b" not in done.output
    finally:
        user.sandbox.heal()
