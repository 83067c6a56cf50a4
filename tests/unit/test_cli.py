"""The command line: own options are removed, everything else is unchanged."""

from __future__ import annotations

from importlib import import_module

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeartifact_pipenv.__main__ import VERBS
from codeartifact_pipenv.cli import OWN_VERBS, help_text
from codeartifact_pipenv.errors import UsageError
from codeartifact_pipenv.settings import SETTINGS, parse_command_line


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
def test_own_options_are_removed_in_both_spellings(
    argv: list[str], options: dict[str, str | bool]
) -> None:
    """The last value of an option counts."""
    line = parse_command_line(argv)
    assert line.options == options
    assert line.rest == ["lock"]
    assert line.command == "lock"


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS.keys())
def test_each_setting_is_an_option_that_the_help_lists(setting: object) -> None:
    found = next(one for one in SETTINGS.values() if one is setting)
    words = [found.option] if found.is_flag else [found.option, "x"]
    assert parse_command_line([*words, "lock"]).options == {
        found.name: True if found.is_flag else "x"
    }
    assert f"  {found.option} " in help_text("pipenv-ca")


@pytest.mark.parametrize("word", ["help", "version"])
def test_help_and_version_need_no_command(word: str) -> None:
    line = parse_command_line([f"--ca-{word}"])
    assert (line.options, line.rest, line.command, line.arguments) == ({word: True}, [], None, [])


@pytest.mark.parametrize("verb", OWN_VERBS)
def test_the_help_lists_each_verb(verb: str) -> None:
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
def test_the_command_is_found_after_options_of_pipenv(
    argv: list[str], command: str | None, arguments: list[str]
) -> None:
    """All words are passed on."""
    line = parse_command_line(argv)
    assert (line.command, line.arguments) == (command, arguments)
    assert line.rest == argv
    assert line.options == {}


def test_own_options_may_stand_between_options_of_pipenv() -> None:
    line = parse_command_line(
        ["--verbose", "--ca-refresh", "--python", "3.11", "--ca-profile=p", "lock", "-d"]
    )
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
def test_words_for_another_program_are_not_changed(argv: list[str]) -> None:
    """They follow a program that pipenv starts, or --."""
    words = [*argv, "--ca-profile", "a", "--ca-refresh", "--ca-nonsense", "", " ", "\n"]
    line = parse_command_line(words)
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
def test_own_options_count_after_the_command(
    argv: list[str], options: dict[str, str | bool], rest: list[str]
) -> None:
    """Pipenv judges unknown options there."""
    line = parse_command_line(argv)
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
def test_a_misused_option_is_a_usage_error(argv: list[str], sentence: str) -> None:
    """It is unknown, lacks its value, or has a value that it does not take."""
    with pytest.raises(UsageError) as caught:
        parse_command_line(argv)
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
def test_words_without_own_options_reach_pipenv_unchanged(argv: list[str]) -> None:
    line = parse_command_line(argv)
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
def test_only_own_options_are_removed(
    before: list[list[str]], command: str, after: list[str]
) -> None:
    line = parse_command_line([*(word for group in before for word in group), command, *after])
    kept = [word for group in before if not group[0].startswith("--ca-") for word in group]
    assert line.rest == [*kept, command, *after]
    assert (line.command, line.arguments) == (command, after)


def test_each_own_verb_has_a_function() -> None:
    assert set(VERBS) == set(OWN_VERBS)
    for place in VERBS.values():
        module, _, function = place.partition(":")
        assert callable(getattr(import_module(f"codeartifact_pipenv.{module}"), function))
