"""Faults on demand: AWS in trouble, and a network that breaks."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, NamedTuple

from codeartifact_pipenv.sandbox.errors import SandboxUsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from werkzeug.wrappers import Response

PLACES = ("packages", "pages", "files", "uploads", "assets", "public", "api")
"""Where a fault can be. ``packages`` is any of pages, files and uploads."""
# Shorter waits are left to add up: they take longer than they say.
_LEAST_WAIT_SECONDS = 0.001
_BODY_KINDS = ("reset", "truncate", "corrupt")
_PARTIAL_OR_WHOLE = (200, 206)
_STATUSES = range(400, 600)


class BrokenOffError(Exception):
    """The connection ends here, in the middle of an answer: by a reset, or properly."""

    def __init__(self, *, reset: bool) -> None:
        super().__init__("a fault that was asked for")
        self.reset = reset


class Target(NamedTuple):
    """What a fault is for: one of PLACES, and a normalised name, an operation or None for any."""

    place: str
    name: str | None


class Faults:
    """Which requests fail, and how. Each target has one fault of a kind at a time.

    Attributes:
        latency: seconds that each round trip takes longer.
        bandwidth: bytes of bodies that all connections together get in a second; None for no
            limit.
    """

    def __init__(self) -> None:
        self.latency: float = 0
        self.bandwidth: int | None = None
        self._line_is_free = 0.0
        self._waiting: dict[tuple[str, Target], tuple[float, int | None]] = {}
        self._lock = threading.Lock()
        self._over = threading.Event()

    def add(self, kind: str, value: float, times: int | None, target: Target) -> None:
        """Let the next so many requests fail, or all until :meth:`clear` where None.

        Args:
            kind: ``status``, ``delay``, ``reset-head``, ``reset``, ``truncate`` or ``corrupt``.
            value: the status, the seconds, or the byte of head or body where it begins.
            times: how many requests.
            target: which.

        Raises:
            SandboxUsageError: there is no such fault.
        """
        possible = value in _STATUSES if kind == "status" else value >= 0
        if not possible or target.place not in PLACES or (times is not None and times < 1):
            often = "" if times is None else f", {times} times"
            raise SandboxUsageError(
                f"There can be no {kind} {value:g} on {target.place}{often}.",
                "Take a status from 400 to 599, or a number that is not below 0, on one of"
                f" {', '.join(PLACES)}, at least once.",
            )
        with self._lock:
            self._waiting[kind, target] = (value, times)

    def clear(self) -> None:
        """Forget every fault."""
        with self._lock:
            self._waiting.clear()
        self.latency, self.bandwidth = 0, None

    def end(self) -> None:
        """Let nobody wait any more."""
        self._over.set()

    def travel(self, round_trips: int) -> None:
        """Wait as long as so many round trips take longer."""
        if self.latency:
            self._over.wait(self.latency * round_trips)

    def transfer(self, size: int) -> None:
        """Wait until so many bytes have gone over the line that all connections share."""
        if self.bandwidth is None:
            return
        with self._lock:
            now = time.monotonic()
            self._line_is_free = max(now, self._line_is_free) + size / self.bandwidth
            seconds = self._line_is_free - now
        if seconds > _LEAST_WAIT_SECONDS:
            self._over.wait(seconds)

    def meet(self, places: tuple[str, ...], name: str | None) -> int | None:
        """Wait as long as a fault says; return the status that one says, else None."""
        seconds = self.take("delay", places, name)
        if seconds:
            self._over.wait(seconds)
        status = self.take("status", places, name)
        return None if status is None else int(status)

    def take(self, kind: str, places: tuple[str, ...], name: str | None) -> float | None:
        """Count one request; return what a fault of the kind says, None if all is well."""
        with self._lock:
            for target in (Target(place, each) for each in (name, None) for place in places):
                value, times = self._waiting.get((kind, target), (None, None))
                if value is None:
                    continue
                if times == 1:
                    del self._waiting[kind, target]
                elif times is not None:
                    self._waiting[kind, target] = (value, times - 1)
                return value
        return None

    def spoil(self, response: Response, places: tuple[str, ...], name: str | None) -> None:
        """Break an answer's body as faults say; its head stays as it is."""
        if response.status_code not in _PARTIAL_OR_WHOLE:
            return
        for kind in _BODY_KINDS:
            at = self.take(kind, places, name)
            if at is not None:
                body = response.iter_encoded()
                response.direct_passthrough = False
                response.call_on_close(getattr(response.response, "close", lambda: None))
                response.response = _spoiled(body, kind, int(at))


def _spoiled(body: Iterator[bytes], kind: str, at: int) -> Iterator[bytes]:
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
