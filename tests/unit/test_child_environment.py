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


def given(*urls: str) -> ChildEnvironment:
    sources = read(*urls)
    return direct_environment(sources, assign_variables(sources))


def refuse(words: str, sources: list[Source], environ: dict[str, str]) -> None:
    """Refuse other indexes of an install, by its words or the environment."""
    refuse_index_by_url(["install", "six", *words.split()], sources)
    refuse_other_indexes(sources, environ, named=True)


def test_variable_of_the_url_gets_the_token() -> None:
    child = given(PYPI, at(HOST, f"aws:${{{TOKEN}}}@"))
    assert child.environment(TOKENS) == {TOKEN: "first-token"}
    assert child.netrc_lines(TOKENS) == []
    assert child.domains() == [DOMAIN]


def test_one_domain_also_sets_the_common_variable() -> None:
    child = given(at(HOST, "aws:${MY_TOKEN}@"))
    assert child.environment(TOKENS) == {"MY_TOKEN": "first-token", TOKEN: "first-token"}
    assert child.domains() == [DOMAIN]


def test_each_variable_gets_the_token_of_its_domain() -> None:
    child = given(at(HOST, "aws:${A_TOKEN}@"), at(OTHER_HOST, "aws:${B_TOKEN}@"))
    assert child.environment(TOKENS) == {"A_TOKEN": "first-token", "B_TOKEN": "second-token"}
    assert child.domains() == [DOMAIN, OTHER]


def test_project_without_codeartifact_gets_nothing() -> None:
    child = given(PYPI)
    assert child == ChildEnvironment({}, {}, {})
    assert child.environment({}) == {}


def test_url_without_credentials_gets_a_netrc_line_per_host() -> None:
    child = given(at(HOST, ""), at(HOST, "", "second"), at(OTHER_HOST, ""))
    assert child.netrc_lines(TOKENS) == [
        f"machine {HOST} login aws password first-token",
        f"machine {OTHER_HOST} login aws password second-token",
    ]
    assert child.environment(TOKENS) == {}
    assert child.domains() == [DOMAIN, OTHER]


@pytest.mark.parametrize("userinfo", ["", "aws:${X_TOKEN}@", "aws:secret@", ":${X_TOKEN}@", "aws@"])
def test_other_settings_of_pip_stay(userinfo: str) -> None:
    child = given(at(HOST, userinfo))
    assert child.plain == {}
    assert child.unset == ()


def test_url_with_a_password_needs_no_netrc() -> None:
    assert given(at(HOST, "aws:secret@")).netrc == {}


def test_other_index_gets_no_token() -> None:
    child = given(PYPI, at(HOST, "aws:${A_TOKEN}@"), at(OTHER_HOST, ""))
    assert child.environment(TOKENS) == {"A_TOKEN": "first-token"}
    assert child.netrc == {OTHER_HOST: OTHER}


# --- pip ---------------------------------------------------------------------------------


def test_pip_gets_the_repository_as_its_only_index() -> None:
    child = pip_environment(read(PYPI, at(HOST, f"aws:${{{TOKEN}}}@")), {}, explicit_index=False)
    assert child.plain["PIP_INDEX_URL"] == URL
    assert child.plain["PIP_EXTRA_INDEX_URL"].split() == []
    assert child.environment(TOKENS) == dict(child.plain)
    assert child.netrc_lines(TOKENS) == [f"machine {HOST} login aws password first-token"]


def test_pip_gets_the_first_repository_and_all_logins() -> None:
    sources = read(at(HOST, ""), at(OTHER_HOST, ""))
    child = pip_environment(sources, {}, explicit_index=False)
    assert child.plain["PIP_INDEX_URL"] == URL
    assert list(child.netrc) == [HOST, OTHER_HOST]


def test_pip_index_url_may_choose_a_repository_of_the_project() -> None:
    sources = read(at(HOST, ""), at(HOST, "", "second"))
    environ = {
        "PIP_INDEX_URL": at(HOST, "aws:old-token@", "second"),
        "PIP_EXTRA_INDEX_URL": f"{URL} {at(HOST, '', 'second')}",
    }
    child = pip_environment(sources, environ, explicit_index=False)
    assert child.plain["PIP_INDEX_URL"] == at(HOST, "", "second")
    assert child.plain["PIP_EXTRA_INDEX_URL"].split() == []


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
        pip_environment(read(at(HOST, "")), {name: value}, explicit_index=False)
    assert f"Unset {name}" in caught.value.hint


@pytest.mark.parametrize("value", ["", "  "])
def test_blank_variable_names_no_index(value: str) -> None:
    environ = {"PIP_INDEX_URL": value, "PIP_EXTRA_INDEX_URL": value}
    child = pip_environment(read(at(HOST, "")), environ, explicit_index=False)
    assert child.plain["PIP_INDEX_URL"] == URL


def test_pip_with_an_explicit_index_gets_no_other() -> None:
    child = pip_environment(read(at(HOST, "")), {"PIP_INDEX_URL": PYPI}, explicit_index=True)
    assert child.environment(TOKENS) == NEUTRAL
    assert list(child.netrc) == [HOST]


# --- .env over it ------------------------------------------------------------------------


# --- loopback ----------------------------------------------------------------------------


def test_proxy_environment_has_no_token_and_no_other_index() -> None:
    sources = read(PYPI, at(HOST, f"aws:${{{TOKEN}}}@"), at(OTHER_HOST, "aws:${B_TOKEN}@"))
    child = proxy_environment(assign_variables(sources), set())
    assert child.domains() == []
    assert child.netrc_lines(TOKENS) == []
    assert child.environment(TOKENS) == NEUTRAL
    assert set(child.unset) == {"PIP_INDEX_URL", "PIPENV_PYPI_MIRROR"}


