"""What there is in AWS, and what is wanted there. Data alone."""

from __future__ import annotations

from types import MappingProxyType
from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from codeartifact_pipenv.endpoint import Domain

PUBLIC_INDEX = "public:pypi"
"""The external connection that leads to the public index."""

MOST_UPSTREAMS = 10
"""How many direct upstreams a repository may have (AWS user guide, "Quotas")."""


class Grant(NamedTuple):
    """Somebody outside of the account who is to use the repository.

    Attributes:
        access: ``read`` or ``publish``.
        principal: the ARN of an account, a user or a role; or an organisation's id, ``o-...``.
    """

    access: str
    principal: str


class Wanted(NamedTuple):
    """What is asked for.

    Attributes:
        domain: the domain; its owner may be another account than the caller's.
        repository: the team's repository.
        store: the repository that has the external connection.
        key: ARN or id of the KMS key of the domain; None for whichever it has.
        description: of the team's repository; None for whichever it has.
        tags: of the domain and both repositories, as pairs of key and value; others stay.
        grants: who else is let in.
    """

    domain: Domain
    repository: str
    store: str
    key: str | None = None
    description: str | None = None
    tags: tuple[tuple[str, str], ...] = ()
    grants: tuple[Grant, ...] = ()


class Policy(NamedTuple):
    """A resource's policy: its JSON text, and the revision that the next one replaces."""

    document: str
    revision: str


class DomainState(NamedTuple):
    """A domain.

    Attributes:
        key: of its encryption, as AWS says it.
        policy: None where there is none, or nobody is to be let in.
        tags: by key; empty where none are wanted.
    """

    key: str
    policy: Policy | None = None
    tags: Mapping[str, str] = MappingProxyType({})


class RepositoryState(NamedTuple):
    """A repository: upstreams in their order, connections; policy and tags as for a domain."""

    upstreams: tuple[str, ...] = ()
    connections: tuple[str, ...] = ()
    description: str = ""
    policy: Policy | None = None
    tags: Mapping[str, str] = MappingProxyType({})


class State(NamedTuple):
    """What was found.

    Attributes:
        caller: the account that asks; None where the domain is there, so it does not matter.
        domain: None where it is not there.
        repositories: those of the wanted ones that are there, by name; and what else is an
            upstream of the team's, as far as it may be looked at.
    """

    caller: str | None
    domain: DomainState | None
    repositories: Mapping[str, RepositoryState]
