"""Completion, by the tab key of real shells."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pexpect
import pytest
from support.programs import PIPENV_CA, SCRIPTS, run

from codeartifact_pipenv.shell_completion.helps import read_help

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_SECONDS = 40
_PROMPT = "next? "
# The typed words, and the last word after a tab.
LINES = [
    ("doct", "doctor"),  # ours
    ("requirem", "requirements"),  # pipenv's
    ("--ca-priv", "--ca-private-packages="),
    ("--ca-route as", "as-written"),
    ("--ca-profile work lint --sev", "--severity"),
    ("lock --dev-o", "--dev-only"),
    ("lint half", "halfway.txt"),  # a file
]


@pytest.fixture
def shell_env(clean_env: dict[str, str], project: Path) -> dict[str, str]:
    """Return an environment with the program on PATH, in a folder with one file."""
    (project / "halfway.txt").touch()
    return clean_env | {"PATH": f"{SCRIPTS}:{clean_env['PATH']}", "TERM": "dumb", "PS1": _PROMPT}


def script(shell: str, env: Mapping[str, str], folder: Path, program: str = PIPENV_CA) -> str:
    """Return the script that a shell loads."""
    done = run(program, env={**env, "_PIPENV_CA_COMPLETE": f"{shell}_source"}, cwd=folder)
    assert done.status == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def by_tab(words: list[str], start: str, env: dict[str, str], folder: Path) -> None:
    """Type each line in an interactive shell, press tab, and wait for the rest of the line."""
    shell = pexpect.spawn(
        words[0], words[1:], env=env, cwd=str(folder), encoding="utf-8", timeout=_SECONDS
    )
    try:
        shell.sendline(f"{start}; echo rea''dy")
        shell.expect("ready\r\n")
        for typed, wanted in LINES:
            shell.expect_exact(_PROMPT)  # input typed before the prompt may be lost
            shell.send(f"pipenv-ca {typed}")
            shell.expect_exact(typed)
            shell.send("\t")
            shell.expect_exact(wanted.removeprefix(typed.rpartition(" ")[2]))
            shell.send("\x15\r")  # not ctrl-C: a completion that is not at its end would take it
    finally:
        shell.close(force=True)


@pytest.mark.wide
def test_bash_completes_our_words_pipenvs_words_and_files(
    shell_env: dict[str, str], project: Path
) -> None:
    (project / "script").write_text(script("bash", shell_env, project))
    words = ["bash", "--norc", "--noprofile", "-i"]
    by_tab(words, "source ./script", shell_env, project)


@pytest.mark.wide
@pytest.mark.skipif(shutil.which("zsh") is None, reason="there is no zsh on this machine")
def test_zsh_completes_our_words_pipenvs_words_and_files(
    shell_env: dict[str, str], project: Path
) -> None:
    (project / "script").write_text(script("zsh", shell_env, project))
    start = "autoload -U compinit; compinit -u -D; source ./script"
    by_tab(["zsh", "-f", "-i"], start, shell_env, project)


@pytest.mark.wide
@pytest.mark.skipif(shutil.which("fish") is None, reason="there is no fish on this machine")
@pytest.mark.parametrize(("typed", "wanted"), LINES)
def test_fish_completes_our_words_pipenvs_words_and_files(
    typed: str, wanted: str, shell_env: dict[str, str], project: Path
) -> None:
    (project / "script").write_text(script("fish", shell_env, project))
    line = f"source script; complete -C 'pipenv-ca {typed}'"
    done = run("fish", "--no-config", "-c", line, env=shell_env, cwd=project)
    words = [said.partition("\t")[0] for said in done.stdout.splitlines()]
    assert words == [wanted], done.output


@pytest.mark.wide
@pytest.mark.skipif(shutil.which("pwsh") is None, reason="there is no PowerShell on this machine")
@pytest.mark.parametrize(("typed", "wanted"), LINES)
def test_powershell_completes_our_words_pipenvs_words_and_files(
    typed: str, wanted: str, shell_env: dict[str, str], project: Path
) -> None:
    (project / "script.ps1").write_text(script("powershell", shell_env, project))
    line = f". ./script.ps1; (TabExpansion2 'pipenv-ca {typed}').CompletionMatches.CompletionText"
    done = run("pwsh", "-NoProfile", "-Command", line, env=shell_env, cwd=project)
    assert [word.removeprefix("./") for word in done.stdout.splitlines()] == [wanted], done.output


def test_completion_describes_commands_and_asks_pipenv_only_once(
    clean_env: dict[str, str], project: Path
) -> None:
    lazy = project / "bin" / "pipenv"
    lazy.parent.mkdir()
    lazy.write_text("#!/bin/sh\necho asked >> asked\necho 'Commands:'\necho '  lock  Locks.'\n")
    lazy.chmod(0o755)
    version = project / "lib" / "python3" / "site-packages" / "pipenv" / "__version__.py"
    version.parent.mkdir(parents=True)
    version.write_text('__version__ = "2030.1"')
    env = clean_env | {
        "_PIPENV_CA_COMPLETE": "fish_complete",
        "COMP_WORDS": "pipenv-ca\nlo",
        "PIPENV_CA_PIPENV": str(lazy),
    }
    for _ in range(2):
        done = run(PIPENV_CA, env=env, cwd=project)
        assert done.stdout.splitlines()[0] == "lock\tLocks."
        assert {line.partition("\t")[0] for line in done.stdout.splitlines()} == {
            "lock",
            "login",
            "logout",
        }
    assert (project / "asked").read_text() == "asked\n"


@pytest.mark.wide
@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        ("login ", {"pip", "twine", "netrc"}),
        ("login --keyring t", {"twine"}),
        ("login pip ", set()),
        ("provision p", {"policy", "protect"}),
        ("provision policy re", {"reader"}),
        ("sandbox d", {"demo"}),
        ("doctor ", set()),  # any package, and not the word for it in the help
        ("install ", set()),
    ],
)
def test_completion_offers_the_words_that_a_command_accepts(
    typed: str, wanted: set[str], clean_env: dict[str, str], project: Path
) -> None:
    """A command that accepts any word gets no suggestions, and a given word is not offered again."""
    line = f"pipenv-ca {typed}"
    env = clean_env | {"_PIPENV_CA_COMPLETE": "bash_complete", "COMP_WORDS": line}
    done = run(PIPENV_CA, env=env, cwd=project)
    assert {said.partition("\t")[0] for said in done.stdout.splitlines()} == wanted, done.output


@pytest.mark.parametrize(
    ("shell", "words"),
    [
        ("bash", "pipenv-ca --ca-profile 'my work' login "),
        ("zsh", "pipenv-ca\n--ca-profile\nmy work\nlogin\n"),
        ("fish", "pipenv-ca\n--ca-profile\nmy work\nlogin\n\n"),
        ("powershell", "pipenv-ca\n--ca-profile\nmy work\nlogin\n"),
    ],
)
def test_completion_after_a_blank_offers_the_next_words_in_each_shell(
    shell: str, words: str, clean_env: dict[str, str], project: Path
) -> None:
    env = clean_env | {"_PIPENV_CA_COMPLETE": f"{shell}_complete", "COMP_WORDS": words}
    done = run(PIPENV_CA, env=env, cwd=project)
    said = [line.partition("\t")[0] for line in done.stdout.splitlines()]
    assert said == ["pip", "twine", "netrc"], done.output


def test_completion_script_uses_the_name_that_the_program_was_called_by(
    clean_env: dict[str, str], project: Path
) -> None:
    text = script("bash", clean_env, project, str(SCRIPTS / "codeartifact-pipenv"))
    assert text.endswith("-F _codeartifact_pipenv_completion codeartifact-pipenv\n")


def test_completion_for_an_unknown_shell_is_refused(
    clean_env: dict[str, str], project: Path
) -> None:
    done = run(PIPENV_CA, env=clean_env | {"_PIPENV_CA_COMPLETE": "tcsh_source"}, cwd=project)
    assert done.status == 2
    assert done.stderr.startswith("error: _PIPENV_CA_COMPLETE is 'tcsh_source', ")


def test_help_that_click_prints_is_read() -> None:
    """Pipenv before 2026.5 prints its help with click."""
    found = read_help(
        "Usage: pipenv [OPTIONS] COMMAND [ARGS]...\n\nOptions:\n  --where   Output project home.\n"
        "  --python TEXT    Specify which.\n  -d, --dev        Install both.\n\n"
        "Usage Examples:\n   Create a new project:\n   $ pipenv --python 3.7\n\n"
        "Commands:\n  check         Checks.\n  clean         Uninstalls\n                all.\n"
    )
    assert list(found.commands) == ["check", "clean"]
    assert list(found.options) == ["--where", "--python", "--dev"]
    assert found.values == {"--python": None}
