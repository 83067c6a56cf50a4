"""Edits to pip.conf, .pypirc and netrc: nothing of the user's changes, and all of it comes back."""

from __future__ import annotations

import configparser
import io
import netrc
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codeartifact_pipenv.clients.edits import TOOLS, LoginEntry
from codeartifact_pipenv.clients.login_files import ConfigFile
from codeartifact_pipenv.endpoint import Domain
from codeartifact_pipenv.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from codeartifact_pipenv.clients.edits import Tool

HOST = "my-dom-123456789012.d.codeartifact.eu-west-1.amazonaws.com"
TEAM, LONELY = (f"https://{HOST}/pypi/{name}/" for name in ("team", "lonely"))
TOKENS = {TEAM: "eyJ2ZXIiOjF9.t.e.a.m", LONELY: "eyJ2ZXIiOjF9.l.o.n.e"}
DOMAIN = Domain("my-dom", "123456789012", "eu-west-1")
PATH = "the file"

words = st.text("abcXYZ09_.%;#$\"'/:@-", min_size=1, max_size=12).filter(lambda w: w[0] not in "#;")
names = st.one_of(
    st.sampled_from(["timeout", "index-url", "index_url", "extra-index-url", "username", "x"]),
    st.from_regex(r"[a-z][a-z-]{0,8}", fullmatch=True),
)
options = st.builds(
    "".join,
    st.tuples(
        st.sampled_from(["", "# a = b\n", "; c\n", "\n", "   # far\n"]),
        names,
        st.sampled_from(["=", " = ", ": ", "\t=\t"]),
        st.one_of(words, st.builds("\n   {}\n\t{}".format, words, words), st.just("")),
        st.sampled_from(["\n", "\n\n", "   \n"]),
    ),
)
sections = st.builds(
    lambda name, body: f"[{name}]\n{''.join(body)}",
    st.sampled_from(["global", "install", "distutils", "pypi", "codeartifact", "Global", "x y"]),
    st.lists(options, max_size=4),
)


def parsed(text: str) -> dict[str, dict[str, str]]:
    parser = configparser.RawConfigParser()
    parser.read_string(text)
    return {name: dict(parser[name]) for name in parser.sections()}


def accepts(parse: Callable[[str], object], text: str) -> bool:
    try:
        parse(text)
    except (configparser.Error, netrc.NetrcParseError):
        return False
    return True


ini_texts = st.builds(
    lambda head, body, end: head + "".join(body) + end,
    st.sampled_from(["", "# mine\n", "\n\n"]),
    st.lists(sections, max_size=4, unique_by=lambda text: text.partition("]")[0]),
    st.sampled_from(["", "# the end", "\n"]),
).filter(lambda text: accepts(parsed, text))
ENTRIES = [LoginEntry("codeartifact", TEAM, TOKENS[TEAM]), LoginEntry("b", LONELY, TOKENS[LONELY])]
CASES: dict[str, tuple[Tool, list[LoginEntry]]] = {
    "pip": (TOOLS["pip"], ENTRIES),
    "pip, keyring": (TOOLS["pip"], [LoginEntry("codeartifact", TEAM, None, "import")]),
    "twine": (TOOLS["twine"], ENTRIES),
}
# The options that each login may change, by section.
SECTION = {"repository", "username", "password"}
OURS: dict[str, dict[str, set[str]]] = {
    "pip": {"global": {"index-url", "index_url", "extra-index-url"}},
    "pip, keyring": {"global": {"index-url", "index_url", "keyring-provider"}},
    "twine": {"distutils": {"index-servers"}, "codeartifact": SECTION, "b": SECTION},
}


def others(text: str, tool: str) -> dict[str, dict[str, str]]:
    """Return the options that a login does not change."""
    found = {}
    for section, table in parsed(text).items():
        mine = OURS[tool].get(section, set())
        found[section] = {name: value for name, value in table.items() if name not in mine}
    return {section: rest for section, rest in found.items() if rest}


