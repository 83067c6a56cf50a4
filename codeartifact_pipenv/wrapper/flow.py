"""The one flow: argv, project, tokens, hand-off, pipenv."""

from __future__ import annotations

import contextlib
import gc
import os

from codeartifact_pipenv.wrapper import commands
from codeartifact_pipenv.wrapper.executable import find_pipenv
from codeartifact_pipenv.wrapper.leftovers import sweep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import NoReturn

    from codeartifact_pipenv.auth.authorization_token import AuthorizationToken
    from codeartifact_pipenv.auth.resolver import Resolver
    from codeartifact_pipenv.cli import CommandLine
    from codeartifact_pipenv.endpoint import Domain, RepositoryEndpoint
    from codeartifact_pipenv.findings import Finding
    from codeartifact_pipenv.project.pipfile import Project
    from codeartifact_pipenv.project.sources import Source
    from codeartifact_pipenv.proxy_index.existence import AskExists
    from codeartifact_pipenv.proxy_index.upstreams import Renewal
    from codeartifact_pipenv.report import Report
    from codeartifact_pipenv.settings import Settings
    from codeartifact_pipenv.wrapper.completion import Completion
    from codeartifact_pipenv.wrapper.elsewhere import Elsewhere
    from codeartifact_pipenv.wrapper.executable import Pipenv
    from codeartifact_pipenv.wrapper.failed_run import FailedRun
    from codeartifact_pipenv.wrapper.handoff import Handoff
    from codeartifact_pipenv.wrapper.run import Run


# What AWS is given to say whether a repository exists; pipenv waits for a page meanwhile.
_API_SECONDS = 6.0
# Exit statuses that do not say that a program has failed: it was not found, or interrupted.
_NOT_PIPS = frozenset({126, 127, 130, 143})
_SAID = {True: "it exists", False: "it does not exist", None: "nothing"}


class _Start:
    """What the command line and the settings say."""

    def __init__(
        self,
        line: CommandLine,
        pipenv: Pipenv,
        settings: Settings,
        report: Report,
        explain: Callable[[FailedRun], Finding | None],
    ) -> None:
        self.line = line
        self.pipenv = pipenv
        self.settings = settings
        self.report = report
        self.explain = explain
        self.inherited: list[int] = []
        self.explains = line.command in commands.INDEX_COMMANDS
        self.interrupted = False
        self.gives_token = False
        self.requirements: str | None = None

    def follow(self) -> int:
        """Run pipenv as it is, and return its exit status; -N when signal N ended it."""
        from codeartifact_pipenv.processes.child import Interrupted, signals
        from codeartifact_pipenv.wrapper.executable import cannot_start

        words = [*self.pipenv.command, *self.line.rest]
        try:
            with signals() as received:
                return received.run(words, os.environ)
        except Interrupted as interruption:
            return -interruption.number
        except OSError as error:
            raise cannot_start(words[0], error) from error

    def pass_through(self) -> NoReturn:
        self.report.note(f"hands over to {' '.join(self.pipenv.command)}: no token is needed")
        gc.enable()
        self.pipenv.take_over(self.line.rest)


def run_pipenv(
    line: CommandLine,
    settings: Settings,
    report: Report,
    explain: Callable[[FailedRun], Finding | None],
) -> int:
    """Run a pipenv command with what it needs, and return its exit status.

    Does not return where nothing has to follow pipenv.

    Args:
        line: the command line.
        settings: the settings in force.
        report: where messages go.
        explain: finds the cause of a failed command; None if it is not known.

    Raises:
        CodeArtifactPipenvError: the command is not started.
    """
    start = _Start(_with_mirror(line), find_pipenv(settings), settings, report, explain)
    gc.disable()  # until pipenv has this process, or the process ends
    if commands.needs_index(line.command, line.arguments):
        return _run_with_tokens(start)
    if commands.is_run(line.command):
        return _run_program(start)
    sweep()
    _refuse_login(start)
    return start.pass_through()


