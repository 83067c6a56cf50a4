"""Parallel calls with a time limit."""

from __future__ import annotations

import queue
import threading
import time
from typing import TypeVar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Key = TypeVar("Key")
Answer = TypeVar("Answer")

_THREADS = 16


def ask_all(
    questions: Mapping[Key, Callable[[], Answer]], seconds: float, threads: int = _THREADS
) -> dict[Key, Answer]:
    """Call functions in parallel and return the results that arrive in time.

    Threads are daemons, because those of ThreadPoolExecutor delay the end of the process when
    one hangs in a DNS lookup.

    Args:
        questions: functions by key; one that raises has no result.
        seconds: timeout for all of them together.
        threads: the number of threads.
    """
    waiting: queue.SimpleQueue[Key] = queue.SimpleQueue()
    for key in questions:
        waiting.put(key)
    # A key and its answer for each question, or an empty dict if it raised.
    given: queue.SimpleQueue[dict[Key, Answer]] = queue.SimpleQueue()
    is_over = threading.Event()

    def work() -> None:
        while not is_over.is_set():
            try:
                key = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                given.put({key: questions[key]()})
            except Exception:  # noqa: BLE001 - any error leaves a question unanswered
                given.put({})

    end = time.monotonic() + seconds
    for _ in range(min(threads, len(questions))):
        threading.Thread(target=work, daemon=True).start()
    answers: dict[Key, Answer] = {}
    for _ in questions:
        try:
            answers |= given.get(timeout=max(0.0, end - time.monotonic()))
        except queue.Empty:
            break
    is_over.set()
    return answers
