"""Run a child process, forward signals to it, and return its exit status."""

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

# Signals that a terminal sends to the whole foreground group, including the child.
_FROM_TERMINAL = ("SIGINT", "SIGQUIT", "SIGBREAK")
_SIGN = 1 << 31
_CAUGHT = (*_FROM_TERMINAL, "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2")


class Interrupted(BaseException):
    """A signal arrived while no child was running."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class Signals:
    """Keeps early signals for ``check``, and forwards later ones to the child.

    A signal does not raise an exception where it arrives, because the code there may not be able
    to clean up.

    Attributes:
        arrived: whether any signal has arrived.
    """

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None
        self._early: list[int] = []
        self._ended = False
        self.arrived = False

    def check(self) -> None:
        """Raise Interrupted if a signal has arrived."""
        if self._early:
            self._ended = True  # ignore signals while cleaning up
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
        """Run a program and return its exit status; -N if signal N ended it.

        Args:
            words: the program and its arguments.
            environ: the environment.
            inherited: file descriptors to inherit.
            meanwhile: called while the program runs.
            stdout: the descriptor for standard output; inherited by default.
            stderr: the descriptor for standard error; inherited by default.

        Raises:
            Interrupted: a signal arrived before.
            OSError: the program cannot be started.
        """
        sys.stdout.flush()
        sys.stderr.flush()
        self.check()
        self._child = _start(words, environ, inherited, stdout, stderr)
        for number in self._early:  # arrived while the child was being started
            self._send(number)
        try:
            if meanwhile is not None:
                meanwhile()
            return self._child.wait()
        finally:
            self._ended = True

    def reset(self) -> None:
        """Prepare for another child: keep signals for ``check`` again."""
        self._child = None
        self._ended = False

    def receive(self, number: int, _frame: FrameType | None) -> None:
        """Handle a signal."""
        self.arrived = True
        if self._ended:
            return  # ignored while cleaning up
        if self._child is None:
            self._early.append(number)
            return
        if signal.Signals(number).name in _FROM_TERMINAL and _in_foreground():
            return  # the terminal has sent it to the child
        self._send(number)

    def _send(self, number: int) -> None:
        if self._child is not None:
            with contextlib.suppress(OSError, ValueError):  # Windows supports few signals
                self._child.send_signal(number)


@contextlib.contextmanager
def signals() -> Iterator[Signals]:
    """Forward signals to the child while the block runs."""
    state = Signals()
    before = {}
    for name in _CAUGHT:
        number = getattr(signal, name, None)
        # A signal that this process inherited as ignored (nohup) stays ignored.
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            before[number] = signal.signal(number, state.receive)
    try:
        yield state
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Raise an exception on signals that would end the process, so that the block can clean up.

    Raises:
        Interrupted: SIGTERM or SIGHUP arrived. ctrl-C raises KeyboardInterrupt anyway.
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
    """Convert a status of ``Signals.run`` to the exit status of this process.

    If a signal ended the child, this process ends by the same signal, so that the caller sees the
    same result.
    """
    if sys.platform == "win32":
        # Python can exit with the status after ctrl-C only as a negative number.
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
        # With a list of handles, the standard ones are inherited only if they are named.
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
