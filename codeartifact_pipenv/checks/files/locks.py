"""What is wrong with a Pipfile.lock or a pylock.toml, by itself and beside its Pipfile."""

from __future__ import annotations

import hashlib
import json

from codeartifact_pipenv.checks.files.lock_entries import (
    AGAIN,
    about_loopback,
    review_beside,
    review_entry,
    review_texts,
)
from codeartifact_pipenv.checks.files.package_entries import is_public_default
from codeartifact_pipenv.project import findings
from codeartifact_pipenv.project.entries import entries_of
from codeartifact_pipenv.project.names import normalise
from codeartifact_pipenv.project.pipfile import is_category
from codeartifact_pipenv.project.sources import is_loopback

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from typing import Any

    from codeartifact_pipenv.checks.files.private import Private
    from codeartifact_pipenv.checks.files.project_file import File
    from codeartifact_pipenv.checks.files.source_tables import Sources
    from codeartifact_pipenv.findings import Finding

# What pipenv writes as ``pipfile-spec``.
_SPEC = 6
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
    yield from _about(lock, locked, its_sources)
    known = {sources.written(n) for n in sources.read} if sources else set()
    for finding in its_sources.review(known):
        yield finding._replace(hint=_hint_of_source(finding, pipfile))
    outdated = None
    if pipfile is not None and locked.digest is not None:
        digests = digests_of(pipfile)
        if digests:
            meta = {"_meta": {"hash": {"sha256": locked.digest}}}
            outdated = findings.outdated_lock(digests, meta)
    if outdated is not None:
        yield lock.found(outdated, "_meta", "hash")
    elif pipfile is not None and sources is not None and locked.digest is not None:
        yield from _differences(lock, locked, its_sources, pipfile, sources)
    yield from _entries(lock, locked, its_sources, pipfile)


def _about(lock: File, locked: Locked, its_sources: Sources) -> Iterator[Finding]:
    """Yield what ``_meta`` lacks, without which pipenv ends in a traceback, or has otherwise."""
    meta = (lock.document or {}).get("_meta")
    meta = meta if isinstance(meta, dict) else {}
    lacks = [] if locked.digest is not None else ["the hash"]
    lacks += [] if its_sources.is_listed else ["the sources"]
    lacks += [] if isinstance(meta.get("requires"), dict) else ["what it requires of Python"]
    if lacks:
        said = f"{lock.name} lacks {' and '.join(lacks)} in _meta, which pipenv writes into it."
        yield lock.finding("lock-invalid", said, AGAIN, "_meta")
    elif meta.get("pipfile-spec") != _SPEC:
        said = f"The pipfile-spec of {lock.name} is {meta.get('pipfile-spec')}, and pipenv writes {_SPEC}."
        yield lock.finding("lock-edited", said, AGAIN, "_meta")


def _hint_of_source(finding: Finding, pipfile: File | None) -> str:
    """Say what to do about a source of a lock, which nobody should edit by hand."""
    again = (
        AGAIN if pipfile is not None else "Correct the Pipfile that it was made of, and lock again."
    )
    is_secret = finding.code in {"url-secret", "url-token"}
    return f"Have it replaced where it was made. {again}" if is_secret else again


def _differences(
    lock: File, locked: Locked, its_sources: Sources, pipfile: File, sources: Sources
) -> Iterator[Finding]:
    """Yield where a lock is not of its Pipfile although its hash says so."""
    yield from review_beside(lock, locked, pipfile)
    ours, theirs = sources.as_locked(), its_sources.as_locked()
    own = {url for _, url, _ in ours}
    local = [n for n, (_, url, _) in enumerate(theirs) if is_loopback(url) and url not in own]
    if local:
        about = about_loopback(f"A source of {lock.name}")
        yield lock.finding("lock-loopback", *about, "_meta", "sources", local[0])
    elif ours and theirs and ours != theirs:
        yield lock.finding(
            "lock-sources",
            f"The sources of {lock.name} are not those of {pipfile.name}, and `pipenv sync` takes "
            "the lock's.",
            AGAIN,
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
                AGAIN,
                category,
                name,
                "index",
            )


def _entries(
    lock: File, locked: Locked, its_sources: Sources, pipfile: File | None
) -> Iterator[Finding]:
    known = pipfile.text if pipfile is not None else lock.text
    for category, name, value in locked.entries:
        index = value.get("index")
        is_known = not isinstance(index, str) or index in its_sources.names
        if not is_known and not its_sources.findings:
            yield lock.finding(
                "lock-index",
                f"{name} is locked from {index}, which is not a source of {lock.name}.",
                AGAIN,
                category,
                name,
                "index",
            )
        yield from review_entry(lock, name, value, (category, name))
        yield from review_texts(lock, name, value, (category, name), known)


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
