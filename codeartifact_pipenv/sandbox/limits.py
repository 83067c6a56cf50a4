"""A limit of so many in any second."""

from __future__ import annotations

import time
from collections import defaultdict, deque


class RateLimit:
    """Grants so many (None for all) in any second to each caller, until it has refused some times.

    Not safe between threads.
    """

    def __init__(self, most: int | None = None, times: int | None = None) -> None:
        self._most = most
        self._times = times
        self._granted: defaultdict[str, deque[float]] = defaultdict(deque)

    def grants(self, who: str = "") -> bool:
        """Count one; whether it is within the limit."""
        if self._most is None:
            return True
        now, granted = time.monotonic(), self._granted[who]
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
