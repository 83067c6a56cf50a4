"""Edits of a Pipfile, a lock and a pylock.toml. Pure.

tomlkit keeps the comments, order and formatting of TOML.
"""

from __future__ import annotations

import contextlib
import copy
import json
import re
from typing import Any, NamedTuple

import plette
import tomlkit
import tomlkit.exceptions
import tomlkit.items
from plette.pipfiles import DEFAULT_SOURCE_TOML

from codeartifact_pipenv.errors import ConfigurationError
from codeartifact_pipenv.files.io import load_toml_bytes
from codeartifact_pipenv.project.pipfile import (
    DIRECT_KEYS,
    entries_of,
    entries_of_lock,
    normalise,
    with_normalised_names,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import (
        Callable,
        Collection,
        Iterable,
        Iterator,
        Mapping,
        MutableMapping,
        Sequence,
    )


_HEADER = re.compile(r"^[ \t]*\[", re.MULTILINE)


def with_sources_at(text: str, url: str) -> str:
    """Return a Pipfile's text with every source at one URL; sources keep their names."""
    pieces = _source_pieces(text)
    for source in _sources(pieces):
        source["url"] = url
        source["verify_ssl"] = True
    return _text(pieces)


def without_pylock(text: str) -> str:
    """Return a Pipfile's text with ``use_pylock`` turned off."""
    document = tomlkit.parse(text)
    document["pipenv"]["use_pylock"] = False
    return tomlkit.dumps(document)


def pipfile_hashes(text: str) -> tuple[str, str]:
    """Return the Pipfile's hash as older pipenv versions compute it, and as newer ones do.

    Newer versions normalise package names first (pipenv issue 4699).

    Raises:
        ConfigurationError: the Pipfile is invalid; pipenv cannot read it either.
    """
    try:
        # Pipfile.load parses with tomlkit, twice: 0.2 seconds for 1,000 packages.
        data = load_toml_bytes(text.encode())
        if "source" not in data:
            data = load_toml_bytes(DEFAULT_SOURCE_TOML.encode()) | data
        plain: str = plette.Pipfile(data).get_hash().value
        return plain, plette.Pipfile(with_normalised_names(data)).get_hash().value
    except Exception as error:
        raise ConfigurationError(
            f"pipenv cannot read the Pipfile: {str(error).rstrip('.') or type(error).__name__}.",
            "Correct its tables; each [[source]] takes url, verify_ssl and name.",
            "pipfile-invalid",
        ) from error


class Change(NamedTuple):
    """A command's change to one entry of a Pipfile.

    Attributes:
        category: the entry's table.
        name: the entry's key.
        old: the value before, or None for a new entry.
        new: the value after, or None for a removed entry.
    """

    category: str
    name: str
    old: Any
    new: Any

    def __str__(self) -> str:
        """Return the change as a line of a Pipfile."""
        if self.new is None:
            return f"{self.name} removed from [{self.category}]"
        value = tomlkit.item(self.new)
        if isinstance(self.new, dict):
            value = tomlkit.inline_table()
            value.update(self.new)
        return f"{self.name} = {value.as_string()} in [{self.category}]"


def changes(
    before: str,
    after: str,
    *,
    named: Collection[str],
    index_of: Callable[[str, Any], str | None],
) -> list[Change]:
    """Return pipenv's changes to the packages of a Pipfile.

    pipenv loses keys of entries that it rewrites, such as ``index``, and adds empty categories.
    Both are undone.

    Args:
        before: the text that pipenv was given.
        after: the text that pipenv wrote.
        named: normalised names of the packages in the command; other entries may be added or
            removed, but not changed.
        index_of: returns the index for an entry's name and value, or None for no index.
    """
    old = _packages(tomlkit.parse(before))
    new = _respelled(_packages(tomlkit.parse(after)), old)
    found = []
    for (category, name), value in new.items():
        kept = old.get((category, name))
        if kept is not None and normalise(name) not in named:
            continue
        entry = _merged(kept, value, index_of(name, value))
        if entry != kept:
            found.append(Change(category, name, kept, entry))
    removed = [key for key in old if key not in new]
    return found + [Change(*key, old[key], None) for key in removed]


def with_changes(text: str, wanted: Sequence[Change]) -> tuple[str, list[Change]]:
    """Apply changes to a Pipfile's text; return the text and the changes that were skipped.

    A change is skipped if its entry differs from what the command was given.

    Raises:
        ValueError: the text is not TOML.
    """
    if not wanted:
        return text, []
    documents = _parts(text)
    there = _packages(tomlkit.parse(text))
    spelled = {(category, normalise(name)): name for category, name in there}
    refused = []
    for change in wanted:
        category, name, new = change.category, change.name, change.new
        if (category, name) not in there:
            name = spelled.get((category, normalise(name)), name)
        value = there.get((category, name))
        if value not in (change.old, new):
            refused.append(change)
        elif value == new:
            continue
        elif new is None:
            del _home(documents, category, name)[category][name]
        else:
            _set(_home(documents, category, name), category, name, new)
    return _with_newlines_of(text, _text(documents)), refused


def _source_pieces(text: str) -> list[tomlkit.TOMLDocument | str]:
    """Split a text at its table headers, and parse the pieces that hold sources.

    The rest stays text because tomlkit takes 60 ms for 1,000 packages. A ``[`` inside an array or
    a multi-line string does not end a piece: the text before it is not valid TOML.
    """
    pieces: list[tomlkit.TOMLDocument | str] = []
    start = 0
    for end in (*(match.start() for match in _HEADER.finditer(text)), len(text)):
        piece = text[start:end]
        with contextlib.suppress(ValueError):
            has_sources = isinstance(load_toml_bytes(piece.encode()).get("source"), list)
            pieces.append(tomlkit.parse(piece) if has_sources else piece)
            start = end
    # Invalid TOML raises here.
    return pieces if start == len(text) else [tomlkit.parse(text)]


def _parts(text: str) -> list[tomlkit.TOMLDocument]:
    """Parse a text, in parts if tomlkit would reorder its tables.

    tomlkit moves separated tables of one array together, as in a Pipfile that has a ``[[source]]``
    at the top and another at the end.
    """
    whole = tomlkit.parse(text)
    if tomlkit.dumps(whole) == text:
        return [whole]
    headers = [match.start() for match in _HEADER.finditer(text)]
    pieces: list[tomlkit.TOMLDocument] = []
    start = 0
    for end in (*headers, len(text)):
        # A line in a multi-line string may look like a header.
        with contextlib.suppress(tomlkit.exceptions.ParseError):
            pieces.append(tomlkit.parse(text[start:end]))
            start = end
    return pieces if _text(pieces) == text else [whole]


def _text(pieces: Iterable[tomlkit.TOMLDocument | str]) -> str:
    return "".join(piece if isinstance(piece, str) else tomlkit.dumps(piece) for piece in pieces)


def _sources(pieces: Iterable[tomlkit.TOMLDocument | str]) -> Iterator[Any]:
    for piece in pieces:
        if not isinstance(piece, str):
            yield from piece.get("source", [])


def _home(
    documents: Sequence[tomlkit.TOMLDocument], category: str, name: str
) -> tomlkit.TOMLDocument:
    """Return the part that contains an entry, or should."""
    having = [document for document in documents if category in document]
    with_entry = [document for document in having if name in document[category]]
    # [packages.x] alone does not make a [packages] table that can be written to.
    whole = [document for document in having if not _is_implied(document[category])]
    return (with_entry or whole or having or documents)[-1]


def _is_implied(table: Any) -> bool:
    return isinstance(table, tomlkit.items.Table) and table.is_super_table()


def _packages(document: Mapping[str, Any]) -> dict[tuple[str, str], Any]:
    return {(category, name): _plain(value) for category, name, value in entries_of(document)}


def _respelled(
    new: Mapping[tuple[str, str], Any], old: Mapping[tuple[str, str], Any]
) -> dict[tuple[str, str], Any]:
    """Return entries under their old names: pipenv normalises the names that it writes."""
    spelled = {(category, normalise(name)): name for category, name in old}
    found: dict[tuple[str, str], Any] = {}
    for (category, name), value in new.items():
        key = (category, spelled.get((category, normalise(name)), name))
        # Both spellings may exist; the changed entry is the command's.
        if key not in found or found[key] == old.get(key):
            found[key] = value
    return found


def _merged(old: Any, new: Any, index: str | None) -> Any:
    entry = dict(new) if isinstance(new, dict) else {"version": new}
    if isinstance(old, dict):
        # The command changes the version, not the origin.
        gone = _OF_INDEX if DIRECT_KEYS & entry.keys() else _OF_PLACE
        entry = {**{k: v for k, v in old.items() if k not in gone or k in entry}, **entry}
        index = old.get("index", index)
    if index is None or DIRECT_KEYS & entry.keys():
        entry.pop("index", None)
    else:
        entry["index"] = index
    plain = set(entry) == {"version"} and not isinstance(old, dict)
    return entry["version"] if plain else entry


_OF_PLACE = DIRECT_KEYS | {"ref", "editable", "subdirectory"}
_OF_INDEX = DIRECT_KEYS | {"version", "index"}


def _set(document: MutableMapping[str, Any], category: str, name: str, value: Any) -> None:
    if category not in document:
        document[category] = tomlkit.table()
    there = document[category].get(name)
    if isinstance(value, dict) and isinstance(there, dict):
        for key in [key for key in there if key not in value]:
            del there[key]
        for key, part in value.items():
            if there.get(key) != part:
                there[key] = part
    elif isinstance(value, dict):
        item = tomlkit.inline_table()
        item.update(value)
        document[category][name] = item
    else:
        document[category][name] = value


def _plain(value: Any) -> Any:
    return value.unwrap() if isinstance(value, tomlkit.items.Item) else value


def _with_newlines_of(original: str, text: str) -> str:
    if "\r\n" in original and "\n" not in original.replace("\r\n", ""):
        return text.replace("\r\n", "\n").replace("\n", "\r\n")
    return text


def sources_of(text: str) -> list[Any]:
    """Return the sources of a Pipfile's text as plain data, as in a lock."""
    sources = load_toml_bytes(text.encode()).get("source", [])
    return list(sources) if isinstance(sources, list) else []


# --- the lock ------------------------------------------------------------------------------


def format_lock(document: dict[str, Any]) -> bytes:
    """Write a lock as pipenv does."""
    text = json.dumps(document, indent=4, separators=(",", ": "), sort_keys=True)
    return f"{text}\n".encode()


def hash_kind(document: dict[str, Any], pipfile: str) -> int | None:
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


# --- pylock.toml (PEP 751) -----------------------------------------------------------------


def final_pylock(
    text: str,
    index: str,
    real_url: Callable[[str], str],
    index_of: Callable[[str], str | None],
) -> str:
    """Return the pylock.toml for the user.

    Args:
        text: the text that pipenv wrote.
        index: the URL of the proxy index.
        real_url: returns a file's upstream URL for its URL at the proxy index.
        index_of: returns a package's index URL, as written in the Pipfile.
    """
    document = tomlkit.parse(text)
    for package in document.get("packages", []):
        if str(package.get("index", "")).startswith(index):
            place = index_of(str(package["name"]))
            if place is not None:
                package["index"] = f"{place.rstrip('/')}/"
        for file in _files(package):
            if "url" in file:
                file["url"] = real_url(str(file["url"]))
    return tomlkit.dumps(document)


def _files(package: Mapping[str, Any]) -> list[Any]:
    single = [package[key] for key in ("sdist", "archive") if key in package]
    return [*package.get("wheels", []), *single]