def test_proxy_environment_has_only_variables_of_package_urls() -> None:
    sources = read(at(HOST, "aws:${A_TOKEN}@"), at(OTHER_HOST, "aws:${B_TOKEN}@"))
    child = proxy_environment(assign_variables(sources), {"B_TOKEN", "C"})
    assert child.domains() == [OTHER]
    assert child.environment(TOKENS) == {"B_TOKEN": "second-token", **NEUTRAL}


MIRROR = "https://mirror.example/simple"
LOGGED_IN = "https://me:pw@mirror.example/simple"


@pytest.mark.parametrize(
    ("words", "environ"),
    [
        ("", {}),
        ("six", {"PIP_EXTRA_INDEX_URL": "", "PIP_INDEX_URL": " "}),
        ("six --index second", {}),
        ("six --index=second", {}),
        ("six -i second", {}),
        ("six -i", {}),
        ("six --dev", {"PIPENV_PYPI_MIRROR": MIRROR}),
        ("six", {"PIP_INDEX_URL": PYPI}),
        ("six", {"PIP_EXTRA_INDEX_URL": f"{PYPI} {URL}"}),
        ("six", {"PIP_EXTRA_INDEX_URL": at(HOST, "aws:other-token@")}),
        ("six", {"PIP_INDEX_URL": LOGGED_IN, "CREDENTIALS": "me:pw"}),
    ],
)
def test_sources_of_the_project_may_be_named(words: str, environ: dict[str, str]) -> None:
    sources = read(
        PYPI, at(HOST, f"aws:${{{TOKEN}}}@"), "https://${CREDENTIALS}@mirror.example/simple"
    )
    refuse(words, sources, environ)


@pytest.mark.parametrize(
    ("words", "environ", "begins", "hint"),
    [
        (f"-i {MIRROR}", {}, "-i names an index by its URL", "Name a source"),
        (f"--index {MIRROR}", {}, "--index names an index by its URL", "Name a source"),
        (f"--index={MIRROR}", {}, "--index names an index by its URL", "Name a source"),
        ("", {"PIP_EXTRA_INDEX_URL": MIRROR}, "PIP_EXTRA_INDEX_URL names", "Unset PIP_EXTRA"),
        ("", {"PIP_EXTRA_INDEX_URL": f"{PYPI} {MIRROR}"}, "PIP_EXTRA_INDEX_URL", "Unset PIP_EX"),
        ("", {"PIP_INDEX_URL": MIRROR}, "PIP_INDEX_URL names", "Unset PIP_INDEX_URL"),
    ],
)
def test_other_index_is_refused_with_a_hint(
    words: str, environ: dict[str, str], begins: str, hint: str
) -> None:
    sources = read(PYPI, at(HOST, ""))
    with pytest.raises(ConfigurationError) as caught:
        refuse(words, sources, environ)
    assert caught.value.sentence.startswith(begins)
    assert caught.value.hint.startswith(hint)


def test_pip_index_url_is_ignored_without_named_packages() -> None:
    sources = read(PYPI, at(HOST, ""))
    refuse_other_indexes(sources, {"PIP_INDEX_URL": MIRROR}, named=False)
    with pytest.raises(ConfigurationError, match=r"^PIP_EXTRA_INDEX_URL"):
        refuse_other_indexes(sources, {"PIP_EXTRA_INDEX_URL": MIRROR}, named=False)


def test_refusal_of_an_index_shows_no_password() -> None:
    for words, environ in (
        (f"-i {LOGGED_IN}", {}),
        (f"--index={LOGGED_IN}", {}),
        ("", {"PIP_EXTRA_INDEX_URL": LOGGED_IN}),
        ("", {"PIP_INDEX_URL": LOGGED_IN}),
    ):
        with pytest.raises(ConfigurationError) as caught:
            refuse(words, read(PYPI), environ)
        assert "pw" not in caught.value.sentence + caught.value.hint


def test_dotenv_that_overrides_a_variable_is_refused() -> None:
    child = pip_environment(read(at(HOST, "")), {}, explicit_index=False)
    for name, further in (("PIP_INDEX_URL", []), ("TMPDIR", ["TMPDIR", "NETRC"])):
        with pytest.raises(ConfigurationError) as caught:
            refuse_overridden(child, DotEnv("/p/.env", {name: "x"}), further)
        assert caught.value.sentence.startswith(f"/p/.env sets {name}")
        assert f"Remove {name}" in caught.value.hint


@pytest.mark.parametrize("name", ["PIP_EXTRA_INDEX_URL", "PIP_INDEX_URL", "PIPENV_PYPI_MIRROR"])
def test_dotenv_cannot_restore_a_withheld_variable(name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^/p/.env sets {name}"):
        refuse_overridden(proxy_environment({}, set()), DotEnv("/p/.env", {name: "x"}), [])


def test_dotenv_with_other_names_is_accepted() -> None:
    child = given(at(HOST, f"aws:${{{TOKEN}}}@"))
    refuse_overridden(child, None, ["TMPDIR"])
    refuse_overridden(child, DotEnv("/p/.env", {"OTHER": "x", TOKEN: "y"}), ["TMPDIR"])


def test_repr_of_the_environment_shows_no_token() -> None:
    shown = repr((given(at(HOST, "aws:${A_TOKEN}@"), at(OTHER_HOST, "")), TOKENS))
    assert "first-token" not in shown