@pytest.mark.parametrize("name", CASES)
@settings(max_examples=40)
@given(text=ini_texts)
def test_login_and_removal_keep_every_other_option_comment_and_section(
    name: str, text: str
) -> None:
    tool, entries = CASES[name]
    after = tool.add(PATH, text, entries)
    removal = tool.remove(PATH, after, False)
    for found in (after, removal.text):
        assert others(found, name) == others(text, name)
        comments = [line for line in text.splitlines() if line[:1] in {"#", ";"}]
        assert {*comments} <= {*found.splitlines()}
    assert removal.domains == {DOMAIN}
    assert HOST not in removal.text
    assert not any(token in removal.text for token in TOKENS.values())


plain = st.text("abcXYZ09.%$'/:@-", min_size=1, max_size=8)
quoted = st.builds('"{}"'.format, st.text("ab #\\\\x", max_size=6).filter(lambda t: "\\" not in t))
values = st.one_of(plain, quoted, st.just("#hash"))
gaps = st.sampled_from([" ", "\n", "\n\t", "  "])
entries_of_netrc = st.one_of(
    st.builds(
        "machine{}{}{}login{}{}{}password{}{}{}".format,
        gaps,
        st.sampled_from([HOST, "a.example", "b.example"]),
        *[piece for _ in range(2) for piece in (gaps, gaps, values)],
        st.sampled_from(["\n", "\n\n", " # why\n"]),
    ),
    st.just("# a comment\n"),
    st.just("macdef init\n  cd /pub\n  machine x\n\n"),
    st.just(f"macdef other\n  machine {HOST} login x\n\n"),
)


def hosts(text: str) -> dict[str, Any]:
    parser: Any = netrc.netrc.__new__(netrc.netrc)
    parser.hosts, parser.macros = {}, {}
    parser._parse(PATH, io.StringIO(text), default_netrc=False)
    return dict(parser.hosts) | {"macros of it": parser.macros}


netrc_texts = st.builds(
    lambda body, end: "".join(body) + end,
    st.lists(entries_of_netrc, max_size=5),
    st.sampled_from(["", "default login anonymous password me", "\n"]),
).filter(lambda text: text.count(HOST) <= 2 and accepts(hosts, text))


@given(netrc_texts)
def test_netrc_login_is_read_for_its_host_and_other_entries_stay(text: str) -> None:
    tool = TOOLS["netrc"]
    try:
        after = tool.add(PATH, text, [LoginEntry(HOST, TEAM, TOKENS[TEAM])])
        left = tool.remove(PATH, after, True)
    except ConfigurationError:
        return  # refused, so nothing is changed
    before, found = hosts(text), hosts(after)
    assert found.pop(HOST)[::2] == ("aws", TOKENS[TEAM])
    before.pop(HOST, None)
    assert found == before == hosts(left.text)
    assert left.domains == {DOMAIN}


@given(st.text())
def test_any_file_is_edited_or_refused_with_one_sentence(text: str) -> None:
    for tool, entries in [*CASES.values(), (TOOLS["netrc"], [LoginEntry(HOST, TEAM, "x")])]:
        refused = None
        try:
            tool.remove(PATH, text, True)
            tool.remove(PATH, tool.add(PATH, text, entries), False)
        except ConfigurationError as error:
            refused = error
        assert refused is None or (refused.hint and "\n" not in refused.sentence)


@given(st.binary())
def test_text_that_is_read_is_written_back_as_the_same_bytes(data: bytes) -> None:
    file = ConfigFile(PATH, data)
    try:
        text = file.text
    except ConfigurationError:
        return
    assert file.with_text(text) == file


def test_a_token_is_not_written_for_a_host_outside_of_codeartifact() -> None:
    with pytest.raises(ValueError, match="CodeArtifact alone"):
        TOOLS["pip"].add(PATH, "", [LoginEntry("x", "https://evil.example/", "secret")])


@pytest.mark.parametrize("url", ["https://evil.example/pypi/x/", TEAM.replace("amazonaws", "evil")])
@pytest.mark.parametrize("tool", TOOLS)
def test_removal_keeps_entries_that_only_look_like_codeartifact(tool: str, url: str) -> None:
    host = url.split("/")[2]
    texts = {
        "pip": f"[global]\nindex-url = https://aws:x@{url.removeprefix('https://')}simple/\n",
        "twine": f"[distutils]\nindex-servers = a\n[a]\nrepository = {url}\npassword = x\n",
        "netrc": f"machine {host} login aws password x\n",
    }
    assert TOOLS[tool].remove(PATH, texts[tool], False) == (texts[tool], set())
