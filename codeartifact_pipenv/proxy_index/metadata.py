"""Reading METADATA from wheels, and storing it by the wheel's SHA-256.

METADATA from a whole, verified wheel is valid for all projects. METADATA from an index or from
parts of a wheel cannot be verified; it is stored for that index only, so one project's index
cannot affect another project.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import os
import re
import zipfile
from typing import IO, cast

from codeartifact_pipenv.files.io import (
    check_own_folder,
    make_private_folder,
    read_private,
    write_private_file,
)
from codeartifact_pipenv.project.pipfile import normalise

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from packaging.requirements import Requirement

MOST_BYTES = 16 * 1024 * 1024
"""Larger METADATA is ignored."""

_STORE_BYTES = 64 * 1024 * 1024
_CHECK_LENGTH = 64
# A wheel may also contain METADATA of vendored projects.
_METADATA = re.compile(r"(?P<project>[^/]+?)(-[^/-]*)?\.dist-info/METADATA")
_BLOCK = 1 << 16
# zipfile does not limit the output of other methods.
_COMPRESSIONS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})


class MetadataStore:
    """Stores METADATA in a private folder that is safe to delete; thread-safe.

    Args:
        folder: the folder, or None to store nothing.
        limit: the maximum size in bytes; the oldest files are removed first.
    """

    def __init__(self, folder: str | None, limit: int = _STORE_BYTES) -> None:
        self._folder = folder
        self._limit = limit
        self._room: int | None = None

    def get(self, sha256: str, origin: str = "") -> bytes | None:
        """Return the stored METADATA of a wheel, or None.

        Args:
            sha256: the wheel's hex digest.
            origin: the URL of the index, or '' if read from the whole wheel.
        """
        if self._folder is None:
            return None
        try:
            check_own_folder(self._folder)
            kept = read_private(self._path(sha256, origin), MOST_BYTES + _CHECK_LENGTH)
        except OSError:
            return None
        check, data = kept[:_CHECK_LENGTH], kept[_CHECK_LENGTH:]
        return data if check.decode("ascii", "replace") == _check(sha256, data) else None

    def put(self, sha256: str, data: bytes, origin: str = "") -> None:
        """Store METADATA if possible; arguments as for ``get``."""
        if self._folder is None or len(data) > MOST_BYTES:
            return
        with contextlib.suppress(OSError):
            make_private_folder(self._folder)
            self._make_room(len(data) + _CHECK_LENGTH)
            write_private_file(self._path(sha256, origin), _check(sha256, data).encode() + data)

    def _path(self, sha256: str, origin: str) -> str:
        name = hashlib.sha256(f"{sha256} {origin}".encode()).hexdigest() if origin else sha256
        return os.path.join(self._folder or "", name)

    def _make_room(self, size: int) -> None:
        if self._room is None or self._room < size:
            with os.scandir(self._folder) as entries:
                found = [(s.st_mtime, s.st_size, e.path) for e in entries for s in [e.stat()]]
            taken = sum(each for _, each, _ in found)
            for _, each, path in sorted(found):
                if taken + size <= self._limit:
                    break
                with contextlib.suppress(OSError):
                    os.unlink(path)
                    taken -= each
            self._room = self._limit - taken
        self._room -= size


def _check(sha256: str, data: bytes) -> str:
    return hashlib.sha256(sha256.encode() + data).hexdigest()


def is_metadata(data: bytes | None, says: bool | str) -> bool:
    """Whether data matches the METADATA that a page announces.

    Args:
        data: the data, or None if it could not be read.
        says: ``File.metadata``; any data matches ``True``, as in pip.
    """
    return data is not None and says in {True, hashlib.sha256(data).hexdigest()}


def metadata_of(wheel: IO[bytes] | io.RawIOBase, filename: str) -> bytes | None:
    """Read the METADATA of a wheel; return None if the wheel is invalid.

    Args:
        wheel: the wheel.
        filename: its file name, which contains the project's name.

    Raises:
        OSError: the wheel cannot be read.
    """
    wanted = normalise(filename.partition("-")[0])
    try:
        with zipfile.ZipFile(cast("IO[bytes]", wheel)) as archive:
            found = (_METADATA.fullmatch(name) for name in archive.namelist())
            (name,) = [m[0] for m in found if m and normalise(m["project"]) == wanted]
            if archive.getinfo(name).compress_type not in _COMPRESSIONS:
                return None
            with archive.open(name) as file:  # the stated size may be wrong
                data = file.read(MOST_BYTES + 1)
    except Exception as error:  # noqa: BLE001 - zipfile and zlib raise many kinds
        # zipfile hides read errors at the end of a file behind BadZipFile.
        fault = error if isinstance(error, OSError) else error.__context__
        if isinstance(fault, OSError) and fault.errno != errno.EINVAL:
            raise fault from None  # a later attempt may succeed
        return None
    return data if len(data) <= MOST_BYTES else None


class RemoteWheel(io.RawIOBase):
    """A remote wheel whose parts are fetched on demand.

    Args:
        size: its length in bytes.
        tail: its last bytes, if known.
        fetch: returns the bytes from the first to the last offset, both included.
    """

    def __init__(self, size: int, tail: bytes, fetch: Callable[[int, int], bytes]) -> None:
        self._size = size
        self._at = 0
        self._fetch = fetch
        self._parts = [(size - len(tail), tail)]

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position of the next byte."""
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Set the position of the next byte.

        Raises:
            OSError: the position is negative.
        """
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise OSError(errno.EINVAL, "negative position")
        self._at = base + offset
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill the buffer, because zipfile takes a short read for the end of the file."""
        length = min(len(buffer), max(0, self._size - self._at))
        done = 0
        while done < length:
            begin, part = self._part(self._at, length - done)
            data = part[self._at - begin :][: length - done]
            if not data:
                break
            buffer[done : done + len(data)] = data
            self._at += len(data)
            done += len(data)
        return done

    def _part(self, at: int, length: int) -> tuple[int, bytes]:
        for begin, part in self._parts:
            if begin <= at < begin + len(part):
                return begin, part
        last = min(self._size, at + max(length, _BLOCK)) - 1
        self._parts.append((at, self._fetch(at, last)))
        return self._parts[-1]


def requirements_of(metadata: bytes) -> Iterator[Requirement]:
    """Yield what METADATA requires from an index on this machine, without extras."""
    from email.parser import BytesHeaderParser

    from packaging.requirements import InvalidRequirement, Requirement

    for text in BytesHeaderParser().parsebytes(metadata).get_all("Requires-Dist") or []:
        try:
            requirement = Requirement(str(text))
            applies = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        except (InvalidRequirement, ValueError):
            continue
        if applies and requirement.url is None:
            yield requirement