def _with_mirror(line: CommandLine) -> CommandLine:
    """Take ``--pypi-mirror`` as the variable that says the same, also to the programs below."""
    arguments, url = commands.without_mirror(line.command, line.arguments)
    if url is None:
        return line
    from codeartifact_pipenv.cli import CommandLine

    os.environ["PIPENV_PYPI_MIRROR"] = url
    before = line.rest[: len(line.rest) - len(line.arguments)]
    return CommandLine(line.options, [*before, *arguments], line.command_at)


def _run_with_tokens(start: _Start) -> int:
    from codeartifact_pipenv.wrapper.route import resolves

    project = _load(start)
    makes = resolves(start.line.command, start.line.arguments)
    if project.pipfile is None and makes:
        return _to_the_end(lambda: _run_in_empty_folder(start, project))
    if not project.document.get("source") and makes:
        from codeartifact_pipenv.wrapper.empty_folder import refuse_login

        refuse_login(project.environ, f"{project.pipfile} has no [[source]]")
    if _is_of_codeartifact(start, project):
        return _to_the_end(lambda: _run_alone(start, project, pip=False))
    sweep()
    return start.pass_through()


def _run_in_empty_folder(start: _Start, empty: Project) -> int:
    """Make a project that has a repository, or let pipenv make one, by a command that resolves."""
    from codeartifact_pipenv.errors import ConfigurationError
    from codeartifact_pipenv.wrapper import empty_folder

    if _is_of_codeartifact(start, empty):
        raise ConfigurationError(
            f"There is {empty.lock} and no Pipfile: pipenv would empty the lock.",
            "Put the Pipfile back; `pipenv-ca sync` installs what is locked without one.",
        )
    with _alone(start, empty) as current:
        if current.pipfile is not None:
            raise ConfigurationError(
                "Another command has made a Pipfile here in the meantime.", "Run yours again."
            )
        new = None
        if start.line.command != "uninstall":
            new = empty_folder.new_project(start.line, empty)
        if new is None:
            empty_folder.refuse_login(empty.environ, "There is no Pipfile")
        with empty_folder.as_empty_as_before(empty.directory) as ended:
            if new is None:
                status = start.follow()
            else:
                start.report.line("Creating a Pipfile for this project...")
                start.line, start.requirements = new.line, new.requirements
                _is_of_codeartifact(start, new.project)
                status = _hand_off(start, new.project, pip=False)
            ended.append(status)
    return status


def _refuse_login(start: _Start) -> None:
    """Raise ConfigurationError where pipenv would make a Pipfile with a token in it."""
    if commands.makes_no_pipfile(start.line.command, start.line.rest):
        return
    from codeartifact_pipenv.wrapper.project_lock import has_pipfile

    if not has_pipfile():
        from codeartifact_pipenv.wrapper.empty_folder import refuse_login

        refuse_login(os.environ, "There is no Pipfile")


def _run_program(start: _Start) -> int:
    from codeartifact_pipenv.errors import ConfigurationError

    sweep()
    # A program that needs no token runs whatever state the project's files are in.
    try:
        project = _load(start)
    except ConfigurationError as error:
        start.report.note(f"the project is passed over: {error.sentence}")
        start.pass_through()
    if project.pipfile is None:
        _refuse_login(start)
    line, gives_token = start.line, start.settings.flag("run-token")
    pip = bool(commands.pip_calls(line.command, line.arguments, project.scripts))
    within = None if pip else commands.pip_within(line.command, line.arguments, project.scripts)
    if line.command not in commands.RUN_COMMANDS:
        gives_token = False  # pip-audit is not the user's program
    if within is not None and not gives_token and _has_repository(project):
        return _to_the_end(lambda: _follow_pip(start, project, within))
    if not (pip or gives_token) or not _is_of_codeartifact(start, project):
        start.pass_through()
    if not pip:  # it may run for days, or run us: it keeps nobody out
        start.gives_token = True
        return _to_the_end(lambda: _hand_off(start, project, pip=within is not None))
    return _to_the_end(lambda: _run_alone(start, project, pip=True))


