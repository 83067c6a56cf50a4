"""The files of the index: which URL here leads to which file there."""

from __future__ import annotations

import os
import re
from urllib.parse import quote, unquote

from codeartifact_pipenv.lookups.simple_page import File
from codeartifact_pipenv.project.names import normalise
from codeartifact_pipenv.proxy_index.model import NOWHERE, FileOrigin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeartifact_pipenv.proxy_index.model import Upstream

_SHA256 = re.compile(r"[0-9a-f]{64}")


class FileTable:
    """Gives files a URL here, and finds their origin again.

    A file whose SHA-256 is known is at ``/files/SHA256/NAME``, the same from run to run, for pip's
    caches; others are at ``/repository/NUMBER/PATH``.

    Args:
        upstreams: the repositories.
    """

    def __init__(self, upstreams: Sequence[Upstream]) -> None:
        self._urls = [upstream.endpoint.url for upstream in upstreams]
        self._origins: dict[tuple[str, str], FileOrigin] = {}

    def repository_file(self, name: str, number: int, file: File, public: File | None) -> File:
        """Return a file of a repository's page as clients see it.

        Args:
            name: the normalised name of the page.
            number: the repository's.
            file: the file.
            public: the same file in the default source, if it is there.
        """
        base = self._urls[number]
        if not file.url.startswith(base):
            return file
        path = file.url.removeprefix(base)
        if _SHA256.fullmatch(file.sha256) is None:
            return file._replace(url=f"/repository/{number}/{path}", metadata=False)
        url = self._add(
            FileOrigin(number, path, name, file.sha256, file.name, public, file.metadata)
        )
        return file._replace(url=url, metadata=file.name.endswith(".whl"))

    def local_file(self, path: str, sha256: str) -> File:
        """Return a file of the user as clients see it."""
        name = os.path.basename(path)
        url = self._add(FileOrigin(NOWHERE, path, "", sha256, name))
        return File(name, url, hashes={"sha256": sha256})

    def origin(self, words: Sequence[str]) -> FileOrigin | None:
        """Return the origin of the file at a path here, or of the wheel whose METADATA is there.

        Args:
            words: the parts of the path, decoded.
        """
        match words:
            case ["files", sha256, name]:
                return self._origins.get((sha256, name)) or self._wheel(sha256, name)
            case ["repository", number, *rest] if rest:
                return self._unlisted(number, rest)
        return None

    def real_url(self, path: str) -> str | None:
        """Return where a repository has the file at a path here; None for other paths."""
        origin = self.origin([unquote(word) for word in path.split("/") if word])
        if origin is None or origin.number < 0:
            return None
        return self._urls[origin.number] + origin.path

    def _wheel(self, sha256: str, name: str) -> FileOrigin | None:
        """Return the origin of the repository's wheel whose METADATA has a name."""
        if not name.endswith(".whl.metadata"):
            return None
        origin = self._origins.get((sha256, name.removesuffix(".metadata")))
        return None if origin is None or origin.number < 0 else origin

    def _add(self, origin: FileOrigin) -> str:
        self._origins[origin.sha256, origin.filename] = origin
        return f"/files/{origin.sha256}/{quote(origin.filename, safe='')}"

    def _unlisted(self, digits: str, rest: list[str]) -> FileOrigin | None:
        # (int would raise for thousands of digits.)
        number = next((n for n in range(len(self._urls)) if str(n) == digits), None)
        if number is None or not all(map(_is_plain, rest)):
            return None
        project = normalise(rest[1]) if rest[0] == "simple" and len(rest) > 1 else ""
        return FileOrigin(number, "/".join(quote(word, safe="") for word in rest), project)


def _is_plain(word: str) -> bool:
    # Decoded, it must still be one part of a path: with a slash in it, it could name another
    # repository, or another host, which would be sent the token.
    return word not in {".", ".."} and not any(mark in word for mark in "/\\")
