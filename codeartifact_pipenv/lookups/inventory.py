"""Which packages repositories hold, and whether they were published there or fetched.

AWS has no call that says so. What it documents (user guide, "Package origin controls"): a name
whose first version was published blocks upstreams, one whose first version was fetched does
not. Names from before May 2022 are open to both, so their versions are looked at.
"""

from __future__ import annotations

from typing import NamedTuple

from packaging.utils import canonicalize_name

from codeartifact_pipenv.auth.token_request import check_owner, token_request
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
        endpoint: the repository that was asked for.
        repository: which repository holds it: that one, or one upstream of it.
        origin: PUBLISHED (in that domain, so it is private) or FETCHED; None if AWS does not say.
    """

    name: str
    endpoint: RepositoryEndpoint
    repository: str
    origin: str | None


class HeldRelease(NamedTuple):
    """One version of a package that a repository serves.

    Attributes:
        endpoint: the repository that was asked for.
        repository: which repository holds it: that one, or one upstream of it.
        listed: the version.
    """

    endpoint: RepositoryEndpoint
    repository: str
    listed: ListedVersion

    @property
    def origin(self) -> str | None:
        """PUBLISHED or FETCHED; None if AWS does not say."""
        return _ORIGINS[self.listed.is_published]


def newest_first(releases: Iterable[HeldRelease]) -> list[HeldRelease]:
    """Return releases by their version, the highest first."""
    return sorted(releases, key=lambda r: version_order(r.listed.version), reverse=True)


class Inventory:
    """What repositories hold; each call is made once.

    Args:
        settings: as whom AWS is asked, and about whose domains.
        environ: the environment, which leads to keyring's own configuration.

    Attributes:
        gaps: why some calls failed, so that the answers may be incomplete.
    """

    def __init__(self, settings: Settings, environ: Mapping[str, str]) -> None:
        self._settings = settings
        self._environ = environ
        self._batches: dict[Domain, AwsBatch] = {}
        self.gaps: list[ListingError] = []

    def packages(
        self, endpoint: RepositoryEndpoint, *, only_published: bool = False
    ) -> list[HeldPackage]:
        """Return the packages that an endpoint's repository and its upstreams hold, by name.

        A name that several of them hold is returned once: from the first that published it, else
        from the first that has it.

        Args:
            endpoint: names a repository.
            only_published: whether to leave out fetched packages, most of which are not listed then.

        Raises:
            ListingError: AWS does not list that repository; the sentence says why. What is
                unknown of its upstreams is among the gaps.
            ConfigurationError: its account is not among the allowed ones, or a setting cannot
                be read.
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
        """Return the versions of one package, those of the named repository first.

        The time of publication costs a call for each version, and is asked for published ones only.

        Args:
            endpoint: names a repository.
            name: the package's, in any spelling.

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
        """Return the highest version of each package in the repository that holds it, at a call each.

        Packages that AWS says nothing of are left out; the reason is among the gaps.
        """
        by_domain: dict[Domain, dict[HeldPackage, PackageRef]] = {}
        for package in packages:
            ref = PackageRef(package.repository, package.name)
            by_domain.setdefault(package.endpoint.domain, {})[package] = ref
        found: dict[HeldPackage, str | None] = {}
        for there in by_domain.values():
            batch = self._batch(next(iter(there)).endpoint)
            answers = batch.answers("ListPackageVersions", newest_version, there.values())
            known = self._known(answers)
            found |= {package: known[ref] for package, ref in there.items() if ref in known}
        return found

    def _held(
        self, endpoint: RepositoryEndpoint, *, only_published: bool
    ) -> dict[PackageRef, bool | None]:
        """Return whether each package was published, the named repository's packages first."""
        named = PackageRef(endpoint.repository or "")
        chain = self._chain(endpoint)
        listing = _list_published if only_published else _list_all
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
        """Return the named repository and its known upstreams."""
        named = endpoint.repository or ""

        def description(name: str) -> Any:
            ref = PackageRef(name)
            answers = self._batch(endpoint).answers("DescribeRepository", _describe, [ref])
            said = answers[ref]
            # Any other failure would happen again.
            if isinstance(said, ListingError) and name == named and said.code != "list-denied":
                raise said
            return self._known(answers).get(ref, {"externalConnections": [], "upstreams": []})

        return [PackageRef(name) for name in (named, *chain_of(named, description).upstreams)]

    def _known(
        self, answers: Mapping[PackageRef, Answer | ListingError]
    ) -> dict[PackageRef, Answer]:
        """Return the answers that are not failures; add the failures to the gaps."""
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


def _list_all(client: Any, domain: Domain, ref: PackageRef) -> dict[str, bool | None]:
    return list_packages(client, domain, ref.repository)


def _list_published(client: Any, domain: Domain, ref: PackageRef) -> dict[str, bool | None]:
    return list_packages(client, domain, ref.repository, only_published=True)


def _describe(client: Any, domain: Domain, ref: PackageRef) -> Any:
    return describe(client, domain, ref.repository)
