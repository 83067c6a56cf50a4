"""What pipenv is given: which token where, and what is refused."""

from __future__ import annotations

import pytest

from codeartifact_pipenv.auth.authorization_token import AuthorizationToken
from codeartifact_pipenv.auth.resolver import DotEnv
from codeartifact_pipenv.endpoint import Domain
from codeartifact_pipenv.errors import ConfigurationError
from codeartifact_pipenv.project.sources import Source, assign_variables, read_source
from codeartifact_pipenv.wrapper.handoff import (
    KEYRING_VARIABLES,
    Handoff,
    NetrcEntry,
    for_index_command,
    for_pip,
    refuse_overridden,
)

OWNER = "123456789012"
TOKEN = "CODEARTIFACT_AUTH_TOKEN"
HOST = f"my-dom-{OWNER}.d.codeartifact.eu-west-1.amazonaws.com"
OTHER_HOST = f"other-{OWNER}.d.codeartifact.eu-west-1.amazonaws.com"
DOMAIN = Domain("my-dom", OWNER, "eu-west-1")
OTHER = Domain("other", OWNER, "eu-west-1")
URL = f"https://{HOST}/pypi/team/simple/"
TOKENS = {
    DOMAIN: AuthorizationToken("first-token", source="AWS"),
    OTHER: AuthorizationToken("second-token", source="AWS"),
}
PYPI = "https://pypi.org/simple"


def read(*urls: str) -> list[Source]:
    return [read_source(str(number), url, "Pipfile", {}) for number, url in enumerate(urls)]


def at(host: str, userinfo: str, repository: str = "team") -> str:
    return f"https://{userinfo}{host}/pypi/{repository}/simple/"


def handed(*urls: str) -> Handoff:
    sources = read(*urls)
    return for_index_command(sources, assign_variables(sources))


def test_one_domain() -> None:
    """The variable of the URL gets the token; nothing else is given."""
    handoff = handed(PYPI, at(HOST, f"aws:${{{TOKEN}}}@"))
    assert handoff.environment(TOKENS) == {TOKEN: "first-token"}
    assert handoff.netrc_lines(TOKENS) == []
    assert handoff.domains() == [DOMAIN]
    assert not handoff.keyring


def test_variable_of_ones_own() -> None:
    """With one domain the common variable is set beside the URL's own."""
    handoff = handed(at(HOST, "aws:${MINE}@"))
    assert handoff.environment(TOKENS) == {"MINE": "first-token", TOKEN: "first-token"}
    assert handoff.domains() == [DOMAIN]


def test_two_domains() -> None:
    """With two domains each variable gets its own token."""
    handoff = handed(at(HOST, "aws:${A}@"), at(OTHER_HOST, "aws:${B}@"))
    assert handoff.environment(TOKENS) == {"A": "first-token", "B": "second-token"}
    assert handoff.domains() == [DOMAIN, OTHER]


def test_no_codeartifact() -> None:
    """Without a CodeArtifact source nothing is given."""
    handoff = handed(PYPI)
    assert handoff == Handoff({}, {}, [])
    assert handoff.environment({}) == {}


def test_credential_free_url() -> None:
    """A URL without credentials is served by netrc, one line a host."""
    handoff = handed(at(HOST, ""), at(HOST, "", "second"), at(OTHER_HOST, ""))
    assert handoff.netrc_lines(TOKENS) == [
        f"machine {HOST} login aws password first-token",
        f"machine {OTHER_HOST} login aws password second-token",
    ]
    assert handoff.environment(TOKENS) == {}
    assert handoff.domains() == [DOMAIN, OTHER]
    assert not handoff.keyring


def test_username_only_url() -> None:
    """A URL with the user alone is served by netrc under both names, and by the keyring."""
    handoff = handed(at(HOST, "aws@"))
    assert [entry.machine for entry in handoff.netrc] == [HOST, f"aws@{HOST}"]
    assert handoff.keyring
    assert handoff.plain == dict.fromkeys(KEYRING_VARIABLES, "subprocess")
    assert handoff.environment(TOKENS) == {
        TOKEN: "first-token",
        **dict.fromkeys(KEYRING_VARIABLES, "subprocess"),
    }


@pytest.mark.parametrize("userinfo", ["", "aws:${X}@", "aws:secret@", ":${X}@"])
def test_keyring_only_for_a_username_alone(userinfo: str) -> None:
    """In all other forms of URL the keyring is not asked."""
    handoff = handed(at(HOST, userinfo))
    assert not handoff.keyring
    assert handoff.plain == {}


def test_literal_password() -> None:
    """A URL that brings its own password needs no netrc."""
    assert handed(at(HOST, "aws:secret@")).netrc == []


