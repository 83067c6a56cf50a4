"""Parallel calls with a time limit."""

from __future__ import annotations

import threading

from codeartifact_pipenv.lookups.parallel import ask_all


def test_every_answer_is_returned_even_if_it_is_none() -> None:
    questions = {number: (lambda number=number: number * 2 or None) for number in range(100)}
    assert ask_all(questions, 10) == {number: number * 2 or None for number in range(100)}
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


def test_each_thread_asks_one_at_a_time_and_nothing_after_the_limit() -> None:
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
