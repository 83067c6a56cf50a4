"""Many calls of AWS's API about one domain: a bounded number at a time, and none twice."""

from __future__ import annotations

from typing import TypeVar

from codeartifact_pipenv.auth.aws import ASKING_FAILS
from codeartifact_pipenv.auth.aws_errors import explain
from codeartifact_pipenv.errors import ListingError
from codeartifact_pipenv.lookups.connection import Connection
from codeartifact_pipenv.lookups.parallel import ask_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from codeartifact_pipenv.auth.caller import Caller
    from codeartifact_pipenv.endpoint import RepositoryEndpoint
    from codeartifact_pipenv.lookups.repository_api import PackageRef

Answer = TypeVar("Answer")

# ListPackages and ListPackageVersions have 200 calls a second each (quotas of CodeArtifact);
# what is over that, botocore tries again.
_THREADS = 8
_TRIES, _SECONDS = 5, 15.0
_LONGEST = 300.0


class AwsBatch:
    """Asks about the domain of one endpoint. A failure is an answer, too.

    Args:
        endpoint: in the domain.
        caller: as whom.
    """

    def __init__(self, endpoint: RepositoryEndpoint, caller: Caller) -> None:
        self._endpoint = endpoint
        self._connection = Connection(caller, _SECONDS, _TRIES)
        self._profile = caller.profile
        self._said: dict[tuple[str, PackageRef], Any] = {}
        self._failed: dict[tuple[str, str], ListingError] = {}

    def ask(
        self,
        operation: str,
        question: str,
        ask: Callable[[Any, PackageRef], Answer],
        refs: Iterable[PackageRef],
    ) -> dict[PackageRef, Answer | ListingError]:
        """Ask one question about several things.

        Where an operation failed for a repository, it is not asked there any more: what
        botocore has tried several times fails for the other packages likewise.

        Args:
            operation: of AWS, which answers the question.
            question: names it.
            ask: asks it with a client.
            refs: the packages, or repositories, that it is asked about.
        """
        keys = {(question, ref): ref for ref in refs}

        def attempt(ref: PackageRef) -> Answer | ListingError:
            where = (operation, ref.repository)
            if where in self._failed:
                return self._failed[where]
            try:
                return ask(self._connection.client(self._endpoint.domain.region), ref)
            except ASKING_FAILS as error:
                domain, name = self._endpoint.domain, ref.repository
                said = explain(error, domain, self._profile, repository=name)
                return self._failed.setdefault(where, ListingError.of(said))

        def later(ref: PackageRef) -> Callable[[], Answer | ListingError]:
            return lambda: attempt(ref)

        new = {key: later(ref) for key, ref in keys.items() if key not in self._said}
        answers = ask_all(new, _LONGEST, _THREADS)
        late = ListingError(
            f"AWS has not answered every question about {self._endpoint.domain} in time.",
            "Try again, or ask about fewer repositories.",
            "no-answer",
        )
        self._said.update({key: answers.get(key, late) for key in new})
        return {ref: self._said[key] for key, ref in keys.items()}
