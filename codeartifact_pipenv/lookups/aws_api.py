"""Optional calls of the AWS API about a repository, for better explanations.

A token is enough to work, so credentials may be missing: a call that fails returns None.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import botocore.exceptions

from codeartifact_pipenv.aws.failure import error_code
from codeartifact_pipenv.endpoint import Domain
from codeartifact_pipenv.lookups.aws_clients import AwsClients
from codeartifact_pipenv.lookups.repository_api import (
    Chain,
    PackageRef,
    chain_of,
    coordinates,
    describe,
    list_packages,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from typing import TypeVar

    from codeartifact_pipenv.aws.caller import Caller
    from codeartifact_pipenv.endpoint import RepositoryEndpoint

    Answer = TypeVar("Answer")


_MOST_NAMES = 5000
_DEFAULT_REGION = "us-east-1"


class Identity(NamedTuple):
    """The identity that AWS sees.

    Attributes:
        arn: the identity's ARN.
        account: its account.
        method: botocore's name for where it found the credentials, such as ``env`` or ``sso``.
        expires_at: when they expire, if known.
    """

    arn: str
    account: str
    method: str
    expires_at: datetime | None


class BestEffortAwsApi:
    """The AWS API with the user's permissions; methods return None if the answer is unknown.

    Args:
        caller_of: returns the caller for an endpoint, or the default caller for None.
        seconds: timeout of each call.
        may_prompt: whether to ask the user for a second factor.

    Attributes:
        denied: the names of the operations that AWS denied.
    """

    def __init__(
        self,
        caller_of: Callable[[RepositoryEndpoint | None], Caller],
        seconds: float,
        *,
        may_prompt: bool,
    ) -> None:
        self._caller_of = caller_of
        self._make_clients = partial(AwsClients, seconds=seconds, tries=2, may_prompt=may_prompt)
        self._clients_of: dict[Caller, AwsClients] = {}
        self._answers: dict[tuple[str, RepositoryEndpoint], Any] = {}
        self.denied: set[str] = set()

    def is_missing(self, endpoint: RepositoryEndpoint) -> bool | None:
        """Whether a repository does not exist.

        Users without DescribeRepository can often call GetRepositoryEndpoint, as ``aws
        codeartifact login`` does. Only its ResourceNotFoundException is conclusive: AWS does not
        document that the call checks whether the repository exists.
        """
        try:
            self._describe(endpoint, endpoint.repository or "")
        except botocore.exceptions.ClientError as error:
            if error_code(error) == "ResourceNotFoundException":
                return True
            return self._has_no_url(endpoint) or None
        except Exception:  # noqa: BLE001 - botocore raises many types
            return None
        return False

    def _has_no_url(self, endpoint: RepositoryEndpoint) -> bool:
        try:
            self._client(endpoint).get_repository_endpoint(
                **coordinates(endpoint.domain, _ref(endpoint)), format="pypi"
            )
        except botocore.exceptions.ClientError as error:
            return error_code(error) == "ResourceNotFoundException"
        except Exception:  # noqa: BLE001 - as above
            return False
        return False

    def chain(self, endpoint: RepositoryEndpoint) -> Chain | None:
        """Return the upstreams of a repository."""
        return self._once(
            ("chain", endpoint),
            lambda: chain_of(
                endpoint.repository or "", lambda name: self._describe(endpoint, name)
            ),
        )

    def package_names(self, endpoint: RepositoryEndpoint) -> list[str] | None:
        """Return the names of the Python packages in a repository, without its upstreams."""

        def names() -> list[str]:
            client = self._client(endpoint)
            return list(list_packages(client, endpoint.domain, _ref(endpoint), most=_MOST_NAMES))

        return self._once(("names", endpoint), names)

    def blocks_upstream(self, endpoint: RepositoryEndpoint, name: str) -> bool | None:
        """Whether a package's origin control blocks versions from upstreams."""

        def is_blocked() -> bool:
            found = self._client(endpoint).describe_package(
                **coordinates(endpoint.domain, _ref(endpoint, name))
            )
            restrictions = found["package"]["originConfiguration"]["restrictions"]
            return bool(restrictions["upstream"] == "BLOCK")

        return self._attempt(is_blocked)

    def other_repositories(self, endpoint: RepositoryEndpoint) -> list[tuple[Domain, str]] | None:
        """Return one repository of each other domain in the region that this identity can list."""
        domain = endpoint.domain

        def repositories() -> list[tuple[Domain, str]]:
            client = self._client(endpoint)
            others = [
                Domain(found["name"], found["owner"], domain.region)
                for found in client.list_domains()["domains"]
            ]
            return [
                (other, str(found["name"]))
                for other in others
                if other != domain
                for found in client.list_repositories_in_domain(
                    domain=other.name, domainOwner=other.owner, maxResults=1
                )["repositories"]
            ]

        return self._attempt(repositories)

    def identity(self, region: str | None) -> Identity:
        """Return the identity that AWS sees.

        Args:
            region: the region of STS; by default the configured region, or us-east-1.

        Raises:
            Exception: any error of botocore.
        """
        clients = self._clients(None)
        credentials = clients.session().get_credentials()
        if credentials is None:
            raise botocore.exceptions.NoCredentialsError
        configured = clients.session().get_config_variable("region")
        place = region or configured or _DEFAULT_REGION
        caller = clients.client(place, "sts").get_caller_identity()
        expires_at = getattr(credentials, "_expiry_time", None)
        return Identity(caller["Arn"], caller["Account"], credentials.method or "", expires_at)

    def _once(
        self, key: tuple[str, RepositoryEndpoint], call: Callable[[], Answer]
    ) -> Answer | None:
        """Make a call once and keep its result or failure."""
        if key not in self._answers:
            self._answers[key] = self._attempt(call)
        answer: Answer | None = self._answers[key]
        return answer

    def _attempt(self, call: Callable[[], Answer]) -> Answer | None:
        try:
            return call()
        except botocore.exceptions.ClientError as error:
            if error_code(error) in {"AccessDeniedException", "AccessDenied"}:
                self.denied.add(error.operation_name)
            return None
        except Exception:  # noqa: BLE001 - the answer is unknown
            return None

    def _describe(self, endpoint: RepositoryEndpoint, repository: str) -> Any:
        return describe(self._client(endpoint), endpoint.domain, PackageRef(repository))

    def _client(self, endpoint: RepositoryEndpoint) -> Any:
        return self._clients(endpoint).client(endpoint.domain.region)

    def _clients(self, endpoint: RepositoryEndpoint | None) -> AwsClients:
        caller = self._caller_of(endpoint)
        return self._clients_of.setdefault(caller, self._make_clients(caller))


def _ref(endpoint: RepositoryEndpoint, package: str = "") -> PackageRef:
    return PackageRef(endpoint.repository or "", package)
