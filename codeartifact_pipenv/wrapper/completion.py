"""What the complete index serves from where, and what Pipfile and lock say of it. Pure.

The names of a project's sources stay what they are throughout: only where they lead changes
for the time of a command.
"""

from __future__ import annotations

from typing import Any, NamedTuple
from urllib.parse import urlsplit

from codeartifact_pipenv.project.cool_down import cool_down_of
from codeartifact_pipenv.project.entries import PLACES, entries_of
from codeartifact_pipenv.project.names import normalise
from codeartifact_pipenv.project.public import is_default_source, public_index
from codeartifact_pipenv.project.sources import expand, login_of, without_credentials

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from datetime import datetime
    from typing import TypeGuard

    from codeartifact_pipenv.endpoint import RepositoryEndpoint
    from codeartifact_pipenv.project.sources import Source


class Completion(NamedTuple):
    """How one project's sources make one index.

    Attributes:
        sources: the sources of the Pipfile, in order.
        endpoints: the repositories among them, each once, in order.
        default: the first source that is none; None where all are CodeArtifact.
        default_url: its URL without credentials, variables expanded.
        logins: by host, username and password of the sources that are not CodeArtifact's.
        explicit: by normalised name, the source that the Pipfile names for it.
        locked: by normalised name, the source that the lock names for it.
        names: the packages of Pipfile and lock that come from an index.
        cool_down: the moment before which files must have been uploaded; None for any.
    """

    sources: Sequence[Source]
    endpoints: Sequence[RepositoryEndpoint]
    default: Source | None
    default_url: str | None
    logins: Mapping[str, tuple[str, str]]
    explicit: Mapping[str, Source]
    locked: Mapping[str, Source]
    names: Sequence[str]
    cool_down: datetime | None

    def private(self) -> dict[str, int | None]:
        """Return which names only a repository may serve, and the number of that one."""
        return {
            name: self.endpoints.index(source.endpoint)
            for name, source in {**self.locked, **self.explicit}.items()
            if source.endpoint is not None
        }

    def elsewhere(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Return the URLs of the indexes that the Pipfile names for names of the others."""
        return {
            name: without_credentials(expand(source.url, environ))
            for name, source in self.explicit.items()
            if source.endpoint is None
        }

    @property
    def default_login(self) -> tuple[str, str] | None:
        """Username and password for the default source; None for none."""
        return self.logins.get(urlsplit(self.default_url or "").hostname or "")

    def source_of(self, number: int) -> Source:
        """Return the first source that leads to a repository, by its number."""
        return next(s for s in self.sources if s.endpoint == self.endpoints[number])

    def index_for_lock(
        self, found: Mapping[str, int], is_public: Callable[[str, Collection[str]], bool]
    ) -> Callable[[str, Mapping[str, Any]], str | None]:
        """Return the function that says which index an entry of the lock names."""

        def index_of(name: str, entry: Mapping[str, Any]) -> str | None:
            name = normalise(name)
            if name in self.explicit:
                return self.explicit[name].name
            number = found.get(name)
            if number is None:  # nobody asked: what was locked before still stands
                return self.locked[name].name if name in self.locked else entry.get("index")
            if number < 0 or (self.default and is_public(name, entry.get("hashes", ()))):
                return self.default.name if self.default else None
            return self.source_of(number).name

        return index_of


def complete(
    sources: Sequence[Source],
    document: Mapping[str, Any],
    lock: Mapping[str, Any] | None,
    environ: Mapping[str, str],
) -> Completion:
    """Say how the sources of a Pipfile make one index.

    Args:
        sources: the sources of the Pipfile.
        document: the Pipfile, parsed.
        lock: the lock, parsed; None where there is none.
        environ: the environment as pipenv will see it.
    """
    named = {source.name: source for source in sources}
    default = next((source for source in sources if source.endpoint is None), None)
    full_url = expand(default.url, environ) if default else ""
    if is_default_source(full_url):
        full_url = public_index(environ)
    others = [full_url, *(expand(s.url, environ) for s in sources if s.endpoint is None)]

    def has_index(entry: object) -> TypeGuard[dict[str, str]]:
        index = entry.get("index") if isinstance(entry, dict) else None
        return isinstance(index, str) and index in named

    explicit = {
        normalise(name): named[value["index"]]
        for _, name, value in entries_of(document)
        if has_index(value)
    }
    locked = {
        normalise(name): named[entry["index"]]
        for category, entries in (lock or {}).items()
        if category != "_meta" and isinstance(entries, dict)
        for name, entry in entries.items()
        if has_index(entry)
    }
    listed = [(name, value) for _, name, value in entries_of(document)]
    listed += [
        (name, entry)
        for category, entries in (lock or {}).items()
        if category != "_meta" and isinstance(entries, dict)
        for name, entry in entries.items()
    ]
    return Completion(
        sources,
        list(dict.fromkeys(s.endpoint for s in sources if s.endpoint is not None)),
        default,
        without_credentials(full_url) if default else None,
        dict(filter(None, map(login_of, others))),
        explicit,
        locked,
        list(dict.fromkeys(normalise(name) for name, value in listed if _is_of_index(value))),
        cool_down_of(document, environ),
    )


def _is_of_index(value: object) -> bool:
    return not isinstance(value, dict) or not PLACES & value.keys()
