"""What is wrong with the packages of a Pipfile, each by itself and among the others."""

from __future__ import annotations

import os
import re

from codeartifact_pipenv.checks.files.pep508 import (
    MARKERS,
    is_marker,
    is_name,
    is_version,
    right_marker,
    right_version,
)
from codeartifact_pipenv.checks.files.pipfile_shape import table_meant
from codeartifact_pipenv.endpoint import parse_url
from codeartifact_pipenv.project.entries import PLACES, entries_of
from codeartifact_pipenv.project.sources import variables_in, without_credentials

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from codeartifact_pipenv.checks.files.project_file import File
    from codeartifact_pipenv.checks.files.source_tables import Sources
    from codeartifact_pipenv.findings import Finding
    from codeartifact_pipenv.project.entries import Entry

_REPOSITORIES = ("git", "hg", "svn", "bzr")
# Keys that pipenv passes over beside, or without, others: the key, the others, whether beside.
_IGNORED = (
    ("version", PLACES, True),
    ("index", PLACES, True),
    ("ref", frozenset(_REPOSITORIES), False),
    ("subdirectory", PLACES, False),
    ("editable", PLACES, False),
)


def review_values(file: File, sources: Sources) -> Iterator[Finding]:
    """Yield what pipenv cannot read of the packages that a Pipfile lists, or reads otherwise."""
    entries = [entry for entry in entries_of(file.document) if _is_listed(file, entry)]
    for entry in entries:
        place = (entry.category, entry.written)
        value = entry.value if isinstance(entry.value, dict) else {"version": entry.value}
        if entry.is_indexed and not is_name(entry.written):
            yield file.finding(
                "name-invalid",
                f"{entry.written!r} is not a name that a package can have.",
                "Write the name alone: letters, digits and - . _ within; a version, URL or marker "
                "belongs into the entry's value.",
                *place,
            )
        if entry.is_indexed and isinstance(value.get("version"), str):
            yield from _version(file, entry, value["version"])
        yield from _markers(file, entry, value)
        yield from _places(file, entry, value, sources)
    yield from _twice(file, entries)


def _is_listed(file: File, entry: Entry) -> bool:
    table = (file.document or {}).get(entry.category)
    return table_meant(entry.category, table) in {None, "packages", "dev-packages"}


def _version(file: File, entry: Entry, version: str) -> Iterator[Finding]:
    if is_version(version) or is_version(version.rstrip().removesuffix(";")):
        return  # (pipenv drops a marker that is empty)
    keys = ("version",) if isinstance(entry.value, dict) else ()
    kind = re.match(r"(git|hg|svn|bzr)\+|https?:|file:", version)
    right = right_version(version)
    rest, _, marker = version.partition(";")
    if kind is not None:
        key = kind[1] or "file"
        hint = f'Write {entry.written} = {{{key} = "{version.removeprefix(f"{key}+")}"}}.'
    elif marker and is_version(rest.strip()) and is_marker(marker):
        text = marker.strip().replace('"', "'")
        hint = f'Write {{version = "{rest.strip()}", markers = "{text}"}}.'
    elif right is not None:
        hint = f'Write "{right}"{", for any version" if right == "*" else ""}.'
    else:
        hint = 'Write it as pip has it, such as ">=1.2,<2", "==1.4.*", or "*" for any version.'
    said = f"The version of {entry.written} is {version!r}, which not every pipenv can read."
    yield file.finding("version-invalid", said, hint, entry.category, entry.written, *keys)


def _markers(file: File, entry: Entry, value: dict[str, object]) -> Iterator[Finding]:
    for key in (*MARKERS, "markers"):
        text = value.get(key)
        if not isinstance(text, str) or (key == "markers" and not text):
            continue
        if is_marker(text if key == "markers" else f"{key} {text}"):
            continue
        right = right_marker(key, text)
        example = "sys_platform == 'win32' and python_version >= '3.9'"
        yield file.finding(
            "marker-invalid",
            f"{key} of {entry.written} is {text!r}, which is not a marker: pipenv stops there, or "
            "drops the marker or the package.",
            f'Write {key} = "{right}".'
            if right
            else f'Write it as PEP 508 has it, such as markers = "{example}".',
            entry.category,
            entry.written,
            key,
        )


