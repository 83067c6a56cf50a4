"""Many questions at once, for no longer than is bearable."""

from __future__ import annotations

import queue
import threading
import time
from typing import Generic, TypeVar

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

    The threads are daemons: one that hangs in a name server's time-out keeps nobody waiting,
    not even the end of the process (a ThreadPoolExecutor would).

    Args:
        questions: functions by key; one that raises has no answer.
        seconds: how long to wait for all of them.
        threads: how many are asked at a time.
    """
    waiting: queue.SimpleQueue[Key] = queue.SimpleQueue()
    for key in questions:
        waiting.put(key)
    answers = _Answers[Key, Answer](len(questions))

    def work() -> None:
        while not answers.closed:
            try:
                key = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                answers.add(key, questions[key]())
            except Exception:  # noqa: BLE001 - an unanswered question, whatever it met
                answers.miss()

    for _ in range(min(threads, len(questions))):
        threading.Thread(target=work, daemon=True).start()
    return answers.wait(time.monotonic() + seconds)


class _Answers(Generic[Key, Answer]):
    def __init__(self, expected: int) -> None:
        self.closed = False
        self._missing = expected
        self._found: dict[Key, Answer] = {}
        self._changed = threading.Condition()

    def add(self, key: Key, answer: Answer) -> None:
        with self._changed:
            if not self.closed:
                self._found[key] = answer
            self._missing -= 1
            self._changed.notify()

    def miss(self) -> None:
        with self._changed:
            self._missing -= 1
            self._changed.notify()

    def wait(self, deadline: float) -> dict[Key, Answer]:
        with self._changed:
            while self._missing > 0 and (left := deadline - time.monotonic()) > 0:
                self._changed.wait(left)
            self.closed = True
            return dict(self._found)
