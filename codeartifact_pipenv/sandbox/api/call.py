"""One API call: its input, its caller, and pagination."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from codeartifact_pipenv.endpoint import Domain
from codeartifact_pipenv.sandbox.api.errors import denied, invalid, not_found
from codeartifact_pipenv.sandbox.hosts import domain_arn, package_arn, repository_arn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeartifact_pipenv.sandbox.api.model import Document
    from codeartifact_pipenv.sandbox.repository import DomainRecord, Repository
    from codeartifact_pipenv.sandbox.signature import Principal
    from codeartifact_pipenv.sandbox.state import State

_Row = TypeVar("_Row")
# AWS does not document its page size; short pages reveal clients that read only one.
_ROWS = 50
_PAGING = ("maxResults", "nextToken")


@dataclass(frozen=True, slots=True)
class Call:
    """One API call, its signature checked.

    Attributes:
        state: the sandbox's state; its lock is held.
        given: the validated input by the names of the service model.
        principal: the caller.
        region: the region of the host.
    """

    state: State
    given: Document
    principal: Principal
    region: str

    def get(self, name: str, default: Any = None) -> Any:
        """Return a member of the input, or the default if it was not sent."""
        return self.given.get(name, default)

    def tags(self) -> dict[str, str]:
        """Return the requested tags, values by key."""
        return {tag["key"]: tag["value"] for tag in self.get("tags", [])}

    @property
    def domain(self) -> Domain:
        """The requested domain, which may not exist."""
        return Domain(
            self.given["domain"], self.get("domainOwner", self.principal.account), self.region
        )

    @property
    def resource(self) -> str:
        """The ARN of the requested resource; ``*`` if the call names none."""
        if "resourceArn" in self.given:
            return str(self.given["resourceArn"])
        if "domain" not in self.given:
            return "*"
        repository, package = self.get("repository"), self.get("package")
        if repository is None:
            return domain_arn(self.domain)
        if package is None:
            return repository_arn(self.domain, repository)
        return package_arn(
            self.domain, repository, package, self.given["format"], self.get("namespace", "")
        )

    def refuse_denied(self, action: str, resource: str) -> None:
        """Raise if the sandbox denies an IAM action.

        Raises:
            ServiceError: the action is denied.
        """
        if self.state.denies(action, resource):
            raise denied(self.principal.arn, action, resource)

    def domain_record(self, domain: Domain | None = None) -> DomainRecord:
        """Return a domain; by default the requested one.

        Raises:
            ServiceError: the domain does not exist.
        """
        domain = domain or self.domain
        record = self.state.domains.get(domain)
        if record is None:
            raise not_found(
                f"Domain not found. Domain '{domain.name}' owned by account '{domain.owner}'"
                " does not exist",
                domain.name,
                "domain",
            )
        return record

    def repository(self, name: str | None = None, domain: Domain | None = None) -> Repository:
        """Return a repository; by default the requested one.

        Raises:
            ServiceError: the repository or its domain does not exist.
        """
        name = name or self.given["repository"]
        record = self.domain_record(domain)
        if name not in record.repositories:
            raise not_found(
                f"Repository not found. Repository '{name}' in domain '{record.domain.name}' owned"
                f" by account '{record.domain.owner}' does not exist",
                name,
                "repository",
            )
        return record.repositories[name]

    def page(self, rows: Sequence[_Row]) -> tuple[Sequence[_Row], Document]:
        """Return the requested page of rows, and the answer's ``nextToken``.

        Raises:
            ServiceError: the pagination token does not belong to this call.
        """
        asked = {name: value for name, value in self.given.items() if name not in _PAGING}
        first = _read_token(self.get("nextToken"), asked)
        following = first + self.get("maxResults", _ROWS)
        token = base64.urlsafe_b64encode(json.dumps([asked, following]).encode()).decode()
        return rows[first:following], {"nextToken": token} if following < len(rows) else {}


def _read_token(token: str | None, asked: Document) -> int:
    if token is None:
        return 0
    try:
        question, first = json.loads(base64.urlsafe_b64decode(token))
    except ValueError:
        question, first = None, 0
    if question != asked:
        raise invalid("The nextToken does not belong to this request.")
    return int(first)