def _has_repository(project: Project) -> bool:
    from codeartifact_pipenv.errors import ConfigurationError

    try:
        return any(source.endpoint for source in project.sources())
    except ConfigurationError:
        return False


def _follow_pip(start: _Start, project: Project, words: str) -> int:
    """Run a program that starts a pip without an index of ours; say so where it fails."""
    status = start.follow()
    if status <= 0 or status in _NOT_PIPS or _has_login(project):
        return status
    arguments = start.line.arguments
    program = arguments[len(commands.words_before_program(arguments))]
    typed = "pip install" if {*words} & {*"'\"[](),\n"} else words
    more = " ..." if typed.endswith(("install", "download", "wheel", "index")) else ""
    start.report.error(
        f"pip was started by {program}, so it did not get this project's repository: only a pip "
        "that `run` starts itself does.",
        f"Type `pipenv-ca run {typed}{more}`; or, if {program} may have the token, "
        f"`pipenv-ca --ca-run-token run {program} ...`.",
    )
    return status


def _has_login(project: Project) -> bool:
    """Whether pip's own settings name a repository of the project."""
    from codeartifact_pipenv.endpoint import parse_url
    from codeartifact_pipenv.files.pip_config import index_settings

    index, others = index_settings(project.environ)
    endpoints = {source.endpoint for source in project.sources() if source.endpoint}
    return any(parse_url(url) in endpoints for url in [index or "", *others])


def _run_alone(start: _Start, project: Project, *, pip: bool) -> int:
    with _alone(start, project) as current:
        return _hand_off(start, current, pip=pip)


def _to_the_end(act: Callable[[], int]) -> int:
    """Do what cleans up after itself, also where a signal ends it, and end as it does."""
    from codeartifact_pipenv.processes.child import Interrupted, end_like, interruptible

    try:
        with interruptible():
            status = act()
    except Interrupted as interruption:
        status = -interruption.number
    return end_like(status)


def _is_of_codeartifact(start: _Start, project: Project) -> bool:
    """Say which sources a project has, and whether one is a repository of CodeArtifact.

    Raises:
        ConfigurationError: what is written of them cannot be meant.
    """
    sources = project.sources()
    _refuse_unset(sources, project)
    project.assign_variables(sources)
    _tell_sources(sources, project, start.report)
    return any(source.endpoint for source in sources)


@contextlib.contextmanager
def _alone(start: _Start, project: Project) -> Iterator[Project]:
    """Have a project to ourselves; the block gets it as it is then."""
    from codeartifact_pipenv.wrapper import project_lock

    waited: list[bool] = []

    def tell() -> None:
        waited.append(True)
        start.report.warning("Another pipenv-ca works on this project; waiting for it.")

    pipfile = project.pipfile or os.path.join(project.directory, "Pipfile")
    with project_lock.alone(pipfile, tell) as descriptor:
        start.inherited = [] if descriptor is None else [descriptor]
        yield _load(start) if waited else project


def _load(start: _Start) -> Project:
    from codeartifact_pipenv.project.pipfile import load_project, working_directory

    project = load_project(os.environ, working_directory(), start.pipenv.version)
    start.settings.read_project(project.directory)
    return project


def _hand_off(start: _Start, project: Project, *, pip: bool) -> int:
    from codeartifact_pipenv.processes.short_process import skip_collections

    skip_collections()
    # (pip-audit also fails by what it finds.)
    start.explains = start.explains or (pip and start.line.command == "run")
    by_pip = [] if pip or not start.settings.flag("fallback") else _wanted_by_pip(start)
    if by_pip:
        start.explains = False
    status = _run(start, project, pip=pip)
    if status > 0 and by_pip and not start.interrupted:
        status = _fall_back(start, by_pip)
    return status


