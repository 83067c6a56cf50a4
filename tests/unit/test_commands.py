"""The kinds of pipenv commands, compared with the real pipenv."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.programs import PIPENV, run

from codeartifact_pipenv.cli import OWN_VERBS
from codeartifact_pipenv.wrapper.pipenv_cli import (
    INDEX_COMMANDS,
    RUN_COMMANDS,
    changes_pipfile,
    named_packages,
    needs_index,
    nested_pip,
    pip_calls,
    requirements,
    without_mirror,
    writes_nothing,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def runs_pip(words: list[str], scripts: Mapping[str, object]) -> bool:
    return bool(pip_calls("run", words, scripts))


PIP = [
    *("pip install x", "pip3.12 download x", "PIP.exe wheel x", r".venv\Scripts\pip.exe index x"),
    *("pip list --outdated", "pip list -o", "pip list --uptodate", ".venv/bin/pip -v install x"),
    *("pip --log freeze install x", "pip --tim 9 --proxy=x --cert show download x"),
    *("python3.12 -m pip install x", "py -3 -m pip install x", "python -X dev -mpip install x"),
    *("python -W error -I -m pip install x", "/usr/bin/python3 -Xdev -Wi -Impip install x"),
    *("A=1 B=2 python -m pip wheel x", "--system --python 3.12 pip install x"),
    *("A=1 /usr/bin/env B=2 pip install x", "nice pip install x", "nice -n 5 pip wheel x"),
    *("nice -n5 pip download x", "nice -19 env A=1 pip install x"),
    "nice --adjustment=5 nohup time pip install x",
]
NO_PIP = [
    *("", "python", "python -m", "python app.py pip install", "python -c m pip install"),
    *("python -m pipdeptree install", "python -cpip -m pip install", "python -mpipx install"),
    *("python -W m pip install", "python -mpip freeze install", "pip", "pip list", "pip -V x"),
    *("pip install --help", "pip show x", "pip --log install freeze", "pip-compile install"),
    *("pipx install x", "echo pip install x", "NAME=value", "NAME=value echo pip install"),
    *("--system", "--python", "env -i pip install x", "env -u A pip install x", "env A=1"),
    *("nice -n", "nice -n 5", "nice A=1 pip install x", "nice nicer pip install x"),
    *("time bash -c pip install x", "sudo pip install x"),
]


@pytest.mark.parametrize(("words", "wanted"), [(w, w in PIP) for w in PIP + NO_PIP])
def test_every_pip_that_needs_an_index_is_recognised(words: str, wanted: bool) -> None:
    assert runs_pip(words.split(), {}) is wanted


@pytest.mark.parametrize(
    ("script", "words", "wanted"),
    [
        ("pip install six", "x --upgrade", True),
        ("pip install six", "--verbose x", True),
        ("pip install six", "x --help", False),
        ("'pip' install \"six\"", "x", True),
        ("A=1 python -m pip install six", "x", True),
        (["echo 'x", "pip install six"], "x", True),
        (["echo start", "pip freeze"], "x", False),
        ("pip", "x install six", True),
        ("pip", "x", False),
        ("y", "x", False),
        ({"call": "module:pip()"}, "x", False),
        ("pip install 'six", "x", False),
        (3, "x", False),
        ("", "pip install six", False),
    ],
)
def test_script_is_expanded_once_with_the_words_after_it(
    script: object, words: str, wanted: bool
) -> None:
    scripts = {"x": script, "y": "pip install six", "pip": "echo not pip"}
    assert runs_pip(words.split(), scripts) is wanted


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("sh -ec 'cd . && python3 -m pip install -q x; echo'", "python3 -m pip install -q x"),
        ("xargs -a r.txt pip install", "pip install"),
        ("env -i .venv/bin/pip download x", "pip download x"),
        ("sudo pip3.12 --quiet wheel x", "pip3.12 --quiet wheel x"),
        ("""python -c "run(['pip', 'install', 'x'])" """, "pip', 'install', 'x'])"),
        ("make deps 'PIP=pip install'", "pip install"),
        ("several", "pip install x"),
        *((f"bash -c '{words}'", None) for words in ("pip freeze", "uv pip install x")),
        ("bash -c 'pip-compile install; mypip install x'", None),
        ("bash -c 'pip install -i https://x.example/simple x'", None),
        ("bash -c 'pip install --index-url=$URL x'", None),
        ("bash -c 'PIP_INDEX_URL=$URL pip install x'", None),
        ("bash -c 'pip install git+https://x.example/x'", None),
        *(("make pip-install", None), ("", None)),
    ],
)
def test_nested_pip_without_its_own_index_is_found(words: str, wanted: str | None) -> None:
    scripts = {"several": ["echo", "sh -c 'pip install x'"]}
    assert nested_pip("run", shlex.split(words), scripts) == wanted
    assert nested_pip("shell", shlex.split(words), scripts) is None


@given(
    st.lists(st.text() | st.sampled_from(["-m", "pip", "python", "A=1", "x", "-X", "nice", "env"])),
    st.dictionaries(
        st.sampled_from(["x", "pip", ""]),
        st.text() | st.lists(st.text() | st.integers()) | st.integers(),
    ),
)
def test_any_words_and_scripts_are_classified_without_an_exception(
    words: list[str], scripts: dict[str, object]
) -> None:
    runs_pip(words, scripts)
    nested_pip("run", words, scripts)
    for command in [None, *words[:1], "install", "uninstall", "update", "upgrade", "pylock"]:
        assert needs_index(command, words) in {True, False}
        assert changes_pipfile(command, words) in {True, False}
        assert set(requirements(command, words)) <= set(words)
        for name in named_packages(command, words):
            assert any(word.startswith(name) for word in words)


@pytest.mark.parametrize(
    ("words", "named", "changes"),
    [
        ("install", "", False),
        ("install --deploy", "", False),
        ("install --deploy six", "six", True),
        ("install --dev --index x -i y --categories docs,tests", "", False),
        ("install six==1.16 requests[socks]>=2", "six requests", True),
        ("install a~=1.0 b!=1 c[x]==1 d;python_version>'3' e@file f===1", "a b c d e f", True),
        ("install --index=x --extra-pip-args --no-deps --python 3 --pre six", "six", True),
        *((f"install {options}", "", True) for options in ("-r x", "-rx", "--requirements x")),
        *((f"install {options}", "", True) for options in ("-e .", "-e.", "--editable=./x")),
        ("install --requirements=x", "", True),
        ("install ./local.whl git+https://github.com/benjaminp/six.git", "", True),
        ("install -- six", "six", True),
        ("uninstall six --all-dev", "six", True),
        ("uninstall --all", "", True),
        ("update --outdated", "", False),
        ("update six", "six", True),
        ("upgrade Orb_Common<3 --lock-only", "Orb_Common", True),
        *((words, "", False) for words in ("sync six", "run six", "lock --categories docs")),
    ],
)
def test_named_packages_and_changes_of_the_pipfile_are_known(
    words: str, named: str, changes: bool
) -> None:
    command, *arguments = words.split()
    assert named_packages(command, arguments) == set(named.split())
    assert len(requirements(command, arguments)) == len(named.split())
    assert changes_pipfile(command, arguments) is changes
    assert writes_nothing(command, arguments) is (words in {"sync six", "install --deploy"})


@pytest.fixture(scope="module")
def commands_of_pipenv(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Return the commands that the installed pipenv lists."""
    folder: Path = tmp_path_factory.mktemp("help")
    environ = {"HOME": str(folder), "LANG": "C.UTF-8", "NO_COLOR": "1", "COLUMNS": "100"}
    shown = run(PIPENV, "--help", env=environ, cwd=folder)
    assert shown.status == 0, shown.output
    return set(re.findall(r"^ {2,6}([a-z][a-z-]*)\s", shown.stdout, re.MULTILINE))


