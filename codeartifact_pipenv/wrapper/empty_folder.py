"""A command in a folder without a Pipfile: create a correct project, or leave the folder as it was."""

from __future__ import annotations

import contextlib
import os
from typing import NamedTuple

from codeartifact_pipenv.cli import CommandLine
from codeartifact_pipenv.endpoint import parse_url
from codeartifact_pipenv.errors import ConfigurationError
from codeartifact_pipenv.files import pip_config
from codeartifact_pipenv.files.pip_settings import FILES, INDEX, in_pipenv_words
from codeartifact_pipenv.files.reading import read_text
from codeartifact_pipenv.project.new_pipfile import (
    Indexes,
    Requirements,
    pipfile_document,
    pipfile_text,
    read_requirements,
    source_tables,
)
from codeartifact_pipenv.project.pipfile import Project, upwards
from codeartifact_pipenv.project.sources import expand, login_of, read_source
from codeartifact_pipenv.wrapper import commands

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from codeartifact_pipenv.project.new_pipfile import Tables

# Files that a first command creates in a folder.
_MADE = ("Pipfile", "Pipfile.lock", ".venv")
_ADD_SOURCE = "`pipenv-ca fix --add-source URL` writes a source whose token is a variable."


class NewProject(NamedTuple):
    """A project that a command is to make.

    Attributes:
        project: what its Pipfile says, before it has packages of its own.
        line: the command line without what the Pipfile says by now.
        requirements: the text of a requirements file to import; None for none.
    """

    project: Project
    line: CommandLine
    requirements: str | None


class Options(NamedTuple):
    """The words of a command, those that name indexes and requirements files set apart.

    Attributes:
        indexes: the URLs that are named as an index.
        requirements: the requirements files.
        rest: all other words.
    """

    indexes: list[str]
    requirements: list[str]
    rest: list[str]


def split_options(arguments: Sequence[str]) -> Options:
    """Set apart what of a command's words names an index by its URL, or a requirements file."""
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
        line: the command line; its command installs or locks.
        empty: the folder, as a project without a Pipfile.

    Raises:
        ConfigurationError: a requirements file cannot be read, or a login would be written.
    """
    environ = empty.environ
    words = split_options(line.arguments)
    found = _requirements(line, words, empty)
    indexes = found.indexes.over(_pips(environ)) if found else _pips(environ)
    indexes = Indexes(indexes.first, [*indexes.others, *words.indexes])
    if not Indexes(None, [expand(url or "", environ) for url in _all(indexes)]).has_repository:
        return None
    tables = source_tables(indexes, environ)
    index = _name_of(words.indexes[-1], tables, environ) if words.indexes else None
    named = commands.named_packages(line.command, words.rest)
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
    """Raise ConfigurationError where pipenv would copy a token out of pip's settings.

    Args:
        environ: the environment.
        what: the beginning of the sentence, such as "There is no Pipfile".
    """
    for url in [*_all(_pips(environ)), environ.get("PIPENV_PYPI_MIRROR", "")]:
        if Indexes(url).has_repository and login_of(url) is not None:
            raise ConfigurationError(
                f"{what}, and pipenv would copy the login from pip's settings (PIP_INDEX_URL, "
                "pip.conf) or PIPENV_PYPI_MIRROR into Pipfile or lock.",
                _ADD_SOURCE,
            )


@contextlib.contextmanager
def as_empty_as_before(directory: str) -> Iterator[list[int]]:
    """Remove what a first command has made in a folder if it fails.

    The block appends its exit status; without one it has failed. A Pipfile that is not as
    pipenv makes it was written by somebody else, and stays with its lock.
    """
    before = {name for name in _MADE if os.path.lexists(os.path.join(directory, name))}
    status: list[int] = []
    try:
        yield status
    finally:
        if status != [0]:
            made = set(_MADE) - before
            if not _is_pipenvs(os.path.join(directory, "Pipfile")):
                made -= {"Pipfile", "Pipfile.lock"}
            _remove(directory, made)


def _is_pipenvs(pipfile: str) -> bool:
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


def _name_of(url: str, tables: Tables, environ: Mapping[str, str]) -> str | None:
    """Return the name of the source that has a URL."""
    endpoint = parse_url(expand(url, environ))
    for table in tables:
        found = read_source("", str(table["url"]), "", environ)
        if found.endpoint == endpoint and (endpoint is not None or found.url == url):
            return str(table["name"])
    return None


def _all(indexes: Indexes) -> list[str]:
    return [*([indexes.first] if indexes.first else []), *indexes.others]


def _pips(environ: Mapping[str, str]) -> Indexes:
    # pipenv writes a mirror into a new Pipfile, too, in the place of the public index.
    first, others = pip_config.index_settings(environ)
    return Indexes(first or environ.get("PIPENV_PYPI_MIRROR"), others)


def _requirements(line: CommandLine, words: Options, empty: Project) -> Requirements | None:
    """Return what is to be imported: the files of the words, else the one that pipenv finds."""
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
