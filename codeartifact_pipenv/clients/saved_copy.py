"""The saved copies of files that tools are logged in by: what each said before any login.

One private JSON file for each, written before the tool's own file is. Version 1 is that of
1.0, which kept more beside.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
from typing import NamedTuple

from codeartifact_pipenv.clients.tool_file import Content
from codeartifact_pipenv.errors import ConfigurationError
from codeartifact_pipenv.files.atomic import remove_user_file, write_user_file
from codeartifact_pipenv.files.lock import locked
from codeartifact_pipenv.files.private import make_private_folder, read_private
from codeartifact_pipenv.settings import default_state_dir

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_VERSION = 2
_WAIT_SECONDS = 60.0


class SavedCopy(NamedTuple):
    """What one file said before any login.

    Attributes:
        tool: ``pip``, ``twine`` or ``netrc``.
        path: the file's path, as the tool names it.
        before: its content then.
        written: the SHA-256, in hex, of what the last login wrote.
    """

    tool: str
    path: str
    before: Content
    written: str

    def is_unchanged(self, data: bytes | None) -> bool:
        """Whether the file still is as the last login wrote it."""
        return data is not None and checksum(data) == self.written


class SavedCopies:
    """All saved copies of this user.

    Raises:
        ConfigurationError: there is no home.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        directory = default_state_dir(environ)
        if not directory:
            raise ConfigurationError("There is no home folder.", "Set HOME.")
        self._directory = os.path.join(directory, "logins")

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Make other logins and logouts wait.

        Raises:
            ConfigurationError: the folder cannot be used, or another one takes too long.
        """
        try:
            make_private_folder(self._directory)
            with locked(os.path.join(self._directory, ".lock"), seconds=_WAIT_SECONDS):
                yield
        except TimeoutError:
            raise ConfigurationError(
                "Another login or logout is still running.", "Wait for it or end it; try again."
            ) from None
        except OSError as error:
            raise ConfigurationError(
                f"{self._directory} cannot be used: {error.strerror}.", "Check its permissions."
            ) from error

    def all(self) -> list[SavedCopy]:
        """Return every saved copy that can be read."""
        try:
            names = sorted(os.listdir(self._directory))
        except OSError:
            return []
        found = [_load(os.path.join(self._directory, n)) for n in names if n.endswith(".json")]
        return [copy for copy in found if copy is not None]

    def find(self, path: str) -> SavedCopy | None:
        """Return a file's saved copy."""
        return _load(self._path(path))

    def save(self, copy: SavedCopy) -> None:
        """Write a saved copy; raises ConfigurationError where that is not possible."""
        data = copy.before.data
        document = {
            "version": _VERSION,
            "tool": copy.tool,
            "path": copy.path,
            "base": None if data is None else base64.b64encode(data).decode(),
            "mode": copy.before.mode,
            "written": copy.written,
        }
        write_user_file(self._path(copy.path), json.dumps(document).encode(), 0o600)

    def remove(self, path: str) -> None:
        """Remove a file's saved copy."""
        remove_user_file(self._path(path))

    def set_aside(self, copy: SavedCopy) -> str:
        """Keep what a file said before beside the saved copies, as a file; return its path."""
        aside = f"{self._path(copy.path).removesuffix('.json')}.before"
        write_user_file(aside, copy.before.data or b"", 0o600)
        return aside

    def _path(self, path: str) -> str:
        name = checksum(os.path.realpath(path).encode(errors="surrogateescape"))
        return os.path.join(self._directory, f"{name}.json")


def checksum(data: bytes) -> str:
    """Return the SHA-256 of data in hex."""
    return hashlib.sha256(data).hexdigest()


def _load(path: str) -> SavedCopy | None:
    try:
        document = json.loads(read_private(path))
        base, mode = document["base"], document["mode"]
        content = Content(
            None if base is None else base64.b64decode(base), None if mode is None else int(mode)
        )
        tool, file, written = (str(document[key]) for key in ("tool", "path", "written"))
        return SavedCopy(tool, file, content, written)
    except (OSError, ValueError, TypeError, KeyError):
        return None  # the login is then found by its hosts alone
