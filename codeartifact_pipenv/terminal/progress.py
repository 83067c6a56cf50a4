"""Shows on a terminal what takes longer than a second, on a line that is erased afterwards."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import threading
    from types import TracebackType
    from typing import Protocol

    class Speaker(Protocol):
        """The report, which shows at most one line of progress."""

        tells_progress: bool
        working_on: Working | None


_SECONDS = 1.0
_ERASE = "\r\x1b[K"


class Working:
    """Shows the progress of a block.

    Args:
        report: its other lines replace this one.
        what: such as ``asks AWS for a token``.
    """

    def __init__(self, report: Speaker, what: str) -> None:
        self._report = report
        self._text = f"pipenv-ca {what} ..."
        self._timer: threading.Timer | None = None
        self._is_shown = False

    def __enter__(self) -> None:
        """Start the timer, unless an outer block has one."""
        report = self._report
        if not report.tells_progress or report.working_on is not None or not _can_erase():
            return
        import threading

        self._timer = threading.Timer(_SECONDS, self._show)
        self._timer.daemon = True
        report.working_on = self
        self._timer.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Erase the line."""
        self.end()

    def end(self) -> None:
        """Stop, because something else is printed now."""
        if self._timer is None:
            return
        self._timer.cancel()
        self._timer.join()  # a later fork must not copy a running thread
        self._timer = None
        self._report.working_on = None
        if self._is_shown:
            _write(_ERASE)

    def _show(self) -> None:
        if not _is_being_asked():
            from codeartifact_pipenv.terminal.text import columns_of, cut

            self._is_shown = True
            # A wrapped line cannot be erased as a whole.
            _write(cut(self._text, (columns_of(sys.stderr) or 80) - 1))


def _can_erase() -> bool:
    stream = sys.stderr
    return stream is not None and stream.isatty() and os.environ.get("TERM", "dumb") != "dumb"


if sys.platform == "win32":

    def _is_being_asked() -> bool:
        return False

else:

    def _is_being_asked() -> bool:
        """Whether the terminal reads a password, such as a second factor for AWS."""
        import termios

        try:
            return not termios.tcgetattr(sys.stderr.fileno())[3] & termios.ECHO
        except (OSError, ValueError, termios.error):
            return False


def _write(text: str) -> None:
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except (OSError, ValueError):
        return
