"""Run a pipenv command: read the project, plan the run, start pipenv."""

from __future__ import annotations

import contextlib
import gc
import os

from codeartifact_pipenv.errors import ConfigurationError
from codeartifact_pipenv.settings import TOKEN_VARIABLE, CommandLine
from codeartifact_pipenv.wrapper import pipenv_cli
from codeartifact_pipenv.wrapper.pipenv_cli import cannot_start, find_pipenv
from codeartifact_pipenv.wrapper.run_files import has_pipfile, project_lock, sweep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import NoReturn

    from codeartifact_pipenv.findings import Finding
    from codeartifact_pipenv.project.pipfile import Project
    from codeartifact_pipenv.project.sources import Source
    from codeartifact_pipenv.report import Report
    from codeartifact_pipenv.settings import Settings
    from codeartifact_pipenv.wrapper.failed_run import FailedRun
    from codeartifact_pipenv.wrapper.pipenv_cli import Pipenv
    from codeartifact_pipenv.wrapper.plan import CommandContext, RunPlan
    from codeartifact_pipenv.wrapper.run import Outcome

_NO_PIPFILE = "No Pipfile was found"
# The program was not found (126, 127) or interrupted, so its pip did not fail.
_NOT_A_FAILED_PIP = frozenset({126, 127, 130, 143})


def run_pipenv(
    line: CommandLine,
    settings: Settings,
    report: Report,
    explain: Callable[[FailedRun], Finding | None],
) -> int:
    """Run a pipenv command, with tokens if it needs them, and return its exit status.

    Does not return if pipenv takes over the process.

    Args:
        line: the command line.
        settings: the settings in force.
        report: where messages go.
        explain: returns the cause of a failed command, if known.

    Raises:
        CodeArtifactPipenvError: the command cannot be started.
    """
    pipenv = find_pipenv(settings)
    line = _add_options_of_variables(_move_mirror_to_environment(line), pipenv)
    gc.disable()  # until pipenv takes over or the process ends
    needs_index = pipenv_cli.needs_index(line.command, line.arguments)
    if not (needs_index or pipenv_cli.runs_program(line.command)):
        sweep()
        _refuse_login_without_pipfile(line)
        if line.command is None and pipenv_cli.asks_pipenv_help(line.rest):
            return _print_help(line, pipenv)
        return _pass_through(line, pipenv, report)
    from codeartifact_pipenv.wrapper.plan import CommandContext

    context = CommandContext(line, pipenv, settings, report, explain)
    return _run_with_tokens(context) if needs_index else _run_program(context)


def _pass_through(line: CommandLine, pipenv: Pipenv, report: Report) -> NoReturn:
    report.note(f"hands over to {' '.join(pipenv.command)}: no token is needed")
    gc.enable()
    pipenv.exec_pipenv(line.rest)


def _print_help(line: CommandLine, pipenv: Pipenv) -> int:
    """Print pipenv's help, then the help of this program."""
    import sys

    from codeartifact_pipenv.cli import help_below_pipenvs

    status = _run_and_exit(lambda: _run_unchanged(line, pipenv))
    if status == 0:
        sys.stdout.write(f"{help_below_pipenvs()}\n")
    return status


def _move_mirror_to_environment(line: CommandLine) -> CommandLine:
    """Replace ``--pypi-mirror`` by its variable, which child processes inherit."""
    arguments, url = pipenv_cli.without_mirror(line.command, line.arguments)
    if url is None:
        return line
    os.environ["PIPENV_PYPI_MIRROR"] = url
    before = line.rest[: len(line.rest) - len(line.arguments)]
    return CommandLine(line.options, [*before, *arguments], line.command_at)


def _add_options_of_variables(line: CommandLine, pipenv: Pipenv) -> CommandLine:
    """Put options that pipenv reads from variables on the command line, which is checked."""
    words = pipenv_cli.options_of_variables(line.command, line.arguments, pipenv, os.environ)
    if not words:
        return line
    before = line.rest[: len(line.rest) - len(line.arguments)]
    return CommandLine(line.options, [*before, *words, *line.arguments], line.command_at)


# --- commands that resolve or install ------------------------------------------------------


