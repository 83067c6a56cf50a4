"""Packages of a repository: versions, files and origin controls."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class DistributionFile:
    """A wheel or an sdist as listed by an index; an attribute is None if the index lacks it.

    Attributes:
        name: the project's normalised name.
        version: its version, normalised.
        sha256: hex digest.
        size: in bytes.
        yanked: the reason, perhaps empty, or None if the file is not yanked.
        metadata: hex digest of the SHA-256 of a wheel's METADATA.
        path: where a published file is stored.
        url: where a file of the public index is downloaded from.
    """

    name: str
    version: str
    filename: str
    sha256: str | None
    size: int | None
    requires_python: str | None = None
    yanked: str | None = None
    upload_time: str | None = None
    metadata: str | None = None
    path: Path | None = None
    url: str | None = None

    @property
    def is_wheel(self) -> bool:
        """Whether the file is a wheel."""
        return self.filename.endswith(".whl")


class Restrictions(NamedTuple):
    """A package's origin controls, each ``ALLOW`` or ``BLOCK``."""

    publish: str
    upstream: str


OPEN = Restrictions("ALLOW", "ALLOW")
PUBLISHED = Restrictions("ALLOW", "BLOCK")
"""Origin controls of a package whose first version is uploaded."""
FETCHED = Restrictions("BLOCK", "ALLOW")
"""Origin controls of a package whose first version comes from elsewhere.

AWS documents this for external connections; the sandbox assumes the same for upstreams.
"""


@dataclass(slots=True)
class Version:
    """One version of a package.

    Attributes:
        entry: how it entered the domain: the repository that it was published in, or the
            external connection.
        added_at: when the repository got it, in seconds since the epoch.
        files: by file name.
    """

    entry: str
    added_at: float
    files: dict[str, DistributionFile] = field(default_factory=dict)

    @property
    def is_external(self) -> bool:
        """Whether it came through an external connection."""
        # A repository's name has no colon.
        return ":" in self.entry

    @property
    def revision(self) -> str:
        """An opaque identifier that changes with the files."""
        digests = sorted(f"{file.filename} {file.sha256}" for file in self.files.values())
        return base64.b64encode(hashlib.sha256("\n".join(digests).encode()).digest()).decode()


@dataclass(slots=True)
class StoredPackage:
    """A package of a repository, perhaps without versions.

    Versions are keyed by normalised number, in the order of their arrival.
    """

    restrictions: Restrictions
    versions: dict[str, Version] = field(default_factory=dict)
