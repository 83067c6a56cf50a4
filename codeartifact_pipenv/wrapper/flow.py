"""The one flow: a command line, the project, the plan of a run, pipenv."""

from __future__ import annotations

import contextlib
import gc
import os

from codeartifact_pipenv.wrapper import commands
from codeartifact_pipenv.wrapper.executable import find_pipenv
from codeartifact_pipenv.wrapper.run_files import sweep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import NoReturn

    from codeartifact_pipenv.cli import CommandLine
    from codeartifact_pipenv.findings import Finding
    from codeartifact_pipenv.project.pipfile import Project
    from codeartifact_pipenv.project.sources import Source
    from codeartifact_pipenv.report import Report
    from codeartifact_pipenv.settings import Settings
    from codeartifact_pipenv.wrapper.command_context import CommandContext
    from codeartifact_pipenv.wrapper.executable import Pipenv
    from codeartifact_pipenv.wrapper.failed_run import FailedRun
    from codeartifact_pipenv.wrapper.plan import RunPlan
    from codeartifact_pipenv.wrapper.run import Outcome

# Exit statuses that do not say that a program has failed: it was not found, or interrupted.
_NOT_PIPS = frozenset({126, 127, 130, 143})


def run_pipenv(
    line: CommandLine,
    settings: Settings,
    report: Report,
    explain: Callable[[FailedRun], Finding | None],
) -> int:
    """Run a pipenv command with what it needs, and return its exit status.

    Does not return if nothing follows pipenv.

    Args:
        line: the command line.
        settings: the settings in force.
        report: where messages go.
        explain: finds the cause of a failed command; None if it is not known.

    Raises:
        CodeArtifactPipenvError: the command is not started.
    """
    line, pipenv = _with_mirror(line), find_pipenv(settings)
    gc.disable()  # until pipenv has this process, or the process ends
    needs_index = commands.needs_index(line.command, line.arguments)
    if not (needs_index or commands.is_run(line.command)):
        sweep()
        _refuse_login(line)
        if line.command is None and commands.asks_own_help(line.rest):
            return _print_help(line, pipenv)
        return _pass_through(line, pipenv, report)
    from codeartifact_pipenv.wrapper.command_context import CommandContext

    context = CommandContext(line, pipenv, settings, report, explain)
    return _run_with_tokens(context) if needs_index else _run_program(context)


def _pass_through(line: CommandLine, pipenv: Pipenv, report: Report) -> NoReturn:
    report.note(f"hands over to {' '.join(pipenv.command)}: no token is needed")
    gc.enable()
    pipenv.exec_pipenv(line.rest)


def _print_help(line: CommandLine, pipenv: Pipenv) -> int:
    """Print the help of pipenv, and below it what this program adds."""
    import sys

    from codeartifact_pipenv.cli import help_below_pipenvs

    status = _to_the_end(lambda: _follow(line, pipenv))
    if status == 0:
        sys.stdout.write(f"{help_below_pipenvs()}\n")
    return status


def _with_mirror(line: CommandLine) -> CommandLine:
    """Take ``--pypi-mirror`` as the variable that says the same, also to the programs below."""
    arguments, url = commands.without_mirror(line.command, line.arguments)
    if url is None:
        return line
    from codeartifact_pipenv.cli import CommandLine

    os.environ["PIPENV_PYPI_MIRROR"] = url
    before = line.rest[: len(line.rest) - len(line.arguments)]
    return CommandLine(line.options, [*before, *arguments], line.command_at)


# --- commands that resolve or install ------------------------------------------------------


def _run_with_tokens(context: CommandContext) -> int:
    project = _load(context)
    makes = commands.resolves(context.line.command, context.line.arguments)
    if project.pipfile is None and makes:
        return _to_the_end(lambda: _run_in_empty_folder(context, project))
    if not project.document.get("source") and makes:
        from codeartifact_pipenv.wrapper.empty_folder import refuse_login

        refuse_login(project.environ, f"{project.pipfile} has no [[source]]")
    if _has_repository(context, project):
        return _to_the_end(lambda: _run_alone(context, project))
    sweep()
    return _pass_through(context.line, context.pipenv, context.report)


