"""Methods of the sandbox that inject denials, faults, limits and clock errors."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from codeartifact_pipenv.sandbox.clock import RateLimit
from codeartifact_pipenv.sandbox.errors import SandboxUsageError
from codeartifact_pipenv.sandbox.faults import Target
from codeartifact_pipenv.sandbox.hosts import repository_arn

if TYPE_CHECKING:
    from codeartifact_pipenv.endpoint import RepositoryEndpoint
    from codeartifact_pipenv.sandbox.state import State

_ACTION = re.compile("(?:codeartifact|sts|iam):[A-Za-z]+")


class FaultInjection:
    """The faults of a sandbox; ``sandbox run --fault`` starts with them."""

    _state: State

    def deny(self, action: str, endpoint: RepositoryEndpoint | None = None) -> None:
        """Deny an IAM action, such as ``codeartifact:GetAuthorizationToken``, to every caller.

        Actions that are not denied are allowed to every user and role of the sandbox.

        Args:
            action: the action.
            endpoint: the repository for which it is denied; by default all resources.

        Raises:
            SandboxError: the action does not belong to CodeArtifact, STS or IAM.
        """
        if _ACTION.fullmatch(action) is None:
            raise SandboxUsageError(
                f"{action} is not an action that can be denied.",
                "Write it as in an IAM policy, such as codeartifact:ReadFromRepository.",
            )
        self._state.denied.add((action, _resource(endpoint)))

    def allow(self, action: str, endpoint: RepositoryEndpoint | None = None) -> None:
        """Undo :meth:`deny` with the same arguments."""
        self._state.denied.discard((action, _resource(endpoint)))

    def throttle(self, calls: int, retry_after: int = 1) -> None:
        """Throttle the next CodeArtifact API calls; ``retry_after`` is in seconds.

        This replaces a limit set by :meth:`limit_rate`.
        """
        self.limit_rate(0 if calls else None, times=calls)
        self._state.retry_after = retry_after

    def fault(
        self,
        status: int,
        *,
        times: int | None = None,
        on: str = "packages",
        name: str | None = None,
    ) -> None:
        """Answer requests with an HTTP error status.

        For each combination of ``on`` and ``name``, a later fault of the same kind replaces
        an earlier one. The other faults below take the same arguments.

        Args:
            status: from 400 to 599, such as 503.
            times: how many requests; by default all until :meth:`heal`.
            on: ``packages`` for all requests to repositories, or only their ``pages``,
                ``files`` or ``uploads``; ``assets`` for the host that files are redirected to;
                ``public`` for pypi.org, if the sandbox serves it; ``api`` for CodeArtifact's API.
            name: a package's normalised name or an API operation; by default any. An upload's
                name is not known before its form is read.

        Raises:
            SandboxError: an argument is out of range.
        """
        self._state.faults.add("status", status, times, Target(on, name))

    def delay(
        self,
        seconds: float,
        *,
        times: int | None = None,
        on: str = "packages",
        name: str | None = None,
    ) -> None:
        """Delay answers; see :meth:`fault`."""
        self._state.faults.add("delay", seconds, times, Target(on, name))

    def latency(self, seconds: float) -> None:
        """Add seconds to each round trip to a sandbox host, until :meth:`heal`.

        A new connection takes two round trips, for TCP and TLS; each request takes one.

        Raises:
            SandboxError: the latency is negative.
        """
        if seconds < 0:
            raise SandboxUsageError(f"The latency cannot be {seconds:g}.", "Choose 0 or more.")
        self._state.faults.latency = seconds

    def bandwidth(self, bytes_per_second: int) -> None:
        """Limit the total rate of all response bodies, until :meth:`heal`.

        Raises:
            SandboxError: the bandwidth is below 1.
        """
        if bytes_per_second < 1:
            raise SandboxUsageError(
                f"The bandwidth cannot be {bytes_per_second}.", "Choose 1 or more."
            )
        self._state.faults.bandwidth = bytes_per_second

    def reset_head(
        self,
        after: int = 0,
        *,
        times: int | None = None,
        on: str = "packages",
        name: str | None = None,
    ) -> None:
        """Reset the connection after a number of bytes of the response head; see :meth:`fault`."""
        self._state.faults.add("reset-head", after, times, Target(on, name))

    def reset(
        self,
        after: int = 0,
        *,
        times: int | None = None,
        on: str = "files",
        name: str | None = None,
    ) -> None:
        """Reset the connection after a number of bytes of a body; see :meth:`fault`."""
        self._state.faults.add("reset", after, times, Target(on, name))

    def truncate(
        self,
        after: int = 0,
        *,
        times: int | None = None,
        on: str = "files",
        name: str | None = None,
    ) -> None:
        """End a body after fewer bytes than ``Content-Length`` says; see :meth:`fault`."""
        self._state.faults.add("truncate", after, times, Target(on, name))

    def corrupt(
        self,
        at: int = 0,
        *,
        times: int | None = None,
        on: str = "files",
        name: str | None = None,
    ) -> None:
        """Change one byte of a body; see :meth:`fault`."""
        self._state.faults.add("corrupt", at, times, Target(on, name))

    def limit_rate(
        self, calls: int | None, *, times: int | None = None, name: str | None = None
    ) -> None:
        """Limit the CodeArtifact API calls in any second, and throttle the others.

        Args:
            calls: how many; None removes the limit.
            times: how many calls are throttled before the limit ends; by default it stays.
            name: the operation that is limited; by default all together.
        """
        self._state.call_limit, self._state.limited_operation = RateLimit(calls, times), name
        self._state.retry_after = 1

    def limit_reads(self, reads: int | None, *, times: int | None = None) -> None:
        """Limit the requests with each token to package endpoints in any second.

        AWS's limit is 1,200. Requests above the limit get status 429.

        Args:
            reads: how many; None removes the limit.
            times: how many requests are throttled before the limit ends; by default it stays.
        """
        self._state.read_limit = RateLimit(reads, times)

    def heal(self) -> None:
        """Remove all faults and limits; denials and clock settings stay."""
        self._state.faults.clear()
        self.limit_rate(None)
        self.limit_reads(None)

    def revoke_tokens(self) -> None:
        """Invalidate all tokens issued so far."""
        self._state.tokens.revoke_all()

    @property
    def token_life(self) -> float | None:
        """Lifetime of new tokens in seconds; None uses the requested duration."""
        return self._state.token_life

    @token_life.setter
    def token_life(self, seconds: float | None) -> None:
        self._state.token_life = seconds

    @property
    def maximum_duration(self) -> int | None:
        """Longest token duration that may be requested, in seconds; None uses AWS's limit.

        A longer request is denied, like a condition on ``sts:DurationSeconds`` in a policy for
        ``sts:GetServiceBearerToken``. A request for 0 passes, because it is below the limit.
        """
        return self._state.maximum_duration

    @maximum_duration.setter
    def maximum_duration(self, seconds: int | None) -> None:
        self._state.maximum_duration = seconds

    @property
    def clock_offset(self) -> float:
        """Seconds that AWS's clock is ahead of the machine's; negative if behind.

        It applies to signatures, ``Date`` headers and tokens. Credentials from STS use the
        machine's clock.
        """
        return self._state.clock.offset

    @clock_offset.setter
    def clock_offset(self, seconds: float) -> None:
        self._state.clock.offset = seconds


def _resource(endpoint: RepositoryEndpoint | None) -> str | None:
    if endpoint is None:
        return None
    return repository_arn(endpoint.domain, endpoint.repository or "")
