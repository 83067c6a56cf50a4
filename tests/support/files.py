"""Finding files, and a secret in them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def files_below(folder: Path) -> Iterator[Path]:
    """Yield every regular file below a folder."""
    for directory, _, names in os.walk(folder):
        for name in names:
            path = Path(directory) / name
            if path.is_file() and not path.is_symlink():
                yield path


def files_with(secret: str, folders: Iterable[Path]) -> list[Path]:
    """Return the files below some folders that hold a secret."""
    needle = secret.encode()
    return [
        path for folder in folders for path in files_below(folder) if needle in path.read_bytes()
    ]
