"""Distributions in local folders (pip's ``find-links``), for names that no repository has."""

from __future__ import annotations

import contextlib
import hashlib
import os

from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from codeartifact_pipenv.project.pipfile import normalise

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_SDISTS = (".tar.gz", ".zip", ".tar.bz2", ".tgz", ".tar.xz")


def local_files(places: Iterable[str], name: str) -> Iterator[tuple[str, str]]:
    """Yield path and SHA-256 of a package's distributions.

    Args:
        places: paths of folders or files.
        name: the normalised name.
    """
    for path in _paths(places):
        if name in _names(os.path.basename(path)):
            with contextlib.suppress(OSError):
                yield path, _sha256(path)


def _paths(places: Iterable[str]) -> Iterator[str]:
    for place in places:
        if os.path.isfile(place):
            yield place
        else:
            with contextlib.suppress(OSError):
                entries = (os.path.join(place, entry) for entry in sorted(os.listdir(place)))
                yield from filter(os.path.isfile, entries)


def _names(filename: str) -> set[str]:
    """Return the normalised names that a distribution's file name may stand for."""
    if filename.endswith(".whl"):
        try:
            return {normalise(parse_wheel_filename(filename)[0])}
        except (InvalidWheelFilename, InvalidVersion):
            return set()
    stem = next((filename[: -len(end)] for end in _SDISTS if filename.endswith(end)), None)
    words = (stem or "").split("-")
    names = set()
    for at in range(1, len(words)):  # a-1-2 may be a 1-2 or a-1 2
        with contextlib.suppress(InvalidVersion):
            Version("-".join(words[at:]))
            names.add(normalise("-".join(words[:at])))
    return names


def _sha256(path: str) -> str:
    found = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            found.update(block)
    return found.hexdigest()