def _run_with_tokens(context: CommandContext) -> int:
    _refuse_token_of_package(context.line)
    project = _load_project(context)
    makes = pipenv_cli.resolves(context.line.command, context.line.arguments)
    if project.pipfile is None and makes:
        return _run_and_exit(lambda: _run_in_empty_folder(context, project))
    if not project.document.get("source") and makes:
        from codeartifact_pipenv.wrapper.empty_folder import refuse_login

        refuse_login(project.environ, f"{project.pipfile} has no [[source]]")
    if _check_sources(context, project):
        if makes and not any(source.endpoint for source in project.pipfile_sources()):
            from codeartifact_pipenv.wrapper.without_repository import refuse_private_names

            refuse_private_names(context, project)
        return _run_and_exit(lambda: _run_locked(context, project))
    sweep()
    from codeartifact_pipenv.project.sources import repository_of_pip
    from codeartifact_pipenv.wrapper import without_repository

    without_repository.refuse_repository_as_index(context.line, project)
    without_repository.refuse_private_names(context, project)
    if repository_of_pip(project.environ) is None:
        return _pass_through(context.line, context.pipenv, context.report)
    return _run_and_exit(lambda: _run_without_repository(context, project))


def _refuse_token_of_package(line: CommandLine) -> None:
    """Raise ConfigurationError if a package is typed as a URL with a token, which would be locked."""
    words = [word for word in line.arguments if "://" in word and "codeartifact" in word.lower()]
    if line.command in pipenv_cli.ADDING_COMMANDS and words:
        from codeartifact_pipenv.files.pip_config import in_pipenv_words
        from codeartifact_pipenv.project.sources import check_package_url

        indexes = {one.value for one in in_pipenv_words(line.rest) if "://" in one.value}
        for word in words:
            if not any(word.endswith(index) for index in indexes):
                check_package_url(word)


def _run_without_repository(context: CommandContext, project: Project) -> int:
    """Run a command where only pip's settings name a repository, and explain a failure."""
    from codeartifact_pipenv.wrapper.failed_run import FailedRun

    status = _run_unchanged(context.line, context.pipenv)
    if status > 0 and status not in _NOT_A_FAILED_PIP:
        program = context.pipenv.command
        _explain(context, FailedRun(context.line, program, project, {}, None, None))
    return status


def _run_in_empty_folder(context: CommandContext, empty: Project) -> int:
    """Create a project with a repository, or let pipenv create one without."""
    from codeartifact_pipenv.wrapper import empty_folder, without_repository

    if _check_sources(context, empty):
        raise ConfigurationError(
            f"{empty.lock} has no Pipfile, so pipenv would empty the lock.",
            "Restore the Pipfile; `pipenv-ca sync` installs from the lock without one.",
        )
    with _lock_project(context, empty) as (current, descriptors):
        if current.pipfile is not None:
            raise ConfigurationError(
                "Another command has created a Pipfile here in the meantime.",
                "Run the command again.",
            )
        new = None
        if context.line.command != "uninstall":
            new = empty_folder.new_project(context.line, empty)
        if new is None:
            empty_folder.refuse_login(empty.environ, _NO_PIPFILE)
        with empty_folder.removed_on_failure(empty.directory) as ended:
            if new is None:
                without_repository.refuse_private_names(context, empty)
                status = _run_unchanged(context.line, context.pipenv)
            else:
                context.report.line("Creating a Pipfile for this project...")
                context = context._replace(line=new.line)
                _check_sources(context, new.project)
                status = _run(context, new.project, descriptors, new.requirements)
            ended.append(status)
    return status


def _refuse_login_without_pipfile(line: CommandLine) -> None:
    """Raise ConfigurationError if pipenv would create a Pipfile with a token."""
    if pipenv_cli.never_creates_pipfile(line.command, line.rest):
        return
    if not has_pipfile():
        from codeartifact_pipenv.wrapper.empty_folder import refuse_login

        refuse_login(os.environ, _NO_PIPFILE)


# --- commands that run a program -----------------------------------------------------------


