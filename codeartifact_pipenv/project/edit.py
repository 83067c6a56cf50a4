"""Edits of a Pipfile and a pylock.toml after pipenv has run. Pure.

tomlkit keeps the comments, order and formatting of TOML. Its import takes 20 ms.
"""

from __future__ import annotations

import contextlib
import re
from typing import Any, NamedTuple

import tomlkit
import tomlkit.exceptions
import tomlkit.items

from codeartifact_pipenv.project.pipfile import DIRECT_KEYS, entries_of, normalise

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import (
        Callable,
        Collection,
        Iterable,
        Mapping,
        MutableMapping,
        Sequence,
    )

_HEADER = re.compile(r"^[ \t]*\[", re.MULTILINE)


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


def _text(pieces: Iterable[tomlkit.TOMLDocument]) -> str:
    return "".join(map(tomlkit.dumps, pieces))


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
