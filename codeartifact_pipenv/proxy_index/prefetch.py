"""Fetching pages in the background before pipenv requests them."""

from __future__ import annotations

import contextlib
import functools
import queue
import threading

from codeartifact_pipenv.project.pipfile import normalise

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_WORKERS = 8
_MOST_NAMES = 2000

_workers: list[threading.Thread] = []


def is_at_work() -> bool:
    """Whether threads of any prefetcher are running, even after ``stop``."""
    return any(worker.is_alive() for worker in _workers)


class Prefetcher:
    """Fetches the page of each name once; errors are ignored, and the client's request tries again.

    Args:
        fetch: fetches the page of a normalised name.
        names: the names already requested; new names are added to this set.
    """

    def __init__(self, fetch: Callable[[str], object], names: set[str]) -> None:
        self._fetch = fetch
        self._names = names
        self._work: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()

    def start(self) -> None:
        """Start daemon threads, which do not delay the end of the process."""
        for _ in range(_WORKERS):
            worker = threading.Thread(target=self._do_work, daemon=True)
            _workers.append(worker)
            worker.start()

    def stop(self) -> None:
        """Drop waiting requests, and let each thread finish its current page."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._work.get_nowait()
        for _ in range(_WORKERS):
            self._work.put(None)

    def prefetch(self, names: Iterable[str]) -> None:
        """Fetch the pages of packages."""
        for name in map(normalise, names):
            if name not in self._names:
                self._names.add(name)
                if len(self._names) <= _MOST_NAMES:
                    self._work.put(functools.partial(self._fetch, name))

    def prefetch_requirements(self, metadata: bytes) -> None:
        """Fetch the pages of the packages that METADATA requires."""
        from codeartifact_pipenv.proxy_index.metadata import requirements_of

        self._work.put(lambda: self.prefetch(requirements_of(metadata)))

    def _do_work(self) -> None:
        while (act := self._work.get()) is not None:
            with contextlib.suppress(Exception):
                act()
