"""Which index a package is locked from, for any answers, lock, Pipfile and settings."""

from __future__ import annotations

from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from hypothesis import HealthCheck, assume, given, reject, settings
from hypothesis import strategies as st

from codeartifact_pipenv.endpoint import Domain, RepositoryEndpoint
from codeartifact_pipenv.errors import CodeArtifactPipenvError
from codeartifact_pipenv.lookups.simple_page import JSON, File, write_page
from codeartifact_pipenv.project.lock import final_lock
from codeartifact_pipenv.project.pipfile import entries_of_lock
from codeartifact_pipenv.project.sources import read_source
from codeartifact_pipenv.proxy_index.index import ProxyIndex
from codeartifact_pipenv.proxy_index.model import (
    CombinedSources,
    IndexAccess,
    IndexSources,
    RefusedError,
    Upstream,
    combine_sources,
)
from codeartifact_pipenv.proxy_index.upstreams import Page
from codeartifact_pipenv.wrapper.publish import verify_resolved_hashes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

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
        exist: whether it exists, by number of a repository, or None if AWS does not know.
        public: versions in the public index by name, or None without an answer.
        indexed, locked: the source in the Pipfile and in the lock, by name.
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


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    chosen = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(["team", "other", "pypi"]))
    return Scenario(
        {(n, name): draw(answers) for n in range(2) for name in NAMES},
        {n: draw(st.sampled_from([True, True, False, None])) for n in range(2)},
        {name: draw(st.none() | versions) for name in NAMES},
        *(draw(chosen), draw(chosen)),
        draw(st.sampled_from([(), (), ("team-*",), ("Team_App",)])),
        draw(st.dictionaries(st.sampled_from(NAMES), st.integers(1, 9))),
    )


# In three of four scenarios the resolution fails.
mostly_failing = settings(suppress_health_check=[HealthCheck.filter_too_much])


def sha256(place: str, name: str, version: int) -> str:
    """Return a hash that encodes where a file is from."""
    return (place + name + str(version)).encode().hex().ljust(64, "0")[:64]


def files_of(place: str, name: str, found: Iterable[int]) -> tuple[File, ...]:
    """Return the wheels of some versions."""
    wheels = {v: f"{name.replace('-', '_')}-{v}-py3-none-any.whl" for v in found}
    url = f"https://{HOST}/pypi/{place}/"
    return tuple(
        File(wheel, url + wheel, hashes={"sha256": sha256(place, name, version)})
        for version, wheel in wheels.items()
    )


class Repository(NamedTuple):
    """Stands in for the client of a repository."""

    scenario: Scenario
    number: int

    def page(self, path: str, _headers: Mapping[str, str]) -> Page:
        name, place = path.split("/")[1], REPOSITORIES[self.number]
        said = self.scenario.pages[self.number, name]
        if self.scenario.exist[self.number] is False or said == MISSING:
            return Page(MISSING, "", JSON, b"")
        if said == BROKEN:
            return Page(BROKEN, "", JSON, b"")
        body = write_page(name, files_of(place, name, said), JSON)
        return Page(OK, f"https://{HOST}/", JSON, body)


def combined_of(scenario: Scenario) -> CombinedSources:
    urls = {name: f"https://{HOST}/pypi/{name}/simple/" for name in REPOSITORIES}
    read = [read_source(n, u, "", {}) for n, u in {"pypi": PUBLIC, **urls}.items()]
    packages = {name: {"version": "*", "index": index} for name, index in scenario.indexed.items()}
    old = {
        name: index if index == "pypi" else f"old-{index}"
        for name, index in scenario.locked.items()
    }
    lock = {
        "_meta": {"sources": [{"name": f"old-{n}", "url": u} for n, u in urls.items()]},
        "default": {name: {"version": "==1", "index": index} for name, index in old.items()},
    }
    document = {"packages": packages}
    return combine_sources(read, document, lock, {}, private_patterns=scenario.patterns)


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

    def fetch(name: str) -> tuple[File, ...] | None:
        said = scenario.public[name]
        return None if said is None else files_of("public", name, said)

    index = ProxyIndex(sources, IndexAccess(ask_exists=exists))
    content = index.content()
    clients = [Repository(scenario, number) for number in range(2)]
    content.pages._repositories._clients = clients  # type: ignore[assignment] # stand-ins
    content.others[PUBLIC]._fetch = fetch  # type: ignore[method-assign]
    with closing(index):
        yield index, combined


