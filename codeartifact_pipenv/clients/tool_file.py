"""A client's configuration file: its content, and its text with what must come back around it."""

from __future__ import annotations

import os
import stat
from typing import NamedTuple

from codeartifact_pipenv.errors import ConfigurationError
from codeartifact_pipenv.files.reading import read_user_file

_BOM = b"\xef\xbb\xbf"


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
        ConfigurationError: it is there and cannot be read, or is not a regular file.
    """
    data = read_user_file(path)
    return Content(data, None if data is None else stat.S_IMODE(os.stat(path).st_mode))


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
