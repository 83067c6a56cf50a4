"""The state of the sandbox: domains, repositories, packages, denials and requests."""

from __future__ import annotations

import threading
import uuid
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from codeartifact_pipenv.sandbox.clock import Clock, RateLimit, iso_time
from codeartifact_pipenv.sandbox.faults import Faults
from codeartifact_pipenv.sandbox.groups import ROOT, allows, root_group
from codeartifact_pipenv.sandbox.package import FETCHED, PUBLISHED, StoredPackage, Version
from codeartifact_pipenv.sandbox.repository import DomainRecord
from codeartifact_pipenv.sandbox.tokens import TokenStore
from codeartifact_pipenv.sandbox.uploads import remove

if TYPE_CHECKING:
    from codeartifact_pipenv.endpoint import Domain
    from codeartifact_pipenv.sandbox.behaviour import Behaviour
    from codeartifact_pipenv.sandbox.package import DistributionFile
    from codeartifact_pipenv.sandbox.repository import Repository

_MOST_SEARCHED = 25


@dataclass(slots=True)
class RequestRecord:
    """One request that the sandbox answered, or one connection that it tunnelled.

    Attributes:
        method: the HTTP method; ``CONNECT`` for a tunnelled connection.
        host: the host name.
        path: the path without its query; empty for CONNECT.
        name: the AWS operation or the package's normalised name, if any.
        status: the HTTP status of the answer.
        credential: the access key id or token id that was accepted, if any.
        sent: the access key id or token id that was sent, if any.
        body_bytes: bytes of the body sent so far; 0 for CONNECT.
        places: the places of faults that apply to it.
    """

    method: str
    host: str
    path: str
    name: str | None
    status: int
    credential: str | None
    sent: str | None = None
    body_bytes: int = 0
    places: tuple[str, ...] = ()


class State:
    """Everything that requests read and change; all methods are thread-safe.

    Attributes:
        faults: the active faults.
        token_life: lifetime of new tokens in seconds; None uses the requested duration.
        maximum_duration: longest duration in seconds that may be requested; None means no limit.
        denied: denied IAM actions, each with the ARN of a resource, or None for all resources.
        call_limit: limits API calls.
        retry_after: the wait in seconds that a throttled call is told.
        limited_operation: the operation that ``call_limit`` counts; None counts all.
        read_limit: limits each token's requests to package endpoints.
        lock: guards ``domains`` and its contents.
    """

    def __init__(self, account: str, behaviour: Behaviour) -> None:
        self.account = account
        self.behaviour = behaviour
        self.clock = Clock()
        self.faults = Faults()
        self.tokens = TokenStore(self.clock)
        self.token_life: float | None = None
        self.maximum_duration: int | None = None
        self.records: list[RequestRecord] = []
        self.domains: dict[Domain, DomainRecord] = {}
        self.denied: set[tuple[str, str | None]] = set()
        self.call_limit = RateLimit()
        self.limited_operation: str | None = None
        self.retry_after = 1
        self.read_limit = RateLimit()
        self.lock = threading.RLock()

    def denies(self, action: str, resource: str) -> bool:
        """Return whether an IAM action is denied for a resource, given by its ARN."""
        return not self.denied.isdisjoint({(action, None), (action, resource)})

    def add_domain(self, domain: Domain, encryption_key: str | None = None) -> DomainRecord:
        """Create a domain unless it exists, and return it; the default key's ARN is made up."""
        key = encryption_key or f"arn:aws:kms:{domain.region}:{domain.owner}:key/{uuid.uuid4()}"
        with self.lock:
            now = self.clock.time()
            record = DomainRecord(domain, now, key, {ROOT: root_group(now)})
            return self.domains.setdefault(domain, record)

    def repository(self, domain: Domain, name: str | None) -> Repository | None:
        """Return a repository, or None if it does not exist."""
        with self.lock:
            record = self.domains.get(domain)
            return None if record is None else record.repositories.get(name or "")

    def search_order(self, repository: Repository, name: str) -> list[Repository]:
        """Return the repositories to search for a normalised name.

        The search is depth first, each repository before its upstreams. It ends after 25
        upstreams and skips the upstreams of a repository that blocks them for this name.
        """
        order: list[Repository] = []
        waiting = [repository.name]
        with self.lock:
            repositories = self.domains[repository.domain].repositories
            while waiting and len(order) <= _MOST_SEARCHED:
                here = repositories.get(waiting.pop())
                if here is None or here in order:
                    continue
                order.append(here)
                if self.allows(here, name, "INTERNAL_UPSTREAM"):
                    waiting.extend(reversed(here.upstreams))
        return order

    def versions(self, repository: Repository, name: str) -> dict[str, Version]:
        """Return the versions of a normalised name that a repository stores."""
        with self.lock:
            package = repository.packages.get(name)
            held = {} if package is None else package.versions
            return {
                number: replace(version, files=dict(version.files))
                for number, version in held.items()
            }

    def publish(self, repository: Repository, file: DistributionFile) -> bool:
        """Add a stored file to a repository, unless it has a file of that name.

        Returns:
            whether the repository's file has the same content.
        """
        with self.lock:
            package = repository.packages.setdefault(file.name, StoredPackage(PUBLISHED))
            version = package.versions.get(file.version)
            if version is None or version.entry != repository.name:
                version = Version(repository.name, self.clock.time())
                package.versions[file.version] = version
            file = replace(file, upload_time=iso_time(self.clock.now()))
            held = version.files.setdefault(file.filename, file)
        if file.path is not None and held.path != file.path:
            remove(file.path)
        return held.sha256 == file.sha256

    def notice(self, repository: Repository, name: str) -> None:
        """Register a package from elsewhere by its normalised name."""
        with self.lock:
            if name not in repository.packages:
                repository.packages[name] = StoredPackage(FETCHED)

    def retain(self, repository: Repository, name: str, number: str, version: Version) -> None:
        """Retain a version from elsewhere, unless the repository has it."""
        with self.lock:
            package = repository.packages.setdefault(name, StoredPackage(FETCHED))
            kept = replace(version, added_at=self.clock.time(), files=dict(version.files))
            package.versions.setdefault(number, kept)

    def allows(self, repository: Repository, name: str, restriction: str) -> bool:
        """Return whether a repository may get versions of a normalised name from an origin.

        The restriction is ``PUBLISH``, ``INTERNAL_UPSTREAM`` or ``EXTERNAL_UPSTREAM``. The
        sandbox assumes that both the package's and its group's origin controls must allow it.
        """
        own = repository.restrictions(name)
        mode = own.publish if restriction == "PUBLISH" else own.upstream
        with self.lock:
            groups = self.domains[repository.domain].groups
            return mode == "ALLOW" and allows(groups, name, repository.name, restriction)

    def grants_read(self, token_id: str) -> bool:
        """Count a request with a token and return whether it is within the limit."""
        with self.lock:
            return self.read_limit.grants(token_id)

    def take_throttle(self, operation: str | None) -> int | None:
        """Count an API call; return the seconds to wait if it is throttled."""
        with self.lock:
            if self.limited_operation not in {None, operation} or self.call_limit.grants():
                return None
            return self.retry_after
