"""The packages that a Pipfile lists."""

from __future__ import annotations

from typing import Any, NamedTuple

from codeartifact_pipenv.project.names import normalise

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# Tables of a Pipfile that hold no packages: everything else is a category of them.
_NO_CATEGORIES = frozenset({"source", "requires", "scripts", "pipenv", "pipfile", "build-system"})
# Keys of an entry that does not come from an index.
DIRECT_KEYS = frozenset({"file", "path", "git", "hg", "svn", "bzr"})


class Entry(NamedTuple):
    """One package that a Pipfile lists.

    Attributes:
        category: the table that it stands in.
        written: its name there.
        value: what stands there for it.
    """

    category: str
    written: str
    value: Any

    @property
    def name(self) -> str:
        """Its name as indexes have it."""
        return normalise(self.written)

    @property
    def keys(self) -> tuple[str, str]:
        """The keys that lead to it."""
        return self.category, self.written

    @property
    def fields(self) -> dict[str, Any]:
        """What it says, as a table; a version alone is one too."""
        return self.value if isinstance(self.value, dict) else {"version": self.value}

    @property
    def source(self) -> str | None:
        """The source that it names, if any."""
        index = self.value.get("index") if isinstance(self.value, dict) else None
        return index if isinstance(index, str) else None

    @property
    def is_indexed(self) -> bool:
        """Whether it comes from an index at all."""
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
