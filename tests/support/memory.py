"""Memory that a call takes."""

from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_T = TypeVar("_T")


def peak_of(act: Callable[[], _T]) -> tuple[_T, int]:
    """Return the result of a call and the peak of the memory allocated in it, in bytes."""
    tracemalloc.start()
    try:
        made = act()
        return made, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
