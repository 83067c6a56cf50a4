"""The index, from its start to its end: what a run and the server need of it.

A command that has it starts pipenv at once: what takes long to import is not imported here, but
by the threads that ask for the first pages.
"""

from __future__ import annotations

import contextlib
import functools
import queue
import secrets
import threading
from typing import NamedTuple
from urllib.parse import unquote

from codeartifact_pipenv.project.names import matches, normalise

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from types import TracebackType

    from typing_extensions import Self

    from codeartifact_pipenv.endpoint import RepositoryEndpoint
    from codeartifact_pipenv.proxy_index.existence import AskExists
    from codeartifact_pipenv.proxy_index.pages import Listing, Pages
    from codeartifact_pipenv.proxy_index.server import Server
    from codeartifact_pipenv.proxy_index.upstreams import Renewal

USERNAME = "pipenv-ca"
FILES = "files"
# Where a name was found, beside the repositories' own numbers.
DEFAULT_SOURCE, NOWHERE = -1, -2

_WORKERS = 8
_MOST_PREFETCHED = 2000


_workers: list[threading.Thread] = []


def is_at_work() -> bool:
    """Whether threads of an index, of this one or of an ended one, are still running."""
    return any(worker.is_alive() for worker in _workers)


class Upstream(NamedTuple):
    """A repository behind the index.

    Attributes:
        endpoint: where it is.
        token: its domain's token, in clear.
    """

    endpoint: RepositoryEndpoint
    token: str


class Refusal(NamedTuple):
    """How something was refused.

    Attributes:
        number: the repository's, or DEFAULT_SOURCE; NOWHERE where it is this machine that fails.
        status: the HTTP status; None where no whole answer came.
        filename: the file that a page lists and that is answered with 404; '' otherwise.
    """

    number: int
    status: int | None
    filename: str = ""


