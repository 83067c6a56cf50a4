"""CodeArtifact's API: a table of operations, each a function from a call to a document."""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from werkzeug.wrappers import Response

from codeartifact_pipenv.endpoint import Domain
from codeartifact_pipenv.sandbox.hosts import endpoint_for

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from codeartifact_pipenv.sandbox.signature import Principal
    from codeartifact_pipenv.sandbox.state import State

    Document = dict[str, Any]

_NAMES = {
    "domain": re.compile(r"[a-z][a-z0-9\-]{0,48}[a-z0-9]"),
    "domain-owner": re.compile(r"[0-9]{12}"),
    "repository": re.compile(r"[A-Za-z0-9][A-Za-z0-9._\-]{1,99}"),
    "format": re.compile("npm|pypi|maven|nuget|generic|ruby|swift|cargo"),
    "endpointType": re.compile("dualstack|ipv4"),
}
_MEMBERS = {"domain-owner": "domainOwner", "duration": "durationSeconds"}
_TWELVE_HOURS = 43200
_FIFTEEN_MINUTES = 900


class ServiceError(Exception):
    """An error that AWS would answer with.

    Attributes:
        code: the exception's name in the service model.
        status: the HTTP status.
        message: AWS's sentence.
        members: what else the body says.
        retry_after: seconds for the ``Retry-After`` header; None for no such header.
    """

    def __init__(
        self,
        code: str,
        status: int,
        message: str,
        members: Mapping[str, str] | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.message = message
        self.members = members or {}
        self.retry_after = retry_after

    def response(self) -> Response:
        """Return it in the wire form of a rest-json service."""
        answer = document_response({"message": self.message, **self.members}, self.status)
        answer.headers["x-amzn-errortype"] = self.code
        if self.retry_after is not None:
            answer.headers["Retry-After"] = str(self.retry_after)
        return answer


@dataclass(frozen=True, slots=True)
class Call:
    """One API call, its signature checked.

    Attributes:
        state: the sandbox's state.
        query: the query's parameters.
        principal: who calls.
        region: of the host that was called.
    """

    state: State
    query: Mapping[str, str]
    principal: Principal
    region: str

    def parameter(self, name: str, default: str | None = None) -> str:
        """Return a query parameter.

        Raises:
            ServiceError: it is missing and has no default, or breaks the model's pattern.
        """
        value = self.query.get(name, default)
        member = _MEMBERS.get(name, name)
        if value is None:
            raise _invalid(
                f"Value null at '{member}' failed to satisfy constraint: Member must not be null"
            )
        if not _NAMES[name].fullmatch(value):
            raise _invalid(
                f"Value '{value}' at '{member}' failed to satisfy constraint:"
                f" Member must satisfy regular expression pattern: {_NAMES[name].pattern}"
            )
        return value

    def domain(self) -> Domain:
        """Return the domain that is asked for, without looking whether it exists.

        Raises:
            ServiceError: a name breaks the model's pattern.
        """
        owner = self.parameter("domain-owner", self.principal.account)
        return Domain(self.parameter("domain"), owner, self.region)

    def authorize(self, action: str, resource: str) -> None:
        """Ask whether an IAM action is allowed.

        Raises:
            ServiceError: it is denied.
        """
        if self.state.is_denied(action):
            raise ServiceError(
                "AccessDeniedException", 403, denial(self.principal.arn, action, resource)
            )


def denial(arn: str, action: str, resource: str) -> str:
    """Return AWS's sentence for a refused action."""
    return (
        f"User: {arn} is not authorized to perform: {action} on resource: {resource}"
        f" because no identity-based policy allows the {action} action"
    )


def domain_arn(domain: Domain) -> str:
    """Return a domain's ARN."""
    return f"arn:aws:codeartifact:{domain.region}:{domain.owner}:domain/{domain.name}"


def repository_arn(domain: Domain, repository: str) -> str:
    """Return a repository's ARN."""
    return (
        f"arn:aws:codeartifact:{domain.region}:{domain.owner}:repository/{domain.name}/{repository}"
    )


def package_arn(domain: Domain, repository: str, package: str) -> str:
    """Return a Python package's ARN; these have no namespace."""
    return f"arn:aws:codeartifact:{domain.region}:{domain.owner}:package/{domain.name}/{repository}/pypi//{package}"


def document_response(document: Document, status: int = 200) -> Response:
    """Return a document as the body of an answer."""
    answer = Response(json.dumps(document), status, content_type="application/json")
    answer.headers["x-amzn-RequestId"] = str(uuid.uuid4())
    return answer


def get_authorization_token(call: Call) -> Document:
    """Make a token; its ``expiration`` is in seconds since the epoch."""
    domain = call.domain()
    seconds = _duration(call)
    call.authorize("codeartifact:GetAuthorizationToken", domain_arn(domain))
    call.authorize("sts:GetServiceBearerToken", "*")
    _require_domain(call, domain)
    if call.state.token_life is not None:
        seconds = call.state.token_life
    token, issued = call.state.tokens.issue(domain, seconds, call.principal.access_key_id)
    return {"authorizationToken": token, "expiration": issued.expires_at}


def get_repository_endpoint(call: Call) -> Document:
    """Name a repository's URL, with its final slash and without ``simple/``."""
    domain = call.domain()
    repository = call.parameter("repository")
    package_format = call.parameter("format")
    kind = call.parameter("endpointType", "ipv4")
    call.authorize("codeartifact:GetRepositoryEndpoint", repository_arn(domain, repository))
    _require_domain(call, domain)
    if call.state.repository(domain, repository) is None:
        raise ServiceError(
            "ResourceNotFoundException",
            404,
            f"Repository not found. Repository '{repository}' in domain '{domain.name}' owned by account"
            f" '{domain.owner}' does not exist",
            {"resourceId": repository, "resourceType": "repository"},
        )
    host = endpoint_for(domain, repository, kind).host
    return {"repositoryEndpoint": f"https://{host}/{package_format}/{repository}/"}


OPERATIONS: dict[tuple[str, str], tuple[str, Callable[[Call], Document]]] = {
    ("POST", "/v1/authorization-token"): ("GetAuthorizationToken", get_authorization_token),
    ("GET", "/v1/repository/endpoint"): ("GetRepositoryEndpoint", get_repository_endpoint),
}
"""Method and path of each operation that is played: its name and what does it."""


def unknown_operation() -> ServiceError:
    """Return what AWS says to a method and path that it does not know."""
    return ServiceError(
        "ValidationException", 400, "Unknown operation.", {"reason": "UNKNOWN_OPERATION"}
    )


def throttled(retry_after: int) -> ServiceError:
    """Return what AWS says to too many calls."""
    return ServiceError("ThrottlingException", 429, "Rate exceeded", retry_after=retry_after)


def _duration(call: Call) -> float:
    text = call.query.get("duration", str(_TWELVE_HOURS))
    seconds = int(text) if re.fullmatch("[0-9]{1,9}", text) else -1
    if seconds and not _FIFTEEN_MINUTES <= seconds <= _TWELVE_HOURS:
        raise _invalid(
            f"Value '{text}' at 'durationSeconds' failed to satisfy constraint:"
            f" Member must be 0 or between {_FIFTEEN_MINUTES} and {_TWELVE_HOURS}"
        )
    if seconds:
        return seconds
    expires_at = call.principal.expires_at
    if expires_at is None:
        return _TWELVE_HOURS
    return (expires_at - datetime.now(timezone.utc)).total_seconds()


def _require_domain(call: Call, domain: Domain) -> None:
    if not call.state.has_domain(domain):
        raise ServiceError(
            "ResourceNotFoundException",
            404,
            f"Domain not found. Domain '{domain.name}' owned by account '{domain.owner}' does not exist",
            {"resourceId": domain.name, "resourceType": "domain"},
        )


def _invalid(problem: str) -> ServiceError:
    return ServiceError(
        "ValidationException",
        400,
        f"1 validation error detected: {problem}",
        {"reason": "FIELD_VALIDATION_FAILED"},
    )
