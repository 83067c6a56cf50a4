"""Domains and repositories of the sandbox."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from codeartifact_pipenv.sandbox.package import OPEN, Restrictions, StoredPackage

if TYPE_CHECKING:
    from codeartifact_pipenv.endpoint import Domain
    from codeartifact_pipenv.sandbox.groups import Groups

PUBLIC_INDEX = "public:pypi"
"""The external connection to the machine's public index."""
EXTERNAL_CONNECTIONS = {
    "public:npmjs": "npm",
    "public:nuget-org": "nuget",
    PUBLIC_INDEX: "pypi",
    "public:maven-central": "maven",
    "public:maven-googleandroid": "maven",
    "public:maven-gradleplugins": "maven",
    "public:maven-commonsware": "maven",
    "public:maven-clojars": "maven",
    "public:ruby-gems-org": "ruby",
    "public:crates-io": "cargo",
}
"""All external connections and their package formats."""


class Policy(NamedTuple):
    """A resource policy: an opaque revision and its JSON text."""

    revision: str
    document: str


@dataclass(slots=True)
class Repository:
    """One repository.

    Attributes:
        administrator: the account that created it.
        created_at: in seconds since the epoch.
        upstreams: names of repositories of the same domain, in search order.
        external_connection: such as ``public:pypi``.
        packages: by normalised project name.
    """

    domain: Domain
    name: str
    administrator: str
    created_at: float
    description: str = ""
    upstreams: list[str] = field(default_factory=list)
    external_connection: str | None = None
    packages: dict[str, StoredPackage] = field(default_factory=dict)
    policy: Policy | None = None
    tags: dict[str, str] = field(default_factory=dict)

    def restrictions(self, name: str) -> Restrictions:
        """Return the origin controls of a normalised name; an unknown name is unrestricted."""
        package = self.packages.get(name)
        return OPEN if package is None else package.restrictions


@dataclass(slots=True)
class DomainRecord:
    """One domain and its contents.

    Attributes:
        created_at: in seconds since the epoch.
        encryption_key: the key's ARN.
        groups: its package groups by pattern, with the root group.
        repositories: by name.
    """

    domain: Domain
    created_at: float
    encryption_key: str
    groups: Groups
    repositories: dict[str, Repository] = field(default_factory=dict)
    policy: Policy | None = None
    tags: dict[str, str] = field(default_factory=dict)
