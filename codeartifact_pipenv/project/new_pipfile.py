"""The Pipfile of a new project: pipenv's sources without their logins.

pipenv copies the indexes of its arguments, requirements files and pip settings into a new
Pipfile, including logins (pipenv issues 2324 and 3751). If one is CodeArtifact's, the Pipfile is
written here instead, with a variable for the token and an index for each package.
"""

from __future__ import annotations

import os
import shlex
from typing import NamedTuple

from codeartifact_pipenv.endpoint import parse_url
from codeartifact_pipenv.errors import ConfigurationError
from codeartifact_pipenv.files import pip_config
from codeartifact_pipenv.files.pip_config import Given, in_pip_words
from codeartifact_pipenv.project.pipfile import normalise
from codeartifact_pipenv.project.requirements_files import (
    Line,
    is_url,
    logical_lines,
    read_requirements_text,
)
from codeartifact_pipenv.project.sources import (
    default_source,
    expand,
    is_default_source,
    login_of,
    source_url,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from codeartifact_pipenv.endpoint import RepositoryEndpoint

    Tables = list[dict[str, str | bool]]

_MOST_FILES = 100


class Indexes(NamedTuple):
    """The indexes of pip's settings.

    Attributes:
        first: the index URL, or None for the public index.
        others: the extra index URLs.
    """

    first: str | None
    others: Sequence[str] = ()

    def over(self, other: Indexes) -> Indexes:
        """Return these indexes, completed by others with less precedence."""
        return Indexes(self.first or other.first, [*self.others, *other.others])

    @property
    def has_repository(self) -> bool:
        """Whether one is a CodeArtifact repository."""
        return any(parse_url(url or "") for url in (self.first, *self.others))


class Requirements(NamedTuple):
    """A requirements file with its included files.

    Attributes:
        indexes: the indexes in these files.
        text: their other lines.
    """

    indexes: Indexes
    text: str


def source_tables(indexes: Indexes, environ: Mapping[str, str]) -> Tables:
    """Return ``[[source]]`` tables for indexes, without tokens.

    Raises:
        ConfigurationError: an index other than CodeArtifact's has a login.
    """
    tables: Tables = []
    assigned: dict[str, RepositoryEndpoint] = {}
    for url in dict.fromkeys([indexes.first or str(default_source()["url"]), *indexes.others]):
        endpoint = parse_url(expand(url, environ))
        if endpoint is None:
            table = _other_source(url, tables, environ)
        else:
            name = "codeartifact" if not assigned else f"codeartifact-{endpoint.repository}"
            written = source_url(endpoint, assigned)
            assigned.setdefault(written.partition("${")[2].partition("}")[0], endpoint)
            table = {"name": name, "url": written, "verify_ssl": True}
        if table["url"] not in [known["url"] for known in tables]:
            tables.append(table)
    return tables


def pipfile_document(
    sources: Tables, named: Collection[str], index: str | None
) -> dict[str, object]:
    """Return a parsed Pipfile with these sources and packages from one of them."""
    packages = {normalise(name): {"index": index} for name in named} if index else {}
    return {"source": [dict(source) for source in sources], "packages": packages}


def read_requirements(path: str) -> Requirements:
    """Read a requirements file and the files that it includes.

    Raises:
        ConfigurationError: a file cannot be read.
    """
    first: list[str] = []
    others: list[str] = []
    kept: list[str] = []
    for line, given, folder in _lines(path, set()):
        for one in given:
            if one.kind == pip_config.INDEX:
                first.append(one.value)
            elif one.kind == pip_config.EXTRA_INDEX:
                others.append(one.value)
            elif one.kind == pip_config.FILES and not is_url(one.value):
                kept.append(f"{one.name} {shlex.quote(os.path.join(folder, one.value))}")
            else:
                kept.append(line.text)
        if not given:
            kept.append(line.text)
    return Requirements(
        Indexes(first[-1] if first else None, others), "".join(f"{line}\n" for line in kept)
    )


def _lines(path: str, seen: set[str]) -> Iterator[tuple[Line, list[Given], str]]:
    """Yield the lines of a file and its included files, with their settings and folder."""
    path = os.path.abspath(path)
    if path in seen or len(seen) >= _MOST_FILES:
        return
    seen.add(path)
    folder = os.path.dirname(path)
    for line in logical_lines(read_requirements_text(path)):
        given = in_pip_words(line.requirement_and_words({})[1])
        included = [g for g in given if g.name == "--requirement" and not is_url(g.value)]
        for one in included:
            yield from _lines(os.path.join(folder, one.value), seen)
        if not included:
            yield line, given, folder


def _other_source(url: str, tables: Tables, environ: Mapping[str, str]) -> dict[str, str | bool]:
    if is_default_source(url):
        return default_source()
    found = login_of(expand(url, environ))
    if found is not None and "$" not in url:
        raise ConfigurationError(
            f"pipenv would write the login for {found[0]} into the Pipfile.",
            "Write a Pipfile whose URL has a variable as the password.",
        )
    taken = {str(table["name"]) for table in tables}
    name = next(n for n in ("index", *(f"index-{i}" for i in range(2, 99))) if n not in taken)
    return {"name": name, "url": url, "verify_ssl": url.startswith("https:")}