def _run_program(context: CommandContext) -> int:
    sweep()
    line, pipenv, settings, report = context[:4]
    # A program that needs no token runs even if the project's files are invalid.
    try:
        project = _load_project(context)
    except ConfigurationError as error:
        report.note(f"the project is ignored: {error.sentence}")
        _pass_through(line, pipenv, report)
    if project.pipfile is None:
        _refuse_login_without_pipfile(line)
    pip = bool(pipenv_cli.pip_calls(line.command, line.arguments, project.scripts))
    nested = None if pip else pipenv_cli.nested_pip(line.command, line.arguments, project.scripts)
    # pip-audit is not a program of the user.
    is_users = not pip and line.command in pipenv_cli.RUN_COMMANDS
    gives_token = is_users and settings.flag("run-token")
    if nested is not None and not gives_token and _names_repository(project):
        return _run_and_exit(lambda: _run_nested_pip(context, project, nested))
    if not (pip or gives_token) or not _check_sources(context, project):
        from codeartifact_pipenv.wrapper import without_repository

        if pip and not without_repository.pip_asks_repository(line, project):
            without_repository.refuse_private_names(context, project)
        _pass_through(line, pipenv, report)
    run = context._replace(pip=pip or nested is not None, gives_token=gives_token)
    # A program that gets the token may run for days or call pipenv-ca, so it does not lock the project.
    return _run_and_exit(lambda: (_run if gives_token else _run_locked)(run, project))


def _names_repository(project: Project) -> bool:
    try:
        return any(source.endpoint for source in project.sources())
    except ConfigurationError:
        return False


def _run_nested_pip(context: CommandContext, project: Project, words: str) -> int:
    """Run a program that starts a pip without the project's index, and explain a failure."""
    status = _run_unchanged(context.line, context.pipenv)
    if status <= 0 or status in _NOT_A_FAILED_PIP or _pip_has_repository(project):
        return status
    arguments = context.line.arguments
    program = arguments[len(pipenv_cli.run_options(arguments))]
    typed = "pip install" if {*words} & {*"'\"[](),\n"} else words
    more = " ..." if typed.endswith(("install", "download", "wheel", "index")) else ""
    context.report.error(
        f"pip was started by {program}, so it did not get this project's repository: only a pip "
        "that `run` starts itself does.",
        f"Use `pipenv-ca run {typed}{more}`; or, if {program} may have the token, "
        f"`pipenv-ca --ca-run-token run {program} ...`.",
    )
    return status


def _run_unchanged(line: CommandLine, pipenv: Pipenv) -> int:
    """Run pipenv with the user's arguments and environment, and return its exit status.

    A status of -N means that signal N ended it.
    """
    from codeartifact_pipenv.processes.child import Interrupted, signals

    words = [*pipenv.command, *line.rest]
    try:
        with signals() as received:
            return received.run(words, os.environ)
    except Interrupted as interruption:
        return -interruption.number
    except OSError as error:
        raise cannot_start(words[0], error) from error


def _pip_has_repository(project: Project) -> bool:
    """Whether pip's settings name a repository of the project."""
    from codeartifact_pipenv.endpoint import parse_url
    from codeartifact_pipenv.files.pip_config import index_settings

    index, others = index_settings(project.environ)
    endpoints = {source.endpoint for source in project.sources() if source.endpoint}
    return any(parse_url(url) in endpoints for url in [index or "", *others])


# --- the project ---------------------------------------------------------------------------


def _load_project(context: CommandContext) -> Project:
    from codeartifact_pipenv.project.pipfile import load_project, working_directory

    project = load_project(os.environ, working_directory(), context.pipenv.version)
    context.settings.read_project(project.directory)
    return project


def _check_sources(context: CommandContext, project: Project) -> bool:
    """Report the sources of a project, and return whether one is CodeArtifact.

    Raises:
        ConfigurationError: a source cannot work as written.
    """
    sources = project.sources()
    _refuse_leftover_pipfile(sources, project)
    _refuse_unset_variables(sources, project)
    project.assign_variables(sources)
    _report_sources(sources, project, context.report)
    return any(source.endpoint for source in sources)


def _refuse_leftover_pipfile(sources: Sequence[Source], project: Project) -> None:
    """Raise ConfigurationError if a killed command of version 1 left a changed Pipfile."""
    from codeartifact_pipenv.project.sources import is_loopback

    if any(is_loopback(source.url) for source in sources):
        from codeartifact_pipenv.project.findings import left_on_loopback

        found = left_on_loopback(project.home, sources)
        if found is not None:
            raise ConfigurationError.of(found)


def _refuse_unset_variables(sources: Sequence[Source], project: Project) -> None:
    """Raise ConfigurationError if an unset variable is part of a CodeArtifact URL."""
    hidden = [s for s in sources if s.endpoint is None and "codeartifact" in s.url.lower()]
    if not hidden:
        return
    from codeartifact_pipenv.project.findings import unset_variables

    # Users must not be told to set the token's variable; if it is misplaced, that is the error.
    known = {TOKEN_VARIABLE, *(s.variable or "" for s in hidden)}
    for found in unset_variables(hidden, project.environ, known):
        raise ConfigurationError.of(found)


