"""What the AWS API knows of a repository, if there are credentials for it.

Everything here refines an explanation and nothing depends on it, since a token is enough to work.
A call that fails or is denied returns None.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import botocore.exceptions

from codeartifact_pipenv.endpoint import Domain
from codeartifact_pipenv.lookups.connection import Connection
from codeartifact_pipenv.lookups.repository_api import (
    Chain,
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
        method: where botocore found the credentials, in its own words (``env``, ``sso``...).
        expires_at: when they expire; None if they do not, or that is unknown.
    """

    arn: str
    account: str
    method: str
    expires_at: datetime | None


class BestEffortAwsApi:
    """AWS's API as the user sees it; methods return None if the answer is unknown.

    Args:
        caller_of: as whom AWS is asked about an endpoint; None stands for any.
        seconds: time-out of each call.
        may_prompt: whether the user may be asked for a second factor.

    Attributes:
        denied: the names of operations that AWS did not allow.
    """

    def __init__(
        self,
        caller_of: Callable[[RepositoryEndpoint | None], Caller],
        seconds: float,
        *,
        may_prompt: bool,
    ) -> None:
        self._caller_of = caller_of
        self._connect = partial(Connection, seconds=seconds, tries=2, may_prompt=may_prompt)
        self._connections: dict[Caller, Connection] = {}
        self._answers: dict[tuple[str, RepositoryEndpoint], Any] = {}
        self.denied: set[str] = set()

    def is_missing(self, endpoint: RepositoryEndpoint) -> bool | None:
        """Whether a repository does not exist.

        Users without DescribeRepository are often allowed GetRepositoryEndpoint, which ``aws
        codeartifact login`` calls. Its ResourceNotFoundException is an answer; its success is not,
        because AWS does not document that the call checks whether the repository exists.
        """
        try:
            self._describe(endpoint, endpoint.repository or "")
        except botocore.exceptions.ClientError as error:
            if _code(error) == "ResourceNotFoundException":
                return True
            return self._has_no_url(endpoint) or None
        except Exception:  # noqa: BLE001 - the call cannot be made
            return None
        return False

    def _has_no_url(self, endpoint: RepositoryEndpoint) -> bool:
        try:
            self._client(endpoint).get_repository_endpoint(
                **coordinates(endpoint.domain, endpoint.repository), format="pypi"
            )
        except botocore.exceptions.ClientError as error:
            return _code(error) == "ResourceNotFoundException"
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
        """Return the names of the Python packages that a repository itself holds."""

        def names() -> list[str]:
            client = self._client(endpoint)
            repository = endpoint.repository or ""
            return list(list_packages(client, endpoint.domain, repository, most=_MOST_NAMES))

        return self._once(("names", endpoint), names)

    def blocks_upstream(self, endpoint: RepositoryEndpoint, name: str) -> bool | None:
        """Whether a package's origin control keeps versions of upstreams out of a repository."""

        def is_blocked() -> bool:
            found = self._client(endpoint).describe_package(
                **coordinates(endpoint.domain, endpoint.repository), format="pypi", package=name
            )
            restrictions = found["package"]["originConfiguration"]["restrictions"]
            return bool(restrictions["upstream"] == "BLOCK")

        return self._attempt(is_blocked)

    def other_repositories(self, endpoint: RepositoryEndpoint) -> list[tuple[Domain, str]] | None:
        """Return one repository of every other domain that this identity may list there."""
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
            region: where STS is asked; None for the configured region, or one that AWS always has.

        Raises:
            Exception: whatever botocore raises.
        """
        connection = self._connection(None)
        credentials = connection.session().get_credentials()
        if credentials is None:
            raise botocore.exceptions.NoCredentialsError
        configured = connection.session().get_config_variable("region")
        place = region or configured or _DEFAULT_REGION
        caller = connection.client(place, "sts").get_caller_identity()
        expires_at = getattr(credentials, "_expiry_time", None)
        return Identity(caller["Arn"], caller["Account"], credentials.method or "", expires_at)

    def _once(
        self, key: tuple[str, RepositoryEndpoint], call: Callable[[], Answer]
    ) -> Answer | None:
        """Make a call whose result, or failure, is the same for all packages."""
        if key not in self._answers:
            self._answers[key] = self._attempt(call)
        answer: Answer | None = self._answers[key]
        return answer

    def _attempt(self, call: Callable[[], Answer]) -> Answer | None:
        try:
            return call()
        except botocore.exceptions.ClientError as error:
            if _code(error) in {"AccessDeniedException", "AccessDenied"}:
                self.denied.add(error.operation_name)
            return None
        except Exception:  # noqa: BLE001 - see the module: the answer is unknown
            return None

    def _describe(self, endpoint: RepositoryEndpoint, repository: str) -> Any:
        return describe(self._client(endpoint), endpoint.domain, repository)

    def _client(self, endpoint: RepositoryEndpoint) -> Any:
        return self._connection(endpoint).client(endpoint.domain.region)

    def _connection(self, endpoint: RepositoryEndpoint | None) -> Connection:
        caller = self._caller_of(endpoint)
        return self._connections.setdefault(caller, self._connect(caller))


def _code(error: botocore.exceptions.ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
