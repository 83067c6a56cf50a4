"""Standard streams that are closed, full, or left by their reader."""

from __future__ import annotations

import errno
import io
import os
import sys

from codeartifact_pipenv.errors import CodeArtifactPipenvError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO

    from _typeshed import ReadableBuffer


class OutputError(CodeArtifactPipenvError):
    """What a verb prints cannot be written."""


def open_closed() -> None:
    """Put the null device in place of closed streams, so that no file takes their descriptors."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:  # noqa: PLR2004 - stderr's
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            mode = "w" if number else "r"
            stream = open(number, mode, encoding="utf-8", closefd=False)  # noqa: SIM115 - it stays
            setattr(sys, name, stream)


def guard_stdout() -> None:
    """Let stdout take any text, and raise OutputError where it cannot be written.

    A reader that has seen enough is not an error: what is left is dropped.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        raw = getattr(sys.stdout.buffer, "raw", sys.stdout.buffer)  # (itself where unbuffered)
        if isinstance(raw, io.RawIOBase) and not isinstance(raw, _Output):
            sys.stdout.flush()
            sys.stdout = io.TextIOWrapper(
                io.BufferedWriter(_Output(sys.stdout, raw)),
                encoding=sys.stdout.encoding,
                errors="replace",  # for what its encoding does not have
                newline="",  # (a shell of Git's on Windows would keep a carriage return)
                line_buffering=sys.stdout.line_buffering or raw is sys.stdout.buffer,
            )


def drop_unwritten(stream: TextIO) -> None:
    """Flush a stream; what cannot be written must not fail again when the interpreter ends."""
    try:
        stream.flush()
    except (OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


class _Output(io.RawIOBase):
    def __init__(self, stream: io.TextIOWrapper, raw: io.RawIOBase) -> None:
        self._stream = stream  # (that nobody has any more is closed)
        self._raw = raw
        # (Python itself keeps what it was started with.)
        self._failure = OSError(errno.EBADF, "it is closed") if sys.__stdout__ is None else None
        self._drops = False

    def fileno(self) -> int:
        return self._raw.fileno()

    def isatty(self) -> bool:
        return self._raw.isatty()

    def writable(self) -> bool:
        return True

    def write(self, data: ReadableBuffer, /) -> int | None:
        if self._drops:
            return memoryview(data).nbytes
        try:
            if self._failure is not None:
                raise self._failure
            return self._raw.write(data)
        except BrokenPipeError:
            self._drops = True
            return memoryview(data).nbytes
        except OSError as error:
            self._drops = True
            raise OutputError(
                f"Standard output cannot be written: {error.strerror or error}.",
                "Make room, or let it go elsewhere, and run the command again.",
            ) from None
