"""The sandbox's clock, which may differ from the machine's, and rate limits."""

from __future__ import annotations

import time
from collections import defaultdict, deque
from datetime import datetime, timezone


def iso_time(moment: datetime) -> str:
    """Return a UTC datetime in the format of upload times on pages."""
    return f"{moment:%Y-%m-%dT%H:%M:%S.%fZ}"


class Clock:
    """The time at AWS.

    Attributes:
        offset: seconds ahead of the machine's clock; negative if behind.
    """

    def __init__(self) -> None:
        self.offset: float = 0

    def time(self) -> float:
        """Return the time in seconds since the epoch."""
        return time.time() + self.offset

    def now(self) -> datetime:
        """Return the time as an aware UTC datetime."""
        return datetime.fromtimestamp(self.time(), timezone.utc)


class RateLimit:
    """Limits the calls of each caller in any second, until it has refused ``times`` calls.

    Not thread-safe. Without ``most`` every call is granted.
    """

    def __init__(self, most: int | None = None, times: int | None = None) -> None:
        self._most = most
        self._times = times
        self._granted: defaultdict[str, deque[float]] = defaultdict(deque)

    def grants(self, caller: str = "") -> bool:
        """Count a call and return whether it is within the limit."""
        if self._most is None:
            return True
        now, granted = time.monotonic(), self._granted[caller]
        while granted and granted[0] <= now - 1:
            granted.popleft()
        if len(granted) < self._most:
            granted.append(now)
            return True
        if self._times is not None:
            self._times -= 1
            if self._times <= 0:
                self._most = None
        return False
