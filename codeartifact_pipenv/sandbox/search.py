"""Looking for a package through a repository's upstreams, and keeping what was found."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from codeartifact_pipenv.sandbox.package import Version
from codeartifact_pipenv.sandbox.repository import PUBLIC_INDEX

if TYPE_CHECKING:
    from codeartifact_pipenv.sandbox.repository import Repository
    from codeartifact_pipenv.sandbox.state import State
    from codeartifact_pipenv.sandbox.upstream import PublicIndex


class Found(NamedTuple):
    """A version that a repository can serve.

    Attributes:
        version: the version.
        holder: the repository that holds it, or whose external connection leads to it.
    """

    version: Version
    holder: Repository


class Search:
    """Finds versions in a repository, its upstreams and the public index behind them."""

    def __init__(self, state: State, upstream: PublicIndex) -> None:
        self._state = state
        self._upstream = upstream

    def find(self, repository: Repository, name: str) -> dict[str, Found]:
        """Return the versions that a repository can serve of a normalised name.

        Each comes from the first place that has it.

        Raises:
            UpstreamError: the public index is to be asked, and does not answer.
        """
        found: dict[str, Found] = {}
        for holder in self._state.search_order(repository, name):
            for number, version in self._state.versions(holder, name).items():
                found.setdefault(number, Found(version, holder))
            if self._asks_public_index(holder, name):
                for number, version in self._public_versions(name).items():
                    found.setdefault(number, Found(version, holder))
        return found

    def notice(self, repository: Repository, name: str, found: dict[str, Found]) -> None:
        """Make a name that came from elsewhere known where it is retained."""
        for each in found.values():
            for keeper in _keepers(repository, each):
                self._state.notice(keeper, name)

    def retain(self, repository: Repository, name: str, number: str, found: Found) -> None:
        """Keep a version with all of its files, as AWS does with one that was downloaded.

        It is kept in the repository that was asked and in the one with the external
        connection, not in those between.
        """
        for keeper in _keepers(repository, found):
            self._state.retain(keeper, name, number, found.version)

    def _asks_public_index(self, repository: Repository, name: str) -> bool:
        return repository.external_connection == PUBLIC_INDEX and self._state.allows(
            repository, name, "EXTERNAL_UPSTREAM"
        )

    def _public_versions(self, name: str) -> dict[str, Version]:
        versions: dict[str, Version] = {}
        for file in self._upstream.files(name):
            version = versions.setdefault(file.version, Version(PUBLIC_INDEX, 0))
            version.files[file.filename] = file
        return versions


def _keepers(repository: Repository, found: Found) -> list[Repository]:
    if found.holder is repository or not found.version.is_external:
        return [repository]
    return [repository, found.holder]
