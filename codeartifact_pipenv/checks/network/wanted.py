"""The packages of a project, and whether files of an index satisfy them. Pure functions."""

from __future__ import annotations

import difflib
import functools
import os
import platform
from typing import Any, NamedTuple

from packaging import utils
from packaging.markers import InvalidMarker, Marker
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.version import InvalidVersion, Version

from codeartifact_pipenv.causes import finding_for
from codeartifact_pipenv.checks.files.pep508 import MARKERS
from codeartifact_pipenv.files.io import read_bytes
from codeartifact_pipenv.files.pip_config import FILES, in_pip_words, in_pipenv_words
from codeartifact_pipenv.project.pipfile import DIRECT_KEYS, entries_of, locked_entries, normalise
from codeartifact_pipenv.project.requirements_files import decode, logical_lines
from codeartifact_pipenv.project.sources import parse_timestamp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from codeartifact_pipenv.findings import Finding
    from codeartifact_pipenv.lookups.simple_page import File
    from codeartifact_pipenv.project.pipfile import Entry

# Keys of entries that do not come from an index.
_ELSEWHERE = DIRECT_KEYS | {"editable"}
# Higher than any patch version of Python.
_LAST_PATCH = 99


class WantedPackage(NamedTuple):
    """A package that a project requires.

    Attributes:
        name: the normalised name.
        specifier: the PEP 440 specifier; '' for any version.
        source: the name of its source, if given.
        place: where it is required, such as ``Pipfile``.
        prereleases: whether the project allows pre-releases.
    """

    name: str
    specifier: str
    source: str | None
    place: str
    prereleases: bool = False

    @property
    def correction(self) -> str:
        """The start of a hint to correct its name or version."""
        if self.place == "Pipfile.lock":
            return "Correct it in the Pipfile and run `pipenv-ca lock`"
        return f"Correct it in {'the Pipfile' if self.place == 'Pipfile' else self.place}"

    def finding(self, code: str, sentence: str, hint: str | None = None) -> Finding:
        """Return a finding about it."""
        return finding_for(code, f"package {self.name}", sentence, hint)


def packages_in_pipfile(document: Mapping[str, Any]) -> Iterator[WantedPackage]:
    """Yield the index packages of a Pipfile whose markers match this machine."""
    for entry in entries_of(document):
        if isinstance(entry.value, (str, dict)):
            yield from _wanted(entry, "Pipfile")


def packages_in_lock(document: Mapping[str, Any] | None) -> Iterator[WantedPackage]:
    """Yield the index packages of a lock whose markers match this machine."""
    for entry in locked_entries(document):
        if "version" in entry.value:
            yield from _wanted(entry, "Pipfile.lock")


def _wanted(entry: Entry, place: str) -> Iterator[WantedPackage]:
    if not _ELSEWHERE & entry.fields.keys() and _applies(entry.fields):
        version = str(entry.fields.get("version", "")).strip()
        yield WantedPackage(entry.name, "" if version == "*" else version, entry.source, place)


def packages_in_words(words: Iterable[str]) -> Iterator[WantedPackage]:
    """Yield the index packages of requirements on the command line."""
    for word in words:
        try:
            requirement = Requirement(word)
        except InvalidRequirement:
            continue
        if requirement.url is None:
            name = normalise(requirement.name)
            yield WantedPackage(name, str(requirement.specifier), None, "the command")


def packages_in_files(words: Sequence[str], folder: str, depth: int = 5) -> Iterator[WantedPackage]:
    """Yield the packages of requirements files in arguments of pip or pipenv, nested files too."""
    given = {*in_pip_words(words), *in_pipenv_words(words)} if depth else ()
    for name in {one.value for one in given if one.kind == FILES and one.value}:
        path = os.path.join(folder, name)
        try:
            lines = list(logical_lines(decode(read_bytes(path))))
        except (OSError, ValueError, LookupError):
            continue
        for line in lines:
            requirement, options = line.requirement_and_words(os.environ)
            for wanted in packages_in_words([requirement]):
                yield wanted._replace(place=name)
            yield from packages_in_files(options, os.path.dirname(path), depth - 1)


def _applies(entry: Mapping[str, Any]) -> bool:
    markers = [str(entry["markers"])] if entry.get("markers") else []
    markers += [f"{key} {entry[key]}" for key in MARKERS if key in entry]
    try:
        return all(Marker(text).evaluate() for text in markers)
    except (InvalidMarker, ValueError):
        return True


def files_by_version(files: Iterable[File]) -> dict[Version, list[File]]:
    """Group the wheels and source distributions of a page by version."""
    found: dict[Version, list[File]] = {}
    for file in files:
        version = _version_of(file.name)
        if version is not None:
            found.setdefault(version, []).append(file)
    return found


def _version_of(filename: str) -> Version | None:
    try:
        if filename.endswith(".whl"):
            return utils.parse_wheel_filename(filename)[1]
        return utils.parse_sdist_filename(filename)[1]
    except (utils.InvalidWheelFilename, utils.InvalidSdistFilename, InvalidVersion):
        return None


def newest(versions: Collection[Version]) -> Version | None:
    """Return the newest final release, or else the newest pre-release, if any."""
    releases = [version for version in versions if not version.is_prerelease]
    return max(releases or versions, default=None)


