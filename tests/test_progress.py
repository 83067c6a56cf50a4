"""Work of more than a second shows progress on a terminal only."""

from __future__ import annotations

import re
import sys
import time
from typing import TYPE_CHECKING

import pytest
from support.programs import PIPENV_CA, run
from support.projects import PYPI_SOURCE, source, write_pipfile
from support.runs import Terminal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from codeartifact_pipenv.sandbox.sandbox import Sandbox

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
    """Run a program on a terminal; return everything that it wrote there."""
    with Terminal(*words, env={**env, "TERM": kind}, cwd=folder) as terminal:
        terminal.finish()
    return terminal.shown


def work(
    env: Mapping[str, str], folder: Path, seconds: float, kind: str = "xterm", **more: str
) -> str:
    """Do slow work on a terminal; return everything that it wrote there."""
    script = _WORK.format(seconds=seconds, **{"tells": "True", "more": "pass", **more})
    return on_terminal([sys.executable, "-c", script], env, folder, kind)


def test_slow_work_shows_a_line_and_removes_it(clean_env: dict[str, str], tmp_path: Path) -> None:
    line = f"pipenv-ca does something ...{_ERASE}done\r\n"
    assert work(clean_env, tmp_path, 1.4) == line
    assert work(clean_env, tmp_path, 0.1) == "done\r\n"


@pytest.mark.wide
@pytest.mark.parametrize(("terminal", "tells"), [("dumb", "True"), ("xterm", "False")])
def test_progress_is_hidden_from_dumb_terminals_and_clients(
    terminal: str, tells: str, clean_env: dict[str, str], tmp_path: Path
) -> None:
    assert work(clean_env, tmp_path, 1.2, terminal, tells=tells) == "done\r\n"


@pytest.mark.wide
def test_progress_is_hidden_while_a_program_asks_for_a_password(
    clean_env: dict[str, str], tmp_path: Path
) -> None:
    script = _WORK.format(tells="True", seconds=0, more="import getpass; getpass.getpass('MFA: ')")
    words = (sys.executable, "-c", script)
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
    said = work(clean_env, tmp_path, 1.4, more='report.warning("It is late.")')
    assert said == f"pipenv-ca does something ...{_ERASE}warning: It is late.\r\ndone\r\n"


SIX = 'six = "*"'


@pytest.mark.wide
@pytest.mark.parametrize(
    ("words", "slow", "packages", "told"),
    [
        ("token", "api", SIX, "asks AWS for a token"),
        ("doctor", "api", SIX, "checks programs, AWS, sources and packages"),
        ("packages", "api", SIX, "lists repository team"),
        ("lint --online", "api", SIX, "asks the repositories what is private"),
        ("--ca-refresh lock", "api", SIX, "asks AWS for a token"),
        ("lock", "packages", 'orb-nothing = "*"', "looks for the cause"),
    ],
)
def test_verbs_show_progress_on_a_terminal_only(
    words: str,
    slow: str,
    packages: str,
    told: str,
    sandbox: Sandbox,
    sandbox_env: dict[str, str],
    project: Path,
) -> None:
    first = [PYPI_SOURCE] if slow == "api" else []
    write_pipfile(project, *first, source(sandbox.endpoint), f"[packages]\n{packages}\n")
    sandbox.delay(1.5, on=slow)
    try:
        said = on_terminal([PIPENV_CA, *words.split()], sandbox_env, project)
        assert f"pipenv-ca {told} ...{_ERASE}" in said
        assert said.count(told) == 1
        if words != "token":
            done = run(PIPENV_CA, *words.split(), env=sandbox_env, cwd=project)
            assert told not in done.output
            assert "\x1b" not in done.output
    finally:
        sandbox.heal()


@pytest.mark.wide
def test_each_step_of_the_demo_ends_with_a_tick(clean_env: dict[str, str], tmp_path: Path) -> None:
    said = on_terminal([PIPENV_CA, "sandbox", "demo"], {"NO_COLOR": "1", **clean_env}, tmp_path)
    ticks = re.findall("\N{CHECK MARK} (.+?)(?:: done in [0-9]+ s)?\r", said)
    first = "started the sandbox, built and published the packages"
    assert ticks == [first, "lock", "sync", "run main"]
