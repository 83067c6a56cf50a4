"""Which source serves a package, and which index a lock entry names."""

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
    sources: Mapping[str, str] | None = None,
    environ: Mapping[str, str] | None = None,
) -> CombinedSources:
    """Return the combined sources of a Pipfile and a lock."""
    environ = environ or {}
    read = [
        read_source(name, url, "Pipfile", environ)
        for name, url in (SOURCES if sources is None else sources).items()
    ]
    document = load_toml_bytes(f"[packages]\n{packages}\n".encode())
    lock = None if locked is None else {"_meta": {"sources": []}, "default": locked, "odd": 3}
    return combine_sources(read, document, lock, environ)


def never(_name: str, _hashes: Collection[str]) -> bool:
    return False


def always(_name: str, _hashes: Collection[str]) -> bool:
    return True


def test_repositories_are_numbered_and_another_source_is_the_default() -> None:
    found = made()
    assert [endpoint.repository for endpoint in found.endpoints] == ["team", "lonely"]
    assert found.default is not None
    assert (found.default.name, found.others.default_url) == ("pypi", PYPI)
    assert [found.source_of(number).name for number in (0, 1)] == ["team", "lonely"]


def test_two_sources_of_one_repository_are_merged() -> None:
    found = made(sources={"one": TEAM, "two": TEAM.replace("aws:${T}@", "")})
    assert len(found.endpoints) == 1
    assert found.source_of(0).name == "one"
    assert (found.default, found.others.default_url) == (None, None)


def test_names_with_a_repository_in_pipfile_or_lock_are_private() -> None:
    found = made(
        'Orb_Common = {version = "*", index = "team"}\n'
        'six = {version = "*", index = "pypi"}\n'
        'moved = {version = "*", index = "lonely"}\n'
        'released = {version = "*", index = "pypi"}\n'
        'requests = "*"\n'
        'unknown = {version = "*", index = "nowhere"}\n',
        {
            "transitive": {"version": "==1", "index": "lonely"},
            "moved": {"version": "==1", "index": "team"},
            "released": {"version": "==1", "index": "team"},
            "public": {"version": "==1", "index": "pypi"},
            "gone": {"version": "==1", "index": "no-more"},
            "odd": "no table",
        },
    )
    assert found.private() == {"orb-common": 0, "moved": 1, "transitive": 1}
    assert found.others.urls == {"six": PYPI, "released": PYPI}


def test_urls_of_other_indexes_are_expanded_without_credentials() -> None:
    sources = {"pypi": PYPI, "team": TEAM, "lab": "https://${WHO}@${LAB}/simple"}
    environ = {"WHO": "me:pw", "LAB": "lab.example"}
    found = made('x = {version = "*", index = "lab"}', sources=sources, environ=environ)
    assert found.others.urls == {"x": "https://lab.example/simple"}
    assert found.others.default_url == PYPI


@pytest.mark.parametrize("category", ["dev-packages", "docs"])
def test_packages_of_every_category_count(category: str) -> None:
    read = [read_source(name, url, "Pipfile", {}) for name, url in SOURCES.items()]
    document = {category: {"a": {"version": "*", "index": "team"}}, "requires": {"x": {}}}
    lock = {"_meta": {"b": {"index": "team"}}, category: {"c": {"index": "lonely"}}}
    assert combine_sources(read, document, lock, {}).private() == {"a": 0, "c": 1}


@pytest.mark.parametrize(
    ("url", "environ", "wanted"),
    [
        (PYPI, {}, PYPI),
        (PYPI, {"PIPENV_PYPI_MIRROR": MIRROR}, "https://mirror.example/simple"),
        (f"{PYPI}/", {"PIPENV_PYPI_MIRROR": MIRROR}, "https://mirror.example/simple"),
        (PYPI, {"PIPENV_PYPI_MIRROR": ""}, PYPI),
        ("https://x.example/s", {"PIPENV_PYPI_MIRROR": MIRROR}, "https://x.example/s"),
        ("https://me:pw@x.example/s", {}, "https://x.example/s"),
        ("https://${WHO}@${X}/s", {"WHO": "a:b", "X": "x.example"}, "https://x.example/s"),
    ],
)
def test_default_url_is_expanded_mirrored_and_without_credentials(
    url: str, environ: dict[str, str], wanted: str
) -> None:
    assert made(sources={"first": url, "team": TEAM}, environ=environ).others.default_url == wanted


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("https://x.example/simple", "https://x.example/simple"),
        ("https://a@x.example/simple", "https://x.example/simple"),
        ("https://a:b@c@x.example/@/x", "https://x.example/@/x"),
        ("https://x.example", "https://x.example"),
        ("http://a:b@[::1]:80/s", "http://[::1]:80/s"),
        ("file:///tmp/simple", "file:///tmp/simple"),
        ("https://x.example?a@b", "https://x.example?a@b"),
        ("https://x.example#a@b", "https://x.example#a@b"),
    ],
)
def test_only_the_userinfo_is_removed(url: str, wanted: str) -> None:
    assert without_credentials(url) == wanted


def test_the_index_in_the_pipfile_wins() -> None:
    index_of = made('Orb_Common = {version = "*", index = "lonely"}').index_for_lock(
        {"orb-common": 0}, always
    )
    assert index_of("orb-common", {"version": "==1"}) == "lonely"
    assert index_of("Orb.Common", {"version": "==1"}) == "lonely"


