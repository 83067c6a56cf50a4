"""What is wrong with the entries of a lock, each by itself and beside its Pipfile's."""

from __future__ import annotations

import re

from codeartifact_pipenv.checks.files.entry_values import pinned_version
from codeartifact_pipenv.checks.files.pep508 import MARKERS, is_marker, is_version
from codeartifact_pipenv.checks.files.project_file import strings_of
from codeartifact_pipenv.checks.files.secrets import secret_in
from codeartifact_pipenv.project.entries import PLACES, entries_of
from codeartifact_pipenv.project.names import normalise
from codeartifact_pipenv.project.sources import is_loopback

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from codeartifact_pipenv.checks.files.locks import Locked
    from codeartifact_pipenv.checks.files.project_file import File
    from codeartifact_pipenv.findings import Finding
    from codeartifact_pipenv.project.entries import Entry

AGAIN = "Run `pipenv-ca lock` and commit both."
# pip takes these alone for --hash.
_HASH = re.compile(r"sha(?:256:[0-9a-fA-F]{64}|384:[0-9a-fA-F]{96}|512:[0-9a-fA-F]{128})")
_STRONG = frozenset({"sha256", "sha384", "sha512"})
_SECTIONS = {"packages": "default", "dev-packages": "develop"}


def review_entry(
    lock: File, name: str, value: dict[str, Any], place: tuple[Any, ...]
) -> Iterator[Finding]:
    """Yield what pipenv cannot read of one entry of a Pipfile.lock, or should not."""
    version, markers = value.get("version"), value.get("markers")
    if version == "*":
        yield lock.finding("hashes-missing", *_about_unresolved(name, markers), *place)
        return
    if not PLACES & value.keys():
        if not isinstance(version, str) or not re.match(r"===?\s*[^\s=]", version):
            shown = "no version" if version is None else f"the version {version!r}"
            said = f'{name} has {shown} in {lock.name}, where pipenv writes one such as "==1.0".'
            yield lock.finding("lock-invalid", said, AGAIN, *place)
        elif not is_version(version) or version.endswith(".*"):
            said = f"The version of {name} is {version!r}, which pipenv cannot read."
            yield lock.finding("lock-invalid", said, AGAIN, *place, "version")
    yield from _markers(lock, name, markers, (*place, "markers"))
    hashes = value.get("hashes")
    if "version" in value and not hashes:
        said = f"{name} is locked without hashes: whatever has its version is installed."
        yield lock.finding("hashes-missing", said, AGAIN, *place)
    elif hashes and not _are_hashes(hashes):
        said = f"A hash of {name} is not one that pip takes, which is sha256: and 64 digits."
        yield lock.finding("hashes-invalid", said, AGAIN, *place, "hashes")


def _about_unresolved(name: str, markers: object) -> tuple[str, str]:
    """Return sentence and hint on a package that the machine that locked passed over."""
    wanted = markers if isinstance(markers, str) and markers else "sys_platform == 'win32'"
    return (
        f"{name} is locked without version and hashes: its markers exclude the machine that locked.",
        f'Pin it in the Pipfile, as {{version = "==1.0", markers = "{wanted}"}}, or lock on a '
        "machine that it is for. Then run `pipenv-ca lock` and commit both.",
    )


def _markers(lock: File, name: str, markers: object, place: tuple[Any, ...]) -> Iterator[Finding]:
    if markers and not (isinstance(markers, str) and is_marker(markers)):
        said = f"The markers of {name} are {markers!r}, which pip cannot read."
        yield lock.finding("lock-invalid", said, AGAIN, *place)


def _are_hashes(hashes: object) -> bool:
    return isinstance(hashes, list) and all(
        isinstance(found, str) and _HASH.fullmatch(found) for found in hashes
    )


def review_texts(
    lock: File, name: str, value: object, place: tuple[Any, ...], known: str
) -> Iterator[Finding]:
    """Yield secrets in an entry's texts, and URLs of this machine.

    Args:
        lock: the lock.
        name: the package.
        value: its entry.
        place: the keys that lead there.
        known: the Pipfile's text, whose own URLs are meant.
    """
    for keys, text in strings_of(value, place):
        # (Hashes, which are most of a lock, begin otherwise.)
        if text.startswith("sha256:"):
            continue
        if secret_in(text):
            yield lock.finding(
                "url-secret",
                f"The entry of {name} holds {secret_in(text)} in clear, in everybody's checkout.",
                f"Have it replaced where it was made. {AGAIN}",
                *keys,
            )
        elif is_loopback(text) and text not in known:
            yield lock.finding("lock-loopback", *about_loopback(f"The entry of {name}"), *keys)


