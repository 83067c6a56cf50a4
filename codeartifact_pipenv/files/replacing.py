"""Replace several files together, unless another program has changed one of them."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import NamedTuple

from codeartifact_pipenv.files.io import read_bytes, rename_over, temporary_beside, write_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


class Replacement(NamedTuple):
    """A file to replace.

    Attributes:
        path: the file.
        before: its present content, or None if it does not exist.
        data: its new content.
        mode: its new mode, which also replaces a link. None keeps the mode and the owner of an
            existing file, and writes through a link.
    """

    path: str
    before: bytes | None
    data: bytes
    mode: int | None


def replace_together(files: Sequence[Replacement], *, sync: bool = True) -> bool:
    """Write all new files first, then rename each into place, in order.

    Args:
        files: the files.
        sync: whether to wait until the new files are on the disk, which may take longer than the
            time between two changes in an editor.

    Returns:
        False if a file has changed since ``before`` was read. This file and those after it are
        then not replaced.

    Raises:
        OSError: a file cannot be written; all are unchanged.
    """
    with contextlib.ExitStack() as stack:
        written = []
        for file in files:
            target = os.path.realpath(file.path) if file.mode is None else file.path
            temporary = stack.enter_context(
                temporary_beside(target, file.data, file.mode, sync=sync)
            )
            written.append((temporary, target, file))
        is_same = all(_content(file.path) == file.before for file in files)
        with contextlib.ExitStack() as undo:
            for temporary, target, file in written:
                is_same = is_same and _put(temporary, target, file.before, file.data)
                if is_same:
                    undo.callback(_put_back, target, file.before)
                    continue
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(temporary)
            undo.pop_all()
    return is_same


def _put_back(target: str, before: bytes | None) -> None:
    with contextlib.suppress(OSError):
        if before is None:
            os.unlink(target)
        else:
            write_file(target, before)


def _put(temporary: str, target: str, before: bytes | None, data: bytes | None) -> bool:
    """Rename a file into place, unless another program has just changed the target.

    The two files are swapped, so the result shows the target's last content.
    """
    if before is None or not exchange(temporary, target):
        rename_over(temporary, target)
        return True
    found = _content(temporary)
    if found != before:
        _put(temporary, target, data, found)
        return False
    os.unlink(temporary)
    return True


def exchange(one: str, other: str) -> bool:
    """Swap two files in one step; return False, with both unchanged, if the system cannot."""
    if sys.platform != "win32":
        with contextlib.suppress(ImportError):  # some small Pythons have no ctypes
            import ctypes

            libc = ctypes.CDLL(None)
            paths = os.fsencode(one), os.fsencode(other)
            if hasattr(libc, "renameat2"):  # AT_FDCWD, RENAME_EXCHANGE
                return bool(libc.renameat2(-100, paths[0], -100, paths[1], 2) == 0)
            if hasattr(libc, "renamex_np"):  # RENAME_SWAP
                return bool(libc.renamex_np(*paths, 2) == 0)
    return False


def _content(path: str) -> bytes | None:
    try:
        return read_bytes(path)
    except FileNotFoundError:
        return None
