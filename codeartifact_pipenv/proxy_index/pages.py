"""The complete pages of the index, each created once in a run.

A name is looked up in the next place only after a 404 from a repository that exists, and never in
the default source if it is private. So neither a typo in a URL nor a failure of CodeArtifact lets
a foreign package in. CodeArtifact decides which files a page has. The default source adds data
about the same files, matched by SHA-256: upload time, yanked, requires-python.
"""

from __future__ import annotations

from codeartifact_pipenv.lookups.simple_page import completed
from codeartifact_pipenv.proxy_index.local_files import local_files
from codeartifact_pipenv.proxy_index.model import (
    DEFAULT_SOURCE,
    NOWHERE,
    Listing,
    Once,
    Refusal,
    RefusedError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from codeartifact_pipenv.lookups.simple_page import File
    from codeartifact_pipenv.proxy_index.file_table import FileTable
    from codeartifact_pipenv.proxy_index.model import IndexSources, Observations
    from codeartifact_pipenv.proxy_index.other_indexes import OtherIndex
    from codeartifact_pipenv.proxy_index.repository_pages import RepositoryPages


class Pages:
    """The pages of an index.

    Args:
        sources: the sources to serve.
        observed: records names for which the default source gave no answer.
        repositories: the pages of the repositories.
        others: the clients of other indexes, by URL.
        table: assigns URLs to files.
    """

    def __init__(
        self,
        sources: IndexSources,
        observed: Observations,
        repositories: RepositoryPages,
        others: Mapping[str, OtherIndex],
        table: FileTable,
    ) -> None:
        self._sources = sources
        self._observed = observed
        self._repositories = repositories
        self._others = others
        self._default = others.get(sources.default_source or "")
        self._table = table
        self._listings: Once[Listing] = Once()

    def listing(self, name: str) -> Listing:
        """Return the page of a normalised name, created once in a run.

        Raises:
            RefusedError: a request to a source failed; the next call tries again.
        """
        return self._listings.get(name, lambda: self._make_listing(name))

    def known_listing(self, name: str) -> Listing | None:
        """Return the page of a normalised name if it exists already."""
        return self._listings.peek(name)

    def is_public(self, name: str, hashes: Collection[str]) -> bool:
        """Whether a package from a repository is the public package of that name.

        A repository may have cached it from the public index; the files are then the same. False
        if the default source did not answer, since the repository has the package in any case.

        Args:
            name: the normalised name.
            hashes: its hashes in the lock, as ``sha256:...``.
        """
        return self._default is not None and not self._default.hashes(name).isdisjoint(hashes)

    def hashes(self, name: str) -> set[str] | None:
        """Return the hashes on the page of a normalised name, as ``sha256:...``.

        Returns:
            The hashes, or None if the index does not answer or has no hashes. Empty for a private
            name without an answer.
        """
        try:
            files = self.listing(name).files
        except RefusedError:
            return set() if self._sources.is_private(name) else None
        if files is None or not all(file.sha256 for file in files):
            return None
        return {f"sha256:{file.sha256}" for file in files}

    def place_of(self, name: str) -> str:
        """Return a phrase for the index that serves a normalised name, or should."""
        listing, sources = self.known_listing(name), self._sources
        if listing is not None and listing.number >= 0:
            return f"repository {sources.upstreams[listing.number].endpoint.repository}"
        if sources.is_private(name):
            return "the repository of private packages"
        return sources.elsewhere.get(name) or sources.default_source or "any repository"

    def _make_listing(self, name: str) -> Listing:
        sources, is_private = self._sources, self._sources.is_private(name)
        if name in sources.elsewhere:
            other = self._others[sources.elsewhere[name]]
            return Listing(DEFAULT_SOURCE, other.files(name) or None)
        default = None if is_private else self._default
        numbers = list(sources.candidates(name))
        for number in numbers:
            is_last = default is None and number == numbers[-1]
            files = self._repositories.files(number, name, is_last=is_last)
            if files is not None:
                return Listing(number, tuple(self._completed(name, number, files)))
        places = () if is_private else sources.find_links
        local = tuple(self._table.local_file(*found) for found in local_files(places, name))
        if default is None:
            return Listing(NOWHERE, local)
        return Listing(DEFAULT_SOURCE, (*(default.files(name) or ()), *local) or None)

    def _completed(self, name: str, number: int, files: Iterable[File]) -> Iterator[File]:
        public = self._public_files(name)
        same_files = {file.sha256: file for file in public or () if file.sha256}
        for file in files if public is None else completed(files, public):
            yield self._table.repository_file(name, number, file, same_files.get(file.sha256))

    def _public_files(self, name: str) -> tuple[File, ...] | None:
        """Return the default source's files of a name, or None without an answer."""
        if self._default is None:
            return None
        if self._sources.is_private(name):
            return ()
        files = self._default.files(name)
        if files is None:
            self._observed.incomplete.add(name)
            if self._sources.needs_dates:
                raise RefusedError(Refusal(DEFAULT_SOURCE, None))
        return files
