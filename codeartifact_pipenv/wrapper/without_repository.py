"""Refuses what is unsafe in a project without a CodeArtifact source, which pipenv gets unchanged."""

from __future__ import annotations

import contextlib
import re

from codeartifact_pipenv.endpoint import parse_url
from codeartifact_pipenv.errors import ConfigurationError
from codeartifact_pipenv.files.io import read_bytes
from codeartifact_pipenv.files.pip_config import FILES, INDEX, in_pip_words, in_pipenv_words
from codeartifact_pipenv.project.pipfile import entries_of, matches, normalise
from codeartifact_pipenv.project.requirements_files import decode, logical_lines
from codeartifact_pipenv.project.sources import repository_of_pip
from codeartifact_pipenv.wrapper import pipenv_cli

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from codeartifact_pipenv.project.pipfile import Project
    from codeartifact_pipenv.settings import CommandLine
    from codeartifact_pipenv.wrapper.plan import CommandContext

# Options of `install` and `upgrade` that name what is installed.
_TO_ADD = ("-e", "-r", "--editable", "--requirement")


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
    """Raise ConfigurationError if a package that only CodeArtifact may serve has no source."""
    patterns = context.settings.words("private-packages")
    if not patterns:
        return
    line, names = context.line, {*map(normalise, _typed_names(context.line, project))}
    if not pipenv_cli.runs_program(line.command):
        entries = [e for e in entries_of(project.document) if e.is_indexed and e.source is None]
        listed = {entry.name for entry in entries}
        names = listed - names if line.command == "uninstall" else listed | names
    private = sorted(name for name in names if matches(name, patterns))
    if private:
        raise ConfigurationError(
            f"{private[0]} is private, but {project.pipfile or 'the project'} has no CodeArtifact "
            "source, so another index would be asked for it.",
            "Run `pipenv-ca fix --add-source URL`.",
            "source-missing",
        )


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
