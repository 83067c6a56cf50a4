"""Signals of a child process: a signal that arrives before it starts is not lost."""

from __future__ import annotations

import os
import signal
import sys

import pytest

from codeartifact_pipenv.processes.child import Interrupted, signals

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals as on POSIX")
NOTHING = [sys.executable, "-c", "pass"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=str)
@pytest.mark.parametrize("children", [0, 1])
def test_signal_before_a_child_keeps_it_from_starting(number: int, children: int) -> None:
    with signals() as received:
        for _ in range(children):
            assert received.run(NOTHING, {}) == 0
            received.reset()
            received.check()
        os.kill(os.getpid(), number)
        with pytest.raises(Interrupted) as told:
            received.run(["/no/such/program"], {})
    assert told.value.number == number


def test_signal_is_forwarded_to_the_second_child() -> None:
    code = "import os, signal, time; os.kill(os.getppid(), signal.SIGTERM); time.sleep(30)"
    with signals() as received:
        assert received.run(NOTHING, {}) == 0
        received.reset()
        words = [sys.executable, "-c", code]
        assert received.run(words, {}) == -signal.SIGTERM
    assert received.arrived
