"""Clients of the AWS API for one identity: one session, one client for each region."""

from __future__ import annotations

import threading
from typing import Any

from botocore.config import Config

from codeartifact_pipenv.auth.aws import forbid_prompts, open_session

TYPE_CHECKING = False
if TYPE_CHECKING:
    import botocore.session

    from codeartifact_pipenv.aws.caller import Caller


class AwsClients:
    """Creates clients when they are needed; can be used from several threads.

    Args:
        caller: the identity that makes the calls.
        seconds: timeout of each attempt of a call.
        tries: the number of attempts.
        may_prompt: whether to ask the user for a second factor.
    """

    def __init__(
        self, caller: Caller, seconds: float, tries: int, *, may_prompt: bool = True
    ) -> None:
        self._caller = caller
        self._may_prompt = may_prompt
        self._config = Config(
            connect_timeout=seconds,
            read_timeout=seconds,
            retries={"mode": "standard", "total_max_attempts": tries},
            parameter_validation=False,
            max_pool_connections=16,
        )
        self._clients: dict[tuple[str, str], Any] = {}
        self._session: botocore.session.Session | None = None
        self._lock = threading.RLock()  # botocore sessions are not thread-safe

    def client(self, region: str, service: str = "codeartifact") -> Any:
        """Return a client of a service in a region.

        Raises:
            Exception: any error of botocore, such as for a missing profile.
        """
        with self._lock:
            if (region, service) not in self._clients:
                self._clients[region, service] = self.session().create_client(
                    service, region_name=region, config=self._config
                )
            return self._clients[region, service]

    def session(self) -> botocore.session.Session:
        """Return the session; raise the errors of botocore."""
        with self._lock:
            if self._session is None:
                self._session = open_session(self._caller)
                if not self._may_prompt:
                    forbid_prompts(self._session)
            return self._session
