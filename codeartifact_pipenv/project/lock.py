"""Reading and editing Pipfile.lock: its sources, its hash, and the index of each entry."""

from __future__ import annotations

import json
from typing import Any

from codeartifact_pipenv.errors import ConfigurationError
from codeartifact_pipenv.files.reading import load_json_bytes, read_bytes, read_user_file
from codeartifact_pipenv.project.entries import locked_entries

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence


def parse_lock(data: bytes) -> dict[str, Any] | None:
    """Parse a lock; return None if it is not valid, which pipenv reports itself."""
    try:
        document = load_json_bytes(data)
        _ = document["_meta"]["hash"]["sha256"]
        sources = document["_meta"]["sources"]
    except (ValueError, TypeError, KeyError):
        return None
    is_list = isinstance(sources, list) and all(isinstance(source, dict) for source in sources)
    return document if is_list and isinstance(document, dict) else None


def read_lock(path: str) -> dict[str, Any] | None:
    """Read a lock file; return None if it is missing, unreadable or not a valid lock."""
    try:
        return parse_lock(read_bytes(path))
    except OSError:
        return None


def load_lock(path: str) -> dict[str, Any] | None:
    """Read a lock file as any JSON object; return None if it is missing or not JSON.

    pipenv reports invalid JSON, such as merge conflict markers, and writes a new lock.

    Raises:
        ConfigurationError: the file cannot be read; pipenv would fail with a traceback.
    """
    data = read_user_file(path)
    if data is None:
        return None
    try:
        document = load_json_bytes(data)
    except json.JSONDecodeError:
        return None
    except UnicodeDecodeError:
        reason = "it is not UTF-8"
    except ValueError as error:
        reason = str(error)
    else:
        if isinstance(document, dict):
            return document
        reason = "it is not a JSON object"
    raise ConfigurationError(
        f"{path} cannot be read: {reason}.", "Remove it, and run `pipenv-ca lock`."
    )


def has_direct_references(document: dict[str, Any] | None) -> bool:
    """Whether a lock has packages from a folder, a repository or an archive."""
    return any("version" not in entry for _, entry in entries_of(document))


def entries_of(document: Mapping[str, Any] | None) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the name and the entry of each package of a lock."""
    for entry in locked_entries(document):
        yield entry.written, entry.value


def format_lock(document: dict[str, Any]) -> bytes:
    """Write a lock as pipenv does."""
    text = json.dumps(document, indent=4, separators=(",", ": "), sort_keys=True)
    return f"{text}\n".encode()


def with_sources_at(
    document: dict[str, Any], url: str | None, digest: str | None
) -> dict[str, Any]:
    """Return a lock with every source at one URL.

    Args:
        document: the lock.
        url: the URL, or None to keep the sources' URLs.
        digest: the hash to write, or None to keep the lock's.
    """
    import copy

    staged = copy.deepcopy(document)
    for source in staged["_meta"]["sources"] if url else ():
        source["url"] = url
        source["verify_ssl"] = True
    if digest is not None:
        staged["_meta"]["hash"]["sha256"] = digest
    return staged


def final_lock(
    document: dict[str, Any],
    sources: Sequence[Any],
    digest: str,
    index_of: Callable[[str, dict[str, Any]], str | None],
) -> dict[str, Any]:
    """Return the lock for the user.

    Args:
        document: the lock that pipenv wrote.
        sources: the Pipfile's sources.
        digest: the Pipfile's hash.
        index_of: returns the index for a normalised name and its entry, or None to keep the
            entry's.
    """
    import copy

    done = copy.deepcopy(document)
    done["_meta"]["sources"] = [dict(source) for source in sources]
    done["_meta"]["hash"]["sha256"] = digest
    for name, entry in entries_of(done):
        index = index_of(name, entry) if "version" in entry else None
        if index is not None:
            entry["index"] = index
    return done


def merged_lock(
    before: dict[str, Any] | None, done: dict[str, Any], now: dict[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """Merge a command's changes into a lock that changed while the command ran.

    The result has the command's hash: if that is not the Pipfile's, the lock counts as outdated.

    Args:
        before: the lock that the command was given, or None without a lock.
        done: the lock that the command wrote.
        now: the lock as it is now.

    Returns:
        The lock, and the packages that both sides changed; they stay as they are now.
    """
    import copy

    result, refused = copy.deepcopy(now), []
    for category, entries in {**(before or {}), **done}.items():
        if not isinstance(entries, dict):
            continue
        old = (before or {}).get(category, {})
        new = done.get(category, {})
        there = result.setdefault(category, {})
        for name in {**old, **new}:
            wanted, had, has = new.get(name), old.get(name), there.get(name)
            if wanted in (had, has):
                continue
            if has != had and category != "_meta":
                refused.append(name)
            elif wanted is None:
                del there[name]
            else:
                there[name] = wanted
    result["_meta"]["hash"] = done["_meta"]["hash"]
    return result, refused
