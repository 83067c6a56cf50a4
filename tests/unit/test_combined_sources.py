"""The source that serves a package, and the index that a lock entry names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from codeartifact_pipenv.files.io import load_toml_bytes
from codeartifact_pipenv.project.sources import read_source, without_credentials
from codeartifact_pipenv.proxy_index.model import (
    DEFAULT_SOURCE,
    NOWHERE,
    CombinedSources,
    combine_sources,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

HOST = "my-dom-123456789012.d.codeartifact.eu-west-1.amazonaws.com"
TEAM = f"https://aws:${{T}}@{HOST}/pypi/team/simple/"
LONELY = f"https://{HOST}/pypi/lonely/simple/"
PYPI = "https://pypi.org/simple"
SOURCES = {"pypi": PYPI, "team": TEAM, "lonely": LONELY}
MIRROR = "https://me:pw@mirror.example/simple"


def made(
    packages: str = "",
    locked: Mapping[str, Any] | None = None,
    sources: Mapping[str, str] = SOURCES,
    environ: Mapping[str, str] | None = None,
    lock_sources: Mapping[str, str] | None = None,
) -> CombinedSources:
    """Return the combined sources of a Pipfile and a lock."""
    environ = environ or {}
    read = [read_source(name, url, "Pipfile", environ) for name, url in sources.items()]
    document = load_toml_bytes(f"[packages]\n{packages}\n".encode())
    own = [{"name": name, "url": url} for name, url in (lock_sources or {}).items()]
    lock = None if locked is None else {"_meta": {"sources": own}, "default": locked, "odd": 3}
    return combine_sources(read, document, lock, environ)


def never(_name: str, _hashes: Collection[str]) -> bool:
    return False


def always(_name: str, _hashes: Collection[str]) -> bool:
    return True


def test_two_sources_of_one_repository_are_merged() -> None:
    found = made(sources={"one": TEAM, "two": TEAM.replace("aws:${T}@", "")})
    assert (len(found.endpoints), found.source_of(0).name) == (1, "one")
    assert (found.default, found.others.default_url) == (None, None)


def test_names_with_a_repository_in_pipfile_or_lock_are_private() -> None:
    wanted = {"Orb_Common": "team", "six": "pypi", "moved": "lonely", "released": "pypi"}
    wanted |= {"unknown": "nowhere"}
    entries = [f'{name} = {{version = "*", index = "{i}"}}\n' for name, i in wanted.items()]
    locked = {"transitive": "lonely", "moved": "team", "released": "team", "public": "pypi"}
    locked |= {"gone": "no-more"}
    lock: dict[str, Any] = {name: {"version": "==1", "index": i} for name, i in locked.items()}
    found = made("".join([*entries, 'requests = "*"\n']), lock | {"odd": "no table"})
    assert found.private() == {"orb-common": 0, "moved": 1, "transitive": 1}
    assert found.others.urls == {"six": PYPI, "released": PYPI}


def test_packages_of_every_category_count() -> None:
    read = [read_source(name, url, "Pipfile", {}) for name, url in SOURCES.items()]
    for category in ("dev-packages", "docs"):
        document = {category: {"a": {"version": "*", "index": "team"}}, "requires": {"x": {}}}
        lock = {"_meta": {"b": {"index": "team"}}, category: {"c": {"index": "lonely"}}}
        assert combine_sources(read, document, lock, {}).private() == {"a": 0, "c": 1}


@pytest.mark.parametrize(
    ("url", "environ", "wanted"),
    [
        (f"{PYPI}/", {"PIPENV_PYPI_MIRROR": MIRROR}, "https://mirror.example/simple"),
        (PYPI, {"PIPENV_PYPI_MIRROR": ""}, PYPI),
        ("https://x.example/s", {"PIPENV_PYPI_MIRROR": MIRROR}, "https://x.example/s"),
        ("https://${WHO}@${X}/s", {"WHO": "a:b", "X": "x.example"}, "https://x.example/s"),
    ],
)
def test_urls_of_other_indexes_are_expanded_mirrored_and_without_credentials(
    url: str, environ: dict[str, str], wanted: str
) -> None:
    sources = {"first": url, "team": TEAM}
    found = made('x = {version = "*", index = "first"}', sources=sources, environ=environ)
    assert found.others.default_url == found.others.urls["x"] == wanted


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("https://a:b@c@x.example/@/x", "https://x.example/@/x"),
        ("http://a:b@[::1]:80/s", "http://[::1]:80/s"),
        *(
            (url, url)
            for url in ("file:///tmp/s", "https://x.example?a@b", "https://x.example#a@b")
        ),
    ],
)
def test_only_the_userinfo_is_removed(url: str, wanted: str) -> None:
    assert without_credentials(url) == wanted


def test_the_index_in_the_pipfile_wins() -> None:
    sources = made('Orb_Common = {version = "*", index = "lonely"}')
    index_of = sources.index_for_lock({"orb-common": 0}, always)
    assert index_of("Orb.Common", {"version": "==1"}) == "lonely"
    assert made("orb-common = {index = ['lonely']}").explicit == {}


ONLY_OURS = {"team": TEAM, "lonely": LONELY}


@pytest.mark.parametrize(
    ("sources", "locked", "found", "public", "entry", "index"),
    [
        # A page that was served during this resolution.
        (SOURCES, None, {"x": 1}, never, {}, "lonely"),
        (SOURCES, None, {"x": 0}, always, {}, "pypi"),
        (SOURCES, None, {"x": DEFAULT_SOURCE}, never, {}, "pypi"),
        (ONLY_OURS, None, {"x": 1}, always, {}, "lonely"),
        (ONLY_OURS, None, {"x": NOWHERE}, always, {}, None),
        # The lock before it, and the entry as pipenv wrote it.
        (SOURCES, "lonely", {}, never, {"index": "pypi"}, "lonely"),
        (SOURCES, None, {}, never, {"index": "pypi"}, "pypi"),
    ],
)
def test_a_locked_package_names_its_source(
    sources: Any, locked: str | None, found: Any, public: Any, entry: Any, index: str | None
) -> None:
    lock = {"x": {"version": "==1", "index": locked}} if locked else None
    assert made("", lock, sources).index_for_lock(found, public)("X", entry) == index


@pytest.mark.parametrize(
    ("name", "url", "sources", "private", "index"),
    [
        ("x", LONELY, SOURCES, {"a": 1}, "lonely"),
        ("x", TEAM.replace("${T}", "$OTHER"), SOURCES, {"a": 0}, "team"),
        ("x", LONELY.replace("/lonely/", "/former/"), SOURCES, {"a": None}, "x"),
        ("x", "https://elsewhere.example/simple", SOURCES, {}, "x"),
        ("team", "https://evil.example/simple", SOURCES, {"a": 0}, "team"),
        ("old", LONELY, {"pypi": PYPI, "team": TEAM}, {"a": None}, "team"),
    ],
)
def test_the_lock_is_read_with_its_sources_which_cannot_redefine_a_repository(
    name: str, url: str, sources: Any, private: dict[str, int | None], index: str
) -> None:
    entry = {"version": "==1", "index": name}
    found = made("", {"a": entry}, sources, lock_sources={name: url})
    assert found.private() == private
    assert found.index_for_lock({}, never)("a", entry) == index


def test_a_package_locked_from_a_mirror_repository_is_not_private() -> None:
    mirror = f"https://{HOST}/pypi/mirror/simple/"
    sources = [read_source("pypi", mirror, "PIPENV_PYPI_MIRROR", {})]
    sources.append(read_source("team", TEAM, "Pipfile", {}))
    lock = {
        "_meta": {"sources": [{"name": "pypi", "url": PYPI}]},
        "default": {"a": {"index": "pypi"}},
    }
    found = combine_sources(sources, {}, lock, {})
    assert (found.mirror, found.source_of(1).name, found.private()) == (1, "pypi", {})