def test_mixed_sources() -> None:
    """Each source is served in its own way, the foreign one not at all."""
    handoff = handed(PYPI, at(HOST, "aws:${A}@"), at(OTHER_HOST, ""))
    assert handoff.environment(TOKENS) == {"A": "first-token"}
    assert handoff.netrc == [NetrcEntry(OTHER_HOST, OTHER)]


# --- pip ---------------------------------------------------------------------------------


def test_pip_gets_one_index() -> None:
    """The repository is pip's one index, without a token in the URL."""
    handoff = for_pip(read(PYPI, at(HOST, f"aws:${{{TOKEN}}}@")), {}, explicit_index=False)
    assert handoff.plain["PIP_INDEX_URL"] == URL
    assert handoff.plain["PIP_EXTRA_INDEX_URL"].split() == []
    assert handoff.environment(TOKENS) == dict(handoff.plain)
    assert handoff.netrc_lines(TOKENS) == [f"machine {HOST} login aws password first-token"]


def test_pip_gets_the_first_of_several() -> None:
    """Of several repositories the first is the index; all hosts can be logged in to."""
    sources = read(at(HOST, ""), at(OTHER_HOST, ""))
    handoff = for_pip(sources, {}, explicit_index=False)
    assert handoff.plain["PIP_INDEX_URL"] == URL
    assert [entry.machine for entry in handoff.netrc] == [HOST, OTHER_HOST]


def test_pip_index_of_the_environment() -> None:
    """PIP_INDEX_URL may choose among the project's repositories, with whatever userinfo."""
    sources = read(at(HOST, ""), at(HOST, "", "second"))
    environ = {
        "PIP_INDEX_URL": at(HOST, "aws:old-token@", "second"),
        "PIP_EXTRA_INDEX_URL": f"{URL} {at(HOST, '', 'second')}",
    }
    handoff = for_pip(sources, environ, explicit_index=False)
    assert handoff.plain["PIP_INDEX_URL"] == at(HOST, "", "second")
    assert handoff.plain["PIP_EXTRA_INDEX_URL"].split() == []


@pytest.mark.parametrize("name", ["PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"])
@pytest.mark.parametrize(
    "value",
    [
        PYPI,
        f"{URL} {PYPI}",
        URL.replace("https", "http"),
        URL.replace("team", "another"),
        "nonsense",
    ],
)
def test_other_indexes_for_pip_are_refused(name: str, value: str) -> None:
    """Another index in the environment could supply a private name, so it is refused."""
    with pytest.raises(ConfigurationError, match=f"^{name} names an index") as caught:
        for_pip(read(at(HOST, "")), {name: value}, explicit_index=False)
    assert f"Unset {name}" in caught.value.hint


@pytest.mark.parametrize("value", ["", "  "])
def test_empty_indexes_for_pip(value: str) -> None:
    """An empty or blank variable names no index."""
    environ = {"PIP_INDEX_URL": value, "PIP_EXTRA_INDEX_URL": value}
    handoff = for_pip(read(at(HOST, "")), environ, explicit_index=False)
    assert handoff.plain["PIP_INDEX_URL"] == URL


def test_explicit_index_for_pip() -> None:
    """Where the user's words name the index, pip keeps its own; it can still log in."""
    handoff = for_pip(read(at(HOST, "")), {"PIP_INDEX_URL": PYPI}, explicit_index=True)
    assert handoff.environment(TOKENS) == {}
    assert [entry.machine for entry in handoff.netrc] == [HOST]


# --- .env over it ------------------------------------------------------------------------


def test_overridden() -> None:
    """A .env that would be loaded over what is given is refused, with file and name."""
    handoff = for_pip(read(at(HOST, "")), {}, explicit_index=False)
    for name, further in (("PIP_INDEX_URL", []), ("TMPDIR", ["TMPDIR", "NETRC"])):
        with pytest.raises(ConfigurationError) as caught:
            refuse_overridden(handoff, DotEnv("/p/.env", {name: "x"}), further)
        assert caught.value.sentence.startswith(f"/p/.env sets {name}")
        assert f"Remove {name}" in caught.value.hint


def test_not_overridden() -> None:
    """Another name in .env, the token itself, or no .env at all, is fine."""
    handoff = handed(at(HOST, f"aws:${{{TOKEN}}}@"))
    refuse_overridden(handoff, None, ["TMPDIR"])
    refuse_overridden(handoff, DotEnv("/p/.env", {"OTHER": "x", TOKEN: "y"}), ["TMPDIR"])


def test_repr_shows_no_token() -> None:
    """Printing a hand-off or its tokens shows no secret."""
    shown = repr((handed(at(HOST, "aws:${A}@"), at(OTHER_HOST, "")), TOKENS))
    assert "first-token" not in shown
