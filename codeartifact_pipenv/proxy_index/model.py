"""Data types of the index."""

from __future__ import annotations

from typing import NamedTuple

from codeartifact_pipenv.project.pipfile import matches

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from codeartifact_pipenv.endpoint import RepositoryEndpoint
    from codeartifact_pipenv.lookups.simple_page import File

    AskExists = Callable[[RepositoryEndpoint], bool | None]
    Renewal = Callable[[RepositoryEndpoint, str], str | None]

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