def about_loopback(what: str) -> tuple[str, str]:
    """Return sentence and hint on what leads to an index that was there for one command."""
    return f"{what} leads to an index on this machine, which the Pipfile does not name.", AGAIN


def review_beside(lock: File, locked: Locked, pipfile: File) -> Iterator[Finding]:
    """Yield where entries of a lock are not those of its Pipfile, although its hash says so."""
    by_name = {
        (category, normalise(name)): (name, value) for category, name, value in locked.entries
    }
    # (A category is locked where somebody has asked for it.)
    sections = {category for category, _ in by_name} | {"default", "develop"}
    for entry in entries_of(pipfile.document):
        section = _SECTIONS.get(entry.category, entry.category)
        name = normalise(entry.written.partition("[")[0].strip())
        value = entry.value if isinstance(entry.value, dict) else {}
        has_markers = any(value.get(key) for key in (*MARKERS, "markers"))
        if not entry.is_indexed or section not in sections:
            continue
        if (section, name) not in by_name:
            if not has_markers:  # (a pipenv may leave out what is not for its machine)
                said = f"{lock.name} lacks {entry.written}, which [{entry.category}] of the Pipfile lists."
                yield lock.finding("lock-incomplete", said, AGAIN, section)
            continue
        written, found = by_name[section, name]
        yield from _against(lock, entry, found, (section, written), has_markers=has_markers)


def _against(
    lock: File, entry: Entry, found: dict[str, Any], place: tuple[str, str], *, has_markers: bool
) -> Iterator[Finding]:
    wanted, has = pinned_version(entry.value), pinned_version(found.get("version"))
    if wanted is not None and has is not None and _numbers(wanted) != _numbers(has):
        said = f"{entry.written} is locked at {has}, and the Pipfile asks for {wanted}."
        yield lock.finding("lock-incomplete", said, AGAIN, *place)
    if has_markers and found.get("version", "*") != "*" and not found.get("markers"):
        yield lock.finding(
            "lock-markers",
            f"{entry.written} has a marker in the Pipfile and none in {lock.name}: it is installed "
            "everywhere.",
            "Write the marker as `markers` in the Pipfile, which every pipenv locks, such as "
            f"""markers = "sys_platform == 'win32'". {AGAIN}""",
            *place,
        )


def _numbers(version: str) -> object:
    """Return what tells a plain version from another one: 1.0 is 1.0.0."""
    if not re.fullmatch(r"[0-9]{1,9}(?:\.[0-9]{1,9})*", version):
        return normalise(version)
    numbers = [int(number) for number in version.split(".")]
    while numbers and not numbers[-1]:
        del numbers[-1]
    return numbers


def review_pylock(pylock: File) -> Iterator[Finding]:
    """Yield what is wrong with a pylock.toml."""
    document = pylock.document
    if document is None:
        return
    version = document.get("lock-version")
    if not isinstance(version, str) or not version.startswith("1."):
        said = f"{pylock.name} has no lock-version that tools know, which is 1.0."
        yield pylock.finding("lock-invalid", said, AGAIN, "lock-version")
    packages = document.get("packages")
    for number, package in enumerate(packages if isinstance(packages, list) else []):
        if not isinstance(package, dict):
            continue
        name = str(package.get("name", number + 1))
        place = ("packages", number)
        yield from _markers(pylock, name, package.get("marker"), (*place, "marker"))
        wheels = package.get("wheels")
        files = [*(wheels if isinstance(wheels, list) else []), package.get("sdist")]
        hashes = [found.get("hashes") for found in files if isinstance(found, dict)]
        if not all(hashes):
            said = f"{name} is locked without hashes: whatever has its version is installed."
            yield pylock.finding("hashes-missing", said, AGAIN, *place)
        elif not all(isinstance(some, dict) and _STRONG & some.keys() for some in hashes):
            said = f"{name} is locked by hashes that pip does not take alone; it takes sha256."
            yield pylock.finding("hashes-invalid", said, AGAIN, *place)
        yield from review_texts(pylock, name, package, place, "")
