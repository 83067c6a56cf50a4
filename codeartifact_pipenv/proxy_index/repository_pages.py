"""What the repositories answer for a name, each asked once a run.

CodeArtifact's package endpoint may answer 404 for a missing package and for a missing repository
alike, so a typo in a repository's name would send every private name to the public index. A page
that was served proves that the repository exists, for as long as a token lives; otherwise AWS is
asked.
"""

from __future__ import annotations

import contextlib
import time
from http import HTTPStatus
from typing import NamedTuple

from codeartifact_pipenv.auth.cache import TokenCache
from codeartifact_pipenv.files.digest import digest
from codeartifact_pipenv.lookups.simple_page import PLAIN_HTML, read_page
from codeartifact_pipenv.proxy_index.model import Refusal, RefusedError
from codeartifact_pipenv.proxy_index.once import Once
from codeartifact_pipenv.proxy_index.other_indexes import ACCEPT
from codeartifact_pipenv.proxy_index.upstreams import refusing
from codeartifact_pipenv.settings import MAXIMUM_DURATION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeartifact_pipenv.endpoint import RepositoryEndpoint
    from codeartifact_pipenv.lookups.simple_page import File
    from codeartifact_pipenv.proxy_index.model import AskExists, IndexSources, Observations
    from codeartifact_pipenv.proxy_index.upstreams import UpstreamClient

_SUFFIX = ".repository"


class _PageAnswer(NamedTuple):
    """What a repository answered for a name: its status, and the files of its page."""

    status: int
    files: tuple[File, ...]


class Existence:
    """Knows which repositories exist, by their numbers.

    Args:
        endpoints: the repositories.
        ask: asks AWS whether a repository exists, and returns None without an answer; None to skip.
        cache: folder that remembers served pages; None to forget.
    """

    def __init__(
        self,
        endpoints: Sequence[RepositoryEndpoint],
        ask: AskExists | None = None,
        cache: str | None = None,
    ) -> None:
        self._endpoints = endpoints
        self._ask = ask
        self._memory = TokenCache(cache)
        self._proven: set[int] = set()
        self._asked: Once[bool | None] = Once()

    def has_served(self, number: int) -> None:
        """Record that a repository served a page."""
        if number not in self._proven:
            self._proven.add(number)
            self._memory.write(self._key(number), {"served_at": time.time()}, _SUFFIX)

    def is_proven(self, number: int) -> bool:
        """True if a repository served a page in this run, or in the last 12 hours."""
        if number not in self._proven:
            served_at = (self._memory.read(self._key(number), _SUFFIX) or {}).get("served_at")
            if isinstance(served_at, (int, float)) and (
                0 <= time.time() - served_at < MAXIMUM_DURATION
            ):
                self._proven.add(number)
        return number in self._proven

    def exists(self, number: int) -> bool | None:
        """True if a repository exists, False if it does not, None if that is unknown."""
        if self.is_proven(number):
            return True
        ask = self._ask
        if ask is None:
            return None
        return self._asked.get(str(number), lambda: ask(self._endpoints[number]))

    def _key(self, number: int) -> str:
        return digest(self._endpoints[number].url.encode())


class RepositoryPages:
    """Asks the repositories for pages, and finds out which of them exist.

    Args:
        sources: what the index serves.
        clients: ask the repositories, by number.
        existence: knows which of them exist.
        observed: notes those that do not, or may not.
    """

    def __init__(
        self,
        sources: IndexSources,
        clients: Sequence[UpstreamClient],
        existence: Existence,
        observed: Observations,
    ) -> None:
        self._sources = sources
        self._clients = clients
        self._existence = existence
        self._observed = observed
        self._answers: Once[_PageAnswer] = Once()

    def files(self, number: int, name: str, *, is_last: bool) -> tuple[File, ...] | None:
        """Return the files of a normalised name; None if the repository does not have it.

        Args:
            number: the repository's.
            name: the name.
            is_last: whether nobody else would be asked for the name, so that it does not matter
                whether the repository exists.

        Raises:
            RefusedError: there is no answer, or the repository does not exist.
        """
        answer = self._answer(number, name)
        if answer.status == HTTPStatus.NOT_FOUND and not is_last:
            answer = self._confirmed(number, name)
        if answer.status == HTTPStatus.OK:
            return answer.files
        if answer.status != HTTPStatus.NOT_FOUND:
            raise RefusedError(Refusal(number, answer.status))
        return None

    def _answer(self, number: int, name: str, accept: str = ACCEPT) -> _PageAnswer:
        def fetch() -> _PageAnswer:
            with refusing(number):
                page = self._clients[number].page(f"simple/{name}/", {"Accept": accept})
                is_page = page.status == HTTPStatus.OK
                files = read_page(page.body, page.kind, page.url) if is_page else ()
            if is_page and accept == ACCEPT:
                self._existence.has_served(number)
            return _PageAnswer(page.status, files)

        return self._answers.get(f"{number} {accept} {name}", fetch)

    def _confirmed(self, number: int, name: str) -> _PageAnswer:
        """Return the answer for a name after a 404, once the repository is known to exist.

        Raises:
            RefusedError: the repository does not exist.
        """
        existence = self._existence
        for probe in self._probes(number):
            if existence.is_proven(number):
                break
            with contextlib.suppress(RefusedError):
                self._answer(number, probe)
        exists = existence.exists(number)
        if exists is False:
            self._observed.missing.add(number)
            raise RefusedError(Refusal(number, HTTPStatus.NOT_FOUND))
        if exists is None:
            self._observed.unproven.add(number)
        if existence.is_proven(number):
            return self._answer(number, name)
        # It is said to answer 404 also where it does not like how it is asked (rtimush/sbt-updates#296).
        return self._answer(number, name, PLAIN_HTML)

    def _probes(self, number: int) -> list[str]:
        """Return names that the repository is asked for in any case, those that it should have first."""
        sources = self._sources
        private = [name for name, only in sources.private.items() if only in (None, number)]
        others = set(self._observed.wanted) - sources.elsewhere.keys() - set(private)
        return [*private, *(n for n in others if next(iter(sources.candidates(n))) == number)]
