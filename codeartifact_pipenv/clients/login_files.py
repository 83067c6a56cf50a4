"""Logs tools in and out by editing one file atomically.

The content before the first login is saved in a private JSON file. Its version 1, of pipenv-ca 1.0,
has further keys.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import stat
from typing import NamedTuple

from codeartifact_pipenv.clients.edits import TOOLS
from codeartifact_pipenv.errors import ConfigurationError
from codeartifact_pipenv.files.io import (
    locked,
    make_private_folder,
    read_private,
    read_user_file,
    remove_leftovers,
    remove_user_file,
    write_user_file,
)
from codeartifact_pipenv.settings import default_state_dir

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from codeartifact_pipenv.clients.edits import LoginEntry
    from codeartifact_pipenv.endpoint import Domain

_VERSION = 2
_WAIT_SECONDS = 60.0
_BOM = b"\xef\xbb\xbf"


class ConfigFile(NamedTuple):
    """A snapshot of a file.

    Attributes:
        path: its path, as the tool names it.
        data: its bytes, or None if it does not exist.
        mode: its permission bits, or None if it does not exist.
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
        if text == self.text:
            return self
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


class Logout(NamedTuple):
    """The result of a logout.

    Attributes:
        after: the file after it.
        domains: the domains whose logins are removed.
        before: the file before the login, or None if this program did not log in.
        aside: the path of a copy of ``before``, kept because lines of it are lost.
    """

    after: ConfigFile
    domains: set[Domain]
    before: ConfigFile | None = None
    aside: str | None = None

    @property
    def is_restored(self) -> bool:
        """Whether the file is what it was before the login."""
        return self.before is not None and self.after.data == self.before.data


class _SavedCopy(NamedTuple):
    tool: str
    before: ConfigFile
    written: str  # the SHA-256 of what the last login wrote


class LoginStore:
    """The logins of this user, each with a saved copy of its file.

    Raises:
        ConfigurationError: the home directory was not found.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        directory = default_state_dir(environ)
        if not directory:
            raise ConfigurationError("The home directory was not found.", "Set HOME.")
        self._directory = os.path.join(directory, "logins")

    def log_in(self, tool: str, path: str, entries: Sequence[LoginEntry]) -> None:
        """Write logins into a tool's file; others in it stay if the tool can have several.

        Raises:
            ConfigurationError: the file cannot be read or written; it is unchanged.
        """
        with self._locked():
            current, copy = read_config(path), _load(self._saved(path))
            if copy is None:
                ConfigFile(self._aside(path)).write()  # of an older login
            logout = _plan(tool, current, copy)
            self._set_aside(path, logout)
            before = logout.after
            start = before if TOOLS[tool].is_single else current
            text = TOOLS[tool].add(path, start.text, entries)
            after = current.with_text(text)._replace(mode=0o600)
            self._save(_SavedCopy(tool, before, _sha256(after.data)))
            after.write()

    def log_out(self, tool: str, path: str, *, dry_run: bool = False) -> Logout | None:
        """Remove the logins from a tool's file.

        Returns:
            The result, or None if the file has no login.

        Raises:
            ConfigurationError: the file of a known login cannot be read or written; it is
                unchanged.
        """
        if dry_run:
            return self._find_logout(tool, path)
        with self._locked():
            logout = self._find_logout(tool, path)
            remove_leftovers(path)
            if logout is None:
                return None
            if logout.after != read_config(path):
                logout.after.write()
            if logout.before is not None:
                self._set_aside(path, logout)
                aside = self._aside(path)
                logout = logout._replace(aside=aside if os.path.exists(aside) else None)
                ConfigFile(self._saved(path)).write()
            return logout

    def files(self) -> dict[str, str]:
        """Return the tool of each file that a login is known of, by its path."""
        names: list[str] = []
        with contextlib.suppress(OSError):
            names = sorted(n for n in os.listdir(self._directory) if n.endswith(".json"))
        copies = [_load(os.path.join(self._directory, name)) for name in names]
        return {copy.before.path: copy.tool for copy in copies if copy is not None}

    def _find_logout(self, tool: str, path: str) -> Logout | None:
        copy = _load(self._saved(path))
        try:
            current = read_config(path)
            logout = _plan(tool, current, copy)
        except ConfigurationError:
            if copy is None:
                return None  # its own tool says what is wrong with it
            raise
        return None if copy is None and logout.after == current else logout

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Make other logins and logouts wait."""
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

    def _set_aside(self, path: str, logout: Logout) -> None:
        """Keep the content before the first login if lines of it are lost."""
        if logout.before is None or logout.after.data is None:
            return
        lines = {*(logout.before.data or b"").splitlines()}
        if lines - {*logout.after.data.splitlines()}:
            ConfigFile(self._aside(path), logout.before.data).write()

    def _aside(self, path: str) -> str:
        return f"{self._saved(path)}.before"

    def _saved(self, path: str) -> str:
        """Return where the saved copy of a file is."""
        name = _sha256(os.path.realpath(path).encode(errors="surrogateescape"))
        return os.path.join(self._directory, f"{name}.json")

    def _save(self, copy: _SavedCopy) -> None:
        path, data, mode = copy.before
        document = {
            "version": _VERSION,
            "tool": copy.tool,
            "path": path,
            "base": None if data is None else base64.b64encode(data).decode(),
            "mode": mode,
            "written": copy.written,
        }
        ConfigFile(self._saved(path), json.dumps(document).encode()).write()


def _plan(tool: str, current: ConfigFile, copy: _SavedCopy | None) -> Logout:
    """Return a file without its logins.

    An unchanged file is restored. From a changed file, entries for CodeArtifact hosts are removed;
    if this program did not log in, only entries with a token, since the user may have written the
    rest.
    """
    removal = TOOLS[tool].remove(current.path, current.text, copy is None)
    after = current.with_text(removal.text)
    if copy is None:
        return Logout(after, removal.domains)
    before = copy.before._replace(path=current.path)
    is_unchanged = current.data is not None and _sha256(current.data) == copy.written
    is_new_and_empty = before.data is None and not removal.text.strip()
    if is_unchanged or is_new_and_empty:
        after = before
    elif after != current:
        after = after._replace(mode=before.mode or current.mode)
    return Logout(after, removal.domains, before)


def _sha256(data: bytes | None) -> str:
    return hashlib.sha256(data or b"").hexdigest()


def _load(path: str) -> _SavedCopy | None:
    try:
        document = json.loads(read_private(path))
        base, mode = document["base"], document["mode"]
        tool, file, written = (str(document[key]) for key in ("tool", "path", "written"))
        data = None if base is None else base64.b64decode(base)
        return _SavedCopy(
            tool, ConfigFile(file, data, None if mode is None else int(mode)), written
        )
    except (OSError, ValueError, TypeError, KeyError):
        return None  # the login is then found by its hosts alone
