"""The text of a lock: its hash of the Pipfile, its sources and entries. Pure."""

from __future__ import annotations

import copy
import hashlib
import json
from typing import Any

from codeartifact_pipenv.errors import ConfigurationError
from codeartifact_pipenv.project.pipfile import entries_of_lock, with_normalised_names
from codeartifact_pipenv.project.sources import default_source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

# Tables of a Pipfile that are not hashed as categories (plette's Pipfile.get_hash).
_UNHASHED = frozenset(
    {"source", "packages", "dev-packages", "requires", "scripts", "pipfile", "pipenv"}
    | {"default", "develop"}
)


def pipfile_hashes(document: Mapping[str, Any]) -> tuple[str, str]:
    """Return the Pipfile's hash as older pipenv versions compute it, and as newer ones do.

    Newer versions normalise package names first (pipenv issue 4699). Computed as plette does,
    whose import takes 30 ms.

    Args:
        document: the Pipfile, parsed.

    Raises:
        ConfigurationError: the Pipfile cannot be hashed; pipenv cannot hash it either.
    """
    if "source" not in document:
        document = {**document, "source": [default_source()]}
    try:
        return _digest(document), _digest(with_normalised_names(document))
    except (TypeError, ValueError) as error:
        raise ConfigurationError(
            f"pipenv cannot hash the Pipfile: {error}.",
            "A Pipfile holds texts, numbers, true and false; correct the value.",
            "pipfile-invalid",
        ) from error


def _digest(document: Mapping[str, Any]) -> str:
    data = {
        "_meta": {"sources": document["source"], "requires": document.get("requires", {})},
        "default": document.get("packages", {}),
        "develop": document.get("dev-packages", {}),
    }
    data |= {name: value for name, value in document.items() if name not in _UNHASHED}
    text = json.dumps(data, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def format_lock(document: dict[str, Any]) -> bytes:
    """Write a lock as pipenv does."""
    text = json.dumps(document, indent=4, separators=(",", ": "), sort_keys=True)
    return f"{text}\n".encode()


def hash_kind(document: Mapping[str, Any], pipfile: Mapping[str, Any]) -> int | None:
    """Return which of a Pipfile's hashes a lock has, or None if it has another Pipfile's."""
    found, hashes = document["_meta"]["hash"]["sha256"], pipfile_hashes(pipfile)
    return hashes.index(found) if found in hashes else None


def lock_with_sources_at(
    document: dict[str, Any], url: str | None, digest: str | None
) -> dict[str, Any]:
    """Return a lock with every source at one URL.

    Args:
        document: the lock.
        url: the URL, or None to keep the sources' URLs.
        digest: the hash to write, or None to keep the lock's.
    """
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
    done = copy.deepcopy(document)
    done["_meta"]["sources"] = [dict(source) for source in sources]
    done["_meta"]["hash"]["sha256"] = digest
    for name, entry in entries_of_lock(done):
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
