"""Many questions at once, within a time limit."""

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
    """Ask questions in parallel, and return the answers that came in time.

    The threads are daemons: unlike those of a ThreadPoolExecutor, one that hangs in a name
    server's time-out does not delay the end of the process.

    Args:
        questions: functions by key; one that raises has no answer.
        seconds: how long to wait for all of them.
        threads: how many are asked at a time.
    """
    waiting: queue.SimpleQueue[Key] = queue.SimpleQueue()
    for key in questions:
        waiting.put(key)
    # For each question its key and answer, or nothing if it raised.
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
