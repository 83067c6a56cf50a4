"""The mapping between file URLs of the index and files upstream."""

from __future__ import annotations

import os
import re
from urllib.parse import quote, unquote

from codeartifact_pipenv.lookups.simple_page import File
from codeartifact_pipenv.project.pipfile import normalise
from codeartifact_pipenv.proxy_index.model import NOWHERE, FileOrigin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeartifact_pipenv.proxy_index.model import Upstream

_SHA256 = re.compile(r"[0-9a-f]{64}")


class FileTable:
    """Assigns URLs to files and finds the origin of a URL.

    A file with a known SHA-256 is at ``/files/SHA256/NAME``, which pip can cache between runs; other
    files are at ``/repository/NUMBER/PATH``.

    Args:
        upstreams: the repositories.
    """

    def __init__(self, upstreams: Sequence[Upstream]) -> None:
        self._urls = [upstream.endpoint.url for upstream in upstreams]
        self._origins: dict[tuple[str, str], FileOrigin] = {}

    def repository_file(self, name: str, number: int, file: File, public: File | None) -> File:
        """Return a repository's file with its URL here.

        Args:
            name: the normalised name of the page.
            number: the repository's number.
            file: the file.
            public: the same file in the default source, if any.
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
        """Return a local file with its URL here."""
        name = os.path.basename(path)
        url = self._add(FileOrigin(NOWHERE, path, "", sha256, name))
        return File(name, url, hashes={"sha256": sha256})

    def origin(self, words: Sequence[str]) -> FileOrigin | None:
        """Return the origin of the file at a path, or of the wheel whose METADATA is there.

        Args:
            words: the decoded parts of the path.
        """
        match words:
            case ["files", sha256, name]:
                return self._origins.get((sha256, name)) or self._wheel(sha256, name)
            case ["repository", number, *rest] if rest:
                return self._unlisted(number, rest)
        return None

    def real_url(self, path: str) -> str | None:
        """Return the upstream URL of the file at a path, or None if no repository has it."""
        origin = self.origin([unquote(word) for word in path.split("/") if word])
        if origin is None or origin.number < 0:
            return None
        return self._urls[origin.number] + origin.path

    def _wheel(self, sha256: str, name: str) -> FileOrigin | None:
        """Return the origin of the wheel that belongs to a METADATA file."""
        if not name.endswith(".whl.metadata"):
            return None
        origin = self._origins.get((sha256, name.removesuffix(".metadata")))
        return None if origin is None or origin.number < 0 else origin

    def _add(self, origin: FileOrigin) -> str:
        self._origins[origin.sha256, origin.filename] = origin
        return f"/files/{origin.sha256}/{quote(origin.filename, safe='')}"

    def _unlisted(self, digits: str, rest: list[str]) -> FileOrigin | None:
        # int raises ValueError for thousands of digits.
        number = next((n for n in range(len(self._urls)) if str(n) == digits), None)
        if number is None or not all(map(_is_plain, rest)):
            return None
        project = normalise(rest[1]) if rest[0] == "simple" and len(rest) > 1 else ""
        return FileOrigin(number, "/".join(quote(word, safe="") for word in rest), project)


def _is_plain(word: str) -> bool:
    # A decoded slash could lead to another repository or host, which would receive the token.
    return word not in {".", ".."} and not any(mark in word for mark in "/\\")
