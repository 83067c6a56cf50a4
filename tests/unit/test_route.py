"""The route by which pipenv sees the sources: a table."""

from __future__ import annotations

import pytest

from codeartifact_pipenv.project.sources import read_source
from codeartifact_pipenv.wrapper.pipenv_cli import LOCKED, PIP, RESOLVES, resolves
from codeartifact_pipenv.wrapper.plan import DIRECT, PROXY, choose_route

HOST = "my-dom-123456789012.d.codeartifact.eu-west-1.amazonaws.com"
PYPI = "https://pypi.org/simple"
BARE = f"https://{HOST}/pypi/team/simple/"
OTHER = f"https://{HOST}/pypi/other/simple/"
VARIABLE = BARE.replace("://", "://aws:${CODEARTIFACT_AUTH_TOKEN}@")
USERNAME = BARE.replace("://", "://aws@")
NEW, OLD = "2026.10.3", "2024.4.1"
INSTALLING = ("sync", "install --deploy", "pylock --generate")


def route(
    words: str,
    *urls: str,
    version: str | None = NEW,
    builds: bool = False,
    copies: bool = True,
) -> str:
    sources = [read_source(str(number), url, "Pipfile", {}) for number, url in enumerate(urls)]
    command, *arguments = words.split()
    kind = RESOLVES if resolves(command, arguments) else PIP if command == "run" else LOCKED
    found, why = choose_route(kind, sources, version, builds=builds, copies=copies)
    assert why
    assert not why.endswith(".")
    return found


@pytest.mark.parametrize(
    ("wanted", "words", "urls"),
    [
        *((DIRECT, "lock", urls) for urls in ([], [PYPI, "https://x.example/simple"])),
        *((PROXY, "lock", urls) for urls in ([VARIABLE], [BARE], [PYPI, BARE], [VARIABLE, OTHER])),
        *((PROXY, f"{name} six", [PYPI, VARIABLE]) for name in ("install", "uninstall", "upgrade")),
        *((PROXY, name, [VARIABLE, PYPI]) for name in ("install", "update")),
        *((DIRECT, words, [PYPI, VARIABLE]) for words in INSTALLING),
        (DIRECT, "install --dev --ignore-pipfile", [BARE]),
        (PROXY, "run pip install six", [PYPI, VARIABLE]),
        *((DIRECT, "run pip install six", urls) for urls in ([BARE, VARIABLE], [PYPI])),
    ],
)
def test_resolving_uses_the_proxy_index_and_installing_is_direct(
    wanted: str, words: str, urls: list[str]
) -> None:
    assert route(words, *urls) == wanted


def test_one_source_without_copies_is_direct() -> None:
    assert route("lock", BARE, copies=False) == DIRECT


@pytest.mark.parametrize("words", ["lock", "sync"])
@pytest.mark.parametrize("urls", [[USERNAME], [PYPI, VARIABLE, USERNAME]])
def test_username_without_a_password_uses_the_proxy_index(words: str, urls: list[str]) -> None:
    assert route(words, *urls) == PROXY


@pytest.mark.parametrize(
    ("wanted", "version", "url"),
    [
        *((DIRECT, version, VARIABLE) for version in (NEW, "2026.6.0", "2026.6.0.dev1", "2027")),
        *((PROXY, version, VARIABLE) for version in ("2023.12.1", "2026.5.9", "", "unknown", None)),
        (DIRECT, OLD, BARE),
        (DIRECT, OLD, "https://me:secret@x.example/simple"),
    ],
)
def test_pipenv_that_shows_credentials_never_sees_a_url_with_a_password(
    wanted: str, version: str | None, url: str
) -> None:
    assert route("sync", url, version=version) == wanted


@pytest.mark.parametrize("words", INSTALLING)
def test_builds_with_several_sources_use_the_proxy_index(words: str) -> None:
    assert route(words, PYPI, BARE, builds=True) == PROXY
    assert route(words, BARE, OTHER, builds=True) == PROXY
    assert route(words, BARE, builds=True) == DIRECT
    assert route(words, PYPI, builds=True) == DIRECT
    # The lock does not tell whether its files are built, which the public index could serve.
    assert route(words, BARE, PYPI) == PROXY
    assert route(words, PYPI, BARE) == DIRECT
    assert route(words, BARE, OTHER) == DIRECT
