"""What a repository holds under one name: versions, files, and where more may come from."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class DistributionFile:
    """One distribution file as an index shows it; None is what the index does not say.

    Attributes:
        name: the project's normalised name.
        version: its version, normalised.
        sha256: hex digest.
        size: in bytes.
        yanked: the reason, perhaps empty; None if it is not yanked.
        metadata: hex digest of the SHA-256 of a wheel's METADATA.
        path: where the bytes of a file that was published here are.
        url: where the bytes of a file of the public index come from.
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
        """Whether it is a wheel, not an sdist."""
        return self.filename.endswith(".whl")


class Restrictions(NamedTuple):
    """A package's origin controls, each ``ALLOW`` or ``BLOCK``."""

    publish: str
    upstream: str


OPEN = Restrictions("ALLOW", "ALLOW")
PUBLISHED = Restrictions("ALLOW", "BLOCK")
"""What a name gets whose first version is uploaded."""
FETCHED = Restrictions("BLOCK", "ALLOW")
"""What a name gets whose first version comes from elsewhere.

AWS documents this for external connections; that it holds for upstream repositories, too, is
the sandbox's choice.
"""


@dataclass(slots=True)
class Version:
    """One version of a package.

    Attributes:
        entry: where it came into the domain: the name of the repository that it was published
            in, or of an external connection.
        added_at: when it came into the repository, in seconds since the epoch.
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
        """An opaque text that changes with the files."""
        digests = sorted(f"{file.filename} {file.sha256}" for file in self.files.values())
        return base64.b64encode(hashlib.sha256("\n".join(digests).encode()).digest()).decode()


@dataclass(slots=True)
class StoredPackage:
    """What one repository holds under one name, perhaps only restrictions.

    Versions are by normalised number, in the order in which they came.
    """

    restrictions: Restrictions
    versions: dict[str, Version] = field(default_factory=dict)
