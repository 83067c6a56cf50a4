"""The files of a run: its private folder, and its copies of Pipfile and lock.

Each has a lock file that the run and its pipenv hold; the next command removes the files of a killed
run, whose lock is free. If locks are not available (ENOLCK, a read-only folder), commands do not
wait for each other and only remove their own files and those older than a day.

pipenv and pip write their temporary files to the private folder. Some contain a token: pipenv
2026.10 leaves request files with expanded URLs.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import time

from codeartifact_pipenv.errors import CodeArtifactPipenvError, ConfigurationError, check_length
from codeartifact_pipenv.files.io import (
    acquire,
    copy_access,
    load_toml_bytes,
    read_user_file,
    release,
    remove_file,
    remove_leftovers,
)
from codeartifact_pipenv.settings import variable_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Any

    from codeartifact_pipenv.project.pipfile import Project

_PREFIX, _FOLDER_LOCK = "pipenv-ca-", ".lock"
_MARK, _LOCK = ".pipenv-ca-", "lock"
# The length of a run's ID in the name of a folder and of a copy.
_FOLDER_DIGITS, _COPY_DIGITS = 16, 12
# pipenv/utils/locking.py: atomic_open_for_write, in every version.
_PARTIAL_WRITE = ".__atomic-write"
_DAY_SECONDS = 86400.0
# The resolution of file times.
_TICK_SECONDS = 0.05
_TRIES, _PAUSE = 100, 0.02
# How many folders pipenv searches upwards for a Pipfile.
_DEPTH = 10


def sweep() -> None:
    """Remove private folders of killed commands, and their copies in this project.

    Files of a running command stay; this function does not wait for it.
    """
    _sweep_folders()
    with contextlib.suppress(OSError):
        for folder in _project_folders():
            found = [_parse_run_file(name) for name in os.listdir(folder) if _MARK in name]
            for name in {pipfile for pipfile, _ in found if pipfile}:
                with contextlib.suppress(OSError):  # TimeoutError if it is in use
                    _sweep_project(os.path.join(folder, name))


def _is_run_id(digits: str, length: int) -> bool:
    return len(digits) == length and not digits.strip("0123456789abcdef")


# --- the private folder --------------------------------------------------------------------


class PrivateFolder:
    """The private folder of a run.

    Attributes:
        path: the path of the folder, in which child processes create temporary files.
        descriptor: the descriptor of its lock, which children inherit, or None if locks are not
            available.
        pylock: the path to which pipenv writes pylock.toml during the run.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.descriptor: int | None = None
        self.pylock = os.path.join(path, "pylock.toml")

    def write(self, name: str, text: str) -> str:
        """Write a file that only its owner can read, and return its path.

        Raises:
            CodeArtifactPipenvError: the file cannot be written.
        """
        path = os.path.join(self.path, name)
        with _describe_errors(path):
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
        return path

    def make(self) -> None:
        """Create the folder and its lock.

        The lock file gets contents to detect a full disk, on which a folder can be created but
        children would put their files in a folder that is not private.
        """
        self.descriptor = acquire(self.path + _FOLDER_LOCK, seconds=None)
        if self.descriptor is not None:
            os.write(self.descriptor, bytes(4096))
        os.mkdir(self.path, 0o700)


def prepare_removal() -> None:
    """Import a module that removes folders while pipenv runs, to save time later."""
    import shutil  # noqa: F401


@contextlib.contextmanager
def private_folder() -> Iterator[PrivateFolder]:
    """Create the private folder for the block, and remove those of killed runs.

    Raises:
        CodeArtifactPipenvError: the folder cannot be created.
    """
    with _describe_errors("The folder for temporary files"):
        parent = _temporary_folder()
        _sweep_folders(parent)
        # Like tempfile.mkdtemp(), whose import takes 1 % of `pipenv-ca sync`.
        name = f"{_PREFIX}{os.urandom(_FOLDER_DIGITS // 2).hex()}"
        folder = PrivateFolder(os.path.join(parent, name))
    try:
        with _describe_errors(folder.path):
            folder.make()
        yield folder
    finally:
        _remove_folder(folder.path, folder.descriptor, _TRIES)


