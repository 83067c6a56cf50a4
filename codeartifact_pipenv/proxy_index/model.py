"""Data types of the index: the sources that it combines, and what a run observes."""

from __future__ import annotations

import threading
from typing import Any, Generic, NamedTuple, TypeVar

from codeartifact_pipenv.project.pipfile import (
    DIRECT_KEYS,
    entries_of,
    entries_of_lock,
    matches,
    normalise,
    read_lock,
)
from codeartifact_pipenv.project.sources import (
    cool_down_cutoff,
    expand,
    is_default_source,
    login_of,
    public_index_url,
    read_source,
    without_credentials,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from codeartifact_pipenv.endpoint import RepositoryEndpoint
    from codeartifact_pipenv.lookups.simple_page import File

    AskExists = Callable[[RepositoryEndpoint], bool | None]
    Renewal = Callable[[RepositoryEndpoint, str], str | None]
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime

    from codeartifact_pipenv.project.pipfile import Project
    from codeartifact_pipenv.project.sources import Source


USERNAME = "pipenv-ca"
# Where a name was found, in place of a repository's number.
DEFAULT_SOURCE, NOWHERE = -1, -2


class Upstream(NamedTuple):
    """A repository behind the index.

    Attributes:
        endpoint: its endpoint.
        token: the domain's token in plain text.
    """

    endpoint: RepositoryEndpoint
    token: str


class IndexSources(NamedTuple):
    """The sources that an index serves. Names are normalised.

    Attributes:
        upstreams: the project's repositories in the order of its sources; the position is the
            repository's number.
        default_source: URL without credentials of the index for names that no repository has, or
            None if CodeArtifact's answer is final. It is never asked for private names.
        private: by private name, the number of the only repository that may serve it, or None for
            any repository.
        private_patterns: more private names; a final ``*`` matches any ending.
        mirror: the number of the repository that replaces the public index, if any. It may contain
            foreign packages with private names.
        elsewhere: by name, the URL of the only other index that may serve it.
        find_links: local folders and files for names that are not private and that no repository
            has.
        needs_dates: whether a page without upload times is an error, because a cool-down would not
            apply.
    """

    upstreams: Sequence[Upstream]
    default_source: str | None = None
    private: Mapping[str, int | None] = {}
    private_patterns: Sequence[str] = ()
    mirror: int | None = None
    elsewhere: Mapping[str, str] = {}
    find_links: Sequence[str] = ()
    needs_dates: bool = False

    def is_private(self, name: str) -> bool:
        """Whether a name is private."""
        return name in self.private or matches(name, self.private_patterns)

    def candidates(self, name: str) -> Collection[int]:
        """Return the numbers of the repositories that may serve a name, in order of precedence."""
        only = self.private.get(name)
        if only is not None:
            return (only,)
        numbers = range(len(self.upstreams))
        if self.mirror is None or len(numbers) == 1 or not self.is_private(name):
            return numbers
        return [number for number in numbers if number != self.mirror]


class IndexAccess(NamedTuple):
    """How an index accesses its sources, and where it stores data.

    Attributes:
        logins: by host, username and password for indexes that are not repositories.
        renew: returns a new token for an endpoint and its refused token, or None if impossible;
            None to keep the tokens.
        ask_exists: asks AWS whether a repository exists; see ``Existence``.
        cache: folder for METADATA and the address, or None to store nothing.
        folder: folder for wheels that are downloaded before installation, or None for the system's
            temporary folder.
    """

    logins: Mapping[str, tuple[str, str]] = {}
    renew: Renewal | None = None
    ask_exists: AskExists | None = None
    cache: str | None = None
    folder: str | None = None


class FileOrigin(NamedTuple):
    """The origin of a file.

    Attributes:
        number: the repository's number, or NOWHERE for a local file.
        path: the quoted path below the repository's URL, or the path of a local file.
        project: the normalised name of the file's page, or '' if unknown.
        sha256: the hex digest, or '' if unknown.
        filename: the file's name.
        public: the same file in the default source, if any.
        offered: ``File.metadata`` from the repository's own page.
    """

    number: int
    path: str
    project: str
    sha256: str = ""
    filename: str = ""
    public: File | None = None
    offered: bool | str = False


class Listing(NamedTuple):
    """The page of a name.

    Attributes:
        number: the repository's number, DEFAULT_SOURCE or NOWHERE.
        files: its files, or None to redirect clients to the default source.
    """

    number: int
    files: tuple[File, ...] | None


class Refusal(NamedTuple):
    """A request that failed.

    Attributes:
        number: the repository's number, DEFAULT_SOURCE, or NOWHERE if this machine failed.
        status: the HTTP status, or None without a complete response.
        filename: a file that a page lists but that is missing, or ''.
    """

    number: int
    status: int | None
    filename: str = ""


class RefusedError(Exception):
    """A request to a repository or to the default source failed."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal)
        self.refusal = refusal


class Observations:
    """Records of a run of the index. Names are normalised.

    Attributes:
        wanted: names that pipenv has requested or will request.
        found: by requested name, the repository's number, DEFAULT_SOURCE or NOWHERE.
        refused: by name, the last failed request for its page or a file of it.
        incomplete: names for which the default source gave no answer.
        missing: the numbers of repositories that do not exist.
        unproven: the numbers of repositories that answered 404 and may not exist.
        unwritten: why a local file could not be written, if so.
    """

    def __init__(self) -> None:
        self.wanted: set[str] = set()
        self.found: dict[str, int] = {}
        self.refused: dict[str, Refusal] = {}
        self.incomplete: set[str] = set()
        self.missing: set[int] = set()
        self.unproven: set[int] = set()
        self.unwritten: str | None = None


# --- values that are created once ----------------------------------------------------------

_T = TypeVar("_T")


class Once(Generic[_T]):
    """Creates the value of each key once; after an error, the next caller tries again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cells: dict[str, tuple[threading.Lock, list[_T]]] = {}

    def get(self, key: str, make: Callable[[], _T]) -> _T:
        """Return the value, created if needed; raises as ``make`` does."""
        with self._lock:
            alone, made = self._cells.setdefault(key, (threading.Lock(), []))
        with alone:
            if not made:
                made.append(make())
            return made[0]

    def peek(self, key: str) -> _T | None:
        """Return the value if it exists."""
        with self._lock:
            cell = self._cells.get(key)
        return cell[1][0] if cell and cell[1] else None


# --- the sources of a project as one index -------------------------------------------------
# The sources keep their names; only their URLs change while a command runs.

# The category of the packages on the command line. A table with this name keeps its entries.
_TYPED_CATEGORY = "--index"


class OtherIndexes(NamedTuple):
    """The indexes of a project that are not repositories of CodeArtifact.

    Attributes:
        default_url: the expanded URL of the first one, without credentials, if any.
        logins: by host, username and password.
        urls: by normalised name of a package that the Pipfile takes from such an index, the URL
            of the index without credentials.
    """

    default_url: str | None
    logins: Mapping[str, tuple[str, str]]
    urls: Mapping[str, str]


class CombinedSources(NamedTuple):
    """The sources of one project as one index.

    Attributes:
        sources: the sources of the Pipfile, in order.
        endpoints: the repositories among them, each once, in order; the mirror of the public
            index comes last, unless it is also a source.
        others: the indexes that are not repositories.
        explicit: by normalised name, the source that the Pipfile or ``--index`` names for it.
        locked: by normalised name, the source of the package in the lock, or None for a
            repository that is not a source any more.
        private_patterns: private names from the settings; ``*`` matches any ending.
        names: the packages of Pipfile and lock that come from an index.
        cool_down: files must have been uploaded before this time, if set.
    """

    sources: Sequence[Source]
    endpoints: Sequence[RepositoryEndpoint]
    others: OtherIndexes
    explicit: Mapping[str, Source]
    locked: Mapping[str, Source | None]
    private_patterns: Sequence[str]
    names: Sequence[str]
    cool_down: datetime | None

    @property
    def default(self) -> Source | None:
        """The first source that is not CodeArtifact, if any."""
        return next((source for source in self.sources if source.endpoint is None), None)

    def private(self) -> dict[str, int | None]:
        """Return the private names, each with the number of its repository.

        The number is None if any repository may serve the name. A package that was locked from a
        mirror of the public index is not private.
        """
        found: dict[str, int | None] = {}
        for name, locked in self.locked.items():
            if locked is None:
                found[name] = None
            elif locked.endpoint is not None and not locked.is_mirror:
                found[name] = self.endpoints.index(locked.endpoint)
        for name, source in self.explicit.items():
            found.pop(name, None)
            if source.endpoint is not None:
                found[name] = self.endpoints.index(source.endpoint)
        return found

    @property
    def mirror(self) -> int | None:
        """The number of the repository that mirrors the public index, if any."""
        own = {source.endpoint for source in self.sources if not source.is_mirror}
        last = len(self.endpoints) - 1
        return last if self.endpoints and self.endpoints[last] not in own else None

    def source_of(self, number: int) -> Source:
        """Return the first source of the repository with a number."""
        leading = [s for s in self.sources if s.endpoint == self.endpoints[number]]
        return min(leading, key=lambda source: source.is_mirror)

    def names_repository(self, entry: Mapping[str, Any]) -> bool:
        """Whether the index of a lock entry is a repository."""
        named = (source for source in self.sources if source.name == entry.get("index"))
        source = next(named, self.sources[0])
        return source.endpoint is not None

    def index_for_lock(
        self, found: Mapping[str, int], is_public: Callable[[str, Collection[str]], bool]
    ) -> Callable[[str, Mapping[str, Any]], str | None]:
        """Return a function that takes a name and its lock entry and returns the index to write."""
        default = self.default

        def index_of(name: str, entry: Mapping[str, Any]) -> str | None:
            name = normalise(name)
            if name in self.explicit:
                return self.explicit[name].name
            number = found.get(name)
            if number is None:  # its page was not fetched: keep the index that was locked before
                if name not in self.locked:
                    return entry.get("index")
                locked = self.locked[name]
                if locked is None and len(self.endpoints) == 1:
                    locked = self.source_of(0)
                return locked.name if locked else entry.get("index")
            if number < 0 or (default and is_public(name, entry.get("hashes", ()))):
                return default.name if default else None
            return self.source_of(number).name

        return index_of


def combined_sources_of(
    project: Project, private_patterns: Sequence[str], typed: Mapping[str, str] | None = None
) -> CombinedSources:
    """Combine the sources of a project.

    Args:
        project: the project.
        private_patterns: as for ``combine_sources``.
        typed: by package name, the source that ``--index`` names; treated as if it were in the
            Pipfile.
    """
    entries = {name: {"index": source} for name, source in (typed or {}).items()}
    listed = project.document.get(_TYPED_CATEGORY)
    entries = {**listed, **entries} if isinstance(listed, dict) else entries
    return combine_sources(
        project.pipfile_sources(),
        {**project.document, _TYPED_CATEGORY: entries},
        read_lock(project.lock or ""),
        project.environ,
        pylocks=project.pylock_documents(),
        private_patterns=private_patterns,
    )


def combine_sources(
    sources: Sequence[Source],
    document: Mapping[str, Any],
    lock: Mapping[str, Any] | None,
    environ: Mapping[str, str],
    *,
    pylocks: Iterable[Mapping[str, Any]] = (),
    private_patterns: Sequence[str] = (),
) -> CombinedSources:
    """Combine the sources of a Pipfile into one index.

    Args:
        sources: the sources of the Pipfile.
        document: the Pipfile, parsed.
        lock: the lock, parsed, if any.
        environ: the environment as pipenv sees it.
        pylocks: the project's pylock.toml files (PEP 751), parsed.
        private_patterns: private names from the settings; ``*`` matches any ending.
    """
    explicit = _explicit(sources, document)
    listed = [(name, value) for _, name, value in entries_of(document)]
    listed += entries_of_lock(lock)
    in_order = sorted(sources, key=lambda source: source.is_mirror)
    return CombinedSources(
        sources,
        list(dict.fromkeys(s.endpoint for s in in_order if s.endpoint is not None)),
        _other_indexes(sources, explicit, environ),
        explicit,
        _locked(sources, lock, pylocks, environ),
        private_patterns,
        list(dict.fromkeys(normalise(name) for name, value in listed if _comes_from_index(value))),
        cool_down_cutoff(document, environ),
    )


def _explicit(sources: Sequence[Source], document: Mapping[str, Any]) -> dict[str, Source]:
    named = {source.name: source for source in sources}
    found = {}
    for _, name, value in entries_of(document):
        index = value.get("index") if isinstance(value, dict) else None
        if isinstance(index, str) and index in named:
            found[normalise(name)] = named[index]
    return found


def _other_indexes(
    sources: Sequence[Source], explicit: Mapping[str, Source], environ: Mapping[str, str]
) -> OtherIndexes:
    urls = [expand(source.url, environ) for source in sources if source.endpoint is None]
    full_url = urls[0] if urls else ""
    if is_default_source(full_url):
        full_url = public_index_url(environ)
    return OtherIndexes(
        without_credentials(full_url) if urls else None,
        dict(filter(None, map(login_of, [full_url, *urls]))),
        {
            name: without_credentials(expand(source.url, environ))
            for name, source in explicit.items()
            if source.endpoint is None
        },
    )


def _locked(
    sources: Sequence[Source],
    lock: Mapping[str, Any] | None,
    pylocks: Iterable[Mapping[str, Any]],
    environ: Mapping[str, str],
) -> dict[str, Source | None]:
    """Return the sources of locked packages, as ``CombinedSources.locked``.

    A lock names its own sources, which may differ from the Pipfile's. If they disagree about a
    package, the source that is a repository wins.
    """
    found: dict[str, Source | None] = {}
    for name, index, endpoint in _locked_places(lock, pylocks, environ):
        if endpoint is not None:
            leading = (s for s in sources if s.endpoint and s.endpoint.is_same(endpoint))
            source = next(leading, None)
        else:
            source = next((s for s in sources if s.name == index), None)
            if source is None or (source.endpoint is None and name in found):
                continue
        found[name] = source
    return found


def _locked_places(
    lock: Mapping[str, Any] | None,
    pylocks: Iterable[Mapping[str, Any]],
    environ: Mapping[str, str],
) -> Iterator[tuple[str, str, RepositoryEndpoint | None]]:
    """Yield the normalised name, index name and repository of each locked package."""
    own: dict[str, RepositoryEndpoint | None] = {}
    for written in (lock or {}).get("_meta", {}).get("sources", ()):
        name, url = written.get("name"), written.get("url")
        if isinstance(name, str) and isinstance(url, str):
            own[name] = read_source(name, url, "", environ).endpoint
    for name, entry in entries_of_lock(lock):
        if isinstance(entry.get("index"), str):
            yield normalise(name), entry["index"], own.get(entry["index"])
    for document in pylocks:
        packages = document.get("packages")
        for package in packages if isinstance(packages, list) else ():
            words = package if isinstance(package, dict) else {}
            name, url = words.get("name"), words.get("index")
            if isinstance(name, str) and isinstance(url, str):
                yield normalise(name), "", read_source("", url, "", environ).endpoint


def _comes_from_index(value: object) -> bool:
    return not isinstance(value, dict) or not DIRECT_KEYS & value.keys()