def resolve(scenario: Scenario, index: ProxyIndex, combined: CombinedSources) -> Mapping[str, Any]:
    """Return the lock that pipenv would write, with the highest versions."""
    entries: dict[str, Any] = {}
    for name in NAMES:
        try:
            listing = index.pages.listing(name)
        except RefusedError:
            reject()
        index.observed.found[name] = listing.number
        found = {int(f.name.split("-")[1]): f.sha256 for f in listing.files or ()}
        if name in scenario.foreign:
            found.setdefault(scenario.foreign[name], sha256("strange", name, 0))
        assume(found)
        hashes = [f"sha256:{found[max(found)]}"]
        entries[name] = {"version": f"=={max(found)}", "hashes": hashes}
    made = {"_meta": {"hash": {}, "sources": []}, "default": entries}
    index_for_lock = combined.index_for_lock(index.observed.found, index.pages.is_public)
    return final_lock(made, [], "", index_for_lock)


def owners(scenario: Scenario, name: str) -> set[str] | None:
    """Return the repositories that may serve a private name, or None for other names."""
    said = scenario.indexed.get(name, scenario.locked.get(name))
    if said in REPOSITORIES:
        return {said}
    if scenario.indexed.get(name) == "pypi":
        return None
    listed = any(
        name.startswith(p[:-1]) if p.endswith("*") else name == p.lower().replace("_", "-")
        for p in scenario.patterns
    )
    has_page = any(
        scenario.exist[n] is not False and isinstance(scenario.pages[n, name], list)
        for n in range(2)
    )
    return set(REPOSITORIES) if listed or has_page else None


@mostly_failing
@given(scenarios())
def test_a_private_name_is_locked_only_with_hashes_of_its_repository(scenario: Scenario) -> None:
    with index_of(scenario) as (index, combined):
        lock = resolve(scenario, index, combined)
        try:
            verify_resolved_hashes(None, dict(lock), index, everything=True)
        except CodeArtifactPipenvError:
            return
    for name, entry in entries_of_lock(lock):
        allowed = owners(scenario, name)
        if allowed is not None:
            hashes = {
                f"sha256:{sha256(p, name, version)}" for p in allowed for version in range(10)
            }
            assert set(entry["hashes"]) <= hashes
            assert entry["index"] in allowed


@pytest.mark.wide
@mostly_failing
@given(scenarios())
def test_public_names_are_locked_as_by_plain_pipenv(scenario: Scenario) -> None:
    scenario = scenario._replace(foreign={})
    with index_of(scenario) as (index, combined):
        lock = resolve(scenario, index, combined)
        verify_resolved_hashes(None, dict(lock), index, everything=True)
    for name, entry in entries_of_lock(lock):
        said = scenario.public[name]
        if owners(scenario, name) is None and said is not None:
            assert entry["version"] == f"=={max(said)}"
            assert entry["hashes"] == [f"sha256:{sha256('public', name, max(said))}"]
            assert entry["index"] == "pypi"


@given(scenarios())
def test_no_package_is_taken_past_a_missing_repository(scenario: Scenario) -> None:
    with index_of(scenario) as (index, _):
        for name in set(NAMES) - index.sources.elsewhere.keys():
            try:
                number = index.pages.listing(name).number
            except RefusedError:
                continue
            passed = [n for n in index.sources.candidates(name) if number < 0 or n < number]
            if index.sources.is_private(name) and number < 0:
                passed = passed[:-1]
            assert all(scenario.exist[n] is not False for n in passed)
