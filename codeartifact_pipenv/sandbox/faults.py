"""Injected faults: HTTP errors, delays and broken connections."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, NamedTuple

from codeartifact_pipenv.sandbox.errors import SandboxUsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from werkzeug.wrappers import Response

PLACES = ("packages", "pages", "files", "uploads", "assets", "public", "api")
"""Places of faults; ``packages`` covers pages, files and uploads."""
# Shorter sleeps are inaccurate, so let them add up.
_LEAST_WAIT_SECONDS = 0.001
_BODY_KINDS = ("reset", "truncate", "corrupt")
_PARTIAL_OR_WHOLE = (200, 206)
_STATUSES = range(400, 600)


class BrokenOffError(Exception):
    """An injected fault ends the connection in the middle of a response."""

    def __init__(self, *, reset: bool) -> None:
        super().__init__("injected fault")
        self.reset = reset


class Target(NamedTuple):
    """One of PLACES, and a package's normalised name or an API operation; None matches any."""

    place: str
    name: str | None


class Faults:
    """The active faults; each target has at most one of a kind.

    Attributes:
        latency: extra seconds for each round trip.
        bandwidth: bytes per second that all response bodies share; None means unlimited.
    """

    def __init__(self) -> None:
        self.latency: float = 0
        self.bandwidth: int | None = None
        self._transfer_ends_at = 0.0
        self._active: dict[tuple[str, Target], tuple[float, int | None]] = {}
        self._lock = threading.Lock()
        self._stopped = threading.Event()

    def add(self, kind: str, value: float, times: int | None, target: Target) -> None:
        """Add a fault.

        Args:
            kind: ``status``, ``delay``, ``reset-head``, ``reset``, ``truncate`` or ``corrupt``.
            value: the status, the seconds, or the first affected byte of the head or body.
            times: how many requests fail; None means all until :meth:`clear`.
            target: which requests fail.

        Raises:
            SandboxUsageError: an argument is out of range.
        """
        possible = value in _STATUSES if kind == "status" else value >= 0
        if not possible or target.place not in PLACES or (times is not None and times < 1):
            often = "" if times is None else f", {times} times"
            raise SandboxUsageError(
                f"Fault {kind} {value:g} on {target.place}{often} is not supported.",
                "Choose a status from 400 to 599 or another number from 0, a count from 1, and a"
                f" place from: {', '.join(PLACES)}.",
            )
        with self._lock:
            self._active[kind, target] = (value, times)

    def clear(self) -> None:
        """Remove all faults."""
        with self._lock:
            self._active.clear()
        self.latency, self.bandwidth = 0, None

    def end(self) -> None:
        """Wake all waiting requests; later ones do not wait."""
        self._stopped.set()

    def travel(self, round_trips: int) -> None:
        """Wait for the extra latency of a number of round trips."""
        if self.latency:
            self._stopped.wait(self.latency * round_trips)

    def transfer(self, size: int) -> None:
        """Wait for the transfer of a number of bytes over the shared bandwidth."""
        if self.bandwidth is None:
            return
        with self._lock:
            now = time.monotonic()
            self._transfer_ends_at = max(now, self._transfer_ends_at) + size / self.bandwidth
            seconds = self._transfer_ends_at - now
        if seconds > _LEAST_WAIT_SECONDS:
            self._stopped.wait(seconds)

    def meet(self, places: tuple[str, ...], name: str | None) -> int | None:
        """Apply a delay fault, and return the status of a status fault if one is active."""
        seconds = self.take("delay", places, name)
        if seconds:
            self._stopped.wait(seconds)
        status = self.take("status", places, name)
        return None if status is None else int(status)

    def take(self, kind: str, places: tuple[str, ...], name: str | None) -> float | None:
        """Use a fault once and return its value, or None if none matches."""
        with self._lock:
            for target in (Target(place, each) for each in (name, None) for place in places):
                value, times = self._active.get((kind, target), (None, None))
                if value is None:
                    continue
                if times == 1:
                    del self._active[kind, target]
                elif times is not None:
                    self._active[kind, target] = (value, times - 1)
                return value
        return None

    def break_body(self, response: Response, places: tuple[str, ...], name: str | None) -> None:
        """Apply body faults to a response; its head stays unchanged."""
        if response.status_code not in _PARTIAL_OR_WHOLE:
            return
        for kind in _BODY_KINDS:
            at = self.take(kind, places, name)
            if at is not None:
                body = response.iter_encoded()
                response.direct_passthrough = False
                response.call_on_close(getattr(response.response, "close", lambda: None))
                response.response = _break_body(body, kind, int(at))


def _break_body(body: Iterator[bytes], kind: str, at: int) -> Iterator[bytes]:
    passed = 0
    for block in body:
        begins = at - passed
        passed += len(block)
        if not 0 <= begins < len(block):
            yield block
        elif kind == "corrupt":
            yield block[:begins] + bytes([block[begins] ^ 0xFF]) + block[begins + 1 :]
        else:
            yield block[:begins]
            raise BrokenOffError(reset=kind == "reset")
