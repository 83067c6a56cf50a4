"""Whether a file is as a command of pipenv would have written it, or as its user has edited it.

Pure: data in, data out. It is asked of a file that was written about the time at which a run
was killed.
"""

from __future__ import annotations

import json
import re

from codeartifact_pipenv.project.names import normalise
from codeartifact_pipenv.project.pipfile import is_category
from codeartifact_pipenv.settings import load_toml_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

COMMAND, USER, EITHER = "command", "user", "either"
_LOOPBACK = b"://127."
_STRING = re.compile(rb"""\"[^"]*"|'[^']*'""")


def author(now: bytes, given: bytes | None, named: Collection[str] | None) -> str:
    """Say whose work a Pipfile is, whole or half done: COMMAND, USER or EITHER.

    Args:
        now: what is in it.
        given: what the command was given in it; None for nothing.
        named: the packages that the command named, normalised; None for any.
    """
    if not now.strip():
        return COMMAND  # which had just begun to write it
    document, before = _parsed(now), _parsed(given or b"")
    if document is None:
        return EITHER  # half written, or with a mistake in it
    if before is None:
        return USER  # pipenv can do nothing with such a file
    if (
        _keeps_sources(document, before)
        and _others(document) == _others(before)
        and (named is None or _changed(document, before) <= set(named))
        and _comments(now) <= _comments(given or b"")
    ):
        return EITHER
    return USER


def author_of_lock(now: bytes, given: bytes | None) -> str:
    """Say whose work a lock is, as ``author``: one of pipenv's own or a pylock.toml."""
    # Nobody writes locks by hand, but they are taken out of version control.
    if _LOOPBACK in now or not _is_whole(now):
        return COMMAND
    return USER if given is not None and _LOOPBACK in given else EITHER


def without_staged_sources(now: bytes, original: bytes | None) -> bytes:
    """Return a Pipfile that its user has edited while it was staged, with the sources he had."""
    if original is None or _LOOPBACK not in now:
        return now
    from codeartifact_pipenv.project import edit

    try:
        return edit.with_sources_of(now.decode(), original.decode()).encode()
    except ValueError:  # the lock, or no TOML (any more)
        return now


def _is_whole(lock: bytes) -> bool:
    if not lock.startswith(b"{"):
        return _parsed(lock) is not None
    try:
        json.loads(lock)
    except ValueError:
        return False
    return True


def _parsed(data: bytes) -> dict[str, object] | None:
    try:
        return load_toml_bytes(data)
    except ValueError:
        return None


def _keeps_sources(document: Mapping[str, object], before: Mapping[str, object]) -> bool:
    sources, had = document.get("source", []), before.get("source", [])
    if not (isinstance(sources, list) and isinstance(had, list)):
        return False
    return all(source in sources for source in had)


def _others(document: Mapping[str, object]) -> dict[str, object]:
    return {
        name: value
        for name, value in document.items()
        if name != "source" and not (is_category(name) and isinstance(value, dict))
    }


def _changed(document: Mapping[str, object], before: Mapping[str, object]) -> set[str]:
    now, then = _packages(document), _packages(before)
    return {name for (_, name), _ in now.items() ^ then.items()}


def _packages(document: Mapping[str, object]) -> dict[tuple[str, str], str]:
    return {
        (category, normalise(name)): repr(value)
        for category, entries in document.items()
        if is_category(category) and isinstance(entries, dict)
        for name, value in entries.items()
    }


def _comments(data: bytes) -> set[bytes]:
    lines = [_STRING.sub(b"", line) for line in data.splitlines()]
    return {line.partition(b"#")[2].strip() for line in lines if b"#" in line}
