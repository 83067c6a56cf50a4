"""The kinds of pipenv commands, compared with the real pipenv."""

from __future__ import annotations

import re
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
    pylock_output,
    requirements,
    without_mirror,
    writes_nothing,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FUTURE_VERBS = {
    *("config", "doctor", "lint", "fix", "packages", "token", "env", "login", "logout"),
    *("provision", "sandbox", "mcp"),
}


def runs_pip(words: list[str], scripts: Mapping[str, object]) -> bool:
    return bool(pip_calls("run", words, scripts))


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
        ("audit", False),  # nor does --locked: pip-audit's pip does
        ("--version", False),
        ("some-future-command", False),
    ],
)
def test_commands_that_resolve_or_install_need_an_index(words: str, wanted: bool) -> None:
    command, *arguments = words.split()
    assert needs_index(command, arguments) is wanted


def test_help_without_a_command_needs_no_index() -> None:
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
        "pip --log freeze install six",
        "pip --tim 9 --proxy=x --cert show download six",
        "python -mpip install six",
        "python3 -Im pip install six",
        "python -Xdev -Wi -Impip install six",
        "pip list --uptodate",
        "--system pip install six",
        "--python 3.12 pip install six",
        "--verbose pip install six",
        "env pip install six",
        "env A=1 B=2 python -m pip install six",
        "A=1 /usr/bin/env B=2 pip install six",
        "nice pip install six",
        "nice -n 5 pip install six",
        "nice -n5 pip download six",
        "nice -19 env A=1 pip install six",
        "nice --adjustment=5 nohup time pip install six",
    ],
)
def test_every_way_to_call_pip_is_recognised(words: str) -> None:
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
        "python -c m pip install",
        "python -cpip -m pip install",
        "python -mpipx install",
        "python -W m pip install",
        "pip --log install freeze",
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
        "env -i pip install six",
        "env -u A pip install six",
        "env",
        "env A=1",
        "nice",
        "nice -n",
        "nice -n 5",
        "nice A=1 pip install six",
        "nice nicer pip install six",
        "nice pip freeze",
        "time bash -c pip install six",
        "sudo pip install six",
        "--system",
        "--python",
    ],
)
def test_other_programs_and_offline_pip_need_no_index(words: str) -> None:
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
def test_script_is_expanded_with_the_words_after_it(words: str, wanted: bool) -> None:
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


def test_script_is_expanded_only_once() -> None:
    assert not runs_pip(["first"], {"first": "second", "second": "pip install six"})
    assert runs_pip(["pip"], {"pip": "pip install six"})


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["bash", "-c", "pip install six"], "pip install six"),
        (
            ["sh", "-ec", "cd x && python3 -m pip install -q six; echo"],
            "python3 -m pip install -q six",
        ),
        (["timeout", "60", "pip", "install", "six"], "pip install six"),
        (["xargs", "-a", "r.txt", "pip", "install"], "pip install"),
        (["env", "-i", ".venv/bin/pip", "download", "six"], "pip download six"),
        (["sudo", "pip3.12", "--quiet", "wheel", "six"], "pip3.12 --quiet wheel six"),
        (["bash", "-ic", "curl https://x.example; pip install six"], "pip install six"),
        (["python", "-c", "run(['pip', 'install', 'six'])"], "pip', 'install', 'six'])"),
        (["make", "deps", "PIP=pip install"], "pip install"),
        (["setup"], "pip install six"),
        (["several"], "pip install six"),
        (["bash", "-c", "pip freeze"], None),
        (["bash", "-c", "pip-compile install; mypip install six"], None),
        (["bash", "-c", "uv pip install six"], None),
        (["bash", "-c", "pip install -i https://x.example/simple six"], None),
        (["bash", "-c", "pip install --index-url=$URL six"], None),
        (["bash", "-c", "PIP_INDEX_URL=$URL pip install six"], None),
        (["bash", "-c", "pip install git+https://x.example/six"], None),
        (["make", "pip-install"], None),
        (["pytest"], None),
        ([], None),
    ],
)
def test_nested_pip_without_its_own_index_is_found(words: list[str], wanted: str | None) -> None:
    scripts = {"setup": "bash -c 'pip install six'", "several": ["echo", "sh -c 'pip install six'"]}
    assert nested_pip("run", words, scripts) == wanted
    assert nested_pip("shell", words, scripts) is None


