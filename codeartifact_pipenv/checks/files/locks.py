"""What is wrong with a Pipfile.lock or a pylock.toml, by itself and beside its Pipfile."""

from __future__ import annotations

import hashlib
import json

from codeartifact_pipenv.checks.files.package_entries import is_public_default
from codeartifact_pipenv.checks.files.project_file import strings_of
from codeartifact_pipenv.checks.files.secrets import secret_in
from codeartifact_pipenv.project import findings
from codeartifact_pipenv.project.entries import entries_of
from codeartifact_pipenv.project.names import normalise
from codeartifact_pipenv.project.pipfile import is_category

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from typing import Any

    from codeartifact_pipenv.checks.files.private import Private
    from codeartifact_pipenv.checks.files.project_file import File
    from codeartifact_pipenv.checks.files.source_tables import Sources
    from codeartifact_pipenv.findings import Finding

_AGAIN = "Run `pipenv-ca lock` and commit both."
# Tables of a Pipfile that have no place in its hash of categories (plette's get_hash).
_UNHASHED = frozenset(
    {"source", "packages", "dev-packages", "requires", "scripts", "pipfile", "pipenv"}
    | {"default", "develop"}
)


def pipfile_digests(document: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the hashes of a parsed Pipfile as pipenv writes them into the lock.

    They are those of ``edit.pipfile_hashes``, without loading plette and tomlkit; none where the
    Pipfile has no source, and pipenv's own default is hashed, and where pipenv cannot hash it.
    """
    if "source" not in document:
        return ()
    normalised = {
        section: {normalise(name): value for name, value in entries.items()}
        if is_category(section) and isinstance(entries, dict)
        else entries
        for section, entries in document.items()
    }
    try:
        return _digest(document), _digest(normalised)
    except (TypeError, ValueError):
        return ()


def _digest(document: Mapping[str, Any]) -> str:
    data = {
        "_meta": {"sources": document["source"], "requires": document.get("requires", {})},
        "default": document.get("packages", {}),
        "develop": document.get("dev-packages", {}),
    }
    data |= {name: value for name, value in document.items() if name not in _UNHASHED}
    text = json.dumps(data, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def digests_of(file: File) -> tuple[str, ...]:
    """Return the hashes of a Pipfile; none where pipenv cannot make one."""
    if file.document is None:
        return ()
    if "source" in file.document:
        return pipfile_digests(file.document)
    from codeartifact_pipenv.errors import ConfigurationError
    from codeartifact_pipenv.project.edit import pipfile_hashes

    try:
        return pipfile_hashes(file.text)
    except ConfigurationError:
        return ()


class Locked:
    """The packages of one lock, as far as it has the shape of one.

    Args:
        file: the lock.

    Attributes:
        entries: category, name and value of each.
        digest: the hash of the Pipfile that it was made of; None where it does not say.
    """

    def __init__(self, file: File) -> None:
        document = file.document or {}
        self.entries: list[tuple[str, str, dict[str, Any]]] = [
            (category, name, value)
            for category, entries in document.items()
            if category != "_meta" and isinstance(entries, dict)
            for name, value in entries.items()
            if isinstance(value, dict)
        ]
        self.digest = _digest_in(document)


def _digest_in(document: Mapping[str, Any]) -> str | None:
    try:
        found = document["_meta"]["hash"]["sha256"]
    except (KeyError, TypeError):
        return None
    return found if isinstance(found, str) else None


def review_lock(
    lock: File, locked: Locked, its_sources: Sources, pipfile: File | None, sources: Sources | None
) -> Iterator[Finding]:
    """Yield what is wrong with a lock.

    Args:
        lock: the lock.
        locked: its packages.
        its_sources: its own sources.
        pipfile: its Pipfile; None where there is none, or none that can be read.
        sources: the Pipfile's sources; None likewise.
    """
    if lock.document is None:
        return
    if locked.digest is None or not its_sources.is_listed:
        said = f"{lock.name} lacks the hash or the sources that pipenv writes into it."
        yield lock.finding("lock-invalid", said, _AGAIN, "_meta")
    known = {sources.written(n) for n in sources.read} if sources else set()
    yield from its_sources.review(known)
    outdated = None
    if pipfile is not None and locked.digest is not None:
        digests = digests_of(pipfile)
        if digests:
            meta = {"_meta": {"hash": {"sha256": locked.digest}}}
            outdated = findings.outdated_lock(digests, meta)
    if outdated is not None:
        yield lock.found(outdated, "_meta", "hash")
    elif pipfile is not None and sources is not None:
        yield from _differences(lock, locked, its_sources, pipfile, sources)
    yield from _entries(lock, locked, its_sources)


def _differences(
    lock: File, locked: Locked, its_sources: Sources, pipfile: File, sources: Sources
) -> Iterator[Finding]:
    """Yield where a lock is not of its Pipfile although its hash says so."""
    ours, theirs = sources.as_locked(), its_sources.as_locked()
    if ours and theirs and ours != theirs:
        yield lock.finding(
            "lock-sources",
            f"The sources of {lock.name} are not those of {pipfile.name}, and `pipenv sync` takes "
            "the lock's.",
            _AGAIN,
            "_meta",
            "sources",
        )
    named = {
        entry.name: entry.source
        for entry in entries_of(pipfile.document)
        if entry.source is not None
    }
    for category, name, value in locked.entries:
        wanted = named.get(normalise(name))
        index = value.get("index")
        if wanted is not None and isinstance(index, str) and index != wanted:
            yield lock.finding(
                "lock-index",
                f"{name} is locked from {index}, and {pipfile.name} names the index {wanted}.",
                _AGAIN,
                category,
                name,
                "index",
            )


def _entries(lock: File, locked: Locked, its_sources: Sources) -> Iterator[Finding]:
    for category, name, value in locked.entries:
        index = value.get("index")
        is_known = not isinstance(index, str) or index in its_sources.names
        if not is_known and not its_sources.findings:
            yield lock.finding(
                "lock-index",
                f"{name} is locked from {index}, which is no source of {lock.name}.",
                _AGAIN,
                category,
                name,
                "index",
            )
        if "version" in value and not value.get("hashes"):
            yield lock.finding(
                "hashes-missing",
                f"{name} is locked without hashes: whatever has its version is installed.",
                _AGAIN,
                category,
                name,
            )
        yield from _secrets(lock, name, value, (category, name))


def _secrets(lock: File, name: str, value: object, place: tuple[Any, ...]) -> Iterator[Finding]:
    for keys, text in strings_of(value, place):
        # (Hashes, which are most of a lock, begin otherwise.)
        if not text.startswith("sha256:") and secret_in(text):
            yield lock.finding(
                "url-secret",
                f"The entry of {name} holds {secret_in(text)} in clear, in everybody's checkout.",
                f"Have it replaced where it was made. {_AGAIN}",
                *keys,
            )


def review_unlisted(
    lock: File, locked: Locked, pipfile: File, sources: Sources, private: Private
) -> Iterator[Finding]:
    """Yield private packages that only the lock has, and that bare pipenv would look for elsewhere."""
    if not is_public_default(sources):
        return
    listed = {entry.name for entry in entries_of(pipfile.document)}
    told: set[str] = set()
    for category, name, value in locked.entries:
        found = private.sources(normalise(name))
        if (
            normalise(name) in listed | told
            or "version" not in value
            or not found
            or sources.default in found
        ):
            continue
        told.add(normalise(name))
        which = " or ".join(found)
        yield lock.finding(
            "dependency-unlisted",
            f"{name} is private and {pipfile.name} does not list it: bare pipenv looks for it in "
            f"{sources.default or 'the public index'} when it locks.",
            f'Add {name} = {{version = "*", index = "{which}"}}, or run '
            "`pipenv-ca fix --list-transitive`.",
            category,
            name,
        )


def review_namesakes(
    names: Collection[str], pipfile: File, lock: File | None, locked: Locked
) -> Iterator[Finding]:
    """Yield private packages of which there is a public one of the same name, listed or locked."""
    listed = {entry.name: entry for entry in entries_of(pipfile.document) if entry.is_indexed}
    for name in sorted(names & listed.keys()):
        entry = listed[name]
        yield _namesake(pipfile, entry.written, entry.category, entry.written)
    for category, name, value in locked.entries if lock is not None else ():
        if lock is not None and normalise(name) in names - listed.keys() and "version" in value:
            yield _namesake(lock, name, category, name)


def _namesake(file: File, name: str, *keys: str) -> Finding:
    return file.finding(
        "name-public",
        f"{name} is private, and the public index has another package of that name.",
        "Name its `index` in the Pipfile, and lock with pipenv-ca; or rename the private one.",
        *keys,
    )


def review_pylock(pylock: File) -> Iterator[Finding]:
    """Yield what is wrong with a pylock.toml."""
    packages = (pylock.document or {}).get("packages")
    for number, package in enumerate(packages if isinstance(packages, list) else []):
        if not isinstance(package, dict):
            continue
        name = str(package.get("name", number + 1))
        place = ("packages", number)
        files = [f for f in (package.get("wheels"), [package.get("sdist")]) if isinstance(f, list)]
        if any(isinstance(f, dict) and not f.get("hashes") for some in files for f in some):
            yield pylock.finding(
                "hashes-missing",
                f"{name} is locked without hashes: whatever has its version is installed.",
                _AGAIN,
                *place,
            )
        yield from _secrets(pylock, name, package, place)
