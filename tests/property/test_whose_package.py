"""Which index a package is locked from, for any answers, lock, Pipfile and settings."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from codeartifact_pipenv.endpoint import Domain, RepositoryEndpoint
from codeartifact_pipenv.errors import CodeArtifactPipenvError
from codeartifact_pipenv.lookups.simple_page import JSON, File, write_page
from codeartifact_pipenv.project.lock import entries_of, final_lock
from codeartifact_pipenv.project.sources import read_source
from codeartifact_pipenv.proxy_index.index import ProxyIndex
from codeartifact_pipenv.proxy_index.model import IndexAccess, IndexSources, RefusedError, Upstream
from codeartifact_pipenv.proxy_index.upstreams import Page
from codeartifact_pipenv.wrapper.combined_sources import CombinedSources, combine_sources
from codeartifact_pipenv.wrapper.publish import verify_resolved_hashes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

HOST = "my-dom-123456789012.d.codeartifact.us-east-1.amazonaws.com"
DOMAIN = Domain("my-dom", "123456789012", "us-east-1")
PUBLIC = "https://pypi.org/simple"
REPOSITORIES = ("team", "other")
NAMES = ("team-app", "team-lib", "pub-lic")
OK, MISSING, BROKEN = 200, 404, 500

versions = st.lists(st.integers(1, 4), min_size=1, max_size=3, unique=True)
# A repository's answer for a name: the versions on its page, or a status.
answers = st.one_of(versions, st.sampled_from([MISSING, MISSING, BROKEN]))


class Scenario(NamedTuple):
    """The packages of indexes, the project, and other places where pip looks.

    Attributes:
        pages: the answer, by number of a repository and name.
        exist: whether it exists, by number of a repository; None if AWS does not know.
        public: versions in the public index by name; None without an answer.
        indexed: the source in the Pipfile, by name.
        locked: the source in the lock, by name.
        patterns: the setting ``private-packages``.
        foreign: versions from elsewhere that pip also finds.
    """

    pages: Mapping[tuple[int, str], Any]
    exist: Mapping[int, bool | None]
    public: Mapping[str, list[int] | None]
    indexed: Mapping[str, str]
    locked: Mapping[str, str]
    patterns: tuple[str, ...]
    foreign: Mapping[str, int]


sources = st.sampled_from(["team", "other", "pypi"])
some_names = st.sampled_from(NAMES)
scenarios = st.builds(
    Scenario,
    st.fixed_dictionaries({(n, name): answers for n in range(2) for name in NAMES}),
    st.fixed_dictionaries({n: st.sampled_from([True, True, False, None]) for n in range(2)}),
    st.fixed_dictionaries({name: st.none() | versions for name in NAMES}),
    st.dictionaries(some_names, sources),
    st.dictionaries(some_names, sources),
    st.sampled_from([(), (), ("team-*",), ("Team_App",)]),
    st.dictionaries(some_names, st.integers(1, 9)),
)


# (In three of four scenarios the resolution fails: nothing is wrong with the strategy.)
mostly_failing = settings(suppress_health_check=[HealthCheck.filter_too_much])


def sha256(place: str, name: str, version: int) -> str:
    """Return a hash that encodes where a file is from."""
    return (place + name + str(version)).encode().hex().ljust(64, "0")[:64]


def file(place: str, name: str, version: int) -> File:
    filename = f"{name.replace('-', '_')}-{version}-py3-none-any.whl"
    hashes = {"sha256": sha256(place, name, version)}
    return File(filename, f"https://{HOST}/pypi/{place}/{filename}", hashes=hashes)


class Repository:
    """Stands in for the client of a repository."""

    def __init__(self, scenario: Scenario, number: int) -> None:
        self._world = scenario
        self._number = number

    def page(self, path: str, _headers: Mapping[str, str]) -> Page:
        name, number = path.split("/")[1], self._number
        said = self._world.pages[number, name]
        if self._world.exist[number] is False:
            said = MISSING
        if isinstance(said, int):
            return Page(said, "", JSON, b"")
        files = [file(REPOSITORIES[number], name, version) for version in said]
        return Page(OK, f"https://{HOST}/", JSON, write_page(name, files, JSON))


def combined_of(scenario: Scenario) -> CombinedSources:
    urls = {name: f"https://{HOST}/pypi/{name}/simple/" for name in REPOSITORIES}
    read = [read_source(n, u, "", {}) for n, u in {"pypi": PUBLIC, **urls}.items()]
    packages = {name: {"version": "*", "index": index} for name, index in scenario.indexed.items()}
    lock = {
        "_meta": {"sources": [{"name": f"old-{n}", "url": u} for n, u in urls.items()]},
        "default": {
            name: {"version": "==1", "index": index if index == "pypi" else f"old-{index}"}
            for name, index in scenario.locked.items()
        },
    }
    return combine_sources(
        read, {"packages": packages}, lock, {}, private_patterns=scenario.patterns
    )


@contextmanager
def index_of(scenario: Scenario) -> Iterator[tuple[ProxyIndex, CombinedSources]]:
    combined = combined_of(scenario)
    endpoints = [RepositoryEndpoint(DOMAIN, name, "ipv4", HOST) for name in REPOSITORIES]
    assert list(combined.endpoints) == endpoints
    sources = IndexSources(
        [Upstream(endpoint, "token") for endpoint in endpoints],
        combined.others.default_url,
        combined.private(),
        combined.private_patterns,
        elsewhere=combined.others.urls,
    )

    def exists(endpoint: RepositoryEndpoint) -> bool | None:
        return scenario.exist[REPOSITORIES.index(endpoint.repository or "")]

    index = ProxyIndex(sources, IndexAccess(ask_exists=exists))
    content = index.content()
    clients = [Repository(scenario, number) for number in range(2)]
    content.pages._repositories._clients = clients  # type: ignore[assignment] # stand-ins
    default = content.others[PUBLIC]

    def fetch(name: str) -> tuple[File, ...] | None:
        said = scenario.public[name]
        return None if said is None else tuple(file("public", name, v) for v in said)

    default._fetch = fetch  # type: ignore[method-assign]
    try:
        yield index, combined
    finally:
        index.close()


def resolve(
    scenario: Scenario, index: ProxyIndex, combined: CombinedSources
) -> dict[str, Any] | None:
    """Return the lock that pipenv would write, with the highest versions, or None if it fails."""
    entries: dict[str, Any] = {}
    for name in NAMES:
        try:
            listing = index.pages.listing(name)
        except RefusedError:
            return None
        index.observed.found[name] = listing.number
        files = listing.files
        found = {int(f.name.split("-")[1]): f.sha256 for f in files or ()}
        if name in scenario.foreign:
            found.setdefault(scenario.foreign[name], sha256("strange", name, 0))
        if not found:
            return None
        entries[name] = {"version": f"=={max(found)}", "hashes": [f"sha256:{found[max(found)]}"]}
    made = {"_meta": {"hash": {}, "sources": []}, "default": entries}
    return final_lock(
        made, [], "", combined.index_for_lock(index.observed.found, index.pages.is_public)
    )


def owners(scenario: Scenario, name: str) -> set[str] | None:
    """Return the repositories that may serve a private name, or None for other names."""
    said = [scenario.indexed.get(name)] if name in scenario.indexed else [scenario.locked.get(name)]
    named = {s for s in said if s in REPOSITORIES}
    if named:
        return named
    listed = any(
        name.startswith(p[:-1]) if p.endswith("*") else name == p.lower().replace("_", "-")
        for p in scenario.patterns
    )
    has_page = any(
        scenario.exist[n] is not False and isinstance(scenario.pages[n, name], list)
        for n in range(2)
    )
    if scenario.indexed.get(name) == "pypi":
        return None
    return set(REPOSITORIES) if listed or has_page else None


@mostly_failing
@given(scenarios)
def test_a_private_name_is_locked_only_with_hashes_of_its_repository(scenario: Scenario) -> None:
    with index_of(scenario) as (index, combined):
        lock = resolve(scenario, index, combined)
        assume(lock is not None)
        try:
            verify_resolved_hashes(None, lock or {}, index, everything=True)
        except CodeArtifactPipenvError:
            return
        for name, entry in entries_of(lock):
            allowed = owners(scenario, name)
            if allowed is None:
                continue
            hashes = {
                f"sha256:{sha256(place, name, version)}"
                for place in allowed
                for version in range(10)
            }
            assert set(entry["hashes"]) <= hashes
            assert entry["index"] in allowed


@pytest.mark.wide
@mostly_failing
@given(scenarios)
def test_public_names_are_locked_as_by_plain_pipenv(scenario: Scenario) -> None:
    scenario = scenario._replace(foreign={})
    with index_of(scenario) as (index, combined):
        lock = resolve(scenario, index, combined)
        assume(lock is not None)
        verify_resolved_hashes(None, lock or {}, index, everything=True)
        for name, entry in entries_of(lock):
            said = scenario.public[name]
            if owners(scenario, name) is None and said is not None:
                assert entry["version"] == f"=={max(said)}"
                assert entry["hashes"] == [f"sha256:{sha256('public', name, max(said))}"]
                assert entry["index"] == "pypi"


@given(scenarios)
def test_no_package_is_taken_past_a_missing_repository(scenario: Scenario) -> None:
    with index_of(scenario) as (index, _):
        for name in set(NAMES) - index.sources.elsewhere.keys():
            try:
                listing = index.pages.listing(name)
            except RefusedError:
                continue
            passed = [
                n
                for n in index.sources.candidates(name)
                if listing.number < 0 or n < listing.number
            ]
            if index.sources.is_private(name) and listing.number < 0:
                passed = passed[:-1]
            assert all(scenario.exist[number] is not False for number in passed)
