"""Where packages are looked up, and what the indexes said of them."""

from __future__ import annotations

from typing import NamedTuple

from codeartifact_pipenv.project.public import public_index
from codeartifact_pipenv.project.sources import expand, login_of, without_credentials

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from codeartifact_pipenv.checks.network.repository import Login
    from codeartifact_pipenv.checks.network.wanted import Wanted
    from codeartifact_pipenv.diagnosis.pages import Answer, Asker
    from codeartifact_pipenv.project.sources import Source

# The key of the public index among the places that are asked.
PUBLIC = ""


class LookupResult(NamedTuple):
    """What all places said of one package.

    Attributes:
        wanted: the package.
        answers: by name of a source, or PUBLIC, what it said; places that did not answer in
            time are not among them.
        serving: the names of the sources that the project looks in, in order.
        is_private: whether it is known to be private: no other source has been asked.
    """

    wanted: Wanted
    answers: Mapping[str, Answer]
    serving: tuple[str, ...]
    is_private: bool = False

    @property
    def server(self) -> str | None:
        """The source that serves it; None where none of those does that are looked in."""
        return next((s for s in self.serving if s in self.answers and self.answers[s].found), None)

    @property
    def is_public(self) -> bool | None:
        """Whether the public index has it; None for unknown."""
        answer = self.answers.get(PUBLIC)
        return answer.found if answer is not None and answer.is_definite else None

    def seen_elsewhere(self, logins: Mapping[str, Login]) -> str | None:
        """Return the repository that has it and is not looked in; None for none."""
        return next((s for s, answer in self.answers.items() if s in logins and answer.found), None)


class LookupPlan:
    """Which places are asked about which package of a project, and how.

    Args:
        sources: its sources, in order.
        logins: the repositories among them that may be asked, by name of the source.
        environ: the environment as pipenv sees it.
        asker: asks.
        everywhere: whether a package that names no source is looked for in all of them, as
            by loopback; else in the first only, as by pipenv itself.
        is_private: whether a name is known to be private, so that strangers need not hear it.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        logins: Mapping[str, Login],
        environ: Mapping[str, str],
        asker: Asker,
        *,
        everywhere: bool,
        is_private: Callable[[str], bool] = lambda _name: False,
    ) -> None:
        self._is_private = is_private
        self._sources = {source.name: source for source in sources}
        self._logins = logins
        self._environ = environ
        self._asker = asker
        self._everywhere = everywhere

    def serving(self, wanted: Wanted) -> tuple[str, ...]:
        """Return the sources in which a package is looked for, in order."""
        if wanted.source is not None and wanted.source in self._sources:
            return (wanted.source,)
        if not self._everywhere:
            return tuple(self._sources)[:1]
        if self._is_private(wanted.name):
            return tuple(self._logins)
        others = [name for name, source in self._sources.items() if source.endpoint is None]
        return (*self._logins, *others[:1])

    def places(self, wanted: Wanted) -> list[str]:
        """Return all places that are worth asking about a package."""
        found = [*self.serving(wanted), *self._logins]
        if not self._is_private(wanted.name):
            found.append(PUBLIC)
        return list(dict.fromkeys(place for place in found if self._can_ask(place)))

    def _can_ask(self, place: str) -> bool:
        if place == PUBLIC or place in self._logins:
            return True
        # What only resembles CodeArtifact may be where a password must not go, as over http.
        source = self._sources[place]
        return source.endpoint is None and source.resembles is None

    def question(self, place: str, name: str, *, head: bool = False) -> Callable[[], Answer]:
        """Return the function that asks a place about a name; ``head``: only if it is there."""
        if place in self._logins:
            login = self._logins[place]
            return lambda: self._asker.ask_repository(login.endpoint, login.token.value, name)
        full = public_index(self._environ)
        if place != PUBLIC:
            full = expand(self._sources[place].url, self._environ)
        _, login_there = login_of(full) or (None, None)
        url = without_credentials(full)
        return lambda: self._asker.ask_index(url, name, login_there, head=head)

    def result(self, wanted: Wanted, answers: Mapping[tuple[str, str], Answer]) -> LookupResult:
        """Return what all places said of one package."""
        said = {
            place: answers[place, wanted.name]
            for place in self.places(wanted)
            if (place, wanted.name) in answers
        }
        return LookupResult(wanted, said, self.serving(wanted), self._is_private(wanted.name))
