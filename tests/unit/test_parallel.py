"""Parallel calls with a time limit."""

from __future__ import annotations

import threading
import time

from codeartifact_pipenv.lookups.parallel import ask_all


def test_every_answer_is_returned_even_none() -> None:
    questions = {number: (lambda number=number: number * 2 or None) for number in range(100)}
    assert ask_all(questions, 10) == {number: number * 2 or None for number in range(100)}


def test_no_questions_have_no_answers() -> None:
    assert ask_all({}, 10) == {}


def test_a_function_that_raises_has_no_answer() -> None:
    assert ask_all({"bad": lambda: 1 // 0, "good": lambda: 1}, 10, threads=1) == {"good": 1}


def test_a_function_that_hangs_does_not_delay_the_others() -> None:
    release = threading.Event()
    try:
        found = ask_all({"hangs": release.wait, "good": lambda: True}, 0.3, threads=2)
        assert found == {"good": True}
    finally:
        release.set()


def test_nothing_is_called_after_the_time_limit() -> None:
    release, asked = threading.Event(), []
    before = set(threading.enumerate())

    def question() -> bool:
        asked.append(1)
        return release.wait()

    found = ask_all(dict.fromkeys(range(50), question), 0.2, threads=4)
    release.set()
    ours = set(threading.enumerate()) - before
    assert all(thread.daemon for thread in ours)
    for thread in ours:
        thread.join(5)
    assert found == {}
    assert len(asked) == 4


def test_the_number_of_threads_is_limited() -> None:
    lock, now, most = threading.Lock(), 0, 0

    def question() -> None:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.005)
        with lock:
            now -= 1

    ask_all(dict.fromkeys(range(30), question), 10, threads=3)
    assert most <= 3
