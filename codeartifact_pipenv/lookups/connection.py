"""AWS's API as one identity sees it: one session, and a client for each region."""

from __future__ import annotations

import threading
from typing import Any

from botocore.config import Config

from codeartifact_pipenv.auth.aws import forbid_prompts, open_session

TYPE_CHECKING = False
if TYPE_CHECKING:
    import botocore.session

    from codeartifact_pipenv.aws.caller import Caller


class Connection:
    """Makes clients when they are needed; safe to use from threads.

    Args:
        caller: as whom.
        seconds: time-out of each try of a call.
        tries: how often a call is tried.
        may_prompt: whether the user may be asked for a second factor.
    """

    def __init__(
        self,
        caller: Caller,
        seconds: float,
        tries: int,
        *,
        may_prompt: bool = True,
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
        self._chosen: botocore.session.Session | None = None
        self._lock = threading.RLock()  # clients may be shared by threads, sessions may not

    def client(self, region: str, service: str = "codeartifact") -> Any:
        """Return a client of a service in a region.

        Raises:
            Exception: whatever botocore raises, such as for a profile that does not exist.
        """
        with self._lock:
            if (region, service) not in self._clients:
                self._clients[region, service] = self.session().create_client(
                    service, region_name=region, config=self._config
                )
            return self._clients[region, service]

    def session(self) -> botocore.session.Session:
        """Return the session, made at its first use; errors are those of botocore."""
        with self._lock:
            if self._chosen is None:
                self._chosen = open_session(self._caller)
                if not self._may_prompt:
                    forbid_prompts(self._chosen)
            return self._chosen
