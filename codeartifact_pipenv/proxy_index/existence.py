"""Whether a repository exists: only of one that does a 404 says that it has no such package.

CodeArtifact does not tell them apart: a wrong letter in a repository's name would send every
private name to the public index. A page that was served is proof, in this run or in one before it,
for as long as a token lives; else AWS is asked, where it can be.
"""

from __future__ import annotations

import time

from codeartifact_pipenv.auth.cache import TokenCache
from codeartifact_pipenv.digest import digest
from codeartifact_pipenv.proxy_index.once import Once
from codeartifact_pipenv.settings import MAXIMUM_DURATION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from codeartifact_pipenv.endpoint import RepositoryEndpoint

    AskExists = Callable[[RepositoryEndpoint], bool | None]

_SUFFIX = ".repository"


class Existence:
    """What is known of some repositories, which go by their numbers.

    Args:
        endpoints: the repositories.
        ask: asks AWS whether one exists, None for no answer; None where that cannot be asked.
        cache: the folder that remembers; None for none.
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
        """Note that a repository has served a page."""
        if number not in self._proven:
            self._proven.add(number)
            self._memory.write(self._key(number), {"served_at": time.time()}, _SUFFIX)

    def is_proven(self, number: int) -> bool:
        """Whether a repository has served a page, now or lately."""
        if number not in self._proven:
            served_at = (self._memory.read(self._key(number), _SUFFIX) or {}).get("served_at")
            if isinstance(served_at, (int, float)) and (
                0 <= time.time() - served_at < MAXIMUM_DURATION
            ):
                self._proven.add(number)
        return number in self._proven

    def exists(self, number: int) -> bool | None:
        """Whether a repository exists; None where that cannot be told."""
        if self.is_proven(number):
            return True
        ask = self._ask
        if ask is None:
            return None
        return self._asked.get(str(number), lambda: ask(self._endpoints[number]))

    def _key(self, number: int) -> str:
        return digest(self._endpoints[number].url.encode())
