"""What is wrong with a Pipfile.lock or a pylock.toml, by itself and beside its Pipfile."""

from __future__ import annotations

import hashlib
import json
import re

from codeartifact_pipenv.checks.files.package_entries import pinned_version
from codeartifact_pipenv.checks.files.pep508 import MARKERS, is_marker, is_version
from codeartifact_pipenv.checks.files.project_file import strings_of
from codeartifact_pipenv.checks.files.secrets import secret_in
from codeartifact_pipenv.project import findings
from codeartifact_pipenv.project.entries import DIRECT_KEYS, with_normalised_names
from codeartifact_pipenv.project.names import normalise
from codeartifact_pipenv.project.sources import is_loopback

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from typing import Any

    from codeartifact_pipenv.checks.files.contents import PrivatePackages, ProjectContents
    from codeartifact_pipenv.checks.files.project_file import ProjectFile
    from codeartifact_pipenv.checks.files.source_tables import Sources
    from codeartifact_pipenv.findings import Finding
    from codeartifact_pipenv.project.entries import Entry

_AGAIN = "Run `pipenv-ca lock` and commit both."
_ROTATE = "Rotate the secret: treat it as compromised."
# What pipenv writes as ``pipfile-spec``.
_SPEC = 6
# Tables of a Pipfile that have no place in its hash of categories (plette's get_hash).
_UNHASHED = frozenset(
    {"source", "packages", "dev-packages", "requires", "scripts", "pipfile", "pipenv"}
    | {"default", "develop"}
)
# pip takes these alone for --hash.
_HASH = re.compile(r"sha(?:256:[0-9a-fA-F]{64}|384:[0-9a-fA-F]{96}|512:[0-9a-fA-F]{128})")
_STRONG = frozenset({"sha256", "sha384", "sha512"})
_SECTIONS = {"packages": "default", "dev-packages": "develop"}


