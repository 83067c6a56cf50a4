"""Changes to a Pipfile.lock: its sources, its hash, and which index each entry names. Pure."""

from __future__ import annotations

import json
from typing import Any

from codeartifact_pipenv.errors import ConfigurationError
from codeartifact_pipenv.files.parsing import load_json_bytes
from codeartifact_pipenv.files.reading import read_bytes, read_user_file
from codeartifact_pipenv.project.entries import locked_entries

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence


def parse_lock(data: bytes) -> dict[str, Any] | None:
    """Read a lock; None for a text that is not a lock, which pipenv reports itself."""
    try:
        document = load_json_bytes(data)
        _ = document["_meta"]["hash"]["sha256"]
        sources = document["_meta"]["sources"]
    except (ValueError, TypeError, KeyError):
        return None
    is_list = isinstance(sources, list) and all(isinstance(source, dict) for source in sources)
    return document if is_list and isinstance(document, dict) else None


def read_lock(path: str) -> dict[str, Any] | None:
    """Read a lock's file; None if it does not exist or cannot be read."""
    try:
        return parse_lock(read_bytes(path))
    except OSError:
        return None


def load_lock(path: str) -> dict[str, Any] | None:
    """Read a lock's file, whatever it says; None if it does not exist.

    One that is not JSON, such as one with marks of a merge in it, is None too: pipenv says so,
    and writes another one.

    Raises:
        ConfigurationError: it cannot be read, and pipenv would fail with a traceback.
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
    """Whether a lock holds what comes from no index: a folder, a repository, an archive."""
    return any("version" not in entry for _, entry in entries_of(document))


def entries_of(document: Mapping[str, Any] | None) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the name and the entry of each package of a lock, in all categories."""
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
        url: where all sources are to be; None to leave them where they are.
        digest: the hash to write; None to leave the one that is there.
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
    """Return the lock that the user gets.

    Args:
        document: the lock as pipenv wrote it.
        sources: the sources to name, those of the Pipfile.
        digest: the Pipfile's hash.
        index_of: says which index an entry is to name, from its normalised name and itself;
            None to leave what it names.
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
    """Return a lock that somebody else has changed, with what a command did to it.

    Its hash is the command's: where that is not the hash of the Pipfile, the lock is known to
    be outdated.

    Args:
        before: the lock that the command was given; None for none.
        done: what it made of it.
        now: what is there now.

    Returns:
        The lock, and the packages of which both have made something else; theirs stay.
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
