"""Work of more than a second shows progress on a terminal only."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

import pexpect
import pytest
from support.programs import PIPENV_CA, run
from support.projects import PYPI_SOURCE, source, write_pipfile

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


def on_terminal(words: list[str], env: Mapping[str, str], folder: Path) -> str:
    """Run a program on a terminal; return everything that it wrote there."""
    program = pexpect.spawn(
        words[0],
        words[1:],
        env={"TERM": "xterm", **env},
        cwd=str(folder),
        encoding="utf-8",
        timeout=60,
    )
    program.expect(pexpect.EOF)
    program.close()
    return str(program.before)


def work(env: Mapping[str, str], folder: Path, seconds: float, **more: str) -> str:
    """Do something on a terminal that takes its time."""
    said = {"tells": "True", "more": "pass", **more}
    script = _WORK.format(seconds=seconds, **said)
    return on_terminal([sys.executable, "-c", script], env, folder)


def test_slow_work_shows_a_line_and_removes_it(clean_env: dict[str, str], tmp_path: Path) -> None:
    env = {**clean_env, "TERM": "xterm"}
    assert work(env, tmp_path, 1.4) == f"pipenv-ca does something ...{_ERASE}done\r\n"
    assert work(env, tmp_path, 0.1) == "done\r\n"


@pytest.mark.wide
def test_progress_is_hidden_from_dumb_terminals_clients_and_prompts(
    clean_env: dict[str, str], tmp_path: Path
) -> None:
    dumb = {**clean_env, "TERM": "dumb"}
    assert work(dumb, tmp_path, 1.2) == "done\r\n"
    env = {**clean_env, "TERM": "xterm"}
    assert work(env, tmp_path, 1.2, tells="False") == "done\r\n"
    asks = "import getpass; getpass.getpass('MFA: ')"
    script = _WORK.format(tells="True", seconds=0, more=asks)
    program = pexpect.spawn(sys.executable, ["-c", script], env=env, encoding="utf-8", timeout=60)
    program.expect_exact("MFA: ")
    assert program.expect([pexpect.TIMEOUT, "does"], timeout=1.4) == 0
    program.sendline("1")
    program.expect(pexpect.EOF)
    assert "does" not in program.before
    program.close()


@pytest.mark.wide
def test_warning_during_progress_gets_its_own_line(
    clean_env: dict[str, str], tmp_path: Path
) -> None:
    env = {**clean_env, "TERM": "xterm"}
    said = work(env, tmp_path, 1.4, more='report.warning("It is late.")')
    assert said == f"pipenv-ca does something ...{_ERASE}warning: It is late.\r\ndone\r\n"


@pytest.mark.wide
@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["token"], "asks AWS for a token"),
        (["doctor"], "checks programs, AWS, sources and packages"),
        (["packages"], "lists repository team"),
        (["lint", "--online"], "asks the repositories what is private"),
        (["--ca-refresh", "lock"], "asks AWS for a token"),
    ],
    ids=" ".join,
)
def test_verbs_show_progress_on_a_terminal_only(
    words: list[str], told: str, sandbox: Sandbox, sandbox_env: dict[str, str], project: Path
) -> None:
    write_pipfile(project, PYPI_SOURCE, source(sandbox.endpoint), '[packages]\nsix = "*"\n')
    try:
        sandbox.delay(1.5, on="api")
        said = on_terminal([PIPENV_CA, *words], {**sandbox_env, "TERM": "xterm"}, project)
        assert f"pipenv-ca {told} ...{_ERASE}" in said
        assert said.count(told) == 1
        if words != ["token"]:
            done = run(PIPENV_CA, *words, env=sandbox_env, cwd=project)
            assert told not in done.output
            assert "\x1b" not in done.output
    finally:
        sandbox.heal()


@pytest.mark.wide
def test_the_search_for_the_cause_is_shown_on_a_terminal(
    sandbox: Sandbox, sandbox_env: dict[str, str], project: Path
) -> None:
    write_pipfile(project, source(sandbox.endpoint), '[packages]\norb-nothing = "*"\n')
    try:
        sandbox.delay(1.5)
        said = on_terminal([PIPENV_CA, "lock"], {**sandbox_env, "TERM": "xterm"}, project)
    finally:
        sandbox.heal()
    assert f"pipenv-ca looks for the cause ...{_ERASE}" in said


@pytest.mark.wide
def test_each_step_of_the_demo_ends_with_a_tick(clean_env: dict[str, str], tmp_path: Path) -> None:
    said = on_terminal([PIPENV_CA, "sandbox", "demo"], {"NO_COLOR": "1", **clean_env}, tmp_path)
    ticks = re.findall("\N{CHECK MARK} (.+?)(?:: done in [0-9]+ s)?\r", said)
    assert ticks == [
        "started the sandbox, built and published the packages",
        "lock",
        "sync",
        "run main",
    ]
