"""Runs a program and waits for it: its signals, its terminal, its exit status."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import warnings

TYPE_CHECKING = False
if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from types import FrameType

# What a terminal sends to the whole foreground group, the child included.
_FROM_TERMINAL = ("SIGINT", "SIGQUIT")
_CAUGHT = (*_FROM_TERMINAL, "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2")
# Python itself ignores these, and what is ignored stays so.
_IGNORED = () if os.name == "nt" else (signal.SIGPIPE, signal.SIGXFSZ)
_PR_SET_PDEATHSIG = 1  # man 2 PR_SET_PDEATHSIG


class Interrupted(Exception):  # noqa: N818 - it is no error
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
        self._child: _Child | subprocess.Popen[bytes] | None = None
        self._early: list[int] = []
        self._ended = self._raises = False
        self.came = False

    def check(self) -> None:
        """Go on only where no signal has come yet.

        Raises:
            Interrupted: one has.
        """
        if self._early:
            self._ended = True  # what is left to do is to clean up
            raise Interrupted(self._early[0])

    @contextlib.contextmanager
    def interruptible(self) -> Iterator[None]:
        """Let a signal end the block wherever it is; for what may wait, and changes nothing.

        Raises:
            Interrupted: a signal has come.
        """
        self.check()
        self._raises = True
        try:
            yield
        finally:
            self._raises = False

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
            Interrupted: a signal has come before.
            OSError: it cannot be started.
        """
        sys.stdout.flush()
        sys.stderr.flush()
        self.check()
        self._child = _start(list(words), dict(environ), tuple(inherited))
        for number in self._early:  # came while it was being started
            self._send(number)
        try:
            if meanwhile is not None:
                meanwhile()
            return self._child.wait()
        finally:
            self._ended = True

    def receive(self, number: int, _frame: FrameType | None) -> None:
        """Handle a signal."""
        self.came = True
        if self._ended:
            return  # what is left to do is to clean up
        if self._child is None:  # it is not started, or just being so
            self._early.append(number)
            if self._raises:
                self.check()
            return
        if signal.Signals(number).name in _FROM_TERMINAL and _in_foreground():
            return  # it has got it from the terminal
        self._send(number)

    def _send(self, number: int) -> None:
        if self._child is not None:
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
        found = _found(words[0], environ)
        prctl = _prctl()
        if prctl is not None:
            return _Child(_start_bound(prctl, found, words, environ))
        return _Child(os.posix_spawn(found, words, environ, setsigdef=_IGNORED))
    finally:
        for descriptor in inherited:
            os.set_inheritable(descriptor, False)


def _prctl() -> Callable[[int, int], int] | None:
    if os.uname().sysname != "Linux":
        return None
    try:
        import ctypes

        prctl: Callable[[int, int], int] = ctypes.CDLL(None).prctl
    except (ImportError, OSError, AttributeError):
        return None
    return prctl


def _start_bound(
    prctl: Callable[[int, int], int], program: str, words: list[str], environ: dict[str, str]
) -> int:
    """Start a program that the kernel kills when this process is killed; return its number.

    A pipenv that went on would write files that the next run is about to put right.

    Raises:
        OSError: it cannot be started.
    """
    parent = os.getpid()
    told, telling = os.pipe()
    # A signal that comes in between is for the program, too.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        # (Python warns of other threads' locks; the child takes none before it is the program.)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
        if pid == 0:
            try:
                prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
                if os.getppid() == parent:
                    _take_default_signals()
                    signal.pthread_sigmask(signal.SIG_SETMASK, before)
                    os.execve(program, words, environ)
            except OSError as error:
                os.write(telling, str(error.errno).encode())
            finally:
                os._exit(127)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        os.close(telling)
    with os.fdopen(told, "rb") as file:  # closed by the program's start
        failure = file.read()
    if failure:
        os.waitpid(pid, 0)
        raise OSError(int(failure), os.strerror(int(failure)), program)
    return pid


def _take_default_signals() -> None:
    for number in (*_IGNORED, *(getattr(signal, name) for name in _CAUGHT)):
        if number in _IGNORED or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


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
