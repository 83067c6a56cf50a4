"""Parallel calls with a time limit."""

from __future__ import annotations

import threading

from codeartifact_pipenv.lookups.parallel import ask_all


def test_a_function_that_raises_has_no_answer() -> None:
    assert ask_all({"bad": lambda: 1 // 0, "good": lambda: 1}, 10, threads=1) == {"good": 1}


def test_a_function_that_hangs_does_not_delay_the_others() -> None:
    release = threading.Event()
    try:
        found = ask_all({"hangs": release.wait, "good": lambda: True}, 0.3, threads=2)
        assert found == {"good": True}
    finally:
        release.set()
