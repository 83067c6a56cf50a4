"""By which way pipenv sees the sources: a table."""

from __future__ import annotations

import pytest

from codeartifact_pipenv.project.sources import Source, read_source
from codeartifact_pipenv.wrapper.route import (
    AS_WRITTEN,
    LOOPBACK,
    choose_route,
    resolves,
    shows_credentials,
)

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
    found, why = choose_route(
        command,
        arguments,
        read(*urls),
        pip=pip,
        version=version,
        builds=builds,
        copies=copies,
    )
    assert why
    assert not why.endswith(".")
    return found


@pytest.mark.parametrize(
    ("words", "urls", "wanted"),
    [
        ("lock", [], AS_WRITTEN),
        ("lock", [PYPI], AS_WRITTEN),
        ("lock", [PYPI, "https://x.example/simple"], AS_WRITTEN),
        ("lock", [VARIABLE], LOOPBACK),
        ("lock", [BARE], LOOPBACK),
        ("lock", [BARE, VARIABLE], LOOPBACK),
        ("sync", [VARIABLE], AS_WRITTEN),
        ("install --deploy", [BARE], AS_WRITTEN),
        ("run pip install six", [BARE, VARIABLE], AS_WRITTEN),
        ("lock", [PYPI, VARIABLE], LOOPBACK),
        ("lock", [VARIABLE, PYPI], LOOPBACK),
        ("lock", [PYPI, BARE], LOOPBACK),
        ("lock", [VARIABLE, OTHER], LOOPBACK),
        ("install", [PYPI, VARIABLE], LOOPBACK),
        ("install six", [PYPI, VARIABLE], LOOPBACK),
        ("uninstall six", [PYPI, VARIABLE], LOOPBACK),
        ("update", [PYPI, VARIABLE], LOOPBACK),
        ("upgrade six", [PYPI, VARIABLE], LOOPBACK),
        ("sync", [PYPI, VARIABLE], AS_WRITTEN),
        ("sync --dev", [PYPI, BARE], AS_WRITTEN),
        ("install --deploy", [PYPI, VARIABLE], AS_WRITTEN),
        ("install --dev --ignore-pipfile", [PYPI, VARIABLE], AS_WRITTEN),
        ("pylock --generate", [PYPI, VARIABLE], AS_WRITTEN),
    ],
)
def test_routes(words: str, urls: list[str], wanted: str) -> None:
    """What resolves goes by the proxy index, also with one source; the rest as written."""
    assert route(words, *urls) == wanted


def test_without_room_for_copies() -> None:
    """Where no copy can be made, one source is enough as it is written."""
    assert route("lock", BARE, copies=False) == AS_WRITTEN


@pytest.mark.parametrize("words", ["lock", "sync", "install --deploy"])
@pytest.mark.parametrize("urls", [[USERNAME], [PYPI, USERNAME], [PYPI, VARIABLE, USERNAME]])
@pytest.mark.parametrize("version", [NEW, OLD])
def test_username_alone(words: str, urls: list[str], version: str) -> None:
    """A username without a password always goes by loopback: pip would not find the token."""
    assert route(words, *urls, version=version) == LOOPBACK


@pytest.mark.parametrize("words", ["sync", "install --deploy"])
@pytest.mark.parametrize(
    ("version", "wanted"),
    [(NEW, AS_WRITTEN), ("2026.6.0", AS_WRITTEN), (OLD, LOOPBACK), ("2026.5.2", LOOPBACK)],
)
def test_passwords_and_old_versions(words: str, version: str, wanted: str) -> None:
    """An old pipenv never sees a URL with a password; one without is as good as with the new."""
    assert route(words, VARIABLE, version=version) == wanted
    assert route(words, BARE, version=version) == AS_WRITTEN
    assert route(words, "https://me:secret@x.example/simple", version=version) == AS_WRITTEN


def test_unknown_version() -> None:
    """A pipenv of unknown version is taken for one that shows credentials."""
    assert route("sync", VARIABLE, version=None) == LOOPBACK
    assert route("sync", BARE, version=None) == AS_WRITTEN


@pytest.mark.parametrize("version", [NEW, OLD, None])
def test_pip(version: str | None) -> None:
    """A pip of the user's goes by loopback where there are several sources, in any version."""
    assert route("run pip install six", PYPI, VARIABLE, pip=True, version=version) == LOOPBACK
    assert route("run pip install six", VARIABLE, pip=True, version=version) == AS_WRITTEN
    assert route("run pip install six", PYPI, pip=True, version=version) == AS_WRITTEN


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
def test_shows_credentials(version: str | None, wanted: bool) -> None:
    """Versions are compared as numbers."""
    assert shows_credentials(version) is wanted


@pytest.mark.parametrize("words", ["sync", "install --deploy", "pylock --generate"])
def test_what_has_to_be_built(words: str) -> None:
    """Builds look for what they need in one source: it must be the complete one, if there are more."""
    assert route(words, PYPI, BARE, builds=True) == LOOPBACK
    assert route(words, BARE, PYPI, builds=True) == LOOPBACK
    assert route(words, BARE, OTHER, builds=True) == LOOPBACK
    assert route(words, BARE, builds=True) == AS_WRITTEN
    assert route(words, PYPI, builds=True) == AS_WRITTEN
    # Whether the lock's files are built is not known; the public index could serve that.
    assert route(words, BARE, PYPI) == LOOPBACK
    assert route(words, PYPI, BARE) == AS_WRITTEN
    assert route(words, BARE, OTHER) == AS_WRITTEN


def test_resolves() -> None:
    """Words that say to take the lock are seen wherever they stand; no command resolves nothing."""
    assert resolves("install", ["six", "--dev"])
    assert not resolves("install", ["--dev", "--deploy"])
    assert not resolves("install", ["--ignore-pipfile"])
    assert not resolves("sync", [])
    assert not resolves("run", ["lock"])
    assert not resolves(None, [])
