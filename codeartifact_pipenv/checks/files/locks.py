"""Checks of a Pipfile.lock or a pylock.toml, alone and compared with the Pipfile."""

from __future__ import annotations

import re

from codeartifact_pipenv.checks.files.package_entries import pinned_version
from codeartifact_pipenv.checks.files.pep508 import MARKERS, is_marker, is_version
from codeartifact_pipenv.checks.files.project_file import strings_of
from codeartifact_pipenv.checks.files.secrets import secret_in
from codeartifact_pipenv.errors import ConfigurationError
from codeartifact_pipenv.project import findings
from codeartifact_pipenv.project.lock import pipfile_hashes
from codeartifact_pipenv.project.pipfile import DIRECT_KEYS, normalise
from codeartifact_pipenv.project.sources import is_loopback

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from typing import Any

    from codeartifact_pipenv.checks.files.contents import PrivatePackages, ProjectContents
    from codeartifact_pipenv.checks.files.project_file import ProjectFile
    from codeartifact_pipenv.checks.files.source_tables import Sources
    from codeartifact_pipenv.findings import Finding
    from codeartifact_pipenv.project.pipfile import Entry

_LOCK_AGAIN = "Run `pipenv-ca lock` and commit both."
_ROTATE = "Rotate the secret: treat it as compromised."
# The ``pipfile-spec`` that pipenv writes.
_SPEC = 6
# The hashes that pip accepts as --hash.
_HASH = re.compile(r"sha(?:256:[0-9a-fA-F]{64}|384:[0-9a-fA-F]{96}|512:[0-9a-fA-F]{128})")
_STRONG = frozenset({"sha256", "sha384", "sha512"})
_SECTIONS = {"packages": "default", "dev-packages": "develop"}


def digests_of(file: ProjectFile) -> tuple[str, ...]:
    """Return the hashes of a Pipfile, or () if pipenv cannot hash it."""
    try:
        return pipfile_hashes(file.document or {})
    except ConfigurationError:
        return ()


def review_lock(lock: ProjectFile, contents: ProjectContents) -> Iterator[Finding]:
    """Yield the findings on a lock, alone and compared with its Pipfile."""
    if lock.document is None:
        return
    lock_sources, pipfile = contents.lock_sources, contents.parsed_pipfile
    meta = lock.document.get("_meta")
    meta = meta if isinstance(meta, dict) else {}
    digest = meta["hash"].get("sha256") if isinstance(meta.get("hash"), dict) else None
    is_made = isinstance(digest, str)
    yield from _meta(lock, meta, lock_sources, has_hash=is_made)
    sources = contents.sources
    reported = {sources.written(n) for n in sources.read} if pipfile is not None else set()
    for finding in lock_sources.review(reported):
        yield finding._replace(hint=_hint_of_source(finding, pipfile))
    outdated = None
    if pipfile is not None and is_made and (digests := digests_of(pipfile)):
        outdated = findings.outdated_lock(digests, {"_meta": {"hash": {"sha256": digest}}})
    if outdated is not None:
        yield lock.at_keys(outdated, ("_meta", "hash"))
    elif pipfile is not None and is_made:
        yield from _differences(lock, pipfile, contents)
    for entry in contents.locked:
        index = entry.source
        if index is not None and index not in lock_sources.names and not lock_sources.findings:
            sentence = (
                f"{entry.written} is locked from {index}, which is not a source of {lock.name}."
            )
            yield lock.finding((*entry.keys, "index"), "lock-index", sentence)
        yield from _entry(lock, entry)
        known = pipfile.text if pipfile is not None else lock.text
        yield from _entry_texts(lock, entry.written, entry.value, entry.keys, known)


def _meta(
    lock: ProjectFile, meta: dict[str, Any], lock_sources: Sources, *, has_hash: bool
) -> Iterator[Finding]:
    """Yield the parts that ``_meta`` lacks, without which pipenv crashes, and a wrong version."""
    lacks = [] if has_hash else ["the hash"]
    lacks += [] if lock_sources.is_present else ["the sources"]
    lacks += [] if isinstance(meta.get("requires"), dict) else ["the required Python"]
    spec = meta.get("pipfile-spec")
    if lacks:
        sentence = f"{lock.name} lacks {' and '.join(lacks)} in _meta, which pipenv writes there."
        yield lock.finding(("_meta",), "lock-invalid", sentence)
    elif spec != _SPEC:
        sentence = f"The pipfile-spec of {lock.name} is {spec}, but pipenv writes {_SPEC}."
        yield lock.finding(("_meta",), "lock-edited", sentence)


def _hint_of_source(finding: Finding, pipfile: ProjectFile | None) -> str:
    """Return the hint for a finding on a lock's source: never to edit the lock by hand."""
    again = _LOCK_AGAIN if pipfile else "Correct the Pipfile that it was made from, and lock again."
    return f"{_ROTATE} {again}" if finding.code in {"url-secret", "url-token"} else again