def _run_in_empty_folder(context: CommandContext, empty: Project) -> int:
    """Make a project that has a repository, or let pipenv make one, by a command that resolves."""
    from codeartifact_pipenv.errors import ConfigurationError
    from codeartifact_pipenv.wrapper import empty_folder

    if _has_repository(context, empty):
        raise ConfigurationError(
            f"There is {empty.lock} and no Pipfile: pipenv would empty the lock.",
            "Put the Pipfile back; `pipenv-ca sync` installs what is locked without one.",
        )
    with _alone(context, empty) as (current, descriptors):
        if current.pipfile is not None:
            raise ConfigurationError(
                "Another command has made a Pipfile here in the meantime.", "Run yours again."
            )
        new = None
        if context.line.command != "uninstall":
            new = empty_folder.new_project(context.line, empty)
        if new is None:
            empty_folder.refuse_login(empty.environ, "There is no Pipfile")
        with empty_folder.as_empty_as_before(empty.directory) as ended:
            if new is None:
                status = _follow(context.line, context.pipenv)
            else:
                context.report.line("Creating a Pipfile for this project...")
                context = context._replace(line=new.line)
                _has_repository(context, new.project)
                status = _run(context, new.project, descriptors, new.requirements)
            ended.append(status)
    return status


def _refuse_login(line: CommandLine) -> None:
    """Raise ConfigurationError where pipenv would make a Pipfile with a token in it."""
    if commands.makes_no_pipfile(line.command, line.rest):
        return
    from codeartifact_pipenv.wrapper.run_files import has_pipfile

    if not has_pipfile():
        from codeartifact_pipenv.wrapper.empty_folder import refuse_login

        refuse_login(os.environ, "There is no Pipfile")


# --- commands that run a program -----------------------------------------------------------


def _run_program(context: CommandContext) -> int:
    from codeartifact_pipenv.errors import ConfigurationError

    sweep()
    line, pipenv, settings, report = context[:4]
    # A program that needs no token runs whatever state the project's files are in.
    try:
        project = _load(context)
    except ConfigurationError as error:
        report.note(f"the project is passed over: {error.sentence}")
        _pass_through(line, pipenv, report)
    if project.pipfile is None:
        _refuse_login(line)
    pip = bool(commands.pip_calls(line.command, line.arguments, project.scripts))
    within = None if pip else commands.pip_within(line.command, line.arguments, project.scripts)
    # (pip-audit is not the user's program.)
    is_users = not pip and line.command in commands.RUN_COMMANDS
    gives_token = is_users and settings.flag("run-token")
    if within is not None and not gives_token and _names_repository(project):
        return _to_the_end(lambda: _follow_pip(context, project, within))
    if not (pip or gives_token) or not _has_repository(context, project):
        _pass_through(line, pipenv, report)
    run = context._replace(pip=pip or within is not None, gives_token=gives_token)
    # A program that gets the token may run for days, or run us: it keeps nobody out.
    return _to_the_end(lambda: (_run if gives_token else _run_alone)(run, project))


def _names_repository(project: Project) -> bool:
    from codeartifact_pipenv.errors import ConfigurationError

    try:
        return any(source.endpoint for source in project.sources())
    except ConfigurationError:
        return False


def _follow_pip(context: CommandContext, project: Project, words: str) -> int:
    """Run a program that starts a pip without the project's index; if it fails, explain that."""
    status = _follow(context.line, context.pipenv)
    if status <= 0 or status in _NOT_PIPS or _has_login(project):
        return status
    arguments = context.line.arguments
    program = arguments[len(commands.words_before_program(arguments))]
    typed = "pip install" if {*words} & {*"'\"[](),\n"} else words
    more = " ..." if typed.endswith(("install", "download", "wheel", "index")) else ""
    context.report.error(
        f"pip was started by {program}, so it did not get this project's repository: only a pip "
        "that `run` starts itself does.",
        f"Type `pipenv-ca run {typed}{more}`; or, if {program} may have the token, "
        f"`pipenv-ca --ca-run-token run {program} ...`.",
    )
    return status


