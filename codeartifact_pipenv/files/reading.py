"""Read regular files up to a limit, and parse their TOML or JSON.

A device, a named pipe or a file without end is never read.
"""

from __future__ import annotations

import errno
import os
import stat
import sys

from codeartifact_pipenv.errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
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
