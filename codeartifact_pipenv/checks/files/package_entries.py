"""Checks of the packages that a Pipfile lists, alone and compared with each other."""

from __future__ import annotations

import os
import re

from codeartifact_pipenv.checks.files import pep508
from codeartifact_pipenv.checks.files.pipfile_shape import intended_table
from codeartifact_pipenv.checks.files.project_file import strings_of
from codeartifact_pipenv.checks.files.source_tables import review_texts
from codeartifact_pipenv.endpoint import parse_url
from codeartifact_pipenv.project.pipfile import DIRECT_KEYS
from codeartifact_pipenv.project.sources import variables_in, without_credentials

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from codeartifact_pipenv.checks.files.contents import PrivatePackages, ProjectContents
    from codeartifact_pipenv.checks.files.project_file import ProjectFile
    from codeartifact_pipenv.checks.files.source_tables import Sources
    from codeartifact_pipenv.findings import Finding
    from codeartifact_pipenv.project.pipfile import Entry

_REPOSITORIES = ("git", "hg", "svn", "bzr")
# Keys that pipenv ignores if (True) or unless (False) the entry has one of the other keys.
_IGNORED = (
    ("version", DIRECT_KEYS, True),
    ("index", DIRECT_KEYS, True),
    ("ref", frozenset(_REPOSITORIES), False),
    ("subdirectory", DIRECT_KEYS, False),
    ("editable", DIRECT_KEYS, False),
)


def review_packages(
    file: ProjectFile, contents: ProjectContents, private: PrivatePackages
) -> Iterator[Finding]:
    """Yield the findings on the packages of a Pipfile."""
    sources = contents.sources
    lost = set[str]()
    if sources.has_no_repository:
        known = contents.lock_sources.repositories
        lost = {entry.name for entry in contents.locked if entry.source in known}
    for entry in contents.listed:
        if entry.is_indexed and entry.source is None and entry.name in lost:
            sentence = (
                f"{entry.written} is locked from a repository that this Pipfile does not name."
            )
            yield file.finding(entry.keys, "source-missing", sentence)
        elif entry.is_indexed:
            yield from _index(file, entry, sources, private)
        yield from review_texts(file, list(strings_of(entry.value, entry.keys)), sources)
    document = file.document or {}
    usual = {None, "packages", "dev-packages"}
    entries = [
        e for e in contents.listed if intended_table(e.category, document[e.category]) in usual
    ]
    for entry in entries:
        if entry.is_indexed and not pep508.is_name(entry.written):
            sentence = f"{entry.written!r} is not a name that a package can have."
            yield file.finding(entry.keys, "name-invalid", sentence)
        if entry.is_indexed and isinstance(entry.fields.get("version"), str):
            yield from _version(file, entry, entry.fields["version"])
        yield from _markers(file, entry)
        yield from _ignored_keys(file, entry)
        yield from _places(file, entry, sources)
    yield from _duplicates(file, entries)


def _index(
    file: ProjectFile, entry: Entry, sources: Sources, private: PrivatePackages
) -> Iterator[Finding]:
    if entry.source is not None:
        keys = (*entry.keys, "index")
        if entry.source not in sources.names and not sources.findings:
            listed = ", ".join(sorted(sources.names)) or "only pipenv's default"
            sentence = f"{entry.written} names the index {entry.source}, which is not a source of the Pipfile."
            hint = f"Name one of the Pipfile's sources ({listed}), or add it as a [[source]]."
            yield file.finding(keys, "index-unknown", sentence, hint)
        elif private.is_configured(entry.name) and sources.is_elsewhere(entry.source):
            yield file.finding(
                keys,
                "index-public",
                f"{entry.written} is private, but its entry names the index {entry.source}, which "
                "is not CodeArtifact.",
            )
        return
    if not private.is_private(entry.name) or not sources.has_public_default:
        return
    found = private.sources(entry.name)
    if not found and not sources.may_be_codeartifact:  # else the source has a finding
        sentence = f"{entry.written} is private, but this Pipfile has no CodeArtifact source."
        yield file.finding(entry.keys, "source-missing", sentence)
    elif found and sources.default not in found:
        which = " or ".join(f'index = "{name}"' for name in found)
        yield file.finding(
            entry.keys,
            "index-missing",
            f"{entry.written} is private, but its entry names no index, so pipenv gets it from "
            f"{sources.default or 'the public index'}.",
            f"Add {which} to its entry.",
        )


def _version(file: ProjectFile, entry: Entry, version: str) -> Iterator[Finding]:
    if pep508.is_version(version) or pep508.is_version(version.rstrip().removesuffix(";")):
        return  # pipenv drops an empty marker
    keys = (*entry.keys, "version") if isinstance(entry.value, dict) else entry.keys
    kind = re.match(r"(git|hg|svn|bzr)\+|https?:|file:", version)
    right = pep508.corrected_version(version)
    rest, _, marker = version.partition(";")
    if kind is not None:
        key = kind[1] or "file"
        hint = f'Write {entry.written} = {{{key} = "{version.removeprefix(f"{key}+")}"}}.'
    elif marker and pep508.is_version(rest.strip()) and pep508.is_marker(marker):
        text = marker.strip().replace('"', "'")
        hint = f'Write {{version = "{rest.strip()}", markers = "{text}"}}.'
    elif right is not None:
        hint = f'Write "{right}"{", for any version" if right == "*" else ""}.'
    else:
        hint = 'Write it as pip does, such as ">=1.2,<2", "==1.4.*", or "*" for any version.'
    sentence = f"The version of {entry.written} is {version!r}, which not every pipenv can read."
    yield file.finding(keys, "version-invalid", sentence, hint)


