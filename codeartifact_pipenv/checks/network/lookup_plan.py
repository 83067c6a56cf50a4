"""Which places of a project are asked about which package, and how."""

from __future__ import annotations

import os
import platform
import re

from codeartifact_pipenv.capture import output_of
from codeartifact_pipenv.checks.network.package_location import PUBLIC, Sighting
from codeartifact_pipenv.files.reading import read_text
from codeartifact_pipenv.project.public import public_index
from codeartifact_pipenv.project.sources import expand, login_of, without_credentials

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from codeartifact_pipenv.checks.network.repository import Login
    from codeartifact_pipenv.checks.network.wanted import Wanted
    from codeartifact_pipenv.diagnosis.pages import Answer, Asker
    from codeartifact_pipenv.project.pipfile import Project
    from codeartifact_pipenv.project.sources import Source


class Survey:
    """The places of one project.

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

    def sighting(self, wanted: Wanted, answers: Mapping[tuple[str, str], Answer]) -> Sighting:
        """Return what all places said of one package."""
        said = {
            place: answers[place, wanted.name]
            for place in self.places(wanted)
            if (place, wanted.name) in answers
        }
        return Sighting(wanted, said, self.serving(wanted), self._is_private(wanted.name))


def python_of(project: Project, program: Sequence[str], seconds: float) -> tuple[str, str | None]:
    """Return the version of a project's interpreter, and its path if there is one yet.

    Without a virtual environment it is the version that the Pipfile requires, else ours.

    Args:
        project: the project.
        program: the words that start pipenv.
        seconds: how long each program that is asked may take.
    """
    python = output_of([*program, "--py"], seconds=seconds)
    if python is not None and os.path.isabs(python):
        version = version_of_environment(os.path.dirname(os.path.dirname(python)))
        if version is not None:
            return version, python
    requires = project.document.get("requires")
    wanted = requires if isinstance(requires, dict) else {}
    full = wanted.get("python_full_version") or wanted.get("python_version")
    return str(full or platform.python_version()), None


def version_of_environment(folder: str) -> str | None:
    """Return the Python version of a virtual environment; None where it does not say.

    Its interpreter is not asked: it may have come with a project that was cloned.
    """
    try:
        text = read_text(os.path.join(folder, "pyvenv.cfg"))
    except (OSError, ValueError):
        return None
    lines = [line.partition("=") for line in text.split("\n")]
    said = {name.strip().lower(): value.strip() for name, _, value in lines}
    # venv says version = 3.12.4; virtualenv says version_info = 3.12.4.final.0 too.
    match = re.match(r"[0-9]+\.[0-9]+\.[0-9]+", said.get("version") or said.get("version_info", ""))
    return match[0] if match else None
