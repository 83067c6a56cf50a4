"""The plan of one run: what pipenv gets, and by which route, decided before anything is started."""

from __future__ import annotations

import os
import sys
import threading
from typing import NamedTuple

from codeartifact_pipenv.auth.resolver import Resolver
from codeartifact_pipenv.files.pip_settings import INDEX, in_pipenv_words
from codeartifact_pipenv.project.lock import has_builds, read_lock
from codeartifact_pipenv.project.sources import variables_of
from codeartifact_pipenv.settings import variable_name
from codeartifact_pipenv.wrapper import commands
from codeartifact_pipenv.wrapper.child_environment import (
    ChildEnvironment,
    for_index_command,
    for_pip,
    for_proxy,
    refuse_exposed,
    refuse_other_indexes,
    refuse_overridden,
)
from codeartifact_pipenv.wrapper.pip_inputs import PipInputs, checks_hashes
from codeartifact_pipenv.wrapper.route import (
    DIRECT,
    PROXY,
    choose_route,
    other_settings,
    shows_credentials,
    token_risk,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from codeartifact_pipenv.auth.authorization_token import AuthorizationToken
    from codeartifact_pipenv.cli import CommandLine
    from codeartifact_pipenv.endpoint import Domain, RepositoryEndpoint
    from codeartifact_pipenv.project.pipfile import Project
    from codeartifact_pipenv.project.sources import Source
    from codeartifact_pipenv.wrapper.combined_sources import CombinedSources
    from codeartifact_pipenv.wrapper.command_context import CommandContext

# The variables that keep pip from asking a proxy for loopback.
WITHOUT_PROXY = tuple(dict.fromkeys(map(variable_name, ("NO_PROXY", "no_proxy"))))
TEMPORARY = ("TMPDIR", "TEMP", "TMP") if sys.platform == "win32" else ("TMPDIR",)
# Of pip's way to loopback, which is plain HTTP.
_PROXIES = ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")
# How long AWS may take to say whether a repository exists; pipenv waits for a page meanwhile.
_API_SECONDS = 6.0
_SAID = {True: "it exists", False: "it does not exist", None: "nothing"}


class Tokens:
    """The tokens of one run, by domain; one that is refused is renewed for all who ask later.

    Attributes:
        by_domain: those in force.
    """

    def __init__(self, context: CommandContext, project: Project) -> None:
        self._resolver = Resolver(context.settings, os.environ, context.report, project.dotenv)
        self._report = context.report
        self._alone = threading.Lock()
        self.by_domain: dict[Domain, AuthorizationToken] = {}

    def fetch(self, domains: Sequence[Domain], sources: Sequence[Source]) -> None:
        """Fetch a token for each domain of a project's sources; errors as ``Resolver.token``."""
        endpoints = {s.endpoint.domain: s.endpoint for s in reversed(sources) if s.endpoint}
        for domain in dict.fromkeys(domains):
            names = variables_of(domain, sources)
            self.by_domain[domain] = self._resolver.token(endpoints[domain], names)

    def renew(self, endpoint: RepositoryEndpoint, refused: str) -> str | None:
        """Return another token than one that a repository refused; None if there is none."""
        domain = endpoint.domain
        with self._alone:
            token = self.by_domain[domain]
            if token.value != refused:
                return token.value
            try:
                other = self._resolver.renew(endpoint, token)
            except Exception as error:  # noqa: BLE001 - what pipenv is told is the refusal
                self._report.note(f"the token for {domain} cannot be renewed: {error}")
                return None
            if other is None:
                return None
            self._report.note(f"the token for {domain} is not taken any more; renewed")
            self.by_domain[domain] = other
            return other.value


class RunPlan(NamedTuple):
    """All that one run needs.

    Attributes:
        context: the command and the settings.
        project: the project.
        sources: what the proxy index serves; None on the direct route.
        tokens: the tokens of the run.
        child: the variables and netrc entries that pipenv gets.
        inputs: what was checked of the words and settings for pip; None for another program.
        requirements: the text of a requirements file to import; None for none.
    """

    context: CommandContext
    project: Project
    sources: CombinedSources | None
    tokens: Tokens
    child: ChildEnvironment
    inputs: PipInputs | None
    requirements: str | None

    @property
    def works_on_copies(self) -> bool:
        """Whether pipenv gets copies of Pipfile and lock."""
        line = self.context.line
        if commands.is_run(line.command):
            return False
        is_written = not commands.writes_nothing(line.command, line.arguments)
        return is_written or self.sources is not None

    def ask_exists(self, endpoint: RepositoryEndpoint) -> bool | None:
        """Ask AWS whether a repository exists, within seconds and without a prompt."""
        from codeartifact_pipenv.auth.token_request import first_token_request
        from codeartifact_pipenv.lookups.aws_api import BestEffortAwsApi
        from codeartifact_pipenv.lookups.parallel import ask_all

        caller = first_token_request(self.context.settings, os.environ, [endpoint]).caller
        account = BestEffortAwsApi(lambda _: caller, 2.0, may_prompt=False)
        is_missing = ask_all({"": lambda: account.is_missing(endpoint)}, _API_SECONDS).get("")
        found = None if is_missing is None else not is_missing
        self.context.report.note(f"AWS says of repository {endpoint.repository}: {_SAID[found]}")
        return found


def make_plan(
    context: CommandContext, project: Project, requirements: str | None = None
) -> RunPlan:
    """Decide how a command is run, and fetch the tokens that it needs.

    Args:
        context: the command.
        project: its project.
        requirements: the text of a requirements file to import; None for none.

    Raises:
        ConfigurationError, UsageError: a package or a token could take another way than the
            project's sources.
        TokenError: no token can be fetched.
    """
    inputs, risk = None, None
    if context.pip or not commands.is_run(context.line.command):
        inputs = PipInputs(context.line, project, project.sources(), pip=context.pip)
        risk = _token_risk(context, project, inputs)
    route = _choose_route(context, project, inputs, risk)
    sources = None
    if route == PROXY:
        from codeartifact_pipenv.wrapper.combined_sources import combined_sources_of

        patterns = context.settings.words("private-packages")
        sources = combined_sources_of(project, patterns, _typed_sources(context.line))
    child = _child_environment(context, project, inputs, route)
    if inputs is not None and child.variables:
        risk = risk or inputs.token_risk
    tokens = Tokens(context, project)
    plan = RunPlan(context, project, sources, tokens, child, inputs, requirements)
    _refuse(plan, risk)
    behind = [endpoint.domain for endpoint in sources.endpoints] if sources else []
    tokens.fetch([*child.domains(), *behind], project.sources())
    return plan


def _typed_sources(line: CommandLine) -> dict[str, str]:
    """Return the source that ``--index`` names for each package of the command line."""
    given = [found.value for found in in_pipenv_words(line.arguments) if found.kind == INDEX]
    names = commands.named_packages(line.command, line.arguments) if given else ()
    return dict.fromkeys(names, given[-1]) if given else {}


def _token_risk(context: CommandContext, project: Project, inputs: PipInputs) -> str | None:
    # (A pip of the user's own words does not go by verify_ssl.)
    sources = [] if context.pip else project.sources()
    risk = token_risk(sources, project.dotenv, os.environ)
    return risk or (None if context.pip else inputs.token_risk)


def _choose_route(
    context: CommandContext, project: Project, inputs: PipInputs | None, risk: str | None
) -> str:
    if inputs is None or inputs.is_explicit:
        return DIRECT
    report, wanted = context.report, context.settings.text("route")
    lock = read_lock(project.lock or "")
    if lock is None and context.line.command == "sync" and os.path.exists(project.lock or ""):
        report.note("the lock cannot be read: pipenv moves it aside, and installs nothing")
        return DIRECT
    route, why = choose_route(
        _kind(context),
        project.pipfile_sources(),
        context.pipenv.version(),
        builds=has_builds(lock),
        copies=os.access(project.directory, os.W_OK),
        risk=risk or (inputs.needs_proxy if context.pip else None),
    )
    if wanted is not None and wanted != route:
        route, why = wanted, "it is set so"
        _warn_of_arguments(context, project, route)
    report.note(f"route {route}: {why}")
    return route


def _kind(context: CommandContext) -> str:
    if context.pip:
        return commands.PIP
    resolves = commands.resolves(context.line.command, context.line.arguments)
    return commands.RESOLVES if resolves else commands.LOCKED


def _warn_of_arguments(context: CommandContext, project: Project, route: str) -> None:
    version = context.pipenv.version()
    passwords = any(s.endpoint and s.has_password for s in project.pipfile_sources())
    if version and route == DIRECT and passwords and shows_credentials(version):
        context.report.warning(
            f"pipenv {version} shows the token in its arguments to every user "
            "of this machine; unset the route, use pipenv 2026.6 or later, or take the variable "
            "out of the URL."
        )


def _child_environment(
    context: CommandContext, project: Project, inputs: PipInputs | None, route: str
) -> ChildEnvironment:
    sources = project.sources()
    assigned = project.assign_variables(sources)
    if inputs is None:
        return for_index_command(sources, assigned)
    if route == PROXY:
        return _proxys_environment(context, project, assigned, inputs)
    if not context.pip:
        kept = checks_hashes(context.line, project)
        return for_index_command(sources, assigned).without([] if kept else inputs.user.names)
    child = for_pip(sources, project.environ, explicit_index=inputs.is_explicit)
    wanted = assigned if context.gives_token else {}
    child = child._replace(variables={name: e.domain for name, e in wanted.items()})
    return child.without(inputs.user.names)


def _proxys_environment(
    context: CommandContext,
    project: Project,
    assigned: Mapping[str, RepositoryEndpoint],
    inputs: PipInputs,
) -> ChildEnvironment:
    line = context.line
    mentioned = project.mentioned_variables() | ({*assigned} if context.gives_token else set())
    child = for_proxy(assigned, mentioned).without(inputs.user.names)
    refuse_overridden(child, project.dotenv, ())  # its fix is another one
    named = context.pip or bool(commands.requirements(line.command, line.arguments))
    refuse_other_indexes(project.sources(), project.environ, named=named)
    return child


def _refuse(plan: RunPlan, risk: str | None) -> None:
    """Raise ConfigurationError if the project could redirect what pipenv gets."""
    child, project, by_proxy = plan.child, plan.project, plan.sources is not None
    if risk is not None:
        refuse_exposed(child, risk)
    if plan.inputs is not None:
        plan.inputs.warn(plan.context.report, by_proxy=by_proxy, is_neutral=bool(child.plain))
    names = [*TEMPORARY, *(["NETRC"] if child.netrc or by_proxy else [])]
    if by_proxy:
        names += ["PIP_PROXY", *other_settings(project.dotenv, os.environ)]
        names += WITHOUT_PROXY if any(map(project.environ.get, _PROXIES)) else []
    refuse_overridden(child, project.dotenv, names)
