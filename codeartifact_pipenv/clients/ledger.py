"""What logins have changed: for each file what it said before, so that a logout gives it back.

One record a file, in a private folder. It is written before the file is, so that a run killed
between the two leaves a record that still fits: nothing to take out.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
from typing import NamedTuple

from codeartifact_pipenv.clients.logins import Entry
from codeartifact_pipenv.errors import ConfigurationError
from codeartifact_pipenv.files.atomic import remove_user_file, write_user_file
from codeartifact_pipenv.files.lock import locked
from codeartifact_pipenv.files.private import make_private_folder, read_private
from codeartifact_pipenv.kept_file import Content

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_VERSION = 1
_PATIENCE = 60.0  # seconds


class Record(NamedTuple):
    """What is known of one file.

    Attributes:
        tool: ``pip``, ``twine`` or ``netrc``.
        path: the file's path, as the tool names it.
        base: what it was before any login.
        written: the SHA-256 of what the last login wrote, in hex.
        entries: the logins in it.
        expires_at: when the token in it ends, seconds since the epoch; None where there is
            none, or that is not known.
    """

    tool: str
    path: str
    base: Content
    written: str
    entries: list[Entry]
    expires_at: float | None


class Ledger:
    """The records, in a folder that only the user can read."""

    def __init__(self, directory: str) -> None:
        self._directory = directory

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Keep other logins and logouts waiting.

        Raises:
            ConfigurationError: the folder cannot be used, or another one takes too long.
        """
        try:
            make_private_folder(self._directory)
            with locked(os.path.join(self._directory, ".lock"), seconds=_PATIENCE):
                yield
        except TimeoutError:
            raise ConfigurationError(
                "Another login or logout is going on and does not end.", "End it, and try again."
            ) from None
        except OSError as error:
            raise ConfigurationError(
                f"{self._directory} cannot be used: {error.strerror}.", "Check its permissions."
            ) from error

    def records(self) -> list[Record]:
        """Return all records, of every file."""
        try:
            names = sorted(os.listdir(self._directory))
        except OSError:
            return []
        found = [_load(os.path.join(self._directory, n)) for n in names if n.endswith(".json")]
        return [record for record in found if record is not None]

    def find(self, path: str) -> Record | None:
        """Return the record of a file; None where no login has changed it."""
        return _load(self._path(path))

    def keep(self, record: Record) -> None:
        """Write a record; raises ConfigurationError where that cannot be done."""
        data = record.base.data
        document = {
            "version": _VERSION,
            "tool": record.tool,
            "path": record.path,
            "base": None if data is None else base64.b64encode(data).decode(),
            "mode": record.base.mode,
            "written": record.written,
            "entries": [list(entry) for entry in record.entries],
            "expires_at": record.expires_at,
        }
        write_user_file(self._path(record.path), json.dumps(document).encode(), 0o600)

    def forget(self, path: str) -> None:
        """Remove the record of a file."""
        remove_user_file(self._path(path))

    def _path(self, path: str) -> str:
        name = hashlib.sha256(os.path.realpath(path).encode(errors="surrogateescape")).hexdigest()
        return os.path.join(self._directory, f"{name}.json")


def checksum(data: bytes) -> str:
    """Return what a record knows a file by."""
    return hashlib.sha256(data).hexdigest()


def _load(path: str) -> Record | None:
    try:
        # (What it says is written where it says.)
        document = json.loads(read_private(path))
        if document["version"] != _VERSION:
            raise ConfigurationError(
                f"{path} was written by another version of this program.",
                "Use that one to log out, or remove the file and edit the configuration yourself.",
            )
        base = document["base"]
        content = Content(None if base is None else base64.b64decode(base), document["mode"])
        entries = [Entry(*map(str, entry)) for entry in document["entries"]]
        end = document["expires_at"]
        return Record(
            str(document["tool"]),
            str(document["path"]),
            content,
            str(document["written"]),
            entries,
            None if end is None else float(end),
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ConfigurationError(
            f"{path}, which says what a login has changed, cannot be read.",
            "Remove it, and edit the tool's configuration yourself.",
        ) from error
