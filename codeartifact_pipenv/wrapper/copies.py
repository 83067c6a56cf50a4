"""Copies of Pipfile and lock for pipenv to work on until the command has succeeded.

PIPENV_PIPFILE names the copy. It is in the folder of the Pipfile, so that relative paths, ``.env``
and ``.venv`` work unchanged; pipenv expects its lock in the same folder.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import re
import sys
import time
from typing import Any

from codeartifact_pipenv.errors import ConfigurationError, check_length
from codeartifact_pipenv.files.reading import read_user_file
from codeartifact_pipenv.files.writing import copy_access, remove_file
from codeartifact_pipenv.project import edit
from codeartifact_pipenv.project.pipfile import is_true, parse_lock
from codeartifact_pipenv.settings import variable_name
from codeartifact_pipenv.wrapper.run_files import copy_path, remove_partial_writes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from codeartifact_pipenv.project.pipfile import Project

# Characters that pipenv replaces in the name of an environment (_sanitize).
_UNSAFE = re.compile(r'[ &$`!*@"()\[\]\\\r\n\t]')
_LONGEST_NAME = 42


class ProjectCopies:
    """The copies of one run.

    Args:
        project: the project.
        url: the URL for all sources, or None to keep them as written.

    Attributes:
        project: the project.
        pipfile: the path of the copy of the Pipfile.
        lock: the path of its lock.
        originals: by path, the contents of the user's files before the command, or None if a file
            did not exist.
        given: the text of the Pipfile's copy before the command.

    Raises:
        ConfigurationError: a file cannot be read, or a copy cannot be written.
    """

    def __init__(self, project: Project, url: str | None) -> None:
        self.project = project
        self._url = url
        self._began = time.time()
        self.pipfile = copy_path(project.home)
        self.lock = f"{self.pipfile}.lock"
        paths = (project.home, f"{project.home}.lock")
        self.originals = {path: read_user_file(path) for path in paths}
        self.given = self._given_text()
        try:
            self._write()
        except BaseException:
            self.remove()
            raise
        self._given_lock = _signature(self.lock)

    @property
    def is_lock_only(self) -> bool:
        """Whether the project has a lock and no Pipfile."""
        return self.project.pipfile is None

    @property
    def text(self) -> str:
        """The text of the Pipfile before the command."""
        data = self.originals[self.project.home]
        return (self.project.substitute_text or "") if data is None else data.decode()

    def environment(self) -> dict[str, str]:
        """Return the variables that make pipenv use the copies and its usual environment."""
        environ = self.project.environ
        own = environ.get("PIPENV_CUSTOM_VENV_NAME")
        name = own if own and is_true(own) else environment_name(self.project.home, environ)
        found = {"PIPENV_PIPFILE": self.pipfile, "PIPENV_CUSTOM_VENV_NAME": name}
        # On Windows pipenv reads a Pipfile as UTF-8 but writes it in the code page.
        return {**found, "PYTHONUTF8": "1"} if sys.platform == "win32" else found

    def wrote_lock(self) -> bool:
        """Whether pipenv has written the lock."""
        return _signature(self.lock) not in (None, self._given_lock)

    def text_after(self) -> str:
        """Return the text of the Pipfile's copy after the command."""
        return (read_user_file(self.pipfile) or b"").decode() or self.given

    def remove(self) -> None:
        """Remove the copies and the temporary files of a pipenv that was killed while it wrote."""
        for path in (self.pipfile, self.lock, f"{self.lock}.bak"):
            with contextlib.suppress(OSError):
                remove_file(path)
        remove_partial_writes(os.path.dirname(self.project.home), self._began)

    def _given_text(self) -> str:
        text = self.text if self._url is None else edit.with_sources_at(self.text, self._url)
        return edit.without_pylock(text) if self.project.uses_pylock else text

    def _write(self) -> None:
        home = self.project.home
        data = self.originals[f"{home}.lock"]
        document = None if data is None else parse_lock(data)
        if document is not None and (self.given != self.text or self.is_lock_only):
            data = self._given_document(document)
        _write_copy(self.pipfile, self.given.encode(), home)
        if data is not None:
            _write_copy(self.lock, data, f"{home}.lock")

    def _given_document(self, document: dict[str, Any]) -> bytes:
        # Some pipenvs lock again, which empties the lock, if its hash is not that of the Pipfile.
        kind = 0 if self.is_lock_only else hash_kind(document, self.text)
        digest = None if kind is None else edit.pipfile_hashes(self.given)[kind]
        return edit.format_lock(edit.lock_with_sources_at(document, self._url, digest))


def hash_kind(document: dict[str, Any], pipfile: str) -> int | None:
    """Return which of a Pipfile's hashes a lock has, or None if it has another Pipfile's."""
    found, hashes = document["_meta"]["hash"]["sha256"], edit.pipfile_hashes(pipfile)
    return hashes.index(found) if found in hashes else None


def environment_name(pipfile: str, environ: Mapping[str, str]) -> str:
    """Return the name that pipenv gives the virtual environment of a Pipfile.

    Args:
        pipfile: the path, as pipenv knows it.
        environ: the environment as pipenv sees it.

    Raises:
        ConfigurationError: the path is not UTF-8; pipenv would fail with a traceback.
    """
    try:
        path = pipfile.encode()
    except UnicodeEncodeError:
        raise ConfigurationError(
            f"pipenv cannot work in {os.path.dirname(pipfile)}: its name is not UTF-8.",
            "Rename the folder, or set PIPENV_VENV_IN_PROJECT=1.",
        ) from None
    if (
        sys.platform == "win32"
    ):  # normalize_pipfile_path: as names are on disk, the drive in upper case
        import glob

        found = glob.glob(re.sub(r"([^:/\\])(?=[/\\]|$)", r"[\1]", pipfile))
        pipfile = found[0] if found else pipfile
        path = (pipfile[:1].upper() + pipfile[1:]).encode()
    # pipenv/utils/venv_locator.py: name; unchanged in all versions.
    folder = _UNSAFE.sub("_", os.path.basename(os.path.dirname(pipfile)))[:_LONGEST_NAME]
    encoded = base64.urlsafe_b64encode(hashlib.sha256(path).digest()[:6]).decode()
    python = environ.get("PIPENV_PYTHON")
    if not python or not is_true(python):
        return f"{folder}-{encoded}"
    suffix = os.path.basename(python) if os.path.isabs(python) else python
    return f"{folder}-{encoded}-{suffix}"


def dotenv_without(names: Sequence[str], text: str) -> str:
    """Return the text of a ``.env`` file without some variables."""
    from io import StringIO

    from dotenv.parser import parse_stream

    bindings = parse_stream(StringIO(text))
    return "".join(
        binding.original.string
        for binding in bindings
        if variable_name(binding.key or "") not in names
    )


def _signature(path: str) -> tuple[int, int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


def _write_copy(path: str, data: bytes, original: str) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    try:
        with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
            file.write(data)
        copy_access(original, path)
    except OSError as error:
        check_length(path)
        raise ConfigurationError(
            f"Cannot write a file in the folder of {original}: {error.strerror or error}.",
            "Make room there, or correct the permissions of the folder; `pipenv-ca sync` works in a "
            "read-only folder.",
        ) from error