def _follow(line: CommandLine, pipenv: Pipenv) -> int:
    """Run pipenv as it is, and return its exit status; -N when signal N ended it."""
    from codeartifact_pipenv.processes.child import Interrupted, signals
    from codeartifact_pipenv.wrapper.executable import cannot_start

    words = [*pipenv.command, *line.rest]
    try:
        with signals() as received:
            return received.run(words, os.environ)
    except Interrupted as interruption:
        return -interruption.number
    except OSError as error:
        raise cannot_start(words[0], error) from error


def _has_login(project: Project) -> bool:
    """Whether pip's own settings name a repository of the project."""
    from codeartifact_pipenv.endpoint import parse_url
    from codeartifact_pipenv.files.pip_config import index_settings

    index, others = index_settings(project.environ)
    endpoints = {source.endpoint for source in project.sources() if source.endpoint}
    return any(parse_url(url) in endpoints for url in [index or "", *others])


# --- the project ---------------------------------------------------------------------------


def _load(context: CommandContext) -> Project:
    from codeartifact_pipenv.project.pipfile import load_project, working_directory

    project = load_project(os.environ, working_directory(), context.pipenv.version)
    context.settings.read_project(project.directory)
    return project


def _has_repository(context: CommandContext, project: Project) -> bool:
    """Report the sources of a project; return whether one is a repository of CodeArtifact.

    Raises:
        ConfigurationError: a source cannot be meant as it is written.
    """
    sources = project.sources()
    _refuse_left(sources, project)
    _refuse_unset(sources, project)
    project.assign_variables(sources)
    _tell_sources(sources, project, context.report)
    return any(source.endpoint for source in sources)


def _refuse_left(sources: Sequence[Source], project: Project) -> None:
    """Raise ConfigurationError where a killed command of version 1 left the Pipfile as it needed it."""
    from codeartifact_pipenv.project.sources import is_loopback

    if any(is_loopback(source.url) for source in sources):
        from codeartifact_pipenv.errors import ConfigurationError
        from codeartifact_pipenv.project.findings import left_on_loopback

        found = left_on_loopback(project.home, sources)
        if found is not None:
            raise ConfigurationError.of(found)


def _refuse_unset(sources: Sequence[Source], project: Project) -> None:
    """Raise ConfigurationError where an unset variable hides that a source is CodeArtifact's."""
    hidden = [s for s in sources if s.endpoint is None and "codeartifact" in s.url.lower()]
    if not hidden:
        return
    from codeartifact_pipenv.errors import ConfigurationError
    from codeartifact_pipenv.project.findings import unset_variables
    from codeartifact_pipenv.settings import TOKEN_VARIABLE

    # (Nobody is told to set the token's own: if that is in a wrong place, that is the fault.)
    known = {TOKEN_VARIABLE, *(s.variable or "" for s in hidden)}
    for found in unset_variables(hidden, project.environ, known):
        raise ConfigurationError.of(found)


def _tell_sources(sources: Sequence[Source], project: Project, report: Report) -> None:
    report.note(f"Pipfile: {project.pipfile or 'none'}")
    for source in sources:
        if source.endpoint is not None:
            place = f"repository {source.endpoint.repository} of {source.endpoint.domain}"
            report.note(f"source {source.name}: {place}")
        elif source.mismatch_reason:
            from codeartifact_pipenv.project.findings import near_misses

            for found in near_misses([source], project.environ):
                report.warning(f"{found.sentence} {found.hint}", found.code)
        else:
            report.note(f"source {source.name}: another index, left alone")


@contextlib.contextmanager
def _alone(context: CommandContext, project: Project) -> Iterator[tuple[Project, list[int]]]:
    """Have a project to ourselves.

    The block gets the project as it is then, and the descriptors that pipenv has to hold on to.
    """
    from codeartifact_pipenv.wrapper.run_files import alone

    waited: list[bool] = []

    def tell() -> None:
        waited.append(True)
        context.report.warning("Another pipenv-ca works on this project; waiting for it.")

    with alone(project.home, tell) as descriptor:
        descriptors = [] if descriptor is None else [descriptor]
        yield _load(context) if waited else project, descriptors