def pipfile_digests(document: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the hashes of a parsed Pipfile as pipenv writes them into the lock.

    They are those of ``edit.pipfile_hashes``, without loading plette and tomlkit; none where the
    Pipfile has no source, and pipenv's own default is hashed, and where pipenv cannot hash it.
    """
    if "source" not in document:
        return ()
    try:
        return _digest(document), _digest(with_normalised_names(document))
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


def digests_of(file: ProjectFile) -> tuple[str, ...]:
    """Return the hashes of a Pipfile; none where pipenv cannot make one."""
    if file.document is None or "source" in file.document:
        return pipfile_digests(file.document or {})
    from codeartifact_pipenv.errors import ConfigurationError
    from codeartifact_pipenv.project.edit import pipfile_hashes

    try:
        return pipfile_hashes(file.text)
    except ConfigurationError:
        return ()


def review_lock(lock: ProjectFile, contents: ProjectContents) -> Iterator[Finding]:
    """Yield what is wrong with a lock, by itself and beside its Pipfile."""
    if lock.document is None:
        return
    its_sources, pipfile = contents.lock_sources, contents.parsed_pipfile
    meta = lock.document.get("_meta")
    meta = meta if isinstance(meta, dict) else {}
    digest = meta["hash"].get("sha256") if isinstance(meta.get("hash"), dict) else None
    is_made = isinstance(digest, str)
    yield from _meta(lock, meta, its_sources, has_hash=is_made)
    sources = contents.sources
    told = {sources.written(n) for n in sources.read} if pipfile is not None else set()
    for finding in its_sources.review(told):
        yield finding._replace(hint=_hint_of_source(finding, pipfile))
    outdated = None
    if pipfile is not None and is_made and (digests := digests_of(pipfile)):
        outdated = findings.outdated_lock(digests, {"_meta": {"hash": {"sha256": digest}}})
    if outdated is not None:
        yield lock.placed(outdated, ("_meta", "hash"))
    elif pipfile is not None and is_made:
        yield from _differences(lock, pipfile, contents)
    for entry in contents.locked:
        index = entry.source
        if index is not None and index not in its_sources.names and not its_sources.findings:
            said = f"{entry.written} is locked from {index}, which is not a source of {lock.name}."
            yield lock.finding((*entry.keys, "index"), "lock-index", said)
        yield from _entry(lock, entry)
        known = pipfile.text if pipfile is not None else lock.text
        yield from _entry_texts(lock, entry.written, entry.value, entry.keys, known)


def _meta(
    lock: ProjectFile, meta: dict[str, Any], its_sources: Sources, *, has_hash: bool
) -> Iterator[Finding]:
    """Yield what ``_meta`` lacks, without which pipenv ends in a traceback, or has otherwise."""
    lacks = [] if has_hash else ["the hash"]
    lacks += [] if its_sources.is_listed else ["the sources"]
    lacks += [] if isinstance(meta.get("requires"), dict) else ["what it requires of Python"]
    spec = meta.get("pipfile-spec")
    if lacks:
        said = f"{lock.name} lacks {' and '.join(lacks)} in _meta, which pipenv writes into it."
        yield lock.finding(("_meta",), "lock-invalid", said)
    elif spec != _SPEC:
        said = f"The pipfile-spec of {lock.name} is {spec}, and pipenv writes {_SPEC}."
        yield lock.finding(("_meta",), "lock-edited", said)


def _hint_of_source(finding: Finding, pipfile: ProjectFile | None) -> str:
    """Say what to do about a source of a lock, which nobody should edit by hand."""
    again = _AGAIN if pipfile else "Correct the Pipfile that it was made of, and lock again."
    return f"{_ROTATE} {again}" if finding.code in {"url-secret", "url-token"} else again


def _differences(
    lock: ProjectFile, pipfile: ProjectFile, contents: ProjectContents
) -> Iterator[Finding]:
    """Yield where a lock is not of its Pipfile although its hash says so."""
    yield from _listed_and_locked(lock, contents.locked, contents.listed)
    ours, theirs = contents.sources.as_locked(), contents.lock_sources.as_locked()
    own = {url for _, url, _ in ours}
    local = [n for n, (_, url, _) in enumerate(theirs) if is_loopback(url) and url not in own]
    if local:
        said = _about_loopback(f"A source of {lock.name}")
        yield lock.finding(("_meta", "sources", local[0]), "lock-loopback", said)
    elif ours and theirs and ours != theirs:
        theirs_are = f"The sources of {lock.name} are not those of {pipfile.name}"
        said = f"{theirs_are}, and `pipenv sync` takes the lock's."
        yield lock.finding(("_meta", "sources"), "lock-sources", said)
    named = {entry.name: entry.source for entry in contents.listed if entry.source is not None}
    for entry in contents.locked:
        wanted = named.get(entry.name, entry.source)
        if entry.source is not None and entry.source != wanted:
            named_one = f"{pipfile.name} names the index {wanted}"
            said = f"{entry.written} is locked from {entry.source}, and {named_one}."
            yield lock.finding((*entry.keys, "index"), "lock-index", said)


def _listed_and_locked(
    lock: ProjectFile, locked: Sequence[Entry], listed: Sequence[Entry]
) -> Iterator[Finding]:
    """Yield where entries of a lock are not those of its Pipfile."""
    by_name = {(entry.category, entry.name): entry for entry in locked}
    # (A category is locked where somebody has asked for it.)
    sections = {category for category, _ in by_name} | {"default", "develop"}
    for entry in listed:
        section = _SECTIONS.get(entry.category, entry.category)
        name = normalise(entry.written.partition("[")[0].strip())
        has_markers = any(entry.fields.get(key) for key in (*MARKERS, "markers"))
        if not entry.is_indexed or section not in sections:
            continue
        found = by_name.get((section, name))
        if found is not None:
            yield from _locked_entry(lock, entry, found, has_markers=has_markers)
        elif not has_markers:  # (a pipenv may leave out what is not for its machine)
            listed_in = f"which [{entry.category}] of the Pipfile lists"
            said = f"{lock.name} lacks {entry.written}, {listed_in}."
            yield lock.finding((section,), "lock-incomplete", said)


def _locked_entry(
    lock: ProjectFile, entry: Entry, found: Entry, *, has_markers: bool
) -> Iterator[Finding]:
    wanted, has = pinned_version(entry.value), pinned_version(found.value)
    if wanted is not None and has is not None and _numbers(wanted) != _numbers(has):
        said = f"{entry.written} is locked at {has}, and the Pipfile asks for {wanted}."
        yield lock.finding(found.keys, "lock-incomplete", said)
    if has_markers and found.value.get("version", "*") != "*" and not found.value.get("markers"):
        yield lock.finding(
            found.keys,
            "lock-markers",
            f"{entry.written} has a marker in the Pipfile and none in {lock.name}: it is installed "
            "everywhere.",
            "Write the marker as `markers` in the Pipfile, which every pipenv locks, such as "
            f"""markers = "sys_platform == 'win32'". {_AGAIN}""",
        )


def _numbers(version: str) -> object:
    """Return what tells a plain version from another one: 1.0 is 1.0.0."""
    if not re.fullmatch(r"[0-9]{1,9}(?:\.[0-9]{1,9})*", version):
        return normalise(version)
    return re.sub(r"(?:\.0+)+$", "", re.sub(r"(^|\.)0+(?=\d)", r"\1", version))


def _entry(lock: ProjectFile, entry: Entry) -> Iterator[Finding]:
    """Yield what pipenv cannot read of one entry of a Pipfile.lock, or should not."""
    name, keys, value = entry.written, entry.keys, entry.value
    version, markers, hashes = value.get("version"), value.get("markers"), value.get("hashes")
    if version == "*":
        wanted = markers if isinstance(markers, str) and markers else "sys_platform == 'win32'"
        yield lock.finding(
            keys,
            "hashes-missing",
            f"{name} is locked without version and hashes: its markers exclude the machine that "
            "locked.",
            f'Pin it in the Pipfile, as {{version = "==1.0", markers = "{wanted}"}}, or lock on a '
            "machine that it is for. Then run `pipenv-ca lock` and commit both.",
        )
        return
    if not DIRECT_KEYS & value.keys():
        if not isinstance(version, str) or not re.match(r"===?\s*[^\s=]", version):
            shown = "no version" if version is None else f"the version {version!r}"
            said = f'{name} has {shown} in {lock.name}, where pipenv writes one such as "==1.0".'
            yield lock.finding(keys, "lock-invalid", said)
        elif not is_version(version) or version.endswith(".*"):
            said = f"The version of {name} is {version!r}, which pipenv cannot read."
            yield lock.finding((*keys, "version"), "lock-invalid", said)
    yield from _markers(lock, name, markers, (*keys, "markers"))
    if "version" in value and not hashes:
        yield _unhashed(lock, name, keys)
    elif hashes and not (isinstance(hashes, list) and all(_HASH.fullmatch(str(h)) for h in hashes)):
        said = f"A hash of {name} is not one that pip takes, which is sha256: and 64 digits."
        yield lock.finding((*keys, "hashes"), "hashes-invalid", said)


def _markers(
    lock: ProjectFile, name: str, markers: object, keys: tuple[Any, ...]
) -> Iterator[Finding]:
    if markers and not (isinstance(markers, str) and is_marker(markers)):
        said = f"The markers of {name} are {markers!r}, which pip cannot read."
        yield lock.finding(keys, "lock-invalid", said)


def _unhashed(lock: ProjectFile, name: str, keys: tuple[Any, ...]) -> Finding:
    said = f"{name} is locked without hashes: whatever has its version is installed."
    return lock.finding(keys, "hashes-missing", said)


def _entry_texts(
    lock: ProjectFile, name: str, value: object, place: tuple[Any, ...], known: str
) -> Iterator[Finding]:
    """Yield secrets in an entry's texts, and URLs of this machine that are not known."""
    for keys, text in strings_of(value, place):
        # (Hashes, which are most of a lock, begin otherwise.)
        if text.startswith("sha256:"):
            continue
        if secret_in(text):
            said = f"The entry of {name} holds {secret_in(text)} in clear, in everybody's checkout."
            yield lock.finding(keys, "url-secret", said, f"{_ROTATE} {_AGAIN}")
        elif is_loopback(text) and text not in known:
            yield lock.finding(keys, "lock-loopback", _about_loopback(f"The entry of {name}"))


def _about_loopback(what: str) -> str:
    return f"{what} leads to an index on this machine, which the Pipfile does not name."


def review_pylock(pylock: ProjectFile) -> Iterator[Finding]:
    """Yield what is wrong with a pylock.toml."""
    document = pylock.document
    if document is None:
        return
    version = document.get("lock-version")
    if not isinstance(version, str) or not version.startswith("1."):
        said = f"{pylock.name} has no lock-version that tools know, which is 1.0."
        yield pylock.finding(("lock-version",), "lock-invalid", said)
    packages = document.get("packages")
    for number, package in enumerate(packages if isinstance(packages, list) else []):
        if not isinstance(package, dict):
            continue
        name = str(package.get("name", number + 1))
        keys = ("packages", number)
        yield from _markers(pylock, name, package.get("marker"), (*keys, "marker"))
        wheels = package.get("wheels")
        files = [*(wheels if isinstance(wheels, list) else []), package.get("sdist")]
        hashes = [found.get("hashes") for found in files if isinstance(found, dict)]
        if not all(hashes):
            yield _unhashed(pylock, name, keys)
        elif not all(isinstance(some, dict) and _STRONG & some.keys() for some in hashes):
            said = f"{name} is locked by hashes that pip does not take alone; it takes sha256."
            yield pylock.finding(keys, "hashes-invalid", said)
        yield from _entry_texts(pylock, name, package, keys, "")


def review_unlisted(
    lock: ProjectFile, pipfile: ProjectFile, contents: ProjectContents, private: PrivatePackages
) -> Iterator[Finding]:
    """Yield private packages that only the lock has, and that bare pipenv would look for elsewhere."""
    sources = contents.sources
    told = {entry.name for entry in contents.listed}
    for entry in contents.locked if sources.has_public_default else ():
        found = private.sources(entry.name)
        is_there = "version" in entry.value and found and sources.default not in found
        if entry.name in told or not is_there:
            continue
        told.add(entry.name)
        which = " or ".join(found)
        yield lock.finding(
            entry.keys,
            "dependency-unlisted",
            f"{entry.written} is private and {pipfile.name} does not list it: bare pipenv looks "
            f"for it in {sources.default or 'the public index'} when it locks.",
            f'Add {entry.written} = {{version = "*", index = "{which}"}}, or run '
            "`pipenv-ca fix --list-transitive`.",
        )


def review_namesakes(
    names: Collection[str], pipfile: ProjectFile, contents: ProjectContents
) -> Iterator[Finding]:
    """Yield private packages of which there is a public one of the same name, listed or locked."""
    listed = {entry.name: entry for entry in contents.listed if entry.is_indexed}
    found = [(pipfile, listed[name]) for name in sorted(listed.keys() & set(names))]
    if contents.lock is not None:
        only = set(names) - listed.keys()
        locked = (e for e in contents.locked if e.name in only and "version" in e.value)
        found += [(contents.lock, entry) for entry in locked]
    for file, entry in found:
        said = f"{entry.written} is private, and the public index has another package of that name."
        yield file.finding(entry.keys, "name-public", said)