def _places(
    file: File, entry: Entry, value: dict[str, object], sources: Sources
) -> Iterator[Finding]:
    place = (entry.category, entry.written)
    for key, others, beside in _IGNORED:
        found = sorted(others & value.keys())
        is_set = value.get(key) is True or (key != "editable" and value.get(key))
        if is_set and bool(found) == beside:
            why = f"which has {found[0]}" if beside else "which comes from an index"
            said = f"pipenv passes over {key} of {entry.written}, {why}."
            hint = (
                f"Remove {key} or {found[0]}."
                if beside
                else f"Remove {key}, or write {_needed(key)}."
            )
            yield file.finding("key-ignored", said, hint, *place, key)
    for key in ("path", "file"):
        text = value.get(key)
        if isinstance(text, str) and _is_missing(text, file.path):
            yield file.finding(
                "path-missing",
                f"{entry.written} comes from {text}, which does not exist.",
                "Correct the path; it is relative to the folder of the Pipfile.",
                *place,
                key,
            )
    for key in ("file", "path", *_REPOSITORIES):
        text = value.get(key)
        endpoint = parse_url(without_credentials(text)) if isinstance(text, str) else None
        if endpoint is not None:
            names = [
                name for name, other in sources.repositories.items() if endpoint.is_same(other)
            ]
            version = _version_in(str(text))
            yield file.finding(
                "package-url",
                f"{entry.written} is named by its URL in CodeArtifact, which needs a token in the "
                "Pipfile, and goes around index and hashes.",
                f'Write {entry.written} = {{version = "{version}", index = '
                f'"{next(iter(names), "SOURCE")}"}}.',
                *place,
                key,
            )


def _needed(key: str) -> str:
    return "git" if key == "ref" else "path or git"


def _is_missing(text: str, pipfile: str) -> bool:
    if "://" in text or text.startswith(("file:", "~")) or variables_in(text):
        return False
    folder = os.path.dirname(os.path.abspath(pipfile))
    return "\0" not in text and not os.path.exists(os.path.join(folder, text))


def _version_in(url: str) -> str:
    name = url.partition("#")[0].partition("?")[0].rpartition("/")[2]
    match = re.match(r"[^-]+(?:-[^-]+)*?-(\d[\w.!+]*)(?:-.*\.whl|\.tar\.gz|\.zip)$", name)
    return f"=={match[1]}" if match else "*"


def _twice(file: File, entries: list[Entry]) -> Iterator[Finding]:
    """Yield packages of which pipenv gets two entries that it cannot both follow."""
    first: dict[str, Entry] = {}
    here: dict[tuple[str, str], Entry] = {}
    for entry in sorted(entries, key=lambda entry: entry.category != "packages"):
        again = here.setdefault((entry.category, entry.name), entry)
        other = first.setdefault(entry.name, entry)
        place = (entry.category, entry.written)
        if again is not entry:
            said = f"{entry.written} and {again.written} are one package, listed twice in [{entry.category}]."
            yield file.finding("package-duplicate", said, "Remove one of them.", *place)
        elif other.category == "packages" != entry.category and _differ(other, entry):
            yield file.finding(
                "package-duplicate",
                f"{entry.written} is listed in [packages] too, with another version or index; "
                f"[{entry.category}] is resolved together with it.",
                "Give both entries the same value.",
                *place,
            )


def _differ(one: Entry, other: Entry) -> bool:
    """Whether two entries pin different versions, or name different indexes."""
    pins = {pinned_version(one.value), pinned_version(other.value)}
    return (None not in pins and len(pins) > 1) or bool(
        one.source and other.source and one.source != other.source
    )


def pinned_version(value: object) -> str | None:
    """Return the one version that an entry asks for; None where it leaves a choice."""
    version = value.get("version") if isinstance(value, dict) else value
    pin = r"\s*(?:===?)?\s*v?([0-9][\w.+!-]*)\s*"
    match = re.fullmatch(pin, version) if isinstance(version, str) else None
    return match[1] if match else None