@pytest.mark.parametrize("index", ["['lonely']", "{a = 1}", "1"])
def test_an_index_that_is_not_text_is_ignored(index: str) -> None:
    assert made(f"orb-common = {{index = {index}}}").explicit == {}


@pytest.mark.parametrize(
    ("number", "public", "wanted"),
    [
        (0, never, "team"),
        (1, never, "lonely"),
        (0, always, "pypi"),
        (DEFAULT_SOURCE, never, "pypi"),
        (DEFAULT_SOURCE, always, "pypi"),
        (NOWHERE, never, "pypi"),
    ],
)
def test_a_locked_package_names_its_source(number: int, public: Any, wanted: str) -> None:
    assert made().index_for_lock({"x": number}, public)("X", {"version": "==1"}) == wanted


@pytest.mark.parametrize(
    ("urls", "locked", "found", "public", "entry", "index"),
    [
        (None, "team", {"x": 0}, never, {"version": "==2"}, "team"),
        (None, "lonely", {}, never, {"index": "pypi"}, "lonely"),
        (None, None, {}, never, {"index": "pypi"}, "pypi"),
        (None, None, {}, never, {}, None),
        ({"team": TEAM, "lonely": LONELY}, None, {"x": 1}, always, {}, "lonely"),
        ({"team": TEAM, "lonely": LONELY}, None, {"x": NOWHERE}, always, {}, None),
    ],
)
def test_the_index_of_a_locked_package(
    urls: Any, locked: str | None, found: dict[str, int], public: Any, entry: Any, index: str | None
) -> None:
    sources = made("", {"x": {"version": "==1", "index": locked}} if locked else None, sources=urls)
    assert sources.index_for_lock(found, public)("x", entry) == index


def test_the_public_check_gets_the_locked_hashes() -> None:
    asked = []

    def is_public(name: str, hashes: Collection[str]) -> bool:
        asked.append((name, list(hashes)))
        return False

    index_of = made().index_for_lock({"a-b": 0, "c": 0}, is_public)
    index_of("a_b", {"version": "==1", "hashes": ["sha256:1"]})
    index_of("c", {"version": "==1"})
    assert asked == [("a-b", ["sha256:1"]), ("c", [])]


def with_lock(
    sources: Mapping[str, str], entries: Mapping[str, Any], named: Mapping[str, str], **more: Any
) -> CombinedSources:
    """Return the combined sources of a project whose lock has different sources."""
    read = [read_source(name, url, "Pipfile", {}) for name, url in sources.items()]
    own = [{"name": name, "url": url} for name, url in named.items()]
    lock = {"_meta": {"sources": own}, "default": entries}
    return combine_sources(read, {}, lock, {}, **more)


@pytest.mark.parametrize(
    ("url", "private", "index"),
    [
        (LONELY, {"a": 1}, "lonely"),
        (TEAM.replace("${T}", "$OTHER"), {"a": 0}, "team"),
        (LONELY.replace("/lonely/", "/former/"), {"a": None}, "x"),
        (PYPI, {}, "x"),
        ("https://elsewhere.example/simple", {}, "x"),
    ],
)
def test_the_lock_is_read_with_its_own_sources(
    url: str, private: dict[str, int | None], index: str
) -> None:
    found = with_lock(SOURCES, {"a": {"version": "==1", "index": "x"}}, {"x": url})
    assert found.private() == private
    assert found.index_for_lock({}, never)("a", {"index": "x"}) == index


def test_a_lock_cannot_redefine_a_repository_name() -> None:
    entries = {"a": {"version": "==1", "index": "team"}}
    found = with_lock(SOURCES, entries, {"team": "https://evil.example/simple"})
    assert found.private() == {"a": 0}


def test_a_removed_repository_is_replaced_by_the_only_one_left() -> None:
    entries = {"a": {"version": "==1", "index": "old"}}
    former = {"old": LONELY}
    found = with_lock({"pypi": PYPI, "team": TEAM}, entries, former)
    assert found.private() == {"a": None}
    assert found.index_for_lock({}, never)("a", entries["a"]) == "team"


def test_packages_of_pylock_files_are_private() -> None:
    packages = [
        {"name": "A", "index": LONELY},
        {"name": "b", "index": PYPI},
        {"name": "c"},
        {"index": LONELY},
        "odd",
    ]
    found = with_lock(SOURCES, {}, {}, pylocks=[{"packages": packages}, {"packages": 3}, {}])
    assert found.private() == {"a": 1}


def test_a_mirror_repository_is_last_and_not_private() -> None:
    mirror = f"https://{HOST}/pypi/mirror/simple/"
    read = [
        read_source("pypi", mirror, "PIPENV_PYPI_MIRROR", {}),
        read_source("team", TEAM, "Pipfile", {}),
    ]
    lock = {
        "_meta": {"sources": [{"name": "pypi", "url": PYPI}]},
        "default": {"a": {"index": "pypi"}},
    }
    found = combine_sources(read, {}, lock, {})
    assert [endpoint.repository for endpoint in found.endpoints] == ["team", "mirror"]
    assert (found.mirror, found.default, found.private()) == (1, None, {})
    assert [found.source_of(number).name for number in (0, 1)] == ["team", "pypi"]


def test_a_source_that_is_also_the_mirror_keeps_its_name() -> None:
    read = [
        read_source("pypi", LONELY, "PIPENV_PYPI_MIRROR", {}),
        read_source("lonely", LONELY, "Pipfile", {}),
    ]
    found = combine_sources(read, {}, None, {})
    assert (len(found.endpoints), found.mirror, found.source_of(0).name) == (1, None, "lonely")
