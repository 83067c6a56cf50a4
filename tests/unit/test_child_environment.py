"""The tokens and variables that pipenv gets, and settings that are refused."""

from __future__ import annotations

import pytest

from codeartifact_pipenv.auth.authorization_token import AuthorizationToken
from codeartifact_pipenv.auth.resolver import DotEnv
from codeartifact_pipenv.endpoint import Domain
from codeartifact_pipenv.errors import ConfigurationError
from codeartifact_pipenv.files.pip_config import NEUTRAL
from codeartifact_pipenv.project.sources import Source, assign_variables, read_source
from codeartifact_pipenv.wrapper.pip_inputs import refuse_index_by_url
from codeartifact_pipenv.wrapper.plan import (
    ChildEnvironment,
    direct_environment,
    pip_environment,
    proxy_environment,
    refuse_other_indexes,
    refuse_overridden,
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
MIRROR = "https://mirror.example/simple"
LOGGED_IN = "https://me:pw@mirror.example/simple"


def at(userinfo: str = "", host: str = HOST, repository: str = "team") -> str:
    return f"https://{userinfo}{host}/pypi/{repository}/simple/"


def read(*urls: str) -> list[Source]:
    return [read_source(str(number), url, "Pipfile", {}) for number, url in enumerate(urls)]


def direct(*urls: str) -> ChildEnvironment:
    sources = read(*urls)
    return direct_environment(sources, assign_variables(sources))


@pytest.mark.parametrize(
    ("urls", "environ"),
    [
        ([PYPI], {}),
        ([PYPI, at(f"aws:${{{TOKEN}}}@")], {TOKEN: "first-token"}),
        ([at("aws:${MY_TOKEN}@")], {"MY_TOKEN": "first-token", TOKEN: "first-token"}),
        (
            [at("aws:${A_TOKEN}@"), at("aws:${B_TOKEN}@", OTHER_HOST)],
            {"A_TOKEN": "first-token", "B_TOKEN": "second-token"},
        ),
        ([PYPI, at("aws:${A_TOKEN}@"), at("", OTHER_HOST)], {"A_TOKEN": "first-token"}),
        ([at(), at("", OTHER_HOST)], {}),
    ],
)
def test_each_variable_of_a_url_gets_the_token_of_its_domain(
    urls: list[str], environ: dict[str, str]
) -> None:
    assert direct(*urls).environment(TOKENS) == environ


@pytest.mark.parametrize(
    ("urls", "logins"),
    [
        (
            [at(), at("", HOST, "second"), at("", OTHER_HOST)],
            [(HOST, "first"), (OTHER_HOST, "second")],
        ),
        ([PYPI, at("aws:${A_TOKEN}@"), at("", OTHER_HOST)], [(OTHER_HOST, "second")]),
        ([at("aws:secret@")], []),
        ([PYPI], []),
    ],
)
def test_url_without_credentials_gets_a_netrc_line_per_host(
    urls: list[str], logins: list[tuple[str, str]]
) -> None:
    lines = [f"machine {host} login aws password {name}-token" for host, name in logins]
    assert direct(*urls).netrc_lines(TOKENS) == lines


# --- pip ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("urls", "environ", "index"),
    [
        ([PYPI, at(f"aws:${{{TOKEN}}}@")], {}, at()),
        ([at(), at("", OTHER_HOST)], {"PIP_INDEX_URL": "", "PIP_EXTRA_INDEX_URL": "  "}, at()),
        (
            [at(), at("", HOST, "second")],
            {
                "PIP_INDEX_URL": at("aws:old-token@", HOST, "second"),
                "PIP_EXTRA_INDEX_URL": f"{at()} {at('', HOST, 'second')}",
            },
            at("", HOST, "second"),
        ),
    ],
    ids=["first repository", "blank variables", "repository that the user chooses"],
)
def test_pip_gets_one_repository_as_its_only_index_and_all_logins(
    urls: list[str], environ: dict[str, str], index: str
) -> None:
    child = pip_environment(read(*urls), environ, explicit_index=False)
    given = child.environment(TOKENS)
    assert given["PIP_INDEX_URL"] == index
    assert given["PIP_EXTRA_INDEX_URL"].split() == []
    assert "token" not in str(given)
    assert set(child.netrc) == {host for host in (HOST, OTHER_HOST) if host in "".join(urls)}


