"""The facts of one project that checks use, each read or fetched once.

Answers that the failed command has seen are reused; only the others are fetched.
"""

from __future__ import annotations

import os
from functools import cached_property
from itertools import islice

from codeartifact_pipenv.checks.network.lookup import PUBLIC, LookupResult
from codeartifact_pipenv.checks.network.network_facts import PATIENT, NetworkFacts
from codeartifact_pipenv.checks.network.wanted import (
    WantedPackage,
    packages_in_files,
    packages_in_words,
)
from codeartifact_pipenv.project.pipfile import normalise
from codeartifact_pipenv.wrapper import pipenv_cli

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from codeartifact_pipenv.checks.local_facts import LocalFacts
    from codeartifact_pipenv.checks.network.network_facts import Limits
    from codeartifact_pipenv.checks.network.repository import Login
    from codeartifact_pipenv.lookups.index_client import Answer
    from codeartifact_pipenv.lookups.simple_page import File
    from codeartifact_pipenv.report import Report
    from codeartifact_pipenv.wrapper.failed_run import FailedRun

_MAXIMUM_EXPLAINED = 200  # packages looked up after a failure


class Facts:
    """The facts of one project.

    Args:
        local: the facts that need no network.
        report: receives notes.
        names: the packages to check; empty for all packages of the project.
        offline: if True, do not use the network.
        limits: time limits of the network.

    Attributes:
        run: observations of the failed command.
        network: the answers of AWS and the indexes.
        serving: the sources whose repositories have answered successfully.
    """

    def __init__(
        self,
        local: LocalFacts,
        report: Report,
        *,
        names: Iterable[str] = (),
        offline: bool = False,
        limits: Limits = PATIENT,
    ) -> None:
        self.local = local
        self.run = local.run
        self.network = NetworkFacts(local, report, limits, offline=offline)
        self.names = [normalise(name) for name in names]
        self.serving: set[str] = set()

    # --- packages to check ----------------------------------------------------------------

    @cached_property
    def wanted(self) -> list[WantedPackage]:
        """The packages to check."""
        known = {**self.local.locked, **self.local.listed}
        wanted: Iterable[WantedPackage] = known.values()
        if self.run.failed is not None:
            wanted = islice(self._wanted_by_command(self.run.failed), _MAXIMUM_EXPLAINED)
        elif self.names:
            wanted = (known.get(n, WantedPackage(n, "", None, "the command")) for n in self.names)
        takes = self.local.allows_prereleases
        return [package._replace(prereleases=takes) for package in wanted]

    def _wanted_by_command(self, failed: FailedRun) -> Iterator[WantedPackage]:
        command, arguments = failed.line.command, failed.line.arguments
        of_files = packages_in_files(arguments, os.getcwd())
        known: Mapping[str, WantedPackage] = {}
        if pipenv_cli.runs_program(command):
            typed = pipenv_cli.pip_requirements(arguments)
        else:
            typed = pipenv_cli.requirements(command, arguments) if command != "uninstall" else []
            resolves = pipenv_cli.resolves(command, arguments)
            known = self.local.listed if resolves else self.local.locked
        named = {w.name: w for w in (*packages_in_words(typed), *of_files)}
        for name, wanted in named.items():
            source = self.run.source_of(name) or (known[name].source if name in known else None)
            yield wanted._replace(source=source)
        yield from (wanted for name, wanted in known.items() if name not in named)
        for name, number in self.run.places.items():
            if number < 0 and name not in known and name not in named:
                yield WantedPackage(name, "", None, "a package that needs it")

    def python(self, files: Iterable[File] = ()) -> str | None:
        """Return the version of the project's Python, or None if no file depends on it."""
        return self.interpreter[0] if any(file.requires_python for file in files) else None

    @cached_property
    def interpreter(self) -> tuple[str | None, str | None]:
        """The version of the project's Python, and its path if a virtual environment exists."""
        limits = self.network.limits
        return self.local.interpreter(max(0.5, min(limits.python, limits.left)))

    # --- answers --------------------------------------------------------------------------

    @cached_property
    def state(self) -> NetworkFacts:
        """The network's facts, after AWS and the repositories have been asked."""
        network = self.network
        if self.run.failed is None:
            network.fetch_state()
        else:
            network.answers |= self.run.pages(network.logins.values())
            questions = {**network.probes(), **self._page_questions()}
            network.answers |= network.fetch(questions, network.limits.pages)
        return network

    @cached_property
    def pages(self) -> dict[tuple[str, str], Answer]:
        """The answers for pages, by source or PUBLIC, and package."""
        network = self.state
        answers, seconds = network.answers, network.limits.pages
        if self.run.failed is None:
            answers |= network.fetch(self._page_questions(), seconds)
            whole = {
                (PUBLIC, wanted.name): network.page_question(PUBLIC, wanted.name)
                for wanted in self.wanted
                if self._is_in_both(wanted)
            }
            answers |= network.fetch(whole, seconds)
        return answers

    def _is_in_both(self, wanted: WantedPackage) -> bool:
        answers = self.network.answers
        public = answers.get((PUBLIC, wanted.name))
        server = self._result(wanted, answers).server
        return public is not None and public.has_page and server in self.network.logins

    def _page_questions(self) -> dict[tuple[str, str], Callable[[], Answer]]:
        # At first it matters only whether a package is public.
        return {
            (place, wanted.name): self.network.page_question(
                place, wanted.name, head=place == PUBLIC and self.run.failed is None
            )
            for wanted in self.wanted
            for place in self.places(wanted)
            if (place, wanted.name) not in self.network.answers
        }

    def answers_of(self, login: Login) -> list[Answer]:
        """Return all answers of a repository."""
        answers = self.state.answers
        return [answer for (place, _), answer in answers.items() if place == login.source]

    def lookup(self, wanted: WantedPackage) -> LookupResult:
        """Return the answers of all places for one package."""
        return self._result(wanted, self.pages)

    def _result(
        self, wanted: WantedPackage, answers: Mapping[tuple[str, str], Answer]
    ) -> LookupResult:
        places = [place for place in self.places(wanted) if (place, wanted.name) in answers]
        said = {place: answers[place, wanted.name] for place in places}
        is_private = self.local.is_private(wanted.name)
        return LookupResult(wanted, said, self._serving(wanted), is_private)

    def _serving(self, wanted: WantedPackage) -> tuple[str, ...]:
        """Return the sources that are searched for a package, in order."""
        sources, run, logins = self.local.sources, self.run, self.network.logins
        names = [source.name for source in sources]
        if wanted.source is not None and wanted.source in names:
            return (wanted.source,)
        # pipenv searches only the first source.
        if not (
            run.failed is None
            or run.combined_sources
            or pipenv_cli.runs_program(run.failed.line.command)
        ):
            return tuple(names[:1])
        if self.local.is_private(wanted.name):
            return tuple(logins)
        others = [source.name for source in sources if source.endpoint is None]
        return (*logins, *others[:1])

    def places(self, wanted: WantedPackage) -> list[str]:
        """Return the sources, and PUBLIC, to ask about a package."""
        # A URL that resembles CodeArtifact may be one that must not get a password, as over http.
        sources, logins = self.local.sources, self.network.logins
        safe = {s.name for s in sources if s.endpoint is None and s.mismatch_reason is None}
        # A private name is not sent to the public index.
        others = [] if self.local.is_private(wanted.name) else [PUBLIC]
        found = dict.fromkeys([*self._serving(wanted), *logins, *others])
        return [place for place in found if place in {PUBLIC, *logins, *safe}]