def _run(start: _Start, project: Project, *, pip: bool) -> int:
    from codeartifact_pipenv.auth.resolver import Resolver
    from codeartifact_pipenv.wrapper.elsewhere import Elsewhere
    from codeartifact_pipenv.wrapper.exposure import exposure, other_settings
    from codeartifact_pipenv.wrapper.handoff import refuse_exposed, refuse_overridden
    from codeartifact_pipenv.wrapper.run import INTERRUPTED, TEMPORARY, WITHOUT_PROXY, Run

    sources = project.sources()
    assigned = project.assign_variables(sources)
    exposed, elsewhere = None, None
    if pip or not commands.is_run(start.line.command):
        elsewhere = Elsewhere(start.line, project, sources, pip=pip)
        # (A pip of the user's own words does not go by verify_ssl.)
        exposed = exposure([] if pip else sources, project.dotenv, os.environ)
        exposed = exposed or (None if pip else elsewhere.exposure)
    completion = _completion(start, project, exposed, elsewhere, pip=pip)
    handoff = _handoff(start, project, assigned, completion, elsewhere, pip=pip)
    if elsewhere is not None and handoff.variables:
        exposed = exposed or elsewhere.exposure
    if exposed is not None:
        refuse_exposed(handoff, exposed)
    if elsewhere is not None:
        elsewhere.warn(start.report, completion, handoff)
    names = [*TEMPORARY, *(["NETRC"] if handoff.netrc or completion else [])]
    if completion:
        names += ["PIP_PROXY", *other_settings(project.dotenv, os.environ)]
        names += WITHOUT_PROXY if _has_proxy(project.environ) else []
    refuse_overridden(handoff, project.dotenv, names)
    resolver = Resolver(start.settings, os.environ, start.report, project.dotenv)
    tokens = _tokens(resolver, sources, handoff, completion)
    run = Run(
        line=start.line,
        program=start.pipenv.command,
        project=project,
        handoff=handoff,
        tokens=tokens,
        completion=completion,
        sources=completion or _written_sources(start, project, pip=pip),
        inherited=start.inherited,
        requirements=start.requirements,
        find_links=elsewhere.links.local if elsewhere else (),
        elsewhere=elsewhere,
        renew=_renewal(resolver, tokens, start.report) if completion else None,
        ask_exists=_existence(start),
        cache=None if start.settings.flag("no-cache") else start.settings.state_directory(),
        report=start.report,
    )
    status = run.to_the_end()
    start.interrupted = run.interrupted
    if status > 0 and not run.interrupted and status not in INTERRUPTED and start.explains:
        _explain(start, project, tokens, completion, run)
    return status


def _existence(start: _Start) -> AskExists:
    """Return what asks AWS whether a repository exists, within seconds and without a prompt."""

    def ask(endpoint: RepositoryEndpoint) -> bool | None:
        from codeartifact_pipenv.auth.terms import terms_of_first
        from codeartifact_pipenv.lookups.aws_api import BestEffortAwsApi
        from codeartifact_pipenv.lookups.parallel import ask_all

        caller = terms_of_first(start.settings, os.environ, [endpoint]).caller
        account = BestEffortAwsApi(lambda _: caller, 2.0, may_prompt=False)
        is_missing = ask_all({"": lambda: account.is_missing(endpoint)}, _API_SECONDS).get("")
        found = None if is_missing is None else not is_missing
        start.report.note(f"AWS says of repository {endpoint.repository}: {_SAID[found]}")
        return found

    return ask


def _explain(
    start: _Start,
    project: Project,
    tokens: Mapping[Domain, AuthorizationToken],
    completion: Completion | None,
    run: Run,
) -> None:
    """Say why pipenv failed, if the cause is known; an error in that is ignored."""
    from codeartifact_pipenv.wrapper.failed_run import FailedRun

    command = start.pipenv.command
    failed = FailedRun(start.line, command, project, tokens, completion, run.index, run.absent)
    try:
        found = start.explain(failed)
    except KeyboardInterrupt:
        return
    except Exception as error:  # noqa: BLE001 - pipenv has said what there is to say
        start.report.note(f"the failure cannot be explained: {error}")
        return
    if found is not None:
        start.report.error(found.sentence, found.hint, found.code)


