"""By which way pipenv sees the sources: a table."""

from __future__ import annotations

import pytest

from codeartifact_pipenv.project.sources import Source, read_source
from codeartifact_pipenv.wrapper.commands import LOCKED, PIP, RESOLVES, resolves
from codeartifact_pipenv.wrapper.route import DIRECT, PROXY, choose_route, shows_credentials

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
def test_routes(words: str, urls: list[str], wanted: str) -> None:
    """What resolves goes by the proxy index, also with one source; the rest as written."""
    assert route(words, *urls) == wanted


def test_without_room_for_copies() -> None:
    """Where no copy can be made, one source is enough as it is written."""
    assert route("lock", BARE, copies=False) == DIRECT


@pytest.mark.parametrize("words", ["lock", "sync", "install --deploy"])
@pytest.mark.parametrize("urls", [[USERNAME], [PYPI, USERNAME], [PYPI, VARIABLE, USERNAME]])
@pytest.mark.parametrize("version", [NEW, OLD])
def test_username_alone(words: str, urls: list[str], version: str) -> None:
    """A username without a password always goes by loopback: pip would not find the token."""
    assert route(words, *urls, version=version) == PROXY


@pytest.mark.parametrize("words", ["sync", "install --deploy"])
@pytest.mark.parametrize(
    ("version", "wanted"),
    [(NEW, DIRECT), ("2026.6.0", DIRECT), (OLD, PROXY), ("2026.5.2", PROXY)],
)
def test_passwords_and_old_versions(words: str, version: str, wanted: str) -> None:
    """An old pipenv never sees a URL with a password; one without is as good as with the new."""
    assert route(words, VARIABLE, version=version) == wanted
    assert route(words, BARE, version=version) == DIRECT
    assert route(words, "https://me:secret@x.example/simple", version=version) == DIRECT


def test_unknown_version() -> None:
    """A pipenv of unknown version is taken for one that shows credentials."""
    assert route("sync", VARIABLE, version=None) == PROXY
    assert route("sync", BARE, version=None) == DIRECT


@pytest.mark.parametrize("version", [NEW, OLD, None])
def test_pip(version: str | None) -> None:
    """A pip of the user's goes by loopback where there are several sources, in any version."""
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
def test_shows_credentials(version: str | None, wanted: bool) -> None:
    """Versions are compared as numbers."""
    assert shows_credentials(version) is wanted


@pytest.mark.parametrize("words", ["sync", "install --deploy", "pylock --generate"])
def test_what_has_to_be_built(words: str) -> None:
    """Builds look for what they need in one source: it must be the complete one, if there are more."""
    assert route(words, PYPI, BARE, builds=True) == PROXY
    assert route(words, BARE, PYPI, builds=True) == PROXY
    assert route(words, BARE, OTHER, builds=True) == PROXY
    assert route(words, BARE, builds=True) == DIRECT
    assert route(words, PYPI, builds=True) == DIRECT
    # Whether the lock's files are built is not known; the public index could serve that.
    assert route(words, BARE, PYPI) == PROXY
    assert route(words, PYPI, BARE) == DIRECT
    assert route(words, BARE, OTHER) == DIRECT


def test_resolves() -> None:
    """Words that say to take the lock are seen wherever they stand; no command resolves nothing."""
    assert resolves("install", ["six", "--dev"])
    assert not resolves("install", ["--dev", "--deploy"])
    assert not resolves("install", ["--ignore-pipfile"])
    assert not resolves("sync", [])
    assert not resolves("run", ["lock"])
    assert not resolves(None, [])
