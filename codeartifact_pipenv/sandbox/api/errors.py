"""What AWS answers when it does not do what was asked, in the wire form of rest-json."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

from werkzeug.wrappers import Response

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codeartifact_pipenv.endpoint import Domain

    Document = dict[str, Any]

_FAULTS = {429: "ThrottlingException", 500: "InternalServerException"}


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


def document_response(document: Document, status: int = 200) -> Response:
    """Return a document as the body of an answer."""
    answer = Response(json.dumps(document), status, content_type="application/json")
    answer.headers["x-amzn-RequestId"] = str(uuid.uuid4())
    return answer


def fault_response(status: int) -> Response:
    """Return what a service in trouble answers: its own error, or a bare status."""
    if status in _FAULTS:
        return ServiceError(_FAULTS[status], status, "The service is in trouble.").response()
    return Response("The service is in trouble.\n", status, content_type="text/plain")


def denied(message: str) -> ServiceError:
    """Return what AWS says to who may not do this."""
    return ServiceError("AccessDeniedException", 403, message)


def unknown_operation() -> ServiceError:
    """Return what AWS says to a method and path that it does not know."""
    return ServiceError(
        "ValidationException", 400, "Unknown operation.", {"reason": "UNKNOWN_OPERATION"}
    )


def throttled(retry_after: int) -> ServiceError:
    """Return what AWS says to too many calls."""
    return ServiceError("ThrottlingException", 429, "Rate exceeded", retry_after=retry_after)


def misfit(member: str, value: str, rule: str) -> ServiceError:
    """Return what AWS says to a value that breaks the service model."""
    shown = value if value == "null" else f"'{value}'"
    return invalid(
        f"1 validation error detected: Value {shown} at '{member}' failed to satisfy constraint:"
        f" Member must {rule}",
        "FIELD_VALIDATION_FAILED",
    )


def invalid(message: str, reason: str = "OTHER") -> ServiceError:
    """Return what AWS says to a request that cannot be."""
    return ServiceError("ValidationException", 400, message, {"reason": reason})


def not_found(message: str, resource: str, kind: str) -> ServiceError:
    """Return what AWS says of something that is not there; ``kind`` such as ``domain``."""
    return ServiceError("ResourceNotFoundException", 404, message, _about(resource, kind))


def missing_domain(domain: Domain) -> ServiceError:
    """Return what AWS says of a domain that is not there."""
    return not_found(
        f"Domain not found. Domain '{domain.name}' owned by account '{domain.owner}' does not exist",
        domain.name,
        "domain",
    )


def missing_repository(domain: Domain, name: str) -> ServiceError:
    """Return what AWS says of a repository that is not there."""
    return not_found(
        f"Repository not found. Repository '{name}' in domain '{domain.name}' owned by account"
        f" '{domain.owner}' does not exist",
        name,
        "repository",
    )


def conflict(message: str, resource: str, kind: str) -> ServiceError:
    """Return what AWS says of something that is there already, or is in use."""
    return ServiceError("ConflictException", 409, message, _about(resource, kind))


def over_quota(message: str, resource: str, kind: str) -> ServiceError:
    """Return what AWS says to one too many."""
    return ServiceError("ServiceQuotaExceededException", 402, message, _about(resource, kind))


def _about(resource: str, kind: str) -> dict[str, str]:
    return {"resourceId": resource, "resourceType": kind}