def _refuse_unset(sources: Sequence[Source], project: Project) -> None:
    """Raise ConfigurationError where an unset variable hides that a source is CodeArtifact's."""
    hidden = [s for s in sources if s.endpoint is None and "codeartifact" in s.url.lower()]
    if not hidden:
        return
    from codeartifact_pipenv.errors import ConfigurationError
    from codeartifact_pipenv.project.findings import unset_variables
    from codeartifact_pipenv.settings import TOKEN_VARIABLE

    # (Nobody is told to set the token's own: where it stands astray, that is what is wrong.)
    known = {TOKEN_VARIABLE, *(s.variable or "" for s in hidden)}
    for found in unset_variables(hidden, project.environ, known):
        raise ConfigurationError(found.sentence, found.hint, found.code)


def _wanted_by_pip(start: _Start) -> list[str]:
    command, arguments = start.line.command, start.line.arguments
    return [] if command == "uninstall" else commands.requirements(command, arguments)


def _fall_back(start: _Start, wanted: list[str]) -> int:
    """Install by pip what pipenv could not resolve, try to lock, and say where that leaves us."""
    from codeartifact_pipenv.cli import CommandLine

    def again(words: list[str]) -> int:
        line = CommandLine(start.line.options, words, 0)
        other = _Start(line, start.pipenv, start.settings, start.report, start.explain)
        other.inherited = start.inherited
        other.explains = True
        return _run(other, _load(other), pip=words[0] == "run")

    listed = ", ".join(wanted)
    start.report.warning(f"pipenv could not resolve {listed}; pip installs it instead.")
    status = again(["run", "pip", "install", "--upgrade", *wanted])
    if status != 0:
        return status
    locked = again(["lock"]) == 0
    start.report.warning(
        f"{listed} is installed by pip; Pipfile and lock are "
        + ("right without it" if locked else "as before, and do not resolve")
        + ", so a sync elsewhere does not bring it. Next: put right what pipenv says above, then "
        f"`pipenv-ca install {' '.join(wanted)}`."
    )
    return 0


