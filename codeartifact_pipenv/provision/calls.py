"""AWS's API, as provisioning calls it: refusals come as errors that say what to do."""

from __future__ import annotations

import getpass
import os
import warnings
from typing import Any

import botocore.exceptions
import botocore.session

from codeartifact_pipenv.auth.aws import CALLS, UNREADABLE, open_session, profile_in_environment
from codeartifact_pipenv.auth.aws_errors import explain
from codeartifact_pipenv.endpoint import Domain
from codeartifact_pipenv.errors import CodeArtifactPipenvError, UsageError

_ABSENT = {"ResourceNotFoundException", "NoSuchEntity"}
_OVERTAKEN = {"ConflictException", "EntityAlreadyExists"}
# EOFError and GetPassWarning: a second factor is asked for, and there is no terminal.
# RuntimeError: credentials that have ended and cannot be renewed.
_FAILURES = (
    botocore.exceptions.BotoCoreError,
    OSError,
    EOFError,
    getpass.GetPassWarning,
    RuntimeError,
    *UNREADABLE,
)


class ProvisionError(CodeArtifactPipenvError):
    """AWS does not do what the plan says."""


class AbsentError(ProvisionError):
    """What is asked for is not there, or AWS does not show it yet."""


class OvertakenError(ProvisionError):
    """What is to be made is there, or was changed meanwhile."""


class Calls:
    """The clients of one session.

    Args:
        profile: the AWS profile; None where the environment decides, as for the AWS CLI.
        region: the region; None for that of the environment or of the profile.
        name: the domain's name, for messages.

    Attributes:
        region: the region.

    Raises:
        UsageError: no region is named anywhere.
        CodeArtifactPipenvError: the profile or AWS's configuration is not right.
    """

    def __init__(self, profile: str | None, region: str | None, name: str) -> None:
        warnings.simplefilter("error", getpass.GetPassWarning)
        self._profile = profile or profile_in_environment()
        self._domain = Domain(name, "?", region or "?")
        self._clients: dict[str, Any] = {}
        self._account = ""
        try:
            self._session = open_session(profile, None)
            # (botocore itself reads AWS_DEFAULT_REGION alone.)
            found = region or os.environ.get("AWS_REGION") or _region_of(self._session)
        except _FAILURES as error:
            raise ProvisionError(*explain(error, self._domain, self._profile)) from error
        if not found:
            raise UsageError(
                "It is not clear which AWS region is meant.",
                "Give --region, set AWS_REGION, or a region in the profile.",
            )
        self.region = found
        self._domain = Domain(name, "?", found)

    @property
    def account(self) -> str:
        """The account that asks."""
        if not self._account:
            self._account = str(self._ask("sts", "get_caller_identity", {})["Account"])
        return self._account

    def codeartifact(self, operation: str, **parameters: Any) -> Any:
        """Call an operation of CodeArtifact.

        Raises:
            AbsentError: what it is about is not there.
            OvertakenError: what it would make is there.
            CodeArtifactPipenvError: it is refused, or AWS is not reached.
        """
        return self._ask("codeartifact", operation, parameters)

    def iam(self, operation: str, **parameters: Any) -> Any:
        """Call an operation of IAM; errors as for :meth:`codeartifact`."""
        return self._ask("iam", operation, parameters)

    def pages(self, operation: str, key: str, **parameters: Any) -> list[Any]:
        """Call a listing operation of IAM as often as it has pages; return all that is listed."""
        found: list[Any] = []
        more: dict[str, Any] = {}
        while True:
            answer = self.iam(operation, **parameters, **more)
            found += answer[key]
            if not answer.get("IsTruncated"):
                return found
            more = {"Marker": answer["Marker"]}

    def _ask(self, service: str, operation: str, parameters: dict[str, Any]) -> Any:
        try:
            return getattr(self._client(service), operation)(**parameters)
        except botocore.exceptions.ClientError as error:
            raise self._refusal(error) from error
        except _FAILURES as error:
            raise ProvisionError(*explain(error, self._domain, self._profile)) from error

    def _client(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = self._session.create_client(
                service, region_name=self.region, config=CALLS
            )
        return self._clients[service]

    def _refusal(self, error: botocore.exceptions.ClientError) -> ProvisionError:
        reply = str(error.response.get("Error", {}).get("Code", ""))
        kind = ProvisionError
        if reply in _ABSENT:
            kind = AbsentError
        elif reply in _OVERTAKEN:
            kind = OvertakenError
        return kind(*explain(error, self._domain, self._profile))


def _region_of(session: botocore.session.Session) -> str | None:
    region = session.get_config_variable("region")
    return region if isinstance(region, str) else None
