"""Read, parse, write and lock files.

Only regular files are read, up to a limit: never a device, a named pipe or a file without end. Readers
of a file that is written here see the old content or the new, never a part.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
import time

from codeartifact_pipenv.errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any


MAXIMUM_BYTES = 64 * 1024 * 1024
# Opening a named pipe must not wait for its writer; on Windows, bytes are read as they are.
_WITHOUT_WAITING = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def read_bytes(path: str, limit: int = MAXIMUM_BYTES) -> bytes:
    """Read a regular file, also through links; the null device is an empty one.

    Args:
        path: the file.
        limit: the largest size in bytes that is accepted.

    Raises:
        FileNotFoundError: it does not exist.
        OSError: it cannot be read, is not a regular file, or is larger than the limit.
    """
    descriptor = os.open(path, os.O_RDONLY | _WITHOUT_WAITING)
    return read_descriptor(descriptor, path, limit)


def read_descriptor(descriptor: int, path: str, limit: int = MAXIMUM_BYTES) -> bytes:
    """Read an open regular file and close it; like ``read_bytes`` otherwise."""
    status = os.fstat(descriptor)
    if not (stat.S_ISREG(status.st_mode) or _is_null(status, path)):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is not a regular file", path)
    with os.fdopen(descriptor, "rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise OSError(errno.EFBIG, f"it is larger than {limit} bytes", path)
    return data


def _is_null(status: os.stat_result, path: str) -> bool:
    if sys.platform == "win32":  # where CON and pipes have the same numbers as NUL
        is_null = os.path.abspath(path).lower() == os.path.abspath(os.devnull).lower()
    else:
        is_null = os.path.samestat(status, os.stat(os.devnull))
    return is_null


def read_text(path: str, limit: int = MAXIMUM_BYTES) -> str:
    """Read a regular UTF-8 file as ``open()`` does: every line ends in a line feed.

    Raises:
        OSError: as for ``read_bytes``.
        UnicodeDecodeError: it is not UTF-8.
    """
    text = read_bytes(path, limit).decode()
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_end(path: str, start: int, limit: int) -> bytes:
    """Read the last bytes that were appended to a regular file since it had a size.

    Args:
        path: the file.
        start: its size then.
        limit: the most bytes that are read.

    Raises:
        OSError: it cannot be read, or is not a regular file.
    """
    descriptor = os.open(path, os.O_RDONLY | _WITHOUT_WAITING)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file", path)
        file.seek(max(start, status.st_size - limit))
        return file.read(limit)


def read_user_file(path: str, limit: int = MAXIMUM_BYTES) -> bytes | None:
    """Read a file and explain failures; return None if it does not exist.

    Raises:
        ConfigurationError: it cannot be read, is not a regular file, or is too large.
    """
    try:
        return read_bytes(path, limit)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise unreadable(path, error) from error


def unreadable(path: str, error: OSError) -> ConfigurationError:
    """Return the error that tells a user why a file cannot be read."""
    return ConfigurationError(
        f"{path} cannot be read: {error.strerror or error}.",
        "Make it a regular file that you can read, or remove it.",
    )


# --- TOML and JSON -------------------------------------------------------------------------
# Anybody may have written the data; what the functions return is safe to walk through.

# Far more than any lock or configuration has, and far less than Python's limit of recursion.
MAXIMUM_DEPTH = 100
_DIGITS = "it has a number with too many digits"
_DEPTH = "it is nested too deeply"
# More parts of a dotted key than that; the TOML parser needs a time and memory of their square.
_LONG_KEY = rb"""(?<![\w.-])(?:(?:[\w-]+|"[^"\n]*"|'[^'\n]*')[ \t]*\.[ \t]*){%d}"""


def load_toml_bytes(data: bytes) -> dict[str, Any]:
    """Parse TOML.

    Raises:
        ValueError: it is not TOML, not UTF-8 (``UnicodeDecodeError``), or nested too deeply.
    """
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    text = data.decode("utf-8-sig")
    if data.count(b".") >= MAXIMUM_DEPTH:
        import re

        if re.search(_LONG_KEY % MAXIMUM_DEPTH, data):
            raise ValueError(_DEPTH)
    try:
        document = tomllib.loads(text)
    except RecursionError:
        raise ValueError(_DEPTH) from None
    except tomllib.TOMLDecodeError:
        raise
    except ValueError:  # from int(), for too many digits
        raise ValueError(_DIGITS) from None
    _check_depth(document)
    return document


def load_json_bytes(data: bytes) -> Any:
    """Parse JSON.

    Raises:
        ValueError: it is not JSON (``JSONDecodeError``), not UTF-8 (``UnicodeDecodeError``),
            nested too deeply, or has a text that is not Unicode.
    """
    import json

    text = data.decode("utf-8-sig")
    try:
        document = json.loads(text)
    except RecursionError:
        raise ValueError(_DEPTH) from None
    except json.JSONDecodeError:
        raise
    except ValueError:
        raise ValueError(_DIGITS) from None
    _check_depth(document)
    if b"\\ud" in data.lower():
        try:
            json.dumps(document, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise ValueError("it has half of a surrogate pair, which is not a character") from None
    return document


def _check_depth(document: object) -> None:
    level: list[Any] = [[document]]
    for _ in range(MAXIMUM_DEPTH + 1):
        level = [
            item
            for found in level
            for item in (found.values() if isinstance(found, dict) else found)
            if isinstance(item, (dict, list))
        ]
        if not level:
            return
    raise ValueError(_DEPTH)


def ini_trouble(error: Exception) -> str:
    """Say what configparser found wrong, without quoting a line of the file: it may be a secret."""
    errors = getattr(error, "errors", None)
    line = errors[0][0] if errors else getattr(error, "lineno", None)
    place = f"line {line}" if line else "a line"
    if type(error).__name__ == "DuplicateSectionError":
        return f"{place} begins section [{getattr(error, 'section', '')}] a second time"
    if type(error).__name__ == "DuplicateOptionError":
        return f"{place} sets a key a second time"
    return f"{place} is not a section or NAME = VALUE"


# --- atomic writes -------------------------------------------------------------------------

# On Windows, a reader such as a virus scanner blocks the replacement for a moment.
_HELD_SECONDS = 2.0 if sys.platform == "win32" else 0.0
_PAUSE_SECONDS = 0.05
_SUFFIX = ".pipenv-ca"
_LEFTOVER_SECONDS = 60.0


def write_file(path: str, data: bytes, mode: int | None = None) -> None:
    """Replace a file atomically; if it is a link, replace its target.

    Args:
        path: the file; its folder exists.
        data: the new content.
        mode: its permission bits. None keeps the mode, and where allowed the owner, of the
            existing file; a new one follows the umask.

    Raises:
        OSError: it cannot be written, and is unchanged.
    """
    target = os.path.realpath(path)
    if os.path.exists(target) and not os.path.isfile(target):  # such as a link to /dev/null
        raise OSError(errno.EINVAL, "it is not a regular file", path)
    with temporary_beside(target, data, mode) as temporary:
        rename_over(temporary, target)
    remove_leftovers(path, _LEFTOVER_SECONDS)


def rename_over(temporary: str, target: str) -> None:
    """Rename a file over another; on Windows, wait while a reader blocks it."""
    end = time.monotonic() + _HELD_SECONDS
    while True:
        try:
            os.replace(temporary, target)
        except PermissionError:
            if time.monotonic() >= end:
                raise
            time.sleep(_PAUSE_SECONDS)
        else:
            return


def write_private_file(path: str, data: bytes) -> None:
    """Replace a file or link atomically with a file that only this user can read.

    Raises:
        OSError: it cannot be written, and is unchanged.
    """
    with temporary_beside(path, data) as temporary:
        rename_over(temporary, path)
    remove_leftovers(path, _LEFTOVER_SECONDS)


def write_user_file(path: str, data: bytes, mode: int | None = None) -> None:
    """Write as ``write_file`` does, create missing folders (0700), and explain failures.

    Raises:
        ConfigurationError: it cannot be written, and is unchanged.
    """
    try:
        make_folders(os.path.dirname(os.path.realpath(path)))
        write_file(path, data, mode)
    except OSError as error:
        raise unwritable(path, error) from error


def remove_user_file(path: str) -> None:
    """Remove a file, or the target of a link, if it exists.

    Raises:
        ConfigurationError: it cannot be removed.
    """
    try:
        os.unlink(os.path.realpath(path))
    except FileNotFoundError:
        return
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be removed: {error.strerror or error}.", "Remove it yourself."
        ) from error


def unwritable(path: str, error: OSError) -> ConfigurationError:
    """Return the error that tells a user why a file cannot be written."""
    return ConfigurationError(
        f"{path} cannot be written: {error.strerror or error}.",
        "Check its permissions and the space on the disk, then run the command again.",
    )


@contextlib.contextmanager
def temporary_beside(
    target: str, data: bytes, mode: int | None = 0o600, *, sync: bool = True
) -> Iterator[str]:
    """Write a temporary file in the target's folder; the block renames it.

    With None as mode it gets the target's mode and owner. If the block raises, also
    KeyboardInterrupt, the temporary file is removed.

    Raises:
        OSError: it cannot be written.
    """
    folder, name = os.path.split(target)
    temporary = os.path.join(folder, f".{name}.{os.urandom(6).hex()}{_SUFFIX}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    try:
        with os.fdopen(os.open(temporary, flags, 0o600), "wb") as file:
            file.write(data)
            if sync:
                file.flush()
                os.fsync(file.fileno())
        if mode is None:
            copy_access(target, temporary)
        else:
            os.chmod(temporary, mode)
        yield temporary
    except BaseException:
        with contextlib.suppress(OSError):
            remove_file(temporary)
        raise


def remove_file(path: str) -> None:
    """Remove a file; on Windows a read-only one, too.

    Raises:
        OSError: it cannot be removed.
    """
    if sys.platform == "win32":
        os.chmod(path, stat.S_IWRITE)
    os.unlink(path)


def copy_access(source: str, target: str) -> None:
    """Give a file the mode of another, and its owner where allowed; else the umask's mode."""
    try:
        status = os.stat(source)
    except FileNotFoundError:
        mask = os.umask(0o077)
        os.umask(mask)
        os.chmod(target, 0o666 & ~mask)
        return
    if hasattr(os, "chown"):
        with contextlib.suppress(OSError):
            os.chown(target, status.st_uid, status.st_gid)
    os.chmod(target, stat.S_IMODE(status.st_mode))


def remove_leftovers(path: str, seconds: float = 0.0) -> None:
    """Remove temporary files that killed writers of a file left in its folder.

    Args:
        path: the file.
        seconds: the minimum age; a younger file may belong to a running process.
    """
    folder, name = os.path.split(os.path.realpath(path))
    with contextlib.suppress(OSError):
        found = [entry for entry in os.scandir(folder) if _is_temporary(entry.name, name)]
        for entry in found:
            with contextlib.suppress(OSError):
                if time.time() - entry.stat(follow_symlinks=False).st_mtime >= seconds:
                    remove_file(entry.path)


def _is_temporary(found: str, name: str) -> bool:
    # ".Pipfile.lock.1f.pipenv-ca" does not belong to Pipfile. Version 1.0 wrote
    # ".Pipfile.pipenv-ca".
    middle = found.removeprefix(f".{name}").removesuffix(_SUFFIX)
    return found == f".{name}{middle}{_SUFFIX}" and "." not in middle[1:]


# --- files and folders of this user that nobody else can read ------------------------------


class NotOwnError(PermissionError):
    """A file or folder belongs to another user, or others can read or change it."""


def read_private(path: str, limit: int = MAXIMUM_BYTES) -> bytes:
    """Read a regular file that belongs to this user and that only they can read; no links.

    Raises:
        NotOwnError: it belongs to another user, or others may read it.
        OSError: it cannot be read, or is larger than the limit in bytes.
    """
    flags = os.O_RDONLY
    for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY"):
        flags |= getattr(os, name, 0)
    descriptor = os.open(path, flags)
    status = os.fstat(descriptor)
    if sys.platform != "win32" and (status.st_uid != os.geteuid() or status.st_mode & 0o077):
        os.close(descriptor)
        raise NotOwnError(errno.EACCES, "other users can read or own it", path)
    return read_descriptor(descriptor, path, limit)


def check_own_folder(path: str) -> None:
    """Raise unless a folder belongs to this user and is not writable by everybody.

    Raises:
        NotOwnError: it is not.
        OSError: it does not exist.
    """
    status = os.stat(path)
    if sys.platform != "win32":
        if status.st_uid != os.geteuid():
            raise NotOwnError(errno.EACCES, "it belongs to another user", path)
        if status.st_mode & stat.S_IWOTH:
            raise NotOwnError(errno.EACCES, "everybody can write there", path)


def make_folders(path: str) -> None:
    """Make a folder and its missing parents, each 0700 whatever the umask.

    ``os.makedirs`` gives its mode only to the last folder; with umask 000 ``~/.cache`` would be
    0777. Existing folders keep their mode.

    Raises:
        OSError: one cannot be made.
    """
    if not path or os.path.isdir(path):
        return
    make_folders(os.path.dirname(path))
    try:
        os.mkdir(path, 0o700)
        os.chmod(path, 0o700)  # the umask may have taken more
    except FileExistsError:
        if not os.path.isdir(path):
            raise


def make_private_folder(path: str) -> None:
    """Make a folder as ``make_folders`` does, and check that it belongs to this user.

    Raises:
        NotOwnError: it belongs to another user, or everybody can write there.
        OSError: it cannot be made.
    """
    make_folders(path)
    check_own_folder(path)


# --- locks ---------------------------------------------------------------------------------
# The system releases a lock when its last holder ends: fcntl.flock on POSIX; on Windows the file is
# opened without sharing. A child that inherits the descriptor also holds the lock.

_BUSY = (errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK)


def acquire(
    path: str,
    *,
    create: bool = True,
    seconds: float | None = 0.0,
    waiting: Callable[[], None] | None = None,
) -> int | None:
    """Lock a file against other processes.

    Args:
        path: the file; a link is not followed.
        create: whether to create it (0600); otherwise it must exist.
        seconds: how long to wait for another holder, or None for no limit.
        waiting: called once before waiting.

    Returns:
        The descriptor, or None if the file system has no locks. The lock ends when every process
        that has the descriptor has closed it.

    Raises:
        TimeoutError: another process holds it for longer than ``seconds``.
        OSError: the file cannot be opened.
    """
    told: list[None] = []

    def tell() -> None:
        if waiting is not None and not told:
            waiting()
        told.append(None)

    while True:
        descriptor = _wait(path, create, seconds, tell)
        # The last holder may have removed the file; a lock on a removed file has no effect.
        if descriptor is None or _is_at(descriptor, path):
            return descriptor
        os.close(descriptor)


def release(path: str, descriptor: int | None) -> None:
    """Remove a lock's file and release the lock.

    Args:
        path: the file.
        descriptor: the result of ``acquire``.
    """
    if sys.platform == "win32" and descriptor is not None:  # an open file cannot be removed there
        os.close(descriptor)
        descriptor = None
    with contextlib.suppress(OSError):
        os.unlink(path)
    if descriptor is not None:
        os.close(descriptor)


@contextlib.contextmanager
def locked(
    path: str, *, seconds: float | None, waiting: Callable[[], None] | None = None
) -> Iterator[None]:
    """Hold a lock for the block; a file system without locks does not stop it.

    Raises:
        TimeoutError: another process holds it for longer than ``seconds``.
        OSError: the file cannot be opened.
    """
    descriptor = acquire(path, seconds=seconds, waiting=waiting)
    try:
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _is_at(descriptor: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except OSError:
        return False


def _wait(
    path: str, create: bool, seconds: float | None, waiting: Callable[[], None]
) -> int | None:
    """Return the locked descriptor, or None if the file system has no locks."""
    end = None if seconds is None else time.monotonic() + seconds
    told = False
    while True:
        try:
            return _lock(path, create, wait=told and end is None)
        except BlockingIOError:
            pass
        if end is not None and time.monotonic() >= end:
            raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
        if not told:
            waiting()
        if end is not None or told:
            time.sleep(_PAUSE_SECONDS)
        told = True


if sys.platform == "win32":
    _NOT_SHARED = 32  # ERROR_SHARING_VIOLATION
    _OPEN_ALWAYS = 4

    def _lock(path: str, create: bool, *, wait: bool) -> int | None:
        import _winapi
        import msvcrt

        del wait
        access = _winapi.GENERIC_READ | _winapi.GENERIC_WRITE
        how = _OPEN_ALWAYS if create else _winapi.OPEN_EXISTING
        try:
            handle = _winapi.CreateFile(path, access, 0, _winapi.NULL, how, 0, _winapi.NULL)
        except OSError as error:
            if error.winerror == _NOT_SHARED:
                raise BlockingIOError(errno.EAGAIN, error.strerror, path) from error
            raise
        return msvcrt.open_osfhandle(handle, os.O_RDWR)

else:

    def _lock(path: str, create: bool, *, wait: bool) -> int | None:
        import fcntl

        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | (os.O_CREAT if create else 0), 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BaseException as error:
            os.close(descriptor)
            if not isinstance(error, OSError):
                raise
            if error.errno in _BUSY:
                raise BlockingIOError(*error.args) from error
            return None
        return descriptor


# --- digests for file names ----------------------------------------------------------------


def digest(data: bytes) -> str:
    """Return the hex SHA-256 of some bytes, without OpenSSL if possible: loading it takes 2 ms."""
    try:
        from _sha2 import sha256  # type: ignore[import-not-found] # Python 3.12 and later
    except ImportError:
        try:
            from _sha256 import sha256  # type: ignore[import-not-found] # until Python 3.11
        except ImportError:
            from hashlib import sha256
    found: str = sha256(data).hexdigest()
    return found
