"""What a command that failed has seen while it ran."""

from __future__ import annotations

from http import HTTPStatus
from typing import NamedTuple

from codeartifact_pipenv.lookups.index_client import Answer
from codeartifact_pipenv.wrapper.absent_files import AbsentFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from codeartifact_pipenv.checks.network.repository import Login
    from codeartifact_pipenv.proxy_index.index import ProxyIndex
    from codeartifact_pipenv.wrapper.completion import Completion
    from codeartifact_pipenv.wrapper.failed_run import FailedRun


class RunFacts(NamedTuple):
    """What a failed command saw.

    Attributes:
        failed: the command; None to check the project as it is.
    """

    failed: FailedRun | None

    @property
    def proxy(self) -> ProxyIndex | None:
        """The proxy index that the command used, if any."""
        return self.failed.proxy if self.failed else None

    @property
    def completion(self) -> Completion | None:
        """The one index that the sources made for the command, if any."""
        return self.failed.completion if self.failed else None

    @property
    def places(self) -> dict[str, int]:
        """By name of a package, the number of the repository that served it; negative for none."""
        return dict(self.proxy.found) if self.proxy else {}

    def _number(self, login: Login) -> int | None:
        """Return the number of a repository in the command's proxy index."""
        endpoints = self.completion.endpoints if self.completion and self.proxy else ()
        return endpoints.index(login.endpoint) if login.endpoint in endpoints else None

    def says_missing(self, login: Login) -> bool:
        """Whether a repository was found not to exist while the command ran."""
        return self.proxy is not None and self._number(login) in self.proxy.missing

    def refusals_of(self, login: Login) -> list[int | None]:
        """Return the statuses with which a repository refused the command."""
        number = self._number(login)
        refused = self.proxy.refused.values() if self.proxy and number is not None else ()
        return [each.status for each in refused if each.number == number and not each.filename]

    def absent_files(self) -> Iterator[AbsentFile]:
        """Yield the files that repositories list and did not serve."""
        if self.failed is not None and self.failed.absent is not None:
            yield self.failed.absent
        index = self.proxy
        for project, refused in (index.refused if index else {}).items():
            if index is not None and refused.filename:
                endpoint = index.upstreams[refused.number].endpoint
                yield AbsentFile(endpoint, project, refused.filename)

    def pages(self, logins: Iterable[Login]) -> dict[tuple[str, str], Answer]:
        """Return what repositories answered to the proxy index while the command ran."""
        proxy = self.proxy if self.completion else None
        if proxy is None:
            return {}
        numbers = {login.source: self._number(login) for login in logins}
        found: dict[tuple[str, str], Answer] = {}
        for name, number in proxy.found.items():
            listing = proxy.seen(name)
            for source, own in numbers.items():
                if own is None:
                    continue
                if own == number and listing is not None and listing.files is not None:
                    found[source, name] = Answer(HTTPStatus.OK, None, listing.files)
                elif own in proxy.candidates(name) and (number < 0 or own < number):
                    found[source, name] = Answer(HTTPStatus.NOT_FOUND)
        return found
