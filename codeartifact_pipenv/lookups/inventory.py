"""The packages of repositories, and whether they were published there or fetched.

No AWS call says this directly. The origin controls do (user guide, "Package origin controls"): a
package whose first version was published blocks upstreams; one whose first version was fetched
does not. Packages from before May 2022 allow both, so their versions are checked.
"""

from __future__ import annotations

from typing import NamedTuple

from packaging.utils import canonicalize_name

from codeartifact_pipenv.auth.resolver import check_owner, token_request
from codeartifact_pipenv.errors import ListingError
from codeartifact_pipenv.lookups.aws_batch import AwsBatch
from codeartifact_pipenv.lookups.repository_api import (
    PackageRef,
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
    from codeartifact_pipenv.lookups.repository_api import ListedVersion
    from codeartifact_pipenv.settings import Settings

    Answer = TypeVar("Answer")

PUBLISHED, FETCHED = "published", "fetched"
_ORIGINS = {True: PUBLISHED, False: FETCHED, None: None}


class HeldPackage(NamedTuple):
    """A package that a repository serves.

    Attributes:
        name: its normalised name.
        endpoint: the repository that was queried.
        repository: the repository that holds it: the queried one or one of its upstreams.
        origin: PUBLISHED, which means private, or FETCHED, or None if unknown.
    """

    name: str
    endpoint: RepositoryEndpoint
    repository: str
    origin: str | None


class HeldRelease(NamedTuple):
    """One version of a package that a repository serves.

    Attributes:
        endpoint: the repository that was queried.
        repository: the repository that holds it: the queried one or one of its upstreams.
        listed: the version.
    """

    endpoint: RepositoryEndpoint
    repository: str
    listed: ListedVersion

    @property
    def origin(self) -> str | None:
        """PUBLISHED or FETCHED, or None if unknown."""
        return _ORIGINS[self.listed.is_published]


def newest_first(releases: Iterable[HeldRelease]) -> list[HeldRelease]:
    """Sort releases by version, the highest first."""
    return sorted(releases, key=lambda r: version_order(r.listed.version), reverse=True)


class Inventory:
    """Lists the packages of repositories; each call is made once.

    Args:
        settings: the settings, which choose the AWS identity and the allowed accounts.
        environ: the environment, which can name keyring's configuration.

    Attributes:
        gaps: the errors that make answers incomplete.
    """

    def __init__(self, settings: Settings, environ: Mapping[str, str]) -> None:
        self._settings = settings
        self._environ = environ
        self._batches: dict[Domain, AwsBatch] = {}
        self.gaps: list[ListingError] = []

    def packages(
        self, endpoint: RepositoryEndpoint, *, only_published: bool = False
    ) -> list[HeldPackage]:
        """Return the packages of a repository and its upstreams, sorted by name.

        A name in several of them is returned once: from the first that published it, or else
        from the first that has it.

        Args:
            endpoint: the repository.
            only_published: whether to leave out fetched packages; AWS then skips most of them.

        Raises:
            ListingError: the repository cannot be listed; errors of upstreams are added to
                the gaps.
            ConfigurationError: the account is not allowed, or a setting cannot be read.
        """
        held = self._held(endpoint, only_published=only_published)
        asked = self._known(
            self._batch(endpoint).answers(
                "ListPackageVersions",
                has_published,
                [ref for ref, is_published in held.items() if is_published is None],
            )
        )
        found: dict[str, HeldPackage] = {}
        for ref, is_published in {**held, **asked}.items():
            origin = _ORIGINS[is_published]
            first = found.get(ref.package)
            if first is None or (origin == PUBLISHED != first.origin):
                found[ref.package] = HeldPackage(ref.package, endpoint, ref.repository, origin)
        return [
            package
            for _, package in sorted(found.items())
            if not only_published or package.origin != FETCHED
        ]

    def versions(self, endpoint: RepositoryEndpoint, name: str) -> list[HeldRelease]:
        """Return the versions of a package, those of the named repository first.

        Publication times need a call for each version, and are fetched for published ones only.

        Args:
            endpoint: the repository.
            name: the package's name in any spelling.

        Raises:
            ListingError: as for :meth:`packages`.
            ConfigurationError: as for :meth:`packages`.
        """
        package = canonicalize_name(name)
        refs = [PackageRef(place.repository, package) for place in self._chain(endpoint)]
        batch = self._batch(endpoint)
        answers = batch.answers("ListPackageVersions", list_versions, refs)
        first = answers[refs[0]]
        if isinstance(first, ListingError):
            raise first
        versions = {
            ref._replace(version=listed.version): listed
            for ref, found in self._known(answers).items()
            for listed in found
        }
        published = [ref for ref, listed in versions.items() if listed.is_published]
        times = self._known(batch.answers("DescribePackageVersion", published_time, published))
        return [
            HeldRelease(endpoint, ref.repository, listed._replace(published_at=times.get(ref)))
            for ref, listed in versions.items()
        ]

    def newest(self, packages: Iterable[HeldPackage]) -> dict[HeldPackage, str | None]:
        """Return the highest version of each package, with one call per package.

        Packages whose call fails are left out; the error is added to the gaps.
        """
        by_domain: dict[Domain, dict[HeldPackage, PackageRef]] = {}
        for package in packages:
            ref = PackageRef(package.repository, package.name)
            by_domain.setdefault(package.endpoint.domain, {})[package] = ref
        found: dict[HeldPackage, str | None] = {}
        for refs in by_domain.values():
            batch = self._batch(next(iter(refs)).endpoint)
            answers = batch.answers("ListPackageVersions", newest_version, refs.values())
            known = self._known(answers)
            found |= {package: known[ref] for package, ref in refs.items() if ref in known}
        return found

    def _held(
        self, endpoint: RepositoryEndpoint, *, only_published: bool
    ) -> dict[PackageRef, bool | None]:
        """Return the packages and whether each was published, the named repository's first."""
        named = PackageRef(endpoint.repository or "")
        chain = self._chain(endpoint)
        listing = _list_published if only_published else list_packages
        answers = self._batch(endpoint).answers("ListPackages", listing, chain)
        first = answers[named]
        if isinstance(first, ListingError):
            raise first
        listed = self._known(answers)
        return {
            PackageRef(place.repository, name): is_published
            for place in chain
            for name, is_published in listed.get(place, {}).items()
        }

    def _chain(self, endpoint: RepositoryEndpoint) -> list[PackageRef]:
        """Return the repository and its known upstreams."""
        named = endpoint.repository or ""

        def description(name: str) -> Any:
            ref = PackageRef(name)
            answers = self._batch(endpoint).answers("DescribeRepository", describe, [ref])
            answer = answers[ref]
            # Other errors would repeat in ListPackages.
            if isinstance(answer, ListingError) and name == named and answer.code != "list-denied":
                raise answer
            return self._known(answers).get(ref, {"externalConnections": [], "upstreams": []})

        return [PackageRef(name) for name in (named, *chain_of(named, description).upstreams)]

    def _known(
        self, answers: Mapping[PackageRef, Answer | ListingError]
    ) -> dict[PackageRef, Answer]:
        """Return the successful answers; add the errors to the gaps."""
        known: dict[PackageRef, Answer] = {}
        for ref, answer in answers.items():
            if not isinstance(answer, ListingError):
                known[ref] = answer
            elif answer not in self.gaps:
                self.gaps.append(answer)
        return known

    def _batch(self, endpoint: RepositoryEndpoint) -> AwsBatch:
        domain = endpoint.domain
        if domain not in self._batches:
            check_owner(self._settings, endpoint)
            asked = token_request(self._settings, self._environ, endpoint)
            self._batches[domain] = AwsBatch(endpoint, asked.caller)
        return self._batches[domain]


def _list_published(client: Any, domain: Domain, ref: PackageRef) -> dict[str, bool | None]:
    return list_packages(client, domain, ref, only_published=True)