def _markers(file: ProjectFile, entry: Entry) -> Iterator[Finding]:
    for key in (*pep508.MARKERS, "markers"):
        text = entry.fields.get(key)
        if not isinstance(text, str) or (key == "markers" and not text):
            continue
        if pep508.is_marker(text if key == "markers" else f"{key} {text}"):
            continue
        right = pep508.corrected_marker(key, text)
        example = "sys_platform == 'win32' and python_version >= '3.9'"
        sentence = (
            f"{key} of {entry.written} is {text!r}, which is not a marker: pipenv fails, or drops "
            "the marker or the package."
        )
        hint = f'Write it as PEP 508 says, such as markers = "{example}".'
        hint = f'Write {key} = "{right}".' if right else hint
        yield file.finding((*entry.keys, key), "marker-invalid", sentence, hint)


def _ignored_keys(file: ProjectFile, entry: Entry) -> Iterator[Finding]:
    for key, others, beside in _IGNORED:
        value = entry.fields.get(key)
        found = sorted(others & entry.fields.keys())
        if (value is True or (key != "editable" and value)) and bool(found) == beside:
            why = f"which has {found[0]}" if beside else "which comes from an index"
            needed = "git" if key == "ref" else "path or git"
            sentence = f"pipenv ignores {key} of {entry.written}, {why}."
            hint = f"Remove {key} or {found[0]}." if beside else f"Remove {key}, or write {needed}."
            yield file.finding((*entry.keys, key), "key-ignored", sentence, hint)


def _places(file: ProjectFile, entry: Entry, sources: Sources) -> Iterator[Finding]:
    for key in ("file", "path", *_REPOSITORIES):
        text = entry.fields.get(key)
        if not isinstance(text, str):
            continue
        if key in {"path", "file"} and _is_missing(text, file.path):
            sentence = f"{entry.written} comes from {text}, which does not exist."
            yield file.finding((*entry.keys, key), "path-missing", sentence)
        endpoint = parse_url(without_credentials(text))
        if endpoint is not None:
            names = (n for n, other in sources.repositories.items() if endpoint.is_same(other))
            version, index = _version_in(text), next(names, "SOURCE")
            yield file.finding(
                (*entry.keys, key),
                "package-url",
                f"{entry.written} is listed by its URL in CodeArtifact, which needs a token in the "
                "Pipfile and bypasses index and hashes.",
                f'Write {entry.written} = {{version = "{version}", index = "{index}"}}.',
            )


def _is_missing(text: str, pipfile: str) -> bool:
    if "://" in text or text.startswith(("file:", "~")) or variables_in(text):
        return False
    folder = os.path.dirname(os.path.abspath(pipfile))
    return "\0" not in text and not os.path.exists(os.path.join(folder, text))


def _version_in(url: str) -> str:
    name = url.partition("#")[0].partition("?")[0].rpartition("/")[2]
    match = re.match(r"[^-]+(?:-[^-]+)*?-(\d[\w.!+]*)(?:-.*\.whl|\.tar\.gz|\.zip)$", name)
    return f"=={match[1]}" if match else "*"


def _duplicates(file: ProjectFile, entries: list[Entry]) -> Iterator[Finding]:
    """Yield packages with two entries that pipenv cannot both follow."""
    first: dict[str, Entry] = {}
    here: dict[tuple[str, str], Entry] = {}
    for entry in sorted(entries, key=lambda entry: entry.category != "packages"):
        again = here.setdefault((entry.category, entry.name), entry)
        other = first.setdefault(entry.name, entry)
        if again is not entry:
            sentence = f"{entry.written} and {again.written} are the same package, listed twice in [{entry.category}]."
        elif other.category == "packages" != entry.category and _differ(other, entry):
            sentence = (
                f"{entry.written} is also listed in [packages], with another version or index, but "
                f"[{entry.category}] is resolved together with it."
            )
        else:
            continue
        yield file.finding(entry.keys, "package-duplicate", sentence)


def _differ(one: Entry, other: Entry) -> bool:
    """Whether two entries pin different versions, or name different indexes."""
    pins = {pinned_version(one.value), pinned_version(other.value)}
    return (None not in pins and len(pins) > 1) or bool(
        one.source and other.source and one.source != other.source
    )


def pinned_version(value: object) -> str | None:
    """Return the version that an entry pins, or None if it allows several."""
    version = value.get("version") if isinstance(value, dict) else value
    pin = r"\s*(?:===?)?\s*v?([0-9][\w.+!-]*)\s*"
    match = re.fullmatch(pin, version) if isinstance(version, str) else None
    return match[1] if match else None
