"""What private packages need in turn, read from the packages themselves."""

from __future__ import annotations

import io
import re
import time
import zipfile
from email.parser import HeaderParser
from typing import NamedTuple

from packaging.requirements import Requirement

from codeartifact_pipenv.checks.network.wanted import WantedPackage, newest, satisfies, versions_of
from codeartifact_pipenv.project.names import normalise

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from codeartifact_pipenv.checks.network.repository import Login
    from codeartifact_pipenv.lookups.index_client import IndexClient
    from codeartifact_pipenv.lookups.simple_page import File

_MOST_BYTES = 20_000_000
_MOST_METADATA = 1_000_000
_MOST_PACKAGES = 20
# (A wheel may carry others, with theirs.)
_METADATA = r"[^/]+\.dist-info/METADATA"


class NeededPackage(NamedTuple):
    """A private package that another one needs.

    Attributes:
        wanted: what is needed.
        by: the name of the package that needs it.
        login: the repository that has it.
    """

    wanted: WantedPackage
    by: str
    login: Login


def private_needs(
    packages: Iterable[WantedPackage], login: Login, asker: IndexClient, elsewhere: str, end: float
) -> Iterator[NeededPackage]:
    """Yield what packages of a repository need, one after the other, that another index lacks."""
    waiting = list(packages)
    seen = {package.name for package in waiting}
    for _ in range(_MOST_PACKAGES):
        if not waiting or time.monotonic() > end:
            return
        package = waiting.pop(0)
        page = asker.ask_repository(login.endpoint, login.token.value, package.name)
        for need in _needs(package, page.files, login, asker):
            if time.monotonic() > end:
                return
            if need.name in seen:
                continue
            seen.add(need.name)
            if asker.ask_index(elsewhere, need.name, head=True).has_page:
                continue
            if asker.ask_repository(login.endpoint, login.token.value, need.name).has_page:
                waiting.append(need)
                yield NeededPackage(need, package.name, login)


def _needs(
    package: WantedPackage, files: tuple[File, ...], login: Login, asker: IndexClient
) -> Iterator[WantedPackage]:
    version = newest(satisfies(package, files))
    if version is None:
        return
    wheels = [file for file in versions_of(files)[version] if file.name.endswith(".whl")]
    for wheel in wheels[:1]:
        data = asker.fetch(wheel.url, login.endpoint, login.token.value, _MOST_BYTES)
        yield from needs_of_wheel(data or b"")


def needs_of_wheel(data: bytes) -> Iterator[WantedPackage]:
    """Yield what a wheel says that it needs on this machine; nothing where it cannot be read."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            name = next(n for n in archive.namelist() if re.fullmatch(_METADATA, n))
            with archive.open(name) as file:  # what it says of its size need not be so
                text = file.read(_MOST_METADATA).decode("utf-8", "replace")
    except Exception:  # noqa: BLE001 - zipfile and what unpacks for it raise what they like
        return
    metadata = HeaderParser().parsestr(text)
    for text in metadata.get_all("Requires-Dist") or []:
        try:
            requirement = Requirement(text)
            applies = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        except ValueError:  # (so are all of packaging's errors)
            continue
        if applies and requirement.url is None:
            name = normalise(requirement.name)
            yield WantedPackage(name, str(requirement.specifier), None, "a private package")