def _sweep_folders(parent: str | None = None) -> None:
    with contextlib.suppress(OSError):
        parent = _temporary_folder() if parent is None else parent
        for name in os.listdir(parent):
            if name.startswith(_PREFIX) and name.endswith(_FOLDER_LOCK):
                run = name[len(_PREFIX) : -len(_FOLDER_LOCK)]
                with contextlib.suppress(OSError):
                    _sweep_folder(os.path.join(parent, f"{_PREFIX}{run}"), run)


def _temporary_folder() -> str:
    # Like tempfile.gettempdir(), whose import takes 4 ms in every command.
    if sys.platform != "win32":
        for place in (*map(os.environ.get, ("TMPDIR", "TEMP", "TMP")), "/tmp"):  # noqa: S108
            if place and os.path.isdir(place) and os.access(place, os.W_OK | os.X_OK):
                return os.path.abspath(place)
    import tempfile

    return tempfile.gettempdir()


def _sweep_folder(path: str, run: str) -> None:
    status = os.lstat(path + _FOLDER_LOCK)
    is_old = time.time() - status.st_mtime > _DAY_SECONDS
    is_own = sys.platform == "win32" or status.st_uid == os.geteuid()
    if is_own and stat.S_ISREG(status.st_mode) and _is_run_id(run, _FOLDER_DIGITS):
        descriptor = acquire(path + _FOLDER_LOCK, create=False)  # TimeoutError if it is in use
        if descriptor is not None or is_old:
            _remove_folder(path, descriptor, 1)


def _remove_folder(path: str, descriptor: int | None, tries: int) -> None:
    # A background process of pipenv may still write there. The lock is removed last, so that the
    # next sweep finds remaining files.
    import shutil

    for _ in range(tries):
        shutil.rmtree(path, ignore_errors=True)
        if not os.path.lexists(path):
            release(path + _FOLDER_LOCK, descriptor)
            return
        time.sleep(_PAUSE)
    if descriptor is not None:
        os.close(descriptor)