def _differences(
    lock: ProjectFile, pipfile: ProjectFile, contents: ProjectContents
) -> Iterator[Finding]:
    """Yield differences between a lock and its Pipfile although the hash matches."""
    yield from _listed_and_locked(lock, contents.locked, contents.listed)
    wanted, locked = contents.sources.as_locked(), contents.lock_sources.as_locked()
    own = {url for _, url, _ in wanted}
    local = [n for n, (_, url, _) in enumerate(locked) if is_loopback(url) and url not in own]
    if local:
        sentence = _about_loopback(f"A source of {lock.name}")
        yield lock.finding(("_meta", "sources", local[0]), "lock-loopback", sentence)
    elif wanted and locked and wanted != locked:
        differ = f"The sources of {lock.name} are not those of {pipfile.name}"
        sentence = f"{differ}, and `pipenv sync` uses the lock's."
        yield lock.finding(("_meta", "sources"), "lock-sources", sentence)
    named = {entry.name: entry.source for entry in contents.listed if entry.source is not None}
    for entry in contents.locked:
        index = named.get(entry.name, entry.source)
        if entry.source in contents.lock_sources.names and entry.source != index:
            named_one = f"{pipfile.name} names the index {index}"
            sentence = f"{entry.written} is locked from {entry.source}, but {named_one}."
            yield lock.finding((*entry.keys, "index"), "lock-index", sentence)


def _listed_and_locked(
    lock: ProjectFile, locked: Sequence[Entry], listed: Sequence[Entry]
) -> Iterator[Finding]:
    """Yield differences between the entries of a lock and of its Pipfile."""
    by_name = {(entry.category, entry.name): entry for entry in locked}
    # A category is locked only on request.
    sections = {category for category, _ in by_name} | {"default", "develop"}
    for entry in listed:
        section = _SECTIONS.get(entry.category, entry.category)
        has_markers = any(entry.fields.get(key) for key in (*MARKERS, "markers"))
        if not entry.is_indexed or section not in sections:
            continue
        found = by_name.get((section, entry.name))
        if found is not None:
            yield from _locked_entry(lock, entry, found, has_markers=has_markers)
        elif not has_markers:  # pipenv may leave out what another machine needs
            listed_in = f"which [{entry.category}] of the Pipfile lists"
            sentence = f"{lock.name} lacks {entry.written}, {listed_in}."
            yield lock.finding((section,), "lock-incomplete", sentence)


def _locked_entry(
    lock: ProjectFile, entry: Entry, found: Entry, *, has_markers: bool
) -> Iterator[Finding]:
    wanted, has = pinned_version(entry.value), pinned_version(found.value)
    if wanted is not None and has is not None and _numbers(wanted) != _numbers(has):
        sentence = f"{entry.written} is locked at {has}, but the Pipfile asks for {wanted}."
        yield lock.finding(found.keys, "lock-incomplete", sentence)
    if has_markers and found.value.get("version", "*") != "*" and not found.value.get("markers"):
        yield lock.finding(
            found.keys,
            "lock-markers",
            f"{entry.written} has a marker in the Pipfile but not in {lock.name}, so it is installed "
            "everywhere.",
            "Write the marker as `markers` in the Pipfile, which every pipenv locks, such as "
            f"""markers = "sys_platform == 'win32'". {_LOCK_AGAIN}""",
        )


def _numbers(version: str) -> object:
    """Return a key that is equal for equal versions, such as 1.0 and 1.0.0."""
    if not re.fullmatch(r"[0-9]{1,9}(?:\.[0-9]{1,9})*", version):
        return normalise(version)
    return re.sub(r"(?:\.0+)+$", "", re.sub(r"(^|\.)0+(?=\d)", r"\1", version))


def _entry(lock: ProjectFile, entry: Entry) -> Iterator[Finding]:
    """Yield the findings on one entry of a Pipfile.lock."""
    name, keys, value = entry.written, entry.keys, entry.value
    version, markers, hashes = value.get("version"), value.get("markers"), value.get("hashes")
    if version == "*":
        wanted = markers if isinstance(markers, str) and markers else "sys_platform == 'win32'"
        yield lock.finding(
            keys,
            "hashes-missing",
            f"{name} is locked without version and hashes, because its markers exclude the "
            "machine that locked it.",
            f'Pin it in the Pipfile, as {{version = "==1.0", markers = "{wanted}"}}, or lock on a '
            "machine that needs it. Then run `pipenv-ca lock` and commit both.",
        )
        return
    if not DIRECT_KEYS & value.keys():
        if not isinstance(version, str) or not re.match(r"===?\s*[^\s=]", version):
            shown = "no version" if version is None else f"the version {version!r}"
            sentence = f'{name} has {shown} in {lock.name}; pipenv writes one such as "==1.0".'
            yield lock.finding(keys, "lock-invalid", sentence)
        elif not is_version(version) or version.endswith(".*"):
            sentence = f"The version of {name} is {version!r}, which pipenv cannot read."
            yield lock.finding((*keys, "version"), "lock-invalid", sentence)
    yield from _markers(lock, name, markers, (*keys, "markers"))
    if "version" in value and not hashes:
        yield _unhashed(lock, name, keys)
    elif hashes and not (isinstance(hashes, list) and all(_HASH.fullmatch(str(h)) for h in hashes)):
        sentence = f"A hash of {name} is not one that pip accepts: sha256: and 64 digits."
        yield lock.finding((*keys, "hashes"), "hashes-invalid", sentence)


