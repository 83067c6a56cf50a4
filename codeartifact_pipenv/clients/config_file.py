"""A tool's configuration file: its bytes, its text, and how another text is written back."""

from __future__ import annotations

import os
import stat
from typing import NamedTuple

from codeartifact_pipenv.errors import ConfigurationError
from codeartifact_pipenv.files.atomic import remove_user_file, write_user_file
from codeartifact_pipenv.files.reading import read_user_file

_BOM = b"\xef\xbb\xbf"


class ConfigFile(NamedTuple):
    """A file at one moment.

    Attributes:
        path: its path, as the tool names it.
        data: its bytes; None if it does not exist.
        mode: its permission bits; None if it does not exist.
    """

    path: str
    data: bytes | None = None
    mode: int | None = None

    @property
    def text(self) -> str:
        """Its text, lines ending in a line feed if all of them end in CR LF.

        Raises:
            ConfigurationError: it is not UTF-8.
        """
        try:
            text = (self.data or b"").decode("utf-8-sig")
        except UnicodeDecodeError:
            raise ConfigurationError(f"{self.path} is not UTF-8.", "Save it as UTF-8.") from None
        return text.replace("\r\n", "\n") if self._is_crlf else text

    @property
    def _is_crlf(self) -> bool:
        data = self.data or b""
        return 0 < data.count(b"\r\n") == data.count(b"\n") == data.count(b"\r")

    def with_text(self, text: str) -> ConfigFile:
        """Return the file with another text, but its own line ends and byte order mark."""
        written = text.replace("\n", "\r\n") if self._is_crlf else text
        mark = _BOM if self.data and self.data.startswith(_BOM) else b""
        return self._replace(data=mark + written.encode())

    def write(self) -> None:
        """Write the file, or remove it if it has no content; only this user can read a new one.

        Raises:
            ConfigurationError: it cannot be written, and is unchanged.
        """
        if self.data is None:
            remove_user_file(self.path)
        else:
            write_user_file(self.path, self.data, self.mode or 0o600)


def read_config(path: str) -> ConfigFile:
    """Read a file, through links.

    Raises:
        ConfigurationError: it exists and cannot be read, or is not a regular file.
    """
    data = read_user_file(path)
    return ConfigFile(path, data, None if data is None else stat.S_IMODE(os.stat(path).st_mode))
