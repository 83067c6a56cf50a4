"""Which packages of a project are private, and which of its sources have them. Pure."""

from __future__ import annotations

from typing import NamedTuple

from codeartifact_pipenv.project.names import matches

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


class Holdings(NamedTuple):
    """What the repositories themselves say of a project's packages.

    Attributes:
        private: by name of a source, the normalised names that are private in it.
        namesakes: those of them of which the public index has a package, too.
    """

    private: Mapping[str, Collection[str]]
    namesakes: Collection[str] = ()


class PrivatePackages(NamedTuple):
    """What is known of the private packages of one project.

    Attributes:
        patterns: names, or beginnings of names with a ``*`` behind, that are private.
        placed: by source, the names that are known to be in it: from ``index`` of the lock
            and the Pipfile, or from the repositories themselves.
        repositories: the names of all sources that are CodeArtifact's, in order.
    """

    patterns: Collection[str]
    placed: Mapping[str, Collection[str]]
    repositories: tuple[str, ...]

    def is_private(self, name: str) -> bool:
        """Whether a package is private, as far as is known."""
        return self.is_listed(name) or any(name in names for names in self.placed.values())

    def sources(self, name: str) -> tuple[str, ...]:
        """Return the sources that may have a private package, by its normalised name."""
        found = tuple(source for source, names in self.placed.items() if name in names)
        return found or (self.repositories if self.is_listed(name) else ())

    def is_listed(self, name: str) -> bool:
        """Whether somebody has said that a package is private."""
        return matches(name, self.patterns)