def test_no_own_verb_is_a_command_of_pipenv(commands_of_pipenv: set[str]) -> None:
    assert commands_of_pipenv & {"config", *OWN_VERBS} == set()


# The commands of the newest pipenv: pipenv needs an index, its pip needs one, a program runs with
# the user's settings, or no index is needed.
KINDS = {
    "index": (
        *("install", "lock", "sync", "uninstall x", "upgrade x", "pylock --generate", "pylock --g"),
        *("update", "update --outdated", "update --dry-run"),
    ),
    "pip": (
        *("audit --locked", "audit --lock -f json", "audit --fix", "audit --fix --dry-run"),
        "run pip install x",
    ),
    "program": ("run x", "shell"),
    "nothing": (
        *("activate", "audit", "audit --locked --help", "audit --local", "check", "check --scan"),
        *("clean", "graph", "open x", "pylock", "remove", "requirements", "scripts", "verify"),
        *("lock --help", "install -h"),
    ),
}


@pytest.mark.parametrize(("kind", "words"), [(k, w) for k, words in KINDS.items() for w in words])
def test_command_of_pipenv_gets_an_index_only_if_it_needs_one(kind: str, words: str) -> None:
    command, *arguments = words.split()
    assert needs_index(command, arguments) is (kind == "index")
    assert bool(pip_calls(command, arguments, {})) is (kind == "pip")
    assert kind != "program" or command in RUN_COMMANDS


def test_every_command_of_pipenv_is_classified(commands_of_pipenv: set[str]) -> None:
    assert {words.split()[0] for kind in KINDS.values() for words in kind} == commands_of_pipenv
    assert commands_of_pipenv >= INDEX_COMMANDS | RUN_COMMANDS
    assert not needs_index("some-future-command", [])


@pytest.mark.parametrize(
    ("words", "rest", "url"),
    [
        ("lock --pypi-mirror https://m/s --dev", "--dev", "https://m/s"),
        ("install --pypi-mirror=https://m/s six", "six", "https://m/s"),
        ("sync --pypi-m https://m/s", "", "https://m/s"),
        ("lock --pypi-mirror nonsense", "--pypi-mirror nonsense", None),
        ("graph --pypi-mirror https://m/s", "--pypi-mirror https://m/s", None),
    ],
)
def test_mirror_is_split_off_commands_that_need_an_index(
    words: str, rest: str, url: str | None
) -> None:
    command, *arguments = words.split()
    assert without_mirror(command, arguments) == (rest.split(), url)
