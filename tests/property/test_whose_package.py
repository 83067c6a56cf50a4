"""For any answers of the indexes, lock, Pipfile and settings: whose package is locked."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

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
# What a repository says of a name: the versions on its page, or a status.
answers = st.one_of(versions, st.sampled_from([MISSING, MISSING, BROKEN]))


class World(NamedTuple):
    """What there is, what the project says, and what pip was told beside it.

    Attributes:
        pages: by number of a repository and name, what it says.
        exist: by number of a repository, whether it does; None where AWS does not say.
        public: by name, the versions in the public index; None where it does not answer.
        indexed: by name, the source that the Pipfile names.
        locked: by name, the source that the lock names, by its own names.
        patterns: the setting ``private-packages``.
        strangers: versions that a stranger has put where pip looks, too.
    """

    pages: Mapping[tuple[int, str], Any]
    exist: Mapping[int, bool | None]
    public: Mapping[str, list[int] | None]
    indexed: Mapping[str, str]
    locked: Mapping[str, str]
    patterns: tuple[str, ...]
    strangers: Mapping[str, int]


sources = st.sampled_from(["team", "other", "pypi"])
some_names = st.sampled_from(NAMES)
worlds = st.builds(
    World,
    st.fixed_dictionaries({(n, name): answers for n in range(2) for name in NAMES}),
    st.fixed_dictionaries({n: st.sampled_from([True, True, False, None]) for n in range(2)}),
    st.fixed_dictionaries({name: st.none() | versions for name in NAMES}),
    st.dictionaries(some_names, sources),
    st.dictionaries(some_names, sources),
    st.sampled_from([(), (), ("team-*",), ("Team_App",)]),
    st.dictionaries(some_names, st.integers(1, 9)),
)


# (In three of four worlds the resolution fails: nothing is wrong with the strategy.)
mostly_failing = settings(suppress_health_check=[HealthCheck.filter_too_much])


def sha256(place: str, name: str, version: int) -> str:
    """Return a hash that says where a file is from."""
    return (place + name + str(version)).encode().hex().ljust(64, "0")[:64]


def file(place: str, name: str, version: int) -> File:
    filename = f"{name.replace('-', '_')}-{version}-py3-none-any.whl"
    hashes = {"sha256": sha256(place, name, version)}
    return File(filename, f"https://{HOST}/pypi/{place}/{filename}", hashes=hashes)


class Repository:
    """Stands in for the client of a repository."""

    def __init__(self, world: World, number: int) -> None:
        self._world = world
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


def combined_of(world: World) -> CombinedSources:
    urls = {name: f"https://{HOST}/pypi/{name}/simple/" for name in REPOSITORIES}
    read = [read_source(n, u, "", {}) for n, u in {"pypi": PUBLIC, **urls}.items()]
    packages = {name: {"version": "*", "index": index} for name, index in world.indexed.items()}
    lock = {
        "_meta": {"sources": [{"name": f"old-{n}", "url": u} for n, u in urls.items()]},
        "default": {
            name: {"version": "==1", "index": index if index == "pypi" else f"old-{index}"}
            for name, index in world.locked.items()
        },
    }
    return combine_sources(read, {"packages": packages}, lock, {}, private_patterns=world.patterns)


@contextmanager
def index_of(world: World) -> Iterator[tuple[ProxyIndex, CombinedSources]]:
    combined = combined_of(world)
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
        return world.exist[REPOSITORIES.index(endpoint.repository or "")]

    index = ProxyIndex(sources, IndexAccess(ask_exists=exists))
    content = index.content()
    clients = [Repository(world, number) for number in range(2)]
    content.pages._repositories._clients = clients  # type: ignore[assignment] # stand-ins
    default = content.others[PUBLIC]

    def fetch(name: str) -> tuple[File, ...] | None:
        said = world.public[name]
        return None if said is None else tuple(file("public", name, v) for v in said)

    default._fetch = fetch  # type: ignore[method-assign]
    try:
        yield index, combined
    finally:
        index.close()


def resolve(world: World, index: ProxyIndex, combined: CombinedSources) -> dict[str, Any] | None:
    """Return the lock that pipenv would write: of each name the highest version; None for a failure."""
    entries: dict[str, Any] = {}
    for name in NAMES:
        try:
            listing = index.pages.listing(name)
        except RefusedError:
            return None
        index.observed.found[name] = listing.number
        files = listing.files
        found = {int(f.name.split("-")[1]): f.sha256 for f in files or ()}
        if name in world.strangers:
            found.setdefault(world.strangers[name], sha256("strange", name, 0))
        if not found:
            return None
        entries[name] = {
            "version": f"=={max(found)}",
            "hashes": [f"sha256:{found[max(found)]}"],
        }
    made = {"_meta": {"hash": {}, "sources": []}, "default": entries}
    return final_lock(
        made, [], "", combined.index_for_lock(index.observed.found, index.pages.is_public)
    )


def owners(world: World, name: str) -> set[str] | None:
    """Return the repositories that alone may serve a name; None where it need not be one."""
    said = [world.indexed.get(name)] if name in world.indexed else [world.locked.get(name)]
    named = {s for s in said if s in REPOSITORIES}
    if named:
        return named
    listed = any(
        name.startswith(p[:-1]) if p.endswith("*") else name == p.lower().replace("_", "-")
        for p in world.patterns
    )
    has_page = any(
        world.exist[n] is not False and isinstance(world.pages[n, name], list) for n in range(2)
    )
    if world.indexed.get(name) == "pypi":
        return None
    return set(REPOSITORIES) if listed or has_page else None


@mostly_failing
@given(worlds)
def test_private_names_are_their_repositories(world: World) -> None:
    """No private name is locked with a hash that its repository did not serve."""
    with index_of(world) as (index, combined):
        lock = resolve(world, index, combined)
        assume(lock is not None)
        try:
            verify_resolved_hashes(None, lock or {}, index, everything=True)
        except CodeArtifactPipenvError:
            return
        for name, entry in entries_of(lock):
            allowed = owners(world, name)
            if allowed is None:
                continue
            hashes = {
                f"sha256:{sha256(place, name, version)}"
                for place in allowed
                for version in range(10)
            }
            assert set(entry["hashes"]) <= hashes
            assert entry["index"] in allowed


@mostly_failing
@given(worlds)
def test_public_names_are_as_with_bare_pipenv(world: World) -> None:
    """Where nobody else offers files, what is public is locked as by pipenv alone, and nothing is refused."""
    world = world._replace(strangers={})
    with index_of(world) as (index, combined):
        lock = resolve(world, index, combined)
        assume(lock is not None)
        verify_resolved_hashes(None, lock or {}, index, everything=True)
        for name, entry in entries_of(lock):
            said = world.public[name]
            if owners(world, name) is None and said is not None:
                assert entry["version"] == f"=={max(said)}"
                assert entry["hashes"] == [f"sha256:{sha256('public', name, max(said))}"]
                assert entry["index"] == "pypi"


@given(worlds)
def test_repositories_that_do_not_exist(world: World) -> None:
    """Past a repository that does not exist nothing is taken from anywhere."""
    with index_of(world) as (index, _):
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
            assert all(world.exist[number] is not False for number in passed)