@given(
    st.lists(
        st.one_of(
            st.text(), st.sampled_from(["-m", "pip", "python", "A=1", "x", "-X", "nice", "env"])
        )
    ),
    st.dictionaries(
        st.sampled_from(["x", "pip", ""]),
        st.one_of(st.text(), st.lists(st.one_of(st.text(), st.integers())), st.integers()),
    ),
)
def test_any_words_and_scripts_are_classified_without_an_exception(
    words: list[str], scripts: dict[str, object]
) -> None:
    assert runs_pip(words, scripts) in {True, False}
    nested_pip("run", words, scripts)
    for command in [None, *words[:1], "lock", "pylock"]:
        assert needs_index(command, words) in {True, False}


@pytest.mark.parametrize(
    ("words", "wanted", "names"),
    [
        ("install", [], set()),
        ("install six", ["six"], {"six"}),
        ("install six==1.16 requests[socks]>=2", ["six==1.16", "requests[socks]>=2"], None),
        ("install --dev six --pre", ["six"], {"six"}),
        ("install -i codeartifact six", ["six"], {"six"}),
        ("install --index codeartifact six", ["six"], {"six"}),
        ("install --index=codeartifact six", ["six"], {"six"}),
        ("install --categories docs,tests six", ["six"], {"six"}),
        ("install --extra-pip-args --no-deps six", ["six"], {"six"}),
        ("install --python 3.12", [], set()),
        ("install -r requirements.txt", [], set()),
        ("install -e ./local", [], set()),
        ("install ./local.whl six", ["six"], {"six"}),
        ("install git+https://github.com/benjaminp/six.git", [], set()),
        ("install -- six", ["six"], {"six"}),
        ("uninstall six --all-dev", ["six"], {"six"}),
        ("uninstall --all", [], set()),
        ("update six", ["six"], {"six"}),
        ("update --outdated", [], set()),
        ("upgrade Orb_Common<3 --lock-only", ["Orb_Common<3"], {"Orb_Common"}),
        ("sync six", [], set()),
        ("lock", [], set()),
        ("lock --categories docs", [], set()),
        ("run six", [], set()),
    ],
)
def test_named_packages_exclude_options_paths_and_urls(
    words: str, wanted: list[str], names: set[str] | None
) -> None:
    command, *arguments = words.split()
    assert requirements(command, arguments) == wanted
    found = named_packages(command, arguments)
    assert found == ({"six", "requests"} if names is None else names)


@pytest.mark.parametrize(
    "requirement",
    [
        *("six", "six==1", "six>=1", "six<2", "six~=1.0", "six!=1", "six[a,b]", "six[a]==1"),
        *("six;python_version>'3'", "six @ file", "six (==1)", "six===1"),
    ],
)
def test_package_name_ends_before_extras_version_or_marker(requirement: str) -> None:
    assert named_packages("install", [requirement]) == {"six"}


@pytest.mark.parametrize(
    ("words", "changes"),
    [
        ("install", False),
        ("install --deploy", False),
        ("install --dev", False),
        ("install --index codeartifact", False),
        ("install six", True),
        ("install ./local", True),
        ("install -e .", True),
        ("install --editable=.", True),
        ("install -e.", True),
        ("install -r requirements.txt", True),
        ("install -rrequirements.txt", True),
        ("install --requirements requirements.txt", True),
        ("install --requirements=requirements.txt", True),
        ("uninstall six", True),
        ("uninstall --all", True),
        ("uninstall --all-dev", True),
        ("update", False),
        ("update --outdated", False),
        ("update six", True),
        ("upgrade six", True),
        ("lock", False),
        ("lock --dev", False),
        ("sync", False),
        ("sync --dev", False),
    ],
)
def test_naming_importing_or_removing_packages_changes_the_pipfile(
    words: str, changes: bool
) -> None:
    command, *arguments = words.split()
    assert changes_pipfile(command, arguments) is changes


