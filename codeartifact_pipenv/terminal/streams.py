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
    """A verb's output cannot be written."""


def open_closed() -> None:
    """Replace closed streams by the null device, so that no file gets their descriptors."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:  # noqa: PLR2004 - stderr's
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            mode = "w" if number else "r"
            stream = open(number, mode, encoding="utf-8", closefd=False)  # noqa: SIM115 - it stays
            setattr(sys, name, stream)


def guard_stdout() -> None:
    """Let stdout accept any text, and raise OutputError if it cannot be written.

    If the reader has closed the pipe, further output is dropped without an error.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        raw = getattr(sys.stdout.buffer, "raw", sys.stdout.buffer)  # itself if unbuffered
        if isinstance(raw, io.RawIOBase) and not isinstance(raw, _Output):
            sys.stdout.flush()
            sys.stdout = io.TextIOWrapper(
                io.BufferedWriter(_Output(sys.stdout, raw)),
                encoding=sys.stdout.encoding,
                errors="replace",  # characters that the encoding lacks
                newline="",  # Git Bash on Windows would keep a carriage return
                line_buffering=sys.stdout.line_buffering or raw is sys.stdout.buffer,
            )


def drop_unwritten(stream: TextIO) -> None:
    """Flush a stream, and avoid a second error when the interpreter exits."""
    try:
        stream.flush()
    except (OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


class _Output(io.RawIOBase):
    def __init__(self, stream: io.TextIOWrapper, raw: io.RawIOBase) -> None:
        self._stream = stream  # keep it: a stream without references is closed
        self._raw = raw
        # sys.__stdout__ is None if stdout was closed at the start.
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
                "Free some space or redirect the output, then run the command again.",
            ) from None
