"""Reads the output of pip while pipenv runs, without a change to what the user sees.

pipenv prints on its stderr what a failing pip says. Where that is a pipe or a file of its own, the
text is read on its way there. On a terminal, which pipenv must see as one, and where stdout goes the same
way, since the order of the two would not be kept, pip writes a log instead: that costs pip a tenth
of its time for a page of many wheels, so it is not done everywhere.
"""

from __future__ import annotations

import contextlib
import os
import threading

from codeartifact_pipenv.files.reading import read_end

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from codeartifact_pipenv.wrapper.run_files import PrivateFolder

LOG_VARIABLE = "PIP_LOG"
_MOST_BYTES = 1 << 18
_BLOCK = 1 << 16
_STDOUT, _STDERR = 1, 2
# How long to wait for the end of a pipe that a child left running may hold open.
_LAST_SECONDS = 1.0


class PipOutput:
    """The output of pip in one run of pipenv.

    Args:
        environ: the environment as pipenv will see it.
        folder: where a log is written that the user has not asked for.

    Attributes:
        variables: what pipenv has to be given for it.
    """

    def __init__(self, environ: dict[str, str], folder: PrivateFolder) -> None:
        self.variables: dict[str, str] = {}
        self._said = b""
        self._log: str | None = None
        self._start = 0
        if _is_apart(_STDERR, _STDOUT):
            return
        self._log = environ.get(LOG_VARIABLE) or _configured_log(environ)
        if self._log is None:
            self._log = os.path.join(folder.path, "pip.log")
            self.variables = {LOG_VARIABLE: self._log}
        self._log = os.path.expanduser(self._log)
        with contextlib.suppress(OSError):
            self._start = os.stat(self._log).st_size

    @contextlib.contextmanager
    def stderr(self) -> Iterator[int | None]:
        """Return the descriptor of the child's stderr, for the block in which it runs.

        None for this process's own.
        """
        if self._log is not None:
            yield None
            return
        reading, writing = os.pipe()
        reader = threading.Thread(target=self._pass_on, args=(reading,), daemon=True)
        reader.start()
        try:
            yield writing
        finally:
            os.close(writing)
            reader.join(_LAST_SECONDS)

    def text(self) -> str:
        """Return the last of what was said."""
        said = self._said
        if self._log is not None:
            with contextlib.suppress(OSError):
                said = read_end(self._log, self._start, _MOST_BYTES)
        return said.decode(errors="replace")

    def _pass_on(self, reading: int) -> None:
        # (Where nobody reads on, the child gets what it would have got from stderr itself.)
        try:
            while block := os.read(reading, _BLOCK):
                self._said = (self._said + block)[-_MOST_BYTES:]
                while block:
                    block = block[os.write(_STDERR, block) :]
        except OSError:
            return
        finally:
            os.close(reading)


def _is_apart(one: int, other: int) -> bool:
    """Whether a descriptor is neither a terminal nor closed, nor leads where another one leads."""
    try:
        status = os.fstat(one)
    except OSError:
        return False
    if os.isatty(one):
        return False
    with contextlib.suppress(OSError):
        return not os.path.samestat(status, os.fstat(other))
    return True


def _configured_log(environ: dict[str, str]) -> str | None:
    from codeartifact_pipenv.files.pip_config import words

    return " ".join(words("log", environ)) or None
