"""Edits to pip.conf, .pypirc and netrc: nothing of the user's changes, and all of it comes back."""

from __future__ import annotations

import configparser
import io
import netrc
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from codeartifact_pipenv.clients.logins import Entry, Netrc, Pip, Twine
from codeartifact_pipenv.errors import ConfigurationError
from codeartifact_pipenv.kept_file import decode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codeartifact_pipenv.clients.logins import Tool

HOST = "my-dom-123456789012.d.codeartifact.eu-west-1.amazonaws.com"
TEAM, LONELY = (f"https://{HOST}/pypi/{name}/" for name in ("team", "lonely"))
TOKENS = {TEAM: "eyJ2ZXIiOjF9.t.e.a.m", LONELY: "eyJ2ZXIiOjF9.l.o.n.e"}
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


def meaning(text: str) -> dict[str, dict[str, list[str]]]:
    """Return what a file says, however its values are laid out."""
    return {s: {k: v.split() for k, v in t.items()} for s, t in parsed(text).items()}


def is_ini(text: str) -> bool:
    try:
        parsed(text)
    except configparser.Error:
        return False
    return True


ini_texts = st.builds(
    lambda head, body, end: head + "".join(body) + end,
    st.sampled_from(["", "# mine\n", "\n\n"]),
    st.lists(sections, max_size=4, unique_by=lambda text: text.partition("]")[0]),
    st.sampled_from(["", "# the end", "\n"]),
).filter(is_ini)
TOOLS: dict[str, tuple[Tool, list[Entry]]] = {
    "pip": (Pip(PATH), [Entry("codeartifact", TEAM), Entry("lonely", LONELY)]),
    "pip, keyring": (Pip(PATH), [Entry("codeartifact", TEAM, "import")]),
    "twine": (Twine(PATH), [Entry("codeartifact", TEAM), Entry("lonely", LONELY)]),
}
# What each login may change, by section.
OURS: dict[str, dict[str, set[str]]] = {
    "pip": {"global": {"index-url", "index_url", "extra-index-url"}},
    "pip, keyring": {"global": {"index-url", "index_url", "keyring-provider"}},
    "twine": {"distutils": {"index-servers"}},
}
for _section in ("codeartifact", "lonely"):
    OURS["twine"][_section] = {"repository", "username", "password"}


def others(text: str, tool: str) -> dict[str, dict[str, str]]:
    """Return what a login has no business with."""
    found: dict[str, dict[str, str]] = {}
    for section, table in parsed(text).items():
        mine = OURS[tool].get(section, set())
        rest = {name: value for name, value in table.items() if name not in mine}
        found |= {section: rest} if rest else {}
    return found


@pytest.mark.parametrize("name", TOOLS)
@settings(max_examples=40)
@given(text=ini_texts)
def test_login_keeps_all_else(name: str, text: str) -> None:
    """A login leaves every other option, comment and section as it was."""
    tool, entries = TOOLS[name]
    after = tool.add(text, entries, TOKENS)
    assert others(after, name) == others(text, name)
    # (One that stands within a value goes with it, until the logout.)
    comments = [line for line in text.splitlines() if line[:1] in {"#", ";"}]
    left = after.splitlines()
    assert all(line in left for line in comments)


@pytest.mark.parametrize("name", TOOLS)
@settings(max_examples=40)
@given(text=ini_texts)
def test_logout_after_an_edit(name: str, text: str) -> None:
    """What a user has added since stays, and all else means what it did before the login."""
    tool, entries = TOOLS[name]
    added = "\n[since]\nkept = yes\n"
    assume("[since]" not in text)
    left = tool.withdraw(tool.add(text, entries, TOKENS) + added, text, entries)
    found = meaning(left)
    assert found.pop("since") == {"kept": ["yes"]}
    assert found == meaning(text)
    assert not any(token in left for token in TOKENS.values())


@pytest.mark.parametrize("name", TOOLS)
@settings(max_examples=40)
@given(text=ini_texts)
def test_login_twice(name: str, text: str) -> None:
    """A second login of the same repositories changes nothing but the token."""
    tool, entries = TOOLS[name]
    once = tool.add(text, entries, TOKENS)
    again = tool.add(tool.withdraw(once, text, entries), entries, TOKENS)
    assert meaning(again) == meaning(once)


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
)


def hosts(text: str) -> dict[str, Any]:
    parser: Any = netrc.netrc.__new__(netrc.netrc)
    parser.hosts, parser.macros = {}, {}
    parser._parse(PATH, io.StringIO(text), default_netrc=False)
    return dict(parser.hosts) | {"macros of it": parser.macros}


def is_netrc(text: str) -> bool:
    try:
        hosts(text)
    except netrc.NetrcParseError:
        return False
    return True


netrc_texts = st.builds(
    lambda body, end: "".join(body) + end,
    st.lists(entries_of_netrc, max_size=5),
    st.sampled_from(["", "default login anonymous password me", "\n"]),
).filter(lambda text: text.count(HOST) <= 1 and is_netrc(text))


@given(netrc_texts, st.booleans())
def test_netrc(text: str, edited: bool) -> None:
    """A login is what readers find for its host; every other entry and macro stays."""
    tool, entries = Netrc(PATH), [Entry(HOST, TEAM)]
    since = "machine since.example login a password b\n" if edited else ""
    try:
        after = since + tool.add(text, entries, TOKENS)
    except ConfigurationError:
        return  # refused, so nothing is changed
    before, found = hosts(text), hosts(after)
    assert found.pop(HOST)[::2] == ("aws", TOKENS[TEAM])
    earlier = before.pop(HOST, None)
    found.pop("since.example", None)
    assert found == before
    left = hosts(tool.withdraw(after, text, entries))
    assert (left.pop("since.example", None) is not None) == edited
    assert left.pop(HOST, None) == earlier
    assert left == before


@given(st.text(), st.text())
def test_never_another_error(text: str, base: str) -> None:
    """Whatever a file says, an edit is made or refused in one sentence."""
    for tool, entries in [*TOOLS.values(), (Netrc(PATH), [Entry(HOST, TEAM)])]:
        refused = None
        try:
            tool.withdraw(tool.add(text, entries, TOKENS), base, entries)
        except ConfigurationError as error:
            refused = error
        assert refused is None or (refused.hint and "\n" not in refused.sentence)


@given(st.binary())
def test_bytes_come_back(data: bytes) -> None:
    """What is read as text is written as the same bytes, marks and line ends too."""
    try:
        text = decode(PATH, data)
    except ConfigurationError:
        return
    assert text.data(text.text) == data


def test_refused_tokens() -> None:
    """An entry never leads a token to an address that is not CodeArtifact's."""
    tokens: Mapping[str, str] = {"https://evil.example/": "secret"}
    with pytest.raises(ValueError, match="CodeArtifact alone"):
        Pip(PATH).add("", [Entry("x", "https://evil.example/")], tokens)
