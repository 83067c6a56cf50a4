"""One file of the user's: read whole, written whole, never left half-done."""

from __future__ import annotations

import contextlib
import os
import stat
from typing import NamedTuple

from codeartifact_pipenv.errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_BOM = b"\xef\xbb\xbf"
_MAXIMUM_BYTES = 16 * 1024 * 1024


class Content(NamedTuple):
    """What a file is at one moment.

    Attributes:
        data: its bytes; None where it does not exist.
        mode: its permission bits; None where it does not exist.
    """

    data: bytes | None
    mode: int | None


class Text(NamedTuple):
    """The text of a file, with what must come back around it.

    Attributes:
        text: what it says.
        crlf: whether all its lines end in a carriage return too, which the text has not.
        mark: whether a byte order mark stands before them.
    """

    text: str
    crlf: bool
    mark: bool

    def data(self, text: str) -> bytes:
        """Return another text as this file has its own."""
        written = text.replace("\n", "\r\n") if self.crlf else text
        return (_BOM if self.mark else b"") + written.encode()


def read(path: str) -> Content:
    """Read a file, through links.

    Raises:
        ConfigurationError: it is there and cannot be read, or is no file.
    """
    try:
        with open(path, "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or status.st_size > _MAXIMUM_BYTES:
                raise ConfigurationError(f"{path} is no configuration file.", "Remove it.")
            return Content(file.read(), stat.S_IMODE(status.st_mode))
    except FileNotFoundError:
        return Content(None, None)
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be read: {error.strerror}.", "Check its permissions."
        ) from error


def decode(path: str, data: bytes | None) -> Text:
    """Return the text of a file's bytes; of None, an empty one.

    Raises:
        ConfigurationError: it is not UTF-8.
    """
    given = data or b""
    mark = given.startswith(_BOM)
    try:
        text = given[len(_BOM) if mark else 0 :].decode()
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path} is not UTF-8.", "Save it as UTF-8.") from None
    # Places of several kinds stay as they are: the tools' parsers take them all.
    plain = text.replace("\r\n", "\n")
    crlf = "\r" not in plain and "\n" in plain and plain.replace("\n", "\r\n") == text
    return Text(plain if crlf else text, crlf, mark)


def write(path: str, data: bytes, mode: int | None) -> None:
    """Put bytes in the place of a file, whole or not at all; a link stays a link.

    Args:
        path: the file.
        data: its content.
        mode: its permission bits, of a file that is ours then; None for the mode and the owner
            that it has.

    Raises:
        ConfigurationError: it cannot be written; it is what it was.
    """
    target = os.path.realpath(path)
    part = part_of(path)
    try:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with written_beside(part, data):
            if mode is None:
                make_alike(part, target)
            else:
                os.chmod(part, mode)
            os.replace(part, target)
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be written: {error.strerror}.", "Check its permissions and the disk."
        ) from error


@contextlib.contextmanager
def written_beside(place: str, data: bytes) -> Iterator[None]:
    """Write a file that only we can read, for a block that gives it its place.

    What leaves the block in an error removes it.

    Raises:
        OSError: it cannot be written.
    """
    with contextlib.suppress(FileNotFoundError):
        os.unlink(place)  # a link that somebody has put there is not followed
    try:
        with os.fdopen(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        yield
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(place)
        raise


def make_alike(place: str, target: str) -> None:
    """Give a file the mode of another, and its owner where that may be done.

    Raises:
        OSError: there is no other one, or the mode cannot be changed.
    """
    status = os.stat(target)
    if hasattr(os, "chown"):
        with contextlib.suppress(OSError):
            os.chown(place, status.st_uid, status.st_gid)
    os.chmod(place, stat.S_IMODE(status.st_mode))


def discard_part(path: str) -> None:
    """Remove what a run that was killed while it wrote a file has left."""
    with contextlib.suppress(OSError):
        os.unlink(part_of(path))


def part_of(path: str) -> str:
    """Return where a file's next content is written; one name, so that what is left is found."""
    target = os.path.realpath(path)
    return os.path.join(os.path.dirname(target), f".{os.path.basename(target)}.pipenv-ca")


def remove(path: str) -> None:
    """Remove a file that a login made.

    Raises:
        ConfigurationError: it cannot be removed.
    """
    try:
        os.unlink(os.path.realpath(path))
    except FileNotFoundError:
        return
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be removed: {error.strerror}.", "Remove it yourself."
        ) from error
