"""Which packages a project asks for, and whether what an index has satisfies that. Pure."""

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
from codeartifact_pipenv.files.pip_settings import FILES, in_pip_words, in_pipenv_words
from codeartifact_pipenv.files.reading import read_bytes
from codeartifact_pipenv.project.cool_down import parse_timestamp
from codeartifact_pipenv.project.entries import DIRECT_KEYS, entries_of, locked_entries
from codeartifact_pipenv.project.names import normalise
from codeartifact_pipenv.project.requirements_files import decode, logical_lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from codeartifact_pipenv.findings import Finding
    from codeartifact_pipenv.lookups.simple_page import File
    from codeartifact_pipenv.project.entries import Entry

# What makes an entry come from elsewhere than an index.
_ELSEWHERE = DIRECT_KEYS | {"editable"}
# Higher than any patch version of a Python.
_LAST_PATCH = 99


class WantedPackage(NamedTuple):
    """A package that a project asks for.

    Attributes:
        name: the normalised name.
        specifier: which versions (PEP 440); '' for any.
        source: the name of the source that is to serve it; None where none is named.
        place: where it is asked for, such as ``Pipfile``.
        prereleases: whether the project takes pre-releases.
    """

    name: str
    specifier: str
    source: str | None
    place: str
    prereleases: bool = False

    @property
    def correction(self) -> str:
        """What to do about a name or a version that is wrong, as the beginning of a hint."""
        if self.place == "Pipfile.lock":  # a lock is not edited by hand
            return "Correct it in the Pipfile and run `pipenv-ca lock`"
        return f"Correct it in {'the Pipfile' if self.place == 'Pipfile' else self.place}"

    def finding(self, code: str, sentence: str, hint: str | None = None) -> Finding:
        """Return a finding on it."""
        return finding_for(code, f"package {self.name}", sentence, hint)


def packages_in_pipfile(document: Mapping[str, Any]) -> Iterator[WantedPackage]:
    """Yield the packages of a Pipfile that come from an index, and are for this machine."""
    for entry in entries_of(document):
        if isinstance(entry.value, (str, dict)):
            yield from _wanted(entry, "Pipfile")


def packages_in_lock(document: Mapping[str, Any] | None) -> Iterator[WantedPackage]:
    """Yield the packages of a lock that come from an index, and are for this machine."""
    for entry in locked_entries(document):
        if "version" in entry.value:
            yield from _wanted(entry, "Pipfile.lock")


def _wanted(entry: Entry, place: str) -> Iterator[WantedPackage]:
    if not _ELSEWHERE & entry.fields.keys() and _applies(entry.fields):
        version = str(entry.fields.get("version", "")).strip()
        yield WantedPackage(entry.name, "" if version == "*" else version, entry.source, place)


def packages_in_words(words: Iterable[str]) -> Iterator[WantedPackage]:
    """Yield the packages of requirements as they are typed."""
    for word in words:
        try:
            requirement = Requirement(word)
        except InvalidRequirement:
            continue
        if requirement.url is None:
            name = normalise(requirement.name)
            yield WantedPackage(name, str(requirement.specifier), None, "the command")


def packages_in_files(words: Sequence[str], folder: str, depth: int = 5) -> Iterator[WantedPackage]:
    """Yield the packages of the requirements files that words of pip or pipenv name, and of theirs."""
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


def versions_of(files: Iterable[File]) -> dict[Version, list[File]]:
    """Return the files of a page by version; what is no distribution is left out."""
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
    """Return the newest version, a release where there is one; None where there is none."""
    releases = [version for version in versions if not version.is_prerelease]
    return max(releases or versions, default=None)


def satisfies(wanted: WantedPackage, files: Sequence[File]) -> list[Version]:
    """Return the versions of a page that a project's specifier allows."""
    try:
        specifier = SpecifierSet(wanted.specifier)
    except InvalidSpecifier:
        return list(versions_of(files))
    # A version that was withdrawn is taken only where it is named in full (PEP 592).
    is_named = any(
        part.operator == "===" or (part.operator == "==" and not part.version.endswith(".*"))
        for part in specifier
    )
    versions = versions_of(file for file in files if is_named or not file.yanked)
    found = list(specifier.filter(versions, prereleases=wanted.prereleases or None))
    if found or wanted.prereleases:
        return found
    # (packaging before 26 leaves out a prerelease even where there is nothing else.)
    return list(specifier.filter(versions, prereleases=True))


