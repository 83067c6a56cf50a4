"""One API call: its parameters, checked as the service model says, and who asks."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from codeartifact_pipenv.endpoint import Domain
from codeartifact_pipenv.sandbox.api import shapes
from codeartifact_pipenv.sandbox.api.errors import (
    denied,
    invalid,
    misfit,
    missing_domain,
    missing_repository,
)
from codeartifact_pipenv.sandbox.arns import domain_arn, repository_arn
from codeartifact_pipenv.sandbox.permissions import Where, policies_on

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codeartifact_pipenv.sandbox.actor import Actor
    from codeartifact_pipenv.sandbox.api.errors import Document
    from codeartifact_pipenv.sandbox.permissions import Permissions
    from codeartifact_pipenv.sandbox.repository import DomainRecord, Repository
    from codeartifact_pipenv.sandbox.signature import Principal
    from codeartifact_pipenv.sandbox.state import State

# Members whose name in the query is not the model's.
_MEMBERS = {
    "domain-owner": "domainOwner",
    "administrator-account": "administratorAccount",
    "repository-prefix": "repositoryPrefix",
    "external-connection": "externalConnection",
    "package-prefix": "packagePrefix",
    "version": "packageVersion",
    "policy-revision": "policyRevision",
    "next-token": "nextToken",
}

# How many of the policies, the domain's first, take part where one of them is put (API
# Reference, PutDomainPermissionsPolicy and PutRepositoryPermissionsPolicy).
_LOCK_OUT = {
    "codeartifact:PutDomainPermissionsPolicy": 0,
    "codeartifact:PutRepositoryPermissionsPolicy": 1,
}


@dataclass(frozen=True, slots=True)
class Call:
    """One API call, its signature checked.

    Attributes:
        state: the sandbox's state; its lock is held.
        query: the query's parameters.
        body: the body's members.
        principal: who calls.
        region: of the host that was called.
        permissions: decides what the principal may do.
        actor: whom the principal's keys stand for.
        source: the caller's IP address.
    """

    state: State
    query: Mapping[str, str]
    body: Document
    principal: Principal
    region: str
    permissions: Permissions
    actor: Actor
    source: str

    def parameter(self, name: str, default: str | None = None) -> str:
        """Return a query parameter.

        Raises:
            ServiceError: it is missing and has no default, or breaks the model.
        """
        return shapes.check(_MEMBERS.get(name, name), self.query.get(name, default))

    def optional(self, name: str) -> str | None:
        """Return a query parameter; None where it was not sent.

        Raises:
            ServiceError: it breaks the model.
        """
        return self.parameter(name) if name in self.query else None

    def member(self, name: str) -> str | None:
        """Return a text in the body; None where it was not sent.

        Raises:
            ServiceError: it breaks the model.
        """
        value = self.body.get(name)
        return None if value is None else shapes.check(name, value)

    def items(self, name: str) -> list[Document] | None:
        """Return a list of structures in the body; None where it was not sent.

        Raises:
            ServiceError: it is something else.
        """
        value: Any = self.body.get(name)
        if value is None:
            return None
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise misfit(name, str(value), "be a list of structures")
        return value

    def tags(self) -> dict[str, str]:
        """Return the tags that are asked for.

        Raises:
            ServiceError: they are something else.
        """
        return {str(tag.get("key")): str(tag.get("value")) for tag in self.items("tags") or []}

    def domain(self) -> Domain:
        """Return the domain that is asked for, without looking whether it exists.

        Raises:
            ServiceError: a name breaks the model.
        """
        owner = self.parameter("domain-owner", self.principal.account)
        return Domain(self.parameter("domain"), owner, self.region)

    def authorize(
        self,
        action: str,
        resource: str,
        *,
        domain: Domain | None = None,
        repository: str | None = None,
        keys: Mapping[str, tuple[str, ...]] | None = None,
    ) -> None:
        """Ask whether an IAM action is allowed.

        Args:
            action: such as ``codeartifact:DescribeDomain``.
            resource: its ARN, or ``*``.
            domain: whose policy takes part, and whose owner has a say; None for neither.
            repository: whose policy takes part, too; None for none.
            keys: condition keys of this action, in lower case.

        Raises:
            ServiceError: it is denied.
        """
        policies = () if domain is None else policies_on(self.state, domain, repository)
        # What is not there has neither policies nor an owner who could refuse.
        owner = domain.owner if domain in self.state.domains and domain is not None else None
        if action in _LOCK_OUT:
            # One cannot lock oneself out: the policy that is replaced has no say.
            policies = policies[: _LOCK_OUT[action]]
        refusal = self.permissions.refusal(
            self.actor,
            action,
            resource,
            Where(self.source, self.region),
            keys=keys,
            policies=policies,
            owner=owner,
        )
        if refusal is not None:
            raise denied(refusal)

    def domain_for(self, action: str) -> DomainRecord:
        """Return the domain that is asked for, to do an IAM action with it.

        Raises:
            ServiceError: that is denied, or there is no such domain.
        """
        domain = self.domain()
        self.authorize(action, domain_arn(domain), domain=domain)
        return self.require_domain(domain)

    def repository_for(self, action: str) -> Repository:
        """Return the repository that is asked for, to do an IAM action with it.

        Raises:
            ServiceError: that is denied, or there is no such repository.
        """
        domain, name = self.domain(), self.parameter("repository")
        self.authorize(action, repository_arn(domain, name), domain=domain, repository=name)
        return self.require_repository(domain, name)

    def require_domain(self, domain: Domain) -> DomainRecord:
        """Return a domain.

        Raises:
            ServiceError: there is no such domain.
        """
        record = self.state.domains.get(domain)
        if record is None:
            raise missing_domain(domain)
        return record

    def require_repository(self, domain: Domain, name: str) -> Repository:
        """Return a repository.

        Raises:
            ServiceError: there is no such domain, or no such repository in it.
        """
        repository = self.require_domain(domain).repositories.get(name)
        if repository is None:
            raise missing_repository(domain, name)
        return repository


def read_body(data: bytes) -> Document:
    """Read a request's body, which may be empty.

    Raises:
        ServiceError: it is no JSON object.
    """
    try:
        document = json.loads(data or b"{}")
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise invalid("The request's body cannot be parsed.", "CANNOT_PARSE")
    return document
