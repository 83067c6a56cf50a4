"""The command line taken apart: own options out, everything else untouched."""

from __future__ import annotations

from importlib import import_module

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeartifact_pipenv.__main__ import VERBS
from codeartifact_pipenv.cli import OWN_VERBS, help_text, split
from codeartifact_pipenv.errors import UsageError
from codeartifact_pipenv.settings import SETTINGS


@pytest.mark.parametrize(
    ("argv", "options"),
    [
        (["--ca-profile", "work", "lock"], {"profile": "work"}),
        (["--ca-profile=work", "lock"], {"profile": "work"}),
        (["--ca-profile=", "lock"], {"profile": ""}),
        (["--ca-profile=a=b", "lock"], {"profile": "a=b"}),
        (["--ca-profile", "--ca-refresh", "lock"], {"profile": "--ca-refresh"}),
        (["--ca-refresh", "--ca-duration", "900", "lock"], {"refresh": True, "duration": "900"}),
        (["--ca-profile=a", "--ca-profile", "b", "lock"], {"profile": "b"}),
        (["lock"], {}),
    ],
)
def test_own_options(argv: list[str], options: dict[str, str | bool]) -> None:
    """Own options are taken out in both spellings, the last one counts."""
    line = split(argv)
    assert line.options == options
    assert line.rest == ["lock"]
    assert line.command == "lock"


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS.keys())
def test_every_setting_is_an_option(setting: object) -> None:
    """Every setting can be given on the command line, and the help lists it."""
    found = next(one for one in SETTINGS.values() if one is setting)
    words = [found.option] if found.is_flag else [found.option, "x"]
    assert split([*words, "lock"]).options == {found.name: True if found.is_flag else "x"}
    assert f"  {found.option} " in help_text("pipenv-ca")


@pytest.mark.parametrize("word", ["help", "version"])
def test_help_and_version(word: str) -> None:
    """--ca-help and --ca-version need no command."""
    line = split([f"--ca-{word}"])
    assert (line.options, line.rest, line.command, line.arguments) == ({word: True}, [], None, [])


@pytest.mark.parametrize("verb", OWN_VERBS)
def test_help_names_every_verb(verb: str) -> None:
    """The help lists the own verbs."""
    assert f"\n  {verb} " in help_text("pipenv-ca")


@pytest.mark.parametrize(
    ("argv", "command", "arguments"),
    [
        (["--verbose", "lock", "-v"], "lock", ["-v"]),
        (["--python", "3.11", "install", "six"], "install", ["six"]),
        (["--python=3.11", "install"], "install", []),
        (["--pypi-mirror", "https://mirror/simple", "lock"], "lock", []),
        (["--pypi-mirror=https://mirror/simple", "lock"], "lock", []),
        (["--pyt", "3.11", "install"], "install", []),
        (["--pypi", "https://mirror/simple", "lock"], "lock", []),
        (["--py", "lock"], "lock", []),
        (["--bare", "--clear", "-q", "sync"], "sync", []),
        (["--", "lock", "--dev"], "lock", ["--dev"]),
        (["--verbose", "--", "lock"], "lock", []),
        (["--python", "lock"], None, []),
        (["--python"], None, []),
        (["--version"], None, []),
        (["--"], None, []),
        ([], None, []),
    ],
)
def test_command_is_found(argv: list[str], command: str | None, arguments: list[str]) -> None:
    """The command stands after pipenv's own options and their values; all is handed on."""
    line = split(argv)
    assert (line.command, line.arguments) == (command, arguments)
    assert line.rest == argv
    assert line.options == {}


def test_own_options_among_pipenvs() -> None:
    """Own options may stand between pipenv's."""
    line = split(["--verbose", "--ca-refresh", "--python", "3.11", "--ca-profile=p", "lock", "-d"])
    assert line.options == {"refresh": True, "profile": "p"}
    assert line.rest == ["--verbose", "--python", "3.11", "lock", "-d"]
    assert (line.command, line.arguments) == ("lock", ["-d"])


@pytest.mark.parametrize(
    "argv",
    [
        *(["run", "x"], ["shell", "x"], ["sandbox", "run"], ["lock", "--"], ["run", "--"]),
        *(["--", "x"], ["--"], ["-", "x"], ["-"]),
    ],
)
def test_words_of_another_program(argv: list[str]) -> None:
    """Behind a program that pipenv starts, or behind --, words like own options are left alone."""
    words = [*argv, "--ca-profile", "a", "--ca-refresh", "--ca-nonsense", "", " ", "\n"]
    line = split(words)
    assert line.rest == words
    assert line.options == {}


