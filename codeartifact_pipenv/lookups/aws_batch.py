"""Parallel calls of the AWS API about one domain; each call is made once."""

from __future__ import annotations

from functools import partial
from typing import TypeVar

from codeartifact_pipenv.auth.aws import ASKING_FAILS
from codeartifact_pipenv.aws.errors import explain
from codeartifact_pipenv.errors import ListingError
from codeartifact_pipenv.lookups.aws_clients import AwsClients
from codeartifact_pipenv.lookups.parallel import ask_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from typing import Any

    from codeartifact_pipenv.aws.caller import Caller
    from codeartifact_pipenv.endpoint import Domain, RepositoryEndpoint
    from codeartifact_pipenv.lookups.repository_api import PackageRef

Answer = TypeVar("Answer")

# CodeArtifact's quota for ListPackages and ListPackageVersions is 200 calls per second each;
# botocore retries throttled calls.
_THREADS = 8
_TRIES, _SECONDS = 5, 15.0
_LONGEST = 300.0


class AwsBatch:
    """Calls about the domain of an endpoint; failures are kept like answers.

    Args:
        endpoint: an endpoint of the domain.
        caller: the identity that makes the calls.
    """

    def __init__(self, endpoint: RepositoryEndpoint, caller: Caller) -> None:
        self._endpoint = endpoint
        self._clients = AwsClients(caller, _SECONDS, _TRIES)
        self._profile = caller.profile
        self._said: dict[tuple[Any, PackageRef], Any] = {}
        self._failed: dict[tuple[str, str], ListingError] = {}

    def answers(
        self,
        operation: str,
        call: Callable[[Any, Domain, PackageRef], Answer],
        refs: Collection[PackageRef],
    ) -> dict[PackageRef, Answer | ListingError]:
        """Call an operation for several packages or repositories.

        An operation that failed for a repository is not called there again, because botocore has
        already retried it.

        Args:
            operation: the name of the AWS operation.
            call: makes the call with a client, once for each reference.
            refs: the packages or repositories.
        """
        new = {
            ref: partial(self._answer, operation, call, ref)
            for ref in refs
            if (call, ref) not in self._said
        }
        answers = ask_all(new, _LONGEST, _THREADS)
        late = ListingError(
            f"AWS did not answer all requests about {self._endpoint.domain} in time.",
            "Try again, or name fewer repositories.",
            "no-answer",
        )
        self._said.update({(call, ref): answers.get(ref, late) for ref in new})
        return {ref: self._said[call, ref] for ref in refs}

    def _answer(
        self, operation: str, call: Callable[[Any, Domain, PackageRef], Answer], ref: PackageRef
    ) -> Answer | ListingError:
        domain, failed = self._endpoint.domain, (operation, ref.repository)
        if failed in self._failed:
            return self._failed[failed]
        try:
            return call(self._clients.client(domain.region), domain, ref)
        except ASKING_FAILS as error:
            finding = explain(error, domain, self._profile, repository=ref.repository)
            return self._failed.setdefault(failed, ListingError.of(finding))
