"""Runs a program and waits for it: its signals, its terminal, its exit status."""

from __future__ import annotations

import contextlib
import os
import signal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from types import FrameType

# What a terminal sends to the whole foreground group, the child included.
_FROM_TERMINAL = ("SIGINT", "SIGQUIT")
_CAUGHT = (*_FROM_TERMINAL, "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2")


class Interrupted(BaseException):
    """A signal came while there was no child to give it to."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class Signals:
    """What happens to a signal: before the child an interruption, during it the child's."""

    def __init__(self) -> None:
        self._child: _Child | subprocess.Popen[bytes] | None = None
        self._early: list[int] | None = None
        self._ended = False

    def run(
        self,
        words: Sequence[str],
        environ: Mapping[str, str],
        inherited: Sequence[int] = (),
        meanwhile: Callable[[], object] | None = None,
    ) -> int:
        """Run a program to its end and return its exit status; -N when signal N ended it.

        Args:
            words: the program and its arguments.
            environ: its environment.
            inherited: file descriptors to hand on.
            meanwhile: called once it runs; None for nothing.

        Raises:
            OSError: it cannot be started.
        """
        sys.stdout.flush()
        sys.stderr.flush()
        self._early = []
        self._child = _start(list(words), dict(environ), tuple(inherited))
        for number in self._early:
            self.receive(number, None)
        try:
            if meanwhile is not None:
                meanwhile()
            return self._child.wait()
        finally:
            self._ended = True

    def receive(self, number: int, _frame: FrameType | None) -> None:
        """Handle a signal."""
        if self._ended:
            return  # what is left to do is to clean up
        if self._early is None:
            raise Interrupted(number)
        if self._child is None:  # it is being started
            self._early.append(number)
            return
        if signal.Signals(number).name in _FROM_TERMINAL and _in_foreground():
            return  # it has got it from the terminal
        with contextlib.suppress(OSError):
            self._child.send_signal(number)


def _start(
    words: list[str], environ: dict[str, str], inherited: tuple[int, ...]
) -> _Child | subprocess.Popen[bytes]:
    if os.name == "nt":
        import subprocess

        return subprocess.Popen(words, env=environ)
    # (subprocess takes 3 ms to import, a tenth of what a command may cost here.)
    for descriptor in inherited:
        os.set_inheritable(descriptor, True)
    try:
        # Python itself ignores these, and what is ignored stays so.
        defaults = (signal.SIGPIPE, signal.SIGXFSZ)
        found = _found(words[0], environ)
        return _Child(os.posix_spawn(found, words, environ, setsigdef=defaults))
    finally:
        for descriptor in inherited:
            os.set_inheritable(descriptor, False)


class _Child:
    def __init__(self, pid: int) -> None:
        self._pid = pid

    def wait(self) -> int:
        _, status = os.waitpid(self._pid, 0)
        return os.waitstatus_to_exitcode(status)

    def send_signal(self, number: int) -> None:
        os.kill(self._pid, number)


def _found(program: str, environ: Mapping[str, str]) -> str:
    if os.path.dirname(program):
        return program
    import shutil

    return shutil.which(program, path=environ.get("PATH")) or program


@contextlib.contextmanager
def signals() -> Iterator[Signals]:
    """Take charge of the signals that end or stir a process, for as long as the block runs."""
    state = Signals()
    before = {}
    for name in _CAUGHT:
        number = getattr(signal, name, None)
        # What was ignored when we were started (nohup) stays ignored, for pipenv too.
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            before[number] = signal.signal(number, state.receive)
    try:
        yield state
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def end_like(status: int) -> int:
    """Turn a status of ``Signals.run`` into this process's own exit status.

    A child that a signal ended takes this process with it by the same signal, so that the
    caller sees what it would have seen of the child itself.
    """
    if status < 0 and os.name != "nt":
        sys.stdout.flush()
        sys.stderr.flush()
        with contextlib.suppress(OSError, ValueError):
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
        return 128 - status
    return status


def _in_foreground() -> bool:
    if os.name == "nt":
        return True
    try:
        terminal = os.open(os.ctermid(), os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)
