"""Runs a program and waits for it: its signals, its terminal, its exit status."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from types import FrameType

# What a terminal sends to the whole foreground group, the child included.
_FROM_TERMINAL = ("SIGINT", "SIGQUIT", "SIGBREAK")
_SIGN = 1 << 31
_CAUGHT = (*_FROM_TERMINAL, "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2")


class Interrupted(BaseException):
    """A signal came while there was no child to give it to."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class Signals:
    """What happens to a signal: before the child it is kept for ``check``, then the child's.

    (It is not raised where it happens to come: between the writing of a file and the note that
    it is there, for one, nobody could clean up.)

    Attributes:
        came: whether one has come.
    """

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None
        self._early: list[int] = []
        self._ended = False
        self.came = False

    def check(self) -> None:
        """Go on only where no signal has come yet.

        Raises:
            Interrupted: one has.
        """
        if self._early:
            self._ended = True  # what is left to do is to clean up
            raise Interrupted(self._early[0])

    def run(
        self,
        words: Sequence[str],
        environ: Mapping[str, str],
        inherited: Sequence[int] = (),
        meanwhile: Callable[[], None] | None = None,
        *,
        stdout: int | None = None,
        stderr: int | None = None,
    ) -> int:
        """Run a program to its end and return its exit status; -N when signal N ended it.

        Args:
            words: the program and its arguments.
            environ: its environment.
            inherited: file descriptors to hand on.
            meanwhile: called once the program runs.
            stdout: the descriptor of its standard output; None for this process's.
            stderr: the same of its standard error.

        Raises:
            Interrupted: a signal has come before.
            OSError: it cannot be started.
        """
        sys.stdout.flush()
        sys.stderr.flush()
        self.check()
        self._child = _start(words, environ, inherited, stdout, stderr)
        for number in self._early:  # came while it was being started
            self._send(number)
        try:
            if meanwhile is not None:
                meanwhile()
            return self._child.wait()
        finally:
            self._ended = True

    def again(self) -> None:
        """Keep what comes from now on for ``check``, and for another child."""
        self._child = None
        self._ended = False

    def receive(self, number: int, _frame: FrameType | None) -> None:
        """Handle a signal."""
        self.came = True
        if self._ended:
            return  # what is left to do is to clean up
        if self._child is None:  # it is not started, or just being so
            self._early.append(number)
            return
        if signal.Signals(number).name in _FROM_TERMINAL and _in_foreground():
            return  # it has got it from the terminal
        self._send(number)

    def _send(self, number: int) -> None:
        if self._child is not None:
            with contextlib.suppress(OSError, ValueError):  # (Windows knows few)
                self._child.send_signal(number)


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


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Raise what would end this process at once, so that the block can clean up.

    Raises:
        Interrupted: SIGTERM or SIGHUP came. (ctrl-C is a KeyboardInterrupt already.)
    """

    def interrupt(number: int, _frame: FrameType | None) -> None:
        raise Interrupted(number)

    before = {}
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            before[number] = signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def exit_like_child(status: int) -> int:
    """Turn a status of ``Signals.run`` into this process's own exit status.

    A child that a signal ended takes this process with it by the same signal, so that the
    caller sees what it would have seen of the child itself.
    """
    if sys.platform == "win32":
        # (What ctrl-C ends has a status that Python exits with as a negative number only.)
        status = 128 - status if status < 0 else status - (2 * _SIGN if status >= _SIGN else 0)
    elif status < 0:
        sys.stdout.flush()
        sys.stderr.flush()
        with contextlib.suppress(OSError, ValueError):
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
        status = 128 - status
    return status


if sys.platform == "win32":

    def _start(
        words: Sequence[str],
        environ: Mapping[str, str],
        inherited: Sequence[int],
        stdout: int | None,
        stderr: int | None,
    ) -> subprocess.Popen[bytes]:
        import msvcrt

        handles = [msvcrt.get_osfhandle(descriptor) for descriptor in inherited]
        for handle in handles:
            os.set_handle_inheritable(handle, True)
        # (Where handles are listed, the standard ones have to be named to be among them.)
        return subprocess.Popen(
            words,
            env=environ,
            stdin=0,
            stdout=1 if stdout is None else stdout,
            stderr=2 if stderr is None else stderr,
            startupinfo=subprocess.STARTUPINFO(lpAttributeList={"handle_list": handles}),
        )

    def _in_foreground() -> bool:
        return True

else:

    def _start(
        words: Sequence[str],
        environ: Mapping[str, str],
        inherited: Sequence[int],
        stdout: int | None,
        stderr: int | None,
    ) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            words, env=environ, stdout=stdout, stderr=stderr, pass_fds=inherited
        )

    def _in_foreground() -> bool:
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
