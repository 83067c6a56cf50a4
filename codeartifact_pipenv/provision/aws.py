"""AWS's API as provisioning calls it, by boto3; a refusal becomes an error that says what to do."""

from __future__ import annotations

import getpass
import os
import warnings
from typing import Any

import boto3
import botocore.exceptions

from codeartifact_pipenv.auth.aws import ASKING_FAILS, CALLS, open_session, profile_in_environment
from codeartifact_pipenv.auth.aws_errors import explain
from codeartifact_pipenv.endpoint import Domain
from codeartifact_pipenv.errors import CodeArtifactPipenvError, UsageError

_ABSENT = {"ResourceNotFoundException", "NoSuchEntity"}
_OVERTAKEN = {"ConflictException", "EntityAlreadyExists"}


class ProvisionError(CodeArtifactPipenvError):
    """AWS does not do what was asked."""


class AbsentError(ProvisionError):
    """The resource does not exist, or AWS does not show it yet."""


class OvertakenError(ProvisionError):
    """The resource exists already, or was changed meanwhile."""


class Aws:
    """The clients of one session.

    Args:
        profile: the AWS profile, or None for the environment's, as for the AWS CLI.
        region: the region, or None for that of the environment or of the profile.
        name: the domain's name, for messages.

    Attributes:
        region: the region.

    Raises:
        UsageError: no region is set anywhere.
        CodeArtifactPipenvError: the profile or AWS's configuration is wrong.
    """

    def __init__(self, profile: str | None, region: str | None, name: str) -> None:
        # Without a terminal, a second factor must not be read from stdin.
        warnings.simplefilter("error", getpass.GetPassWarning)
        self._profile = profile or profile_in_environment()
        self._domain = Domain(name, "?", region or "?")
        self._clients: dict[str, Any] = {}
        self._caller: dict[str, str] = {}
        try:
            self._session = boto3.Session(botocore_session=open_session(profile, None))
            # botocore itself reads only AWS_DEFAULT_REGION.
            found = region or os.environ.get("AWS_REGION") or self._session.region_name
        except ASKING_FAILS as error:
            raise self._explained(error) from error
        if not found:
            raise UsageError(
                "It is not clear which AWS region is meant.",
                "Give --region, set AWS_REGION, or a region in the profile.",
            )
        self.region: str = found
        self._domain = Domain(name, "?", found)

    @property
    def account(self) -> str:
        """The account of the credentials."""
        return self._identity()["Account"]

    @property
    def identity(self) -> str:
        """The ARN of the user or role that the credentials belong to."""
        return self._identity()["Arn"]

    def codeartifact(self, operation: str, **parameters: Any) -> Any:
        """Call an operation of CodeArtifact.

        Raises:
            AbsentError: the resource was not found.
            OvertakenError: the resource exists already.
            CodeArtifactPipenvError: AWS refuses the call, or cannot be reached.
        """
        return self._ask("codeartifact", operation, parameters)

    def iam(self, operation: str, **parameters: Any) -> Any:
        """Call an operation of IAM; errors as for :meth:`codeartifact`."""
        return self._ask("iam", operation, parameters)

    def pages(self, service: str, operation: str, key: str, **parameters: Any) -> list[Any]:
        """Return what all pages of a listing operation hold under a key; errors as above."""
        try:
            pages = self._client(service).get_paginator(operation).paginate(**parameters)
            return [each for page in pages for each in page.get(key, ())]
        except ASKING_FAILS as error:
            raise self._explained(error) from error

    def _identity(self) -> dict[str, str]:
        self._caller = self._caller or self._ask("sts", "get_caller_identity", {})
        return self._caller

    def _ask(self, service: str, operation: str, parameters: dict[str, Any]) -> Any:
        try:
            return getattr(self._client(service), operation)(**parameters)
        except ASKING_FAILS as error:
            raise self._explained(error) from error

    def _client(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = self._session.client(
                service, region_name=self.region, config=CALLS
            )
        return self._clients[service]

    def _explained(self, error: BaseException) -> ProvisionError:
        kind = ProvisionError
        if isinstance(error, botocore.exceptions.ClientError):
            code = str(error.response.get("Error", {}).get("Code", ""))
            if code in _ABSENT:
                kind = AbsentError
            elif code in _OVERTAKEN:
                kind = OvertakenError
        return kind(*explain(error, self._domain, self._profile))


def find(call: Any, operation: str, **parameters: Any) -> Any:
    """Return the answer of a call of :class:`Aws`, or None if the resource was not found."""
    try:
        return call(operation, **parameters)
    except AbsentError:
        return None
