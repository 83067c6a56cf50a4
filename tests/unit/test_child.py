"""A child's signals: none is lost before it starts."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

import pytest

from codeartifact_pipenv.child import Interrupted, signals

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals as on POSIX")


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
