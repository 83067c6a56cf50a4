"""Which packages repositories hold, and whether they were published there or fetched.

AWS has no call that says so. What it documents (user guide, "Package origin controls"): a name
whose first version was published blocks upstreams, one whose first version was fetched does
not. Names from before May 2022 are open to both, so their versions are looked at.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

from packaging.utils import canonicalize_name

from codeartifact_pipenv.auth.terms import check_owner, terms
from codeartifact_pipenv.errors import ListingError
from codeartifact_pipenv.lookups.aws_batch import Inquiry
from codeartifact_pipenv.lookups.repository_api import (
    About,
    chain_of,
    describe,
    has_published,
    list_packages,
    list_versions,
    newest_version,
    published_time,
    version_order,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any, TypeVar

    from codeartifact_pipenv.endpoint import Domain, RepositoryEndpoint
    from codeartifact_pipenv.lookups.repository_api import Listed
    from codeartifact_pipenv.settings import Settings

    Answer = TypeVar("Answer")

PUBLISHED, FETCHED = "published", "fetched"
_ORIGINS = {True: PUBLISHED, False: FETCHED, None: None}


class Package(NamedTuple):
    """A package that a repository serves.

    Attributes:
        name: its normalised name.
        endpoint: the repository that was asked for.
        repository: which repository holds it: that one, or one upstream of it.
        origin: PUBLISHED (in that domain: it is private) or FETCHED; None where AWS does not
            let us know.
    """

    name: str
    endpoint: RepositoryEndpoint
    repository: str
    origin: str | None


class Release(NamedTuple):
    """One version of a package that a repository serves.

    Attributes:
        endpoint: the repository that was asked for.
        repository: which repository holds it: that one, or one upstream of it.
        listed: the version.
    """

    endpoint: RepositoryEndpoint
    repository: str
    listed: Listed

    @property
    def origin(self) -> str | None:
        """PUBLISHED or FETCHED; None where AWS does not say."""
        return _ORIGINS[self.listed.is_published]


def newest_first(releases: Iterable[Release]) -> list[Release]:
    """Return releases by their version, the highest first."""
    return sorted(releases, key=lambda r: version_order(r.listed.version), reverse=True)


class Catalogue:
    """What repositories hold; nothing is asked twice.

    Args:
        settings: as whom AWS is asked, and about whose domains.
        environ: the environment, which leads to keyring's own configuration.

    Attributes:
        gaps: what could not be seen, so that the answers may lack something.
    """

    def __init__(self, settings: Settings, environ: Mapping[str, str]) -> None:
        self._settings = settings
        self._environ = environ
        self._inquiries: dict[Domain, Inquiry] = {}
        self.gaps: list[ListingError] = []

    def packages(
        self, endpoint: RepositoryEndpoint, *, only_published: bool = False
    ) -> list[Package]:
        """Return the packages that an endpoint's repository and its upstreams hold, by name.

        A name that several of them hold is told once: of the first that published it, else of
        the first that has it.

        Args:
            endpoint: names a repository.
            only_published: whether what was fetched is left out, and mostly not even listed.

        Raises:
            ListingError: AWS does not list that repository; the sentence says why. What it
                does not tell of its upstreams is among the gaps.
            ConfigurationError: its account is not among the allowed ones, or a setting cannot
                be read.
        """
        held = self._held(endpoint, only_published=only_published)
        asked = self._known(
            self._inquiry(endpoint).ask(
                "ListPackageVersions",
                "published",
                lambda client, about: has_published(client, endpoint.domain, about),
                [about for about, is_published in held.items() if is_published is None],
            )
        )
        found: dict[str, Package] = {}
        for about, is_published in {**held, **asked}.items():
            origin = _ORIGINS[is_published]
            first = found.get(about.package)
            if first is None or (origin == PUBLISHED != first.origin):
                found[about.package] = Package(about.package, endpoint, about.repository, origin)
        return [
            package
            for _, package in sorted(found.items())
            if not only_published or package.origin != FETCHED
        ]

    def versions(self, endpoint: RepositoryEndpoint, name: str) -> list[Release]:
        """Return the versions of one package, those of the named repository first.

        When one was published costs a call each, and is asked of published ones alone.

        Args:
            endpoint: names a repository.
            name: the package's, in any spelling.

        Raises:
            ListingError: as for :meth:`packages`.
            ConfigurationError: as for :meth:`packages`.
        """
        package = canonicalize_name(name)
        abouts = [About(place.repository, package) for place in self._chain(endpoint)]
        ask = self._inquiry(endpoint).ask
        answers = ask(
            "ListPackageVersions",
            "versions",
            lambda client, about: list_versions(client, endpoint.domain, about),
            abouts,
        )
        first = answers[abouts[0]]
        if isinstance(first, ListingError):
            raise first
        known = {about: found for about, found in self._known(answers).items() if found}

        def with_times(client: Any, about: About) -> list[Listed]:
            return [
                listed._replace(published_at=published_time(client, endpoint.domain, about, listed))
                if listed.is_published
                else listed
                for listed in known[about]
            ]

        timed = known | self._known(ask("DescribePackageVersion", "times", with_times, known))
        return [
            Release(endpoint, about.repository, listed)
            for about in abouts
            for listed in timed.get(about, [])
        ]

    def newest(self, packages: Iterable[Package]) -> dict[Package, str | None]:
        """Return the highest versions that the holders of packages have, at a call each.

        What AWS does not tell is left out, and why is among the gaps.
        """
        by_domain: dict[Domain, dict[Package, About]] = {}
        for package in packages:
            about = About(package.repository, package.name)
            by_domain.setdefault(package.endpoint.domain, {})[package] = about
        found: dict[Package, str | None] = {}
        for domain, there in by_domain.items():
            ask = partial(newest_version, domain=domain)
            inquiry = self._inquiry(next(iter(there)).endpoint)
            answers = inquiry.ask("ListPackageVersions", "newest", ask, there.values())
            known = self._known(answers)
            found |= {package: known[about] for package, about in there.items() if about in known}
        return found

    def _held(
        self, endpoint: RepositoryEndpoint, *, only_published: bool
    ) -> dict[About, bool | None]:
        """Return whether each package was published, the named repository's packages first."""
        named = About(endpoint.repository or "")
        chain = self._chain(endpoint)
        answers = self._inquiry(endpoint).ask(
            "ListPackages",
            "private packages" if only_published else "packages",
            lambda client, about: list_packages(
                client, endpoint.domain, about.repository, only_published=only_published
            ),
            chain,
        )
        first = answers[named]
        if isinstance(first, ListingError):
            raise first
        listed = self._known(answers)
        return {
            About(place.repository, name): is_published
            for place in chain
            for name, is_published in listed.get(place, {}).items()
        }

    def _chain(self, endpoint: RepositoryEndpoint) -> list[About]:
        """Return the named repository and what is known of its upstreams."""
        named = endpoint.repository or ""

        def ask(name: str) -> Any:
            about = About(name)
            answers = self._inquiry(endpoint).ask(
                "DescribeRepository",
                "description",
                lambda client, about: describe(client, endpoint.domain, about.repository),
                [about],
            )
            said = answers[about]
            # Another failure than this one would only be met again.
            if isinstance(said, ListingError) and name == named and said.code != "list-denied":
                raise said
            return self._known(answers).get(about, {"externalConnections": [], "upstreams": []})

        return [About(name) for name in (named, *chain_of(named, ask).upstreams)]

    def _known(self, answers: Mapping[About, Answer | ListingError]) -> dict[About, Answer]:
        """Return the answers that are some, and note why the others are none."""
        known: dict[About, Answer] = {}
        for about, answer in answers.items():
            if not isinstance(answer, ListingError):
                known[about] = answer
            elif answer not in self.gaps:
                self.gaps.append(answer)
        return known

    def _inquiry(self, endpoint: RepositoryEndpoint) -> Inquiry:
        domain = endpoint.domain
        if domain not in self._inquiries:
            check_owner(self._settings, endpoint)
            asked = terms(self._settings, self._environ, endpoint)
            self._inquiries[domain] = Inquiry(endpoint, asked.caller)
        return self._inquiries[domain]
