"""The list of pip's settings against pip itself: words, variables, configuration, requirements files."""

from __future__ import annotations

import contextlib
import importlib
import io
import logging
import os
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from codeartifact_pipenv.errors import ConfigurationError
from codeartifact_pipenv.files import pip_config
from codeartifact_pipenv.files.pip_config import in_files, in_pip_words, setting_value
from codeartifact_pipenv.project.requirements_files import RequirementsReader

if TYPE_CHECKING:
    from pathlib import Path


def pips(module: str) -> Any:
    """Return a module of the pip that pipenv brings along."""
    return importlib.import_module(f"pipenv.patched.pip._internal.{module}")


create_command = pips("commands").create_command
Configuration = pips("configuration").Configuration
req_file = pips("req.req_file")

COMMANDS = ("install", "download", "wheel", "index", "lock", "list")
VALUES = ("https://x/simple", "DIR", "r.txt", "-f", "--no-index", "--isolated", "--", "x=y")
# The names under which pip's parser keeps the values.
NAMES = {
    pip_config.INDEX: ("index_url",),
    pip_config.EXTRA_INDEX: ("extra_index_urls",),
    pip_config.FIND_LINKS: ("find_links",),
    pip_config.NO_INDEX: ("no_index",),
    pip_config.FILES: ("requirements", "constraints", "build_constraints"),
}


def parser_of(command: str) -> Any:
    """Return pip's own parser, which knows no configuration."""
    parser: Any = create_command(command, isolated=True).parser
    parser.config = mock.Mock(items=list, load=lambda: None)
    return parser


PARSERS = {name: parser_of(name) for name in COMMANDS}
OPTIONS = {
    name: sorted(
        word
        for option in parser.option_list_all
        for word in (*option._short_opts, *option._long_opts)
        if word not in {"-h", "--help", "-V", "--version"}
    )
    for name, parser in PARSERS.items()
}


@st.composite
def command_lines(draw: st.DrawFn) -> list[str]:
    """Draw the words of a pip command, options in every spelling that optparse may take."""
    command = draw(st.sampled_from(COMMANDS))
    options = OPTIONS[command]
    letters = "".join(o[1] for o in options if len(o) == 2)
    own = [o for s in pip_config.SETTINGS for o in s.options if o in options]
    value = st.sampled_from(VALUES)
    drawn = [command]
    for kind in draw(st.lists(st.integers(0, 3), min_size=1, max_size=5)):
        option = draw(st.sampled_from(options) | st.sampled_from(own or options))
        values = draw(st.lists(value, max_size=1))
        if kind == 1 and option.startswith("--"):
            option = option[: draw(st.integers(3, len(option)))]
            if draw(st.booleans()):
                option, values = "=".join([option, *values]), []
        elif kind == 2:
            cluster = draw(st.text(letters, min_size=1, max_size=4))
            option = f"-{cluster}{draw(st.sampled_from(['', *VALUES]))}"
        drawn += values if kind == 0 else [option, *values]
    return drawn


def values_by_pip(command: str, words: list[str]) -> dict[str, list[Any]] | None:
    """Return the values that pip's parser reads from words, or None if it rejects them."""
    parser = PARSERS[command]
    for name, value in parser.defaults.items():
        if isinstance(value, list):
            parser.defaults[name] = []  # pip's options append to it
    with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
        try:
            options, _ = parser.parse_args(list(words))
        except (SystemExit, Exception):  # noqa: BLE001 - whatever pip's checks of values raise
            return None
    found: dict[str, list[Any]] = {}
    for kind, names in NAMES.items():
        for name in names:
            value = getattr(options, name, None)
            if value and value != parser.defaults.get(name):
                found.setdefault(kind, []).extend(value if isinstance(value, list) else [value])
    return found


@pytest.mark.wide  # it takes ten seconds
@settings(max_examples=1500, suppress_health_check=[HealthCheck.filter_too_much])
@given(command_lines())
def test_every_spelling_of_an_option_that_pip_accepts_is_recognized(words: list[str]) -> None:
    command, *arguments = words
    found = values_by_pip(command, arguments)
    assume(found is not None)
    seen: dict[str, list[str]] = {}
    for one in in_pip_words(words):
        seen.setdefault(one.kind, []).append(one.value)
    for kind, values in (found or {}).items():
        assert kind in seen, (words, kind)
        for value in values if kind != pip_config.NO_INDEX else []:
            assert value in seen[kind], (words, kind, seen)
    if "--isolated" in words:
        assert pip_config.ISOLATED in seen


OTHER = ["six", "-U", "-qI", "-vv", "--upgrade", "--pre", "-t", "-e./file", "--no-binary", ":all:"]


@given(st.lists(st.sampled_from(OTHER)))
def test_unrelated_options_are_not_taken_for_index_settings(words: list[str]) -> None:
    assert in_pip_words(["install", *words]) == []


def spelled(name: str) -> st.SearchStrategy[str]:
    """Draw a key in any case, with dashes or underscores, and perhaps with dashes before it."""
    letters = [
        st.sampled_from(["-", "_"]) if sign == "-" else st.sampled_from([sign, sign.upper()])
        for sign in name
    ]
    return st.tuples(st.sampled_from(["", "--", "__", "-_"]), *letters).map("".join)


KEYS = [o[2:] for s in pip_config.SETTINGS for o in s.options if o.startswith("--")]
KEYS.remove("isolated")
keys = st.sampled_from([*KEYS, "timeout", "cert", "index", "find"]).flatmap(spelled)