@pytest.mark.parametrize("name", ["PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"])
@pytest.mark.parametrize(
    "value",
    [
        *(PYPI, f"{at()} {PYPI}", at().replace("https", "http"), at("", HOST, "another")),
        "nonsense",
    ],
)
def test_other_indexes_for_pip_are_refused(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^{name} names an index") as caught:
        pip_environment(read(at()), {name: value}, explicit_index=False)
    assert f"Unset {name}" in caught.value.hint


def test_pip_with_an_explicit_index_gets_no_other() -> None:
    child = pip_environment(read(at()), {"PIP_INDEX_URL": PYPI}, explicit_index=True)
    assert child.environment(TOKENS) == NEUTRAL
    assert list(child.netrc) == [HOST]


# --- proxy index -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("used", "token"), [(set(), {}), ({"B_TOKEN", "C"}, {"B_TOKEN": "second-token"})]
)
def test_proxy_environment_has_only_tokens_that_package_urls_name(
    used: set[str], token: dict[str, str]
) -> None:
    sources = read(PYPI, at("aws:${A_TOKEN}@"), at("aws:${B_TOKEN}@", OTHER_HOST))
    child = proxy_environment(assign_variables(sources), used)
    assert child.netrc_lines(TOKENS) == []
    assert child.environment(TOKENS) == NEUTRAL | token
    assert set(child.unset) == {"PIP_INDEX_URL", "PIPENV_PYPI_MIRROR"}


# --- refusals ----------------------------------------------------------------------------


def refuse(words: str, sources: list[Source], environ: dict[str, str]) -> None:
    """Refuse other indexes of an install, by its words or the environment."""
    refuse_index_by_url(["install", "six", *words.split()], sources)
    refuse_other_indexes(sources, environ, named=True)


@pytest.mark.parametrize(
    ("words", "environ"),
    [
        *((words, {}) for words in ("", "--index second", "--index=second", "-i second", "-i")),
        ("", {"PIP_EXTRA_INDEX_URL": "", "PIP_INDEX_URL": " "}),
        ("--dev", {"PIPENV_PYPI_MIRROR": MIRROR}),
        ("", {"PIP_INDEX_URL": PYPI}),
        ("", {"PIP_EXTRA_INDEX_URL": f"{PYPI} {at()}"}),
        ("", {"PIP_EXTRA_INDEX_URL": at("aws:other-token@")}),
        ("", {"PIP_INDEX_URL": LOGGED_IN, "CREDENTIALS": "me:pw"}),
    ],
)
def test_sources_of_the_project_may_be_named(words: str, environ: dict[str, str]) -> None:
    mirror = "https://${CREDENTIALS}@mirror.example/simple"
    refuse(words, read(PYPI, at(f"aws:${{{TOKEN}}}@"), mirror), environ)


@pytest.mark.parametrize(
    ("words", "environ", "begins", "hint"),
    [
        (f"-i {LOGGED_IN}", {}, "-i names an index by its URL", "Name a source"),
        (f"--index={LOGGED_IN}", {}, "--index names an index by its URL", "Name a source"),
        ("", {"PIP_EXTRA_INDEX_URL": LOGGED_IN}, "PIP_EXTRA_INDEX_URL names", "Unset PIP_EXTRA"),
        ("", {"PIP_EXTRA_INDEX_URL": f"{PYPI} {MIRROR}"}, "PIP_EXTRA_INDEX_URL", "Unset PIP_EX"),
        ("", {"PIP_INDEX_URL": LOGGED_IN}, "PIP_INDEX_URL names", "Unset PIP_INDEX_URL"),
    ],
)
def test_other_index_is_refused_with_a_hint_and_without_its_password(
    words: str, environ: dict[str, str], begins: str, hint: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        refuse(words, read(PYPI, at()), environ)
    assert caught.value.sentence.startswith(begins)
    assert caught.value.hint.startswith(hint)
    assert "pw" not in caught.value.sentence + caught.value.hint


def test_pip_index_url_is_ignored_without_named_packages() -> None:
    refuse_other_indexes(read(PYPI, at()), {"PIP_INDEX_URL": MIRROR}, named=False)
    with pytest.raises(ConfigurationError, match=r"^PIP_EXTRA_INDEX_URL"):
        refuse_other_indexes(read(PYPI, at()), {"PIP_EXTRA_INDEX_URL": MIRROR}, named=False)


def test_dotenv_with_other_names_is_accepted() -> None:
    child = direct(at(f"aws:${{{TOKEN}}}@"))
    refuse_overridden(child, None, ["TMPDIR"])
    refuse_overridden(child, DotEnv("/p/.env", {"OTHER": "x", TOKEN: "y"}), ["TMPDIR"])


def test_repr_of_the_environment_shows_no_token() -> None:
    assert "first-token" not in repr((direct(at("aws:${A_TOKEN}@"), at("", OTHER_HOST)), TOKENS))
