"""Parses JSON and TOML that anybody may have written: what comes back is safe to walk through."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

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
