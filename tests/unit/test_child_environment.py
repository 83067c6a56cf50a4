"""The tokens and variables that pipenv gets, and settings that are refused."""

from __future__ import annotations

import pytest

from codeartifact_pipenv.auth.authorization_token import AuthorizationToken
from codeartifact_pipenv.endpoint import Domain
from codeartifact_pipenv.errors import ConfigurationError
from codeartifact_pipenv.files.pip_config import NEUTRAL
from codeartifact_pipenv.project.sources import Source, assign_variables, read_source
from codeartifact_pipenv.wrapper.pip_inputs import refuse_index_by_url
from codeartifact_pipenv.wrapper.plan import (
    direct_environment,
    pip_environment,
    proxy_environment,
    refuse_other_indexes,
)

OWNER = "123456789012"
TOKEN = "CODEARTIFACT_AUTH_TOKEN"
HOST = f"my-dom-{OWNER}.d.codeartifact.eu-west-1.amazonaws.com"
OTHER_HOST = f"other-{OWNER}.d.codeartifact.eu-west-1.amazonaws.com"
TOKENS = {
    Domain("my-dom", OWNER, "eu-west-1"): AuthorizationToken("first-token", source="AWS"),
    Domain("other", OWNER, "eu-west-1"): AuthorizationToken("second-token", source="AWS"),
}
PYPI = "https://pypi.org/simple"
LOGGED_IN = "https://me:pw@mirror.example/simple"
OTHER = "https://me:pw@other.example/simple"


def at(userinfo: str = "", host: str = HOST, repository: str = "team") -> str:
    return f"https://{userinfo}{host}/pypi/{repository}/simple/"


def read(*urls: str) -> list[Source]:
    return [read_source(str(number), url, "Pipfile", {}) for number, url in enumerate(urls)]


ONE, BARE, SECOND = at(f"aws:${{{TOKEN}}}@"), at(), at("", HOST, "second")
A, B = at("aws:${A_TOKEN}@"), at("aws:${B_TOKEN}@", OTHER_HOST)
OTHER_BARE = at("", OTHER_HOST)


@pytest.mark.parametrize(
    ("urls", "variables", "hosts"),
    [
        ([PYPI], {}, {}),
        ([PYPI, ONE], {TOKEN: "first"}, {}),
        ([at("aws:secret@")], {TOKEN: "first"}, {}),
        ([A], {"A_TOKEN": "first", TOKEN: "first"}, {}),
        ([A, B], {"A_TOKEN": "first", "B_TOKEN": "second"}, {}),
        ([A, OTHER_BARE], {"A_TOKEN": "first"}, {OTHER_HOST: "second"}),
        ([BARE, SECOND, OTHER_BARE], {}, {HOST: "first", OTHER_HOST: "second"}),
    ],
)
def test_each_variable_or_else_each_host_gets_the_token_of_its_domain(
    urls: list[str], variables: dict[str, str], hosts: dict[str, str]
) -> None:
    sources = read(*urls)
    child = direct_environment(sources, assign_variables(sources))
    assert child.environment(TOKENS) == {n: f"{token}-token" for n, token in variables.items()}
    lines = [f"machine {host} login aws password {token}-token" for host, token in hosts.items()]
    assert child.netrc_lines(TOKENS) == lines


CHOSEN = {
    "PIP_INDEX_URL": at("aws:old-token@", HOST, "second"),
    "PIP_EXTRA_INDEX_URL": f"{SECOND} {BARE}",
}


@pytest.mark.parametrize(
    ("urls", "environ", "index"),
    [
        ([PYPI, ONE], {}, BARE),
        ([BARE, OTHER_BARE], {"PIP_INDEX_URL": "", "PIP_EXTRA_INDEX_URL": "  "}, BARE),
        ([BARE, SECOND], CHOSEN, SECOND),
    ],
    ids=["first repository", "blank variables", "repository that the user chooses"],
)
def test_pip_gets_one_repository_as_its_only_index_and_all_logins(
    urls: list[str], environ: dict[str, str], index: str
) -> None:
    child = pip_environment(read(*urls), environ, explicit_index=False)
    given = child.environment(TOKENS)
    assert (given["PIP_INDEX_URL"], given["PIP_EXTRA_INDEX_URL"].split()) == (index, [])
    assert "token" not in str(given)
    assert set(child.netrc) == {host for host in (HOST, OTHER_HOST) if host in "".join(urls)}


