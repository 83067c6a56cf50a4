"""A folder of wheels and sdists in the place of the public index."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from codeartifact_pipenv.sandbox.clock import iso_time
from codeartifact_pipenv.sandbox.distributions import blocks, is_distribution, read_file
from codeartifact_pipenv.sandbox.errors import SandboxError, SandboxUsageError
from codeartifact_pipenv.sandbox.upstream import PublicIndex, UpstreamError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from codeartifact_pipenv.sandbox.package import File


class PublicFolder(PublicIndex):
    """Serves the files that a folder held at the start, each uploaded when it was last modified.

    Raises:
        SandboxError: the folder does not exist, or a file in it cannot be read as a package.
    """

    def __init__(self, source: Path, folder: Path) -> None:
        super().__init__(folder)
        if not source.is_dir():
            raise SandboxUsageError(
                f"{source} is no folder.", "Name a folder with *.whl or *.tar.gz files."
            )
        self._source = source.resolve()
        self._projects: dict[str, list[File]] = {}
        for path in sorted(self._source.iterdir()):
            if is_distribution(path):
                uploaded = datetime.fromtimestamp(path.stat().st_mtime, timezone.utc)
                file = replace(
                    read_file(path),
                    path=None,
                    url=path.as_uri(),
                    upload_time=iso_time(uploaded),
                )
                self._projects.setdefault(file.name, []).append(file)

    def find(self, project: str) -> list[File]:
        """Return a project's files; none if the folder has none."""
        return self._projects.get(project, [])

    def open(self, file: File) -> tuple[int | None, Iterator[bytes]]:
        """Open a file, as :meth:`PublicIndex.open` says, unless it has changed since the start."""
        path = self._source / file.filename
        try:
            digest = read_file(path).sha256
        except SandboxError as error:
            raise UpstreamError(error.sentence) from error
        if digest != file.sha256:
            raise UpstreamError(f"{file.filename} in the public folder has changed.")
        return file.size, blocks(path)