class RefusedError(Exception):
    """A repository, or the default source, does not give what it was asked for."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal)
        self.refusal = refusal


class ProxyIndex:
    """The index, from ``with`` to the end of its block.

    Args:
        upstreams: the project's repositories, in the order of its sources.
        default_source: URL of the index that everything else comes from, without
            credentials; None where CodeArtifact's answer is the last word.
        private: by normalised name, the number of the repository that alone may serve it;
            None for any of them. None of these is asked for at the default source.
        private_patterns: names that any of the repositories may serve and nobody else, with a
            ``*`` behind for all that begin so.
        mirror: the number of the repository that stands in the public index's place; None for none.
            Names that are private may be there by chance, from outside.
        elsewhere: by normalised name, the URL of the index that alone may serve it and is no
            repository of the above.
        logins: by host, username and password for indexes that are no repositories.
        ask_exists: asks AWS whether a repository exists; see ``Existence``.
        renew: given an endpoint and a token that it refuses, returns another one, or None;
            None where there is no way to another one.
        cache: folder for METADATA and the address; None to keep nothing.
        folder: where a run keeps wheels that it fetched as a whole, for the installation that
            follows; None to keep none.
        needs_dates: whether a page is refused if it is not known when its files were
            uploaded, since a cool-down would let them pass.
        find_links: folders and files of the user's own that may serve names which no repository
            has and nobody calls private.

    Attributes:
        password: what clients come with.
        found: by normalised name that a client asked for, the number of the repository that
            it came from, or DEFAULT_SOURCE or NOWHERE.
        refused: by normalised name, how its page or a file of it was refused at last.
        missing: the numbers of repositories that do not exist.
        unproven: the numbers of those of which that could not be told, and whose 404 was believed.
        unwritten: why a file could not be written here; None if all were.
        is_at_kept_address: whether URLs here are those of the last run.
    """

    def __init__(
        self,
        upstreams: Sequence[Upstream],
        default_source: str | None,
        private: Mapping[str, int | None],
        elsewhere: Mapping[str, str],
        *,
        private_patterns: Sequence[str] = (),
        mirror: int | None = None,
        ask_exists: AskExists | None = None,
        logins: Mapping[str, tuple[str, str]] | None = None,
        renew: Renewal | None = None,
        cache: str | None = None,
        folder: str | None = None,
        needs_dates: bool = False,
        find_links: Sequence[str] = (),
    ) -> None:
        self.upstreams = upstreams
        self.default_source = default_source
        self._private = private
        self._patterns = private_patterns
        self._mirror = mirror
        self.ask_exists = ask_exists
        self.elsewhere = elsewhere
        self.logins = logins or {}
        self.renew = renew
        self.cache = cache
        self.folder = folder
        self.needs_dates = needs_dates
        self.find_links = tuple(find_links)
        self.password = secrets.token_urlsafe(24)
        self.found: dict[str, int] = {}
        self.refused: dict[str, Refusal] = {}
        self.missing: set[int] = set()
        self.unproven: set[int] = set()
        self.unwritten: str | None = None
        self._known: set[str] = set()
        self._work: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._pages: Pages | None = None
        self._server: Server | None = None
        self.is_at_kept_address = False

    def __enter__(self) -> Self:
        """Begin to serve."""
        from codeartifact_pipenv.proxy_index.address import kept_address
        from codeartifact_pipenv.proxy_index.server import serve

        address = kept_address(self.cache)
        self._server = serve(self, address)
        self.is_at_kept_address = self._server.server_address[:2] == address
        # (Daemons: an executor's threads would keep the process from its end.)
        for _ in range(_WORKERS):
            worker = threading.Thread(target=self._do_work, daemon=True)
            _workers.append(worker)
            worker.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop serving."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
        with contextlib.suppress(queue.Empty):
            while True:
                self._work.get_nowait()
        for _ in range(_WORKERS):
            self._work.put(None)
        self.close()

    def close(self) -> None:
        """Close what was opened to ask the sources."""
        with self._lock:
            if self._pages is not None:
                self._pages.close()

    @property
    def url(self) -> str:
        """The index URL, without credentials."""
        assert self._server is not None, "the index serves inside its block only"  # noqa: S101
        return f"http://{self.host}:{self._server.server_port}/simple"

    @property
    def host(self) -> str:
        """The address that it has to itself: the password is for it alone."""
        assert self._server is not None, "the index serves inside its block only"  # noqa: S101
        host = str(self._server.server_address[0])
        # (pips differ in how they look for an IPv6 address in a netrc.)
        return "localhost" if ":" in host else host

    @property
    def pages(self) -> Pages:
        """What it has."""
        with self._lock:
            if self._pages is None:
                from codeartifact_pipenv.proxy_index.pages import Pages

                self._pages = Pages(self)
            return self._pages

    def real_url(self, url: str) -> str:
        """Return where a file is whose URL here is given; other URLs as they are."""
        sha256, _, name = url.removeprefix(f"{self.url.removesuffix('simple')}{FILES}/").partition(
            "/"
        )
        place = self.pages.place(sha256, unquote(name))
        return url if place is None else self.upstreams[place.number].endpoint.url + place.path

    def served(self, name: str) -> set[str] | None:
        """Return the hashes of a normalised name that its index has shown, as ``sha256:...``.

        None where that cannot be told: the index does not answer, or says no hashes. (Of a private
        name that is as good as nothing.)
        """
        return self.pages.served(name)

    def place_of(self, name: str) -> str:
        """Return who has shown a normalised name, or would have to, as a phrase."""
        listing = self.seen(name)
        number = NOWHERE if listing is None else listing.number
        if number >= 0:
            return f"repository {self.upstreams[number].endpoint.repository}"
        if self.is_private(name):
            return "the repository of private packages"
        return self.elsewhere.get(name) or self.default_source or "any repository"

    def is_public(self, name: str, hashes: Collection[str]) -> bool:
        """Whether a package that a repository served is the public one of that name.

        A repository may hold what it fetched from the public index, and then it is the same
        file. Where the default source could not be asked, the answer is no: the repository has
        the package in any case.

        Args:
            name: the normalised name.
            hashes: what the lock holds of it, as ``sha256:...``.
        """
        return self._pages is not None and self._pages.is_public(name, hashes)

    def seen(self, name: str) -> Listing | None:
        """Return the page of a normalised name, if it was made in this run."""
        return None if self._pages is None else self._pages.seen(name)

    @property
    def incomplete(self) -> list[str]:
        """Names of which the default source could not be asked, in order."""
        return [] if self._pages is None else sorted(self._pages.incomplete)

    def candidates(self, name: str) -> Collection[int]:
        """Return the numbers of the repositories that may serve a name, in order."""
        only = self._private.get(name)
        if only is not None:
            return (only,)
        numbers = range(len(self.upstreams))
        if self._mirror is None or len(numbers) == 1 or not self.is_private(name):
            return numbers
        return [number for number in numbers if number != self._mirror]

    def is_private(self, name: str) -> bool:
        """Whether somebody has said that a normalised name is private."""
        return name in self._private or matches(name, self._patterns)

    def names_of(self, number: int) -> list[str]:
        """Return names that a repository is asked for in any case: those that it is said to have first."""
        said = [name for name, only in self._private.items() if only in (None, number)]
        asked = [n for n in list(self._known) if n not in self.elsewhere and n not in said]
        return [*said, *(n for n in asked if next(iter(self.candidates(n))) == number)]

    def prefetch(self, names: Iterable[str]) -> None:
        """Ask for the pages of packages in the background, each once."""
        for name in map(normalise, names):
            if name in self._known:
                continue
            self._known.add(name)
            if len(self._known) <= _MOST_PREFETCHED:
                self.later(functools.partial(self._fetch_page, name))

    def later(self, act: Callable[[], object]) -> None:
        """Do something in the background; its errors are for who asks for the same then."""
        self._work.put(act)

    def _fetch_page(self, name: str) -> None:
        self.pages.listing(name)

    def _do_work(self) -> None:
        while (act := self._work.get()) is not None:
            with contextlib.suppress(Exception):
                act()