@pytest.mark.parametrize(
    ("argv", "options", "rest"),
    [
        (["lock", "--ca-verbose"], {"verbose": True}, ["lock"]),
        (["lock", "-v", "--ca-profile", "p", "--dev"], {"profile": "p"}, ["lock", "-v", "--dev"]),
        (["install", "--ca-profile=p", "six"], {"profile": "p"}, ["install", "six"]),
        (
            ["run", "--ca-refresh", "x", "--ca-verbose"],
            {"refresh": True},
            ["run", "x", "--ca-verbose"],
        ),
        (["doctor", "--ca-no-cache"], {"no-cache": True}, ["doctor"]),
        (["lock", "--ca-nonsense", "--ca-help"], {}, ["lock", "--ca-nonsense", "--ca-help"]),
    ],
)
def test_own_options_after_the_command(
    argv: list[str], options: dict[str, str | bool], rest: list[str]
) -> None:
    """Own options also count behind the command; unknown ones there are pipenv's to judge."""
    line = split(argv)
    assert (line.options, line.rest) == (options, rest)
    assert line.command == rest[0]


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["lock", "--ca-profile"], "--ca-profile needs a value."),
        (["lock", "--ca-refresh=yes"], "--ca-refresh takes no value."),
        (["--ca-nonsense", "lock"], "Unknown option --ca-nonsense."),
        (["--ca-nonsense=1", "lock"], "Unknown option --ca-nonsense."),
        (["--ca-", "lock"], "Unknown option --ca-."),
        (["--ca-prof", "x", "lock"], "Unknown option --ca-prof."),
        (["--ca-profile"], "--ca-profile needs a value."),
        (["--verbose", "--ca-duration"], "--ca-duration needs a value."),
        (["--ca-refresh=yes", "lock"], "--ca-refresh takes no value."),
        (["--ca-refresh=", "lock"], "--ca-refresh takes no value."),
        (["--ca-help=yes"], "Unknown option --ca-help."),
    ],
)
def test_misused_options(argv: list[str], sentence: str) -> None:
    """An own option that is unknown, lacks its value or has one too many is a usage error."""
    with pytest.raises(UsageError) as caught:
        split(argv)
    assert caught.value.sentence == sentence
    assert caught.value.hint
    assert caught.value.exit_code == 2


words = st.one_of(
    st.text(),
    st.sampled_from(
        ["lock", "run", "--", "-", "-v", "--python", "--pypi-mirror", "--py", "--pyt", "--ca", "-m"]
    ),
)
foreign_words = words.filter(lambda word: not word.startswith("--ca-"))


@given(st.lists(foreign_words))
def test_without_own_options_nothing_changes(argv: list[str]) -> None:
    """Words without an own option among them reach pipenv as they are."""
    line = split(argv)
    assert line.rest == argv
    assert line.options == {}
    assert line.command is None or [line.command, *line.arguments] == argv[line.command_at :]


own_options = st.sampled_from(
    [["--ca-refresh"], ["--ca-profile", "p"], ["--ca-profile=p"], ["--ca-duration", "0"]]
)


@given(
    st.lists(
        st.one_of(own_options, st.sampled_from([["-v"], ["--python", "3"], ["--bare"], ["--py"]]))
    ),
    st.sampled_from(["lock", "run", "install"]),
    st.lists(st.text().filter(lambda word: not word.startswith("--ca-"))),
)
def test_only_own_options_are_taken(
    before: list[list[str]], command: str, after: list[str]
) -> None:
    """Own options vanish, and every other word stays."""
    line = split([*(word for group in before for word in group), command, *after])
    kept = [word for group in before if not group[0].startswith("--ca-") for word in group]
    assert line.rest == [*kept, command, *after]
    assert (line.command, line.arguments) == (command, after)


def test_every_own_verb_is_somewhere() -> None:
    """Each own verb has a function that runs it."""
    assert set(VERBS) == set(OWN_VERBS)
    for place in VERBS.values():
        module, _, function = place.partition(":")
        assert callable(getattr(import_module(f"codeartifact_pipenv.{module}"), function))
