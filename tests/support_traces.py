"""Looks for a token where it must not be: in output, in files, in arguments of processes."""

from __future__ import annotations

import base64
import contextlib
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from support import files_with

if TYPE_CHECKING:
    from types import TracebackType

    from support import Result
    from typing_extensions import Self


class CommandLines:
    """Collects the command lines of all processes while a block runs.

    Args:
        pause: seconds from one look to the next.
    """

    def __init__(self, pause: float = 0.005) -> None:
        self._pause = pause
        self._seen: set[bytes] = set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(self._pause):
            self.look()

    def look(self) -> None:
        """Look once."""
        for entry in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                self._seen.add(entry.read_bytes())

    def holding(self, secret: str) -> set[bytes]:
        """Return the command lines that held a secret, without it."""
        needle = secret.encode()
        return {line.replace(needle, b"TOKEN") for line in self._seen if needle in line}


def assert_not_shown(token: str, result: Result) -> None:
    """Check that a token, or its form in a header, is not in what a program said."""
    # (Long lines may have been broken.)
    said = "".join(result.output.split())
    assert token[:60] not in said
    assert base64.b64encode(f"aws:{token}".encode()).decode()[:60] not in said


def assert_no_secrets(token: str, *folders: Path) -> None:
    """Check that no file in some folders holds a token, or its form in a header."""
    header = base64.b64encode(f"aws:{token}".encode()).decode()[:-4]
    assert files_with(token, folders) == []
    assert files_with(header, folders) == []
