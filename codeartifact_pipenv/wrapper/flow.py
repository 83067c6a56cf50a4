"""The one flow: argv, project, tokens, hand-off, pipenv."""

from __future__ import annotations

import os
import sys

from codeartifact_pipenv.wrapper import commands
from codeartifact_pipenv.wrapper.executable import find_pipenv

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import NoReturn

    from codeartifact_pipenv.auth.authorization_token import AuthorizationToken
    from codeartifact_pipenv.cli import CommandLine
    from codeartifact_pipenv.endpoint import Domain
    from codeartifact_pipenv.project.pipfile import Project
    from codeartifact_pipenv.project.sources import Source
    from codeartifact_pipenv.report import Report
    from codeartifact_pipenv.settings import Settings
    from codeartifact_pipenv.wrapper.executable import Pipenv
    from codeartifact_pipenv.wrapper.handoff import Handoff
    from codeartifact_pipenv.wrapper.private_folder import PrivateFolder

_TEMPORARY = ("TMPDIR", "TEMP", "TMP") if os.name == "nt" else ("TMPDIR",)


class _Start:
    """What the command line and the settings say."""

    def __init__(
        self, line: CommandLine, pipenv: Pipenv, settings: Settings, report: Report
    ) -> None:
        self.line = line
        self.pipenv = pipenv
        self.settings = settings
        self.report = report

    def pass_through(self) -> NoReturn:
        self.report.note(f"hands over to {' '.join(self.pipenv.command)}: no token is needed")
        self.pipenv.take_over(self.line.rest)


def run_pipenv(line: CommandLine, settings: Settings, report: Report) -> int:
    """Run a pipenv command with what it needs, and return its exit status.

    Does not return where nothing has to follow pipenv.

    Raises:
        CodeArtifactPipenvError: the command is not started.
    """
    start = _Start(line, find_pipenv(settings), settings, report)
    if commands.needs_index(line.command, line.arguments):
        return _run_with_tokens(start)
    if line.command in commands.RUN_COMMANDS:
        return _run_program(start)
    return start.pass_through()


def _run_with_tokens(start: _Start) -> int:
    from codeartifact_pipenv.project.pipfile import load_project

    project = load_project(os.environ, os.getcwd(), start.pipenv.version)
    start.settings.read_project(project.directory)
    return _hand_off(start, project, pip=False)


def _run_program(start: _Start) -> int:
    from codeartifact_pipenv.errors import ConfigurationError
    from codeartifact_pipenv.project.pipfile import load_project

    # A program that needs no token runs whatever state the project's files are in.
    try:
        project = load_project(os.environ, os.getcwd(), start.pipenv.version)
    except ConfigurationError as error:
        start.report.note(f"the project is passed over: {error.sentence}")
        start.pass_through()
    start.settings.read_project(project.directory)
    arguments = start.line.arguments
    pip = start.line.command == "run" and commands.runs_pip(arguments, project.scripts)
    if not pip and not start.settings.flag("run-token"):
        start.pass_through()
    return _hand_off(start, project, pip=pip)


def _hand_off(start: _Start, project: Project, *, pip: bool) -> int:
    from codeartifact_pipenv.auth.short_process import skip_collections
    from codeartifact_pipenv.wrapper.handoff import for_index_command, for_pip, refuse_overridden

    sources = project.sources()
    assigned = project.assign_variables(sources)
    _tell_sources(sources, project, start.report)
    if not any(source.endpoint for source in sources):
        start.pass_through()
    if pip:
        explicit = commands.explicit_index(start.line.arguments)
        handoff = for_pip(sources, project.environ, explicit_index=explicit)
    else:
        handoff = for_index_command(sources, assigned)
    names = [*_TEMPORARY, *(["NETRC"] if handoff.netrc else [])]
    refuse_overridden(handoff, project.dotenv, names)
    skip_collections()
    tokens = _tokens(start, project, sources, handoff)
    return _run_and_wait(start, project, handoff, tokens)


def _run_and_wait(
    start: _Start,
    project: Project,
    handoff: Handoff,
    tokens: Mapping[Domain, AuthorizationToken],
) -> int:
    from codeartifact_pipenv.child import Interrupted, end_like, signals
    from codeartifact_pipenv.wrapper.executable import cannot_start
    from codeartifact_pipenv.wrapper.netrc_file import compose
    from codeartifact_pipenv.wrapper.private_folder import private_folder

    words = [*start.pipenv.command, *start.line.rest]
    environ = {**os.environ, **handoff.environment(tokens)}
    try:
        with signals() as received, private_folder() as folder:
            environ |= dict.fromkeys(_TEMPORARY, folder.temporary)
            if handoff.netrc:
                text = compose(handoff.netrc_lines(tokens), project.environ)
                environ["NETRC"] = folder.write("netrc", text)
            if handoff.keyring:
                environ |= _keyring_environment(start, folder, environ.get("PATH", ""))
            changed = sorted(name for name in environ if environ[name] != os.environ.get(name))
            start.report.note(f"runs {' '.join(words)} with {', '.join(changed)} set")
            inherited = [] if folder.descriptor is None else [folder.descriptor]
            try:
                status = received.run(words, environ, inherited)
            except OSError as error:
                raise cannot_start(words[0], error) from error
    except Interrupted as interruption:
        status = -interruption.number
    return end_like(status)


def _keyring_environment(start: _Start, folder: PrivateFolder, path: str) -> dict[str, str]:
    """Return what lets pip find this environment's keyring, and it the same settings."""
    from codeartifact_pipenv.settings import SETTINGS

    # pip passes over a keyring in its own environment's folder, so ours stands elsewhere.
    scripts = folder.link_program("keyring", os.path.dirname(sys.executable))
    options = {
        SETTINGS[name].variable: str(int(value) if isinstance(value, bool) else value)
        for name, value in start.line.options.items()
        if name not in {"refresh", "verbose"}
    }
    return {"PATH": f"{scripts}{os.pathsep}{path}", **options}


def _tokens(
    start: _Start, project: Project, sources: Sequence[Source], handoff: Handoff
) -> dict[Domain, AuthorizationToken]:
    from codeartifact_pipenv.auth.resolver import Resolver
    from codeartifact_pipenv.settings import TOKEN_VARIABLE

    resolver = Resolver(start.settings, os.environ, start.report, project.dotenv)
    endpoints = {s.endpoint.domain: s.endpoint for s in reversed(sources) if s.endpoint}
    # The common name is no domain's own where there are several.
    common = [TOKEN_VARIABLE] if len(endpoints) == 1 else []
    tokens = {}
    for domain in handoff.domains():
        named = [s.variable for s in sources if s.endpoint and s.endpoint.domain == domain]
        names = dict.fromkeys([*(name for name in named if name), *common])
        tokens[domain] = resolver.token(endpoints[domain], list(names))
    return tokens


def _tell_sources(sources: Sequence[Source], project: Project, report: Report) -> None:
    report.note(f"Pipfile: {project.pipfile or 'none'}")
    for source in sources:
        if source.endpoint is not None:
            place = f"repository {source.endpoint.repository} of {source.endpoint.domain}"
            report.note(f"source {source.name}: {place}")
        elif source.resembles:
            report.warning(
                f"source {source.name} resembles CodeArtifact and gets no token: {source.resembles}."
            )
        else:
            report.note(f"source {source.name}: another index, left alone")
