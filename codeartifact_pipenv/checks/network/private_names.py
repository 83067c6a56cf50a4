"""Finds the private packages of a project by asking its repositories.

AWS lists the packages that were published in a repository. Without permission to list them, a token
is enough: a package is private if the repository has it and the public index does not have it, or
has no file in common with it.
"""

from __future__ import annotations

import os
from functools import partial

from codeartifact_pipenv.auth.resolver import Resolver
from codeartifact_pipenv.checks.files.contents import PrivateNames
from codeartifact_pipenv.checks.network.lookup import is_public_package
from codeartifact_pipenv.checks.network.repository import Login, explain_refusal
from codeartifact_pipenv.errors import ListingError, UnansweredError
from codeartifact_pipenv.lookups.index_client import IndexClient
from codeartifact_pipenv.lookups.inventory import Inventory
from codeartifact_pipenv.lookups.parallel import ask_all
from codeartifact_pipenv.project.sources import (
    expand,
    is_default_source,
    login_of,
    public_index_url,
    token_variables,
    without_credentials,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from codeartifact_pipenv.checks.files.contents import ProjectContents
    from codeartifact_pipenv.endpoint import RepositoryEndpoint
    from codeartifact_pipenv.lookups.index_client import Answer
    from codeartifact_pipenv.report import Report
    from codeartifact_pipenv.settings import Settings

_SECONDS = 30.0
_THREADS = 16


class PrivateNameLookup:
    """Finds private packages; asks each repository once about the same names.

    Args:
        settings: the settings, for the token.
        report: takes notes for the user.
    """

    def __init__(self, settings: Settings, report: Report) -> None:
        self._report = report
        self._resolver = Resolver(settings, os.environ, report)
        self._inventory = Inventory(settings, os.environ)
        self._client = IndexClient(os.environ)
        self._known: dict[object, PrivateNames] = {}

    def __call__(self, contents: ProjectContents) -> PrivateNames:
        """Return the private packages of a project by source.

        Raises:
            CodeArtifactPipenvError: a token is missing, or an index did not answer.
        """
        names = {entry.name for entry in contents.locked if "version" in entry.value}
        names |= {entry.name for entry in contents.listed if entry.is_indexed}
        repositories = tuple(contents.sources.repositories.items())
        key = (repositories, frozenset(names), _public_index(contents))
        if key not in self._known:
            with self._report.working("asks the repositories what is private"):
                self._known[key] = self._private_names(contents, names)
        return self._known[key]

    def _private_names(self, contents: ProjectContents, names: set[str]) -> PrivateNames:
        private: dict[str, set[str]] = {}
        pages: dict[str, dict[str, Answer]] = {}
        for source, endpoint in contents.sources.repositories.items():
            listed = self._listed(endpoint)
            if listed is None:
                variables = token_variables(endpoint.domain, contents.sources.read.values())
                token = self._resolver.token(endpoint, variables)
                pages[source] = self._pages(Login(source, endpoint, token), names)
            else:
                private[source] = listed & names
        had = {name for found in (*private.values(), *pages.values()) for name in found}
        public = self._public(contents, had)
        for source, found in pages.items():
            private[source] = {
                name
                for name, page in found.items()
                if not is_public_package(page, public.get(name))
            }
        return PrivateNames(private, {n for some in private.values() for n in some if n in public})

    def _listed(self, endpoint: RepositoryEndpoint) -> set[str] | None:
        """Return the names of published packages, or None if AWS does not list all of them."""
        before = len(self._inventory.gaps)
        try:
            packages = self._inventory.packages(endpoint, only_published=True)
            unknown = self._inventory.gaps[before:]
        except ListingError as error:
            packages, unknown = [], [error]
        for gap in unknown:
            self._report.note(f"{gap.sentence} Asking the index about each name instead.")
        return None if unknown else {package.name for package in packages}

    def _pages(self, login: Login, names: Iterable[str]) -> dict[str, Answer]:
        """Return the pages of a repository for those names that it has."""
        ask = partial(self._client.ask_repository, login.endpoint, login.token.value)
        answers = _answers(ask, names)
        refused = explain_refusal(login, answers.values())
        if refused is not None:
            raise UnansweredError(refused.sentence, refused.hint, refused.code)
        return _existing_pages(login.place, names, answers)

    def _public(self, contents: ProjectContents, names: Iterable[str]) -> dict[str, Answer]:
        """Return the pages of the public index for those names that it has."""
        url = _public_index(contents)
        _, login = login_of(url) or (None, None)
        ask = partial(self._client.ask_index, without_credentials(url), login=login)
        return _existing_pages("the public index", names, _answers(ask, names))


def _answers(ask: Callable[[str], Answer], names: Iterable[str]) -> dict[str, Answer]:
    return ask_all({name: partial(ask, name) for name in names}, _SECONDS, _THREADS)


def _existing_pages(
    place: str, names: Iterable[str], answers: Mapping[str, Answer]
) -> dict[str, Answer]:
    for name in names:
        if name not in answers or not answers[name].is_definite:
            status = answers[name].status if name in answers else None
            raise UnansweredError(
                f"{place} did not say whether it has {name}"
                f"{f' (status {status})' if status else ''}.",
                "Try again, or see `pipenv-ca doctor`.",
            )
    return {name: page for name, page in answers.items() if page.has_page}


def _public_index(contents: ProjectContents) -> str:
    """Return the URL of the project's first source outside CodeArtifact, or the public index."""
    for source in contents.sources.read.values():
        foreign = source.endpoint is None and source.mismatch_reason is None
        if foreign and source.name not in contents.sources.unresolved:
            url = expand(source.url, os.environ)
            return public_index_url(os.environ) if is_default_source(url) else url
    return public_index_url(os.environ)
