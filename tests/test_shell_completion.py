"""Completion, by the tab key of real shells."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

import pexpect
import pytest
from support.guides import document, section
from support.programs import PIPENV_CA, SCRIPTS, Result, run

from codeartifact_pipenv.shell_completion.helps import read_help

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

WIDE = pytest.mark.wide
GUIDE = section(document("examples/guides/usage.md"), "Completion")
PROMPT = "next? "
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


def needs(shell: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(shell) is None, reason=f"{shell} is not installed")


def complete(variable: str, words: str, env: Mapping[str, str], folder: Path) -> Result:
    """Ask the program for completions as a shell's script does."""
    asked = {"_PIPENV_CA_COMPLETE": variable, "COMP_WORDS": words}
    return run(PIPENV_CA, env={**env, **asked}, cwd=folder)


def offered(done: Result) -> list[str]:
    return [line.partition("\t")[0] for line in done.stdout.splitlines()]


@pytest.fixture
def shell_env(clean_env: dict[str, str], project: Path) -> dict[str, str]:
    """An environment with the program on PATH, in a folder with one file."""
    (project / "halfway.txt").touch()
    return clean_env | {"PATH": f"{SCRIPTS}:{clean_env['PATH']}", "TERM": "dumb", "PS1": PROMPT}


@WIDE
@pytest.mark.parametrize(
    ("words", "start"),
    [
        ("bash --norc --noprofile -i", ""),
        pytest.param("zsh -f -i", "autoload -U compinit; compinit -u -D; ", marks=needs("zsh")),
    ],
    ids=["bash", "zsh"],
)
def test_tab_completes_our_words_pipenvs_words_and_files(
    words: str, start: str, shell_env: dict[str, str], project: Path
) -> None:
    shell = pexpect.spawn(words, env=shell_env, cwd=str(project), encoding="utf-8", timeout=40)
    try:
        (loads,) = re.findall(rf"^.*{words.split(maxsplit=1)[0]}_source.*\)\"", GUIDE, re.MULTILINE)
        shell.sendline(f"{start}{loads}; echo rea''dy")
        shell.expect("ready\r\n")
        for typed, wanted in LINES:
            shell.expect_exact(PROMPT)  # input typed before the prompt may be lost
            shell.send(f"pipenv-ca {typed}")
            shell.expect_exact(typed)
            shell.send("\t")
            shell.expect_exact(wanted.removeprefix(typed.rpartition(" ")[2]))
            shell.send("\x15\r")  # not ctrl-C: a completion that is not at its end would take it
    finally:
        shell.close(force=True)


FISH = """fish --no-config -c|env _PIPENV_CA_COMPLETE=fish_source pipenv-ca | source; \
complete -C 'pipenv-ca {}'"""
POWERSHELL = """pwsh -NoProfile -Command|$Env:_PIPENV_CA_COMPLETE = 'powershell_source'; \
pipenv-ca | Out-String | Invoke-Expression; $Env:_PIPENV_CA_COMPLETE = $null; \
(TabExpansion2 'pipenv-ca {}').CompletionMatches.CompletionText"""


@WIDE
@pytest.mark.parametrize(("typed", "wanted"), LINES)
@pytest.mark.parametrize(
    "line",
    [
        pytest.param(FISH, id="fish", marks=needs("fish")),
        pytest.param(POWERSHELL, id="powershell", marks=needs("pwsh")),
    ],
)
def test_fish_and_powershell_offer_our_words_pipenvs_words_and_files(
    line: str, typed: str, wanted: str, shell_env: dict[str, str], project: Path
) -> None:
    shell, _, script = line.partition("|")
    done = run(*shell.split(), script.format(typed), env=shell_env, cwd=project)
    assert [word.removeprefix("./") for word in offered(done)] == [wanted], done.output


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
    env = clean_env | {"PIPENV_CA_PIPENV": str(lazy)}
    for _ in range(2):
        done = complete("fish_complete", "pipenv-ca\nlo", env, project)
        assert done.stdout.startswith("lock\tLocks.\n")
        assert offered(done) == ["lock", "login", "logout"]
    assert (project / "asked").read_text() == "asked\n"


@pytest.mark.parametrize(
    ("shell", "words", "wanted"),
    [
        ("bash", "pipenv-ca --ca-profile 'my work' login ", "pip twine netrc"),
        ("zsh", "pipenv-ca\n--ca-profile\nmy work\nlogin\n", "pip twine netrc"),
        ("fish", "pipenv-ca\n--ca-profile\nmy work\nlogin\nt\n", "twine"),
        ("powershell", "pipenv-ca\n--ca-profile\nmy work\nlogin\n", "pip twine netrc"),
        pytest.param("bash", "pipenv-ca login --keyring t", "twine", marks=WIDE),
        pytest.param("bash", "pipenv-ca provision policy re", "reader", marks=WIDE),
    ],
)
def test_completion_offers_the_words_that_a_command_accepts(
    shell: str, words: str, wanted: str, clean_env: dict[str, str], project: Path
) -> None:
    assert offered(complete(f"{shell}_complete", words, clean_env, project)) == wanted.split()


@pytest.mark.parametrize("variable", re.findall(r"\w+_source", GUIDE))
def test_completion_script_uses_the_name_that_the_program_was_called_by(
    variable: str, clean_env: dict[str, str], project: Path
) -> None:
    env = clean_env | {"_PIPENV_CA_COMPLETE": variable}
    done = run(SCRIPTS / "codeartifact-pipenv", env=env, cwd=project)
    assert (done.status, done.stderr) == (0, "")
    assert "codeartifact-pipenv" in done.stdout
    assert "pipenv-ca" not in done.stdout


def test_completion_for_an_unknown_shell_is_refused(
    clean_env: dict[str, str], project: Path
) -> None:
    done = complete("tcsh_source", "", clean_env, project)
    assert done.status == 2
    assert done.stderr.startswith("error: _PIPENV_CA_COMPLETE is 'tcsh_source', ")


def test_help_of_a_pipenv_before_2026_5_is_read() -> None:
    found = read_help(  # it was printed with click
        "Usage: pipenv [OPTIONS] COMMAND [ARGS]...\n\nOptions:\n  --where   Output project home.\n"
        "  --python TEXT    Specify which.\n  -d, --dev        Install both.\n\n"
        "Usage Examples:\n   Create a new project:\n   $ pipenv --python 3.7\n\n"
        "Commands:\n  check         Checks.\n  clean         Uninstalls\n                all.\n"
    )
    assert list(found.commands) == ["check", "clean"]
    assert list(found.options) == ["--where", "--python", "--dev"]
    assert found.values == {"--python": None}
