"""A child's signals: none is lost before it starts."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

import pytest

from codeartifact_pipenv.processes.child import Interrupted, signals

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals as on POSIX")


def test_signal_between_two_children(tmp_path: Path) -> None:
    """A signal that comes before another child is kept, and that child is not started."""
    written = tmp_path / "written"
    words = [sys.executable, "-c", f"open({str(written)!r}, 'a').write('x')"]
    with signals() as received:
        assert received.run(words, dict(os.environ)) == 0
        received.reset()
        received.check()
        assert received.run(words, dict(os.environ)) == 0
        received.reset()
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(Interrupted) as told:
            received.check()
    assert told.value.number == signal.SIGINT
    assert written.read_text() == "xx"


def test_signal_for_the_second_child() -> None:
    """A signal that comes while the second child runs is given to it."""
    code = "import os, signal, time; os.kill(os.getppid(), signal.SIGTERM); time.sleep(30)"
    with signals() as received:
        assert received.run([sys.executable, "-c", "pass"], dict(os.environ)) == 0
        received.reset()
        words = [sys.executable, "-c", code]
        assert received.run(words, dict(os.environ)) == -signal.SIGTERM
    assert received.arrived


def test_terminated_before_the_child_starts(tmp_path: Path) -> None:
    """After a SIGTERM while all is made ready the child is not started."""
    written = tmp_path / "written"
    words = [sys.executable, "-c", f"open({str(written)!r}, 'w')"]
    with signals() as received:
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(Interrupted) as told:
            received.run(words, dict(os.environ))
    assert told.value.number == signal.SIGTERM
    assert not written.exists()
