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

_ERASE = "\r\x1b[K"
_WORK = """
import sys, time
from codeartifact_pipenv.report import Report
report = Report(tells_progress={tells})
with report.working("does something"):
    time.sleep({seconds})
    {more}
print("done")
"""


def on_terminal(words: list[str], env: Mapping[str, str], folder: Path, kind: str = "xterm") -> str:
    with Terminal(*words, env={**env, "TERM": kind}, cwd=folder) as terminal:
        terminal.finish()
    return terminal.shown


def work(seconds: float, tells: bool = True, more: str = "pass") -> list[str]:
    return [sys.executable, "-c", _WORK.format(seconds=seconds, tells=tells, more=more)]


def test_slow_work_shows_a_line_and_removes_it(clean_env: dict[str, str], tmp_path: Path) -> None:
    line = f"pipenv-ca does something ...{_ERASE}done\r\n"
    assert on_terminal(work(1.4), clean_env, tmp_path) == line
    assert on_terminal(work(0.1), clean_env, tmp_path) == "done\r\n"


@pytest.mark.wide
def test_progress_is_hidden_from_dumb_terminals_and_clients(
    clean_env: dict[str, str], tmp_path: Path
) -> None:
    assert on_terminal(work(1.2), clean_env, tmp_path, "dumb") == "done\r\n"
    assert on_terminal(work(1.2, tells=False), clean_env, tmp_path) == "done\r\n"


@pytest.mark.wide
def test_progress_is_hidden_while_a_program_asks_for_a_password(
    clean_env: dict[str, str], tmp_path: Path
) -> None:
    words = work(0, more="import getpass; getpass.getpass('MFA: ')")
    with Terminal(*words, env={**clean_env, "TERM": "xterm"}, cwd=tmp_path) as terminal:
        time.sleep(1.6)
        terminal.type(b"1\n")
        terminal.finish()
    assert "MFA: " in terminal.shown
    assert "does" not in terminal.shown


@pytest.mark.wide
def test_warning_during_progress_gets_its_own_line(
    clean_env: dict[str, str], tmp_path: Path
) -> None:
    said = on_terminal(work(1.4, more='report.warning("It is late.")'), clean_env, tmp_path)
    assert said == f"pipenv-ca does something ...{_ERASE}warning: It is late.\r\ndone\r\n"


@pytest.mark.wide
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
        said = on_terminal([PIPENV_CA, *words.split()], user.env, user.folder)
        assert f"pipenv-ca {told} ...{_ERASE}" in said
        assert said.count(told) == 1
        done = user.run("--ca-refresh", *words.split())
        assert told not in done.output
        assert "\x1b" not in done.output
    finally:
        user.sandbox.heal()
