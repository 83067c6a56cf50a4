"""The repositories' pages, each requested once in a run.

CodeArtifact may answer 404 both for a missing package and for a missing repository, so a typo in
a repository's name could send private names to the public index. A served page proves for 12
hours that the repository exists; otherwise AWS is asked.
"""

from __future__ import annotations

import contextlib
import time
from http import HTTPStatus
from typing import NamedTuple

from codeartifact_pipenv.auth.authorization_token import TokenCache
from codeartifact_pipenv.files.io import digest
from codeartifact_pipenv.lookups.simple_page import PLAIN_HTML, read_page
from codeartifact_pipenv.proxy_index.model import Once, Refusal, RefusedError
from codeartifact_pipenv.proxy_index.other_indexes import ACCEPT
from codeartifact_pipenv.proxy_index.upstreams import convert_errors
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
    """A repository's answer for a name: the HTTP status and the files of the page."""

    status: int
    files: tuple[File, ...]


class Existence:
    """Finds out which repositories exist, by number.

    Args:
        endpoints: the repositories.
        ask: asks AWS whether a repository exists; returns None without an answer.
        cache: folder for records of served pages, if any.
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
        """Return whether a repository served a page in the last 12 hours."""
        if number not in self._proven:
            served_at = (self._memory.read(self._key(number), _SUFFIX) or {}).get("served_at")
            if isinstance(served_at, (int, float)) and (
                0 <= time.time() - served_at < MAXIMUM_DURATION
            ):
                self._proven.add(number)
        return number in self._proven

    def exists(self, number: int) -> bool | None:
        """Return whether a repository exists, or None if unknown."""
        if self.is_proven(number):
            return True
        ask = self._ask
        if ask is None:
            return None
        return self._asked.get(str(number), lambda: ask(self._endpoints[number]))

    def _key(self, number: int) -> str:
        return digest(self._endpoints[number].url.encode())


class RepositoryPages:
    """Fetches pages from the repositories.

    Args:
        sources: the sources to serve.
        clients: the clients of the repositories, by number.
        existence: finds out which repositories exist.
        observed: records repositories that do not exist, or may not.
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
        """Return the files of a package, or None if the repository does not have it.

        Args:
            number: the repository's number.
            name: the normalised name.
            is_last: whether no other place follows, so the repository's existence does not matter.

        Raises:
            RefusedError: the request failed, or the repository does not exist.
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
            with convert_errors(number):
                page = self._clients[number].page(f"simple/{name}/", {"Accept": accept})
                is_page = page.status == HTTPStatus.OK
                files = read_page(page.body, page.kind, page.url) if is_page else ()
            if is_page and accept == ACCEPT:
                self._existence.has_served(number)
            return _PageAnswer(page.status, files)

        return self._answers.get(f"{number} {accept} {name}", fetch)

    def _confirmed(self, number: int, name: str) -> _PageAnswer:
        """Return the answer for a name after a 404 and a check that the repository exists.

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
        # CodeArtifact may answer 404 for an Accept header that it does not like (rtimush/sbt-updates#296).
        return self._answer(number, name, PLAIN_HTML)

    def _probes(self, number: int) -> list[str]:
        """Return names that the repository is asked for anyway, its private names first."""
        sources = self._sources
        private = [name for name, only in sources.private.items() if only in (None, number)]
        others = set(self._observed.wanted) - sources.elsewhere.keys() - set(private)
        return [*private, *(n for n in others if next(iter(sources.candidates(n))) == number)]