# --- the run -------------------------------------------------------------------------------


def _to_the_end(act: Callable[[], int]) -> int:
    """Run a command that cleans up after itself, also after a signal, and exit as it ended."""
    from codeartifact_pipenv.processes.child import Interrupted, exit_like_child, interruptible

    try:
        with interruptible():
            status = act()
    except Interrupted as interruption:
        status = -interruption.number
    return exit_like_child(status)


def _run_alone(context: CommandContext, project: Project) -> int:
    with _alone(context, project) as (current, descriptors):
        return _run(context, current, descriptors)


def _run(
    context: CommandContext,
    project: Project,
    descriptors: Sequence[int] = (),
    requirements: str | None = None,
) -> int:
    """Run a command, install by pip what pipenv could not resolve, or explain why it failed."""
    import atexit

    from codeartifact_pipenv.wrapper.plan import make_plan
    from codeartifact_pipenv.wrapper.run import run_plan

    atexit.register(gc.freeze)  # walking what botocore imports costs a tenth of a second
    by_pip = [] if context.pip or not context.settings.flag("fallback") else _wanted(context)
    plan = make_plan(context, project, requirements)
    outcome = run_plan(plan, descriptors)
    if not by_pip:
        _explain(plan, outcome)
    elif outcome.status > 0 and not outcome.interrupted:
        return _fall_back(context, descriptors, by_pip)
    return outcome.status


def _explain(plan: RunPlan, outcome: Outcome) -> None:
    """Report why pipenv failed, if the cause is known; an error in the search is ignored."""
    from codeartifact_pipenv.wrapper.failed_run import FailedRun
    from codeartifact_pipenv.wrapper.run import INTERRUPTED

    context, line = plan.context, plan.context.line
    # (pip-audit also fails by what it finds.)
    is_packages = line.command in commands.INDEX_COMMANDS or (context.pip and line.command == "run")
    is_failure = outcome.status > 0 and outcome.status not in INTERRUPTED
    if not is_failure or outcome.interrupted or not is_packages:
        return
    failed = FailedRun(
        line,
        context.pipenv.command,
        plan.project,
        plan.tokens.by_domain,
        plan.sources,
        outcome.proxy,
        outcome.absent,
    )
    try:
        found = context.explain(failed)
    except KeyboardInterrupt:
        return
    except Exception as error:  # noqa: BLE001 - pipenv has said what there is to say
        context.report.note(f"the failure cannot be explained: {error}")
        return
    if found is not None:
        context.report.error(found.sentence, found.hint, found.code)


def _wanted(context: CommandContext) -> list[str]:
    command, arguments = context.line.command, context.line.arguments
    return [] if command == "uninstall" else commands.requirements(command, arguments)


def _fall_back(context: CommandContext, descriptors: Sequence[int], wanted: list[str]) -> int:
    """Install by pip what pipenv could not resolve, try to lock, and report the result."""
    listed = ", ".join(wanted)
    context.report.warning(f"pipenv could not resolve {listed}; pip installs it instead.")
    install = ["run", "pip", "install", "--upgrade", *wanted]
    status = _run_other(context._replace(pip=True), install, descriptors)
    if status != 0:
        return status
    locked = _run_other(context, ["lock"], descriptors) == 0
    context.report.warning(
        f"{listed} is installed by pip; Pipfile and lock are "
        + ("right without it" if locked else "as before, and do not resolve")
        + ", so a sync elsewhere does not bring it. Next: put right what pipenv says above, then "
        f"`pipenv-ca install {' '.join(wanted)}`."
    )
    return 0


def _run_other(context: CommandContext, words: list[str], descriptors: Sequence[int]) -> int:
    from codeartifact_pipenv.cli import CommandLine

    context = context._replace(line=CommandLine(context.line.options, words, 0))
    return _run(context, _load(context), descriptors)
