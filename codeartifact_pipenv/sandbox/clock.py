"""The sandbox's clock, which may differ from the machine's."""

from __future__ import annotations

import time
from datetime import datetime, timezone


def iso_time(moment: datetime) -> str:
    """Return a UTC datetime as pages write upload times."""
    return f"{moment:%Y-%m-%dT%H:%M:%S.%fZ}"


class Clock:
    """Tells the time as AWS has it.

    Attributes:
        offset: seconds that it is ahead of the machine's clock; negative where it is behind.
    """

    def __init__(self) -> None:
        self.offset: float = 0

    def time(self) -> float:
        """Return the time in seconds since the epoch."""
        return time.time() + self.offset

    def now(self) -> datetime:
        """Return the time as an aware UTC datetime."""
        return datetime.fromtimestamp(self.time(), timezone.utc)
