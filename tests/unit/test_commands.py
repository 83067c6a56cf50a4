"""What kind of pipenv command it is, and whether the real pipenv agrees."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import PIPENV, run

from codeartifact_pipenv.cli import OWN_VERBS
from codeartifact_pipenv.wrapper.commands import (
    INDEX_COMMANDS,
    RUN_COMMANDS,
    explicit_index,
    needs_index,
    runs_pip,
)

if TYPE_CHECKING:
    from pathlib import Path

FUTURE_VERBS = {
    *("doctor", "lint", "fix", "packages", "token", "env", "login", "logout"),
    *("provision", "sandbox", "mcp"),
}


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("install", True),
        ("install six --dev", True),
        ("lock", True),
        ("sync", True),
        ("uninstall six", True),
        ("update", True),
        ("upgrade six", True),
        ("pylock --generate", True),
        ("pylock --gen", True),
        ("pylock", False),
        ("pylock --g", True),
        ("lock --help", False),
        ("install -h", False),
        ("run pip install six", False),
        ("shell", False),
        ("graph", False),
        ("verify", False),
        ("requirements", False),
        ("clean", False),
        ("check", False),
        ("audit", False),
        ("--version", False),
        ("some-future-command", False),
    ],
)
def test_needs_index(words: str, wanted: bool) -> None:
    """Commands that resolve or install need a token; the others, and help, do not."""
    command, *arguments = words.split()
    assert needs_index(command, arguments) is wanted


def test_no_command() -> None:
    """Without a command pipenv prints its help, which needs no token."""
    assert not needs_index(None, [])


@pytest.mark.parametrize(
    "words",
    [
        "pip install six",
        "pip3 install six",
        "pip3.12 install six",
        "pip.exe install six",
        "PIP install six",
        "python -m pip install six",
        "python3 -m pip install six",
        "python3.12 -m pip install six",
        "python3 -X dev -m pip install six",
        "python -W error -I -m pip download six",
        "py -3 -m pip install six",
        ".venv/bin/pip install six",
        r".venv\Scripts\pip.exe install six",
        "/usr/bin/python3 -m pip install six",
        "NAME=value pip install six",
        "A=1 B=2 python -m pip wheel six",
        "pip download six",
        "pip wheel six",
        "pip index versions six",
        "pip --verbose install six",
        "pip -v install six",
        "pip list --outdated",
        "pip list -o",
        "pip list --uptodate",
        "--system pip install six",
        "--python 3.12 pip install six",
        "--verbose pip install six",
    ],
)
def test_runs_pip(words: str) -> None:
    """Every way to call a pip that asks an index is seen."""
    assert runs_pip(words.split(), {})


@pytest.mark.parametrize(
    "words",
    [
        "",
        "python",
        "python app.py pip install",
        "python -c pip install",
        "python -m pipdeptree install",
        "python -m http.server",
        "python -m",
        "pipdeptree install",
        "pipx install six",
        "pip-compile install",
        "pytest pip install",
        "echo pip install six",
        "pip",
        "pip list",
        "pip list --format json",
        "pip freeze",
        "pip --version",
        "pip -V",
        "pip --help",
        "pip install --help",
        "pip show six",
        "pip check",
        "pip uninstall -y six",
        "pip cache purge",
        "pip config list",
        "python -m pip freeze",
        "NAME=value",
        "NAME=value echo pip install",
        "--system",
        "--python",
    ],
)
def test_runs_no_index_asking_pip(words: str) -> None:
    """Other programs, and what pip does offline, get no token."""
    assert not runs_pip(words.split(), {})


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("plain", True),
        ("plain --upgrade", True),
        ("plain --help", False),
        ("quoted", True),
        ("assigned", True),
        ("listed", True),
        ("listed-without", False),
        ("called", False),
        ("bare", False),
        ("bare install six", True),
        ("broken", False),
        ("partly-broken", True),
        ("empty", False),
        ("number", False),
        ("--verbose plain", True),
        ("other", False),
        ("pip install six", False),
    ],
)
def test_scripts(words: str, wanted: bool) -> None:
    """A script of the Pipfile is what it stands for, with the words after it."""
    scripts: dict[str, object] = {
        "plain": "pip install six",
        "quoted": "'pip' install \"six\"",
        "assigned": "A=1 python -m pip install six",
        "listed": ["echo start", "pip install six", "echo end"],
        "listed-without": ["echo start", "pip freeze"],
        "called": {"call": "module:pip()"},
        "bare": "pip",
        "broken": "pip install 'six",
        "partly-broken": ["echo 'x", "pip install six"],
        "empty": "",
        "number": 3,
        "other": "python app.py",
        "pip": "echo not pip",
    }
    assert runs_pip(words.split(), scripts) is wanted


def test_script_that_names_a_script() -> None:
    """A script is resolved once by pipenv, so a script of another script's name is that program."""
    assert not runs_pip(["first"], {"first": "second", "second": "pip install six"})
    assert runs_pip(["pip"], {"pip": "pip install six"})


@given(
    st.lists(st.one_of(st.text(), st.sampled_from(["-m", "pip", "python", "A=1", "x", "-X"]))),
    st.dictionaries(
        st.sampled_from(["x", "pip", ""]),
        st.one_of(st.text(), st.lists(st.one_of(st.text(), st.integers())), st.integers()),
    ),
)
def test_any_words(words: list[str], scripts: dict[str, object]) -> None:
    """Any words and scripts are judged without an exception."""
    assert runs_pip(words, scripts) in {True, False}
    assert explicit_index(words) in {True, False}
    for command in [None, *words[:1], "lock", "pylock"]:
        assert needs_index(command, words) in {True, False}


@pytest.mark.parametrize(
    ("words", "explicit"),
    [
        ("pip install -i https://x six", True),
        ("pip install --index-url https://x six", True),
        ("pip install --index-url=https://x six", True),
        ("pip install --no-index six", True),
        ("pip install -ihttps://x/simple six", True),
        ("pip install six", False),
        ("pip install --extra-index-url https://x six", False),
        ("pip install --isolated six", False),
        ("pip install --ignore-installed six", False),
    ],
)
def test_explicit_index(words: str, explicit: bool) -> None:
    """An index in the user's own words is seen in every spelling that pip takes."""
    assert explicit_index(words.split()) is explicit


@pytest.fixture(scope="module")
def commands_of_pipenv(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Return the commands that the installed pipenv lists."""
    folder: Path = tmp_path_factory.mktemp("help")
    environ = {"HOME": str(folder), "LANG": "C.UTF-8", "NO_COLOR": "1", "COLUMNS": "100"}
    shown = run(PIPENV, "--help", env=environ, cwd=folder)
    assert shown.status == 0, shown.output
    found = re.findall(r"^ {2,6}([a-z][a-z-]*)\s", shown.stdout, re.MULTILINE)
    assert "graph" in found
    return set(found)


def test_no_verb_of_ours_is_pipenvs(commands_of_pipenv: set[str]) -> None:
    """No own verb, present or planned, is a word that pipenv knows."""
    assert commands_of_pipenv & (FUTURE_VERBS | set(OWN_VERBS)) == set()


def test_every_command_in_our_tables_is_pipenvs(commands_of_pipenv: set[str]) -> None:
    """Every command that is said to need an index, or to run a program, exists."""
    assert commands_of_pipenv >= INDEX_COMMANDS | RUN_COMMANDS
