"""Errors that AWS returns."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class ServiceError(Exception):
    """An error of AWS; its code is an exception of the service model."""

    def __init__(
        self, code: str, message: str, members: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.members = members or {}


def denied(arn: str, action: str, resource: str, reason: str | None = None) -> ServiceError:
    """Return AWS's error for a denied action."""
    return ServiceError("AccessDeniedException", refusal(arn, action, resource, reason))


def refusal(arn: str, action: str, resource: str, reason: str | None = None) -> str:
    """Return AWS's message for a denied action; the default reason is an explicit deny."""
    reason = reason or "with an explicit deny in an identity-based policy"
    return f"User: {arn} is not authorized to perform: {action} on resource: {resource} {reason}"


def throttled(retry_after: int) -> ServiceError:
    """Return AWS's error for a throttled call; the wait is in seconds."""
    return ServiceError("ThrottlingException", "Rate exceeded", {"retryAfterSeconds": retry_after})


def misfit(member: str, value: object, rule: str) -> ServiceError:
    """Return AWS's error for a value that violates the service model; None means missing."""
    shown = "null" if value is None else f"'{value}'"
    return invalid(
        f"1 validation error detected: Value {shown} at '{member}' failed to satisfy constraint:"
        f" Member must {rule}",
        "FIELD_VALIDATION_FAILED",
    )


def invalid(message: str, reason: str = "OTHER") -> ServiceError:
    """Return AWS's error for an invalid request."""
    return ServiceError("ValidationException", message, {"reason": reason})


def not_found(message: str, resource: str, kind: str) -> ServiceError:
    """Return AWS's error for a missing resource; its kind is for example ``domain``."""
    return ServiceError("ResourceNotFoundException", message, _about(resource, kind))


def conflict(message: str, resource: str, kind: str) -> ServiceError:
    """Return AWS's error for a resource that already exists or is in use."""
    return ServiceError("ConflictException", message, _about(resource, kind))


def over_quota(message: str, resource: str, kind: str) -> ServiceError:
    """Return AWS's error for an exceeded quota."""
    return ServiceError("ServiceQuotaExceededException", message, _about(resource, kind))


def _about(resource: str, kind: str) -> dict[str, str]:
    return {"resourceId": resource, "resourceType": kind}
