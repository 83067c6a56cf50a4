"""A folder of wheels and sdists in the place of the public index."""

from __future__ import annotations

import hashlib
import secrets
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

from codeartifact_pipenv.sandbox.distributions import blocks, is_distribution, read_file
from codeartifact_pipenv.sandbox.errors import SandboxUsageError
from codeartifact_pipenv.sandbox.upstream import UpstreamError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from codeartifact_pipenv.sandbox.package import File


class PublicFolder:
    """Serves what a folder held at the start; what was fetched of it stays for the run.

    Args:
        source: the folder.
        folder: where fetched files are kept.

    Raises:
        SandboxError: there is no such folder, or a file in it is no package.
    """

    def __init__(self, source: Path, folder: Path) -> None:
        if not source.is_dir():
            raise SandboxUsageError(
                f"{source} is no folder.", "Name a folder with *.whl or *.tar.gz files."
            )
        self._folder = folder
        self._places: dict[str, Path] = {}
        self._projects: dict[str, list[File]] = {}
        for path in sorted(source.iterdir()):
            if path.is_file() and is_distribution(path):
                file = replace(read_file(path), path=None, url=path.resolve().as_uri())
                self._places[file.filename] = path
                self._projects.setdefault(file.name, []).append(file)

    def files(self, project: str) -> list[File]:
        """Return a project's files; none where the folder has none."""
        return self._projects.get(project, [])

    def kept(self, file: File) -> Path:
        """Return where a file's bytes are, here always those that were fetched.

        Raises:
            UpstreamError: the file went, or changed, before it was fetched.
        """
        return self.fetch(file)

    def fetch(self, file: File) -> Path:
        """Copy a file into the run's folder, unless it is there; return where it is.

        Raises:
            UpstreamError: the file went, or changed, before it was fetched.
        """
        place = self._folder / file.filename
        if not place.exists():
            self._copy(file, place)
        return place

    def download(self, file: File) -> tuple[int | None, Iterator[bytes]]:
        """Return a file's size and its bytes.

        Raises:
            UpstreamError: the file went, or changed, before it was fetched.
        """
        return file.size, blocks(self.fetch(file))

    def _copy(self, file: File, place: Path) -> None:
        partial = place.with_name(f"{place.name}.{secrets.token_hex(4)}")
        digest = hashlib.sha256()
        try:
            shutil.copyfile(self._places[file.filename], partial)
            for block in blocks(partial):
                digest.update(block)
            if digest.hexdigest() != file.sha256:
                raise UpstreamError(f"{file.filename} in the public folder has changed.")
            partial.replace(place)
        except OSError as error:
            raise UpstreamError(
                f"{file.filename} in the public folder cannot be read: {error.strerror}."
            ) from error
        finally:
            partial.unlink(missing_ok=True)
