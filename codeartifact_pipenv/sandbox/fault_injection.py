"""Denials, faults, limits and clocks that a test gives to a sandbox."""

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
    """The faults of a sandbox; ``sandbox run --fault`` can begin with each (``controls``)."""

    _state: State

    def deny(self, action: str, endpoint: RepositoryEndpoint | None = None) -> None:
        """Refuse an IAM action, such as ``codeartifact:GetAuthorizationToken``, from now on.

        That is an explicit deny to everybody; what is not denied is allowed to every user and
        role of the sandbox.

        Args:
            action: the action.
            endpoint: the repository for which it is refused; None for everything.

        Raises:
            SandboxError: it is not an action of CodeArtifact, STS or IAM.
        """
        if _ACTION.fullmatch(action) is None:
            raise SandboxUsageError(
                f"{action} is not an action that can be denied.",
                "Write it as in a policy, such as codeartifact:ReadFromRepository.",
            )
        self._state.denied.add((action, _resource(endpoint)))

    def allow(self, action: str, endpoint: RepositoryEndpoint | None = None) -> None:
        """Undo :meth:`deny` with the same arguments."""
        self._state.denied.discard((action, _resource(endpoint)))

    def throttle(self, calls: int, retry_after: int = 1) -> None:
        """Refuse the next so many CodeArtifact API calls, naming a wait in seconds.

        It replaces a limit of :meth:`limit_rate`.
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
        """Answer requests with an HTTP status, as a service in trouble does.

        Each target (``on`` and ``name``) has one fault of a kind at a time, the last that was
        asked for; the other faults below take the same arguments.

        Args:
            status: from 400 to 599, such as 503.
            times: how many requests; None for all, until :meth:`heal`.
            on: ``packages`` for the repositories' own hosts, or only ``pages``, ``files`` or
                ``uploads`` of these; ``assets`` for the host that files are redirected to;
                ``public`` for pypi.org, if the sandbox plays it; ``api`` for CodeArtifact's API.
            name: a package's normalised name, or an operation of the API; None for any. The
                name of an upload is not known before its form is read.

        Raises:
            SandboxError: there is no such fault.
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
        """Answer requests later; see :meth:`fault`."""
        self._state.faults.add("delay", seconds, times, Target(on, name))

    def latency(self, seconds: float) -> None:
        """Let each round trip to any host of the sandbox take longer, until :meth:`heal`.

        A new connection costs two (TCP and TLS), and each request one.

        Raises:
            SandboxError: it is below 0.
        """
        if seconds < 0:
            raise SandboxUsageError(f"The latency cannot be {seconds:g}.", "Take 0 or more.")
        self._state.faults.latency = seconds

    def bandwidth(self, bytes_per_second: int) -> None:
        """Let all bodies share a line of so many bytes per second, until :meth:`heal`.

        Raises:
            SandboxError: it is below 1.
        """
        if bytes_per_second < 1:
            raise SandboxUsageError(
                f"The bandwidth cannot be {bytes_per_second}.", "Take 1 or more."
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
        """Reset the connection after so many bytes of an answer's head; see :meth:`fault`."""
        self._state.faults.add("reset-head", after, times, Target(on, name))

    def reset(
        self,
        after: int = 0,
        *,
        times: int | None = None,
        on: str = "files",
        name: str | None = None,
    ) -> None:
        """Reset the connection after so many bytes of a body; see :meth:`fault`."""
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
        """Change one byte of a body, so that its hash is wrong; see :meth:`fault`."""
        self._state.faults.add("corrupt", at, times, Target(on, name))

    def limit_rate(
        self, calls: int | None, *, times: int | None = None, name: str | None = None
    ) -> None:
        """Grant so many CodeArtifact API calls in any second, and throttle more.

        Args:
            calls: how many; None for all.
            times: how many are throttled before the limit ends; None for no end.
            name: the operation that is counted and limited; None for all together.
        """
        self._state.call_limit, self._state.limited_operation = RateLimit(calls, times), name
        self._state.retry_after = 1

    def limit_reads(self, reads: int | None, *, times: int | None = None) -> None:
        """Grant each token so many requests to package endpoints in any second.

        AWS's own limit is 1,200. What is more gets the status 429.

        Args:
            reads: how many; None for all.
            times: how many are throttled before the limit ends; None for no end.
        """
        self._state.read_limit = RateLimit(reads, times)

    def heal(self) -> None:
        """Undo every fault: status, delay, head, body, latency, bandwidth, throttling, limits."""
        self._state.faults.clear()
        self.limit_rate(None)
        self.limit_reads(None)

    def revoke_tokens(self) -> None:
        """Make every token that was issued so far invalid."""
        self._state.tokens.revoke_all()

    @property
    def token_life(self) -> float | None:
        """Seconds that new tokens live, whatever is asked; None for what is asked."""
        return self._state.token_life

    @token_life.setter
    def token_life(self, seconds: float | None) -> None:
        self._state.token_life = seconds

    @property
    def maximum_duration(self) -> int | None:
        """Seconds that a token may be asked for; None for no bound but AWS's own.

        More is denied, as by a condition on ``sts:DurationSeconds`` in the policy that allows
        ``sts:GetServiceBearerToken``. 0 passes every bound: what is asked is compared.
        """
        return self._state.maximum_duration

    @maximum_duration.setter
    def maximum_duration(self, seconds: int | None) -> None:
        self._state.maximum_duration = seconds

    @property
    def clock_offset(self) -> float:
        """Seconds that AWS's clock is ahead of the machine's; negative where it is behind.

        It counts for signatures, for the ``Date`` of every answer, and for when tokens are
        issued and end. What STS hands out keeps the machine's time.
        """
        return self._state.clock.offset

    @clock_offset.setter
    def clock_offset(self, seconds: float) -> None:
        self._state.clock.offset = seconds


def _resource(endpoint: RepositoryEndpoint | None) -> str | None:
    if endpoint is None:
        return None
    return repository_arn(endpoint.domain, endpoint.repository or "")
