"""Refuses unsafe commands of projects without a CodeArtifact source; pipenv gets the others unchanged."""

from __future__ import annotations

import contextlib
import re

from codeartifact_pipenv.endpoint import parse_url
from codeartifact_pipenv.errors import ConfigurationError
from codeartifact_pipenv.files.io import read_bytes
from codeartifact_pipenv.files.pip_config import FILES, INDEX, in_pip_words, in_pipenv_words
from codeartifact_pipenv.project.pipfile import (
    entries_of,
    load_lock,
    locked_entries,
    matches,
    normalise,
)
from codeartifact_pipenv.project.requirements_files import decode, logical_lines
from codeartifact_pipenv.project.sources import repository_of_pip
from codeartifact_pipenv.wrapper import pipenv_cli

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from codeartifact_pipenv.project.pipfile import Project
    from codeartifact_pipenv.settings import CommandLine
    from codeartifact_pipenv.wrapper.plan import CommandContext

# The commands that get what the lock lists.
_FROM_LOCK = ("audit", "install", "pylock", "sync")
# How options begin that name what is installed: --editable, --requirement, also abbreviated.
_TO_ADD = ("-e", "-r", "--e", "--r")


def refuse_repository_as_index(line: CommandLine, project: Project) -> None:
    """Raise ConfigurationError if pipenv would write a repository's URL into the Pipfile.

    pipenv adds the URL of ``--index`` as it is, often with a token, if it is told to install a
    package. The option's default is PIP_INDEX_URL (pipenv/cli/options.py).
    """
    given = {one.option: one.value for one in in_pipenv_words(line.rest) if one.kind == INDEX}
    told = [w for w in line.arguments if not w.startswith("-") or w.startswith(_TO_ADD)]
    if line.command in pipenv_cli.ADDING_COMMANDS and told:
        given.setdefault("PIP_INDEX_URL", project.environ.get("PIP_INDEX_URL", ""))
    for name, url in given.items():
        endpoint = parse_url(url)
        if endpoint is not None:
            raise ConfigurationError(
                f"{name} names a repository, whose URL pipenv would write into the Pipfile with "
                "its login.",
                "Leave it out, and add the repository as a source: "
                f"`pipenv-ca fix --add-source {endpoint.simple_url}`.",
            )


def refuse_private_names(context: CommandContext, project: Project) -> None:
    """Raise ConfigurationError if another index would be asked for a private package.

    It is private if the settings say that only CodeArtifact may serve it, or if the lock has it
    from a repository that the Pipfile no longer names.
    """
    line, patterns = context.line, context.settings.words("private-packages")
    repositories = {s.name: s.endpoint for s in project.sources() if s.endpoint is not None}
    locked = {
        entry.name: repositories[entry.source]
        for entry in locked_entries(load_lock(project.lock or "") if repositories else None)
        if entry.source in repositories
    }
    for name in sorted(_names(line, project)) if patterns or locked else ():
        if name in locked:
            raise ConfigurationError(
                f"{name} is locked from a repository that {project.pipfile} does not name, so another "
                "index would be asked for it.",
                f"Run `pipenv-ca fix --add-source {locked[name].simple_url}`, or delete the lock if the "
                "package is public now.",
                "source-missing",
            )
        if matches(name, patterns):
            raise ConfigurationError(
                f"{name} is private, but {project.pipfile or 'the project'} has no CodeArtifact source, "
                "so another index would be asked for it.",
                "Run `pipenv-ca fix --add-source URL`.",
                "source-missing",
            )


def _names(line: CommandLine, project: Project) -> set[str]:
    """Return the packages that a command gets, as far as files and command line name them."""
    typed = {*map(normalise, _typed_names(line, project))}
    if line.command in pipenv_cli.RUN_COMMANDS:
        return typed
    entries = [entry for entry in entries_of(project.document) if entry.is_indexed]
    listed = {entry.name for entry in entries if entry.source is None}
    if line.command == "uninstall":
        return listed - typed
    if line.command in _FROM_LOCK:
        default = {None, *(source.name for source in project.sources()[:1])}
        locked = (e for e in locked_entries(load_lock(project.lock or "")) if "version" in e.value)
        listed |= {e.name for e in locked if e.source in default} - {e.name for e in entries}
    return listed | typed


def _typed_names(line: CommandLine, project: Project) -> Iterator[str]:
    """Yield the packages that a command names, also in scripts and requirements files."""
    if pipenv_cli.runs_program(line.command):
        calls = _pip_calls(line, project)
        words = [word for call in calls for word in pipenv_cli.pip_requirements(call)]
        given = [one for call in calls for one in in_pip_words(call)]
    else:
        words = pipenv_cli.requirements(line.command, line.arguments)
        given = [*in_pipenv_words(line.arguments)]
    for path in (one.value for one in given if one.kind == FILES):
        with contextlib.suppress(OSError, ValueError, LookupError):  # pip says so
            words += [each.text for each in logical_lines(decode(read_bytes(path)))]
    for word in words:
        yield re.split(r"[\[<>=!~;@\s]", word, maxsplit=1)[0]


def pip_asks_repository(line: CommandLine, project: Project) -> bool:
    """Whether pip's settings or words name a CodeArtifact repository."""
    urls = (one.value for call in _pip_calls(line, project) for one in in_pip_words(call))
    return repository_of_pip(project.environ) is not None or any(map(parse_url, urls))


def _pip_calls(line: CommandLine, project: Project) -> list[list[str]]:
    calls = pipenv_cli.pip_calls(line.command, line.arguments, project.scripts)
    return [call.words for call in calls]