@pytest.mark.parametrize(
    ("words", "nothing"),
    [
        ("sync", True),
        ("install --deploy", True),
        ("install --deploy six", False),
        ("install", False),
        ("lock", False),
    ],
)
def test_installing_from_the_lock_writes_nothing(words: str, nothing: bool) -> None:
    command, *arguments = words.split()
    assert writes_nothing(command, arguments) == nothing


@pytest.mark.parametrize(
    ("words", "file"),
    [
        ("pylock --generate", None),
        ("pylock --generate -o a.toml", "a.toml"),
        ("pylock --generate -oa.toml", "a.toml"),
        ("pylock --gen --out=a.toml", "a.toml"),
        ("pylock --output a.toml --generate", "a.toml"),
        ("lock -o a.toml", None),
    ],
)
def test_pylock_output_is_read_like_pipenv_does(words: str, file: str | None) -> None:
    command, *arguments = words.split()
    assert pylock_output(command, arguments) == file


def test_no_command_names_no_packages() -> None:
    assert requirements(None, ["six"]) == []
    assert named_packages(None, ["six"]) == set()
    assert not changes_pipfile(None, ["six"])


@given(st.lists(st.text()))
def test_requirements_of_any_words_are_read_without_an_exception(words: list[str]) -> None:
    for command in [None, "install", "uninstall", "update", "upgrade", "lock"]:
        assert set(requirements(command, words)) <= set(words)
        assert changes_pipfile(command, words) in {True, False}
        for name in named_packages(command, words):
            assert any(word.startswith(name) for word in words)


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


def test_no_own_verb_is_a_command_of_pipenv(commands_of_pipenv: set[str]) -> None:
    assert commands_of_pipenv & (FUTURE_VERBS | set(OWN_VERBS)) == set()


# What every command of the newest pipenv gets: an index for pipenv itself, one for the pip that it
# starts, what the user's settings say for a program of theirs, or nothing.
KINDS = {
    "install": "index",
    "lock": "index",
    "pylock --generate": "index",
    "sync": "index",
    "uninstall x": "index",
    "update": "index",
    "update --outdated": "index",
    "update --dry-run": "index",
    "upgrade x": "index",
    "audit --locked": "pip",
    "audit --lock -f json": "pip",
    "audit --fix": "pip",
    "audit --fix --dry-run": "pip",
    "run pip install x": "pip",
    "run x": "program",
    "shell": "program",
    "activate": "nothing",
    "audit": "nothing",  # of what is installed; it asks about vulnerabilities alone
    "audit --locked --help": "nothing",
    "audit --local": "nothing",
    "check": "nothing",  # asks safety's own database
    "check --scan": "nothing",
    "clean": "nothing",
    "graph": "nothing",
    "open x": "nothing",
    "pylock": "nothing",
    "remove": "nothing",  # of the virtual environment
    "requirements": "nothing",
    "scripts": "nothing",
    "verify": "nothing",
}


def kind_of(words: str) -> str:
    command, *arguments = words.split()
    if needs_index(command, arguments):
        return "index"
    if pip_calls(command, arguments, {}):
        return "pip"
    return "program" if command in RUN_COMMANDS else "nothing"


def test_every_command_of_pipenv_is_classified(commands_of_pipenv: set[str]) -> None:
    assert {words.split()[0] for words in KINDS} == commands_of_pipenv
    assert {words: kind_of(words) for words in KINDS} == KINDS
    assert commands_of_pipenv >= INDEX_COMMANDS | RUN_COMMANDS


@pytest.mark.parametrize(
    ("words", "rest", "url"),
    [
        ("lock --pypi-mirror https://m/s --dev", "--dev", "https://m/s"),
        ("install six --pypi-mirror=https://m/s", "six", "https://m/s"),
        ("sync --pypi-m https://m/s", "", "https://m/s"),
        ("lock --pypi-mirror", "--pypi-mirror", None),
        ("lock --pypi-mirror nonsense", "--pypi-mirror nonsense", None),
        ("install six --python 3.12", "six --python 3.12", None),
        ("graph --pypi-mirror https://m/s", "--pypi-mirror https://m/s", None),
    ],
)
def test_mirror_is_split_off_commands_that_need_an_index(
    words: str, rest: str, url: str | None
) -> None:
    command, *arguments = words.split()
    assert without_mirror(command, arguments) == (rest.split(), url)
