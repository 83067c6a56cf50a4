"""Faults on demand: answers that say that AWS itself is in trouble."""

from __future__ import annotations

import threading

from codeartifact_pipenv.sandbox.errors import SandboxUsageError

_PLACES = ("packages", "api")


class Faults:
    """Which requests get an HTTP status instead of an answer."""

    def __init__(self) -> None:
        self._waiting: dict[str, tuple[int, int | None]] = {}
        self._lock = threading.Lock()

    def add(self, status: int, times: int | None, place: str) -> None:
        """Answer with a status the next so many times, or until :meth:`clear` where None.

        Raises:
            SandboxUsageError: it is no error's status, or there is no such place.
        """
        if not 400 <= status <= 599 or place not in _PLACES or (times is not None and times < 1):  # noqa: PLR2004 - HTTP's own numbers
            raise SandboxUsageError(
                f"There can be no {status} on {place}, {times} times.",
                f"Take a status from 400 to 599, on one of {', '.join(_PLACES)}, at least once.",
            )
        with self._lock:
            self._waiting[place] = (status, times)

    def clear(self) -> None:
        """Forget every fault."""
        with self._lock:
            self._waiting.clear()

    def take(self, place: str) -> int | None:
        """Count one request; return the status to answer with, None where all is well."""
        with self._lock:
            status, times = self._waiting.get(place, (None, None))
            if status is not None and times is not None:
                if times == 1:
                    del self._waiting[place]
                else:
                    self._waiting[place] = (status, times - 1)
            return status
