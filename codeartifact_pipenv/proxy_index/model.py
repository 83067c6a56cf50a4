"""Values of the index: what it serves, how it asks, and what it saw."""

from __future__ import annotations

from typing import NamedTuple

from codeartifact_pipenv.project.names import matches

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from codeartifact_pipenv.endpoint import RepositoryEndpoint
    from codeartifact_pipenv.lookups.simple_page import File

    AskExists = Callable[[RepositoryEndpoint], bool | None]
    Renewal = Callable[[RepositoryEndpoint, str], str | None]

USERNAME = "pipenv-ca"
# Where a name was found, beside the repositories' own numbers.
DEFAULT_SOURCE, NOWHERE = -1, -2


class Upstream(NamedTuple):
    """A repository behind the index.

    Attributes:
        endpoint: where it is.
        token: its domain's token, in clear.
    """

    endpoint: RepositoryEndpoint
    token: str


class IndexSources(NamedTuple):
    """What an index serves. Names are normalised.

    Attributes:
        upstreams: the project's repositories, in the order of its sources; a repository's number
            is its place in here.
        default_source: URL of the index that everything else comes from, without
            credentials; None if CodeArtifact's answer is final.
        private: by private name, the number of the repository that alone may serve it; None for
            any of them. The default source is not asked for them.
        private_patterns: more private names; one that ends with ``*`` covers all names that begin so.
        mirror: the number of the repository that replaces the public index; None for none.
            It may have private names by chance, from outside.
        elsewhere: by name, the URL of another index that alone may serve it.
        find_links: folders and files of the user that may serve names which no repository has and
            which are not private.
        needs_dates: whether a page is refused if the upload times of its files are unknown,
            since a cool-down would let them pass.
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
        """Whether a name is known to be private."""
        return name in self.private or matches(name, self.private_patterns)

    def candidates(self, name: str) -> Collection[int]:
        """Return the numbers of the repositories that may serve a name, in order."""
        only = self.private.get(name)
        if only is not None:
            return (only,)
        numbers = range(len(self.upstreams))
        if self.mirror is None or len(numbers) == 1 or not self.is_private(name):
            return numbers
        return [number for number in numbers if number != self.mirror]


class IndexAccess(NamedTuple):
    """How an index asks its sources, and where it keeps what it fetches.

    Attributes:
        logins: by host, username and password for indexes that are not repositories.
        renew: returns another token for an endpoint that refuses one, if possible; None to keep
            the tokens.
        ask_exists: asks AWS whether a repository exists; see ``Existence``.
        cache: folder for METADATA and the address; None to keep nothing.
        folder: where a run keeps whole wheels for the installation that follows; None for the
            system's temporary folder.
    """

    logins: Mapping[str, tuple[str, str]] = {}
    renew: Renewal | None = None
    ask_exists: AskExists | None = None
    cache: str | None = None
    folder: str | None = None


class FileOrigin(NamedTuple):
    """Where a file of a page comes from.

    Attributes:
        number: its repository's; NOWHERE for a file of the user.
        path: below the repository's URL, quoted; of a file of the user, in the file system.
        project: the normalised name of its page; '' if unknown.
        sha256: hex digest; '' if unknown.
        filename: its name.
        public: the same file in the default source, if it is there.
        offered: what the repository itself says of METADATA, as ``metadata`` of a File.
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
        number: where it comes from.
        files: its files, as clients see them; None to redirect clients to the default source.
    """

    number: int
    files: tuple[File, ...] | None


class Refusal(NamedTuple):
    """How something was refused.

    Attributes:
        number: the repository's, or DEFAULT_SOURCE; NOWHERE if this machine failed.
        status: the HTTP status; None without a whole answer.
        filename: the file that a page lists and that is answered with 404; '' otherwise.
    """

    number: int
    status: int | None
    filename: str = ""


class RefusedError(Exception):
    """A repository, or the default source, did not give what it was asked for."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal)
        self.refusal = refusal


class Observations:
    """What an index saw during a run. Names are normalised.

    Attributes:
        wanted: names that pipenv has asked for, or will.
        found: by name that a client asked for, the number of the repository that it came from, or
            DEFAULT_SOURCE or NOWHERE.
        refused: by name, how its page or a file of it was last refused.
        incomplete: names that the default source could not be asked for.
        missing: the numbers of repositories that do not exist.
        unproven: the numbers of repositories whose existence is unknown and whose 404 was believed.
        unwritten: why a file could not be written here; None if all were.
    """

    def __init__(self) -> None:
        self.wanted: set[str] = set()
        self.found: dict[str, int] = {}
        self.refused: dict[str, Refusal] = {}
        self.incomplete: set[str] = set()
        self.missing: set[int] = set()
        self.unproven: set[int] = set()
        self.unwritten: str | None = None
