"""By which way pipenv sees the sources: a table."""

from __future__ import annotations

import pytest

from codeartifact_pipenv.project.sources import Source, read_source
from codeartifact_pipenv.wrapper.pipenv_cli import LOCKED, PIP, RESOLVES, resolves
from codeartifact_pipenv.wrapper.plan import DIRECT, PROXY, choose_route, shows_credentials

HOST = "my-dom-123456789012.d.codeartifact.eu-west-1.amazonaws.com"
PYPI = "https://pypi.org/simple"
BARE = f"https://{HOST}/pypi/team/simple/"
OTHER = f"https://{HOST}/pypi/other/simple/"
VARIABLE = BARE.replace("://", "://aws:${CODEARTIFACT_AUTH_TOKEN}@")
USERNAME = BARE.replace("://", "://aws@")
NEW, OLD = "2026.10.3", "2024.4.1"


def read(*urls: str) -> list[Source]:
    return [read_source(str(number), url, "Pipfile", {}) for number, url in enumerate(urls)]


def route(
    words: str,
    *urls: str,
    version: str | None = NEW,
    pip: bool = False,
    builds: bool = False,
    copies: bool = True,
) -> str:
    command, *arguments = words.split()
    kind = RESOLVES if resolves(command, arguments) else LOCKED
    found, why = choose_route(
        PIP if pip else kind, read(*urls), version, builds=builds, copies=copies
    )
    assert why
    assert not why.endswith(".")
    return found


@pytest.mark.parametrize(
    ("words", "urls", "wanted"),
    [
        ("lock", [], DIRECT),
        ("lock", [PYPI], DIRECT),
        ("lock", [PYPI, "https://x.example/simple"], DIRECT),
        ("lock", [VARIABLE], PROXY),
        ("lock", [BARE], PROXY),
        ("lock", [BARE, VARIABLE], PROXY),
        ("sync", [VARIABLE], DIRECT),
        ("install --deploy", [BARE], DIRECT),
        ("run pip install six", [BARE, VARIABLE], DIRECT),
        ("lock", [PYPI, VARIABLE], PROXY),
        ("lock", [VARIABLE, PYPI], PROXY),
        ("lock", [PYPI, BARE], PROXY),
        ("lock", [VARIABLE, OTHER], PROXY),
        ("install", [PYPI, VARIABLE], PROXY),
        ("install six", [PYPI, VARIABLE], PROXY),
        ("uninstall six", [PYPI, VARIABLE], PROXY),
        ("update", [PYPI, VARIABLE], PROXY),
        ("upgrade six", [PYPI, VARIABLE], PROXY),
        ("sync", [PYPI, VARIABLE], DIRECT),
        ("sync --dev", [PYPI, BARE], DIRECT),
        ("install --deploy", [PYPI, VARIABLE], DIRECT),
        ("install --dev --ignore-pipfile", [PYPI, VARIABLE], DIRECT),
        ("pylock --generate", [PYPI, VARIABLE], DIRECT),
    ],
)
def test_resolving_uses_the_proxy_index_and_installing_is_direct(
    words: str, urls: list[str], wanted: str
) -> None:
    assert route(words, *urls) == wanted


def test_one_source_without_copies_is_direct() -> None:
    assert route("lock", BARE, copies=False) == DIRECT


@pytest.mark.parametrize("words", ["lock", "sync", "install --deploy"])
@pytest.mark.parametrize("urls", [[USERNAME], [PYPI, USERNAME], [PYPI, VARIABLE, USERNAME]])
@pytest.mark.parametrize("version", [NEW, OLD])
def test_username_without_a_password_uses_the_proxy_index(
    words: str, urls: list[str], version: str
) -> None:
    assert route(words, *urls, version=version) == PROXY


@pytest.mark.parametrize("words", ["sync", "install --deploy"])
@pytest.mark.parametrize(
    ("version", "wanted"),
    [(NEW, DIRECT), ("2026.6.0", DIRECT), (OLD, PROXY), ("2026.5.2", PROXY)],
)
def test_old_pipenv_never_sees_a_url_with_a_password(words: str, version: str, wanted: str) -> None:
    assert route(words, VARIABLE, version=version) == wanted
    assert route(words, BARE, version=version) == DIRECT
    assert route(words, "https://me:secret@x.example/simple", version=version) == DIRECT


def test_unknown_version_counts_as_one_that_shows_credentials() -> None:
    assert route("sync", VARIABLE, version=None) == PROXY
    assert route("sync", BARE, version=None) == DIRECT


@pytest.mark.parametrize("version", [NEW, OLD, None])
def test_pip_with_several_sources_uses_the_proxy_index(version: str | None) -> None:
    assert route("run pip install six", PYPI, VARIABLE, pip=True, version=version) == PROXY
    assert route("run pip install six", VARIABLE, pip=True, version=version) == DIRECT
    assert route("run pip install six", PYPI, pip=True, version=version) == DIRECT


@pytest.mark.parametrize(
    ("version", "wanted"),
    [
        ("2023.12.1", True),
        ("2025.1.1", True),
        ("2026.5.9", True),
        ("2026.6.0", False),
        ("2026.6.0.dev1", False),
        ("2026.10.3", False),
        ("2027.0.0", False),
        ("2027", False),
        (None, True),
        ("", True),
        ("unknown", True),
    ],
)
def test_versions_are_compared_as_numbers(version: str | None, wanted: bool) -> None:
    assert shows_credentials(version) is wanted


@pytest.mark.parametrize("words", ["sync", "install --deploy", "pylock --generate"])
def test_builds_with_several_sources_use_the_proxy_index(words: str) -> None:
    assert route(words, PYPI, BARE, builds=True) == PROXY
    assert route(words, BARE, PYPI, builds=True) == PROXY
    assert route(words, BARE, OTHER, builds=True) == PROXY
    assert route(words, BARE, builds=True) == DIRECT
    assert route(words, PYPI, builds=True) == DIRECT
    # Whether the lock's files are built is not known; the public index could serve that.
    assert route(words, BARE, PYPI) == PROXY
    assert route(words, PYPI, BARE) == DIRECT
    assert route(words, BARE, OTHER) == DIRECT


def test_words_that_use_the_lock_are_found_in_any_position() -> None:
    assert resolves("install", ["six", "--dev"])
    assert not resolves("install", ["--dev", "--deploy"])
    assert not resolves("install", ["--ignore-pipfile"])
    assert not resolves("sync", [])
    assert not resolves("run", ["lock"])
    assert not resolves(None, [])