def allowed_versions(wanted: WantedPackage, files: Sequence[File]) -> list[Version]:
    """Return the versions of a page that the specifier allows."""
    try:
        specifier = SpecifierSet(wanted.specifier)
    except InvalidSpecifier:
        return list(files_by_version(files))
    # A yanked version counts only if it is pinned exactly (PEP 592).
    is_pinned = any(
        part.operator == "===" or (part.operator == "==" and not part.version.endswith(".*"))
        for part in specifier
    )
    versions = files_by_version(file for file in files if is_pinned or not file.yanked)
    found = list(specifier.filter(versions, prereleases=wanted.prereleases or None))
    if found or wanted.prereleases:
        return found
    # packaging before 26 leaves out pre-releases even without other versions.
    return list(specifier.filter(versions, prereleases=True))


def check_installable(
    wanted: WantedPackage, files: Sequence[File], python: str | None
) -> Finding | None:
    """Explain why no file of a page can be installed, if none can."""
    versions = files_by_version(files)
    allowed = allowed_versions(wanted, files)
    if files and not versions:
        return None  # the version is unknown for files in old formats
    if not allowed:
        return _no_version(wanted, files)
    if python is None:
        return None
    fitting = [file for v in allowed for file in versions[v] if _runs_on(file, python)]
    last = newest(allowed) or max(allowed)
    if not fitting:
        needs = next(file.requires_python for file in versions[last])
        return wanted.finding(
            "python-excluded",
            f"{wanted.name} {last} needs Python {needs}, but this project uses {python}.",
            f"Use another Python (`pipenv-ca --python VERSION install`) or version of {wanted.name}.",
        )
    if any(_can_be_installed(file.name, python) for file in fitting):
        return None
    return wanted.finding(
        "platform-excluded",
        f"{wanted.name}{wanted.specifier} has no wheel for Python {python} on this platform and "
        "no source distribution.",
    )


def _no_version(wanted: WantedPackage, files: Sequence[File]) -> Finding:
    versions = files_by_version(files)
    withdrawn = allowed_versions(wanted, [file._replace(yanked=False) for file in files])
    if withdrawn:
        last = newest(withdrawn) or max(withdrawn)
        reasons = {str(f.yanked) for f in versions[last] if isinstance(f.yanked, str) and f.yanked}
        why = f" ({'; '.join(sorted(reasons))})" if reasons else ""
        return wanted.finding(
            "version-yanked",
            f"All versions of {wanted.name} that match {wanted.specifier or 'the Pipfile'} have "
            f"been yanked; the newest is {last}{why}.",
            f"Allow another version, or pin this one: =={last}.",
        )
    known = newest(versions)
    has = f"its newest is {known}" if known else "it has no version"
    return wanted.finding(
        "version-missing",
        f"The index does not have {wanted.name}{wanted.specifier}: {has}.",
        f"{wanted.correction}, or publish this version.",
    )


def _can_be_installed(filename: str, python: str) -> bool:
    """Whether a file's tags allow it on this machine."""
    if not filename.endswith(".whl"):
        return True
    version = [int(part) for part in python.split(".")[:2] if part.isdecimal()]
    if len(version) < len(("major", "minor")) or platform.python_implementation() != "CPython":
        return True
    tags = utils.parse_wheel_filename(filename)[3]
    return not tags.isdisjoint(_supported_tags(tuple(version)))


@functools.cache
def _supported_tags(version: tuple[int, ...]) -> frozenset[Tag]:
    interpreter = f"cp{version[0]}{version[1]}"
    return frozenset((*cpython_tags(version), *compatible_tags(version, interpreter)))


def check_cool_down(
    wanted: WantedPackage, files: Sequence[File], before: datetime
) -> Finding | None:
    """Return the finding for a cool-down that excludes all allowed files, if it does.

    A file without an upload time passes.
    """
    versions = files_by_version(files)
    allowed = allowed_versions(wanted, files)
    uploads = [
        parse_timestamp(file.upload_time) for version in allowed for file in versions[version]
    ]
    known = [upload for upload in uploads if upload is not None]
    if not known or len(known) < len(uploads) or min(known) < before:
        return None
    return wanted.finding(
        "cool-down",
        f"The cool-down excludes {wanted.name}{wanted.specifier}: its first matching file was "
        f"uploaded on {min(known):%Y-%m-%d}, not before {before:%Y-%m-%d}.",
    )


def _runs_on(file: File, python: str) -> bool:
    """Whether a file can run on a Python version, which can be partial, such as 3.11."""
    try:
        needs, version = SpecifierSet(file.requires_python), Version(python)
    except (InvalidSpecifier, InvalidVersion):
        return True
    if len(version.release) > len(("major", "minor")):
        return needs.contains(version, prereleases=True)
    # Try the lowest and highest patch version of each possible minor version.
    minors = [python] if len(version.release) > 1 else [f"{python}.{n}" for n in range(30)]
    some = [python, *(f"{minor}.{patch}" for minor in minors for patch in (0, _LAST_PATCH))]
    return any(needs.contains(one, prereleases=True) for one in some)


def closest_name(name: str, known: Iterable[str]) -> str | None:
    """Return the known name closest to a misspelt one, if any is similar."""
    others = {normalise(other) for other in known} - {name}
    found = difflib.get_close_matches(name, sorted(others), n=1, cutoff=0.8)
    return found[0] if found else None