@given(st.dictionaries(st.tuples(st.sampled_from(["PIP_", "pip_", "Pip_"]), keys), st.just("x")))
def test_environment_variables_are_read_as_pip_reads_them(
    given_names: dict[tuple[str, str], str],
) -> None:
    environ = {prefix + key: value for (prefix, key), value in given_names.items()}
    with mock.patch.dict(os.environ, environ, clear=True):
        configuration = Configuration(isolated=False)
        configuration._load_environment_vars()
        known = configuration._dictionary[":env:"]
    options = {f"--{key.partition('.')[2]}" for key in known}
    wanted = {s for s in pip_config.SETTINGS if options & set(s.options)}
    assert {named.setting for named in pip_config.in_environment(environ)} == wanted


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lines=st.lists(
        st.tuples(
            st.sampled_from(["global", "install", "wheel"]),
            st.sampled_from(["find-links", "index-url", "constraint"]).flatmap(spelled),
            st.sampled_from(["", "a", "\n  a\n  b", "a b"]),
        ),
        max_size=4,
        unique_by=lambda line: (line[0], line[1].lower()),
    )
)
def test_configuration_files_are_read_as_pip_reads_them(
    lines: list[tuple[str, str, str]], tmp_path: Path
) -> None:
    path = tmp_path / "pip.conf"
    sections: dict[str, list[str]] = {}
    for section, key, value in lines:
        sections.setdefault(section, []).append(f"{key} = {value}\n")
    path.write_text("".join(f"[{name}]\n{''.join(body)}" for name, body in sections.items()))
    environ = {"PIP_CONFIG_FILE": str(path), "HOME": str(tmp_path), "XDG_CONFIG_DIRS": "/none"}
    with mock.patch.dict(os.environ, environ, clear=True):
        configuration = Configuration(isolated=False)
        configuration.load()
        parser: Any = create_command("install").parser
        parser.config = configuration
        wanted = dict(parser._get_ordered_configuration_items())
    found = {key: value for key, (value, _) in in_files(environ).items()}
    for key in ("find-links", "index-url", "constraint"):
        assert found.get(key) == wanted.get(key), key
    assert setting_value("find-links", environ)[0] == wanted.get("find-links", "")


PIECES = [
    *("six", "six==1.0", "-e .", "# x", " # -i y", "-i https://x/simple", "--extra-index-url=u"),
    *("--extra u", "-f DIR", "--no-index", "--find-l=DIR", "--pre", "--hash=sha256:0", "\\", "'"),
    *("${OPTS}", "${NONE}", " ", "\t", '"a b"', "-iu", "--index u#x", "-r", "-c"),
]
texts = st.lists(
    st.lists(st.sampled_from(PIECES), min_size=1, max_size=4).map(" ".join), max_size=5
).flatmap(
    lambda lines: st.sampled_from(["\n", "\r\n", "\\\n", "\x0c", " \\\n", "\u2028"]).map(
        lambda end: end.join(lines)
    )
)
ENVIRON = {"OPTS": "--find-links DIR"}


def parsed(path: Path) -> list[Any]:
    """Return the lines of a file as pip reads them; nothing where it rejects one."""
    logging.disable(logging.CRITICAL)
    reader = req_file.RequirementsFileParser(mock.Mock(), req_file.get_line_parser(None))
    with (
        mock.patch.dict(os.environ, ENVIRON, clear=True),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        try:
            return list(reader._parse_file(str(path), constraint=False))
        except req_file.RequirementsFileParseError:
            return []


def meaning(lines: list[Any]) -> list[Any]:
    """Return what pip installs by lines, and all options but those for indexes."""
    found = [(line.args.strip(), line.opts.editables, line.opts.pre) for line in lines]
    return [each for each in found if any(each)]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=texts)
@example(text="-i own '--hash=sha256:0${NONE}'")
@example(text="-i own --pre --find='a b'")
def test_requirements_files_are_read_as_pip_reads_them(text: str, tmp_path: Path) -> None:
    """A line that adds an index is refused; a copy means the same without it."""
    path = tmp_path / "r.txt"
    path.write_text(text, encoding="utf-8")
    lines = parsed(path)
    assume(lines)
    names = ("index_url", "extra_index_urls", "find_links", "no_index")
    told_elsewhere = [n for line in lines for n in names if getattr(line.opts, n)]
    assume(not any(line.opts.requirements or line.opts.constraints for line in lines))

    def read(*, own: bool) -> Any:
        reader = RequirementsReader(lambda _: own, ENVIRON, lambda _: "")
        return reader.read("r.txt", str(tmp_path))

    if told_elsewhere:
        with pytest.raises(ConfigurationError, match=r"line \d"):
            read(own=False)
    if not {"find_links", "no_index"} & set(told_elsewhere):
        with contextlib.suppress(ConfigurationError):
            copied = read(own=True)
            copy = tmp_path / "copy.txt"
            copy.write_text(copied.text(lambda file: file.place), encoding="utf-8")
            again = parsed(copy)
            assert not any(getattr(line.opts, n) for line in again for n in names)
            assert meaning(again) == meaning(lines)


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32", "latin-1", "utf-7"]
)
def test_encoding_is_detected_as_by_pip_and_the_copy_is_utf8(encoding: str, tmp_path: Path) -> None:
    text = f"# coding: {encoding}\n-i own\nsix # \u00e9\n"
    data = (b"\xfe\xff" if encoding == "utf-16-be" else b"") + text.encode(encoding)
    (tmp_path / "r.txt").write_bytes(data)
    file = RequirementsReader(lambda _: True, {}, lambda _: "").read("r.txt", str(tmp_path))
    assert file.is_changed
    assert req_file._decode_req_file(data, "").splitlines()[1] == "-i own"
    assert file.text(lambda other: other.place) == "\ufeff\n\nsix\n"
