"""Files in folders of the user's own (pip's ``find-links``), for names that no repository has."""

from __future__ import annotations

import contextlib
import hashlib
import os
from urllib.parse import quote

from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from codeartifact_pipenv.lookups.simple_page import File
from codeartifact_pipenv.project.names import normalise
from codeartifact_pipenv.proxy_index.index import FILES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_SDISTS = (".tar.gz", ".zip", ".tar.bz2", ".tgz", ".tar.xz")


class LocalFiles:
    """The distributions in some folders.

    Args:
        places: paths of folders, or of single files.
    """

    def __init__(self, places: Iterable[str]) -> None:
        self._places = tuple(places)
        self._paths: dict[tuple[str, str], str] = {}

    def files(self, name: str) -> tuple[File, ...]:
        """Return the files of a normalised name, as clients are told of them."""
        found = []
        for path in self._all():
            filename = os.path.basename(path)
            if name in _names(filename):
                with contextlib.suppress(OSError):
                    sha256 = _sha256(path)
                    self._paths[sha256, filename] = path
                    url = f"/{FILES}/{sha256}/{quote(filename, safe='')}"
                    found.append(File(filename, url, hashes={"sha256": sha256}))
        return tuple(found)

    def path(self, sha256: str, filename: str) -> str | None:
        """Return where a file is that a page has listed; None for none."""
        return self._paths.get((sha256, filename))

    def _all(self) -> Iterator[str]:
        for place in self._places:
            if os.path.isfile(place):
                yield place
            else:
                with contextlib.suppress(OSError):
                    for entry in sorted(os.listdir(place)):
                        path = os.path.join(place, entry)
                        if os.path.isfile(path):
                            yield path


def _names(filename: str) -> set[str]:
    """Return the normalised names that a file may be of; empty for what is no distribution."""
    if filename.endswith(".whl"):
        try:
            return {normalise(parse_wheel_filename(filename)[0])}
        except (InvalidWheelFilename, InvalidVersion):
            return set()
    stem = next((filename[: -len(end)] for end in _SDISTS if filename.endswith(end)), None)
    words = (stem or "").split("-")
    names = set()
    for at in range(1, len(words)):  # which dash parts them is not said: a-1-2 is a 1-2 or a-1 2
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
