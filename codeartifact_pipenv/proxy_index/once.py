"""Values that are created once, by the first thread that needs them."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_T = TypeVar("_T")


class Once(Generic[_T]):
    """Creates the value of each key once; after an error, the next caller tries again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cells: dict[str, tuple[threading.Lock, list[_T]]] = {}

    def get(self, key: str, make: Callable[[], _T]) -> _T:
        """Return the value, created if needed; raises as ``make`` does."""
        with self._lock:
            alone, made = self._cells.setdefault(key, (threading.Lock(), []))
        with alone:
            if not made:
                made.append(make())
            return made[0]

    def peek(self, key: str) -> _T | None:
        """Return the value if it exists."""
        with self._lock:
            cell = self._cells.get(key)
        return cell[1][0] if cell and cell[1] else None