def _report_sources(sources: Sequence[Source], project: Project, report: Report) -> None:
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
            report.note(f"source {source.name}: not CodeArtifact, unchanged")


@contextlib.contextmanager
def _lock_project(context: CommandContext, project: Project) -> Iterator[tuple[Project, list[int]]]:
    """Lock a project for the block.

    The block gets the project, read again after a wait, and the descriptors for pipenv to inherit.
    """
    waited: list[bool] = []

    def tell() -> None:
        waited.append(True)
        context.report.warning("Another pipenv-ca works on this project; waiting for it.")

    with project_lock(project.home, tell) as descriptor:
        descriptors = [] if descriptor is None else [descriptor]
        yield _load_project(context) if waited else project, descriptors


# --- the run -------------------------------------------------------------------------------


def _run_and_exit(act: Callable[[], int]) -> int:
    """Run a command, clean up even after a signal, and return its exit status."""
    from codeartifact_pipenv.processes.child import Interrupted, exit_like_child, interruptible

    try:
        with interruptible():
            status = act()
    except Interrupted as interruption:
        status = -interruption.number
    return exit_like_child(status)


def _run_locked(context: CommandContext, project: Project) -> int:
    with _lock_project(context, project) as (current, descriptors):
        return _run(context, current, descriptors)


def _run(
    context: CommandContext,
    project: Project,
    descriptors: Sequence[int] = (),
    requirements: str | None = None,
) -> int:
    """Run a command; if it fails, install by pip or explain the failure."""
    import atexit

    from codeartifact_pipenv.wrapper.plan import make_plan
    from codeartifact_pipenv.wrapper.run import run_plan

    atexit.register(gc.freeze)  # collecting botocore's objects at exit takes 0.1 s
    by_pip = (
        []
        if context.pip or not context.settings.flag("fallback")
        else _fallback_requirements(context)
    )
    plan = make_plan(context, project, requirements)
    outcome = run_plan(plan, descriptors)
    if not by_pip:
        _explain_run(plan, outcome)
    elif outcome.status > 0 and not outcome.interrupted:
        return _install_by_pip(context, descriptors, by_pip)
    return outcome.status


def _explain_run(plan: RunPlan, outcome: Outcome) -> None:
    from codeartifact_pipenv.wrapper.failed_run import FailedRun
    from codeartifact_pipenv.wrapper.run import INTERRUPTED

    context, line = plan.context, plan.context.line
    # pip-audit also fails if it finds a vulnerability.
    is_packages = line.command in pipenv_cli.INDEX_COMMANDS or (
        context.pip and line.command == "run"
    )
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
    _explain(context, failed)


def _explain(context: CommandContext, failed: FailedRun) -> None:
    """Report why pipenv failed, if the cause is known; errors while searching are ignored."""
    try:
        found = context.explain(failed)
    except KeyboardInterrupt:
        return
    except Exception as error:  # noqa: BLE001 - pipenv has reported the failure
        context.report.note(f"the failure cannot be explained: {error}")
        return
    if found is not None:
        context.report.error(found.sentence, found.hint, found.code)


def _fallback_requirements(context: CommandContext) -> list[str]:
    command, arguments = context.line.command, context.line.arguments
    return [] if command == "uninstall" else pipenv_cli.requirements(command, arguments)


def _install_by_pip(context: CommandContext, descriptors: Sequence[int], wanted: list[str]) -> int:
    """Install by pip the packages that pipenv could not resolve, then try to lock."""
    listed = ", ".join(wanted)
    context.report.warning(f"pipenv could not resolve {listed}; pip installs it instead.")
    install = ["run", "pip", "install", "--upgrade", *wanted]
    status = _run_step(context._replace(pip=True), install, descriptors)
    if status != 0:
        return status
    locked = _run_step(context, ["lock"], descriptors) == 0
    context.report.warning(
        f"pip installed {listed}, but Pipfile and lock "
        + ("do not list it" if locked else "are unchanged and do not resolve")
        + ", so `sync` on another machine does not install it. Next: fix what pipenv reports above, "
        f"then run `pipenv-ca install {' '.join(wanted)}`."
    )
    return 0


def _run_step(context: CommandContext, words: list[str], descriptors: Sequence[int]) -> int:
    context = context._replace(line=CommandLine(context.line.options, words, 0))
    return _run(context, _load_project(context), descriptors)
