"""Dependencies of private packages, read from their wheels."""

from __future__ import annotations

import io
import time
from typing import NamedTuple

from codeartifact_pipenv.checks.network.wanted import (
    WantedPackage,
    allowed_versions,
    files_by_version,
    newest,
)
from codeartifact_pipenv.project.pipfile import normalise
from codeartifact_pipenv.proxy_index.metadata import metadata_of, requirements_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from codeartifact_pipenv.checks.network.repository import Login
    from codeartifact_pipenv.lookups.index_client import IndexClient
    from codeartifact_pipenv.lookups.simple_page import File

_MOST_BYTES = 20_000_000
_MOST_PACKAGES = 20


class PrivateDependency(NamedTuple):
    """A private package that another one depends on.

    Attributes:
        wanted: the dependency.
        parent: the name of the package that depends on it.
        login: the repository that has it.
    """

    wanted: WantedPackage
    parent: str
    login: Login


def private_dependencies(
    packages: Iterable[WantedPackage], login: Login, client: IndexClient, other: str, end: float
) -> Iterator[PrivateDependency]:
    """Yield dependencies of packages, nested too, that a repository has and another index lacks.

    Args:
        packages: packages of the repository.
        login: the repository.
        client: the client for both indexes.
        other: the URL of the other index.
        end: when to stop, by time.monotonic().
    """
    waiting = list(packages)
    seen = {package.name for package in waiting}
    for _ in range(_MOST_PACKAGES):
        if not waiting or time.monotonic() > end:
            return
        package = waiting.pop(0)
        page = client.ask_repository(login.endpoint, login.token.value, package.name)
        for needed in _dependencies(package, page.files, login, client):
            if time.monotonic() > end:
                return
            if needed.name in seen:
                continue
            seen.add(needed.name)
            if client.ask_index(other, needed.name, head=True).has_page:
                continue
            if client.ask_repository(login.endpoint, login.token.value, needed.name).has_page:
                waiting.append(needed)
                yield PrivateDependency(needed, package.name, login)


def _dependencies(
    package: WantedPackage, files: tuple[File, ...], login: Login, client: IndexClient
) -> Iterator[WantedPackage]:
    version = newest(allowed_versions(package, files))
    if version is None:
        return
    wheels = [file for file in files_by_version(files)[version] if file.name.endswith(".whl")]
    for wheel in wheels[:1]:
        data = client.fetch(wheel.url, login.endpoint, login.token.value, _MOST_BYTES)
        metadata = metadata_of(io.BytesIO(data or b""), wheel.name) or b""
        for needed in requirements_of(metadata):
            name, specifier = normalise(needed.name), str(needed.specifier)
            yield WantedPackage(name, specifier, None, "a private package")