def _has_proxy(environ: Mapping[str, str]) -> bool:
    # Of pip's way to loopback, which is plain HTTP.
    return any(environ.get(n) for n in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"))


def _completion(
    start: _Start,
    project: Project,
    exposed: str | None,
    elsewhere: Elsewhere | None,
    *,
    pip: bool,
) -> Completion | None:
    if elsewhere is None or elsewhere.is_explicit:
        return None
    from codeartifact_pipenv.project.lock import has_builds, read_lock
    from codeartifact_pipenv.wrapper.route import LOOPBACK, choose_route

    sources = project.pipfile_sources()
    lock = read_lock(project.lock or "")
    if lock is None and start.line.command == "sync" and os.path.exists(project.lock or ""):
        start.report.note("the lock cannot be read: pipenv moves it aside, and installs nothing")
        return None
    route, why = choose_route(
        start.line.command,
        start.line.arguments,
        sources,
        pip=pip,
        version=start.pipenv.version(),
        builds=has_builds(lock),
        copies=os.access(project.directory, os.W_OK),
        exposed=exposed or elsewhere.needs_loopback,
    )
    wanted = start.settings.text("route")
    if wanted is not None and wanted != route:
        route, why = wanted, "it is set so"
        _warn_of_arguments(start, sources, route)
    start.report.note(f"route {route}: {why}")
    if route != LOOPBACK:
        return None
    return _complete(start, project)


def _written_sources(start: _Start, project: Project, *, pip: bool) -> Completion | None:
    """Return the sources of a command that resolves by them as they are written; else None."""
    from codeartifact_pipenv.wrapper.route import resolves

    if pip or not resolves(start.line.command, start.line.arguments):
        return None
    return _complete(start, project)


def _complete(start: _Start, project: Project) -> Completion:
    from codeartifact_pipenv.project.lock import read_lock
    from codeartifact_pipenv.wrapper.completion import complete

    return complete(
        project.pipfile_sources(),
        project.document,
        read_lock(project.lock or ""),
        project.environ,
        pylocks=project.pylock_documents(),
        private_patterns=start.settings.words("private-packages"),
    )


def _warn_of_arguments(start: _Start, sources: Sequence[Source], route: str) -> None:
    from codeartifact_pipenv.wrapper.route import AS_WRITTEN, shows_credentials

    version = start.pipenv.version()
    passwords = any(source.endpoint and source.has_password for source in sources)
    if version and route == AS_WRITTEN and passwords and shows_credentials(version):
        start.report.warning(
            f"pipenv {version} shows the token in its arguments to every user "
            "of this machine; unset the route, use pipenv 2026.6 or later, or take the variable "
            "out of the URL."
        )


def _handoff(
    start: _Start,
    project: Project,
    assigned: Mapping[str, RepositoryEndpoint],
    completion: Completion | None,
    elsewhere: Elsewhere | None,
    *,
    pip: bool,
) -> Handoff:
    from codeartifact_pipenv.wrapper.elsewhere import checks_hashes
    from codeartifact_pipenv.wrapper.handoff import (
        for_index_command,
        for_loopback,
        for_pip,
        refuse_other_indexes,
        refuse_overridden,
    )

    sources = project.sources()
    if elsewhere is None:
        return for_index_command(sources, assigned)
    if completion is not None:
        named = pip or bool(commands.requirements(start.line.command, start.line.arguments))
        words = [] if pip else start.line.rest
        mentioned = project.mentioned_variables() | ({*assigned} if start.gives_token else set())
        handoff = for_loopback(assigned, mentioned, elsewhere.names)
        refuse_overridden(handoff, project.dotenv, ())  # its fix is another one
        refuse_other_indexes(words, sources, project.environ, named=named)
        return handoff
    if pip:
        explicit = elsewhere.is_explicit
        handoff = for_pip(
            sources, project.environ, explicit_index=explicit, taken_out=elsewhere.names
        )
        wanted = assigned if start.gives_token else {}
        return handoff._replace(variables={name: e.domain for name, e in wanted.items()})
    kept = checks_hashes(start.line, project)
    return for_index_command(sources, assigned, [] if kept else elsewhere.names)


def _tokens(
    resolver: Resolver,
    sources: Sequence[Source],
    handoff: Handoff,
    completion: Completion | None,
) -> dict[Domain, AuthorizationToken]:
    from codeartifact_pipenv.project.sources import variables_of

    endpoints = {s.endpoint.domain: s.endpoint for s in reversed(sources) if s.endpoint}
    tokens = {}
    behind = [endpoint.domain for endpoint in completion.endpoints] if completion else []
    for domain in dict.fromkeys([*handoff.domains(), *behind]):
        tokens[domain] = resolver.token(endpoints[domain], variables_of(domain, sources))
    return tokens


def _renewal(
    resolver: Resolver, tokens: dict[Domain, AuthorizationToken], report: Report
) -> Renewal:
    """Return what gets another token where one is refused, for all that ask and come after."""
    import threading

    alone = threading.Lock()

    def renew(endpoint: RepositoryEndpoint, refused: str) -> str | None:
        domain = endpoint.domain
        with alone:
            if tokens[domain].value == refused:
                try:
                    other = resolver.renewed(endpoint, tokens[domain])
                except Exception as error:  # noqa: BLE001 - what pipenv is told is the refusal
                    report.note(f"the token for {domain} cannot be renewed: {error}")
                    return None
                if other is None:
                    return None
                report.note(f"the token for {domain} is not taken any more; renewed")
                tokens[domain] = other
            return tokens[domain].value

    return renew


def _tell_sources(sources: Sequence[Source], project: Project, report: Report) -> None:
    report.note(f"Pipfile: {project.pipfile or 'none'}")
    for source in sources:
        if source.endpoint is not None:
            place = f"repository {source.endpoint.repository} of {source.endpoint.domain}"
            report.note(f"source {source.name}: {place}")
        elif source.resembles:
            from codeartifact_pipenv.project.findings import near_misses

            for found in near_misses([source], project.environ):
                report.warning(f"{found.sentence} {found.hint}", found.code)
        else:
            report.note(f"source {source.name}: another index, left alone")
