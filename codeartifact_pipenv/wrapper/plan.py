"""Plan a run before anything starts: its route, and what pipenv gets."""

from __future__ import annotations

import os
import sys
import threading
from typing import NamedTuple

from codeartifact_pipenv.auth.resolver import Resolver, first_token_request
from codeartifact_pipenv.files.pip_config import INDEX, in_pipenv_words
from codeartifact_pipenv.project.pipfile import has_direct_references, read_lock
from codeartifact_pipenv.project.sources import token_variables
from codeartifact_pipenv.settings import variable_name
from codeartifact_pipenv.wrapper import commands
from codeartifact_pipenv.wrapper.child_environment import (
    ChildEnvironment,
    direct_environment,
    pip_environment,
    proxy_environment,
    refuse_exposed,
    refuse_other_indexes,
    refuse_overridden,
)
from codeartifact_pipenv.wrapper.pip_inputs import PipInputs, checks_hashes
from codeartifact_pipenv.wrapper.route import (
    DIRECT,
    PROXY,
    choose_route,
    config_location_variables,
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
    from codeartifact_pipenv.proxy_index.model import CombinedSources
    from codeartifact_pipenv.wrapper.command_context import CommandContext

# Exceptions from a proxy, for the proxy index on loopback.
NO_PROXY_VARIABLES = tuple(dict.fromkeys(map(variable_name, ("NO_PROXY", "no_proxy"))))
TEMP_VARIABLES = ("TMPDIR", "TEMP", "TMP") if sys.platform == "win32" else ("TMPDIR",)
# Proxies that pip would use for the proxy index, which speaks plain HTTP.
_PROXIES = ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")
# Time limit for AWS to say whether a repository exists, while pipenv waits for a page.
_API_SECONDS = 6.0
_EXISTENCE = {True: "it exists", False: "it does not exist", None: "nothing"}


class Tokens:
    """The tokens of one run; a refused token is renewed once for all requests.

    Attributes:
        by_domain: by domain, the current token.
    """

    def __init__(self, context: CommandContext, project: Project) -> None:
        self._resolver = Resolver(context.settings, os.environ, context.report, project.dotenv)
        self._report = context.report
        self._alone = threading.Lock()
        self.by_domain: dict[Domain, AuthorizationToken] = {}

    def fetch(self, domains: Sequence[Domain], sources: Sequence[Source]) -> None:
        """Fetch a token for each domain; raises the errors of ``Resolver.token``."""
        endpoints = {s.endpoint.domain: s.endpoint for s in reversed(sources) if s.endpoint}
        for domain in dict.fromkeys(domains):
            names = token_variables(domain, sources)
            self.by_domain[domain] = self._resolver.token(endpoints[domain], names)

    def renew(self, endpoint: RepositoryEndpoint, refused: str) -> str | None:
        """Return a token to replace one that a repository refused, if possible."""
        domain = endpoint.domain
        with self._alone:
            token = self.by_domain[domain]
            if token.value != refused:
                return token.value
            try:
                other = self._resolver.renew(endpoint, token)
            except Exception as error:  # noqa: BLE001 - pipenv gets the original refusal
                self._report.note(f"the token for {domain} cannot be renewed: {error}")
                return None
            if other is None:
                return None
            self._report.note(f"the token for {domain} was refused and has been renewed")
            self.by_domain[domain] = other
            return other.value


class RunPlan(NamedTuple):
    """Everything that one run needs.

    Attributes:
        context: the command and the settings.
        project: the project.
        sources: the sources that the proxy index serves, or None on the direct route.
        tokens: the tokens of the run.
        child: the variables and netrc entries that pipenv gets.
        inputs: the checked inputs of pip, or None for another program.
        requirements: the text of a requirements file to import, if any.
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
        if commands.runs_program(line.command):
            return False
        is_written = not commands.writes_nothing(line.command, line.arguments)
        return is_written or self.sources is not None

    def repository_exists(self, endpoint: RepositoryEndpoint) -> bool | None:
        """Ask AWS whether a repository exists, with a time limit and without a prompt."""
        from codeartifact_pipenv.lookups.aws_api import BestEffortAwsApi
        from codeartifact_pipenv.lookups.parallel import ask_all

        caller = first_token_request(self.context.settings, os.environ, [endpoint]).caller
        account = BestEffortAwsApi(lambda _: caller, 2.0, may_prompt=False)
        is_missing = ask_all({"": lambda: account.is_missing(endpoint)}, _API_SECONDS).get("")
        found = None if is_missing is None else not is_missing
        self.context.report.note(
            f"AWS says of repository {endpoint.repository}: {_EXISTENCE[found]}"
        )
        return found


def make_plan(
    context: CommandContext, project: Project, requirements: str | None = None
) -> RunPlan:
    """Decide how to run a command, and fetch the tokens that it needs.

    Args:
        context: the command.
        project: the project.
        requirements: the text of a requirements file to import, if any.

    Raises:
        ConfigurationError, UsageError: a package could come from another place than the project's
            sources, or the token could go to one.
        TokenError: a token cannot be fetched.
    """
    inputs, risk = None, None
    if context.pip or not commands.runs_program(context.line.command):
        inputs = PipInputs(context.line, project, project.sources(), pip=context.pip)
        risk = _token_risk(context, project, inputs)
    route = _choose_route(context, project, inputs, risk)
    sources = None
    if route == PROXY:
        from codeartifact_pipenv.proxy_index.model import combined_sources_of

        patterns = context.settings.words("private-packages")
        sources = combined_sources_of(project, patterns, _typed_sources(context.line))
    child = _child_environment(context, project, inputs, route)
    if inputs is not None and child.variables:
        risk = risk or inputs.token_risk
    tokens = Tokens(context, project)
    plan = RunPlan(context, project, sources, tokens, child, inputs, requirements)
    _refuse_redirects(plan, risk)
    behind = [endpoint.domain for endpoint in sources.endpoints] if sources else []
    tokens.fetch([*child.domains(), *behind], project.sources())
    return plan


def _typed_sources(line: CommandLine) -> dict[str, str]:
    """Return the source that ``--index`` names for each package of the command line."""
    given = [found.value for found in in_pipenv_words(line.arguments) if found.kind == INDEX]
    names = commands.named_packages(line.command, line.arguments) if given else ()
    return dict.fromkeys(names, given[-1]) if given else {}


def _token_risk(context: CommandContext, project: Project, inputs: PipInputs) -> str | None:
    # A pip that the user starts ignores verify_ssl.
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
        report.note("the lock cannot be read: pipenv renames it and installs nothing")
        return DIRECT
    route, why = choose_route(
        _kind(context),
        project.pipfile_sources(),
        context.pipenv.version(),
        builds=has_direct_references(lock),
        copies=os.access(project.directory, os.W_OK),
        risk=risk or (inputs.proxy_reason if context.pip else None),
    )
    if wanted is not None and wanted != route:
        route, why = wanted, "the route setting says so"
        _warn_of_visible_token(context, project, route)
    report.note(f"route {route}: {why}")
    return route


def _kind(context: CommandContext) -> str:
    if context.pip:
        return commands.PIP
    resolves = commands.resolves(context.line.command, context.line.arguments)
    return commands.RESOLVES if resolves else commands.LOCKED


def _warn_of_visible_token(context: CommandContext, project: Project, route: str) -> None:
    version = context.pipenv.version()
    passwords = any(s.endpoint and s.has_password for s in project.pipfile_sources())
    if version and route == DIRECT and passwords and shows_credentials(version):
        context.report.warning(
            f"pipenv {version} shows the token in its arguments to every user of this machine; "
            "unset the route, upgrade to pipenv 2026.6 or later, or remove the variable from the URL."
        )


def _child_environment(
    context: CommandContext, project: Project, inputs: PipInputs | None, route: str
) -> ChildEnvironment:
    sources = project.sources()
    assigned = project.assign_variables(sources)
    if inputs is None:
        return direct_environment(sources, assigned)
    if route == PROXY:
        return _proxy_environment(context, project, assigned, inputs)
    if not context.pip:
        kept = checks_hashes(context.line, project)
        return direct_environment(sources, assigned).without([] if kept else inputs.user.names)
    child = pip_environment(sources, project.environ, explicit_index=inputs.is_explicit)
    wanted = assigned if context.gives_token else {}
    child = child._replace(variables={name: e.domain for name, e in wanted.items()})
    return child.without(inputs.user.names)


def _proxy_environment(
    context: CommandContext,
    project: Project,
    assigned: Mapping[str, RepositoryEndpoint],
    inputs: PipInputs,
) -> ChildEnvironment:
    line = context.line
    mentioned = project.mentioned_variables() | ({*assigned} if context.gives_token else set())
    child = proxy_environment(assigned, mentioned).without(inputs.user.names)
    refuse_overridden(child, project.dotenv, ())  # before refuse_other_indexes: another hint
    named = context.pip or bool(commands.requirements(line.command, line.arguments))
    refuse_other_indexes(project.sources(), project.environ, named=named)
    return child


def _refuse_redirects(plan: RunPlan, risk: str | None) -> None:
    """Raise ConfigurationError if the project could redirect pipenv or expose a token."""
    child, project, by_proxy = plan.child, plan.project, plan.sources is not None
    if risk is not None:
        refuse_exposed(child, risk)
    if plan.inputs is not None:
        plan.inputs.warn(plan.context.report, by_proxy=by_proxy, is_neutral=bool(child.plain))
    names = [*TEMP_VARIABLES, *(["NETRC"] if child.netrc or by_proxy else [])]
    if by_proxy:
        names += ["PIP_PROXY", *config_location_variables(project.dotenv, os.environ)]
        names += NO_PROXY_VARIABLES if any(map(project.environ.get, _PROXIES)) else []
    refuse_overridden(child, project.dotenv, names)