def judge(wanted: WantedPackage, files: Sequence[File], python: str | None) -> Finding | None:
    """Say why no file of a page can be installed; None if one can."""
    versions = versions_of(files)
    allowed = satisfies(wanted, files)
    if files and not versions:
        return None  # of files in old formats the version is not known
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
            f"{wanted.name} {last} needs Python {needs}, and this project's is {python}.",
            f"Use another Python (`pipenv-ca --python VERSION install`), or a {wanted.name} for it.",
        )
    if any(_can_be_installed(file.name, python) for file in fitting):
        return None
    return wanted.finding(
        "platform-excluded",
        f"{wanted.name}{wanted.specifier} has no wheel for Python {python} on this platform, and "
        "no source distribution.",
    )


def _no_version(wanted: WantedPackage, files: Sequence[File]) -> Finding:
    versions = versions_of(files)
    withdrawn = satisfies(wanted, [file._replace(yanked=False) for file in files])
    if withdrawn:
        last = newest(withdrawn) or max(withdrawn)
        reasons = {str(f.yanked) for f in versions[last] if isinstance(f.yanked, str) and f.yanked}
        why = f" ({'; '.join(sorted(reasons))})" if reasons else ""
        return wanted.finding(
            "version-yanked",
            f"Every version of {wanted.name} that fits {wanted.specifier or 'the Pipfile'} has "
            f"been yanked; the newest of them is {last}{why}.",
            f"Allow another version, or require exactly this one: =={last}.",
        )
    known = newest(versions)
    has = f"the newest there is {known}" if known else "no version is there"
    return wanted.finding(
        "version-missing",
        f"There is no {wanted.name}{wanted.specifier} in the index: {has}.",
        f"{wanted.correction}, or publish this version.",
    )


def _can_be_installed(filename: str, python: str) -> bool:
    """Whether a file can be installed on this machine, or may be: its tags are all that is known."""
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


def held_back(wanted: WantedPackage, files: Sequence[File], before: datetime) -> Finding | None:
    """Say that a cool-down holds back every file that would do; None where one passes it.

    A file that does not say when it was uploaded passes.
    """
    versions = versions_of(files)
    allowed = satisfies(wanted, files)
    uploads = [
        parse_timestamp(file.upload_time) for version in allowed for file in versions[version]
    ]
    known = [upload for upload in uploads if upload is not None]
    if not known or len(known) < len(uploads) or min(known) < before:
        return None
    return wanted.finding(
        "cool-down",
        f"The cool-down holds {wanted.name}{wanted.specifier} back: what fits was uploaded on "
        f"{min(known):%Y-%m-%d} or later, and only what was there before {before:%Y-%m-%d} counts.",
    )


def _runs_on(file: File, python: str) -> bool:
    """Whether a file is for a Python, or may be: a Pipfile may say 3.11 alone."""
    try:
        needs, version = SpecifierSet(file.requires_python), Version(python)
    except (InvalidSpecifier, InvalidVersion):
        return True
    if len(version.release) > len(("major", "minor")):
        return needs.contains(version, prereleases=True)
    # Whichever of the minor version (of 3: whichever there is) the project has in the end.
    minors = [python] if len(version.release) > 1 else [f"{python}.{n}" for n in range(30)]
    some = [python, *(f"{minor}.{patch}" for minor in minors for patch in (0, _LAST_PATCH))]
    return any(needs.contains(one, prereleases=True) for one in some)


def near_name(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that a misspelt one most resembles; None where none does."""
    others = {normalise(other) for other in known} - {name}
    found = difflib.get_close_matches(name, sorted(others), n=1, cutoff=0.8)
    return found[0] if found else None
