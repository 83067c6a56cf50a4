"""The route of a command, and the tokens and variables that pipenv gets on it."""

from __future__ import annotations

import pytest

from codeartifact_pipenv.auth.authorization_token import AuthorizationToken
from codeartifact_pipenv.endpoint import Domain
from codeartifact_pipenv.errors import ConfigurationError
from codeartifact_pipenv.files.pip_config import NEUTRAL
from codeartifact_pipenv.project.sources import Source, assign_variables, read_source
from codeartifact_pipenv.wrapper.pip_inputs import refuse_index_by_url
from codeartifact_pipenv.wrapper.pipenv_cli import LOCKED, PIP, RESOLVES, resolves
from codeartifact_pipenv.wrapper.plan import (
    DIRECT,
    PROXY,
    choose_route,
    direct_environment,
    pip_environment,
    proxy_environment,
    refuse_other_indexes,
)

OWNER = "123456789012"
HOST = f"my-dom-{OWNER}.d.codeartifact.eu-west-1.amazonaws.com"
OTHER_HOST = f"other-{OWNER}.d.codeartifact.eu-west-1.amazonaws.com"
TOKEN = "CODEARTIFACT_AUTH_TOKEN"
TOKENS = {
    Domain("my-dom", OWNER, "eu-west-1"): AuthorizationToken("first-token", source="AWS"),
    Domain("other", OWNER, "eu-west-1"): AuthorizationToken("second-token", source="AWS"),
}


def at(userinfo: str = "", host: str = HOST, repository: str = "team") -> str:
    return f"https://{userinfo}{host}/pypi/{repository}/simple/"


PYPI = "https://pypi.org/simple"
BARE, SECOND, OTHER_BARE = at(), at("", HOST, "second"), at("", OTHER_HOST)
VARIABLE, USERNAME = at(f"aws:${{{TOKEN}}}@"), at("aws@")
A, B = at("aws:${A_TOKEN}@"), at("aws:${B_TOKEN}@", OTHER_HOST)
LOGGED_IN = "https://me:pw@mirror.example/simple"
OTHER = "https://me:pw@other.example/simple"
NEW, OLD = "2026.10.3", "2024.4.1"
INSTALLING = ("sync", "install --deploy", "pylock --generate")


def read(*urls: str) -> list[Source]:
    return [read_source(str(number), url, "Pipfile", {}) for number, url in enumerate(urls)]


def route(
    words: str, *urls: str, version: str | None = NEW, builds: bool = False, copies: bool = True
) -> str:
    command, *arguments = words.split()
    kind = RESOLVES if resolves(command, arguments) else PIP if command == "run" else LOCKED
    return choose_route(kind, read(*urls), version, builds=builds, copies=copies)[0]


@pytest.mark.parametrize(
    ("wanted", "words", "urls"),
    [
        *((DIRECT, "lock", urls) for urls in ([], [PYPI, "https://x.example/simple"])),
        *((PROXY, "lock", urls) for urls in ([VARIABLE], [BARE], [PYPI, BARE], [VARIABLE, SECOND])),
        *((PROXY, f"{name} six", [PYPI, VARIABLE]) for name in ("install", "uninstall", "upgrade")),
        *((PROXY, name, [VARIABLE, PYPI]) for name in ("install", "update")),
        *((DIRECT, words, [PYPI, VARIABLE]) for words in INSTALLING),
        (DIRECT, "install --dev --ignore-pipfile", [BARE]),
        (PROXY, "run pip install six", [PYPI, VARIABLE]),
        *((DIRECT, "run pip install six", urls) for urls in ([BARE, VARIABLE], [PYPI])),
        # pip does not find the token for a username alone.
        *((PROXY, words, [USERNAME]) for words in ("lock", "sync")),
        (PROXY, "sync", [PYPI, VARIABLE, USERNAME]),
    ],
)
def test_resolving_uses_the_proxy_index_and_installing_is_direct(
    wanted: str, words: str, urls: list[str]
) -> None:
    assert route(words, *urls) == wanted


def test_one_source_without_copies_is_direct() -> None:
    assert route("lock", BARE, copies=False) == DIRECT


@pytest.mark.parametrize(
    ("wanted", "version", "url"),
    [
        *((DIRECT, version, VARIABLE) for version in (NEW, "2026.6.0", "2026.6.0.dev1", "2027")),
        *((PROXY, version, VARIABLE) for version in ("2023.12.1", "2026.5.9", "", "unknown", None)),
        (DIRECT, OLD, BARE),
        (DIRECT, OLD, OTHER),
    ],
)
def test_pipenv_that_shows_credentials_never_sees_a_url_with_a_password(
    wanted: str, version: str | None, url: str
) -> None:
    assert route("sync", url, version=version) == wanted


@pytest.mark.parametrize("words", INSTALLING)
def test_builds_with_several_sources_use_the_proxy_index(words: str) -> None:
    assert route(words, PYPI, BARE, builds=True) == PROXY
    assert route(words, BARE, SECOND, builds=True) == PROXY
    assert route(words, BARE, builds=True) == DIRECT
    assert route(words, PYPI, builds=True) == DIRECT
    # The lock does not tell whether its files are built, which the public index could serve.
    assert route(words, BARE, PYPI) == PROXY
    assert route(words, PYPI, BARE) == DIRECT
    assert route(words, BARE, SECOND) == DIRECT


@pytest.mark.parametrize(
    ("urls", "variables", "hosts"),
    [
        ([PYPI], {}, {}),
        ([PYPI, VARIABLE], {TOKEN: "first"}, {}),
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
        ([PYPI, VARIABLE], {}, BARE),
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


@pytest.mark.parametrize("value", [f"{BARE} {PYPI}", BARE.replace("https", "http"), SECOND])
def test_pip_gets_no_index_that_is_not_a_source_of_the_project(value: str) -> None:
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"):
        with pytest.raises(ConfigurationError, match=f"^{name} names an index"):
            pip_environment(read(BARE), {name: value}, explicit_index=False)


def test_pip_with_an_explicit_index_gets_no_other() -> None:
    child = pip_environment(read(BARE), {"PIP_INDEX_URL": PYPI}, explicit_index=True)
    assert (child.environment(TOKENS), list(child.netrc)) == (NEUTRAL, [HOST])


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


@pytest.mark.parametrize(
    ("words", "environ"),
    [
        *((words, {}) for words in ("--index second", "--index=second", "-i second", "-i")),
        ("", {"PIP_EXTRA_INDEX_URL": "", "PIP_INDEX_URL": " ", "PIPENV_PYPI_MIRROR": OTHER}),
        ("", {"PIP_INDEX_URL": PYPI, "PIP_EXTRA_INDEX_URL": f"{PYPI} {BARE}"}),
        ("", {"PIP_EXTRA_INDEX_URL": at("aws:other-token@")}),
        ("", {"PIP_INDEX_URL": LOGGED_IN, "CREDENTIALS": "me:pw"}),
    ],
)
def test_sources_of_the_project_may_be_named(words: str, environ: dict[str, str]) -> None:
    sources = read(PYPI, VARIABLE, "https://${CREDENTIALS}@mirror.example/simple")
    refuse_index_by_url(["install", "six", *words.split()], sources)
    refuse_other_indexes(sources, environ, named=True)