@pytest.mark.parametrize("name", ["PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"])
@pytest.mark.parametrize(
    "value", [f"{BARE} {PYPI}", BARE.replace("https", "http"), SECOND, "nonsense"]
)
def test_other_indexes_for_pip_are_refused(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^{name} names an index") as caught:
        pip_environment(read(BARE), {name: value}, explicit_index=False)
    assert f"Unset {name}" in caught.value.hint


def test_pip_with_an_explicit_index_gets_no_other() -> None:
    child = pip_environment(read(BARE), {"PIP_INDEX_URL": PYPI}, explicit_index=True)
    assert child.environment(TOKENS) == NEUTRAL
    assert list(child.netrc) == [HOST]


@pytest.mark.parametrize(
    ("used", "token"), [(set(), {}), ({"B_TOKEN", "C"}, {"B_TOKEN": "second-token"})]
)
def test_proxy_environment_has_only_tokens_that_package_urls_name(
    used: set[str], token: dict[str, str]
) -> None:
    child = proxy_environment(assign_variables(read(PYPI, A, B)), used)
    assert child.netrc_lines(TOKENS) == []
    assert child.environment(TOKENS) == NEUTRAL | token
    assert set(child.unset) == {"PIP_INDEX_URL", "PIPENV_PYPI_MIRROR"}


def refuse(words: str, environ: dict[str, str], *, named: bool = True) -> None:
    sources = read(PYPI, ONE, "https://${CREDENTIALS}@mirror.example/simple")
    refuse_index_by_url(["install", "six", *words.split()], sources)
    refuse_other_indexes(sources, environ, named=named)


@pytest.mark.parametrize(
    ("words", "environ", "refused"),
    [
        *((words, {}, "") for words in ("--index second", "--index=second", "-i second", "-i")),
        ("", {"PIP_EXTRA_INDEX_URL": "", "PIP_INDEX_URL": " ", "PIPENV_PYPI_MIRROR": OTHER}, ""),
        ("", {"PIP_INDEX_URL": PYPI, "PIP_EXTRA_INDEX_URL": f"{PYPI} {BARE}"}, ""),
        ("", {"PIP_EXTRA_INDEX_URL": at("aws:other-token@")}, ""),
        ("", {"PIP_INDEX_URL": LOGGED_IN, "CREDENTIALS": "me:pw"}, ""),
        (f"-i {OTHER}", {}, "-i"),
        (f"--index={OTHER}", {}, "--index"),
        ("", {"PIP_EXTRA_INDEX_URL": f"{PYPI} {OTHER}"}, "PIP_EXTRA_INDEX_URL"),
        ("", {"PIP_INDEX_URL": OTHER}, "PIP_INDEX_URL"),
    ],
)
def test_only_sources_of_the_project_may_be_named(
    words: str, environ: dict[str, str], refused: str
) -> None:
    if not refused:
        refuse(words, environ)
        return
    with pytest.raises(ConfigurationError) as caught:
        refuse(words, environ)
    assert caught.value.sentence.startswith(f"{refused} names an index")
    assert caught.value.hint.startswith("Name a source" if words else f"Unset {refused}")
    assert "pw" not in caught.value.sentence + caught.value.hint


def test_pip_index_url_is_ignored_without_named_packages() -> None:
    refuse("", {"PIP_INDEX_URL": OTHER}, named=False)
    with pytest.raises(ConfigurationError, match=r"^PIP_EXTRA_INDEX_URL"):
        refuse("", {"PIP_EXTRA_INDEX_URL": OTHER}, named=False)
