"""What the sandbox knows: domains, repositories, packages, refusals, requests."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from codeartifact_pipenv.endpoint import Domain, RepositoryEndpoint, parse_url
from codeartifact_pipenv.sandbox.errors import SandboxError, SandboxUsageError
from codeartifact_pipenv.sandbox.hosts import endpoint_for
from codeartifact_pipenv.sandbox.tokens import TokenStore

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class File:
    """One distribution file as an index shows it.

    Attributes:
        name: the project's normalised name.
        version: its version, normalised.
        filename: the file's name.
        sha256: hex digest; None where the upstream index does not say.
        size: in bytes; None where the upstream index does not say.
        requires_python: the specifier; None for any Python.
        yanked: the reason, perhaps empty; None where it is not yanked.
        upload_time: as the index spells it; None where unknown.
        path: where its bytes are; None for a file of the upstream's.
        url: where its bytes come from; None for a file that was published here.
    """

    name: str
    version: str
    filename: str
    sha256: str | None
    size: int | None
    requires_python: str | None = None
    yanked: str | None = None
    upload_time: str | None = None
    path: Path | None = None
    url: str | None = None


@dataclass(slots=True)
class Repository:
    """One repository.

    Attributes:
        upstream: whether names that were not published here come from the public index.
        packages: published files, by normalised project name and file name.
    """

    upstream: bool
    packages: dict[str, dict[str, File]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """One request that the sandbox answered or, for other hosts, let through.

    Attributes:
        method: the HTTP method; ``CONNECT`` for a host that is not ours.
        host: the host name.
        path: the path without its query; empty for CONNECT.
        name: the AWS operation, or the package's normalised name; None where there is
            neither.
        status: the HTTP status of the answer.
        credential: the access key id, or the token's id; None where none was accepted.
    """

    method: str
    host: str
    path: str
    name: str | None
    status: int
    credential: str | None


class State:
    """Everything that requests read and change; all methods are safe between threads.

    Attributes:
        account: the account that the sandbox's own credentials belong to.
        token_life: seconds that new tokens live; None for what the caller asks.
    """

    def __init__(self, account: str) -> None:
        self.account = account
        self.tokens = TokenStore()
        self.token_life: float | None = None
        self.records: list[RequestRecord] = []
        self._domains: dict[Domain, dict[str, Repository]] = {}
        self._denied: set[str] = set()
        self._throttled = (0, 0)
        self._lock = threading.RLock()

    def add_repository(self, domain: Domain, name: str, *, upstream: bool) -> RepositoryEndpoint:
        """Make a repository, and its domain where that is new.

        Raises:
            SandboxError: a name breaks CodeArtifact's rules, or it exists.
        """
        endpoint = endpoint_for(domain, name)
        if parse_url(endpoint.url) != endpoint:
            raise SandboxUsageError(
                f"{name} in {domain} cannot be a CodeArtifact repository.",
                "A domain is 2-50 of a-z, 0-9 and -, an owner 12 digits, a repository 2-100"
                " letters, digits and . _ - beginning with a letter or digit.",
            )
        with self._lock:
            repositories = self._domains.setdefault(domain, {})
            if name in repositories:
                raise SandboxError(
                    f"There is a repository {name} in {domain} already.",
                    "Use it, or take another name.",
                )
            repositories[name] = Repository(upstream)
        return endpoint

    def has_domain(self, domain: Domain) -> bool:
        """Whether the domain exists."""
        with self._lock:
            return domain in self._domains

    def repository(self, domain: Domain, name: str | None) -> Repository | None:
        """Return a repository; None where there is none of that name."""
        with self._lock:
            return self._domains.get(domain, {}).get(name or "")

    def published(self, repository: Repository, name: str) -> list[File]:
        """Return the files published under a normalised name, oldest first."""
        with self._lock:
            return list(repository.packages.get(name, {}).values())

    def publish(self, repository: Repository, file: File) -> bool:
        """Add a file to a repository.

        Returns:
            False where a file of that name with other bytes is there; it stays.
        """
        with self._lock:
            files = repository.packages.setdefault(file.name, {})
            there = files.setdefault(file.filename, file)
            return there.sha256 == file.sha256

    def deny(self, action: str) -> None:
        """Refuse an IAM action, such as ``codeartifact:GetAuthorizationToken``, from now on."""
        with self._lock:
            self._denied.add(action)

    def allow(self, action: str) -> None:
        """Undo :meth:`deny`."""
        with self._lock:
            self._denied.discard(action)

    def is_denied(self, action: str) -> bool:
        """Whether an IAM action is refused now."""
        with self._lock:
            return action in self._denied

    def throttle(self, calls: int, retry_after: int) -> None:
        """Refuse the next so many API calls, naming a wait in seconds."""
        with self._lock:
            self._throttled = (calls, retry_after)

    def take_throttle(self) -> int | None:
        """Count one API call; return the seconds to wait if it is to be refused, else None."""
        with self._lock:
            calls, retry_after = self._throttled
            if calls == 0:
                return None
            self._throttled = (calls - 1, retry_after)
            return retry_after

    def record(self, record: RequestRecord) -> None:
        """Add to the request log."""
        with self._lock:
            self.records.append(record)

    def snapshot(self) -> list[RequestRecord]:
        """Return the requests so far."""
        with self._lock:
            return list(self.records)

    def count(self, name: str) -> int:
        """Count the requests for an operation or a package."""
        return Counter(record.name for record in self.snapshot())[name]