@contextlib.contextmanager
def _describe_errors(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CodeArtifactPipenvError(
            f"{path} cannot be written: {error.strerror or error}.",
            "Free some space, or set TMPDIR to another folder for temporary files.",
        ) from error


# --- the lock of the project ---------------------------------------------------------------


def copy_path(pipfile: str) -> str:
    """Return a new path for a run's copy of a Pipfile."""
    return _run_file(pipfile, os.urandom(_COPY_DIGITS // 2).hex())


@contextlib.contextmanager
def project_lock(pipfile: str, waiting: Callable[[], None]) -> Iterator[int | None]:
    """Lock a project for the block, and remove the copies of killed runs.

    Yields a descriptor for pipenv to inherit, so that a pipenv that outlives a killed run keeps the
    lock, or None if locks are not available.

    Args:
        pipfile: the path of the project's Pipfile, which need not exist.
        waiting: called once before waiting for another command.
    """
    path, descriptor = _run_file(pipfile, _LOCK), None
    with contextlib.suppress(OSError):
        descriptor = acquire(path, seconds=None, waiting=waiting)
    try:
        _remove_copies(pipfile, 0.0 if descriptor is not None else _DAY_SECONDS)
        yield descriptor
    finally:
        release(path, descriptor)


def has_pipfile() -> bool:
    """Whether the working directory or a parent folder has a Pipfile."""
    try:
        return bool(_project_folders())
    except OSError:
        return False


def remove_partial_writes(folder: str, since: float) -> None:
    """Remove the partly written files of a pipenv that was killed.

    Args:
        folder: the folder of the project.
        since: the Unix time at which the command began; older files stay.
    """
    with contextlib.suppress(OSError):
        for entry in os.scandir(folder):
            if entry.name.startswith(_PARTIAL_WRITE):
                with contextlib.suppress(OSError):
                    if entry.stat(follow_symlinks=False).st_mtime >= since - _TICK_SECONDS:
                        os.unlink(entry.path)


def _parse_run_file(name: str) -> tuple[str, str]:
    """Return the Pipfile and the run that a file belongs to; '' for other files."""
    head, _, run = name.rpartition(_MARK)
    run = run.removesuffix(".bak").removesuffix(".lock")
    is_run_file = head.startswith(".") and (run == _LOCK or _is_run_id(run, _COPY_DIGITS))
    return (head[1:], run) if is_run_file else ("", "")


def _run_file(pipfile: str, run: str) -> str:
    folder, name = os.path.split(pipfile)
    return os.path.join(folder, f".{name}{_MARK}{run}")


def _sweep_project(pipfile: str) -> None:
    path = _run_file(pipfile, _LOCK)
    descriptor = acquire(path)
    _remove_copies(pipfile, 0.0 if descriptor is not None else _DAY_SECONDS)
    release(path, descriptor)


def _remove_copies(pipfile: str, seconds: float) -> None:
    """Remove copies of a Pipfile older than some seconds, and partly written files."""
    folder, name = os.path.split(pipfile)
    found = []
    with contextlib.suppress(OSError):
        for entry in os.scandir(folder):
            whose, run = _parse_run_file(entry.name)
            if whose == name and run != _LOCK:
                changed = entry.stat(follow_symlinks=False).st_mtime
                if not seconds or time.time() - changed >= seconds:
                    found.append((entry.path, changed))
    if not found:
        return
    remove_partial_writes(folder, min(changed for _, changed in found))
    for path in (pipfile, f"{pipfile}.lock"):
        remove_leftovers(path, seconds)
    for path, _ in found:
        with contextlib.suppress(OSError):
            remove_file(path)


def _project_folders() -> list[str]:
    """Return the folders that may contain copies of this project's files."""
    pipfile = os.environ.get("PIPENV_PIPFILE")
    if not pipfile:
        folder = os.getcwd()
        for _ in range(_DEPTH):
            pipfile = os.path.join(folder, "Pipfile")
            if os.path.isfile(pipfile):
                break
            folder = os.path.dirname(folder)
        else:
            return []
    return list(
        {os.path.dirname(os.path.abspath(pipfile)), os.path.dirname(os.path.realpath(pipfile))}
    )


# --- the copies ----------------------------------------------------------------------------
# PIPENV_PIPFILE names the copy of the Pipfile. It is in the folder of the Pipfile, so that relative
# paths, ``.env`` and ``.venv`` work unchanged; pipenv expects its lock in the same folder. The copies
# are published when the command has succeeded.

# Characters that pipenv replaces in the name of an environment (_sanitize).
_UNSAFE = r'[ &$`!*@"()\[\]\\\r\n\t]'
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
        from codeartifact_pipenv.project.pipfile import is_true

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
        from codeartifact_pipenv.project.toml_text import with_sources_at, without_pylock

        text = self.text
        if self._url is not None:
            sources = self.project.document.get("source")
            text = with_sources_at(text, self._url, sources if isinstance(sources, list) else [])
        return without_pylock(text) if self.project.uses_pylock else text

    def _write(self) -> None:
        from codeartifact_pipenv.project.pipfile import parse_lock

        home = self.project.home
        data = self.originals[f"{home}.lock"]
        document = None if data is None else parse_lock(data)
        if document is not None and (self.given != self.text or self.is_lock_only):
            data = self._given_document(document)
        _write_copy(self.pipfile, self.given.encode(), home)
        if data is not None:
            _write_copy(self.lock, data, f"{home}.lock")

    def _given_document(self, document: dict[str, Any]) -> bytes:
        from codeartifact_pipenv.project import lock

        # Some pipenvs lock again, which empties the lock, if its hash is not that of the Pipfile.
        before, given = (load_toml_bytes(text.encode()) for text in (self.text, self.given))
        kind = 0 if self.is_lock_only else lock.hash_kind(document, before)
        digest = None if kind is None else lock.pipfile_hashes(given)[kind]
        return lock.format_lock(lock.lock_with_sources_at(document, self._url, digest))


def environment_name(pipfile: str, environ: Mapping[str, str]) -> str:
    """Return the name that pipenv gives the virtual environment of a Pipfile.

    Args:
        pipfile: the path, as pipenv knows it.
        environ: the environment as pipenv sees it.

    Raises:
        ConfigurationError: the path is not UTF-8; pipenv would fail with a traceback.
    """
    import base64
    import hashlib
    import re

    from codeartifact_pipenv.project.pipfile import is_true

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
    folder = re.sub(_UNSAFE, "_", os.path.basename(os.path.dirname(pipfile)))[:_LONGEST_NAME]
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
            "Free some space there, or correct the permissions of the folder; `pipenv-ca sync` works in a "
            "read-only folder.",
        ) from error