def _markers(
    lock: ProjectFile, name: str, markers: object, keys: tuple[Any, ...]
) -> Iterator[Finding]:
    if markers and not (isinstance(markers, str) and is_marker(markers)):
        sentence = f"The markers of {name} are {markers!r}, which pip cannot read."
        yield lock.finding(keys, "lock-invalid", sentence)


def _unhashed(lock: ProjectFile, name: str, keys: tuple[Any, ...]) -> Finding:
    sentence = f"{name} is locked without hashes, so any file with its version is installed."
    return lock.finding(keys, "hashes-missing", sentence)


def _entry_texts(
    lock: ProjectFile, name: str, value: object, place: tuple[Any, ...], known: str
) -> Iterator[Finding]:
    """Yield secrets in an entry, and loopback URLs that the Pipfile does not contain."""
    for keys, text in strings_of(value, place):
        if text.startswith("sha256:"):
            continue
        if secret_in(text):
            sentence = (
                f"The entry of {name} contains {secret_in(text)} in clear text, in every checkout."
            )
            yield lock.finding(keys, "url-secret", sentence, f"{_ROTATE} {_LOCK_AGAIN}")
        elif is_loopback(text) and text not in known:
            yield lock.finding(keys, "lock-loopback", _about_loopback(f"The entry of {name}"))


def _about_loopback(what: str) -> str:
    return f"{what} leads to an index on this machine, which the Pipfile does not name."


def review_pylock(pylock: ProjectFile) -> Iterator[Finding]:
    """Yield the findings on a pylock.toml."""
    document = pylock.document
    if document is None:
        return
    version = document.get("lock-version")
    if not isinstance(version, str) or not version.startswith("1."):
        sentence = f"{pylock.name} has no known lock-version, which would be 1.0."
        yield pylock.finding(("lock-version",), "lock-invalid", sentence)
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
            sentence = (
                f"{name} is locked only by hashes that pip does not accept; it accepts sha256."
            )
            yield pylock.finding(keys, "hashes-invalid", sentence)
        yield from _entry_texts(pylock, name, package, keys, "")


def review_unlisted(
    lock: ProjectFile, pipfile: ProjectFile, contents: ProjectContents, private: PrivatePackages
) -> Iterator[Finding]:
    """Yield private packages that only the lock has and bare pipenv would get from elsewhere."""
    sources = contents.sources
    reported = {entry.name for entry in contents.listed}
    for entry in contents.locked if sources.has_public_default else ():
        if entry.name in reported or "version" not in entry.value:
            continue
        found = private.sources(entry.name)
        is_default = entry.source in {None, sources.default}
        if is_default and private.is_configured(entry.name) and sources.has_no_repository:
            reported.add(entry.name)
            sentence = f"{entry.written} is private, but {pipfile.name} has no CodeArtifact source."
            yield lock.finding(entry.keys, "source-missing", sentence)
        if not found or sources.default in found:
            continue
        reported.add(entry.name)
        which = " or ".join(found)
        yield lock.finding(
            entry.keys,
            "dependency-unlisted",
            f"{entry.written} is private, but {pipfile.name} does not list it: bare pipenv locks "
            f"it from {sources.default or 'the public index'}.",
            f'Add {entry.written} = {{version = "*", index = "{which}"}}, or run '
            "`pipenv-ca fix --list-transitive`.",
        )


def review_public_names(
    names: Collection[str], pipfile: ProjectFile, contents: ProjectContents
) -> Iterator[Finding]:
    """Yield listed and locked private packages whose name also exists on the public index."""
    listed = {entry.name: entry for entry in contents.listed if entry.is_indexed}
    found = [(pipfile, listed[name]) for name in sorted(listed.keys() & set(names))]
    if contents.lock is not None:
        only = set(names) - listed.keys()
        locked = (e for e in contents.locked if e.name in only and "version" in e.value)
        found += [(contents.lock, entry) for entry in locked]
    for file, entry in found:
        sentence = (
            f"{entry.written} is private, but the public index has another package with that name."
        )
        yield file.finding(entry.keys, "name-public", sentence)
