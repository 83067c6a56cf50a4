"""The command line: own options are removed, everything else is unchanged."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeartifact_pipenv.cli import help_text
from codeartifact_pipenv.errors import UsageError
from codeartifact_pipenv.settings import SETTINGS, parse_command_line


@pytest.mark.parametrize(
    ("argv", "options", "rest"),
    [
        # Before the command; the last value of an option counts.
        ("--ca-profile= lock", {"profile": ""}, "lock"),
        ("--ca-profile=a=b lock", {"profile": "a=b"}, "lock"),
        ("--ca-profile --ca-refresh lock", {"profile": "--ca-refresh"}, "lock"),
        ("--ca-refresh --ca-duration 900 lock", {"refresh": True, "duration": "900"}, "lock"),
        ("--ca-profile=a --ca-profile b lock", {"profile": "b"}, "lock"),
        ("--ca-help --ca-version", {"help": True, "version": True}, ""),
        # After the command, where pipenv judges unknown options.
        ("lock -v --ca-profile p --dev", {"profile": "p"}, "lock -v --dev"),
        ("run --ca-refresh x --ca-verbose", {"refresh": True}, "run x --ca-verbose"),
        ("lock --ca-nonsense --ca-help", {}, "lock --ca-nonsense --ca-help"),
    ],
)
def test_own_options_are_removed_before_and_after_the_command(
    argv: str, options: dict[str, str | bool], rest: str
) -> None:
    line = parse_command_line(argv.split())
    assert (line.options, line.rest) == (options, rest.split())


def test_each_setting_is_an_option_that_the_help_lists() -> None:
    words = [o for s in SETTINGS.values() for o in (s.option, *([] if s.is_flag else ["x"]))]
    wanted = {s.name: True if s.is_flag else "x" for s in SETTINGS.values()}
    assert parse_command_line([*words, "lock"]).options == wanted
    assert [s.option for s in SETTINGS.values() if f"  {s.option} " not in help_text("x")] == []


@pytest.mark.parametrize(
    ("argv", "command", "arguments"),
    [
        ("--verbose lock -v", "lock", "-v"),
        ("--python 3.11 install six", "install", "six"),
        ("--pyt 3.11 install", "install", ""),
        ("--pypi https://mirror/simple lock", "lock", ""),
        ("--py lock", "lock", ""),
        ("--verbose -- lock --dev", "lock", "--dev"),
        *((argv, None, "") for argv in ("--python lock", "--python", "--version", "--", "")),
    ],
)
def test_the_command_is_found_after_options_of_pipenv(
    argv: str, command: str | None, arguments: str
) -> None:
    line = parse_command_line(argv.split())
    assert (line.command, line.arguments) == (command, arguments.split())
    assert line.rest == argv.split()


@pytest.mark.parametrize("argv", ["run x", "shell x", "sandbox run", "lock --", "-- x", "--", "-"])
def test_words_for_another_program_are_not_changed(argv: str) -> None:
    given = [*argv.split(), "--ca-profile", "a", "--ca-refresh", "--ca-nonsense", "", "\n"]
    line = parse_command_line(given)
    assert (line.rest, line.options) == (given, {})


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        ("--verbose --ca-duration", "--ca-duration needs a value."),
        ("lock --ca-refresh=yes", "--ca-refresh takes no value."),
        ("--ca-nonsense=1 lock", "Unknown option --ca-nonsense."),
        ("--ca-prof x lock", "Unknown option --ca-prof."),
        ("--ca-help=yes", "Unknown option --ca-help."),
    ],
)
def test_a_misused_option_is_a_usage_error(argv: str, sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_command_line(argv.split())
    assert (caught.value.sentence, caught.value.exit_code) == (sentence, 2)
    assert caught.value.hint


words = st.text() | st.sampled_from(
    ["lock", "run", "--", "-", "-v", "--python", "--pypi-mirror", "--py", "--pyt", "--ca", "-m"]
)
foreign_words = words.filter(lambda word: not word.startswith("--ca-"))
own_options = st.sampled_from(
    [["--ca-refresh"], ["--ca-profile", "p"], ["--ca-profile=p"], ["--ca-duration", "0"]]
)
options_of_pipenv = st.sampled_from([["-v"], ["--python", "3"], ["--bare"], ["--py"]])


@given(st.lists(foreign_words))
def test_words_without_own_options_reach_pipenv_unchanged(argv: list[str]) -> None:
    line = parse_command_line(argv)
    assert (line.rest, line.options) == (argv, {})
    assert line.command is None or [line.command, *line.arguments] == argv[line.command_at :]


@given(
    st.lists(own_options | options_of_pipenv),
    st.sampled_from(["lock", "run", "install"]),
    st.lists(foreign_words),
)
def test_only_own_options_are_removed(
    before: list[list[str]], command: str, after: list[str]
) -> None:
    line = parse_command_line([*(word for group in before for word in group), command, *after])
    kept = [word for group in before if not group[0].startswith("--ca-") for word in group]
    assert line.rest == [*kept, command, *after]
    assert (line.command, line.arguments) == (command, after)
