"""Signals of a child process: a signal that arrives before it starts is not lost."""

from __future__ import annotations

import os
import signal
import sys

import pytest

from codeartifact_pipenv.processes.child import Interrupted, signals

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals as on POSIX")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=str)
@pytest.mark.parametrize("children", [0, 1])
def test_signal_before_a_child_keeps_it_from_starting(number: int, children: int) -> None:
    with signals() as received:
        for _ in range(children):
            assert received.run([sys.executable, "-c", "pass"], {}) == 0
            received.reset()
            received.check()
        os.kill(os.getpid(), number)
        with pytest.raises(Interrupted) as told:
            received.run(["/no/such/program"], {})
    assert told.value.number == number
