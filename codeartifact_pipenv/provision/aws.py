"""AWS's API as provisioning calls it, by boto3; a refusal becomes an error that says what to do."""

from __future__ import annotations

import contextlib
import functools
from typing import Any

import boto3

from codeartifact_pipenv.auth.aws import (
    CALL_ERRORS,
    CALLS,
    open_session,
)
from codeartifact_pipenv.aws.errors import explain
from codeartifact_pipenv.aws.failure import error_code
from codeartifact_pipenv.errors import CodeArtifactPipenvError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from codeartifact_pipenv.aws.caller import Caller
    from codeartifact_pipenv.endpoint import Domain


class ProvisionError(CodeArtifactPipenvError):
    """AWS does not do what was asked."""


class AbsentError(ProvisionError):
    """The resource does not exist, or AWS does not show it yet."""


class OvertakenError(ProvisionError):
    """The resource exists already, or was changed meanwhile."""


_KINDS = {
    "ResourceNotFoundException": AbsentError,
    "NoSuchEntity": AbsentError,
    "ConflictException": OvertakenError,
    "EntityAlreadyExists": OvertakenError,
}


class Aws:
    """AWS, asked about one domain.

    Every method raises AbsentError if a resource was not found, OvertakenError if it exists
    already, and otherwise CodeArtifactPipenvError if AWS refuses a call or cannot be reached.

    Args:
        domain: the domain, also in messages.
        caller: as whom.
    """

    def __init__(self, domain: Domain, caller: Caller) -> None:
        self.domain = domain
        self._caller = caller

    @property
    def named(self) -> dict[str, str]:
        """The parameters by which CodeArtifact's operations name the domain."""
        return {"domain": self.domain.name, "domainOwner": self.domain.owner}

    def codeartifact(self, operation: str, **parameters: Any) -> Any:
        """Call an operation on the domain or on something in it."""
        return self.call("codeartifact", operation, **self.named, **parameters)

    def find(self, operation: str, **parameters: Any) -> Any:
        """Return what :meth:`codeartifact` does, or None if the resource was not found."""
        with contextlib.suppress(AbsentError):
            return self.codeartifact(operation, **parameters)

    def call(self, service: str, operation: str, **parameters: Any) -> Any:
        """Call an operation of a service."""
        with self._explaining():
            return getattr(self._client(service), operation)(**parameters)

    def listed(self, service: str, operation: str, key: str, **parameters: Any) -> list[Any]:
        """Return what all pages of a listing operation hold under a key."""
        with self._explaining():
            pages = self._client(service).get_paginator(operation).paginate(**parameters)
            return [each for page in pages for each in page.get(key, ())]

    @functools.cached_property
    def identity(self) -> str:
        """The ARN of the user or role that the credentials belong to."""
        return str(self.call("sts", "get_caller_identity")["Arn"])

    @property
    def account(self) -> str:
        """The account of the credentials."""
        return self.identity.split(":")[4]

    @functools.cached_property
    def _session(self) -> Any:
        return boto3.Session(botocore_session=open_session(self._caller))

    @functools.cache  # noqa: B019 - it lives as long as the command
    def _client(self, service: str) -> Any:
        return self._session.client(service, region_name=self.domain.region, config=CALLS)

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """Let an answer that lacks what every answer has be a garbled one."""
        try:
            yield
        except (LookupError, TypeError, AttributeError) as error:
            raise ProvisionError.of(explain(error, self.domain, self._caller.profile)) from error

    @contextlib.contextmanager
    def _explaining(self) -> Iterator[None]:
        try:
            yield
        except CALL_ERRORS as error:
            kind = _KINDS.get(error_code(error), ProvisionError)
            raise kind.of(explain(error, self.domain, self._caller.profile)) from error
