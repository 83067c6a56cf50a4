"""Commands in a folder without a Pipfile: create a correct project, or leave the folder unchanged."""

from __future__ import annotations

import contextlib
import os
from typing import NamedTuple

from codeartifact_pipenv.endpoint import parse_url
from codeartifact_pipenv.errors import ConfigurationError
from codeartifact_pipenv.files import pip_config
from codeartifact_pipenv.files.io import read_text
from codeartifact_pipenv.files.pip_config import FILES, INDEX, in_pipenv_words
from codeartifact_pipenv.project.new_pipfile import (
    Indexes,
    Requirements,
    pipfile_document,
    read_requirements,
    source_tables,
)
from codeartifact_pipenv.project.pipfile import Project, upwards
from codeartifact_pipenv.project.sources import expand, login_of, read_source
from codeartifact_pipenv.project.toml_text import pipfile_text
from codeartifact_pipenv.settings import CommandLine
from codeartifact_pipenv.wrapper import pipenv_cli

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from codeartifact_pipenv.project.new_pipfile import Tables

# Files that a first command creates in a folder.
_CREATED_FILES = ("Pipfile", "Pipfile.lock", ".venv")
_ADD_SOURCE = "`pipenv-ca fix --add-source URL` writes a source whose token is a variable."


class NewProject(NamedTuple):
    """A project that a command creates.

    Attributes:
        project: the project, with sources and without packages.
        line: the command line without the indexes that the Pipfile already names.
        requirements: the text of a requirements file to import, if any.
    """

    project: Project
    line: CommandLine
    requirements: str | None


class Options(NamedTuple):
    """The words of a command, split into indexes, requirements files and others.

    Attributes:
        indexes: the URLs of indexes.
        requirements: the requirements files.
        rest: all other words.
    """

    indexes: list[str]
    requirements: list[str]
    rest: list[str]


def split_options(arguments: Sequence[str]) -> Options:
    """Split off options that name an index by its URL or a requirements file."""
    found = Options([], [], list(arguments))
    for given in reversed(in_pipenv_words(arguments)):
        if given.kind == INDEX and "://" in given.value:
            found.indexes.insert(0, given.value)
        elif given.kind == FILES and given.value:
            found.requirements.insert(0, given.value)
        else:
            continue
        flags = [given.flags] if given.flags else []
        found.rest[given.at : given.at + given.taken] = flags
    return found


def new_project(line: CommandLine, empty: Project) -> NewProject | None:
    """Return the project that a command creates, or None if CodeArtifact is not involved.

    Args:
        line: the command line of a command that installs or locks.
        empty: the folder, as a project without a Pipfile.

    Raises:
        ConfigurationError: a requirements file cannot be read, or a login would be written.
    """
    environ = empty.environ
    words = split_options(line.arguments)
    found = _requirements(line, words, empty)
    indexes = found.indexes.over(_pip_indexes(environ)) if found else _pip_indexes(environ)
    indexes = Indexes(indexes.first, [*indexes.others, *words.indexes])
    if not Indexes(None, [expand(url or "", environ) for url in _urls_of(indexes)]).has_repository:
        return None
    tables = source_tables(indexes, environ)
    index = _source_name(words.indexes[-1], tables, environ) if words.indexes else None
    named = pipenv_cli.named_packages(line.command, words.rest)
    project = Project(
        empty.home,
        empty.directory,
        pipfile_document(tables, named, index),
        empty.dotenv,
        environ,
        new_text=pipfile_text(tables),
    )
    at = line.command_at or 0
    rest = [*line.rest[: at + 1], *words.rest]
    return NewProject(project, CommandLine(line.options, rest, at), found.text if found else None)


def refuse_login(environ: Mapping[str, str], what: str) -> None:
    """Raise ConfigurationError if pipenv would copy a token from pip's settings.

    Args:
        environ: the environment.
        what: the beginning of the message, such as "No Pipfile was found".
    """
    for url in [*_urls_of(_pip_indexes(environ)), environ.get("PIPENV_PYPI_MIRROR", "")]:
        if Indexes(url).has_repository and login_of(url) is not None:
            raise ConfigurationError(
                f"{what}, and pipenv would copy the login from PIP_INDEX_URL, pip.conf or "
                "PIPENV_PYPI_MIRROR to Pipfile or lock.",
                _ADD_SOURCE,
            )


@contextlib.contextmanager
def removed_on_failure(directory: str) -> Iterator[list[int]]:
    """Remove the files that a first command created in a folder if it fails.

    The block appends its exit status; without one it has failed. A Pipfile that pipenv did not
    generate is kept, with its lock.
    """
    before = {name for name in _CREATED_FILES if os.path.lexists(os.path.join(directory, name))}
    status: list[int] = []
    try:
        yield status
    finally:
        if status != [0]:
            made = set(_CREATED_FILES) - before
            if not _is_as_generated(os.path.join(directory, "Pipfile")):
                made -= {"Pipfile", "Pipfile.lock"}
            _remove(directory, made)


def _is_as_generated(pipfile: str) -> bool:
    try:
        text = read_text(pipfile)
    except (OSError, ValueError):
        return False
    return not text.strip() or (text.startswith("[[source]]") and "#" not in text)


def _remove(directory: str, names: Collection[str]) -> None:
    import shutil

    for name in names:
        path = os.path.join(directory, name)
        shutil.rmtree(path, ignore_errors=True)
        with contextlib.suppress(OSError):
            os.unlink(path)


def _source_name(url: str, tables: Tables, environ: Mapping[str, str]) -> str | None:
    """Return the name of the source that has a URL."""
    endpoint = parse_url(expand(url, environ))
    for table in tables:
        found = read_source("", str(table["url"]), "", environ)
        if found.endpoint == endpoint and (endpoint is not None or found.url == url):
            return str(table["name"])
    return None


def _urls_of(indexes: Indexes) -> list[str]:
    return [*([indexes.first] if indexes.first else []), *indexes.others]


def _pip_indexes(environ: Mapping[str, str]) -> Indexes:
    # pipenv writes a mirror to a new Pipfile instead of the public index.
    first, others = pip_config.index_settings(environ)
    return Indexes(first or environ.get("PIPENV_PYPI_MIRROR"), others)


def _requirements(line: CommandLine, words: Options, empty: Project) -> Requirements | None:
    """Return the requirements to import, from the named files or the one that pipenv finds."""
    files = [os.path.join(os.getcwd(), name) for name in words.requirements]
    if not files and line.command == "install":
        places = [os.path.join(folder, "requirements.txt") for folder in upwards(empty.directory)]
        files = [path for path in places if os.path.isfile(path)][:1]
    if not files:
        return None
    read = [read_requirements(path) for path in files]
    indexes = read[0].indexes
    for other in read[1:]:
        indexes = indexes.over(other.indexes)
    return Requirements(indexes, "".join(found.text for found in read))
