"""What the sandbox knows: domains, repositories, packages, refusals, requests."""

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
    """One request that the sandbox answered or, for other hosts, let through.

    Attributes:
        method: the HTTP method; ``CONNECT`` for a host that is not ours.
        host: the host name.
        path: the path without its query; empty for CONNECT.
        name: the AWS operation, or the package's normalised name; None if there is
            neither.
        status: the HTTP status of the answer.
        credential: the access key id, or the token's id; None if none was accepted.
        sent: the same of what was sent, accepted or not; None if nothing was.
        body_bytes: bytes of the body so far, also where it breaks off; 0 for CONNECT.
        places: which places' faults it may meet.
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
    """Everything that requests read and change; all methods are safe between threads.

    Attributes:
        faults: which requests are answered with an error's status.
        token_life: seconds that new tokens live; None for what the caller asks.
        maximum_duration: seconds that a token may be asked for; None for no bound.
        denied: IAM actions that are refused, each with the ARN of a resource, or None for all.
        call_limit: bounds the API calls in any second.
        retry_after: the wait in seconds that a call beyond this limit is told.
        limited_operation: the operation that this counts; None for all together.
        read_limit: bounds each token's requests to package endpoints in any second.
        lock: to be held where ``domains``, or what is in it, is used.
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
        """Whether an IAM action is refused for a resource, given by its ARN."""
        return not self.denied.isdisjoint({(action, None), (action, resource)})

    def add_domain(self, domain: Domain, encryption_key: str | None = None) -> DomainRecord:
        """Make a domain, or return the one that is there; its key's ARN is made up if not given."""
        key = encryption_key or f"arn:aws:kms:{domain.region}:{domain.owner}:key/{uuid.uuid4()}"
        with self.lock:
            now = self.clock.time()
            record = DomainRecord(domain, now, key, {ROOT: root_group(now)})
            return self.domains.setdefault(domain, record)

    def repository(self, domain: Domain, name: str | None) -> Repository | None:
        """Return a repository; None if there is none of that name."""
        with self.lock:
            record = self.domains.get(domain)
            return None if record is None else record.repositories.get(name or "")

    def search_order(self, repository: Repository, name: str) -> list[Repository]:
        """Return where a package's normalised name is looked for.

        Depth first, the repository itself before its upstreams; no further than the first 25
        of these, and never behind a repository that blocks the name's upstreams.
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
        """Return the versions that a repository itself holds of a normalised name."""
        with self.lock:
            package = repository.packages.get(name)
            held = {} if package is None else package.versions
            return {
                number: replace(version, files=dict(version.files))
                for number, version in held.items()
            }

    def publish(self, repository: Repository, file: DistributionFile) -> bool:
        """Add a kept file to a repository; if one of that name is there, that stays.

        Returns:
            whether the file that is there now has the same bytes.
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
        """Make a normalised name known that came from elsewhere."""
        with self.lock:
            if name not in repository.packages:
                repository.packages[name] = StoredPackage(FETCHED)

    def retain(self, repository: Repository, name: str, number: str, version: Version) -> None:
        """Keep a version that came from elsewhere, unless it is there."""
        with self.lock:
            package = repository.packages.setdefault(name, StoredPackage(FETCHED))
            kept = replace(version, added_at=self.clock.time(), files=dict(version.files))
            package.versions.setdefault(number, kept)

    def allows(self, repository: Repository, name: str, restriction: str) -> bool:
        """Whether versions of a normalised name may enter a repository in one way.

        The restriction is ``PUBLISH``, ``INTERNAL_UPSTREAM`` or ``EXTERNAL_UPSTREAM``. Both the
        package's own origin controls and those of its package group must allow it: how the two
        meet is the sandbox's reading of the user guide.
        """
        own = repository.restrictions(name)
        mode = own.publish if restriction == "PUBLISH" else own.upstream
        with self.lock:
            groups = self.domains[repository.domain].groups
            return mode == "ALLOW" and allows(groups, name, repository.name, restriction)

    def grants_read(self, token_id: str) -> bool:
        """Count one request with a token; whether it is within the limit."""
        with self.lock:
            return self.read_limit.grants(token_id)

    def take_throttle(self, operation: str | None) -> int | None:
        """Count one API call; return the seconds to wait if it is to be refused, else None."""
        with self.lock:
            if self.limited_operation not in {None, operation} or self.call_limit.grants():
                return None
            return self.retry_after
