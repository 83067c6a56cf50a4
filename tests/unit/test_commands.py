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


def runs_pip(words: list[str], scripts: Mapping[str, object]) -> bool:
    return bool(pip_calls("run", words, scripts))


@pytest.mark.parametrize(
    "words",
    [
        *("pip install six", "pip3 install six", "pip3.12 install six", "pip.exe install six"),
        *("PIP install six", ".venv/bin/pip install six", r".venv\Scripts\pip.exe install six"),
        *("pip download six", "pip wheel six", "pip index versions six", "pip -v install six"),
        *("pip list --outdated", "pip list -o", "pip list --uptodate"),
        *("pip --log freeze install six", "pip --tim 9 --proxy=x --cert show download six"),
        *("python -m pip install six", "python3.12 -m pip install six", "py -3 -m pip install six"),
        *("python3 -X dev -m pip install six", "python -W error -I -m pip download six"),
        *("python -mpip install six", "python3 -Im pip install six"),
        *("python -Xdev -Wi -Impip install six", "/usr/bin/python3 -m pip install six"),
        *("NAME=value pip install six", "A=1 B=2 python -m pip wheel six"),
        *("--system pip install six", "--python 3.12 pip install six"),
        *("env pip install six", "env A=1 B=2 python -m pip install six"),
        *("A=1 /usr/bin/env B=2 pip install six", "nice pip install six", "nice -n 5 pip wheel x"),
        *("nice -n5 pip download six", "nice -19 env A=1 pip install six"),
        "nice --adjustment=5 nohup time pip install six",
    ],
)
def test_every_way_to_call_pip_is_recognised(words: str) -> None:
    assert runs_pip(words.split(), {})


@pytest.mark.parametrize(
    "words",
    [
        *("", "python", "python -m", "python app.py pip install", "python -c pip install"),
        *("python -m pipdeptree install", "python -c m pip install", "python -W m pip install"),
        *("python -cpip -m pip install", "python -mpipx install", "python -m pip freeze"),
        *("pip", "pip list", "pip list --format json", "pip freeze", "pip -V", "pip --help"),
        *("pip install --help", "pip show six", "pip check", "pip uninstall -y six"),
        *("pip cache purge", "pip config list", "pip --log install freeze"),
        *("pipx install six", "pip-compile install", "pytest pip install", "echo pip install six"),
        *("NAME=value", "NAME=value echo pip install", "--system", "--python"),
        *("env -i pip install six", "env -u A pip install six", "env", "env A=1"),
        *("nice", "nice -n", "nice -n 5", "nice A=1 pip install six", "nice nicer pip install six"),
        *("nice pip freeze", "time bash -c pip install six", "sudo pip install six"),
    ],
)
def test_other_programs_and_offline_pip_need_no_index(words: str) -> None:
    assert not runs_pip(words.split(), {})


SCRIPTS: dict[str, object] = {
    "plain": "pip install six",
    "quoted": "'pip' install \"six\"",
    "assigned": "A=1 python -m pip install six",
    "listed": ["echo start", "pip install six", "echo end"],
    "partly-broken": ["echo 'x", "pip install six"],
    "bare": "pip",
    "listed-without": ["echo start", "pip freeze"],
    "called": {"call": "module:pip()"},
    "broken": "pip install 'six",
    "empty": "",
    "number": 3,
    "other": "python app.py",
    "again": "plain",
    "pip": "echo not pip",
}


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        *((True, words) for words in ("plain", "plain --upgrade", "--verbose plain", "quoted")),
        *((True, words) for words in ("assigned", "listed", "partly-broken", "bare install six")),
        *((False, words) for words in ("plain --help", "listed-without", "called", "bare")),
        *((False, words) for words in ("broken", "empty", "number", "other", "again")),
        (False, "pip install six"),
    ],
)
def test_script_is_expanded_once_with_the_words_after_it(wanted: bool, words: str) -> None:
    assert runs_pip(words.split(), SCRIPTS) is wanted


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
        ([], None),
    ],
)
def test_nested_pip_without_its_own_index_is_found(words: list[str], wanted: str | None) -> None:
    scripts = {"setup": "bash -c 'pip install six'", "several": ["echo", "sh -c 'pip install six'"]}
    assert nested_pip("run", words, scripts) == wanted
    assert nested_pip("shell", words, scripts) is None


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
    ("words", "wanted"),
    [
        ("install", []),
        ("install six==1.16 requests[socks]>=2", ["six==1.16", "requests[socks]>=2"]),
        *((f"install {options} six", ["six"]) for options in ("--dev --pre", "-i x", "--index x")),
        ("install --index=x --categories docs,tests six", ["six"]),
        ("install --extra-pip-args --no-deps six", ["six"]),
        *((f"install {options}", []) for options in ("--python 3.12", "-r r.txt", "-e ./local")),
        ("install ./local.whl git+https://github.com/benjaminp/six.git six", ["six"]),
        ("install -- six", ["six"]),
        ("uninstall six --all-dev", ["six"]),
        ("update six", ["six"]),
        ("upgrade Orb_Common<3 --lock-only", ["Orb_Common<3"]),
        *((words, []) for words in ("uninstall --all", "update --outdated", "sync six", "run six")),
        ("lock --categories docs", []),
    ],
)
def test_named_packages_exclude_options_paths_and_urls(words: str, wanted: list[str]) -> None:
    command, *arguments = words.split()
    assert requirements(command, arguments) == wanted


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
    ("changes", "words"),
    [
        *((False, f"install {words}") for words in ("", "--deploy", "--dev", "--index x")),
        *((False, words) for words in ("update", "update --outdated", "lock --dev", "sync --dev")),
        *(
            (True, f"install {words}")
            for words in ("six", "./local", "-e .", "--editable=.", "-e.")
        ),
        *((True, f"install {words}") for words in ("-r x", "-rx", "--requirements x")),
        *((True, f"uninstall {words}") for words in ("six", "--all", "--all-dev")),
        *((True, words) for words in ("install --requirements=x", "update six", "upgrade six")),
    ],
)
def test_naming_importing_or_removing_packages_changes_the_pipfile(
    changes: bool, words: str
) -> None:
    command, *arguments = words.split()
    assert changes_pipfile(command, arguments) is changes


@pytest.mark.parametrize(
    ("nothing", "words"),
    [
        *((True, words) for words in ("sync", "install --deploy")),
        *((False, words) for words in ("install --deploy six", "install", "lock")),
    ],
)
def test_installing_from_the_lock_writes_nothing(nothing: bool, words: str) -> None:
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
