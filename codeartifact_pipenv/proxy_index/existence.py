"""Find out whether a repository exists, so that its 404 can be trusted.

CodeArtifact's package endpoint may answer 404 for a missing package and for a missing repository
alike, so a typo in a repository's name would send every private name to the public index. A page
that was served proves that the repository exists, for as long as a token lives; otherwise AWS is
asked.
"""

from __future__ import annotations

import time

from codeartifact_pipenv.auth.cache import TokenCache
from codeartifact_pipenv.files.digest import digest
from codeartifact_pipenv.proxy_index.once import Once
from codeartifact_pipenv.settings import MAXIMUM_DURATION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeartifact_pipenv.endpoint import RepositoryEndpoint
    from codeartifact_pipenv.proxy_index.model import AskExists

_SUFFIX = ".repository"


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
