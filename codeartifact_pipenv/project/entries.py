"""The packages that a Pipfile lists."""

from __future__ import annotations

from typing import Any, NamedTuple

from codeartifact_pipenv.project.names import normalise

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# Tables of a Pipfile without packages; every other table is a package category.
_NO_CATEGORIES = frozenset({"source", "requires", "scripts", "pipenv", "pipfile", "build-system"})
# Keys of entries that do not come from an index.
DIRECT_KEYS = frozenset({"file", "path", "git", "hg", "svn", "bzr"})


class Entry(NamedTuple):
    """One package entry of a Pipfile.

    Attributes:
        category: the entry's table.
        written: the name as written.
        value: the value as written.
    """

    category: str
    written: str
    value: Any

    @property
    def name(self) -> str:
        """The normalised name."""
        return normalise(self.written)

    @property
    def keys(self) -> tuple[str, str]:
        """The keys of the entry in the document."""
        return self.category, self.written

    @property
    def fields(self) -> dict[str, Any]:
        """The value as a table; a plain version becomes ``{"version": ...}``."""
        return self.value if isinstance(self.value, dict) else {"version": self.value}

    @property
    def source(self) -> str | None:
        """The source named by ``index``, if any."""
        index = self.value.get("index") if isinstance(self.value, dict) else None
        return index if isinstance(index, str) else None

    @property
    def is_indexed(self) -> bool:
        """Whether the package comes from an index."""
        return not isinstance(self.value, dict) or not DIRECT_KEYS & self.value.keys()


def is_category(name: str) -> bool:
    """Whether a table of a Pipfile holds packages."""
    return name not in _NO_CATEGORIES


def entries_of(document: Mapping[str, object] | None) -> Iterator[Entry]:
    """Yield every package of a parsed Pipfile, in its order; none of one that cannot be read."""
    for category, entries in (document or {}).items():
        if is_category(category) and isinstance(entries, dict):
            for name, value in entries.items():
                yield Entry(category, name, value)


def locked_entries(document: Mapping[str, object] | None) -> Iterator[Entry]:
    """Yield every package of a parsed lock, in its order."""
    for category, entries in (document or {}).items():
        if category != "_meta" and isinstance(entries, dict):
            for name, value in entries.items():
                if isinstance(value, dict):
                    yield Entry(category, name, value)


def with_normalised_names(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a parsed Pipfile with the names of its packages as indexes have them."""
    return {
        category: {normalise(name): value for name, value in entries.items()}
        if is_category(category) and isinstance(entries, dict)
        else entries
        for category, entries in document.items()
    }
