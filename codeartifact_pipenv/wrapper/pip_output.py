"""Read the output of pip while pipenv runs, without changing what the user sees.

pipenv prints the messages of a failing pip to stderr. If stderr is a separate pipe or file, they
are read from a pipe in between. If it is a terminal, or the same file as stdout, whose order must
be kept, pip writes a log instead; the log costs a tenth of pip's time on a page of many wheels.
"""

from __future__ import annotations

import contextlib
import os
import threading

from codeartifact_pipenv.files.io import read_end

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from codeartifact_pipenv.wrapper.run_files import PrivateFolder

LOG_VARIABLE = "PIP_LOG"
_MOST_BYTES = 1 << 18
_BLOCK = 1 << 16
_STDOUT, _STDERR = 1, 2
# How long to wait for the end of a pipe that a background process may hold open.
_LAST_SECONDS = 1.0


class PipOutput:
    """The output of pip in one run of pipenv.

    Args:
        environ: the environment as pipenv sees it.
        folder: the folder for a log, unless the user has set one.

    Attributes:
        variables: the variables to set for pipenv.
    """

    def __init__(self, environ: dict[str, str], folder: PrivateFolder) -> None:
        self.variables: dict[str, str] = {}
        self._output = b""
        self._log: str | None = None
        self._start = 0
        if _is_separate(_STDERR, _STDOUT):
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
        """Yield the descriptor of the child's stderr, or None to inherit it."""
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
        """Return the end of the output."""
        output = self._output
        if self._log is not None:
            with contextlib.suppress(OSError):
                output = read_end(self._log, self._start, _MOST_BYTES)
        return output.decode(errors="replace")

    def _pass_on(self, reading: int) -> None:
        # If stderr fails, the pipe closes and the child gets the same error.
        try:
            while block := os.read(reading, _BLOCK):
                self._output = (self._output + block)[-_MOST_BYTES:]
                while block:
                    block = block[os.write(_STDERR, block) :]
        except OSError:
            return
        finally:
            os.close(reading)


def _is_separate(one: int, other: int) -> bool:
    """Whether a descriptor is open, not a terminal, and not the same file as another one."""
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
