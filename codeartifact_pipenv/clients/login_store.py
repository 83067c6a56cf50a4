"""What each file said before a tool was logged in: one private JSON file for each.

Version 1 is that of pipenv-ca 1.0, with further keys.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
from typing import NamedTuple

from codeartifact_pipenv.clients.config_file import ConfigFile
from codeartifact_pipenv.errors import ConfigurationError
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
        before: the file then.
        written: the SHA-256, in hex, of what the last login wrote.
    """

    tool: str
    before: ConfigFile
    written: str


class LoginStore:
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
        names: list[str] = []
        with contextlib.suppress(OSError):
            names = sorted(n for n in os.listdir(self._directory) if n.endswith(".json"))
        copies = [_load(os.path.join(self._directory, name)) for name in names]
        return [copy for copy in copies if copy is not None]

    def find(self, path: str) -> SavedCopy | None:
        """Return a file's saved copy."""
        return _load(self._path(path))

    def save(self, copy: SavedCopy) -> None:
        """Write a saved copy; raises ConfigurationError if that is not possible."""
        path, data, mode = copy.before
        document = {
            "version": _VERSION,
            "tool": copy.tool,
            "path": path,
            "base": None if data is None else base64.b64encode(data).decode(),
            "mode": mode,
            "written": copy.written,
        }
        ConfigFile(self._path(path), json.dumps(document).encode()).write()

    def remove(self, path: str) -> None:
        """Remove a file's saved copy."""
        ConfigFile(self._path(path)).write()

    def set_aside(self, before: ConfigFile) -> str:
        """Keep what a file said before beside the saved copies; return the path."""
        aside = f"{self._path(before.path).removesuffix('.json')}.before"
        ConfigFile(aside, before.data).write()
        return aside

    def _path(self, path: str) -> str:
        name = checksum(os.path.realpath(path).encode(errors="surrogateescape"))
        return os.path.join(self._directory, f"{name}.json")


def checksum(data: bytes | None) -> str:
    """Return the SHA-256 of data in hex."""
    return hashlib.sha256(data or b"").hexdigest()


def _load(path: str) -> SavedCopy | None:
    try:
        document = json.loads(read_private(path))
        base, mode = document["base"], document["mode"]
        tool, file, written = (str(document[key]) for key in ("tool", "path", "written"))
        data = None if base is None else base64.b64decode(base)
        before = ConfigFile(file, data, None if mode is None else int(mode))
        return SavedCopy(tool, before, written)
    except (OSError, ValueError, TypeError, KeyError):
        return None  # the login is then found by its hosts alone
