"""Plan a run before anything starts: its route, and what pipenv gets."""

from __future__ import annotations

import os
import sys
import threading
from typing import NamedTuple

from codeartifact_pipenv.auth.resolver import Resolver, first_token_request
from codeartifact_pipenv.endpoint import parse_url
from codeartifact_pipenv.errors import ConfigurationError
from codeartifact_pipenv.files.pip_config import (
    EXTRA_INDEX,
    INDEX,
    NEUTRAL,
    in_environment,
    in_pipenv_words,
)
from codeartifact_pipenv.project.pipfile import has_direct_references, read_lock
from codeartifact_pipenv.project.sources import expand, token_variables
from codeartifact_pipenv.settings import TOKEN_VARIABLE, variable_name
from codeartifact_pipenv.wrapper import pipenv_cli
from codeartifact_pipenv.wrapper.pip_inputs import PipInputs, checks_hashes
from codeartifact_pipenv.wrapper.pipenv_cli import LOCKED, PIP, RESOLVES, version_numbers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from codeartifact_pipenv.auth.authorization_token import AuthorizationToken
    from codeartifact_pipenv.auth.resolver import DotEnv
    from codeartifact_pipenv.endpoint import Domain, RepositoryEndpoint
    from codeartifact_pipenv.findings import Finding
    from codeartifact_pipenv.project.pipfile import Project
    from codeartifact_pipenv.project.sources import Source
    from codeartifact_pipenv.proxy_index.index import ProxyIndex
    from codeartifact_pipenv.proxy_index.model import CombinedSources
    from codeartifact_pipenv.report import Report
    from codeartifact_pipenv.settings import CommandLine, Settings
    from codeartifact_pipenv.wrapper.failed_run import FailedRun
    from codeartifact_pipenv.wrapper.pipenv_cli import Pipenv


class CommandContext(NamedTuple):
    """The command line and the settings in force.

    Attributes:
        line: the command line.
        pipenv: the pipenv to run.
        settings: the settings in force.
        report: where messages go.
        explain: returns the cause of a failed command, if known.
        pip: whether the command is a pip that uses an index.
        gives_token: whether any program that the command starts gets the token.
    """

    line: CommandLine
    pipenv: Pipenv
    settings: Settings
    report: Report
    explain: Callable[[FailedRun], Finding | None]
    pip: bool = False
    gives_token: bool = False


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
        if pipenv_cli.runs_program(line.command):
            return False
        is_written = not pipenv_cli.writes_nothing(line.command, line.arguments)
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
    if context.pip or not pipenv_cli.runs_program(context.line.command):
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
    names = pipenv_cli.named_packages(line.command, line.arguments) if given else ()
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
        return pipenv_cli.PIP
    resolves = pipenv_cli.resolves(context.line.command, context.line.arguments)
    return pipenv_cli.RESOLVES if resolves else pipenv_cli.LOCKED


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
    named = context.pip or bool(pipenv_cli.requirements(line.command, line.arguments))
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


def make_index(plan: RunPlan, sources: CombinedSources, folder: str | None) -> ProxyIndex:
    """Return an index of a project's sources.

    Args:
        plan: the plan of the run.
        sources: the combined sources.
        folder: the folder for wheels, or None not to keep them.
    """
    from codeartifact_pipenv.proxy_index.index import ProxyIndex
    from codeartifact_pipenv.proxy_index.model import IndexAccess, IndexSources, Upstream

    settings, tokens = plan.context.settings, plan.tokens.by_domain
    served = IndexSources(
        [Upstream(e, tokens[e.domain].value) for e in sources.endpoints],
        sources.others.default_url,
        sources.private(),
        sources.private_patterns,
        sources.mirror,
        sources.others.urls,
        plan.inputs.user.links.local if plan.inputs else (),
        needs_dates=sources.cool_down is not None,
    )
    access = IndexAccess(
        sources.others.logins,
        plan.tokens.renew if plan.sources else None,
        plan.repository_exists,
        None if settings.flag("no-cache") else settings.state_directory(),
        folder,
    )
    return ProxyIndex(served, access)


# --- the route -----------------------------------------------------------------------------
# On the direct route pipenv uses the sources as written. pipenv searches only the first source for a
# package without ``index=``, and so for private dependencies that the Pipfile does not list. If a
# command resolves and CodeArtifact is not the only source, the proxy index, which runs on loopback
# and serves every package, replaces the sources.
#
# It also replaces them if a project setting could redirect or expose the token: pipenv then only gets
# the password of the proxy index.

# The values of the setting `route`.
DIRECT, PROXY = "as-written", "loopback"
# A ``.env`` overrides the environment: its certificates and a proxy would let another host read
# the token.
_CERTIFICATES = frozenset(
    {"CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSLKEYLOGFILE", "SSL_CERT_DIR", "SSL_CERT_FILE"}
)
# Locations of pip's configuration files, which can set everything that its variables can.
_CONFIG_LOCATIONS = frozenset(
    {
        *("HOME", "XDG_CONFIG_HOME", "XDG_CONFIG_DIRS", "PIP_CONFIG_FILE"),
        *("XDG_DATA_HOME", "XDG_DATA_DIRS"),  # macOS
        *("APPDATA", "PROGRAMDATA", "USERPROFILE"),
    }
)
# Settings of pip that cannot expose a token: other code checks the URLs of indexes, and a proxy
# cannot read TLS.
_HARMLESS = frozenset(
    {"PIP_EXTRA_INDEX_URL", "PIP_INDEX_URL", "PIP_PROXY", "PIP_DISABLE_PIP_VERSION_CHECK"}
)


def shows_credentials(version: str | None) -> bool:
    """Whether a pipenv passes the credentials of a URL in pip's arguments.

    Fixed in 2026.6.0 (GHSA-8xgg-v3jj-95m2). An unknown version counts as an old one.
    """
    return version_numbers(version or "") < (2026, 6)


def choose_route(
    kind: str,
    sources: Sequence[Source],
    version: str | None,
    *,
    builds: bool = False,
    copies: bool = True,
    risk: str | None = None,
) -> tuple[str, str]:
    """Choose the route of a command.

    Args:
        kind: how the command gets its packages: RESOLVES, LOCKED or PIP.
        sources: the sources of the Pipfile, in order.
        version: the version of pipenv, if known.
        builds: whether the lock has packages that are built here, such as the project itself.
        copies: whether copies of Pipfile and lock can be written for the command.
        risk: how the project could redirect or expose a token, as a clause.

    Returns:
        The route, and why, as a clause for a note.
    """
    if not any(source.endpoint for source in sources):
        return DIRECT, "the Pipfile names no repository"
    if risk is not None:
        return PROXY, risk
    passwords = any(source.endpoint and source.has_password for source in sources)
    if passwords and kind != PIP and shows_credentials(version):
        return PROXY, "this pipenv would show the token in its arguments"
    if any(source.endpoint and source.username and not source.has_password for source in sources):
        return PROXY, "a username alone keeps pip from finding the token"
    is_one = len({s.endpoint.url if s.endpoint else s.url for s in sources}) == 1
    if is_one and (kind != RESOLVES or not copies):
        return DIRECT, "there is one source"
    if kind == LOCKED:
        # pip searches only one source for build requirements.
        if copies and (builds or _repository_comes_first(sources)):
            return PROXY, "build requirements may be in another source"
        return DIRECT, "the command resolves nothing"
    several = "packages may come from several sources"
    return PROXY, "CodeArtifact offers no metadata of wheels" if is_one else several


def _repository_comes_first(sources: Sequence[Source]) -> bool:
    return sources[0].endpoint is not None and any(source.endpoint is None for source in sources)


def token_risk(
    sources: Iterable[Source],
    dotenv: DotEnv | None,
    environ: Mapping[str, str],
) -> str | None:
    """Return how the project could redirect or expose a token, as a clause, or None if it cannot.

    Args:
        sources: the sources of Pipfile and lock.
        dotenv: the ``.env`` that pipenv loads, if any.
        environ: the environment before that.
    """
    for source in sources:
        if source.endpoint is not None and not source.verified:
            return f"verify_ssl is not true in source {source.name}"
    for name, value in (dotenv.values if dotenv else {}).items():
        if _can_redirect(name.upper()) and value != environ.get(name):
            return f"{dotenv.path if dotenv else ''} sets {name}"
    return None


def config_location_variables(dotenv: DotEnv | None, environ: Mapping[str, str]) -> list[str]:
    """Return the variables in ``.env`` that make pip find other configuration files.

    A proxy in such a file could answer instead of the proxy index. Arguments are as for
    ``token_risk``.
    """
    values = dotenv.values if dotenv else {}
    return [
        name
        for name in values
        if name.upper() in _CONFIG_LOCATIONS and values[name] != environ.get(name)
    ]


def _can_redirect(name: str) -> bool:
    return name in _CERTIFICATES | _CONFIG_LOCATIONS or (
        name.startswith("PIP_") and name not in _HARMLESS
    )


# --- the variables and netrc entries that pipenv gets --------------------------------------


class ChildEnvironment(NamedTuple):
    """The variables and netrc entries that pipenv gets in addition to the user's.

    Attributes:
        variables: by name, the domain whose token the variable holds.
        plain: variables without a secret, by name.
        netrc: by host, the domain whose token the private netrc file holds.
        unset: variables to remove from the environment.
        withheld: token variables to remove because the command does not need them.
    """

    variables: Mapping[str, Domain]
    plain: Mapping[str, str]
    netrc: Mapping[str, Domain]
    unset: Sequence[str] = ()
    withheld: Sequence[str] = ()

    def domains(self) -> list[Domain]:
        """Return the domains for which a token is needed, each once."""
        return list(dict.fromkeys([*self.variables.values(), *self.netrc.values()]))

    def environment(self, tokens: Mapping[Domain, AuthorizationToken]) -> dict[str, str]:
        """Return the variables to set, with tokens in plain text."""
        secret = {name: tokens[domain].value for name, domain in self.variables.items()}
        return {**self.plain, **secret}

    def netrc_lines(self, tokens: Mapping[Domain, AuthorizationToken]) -> list[str]:
        """Return the lines of the netrc file, with tokens in plain text."""
        return [
            f"machine {host} login aws password {tokens[domain].value}"
            for host, domain in self.netrc.items()
        ]

    def without(self, names: Sequence[str]) -> ChildEnvironment:
        """Return a copy that unsets variables and disables the user's indexes and find-links."""
        plain = {**NEUTRAL, **self.plain} if names else self.plain
        unset = dict.fromkeys([*self.unset, *names])
        return self._replace(plain=plain, unset=tuple(n for n in unset if n not in plain))


def direct_environment(
    sources: Sequence[Source], assigned: Mapping[str, RepositoryEndpoint]
) -> ChildEnvironment:
    """Return the environment of a command on the direct route.

    Each variable in a URL gets its domain's token; a host without credentials in its URL gets
    a netrc entry.

    Args:
        sources: the project's sources.
        assigned: by variable, the repository whose token it should hold.
    """
    mirrors = [source.url for source in sources if source.is_mirror]
    return ChildEnvironment(
        {name: endpoint.domain for name, endpoint in assigned.items()},
        # The URL of the source leaves out a login that the user's variable may contain.
        {"PIPENV_PYPI_MIRROR": mirrors[0]} if mirrors else {},
        _hosts(source for source in sources if not source.has_password),
    )


def proxy_environment(
    assigned: Mapping[str, RepositoryEndpoint], mentioned: set[str]
) -> ChildEnvironment:
    """Return the environment of a command that uses the proxy index: no token, if possible.

    Args:
        assigned: by variable, the repository whose token it should hold.
        mentioned: variables in the URLs of packages, which need a token.
    """
    return ChildEnvironment(
        {name: e.domain for name, e in assigned.items() if name in mentioned},
        NEUTRAL,
        {},
        # pipenv would treat these as --index and --pypi-mirror.
        unset=("PIP_INDEX_URL", "PIPENV_PYPI_MIRROR"),
        withheld=sorted({TOKEN_VARIABLE, *assigned} - mentioned),
    )


def pip_environment(
    sources: Sequence[Source], environ: Mapping[str, str], *, explicit_index: bool
) -> ChildEnvironment:
    """Return the environment of ``pipenv run pip``: the project's repository as the only index.

    This has the effect of ``aws codeartifact login --tool pip`` without a token in argv or a
    configuration file. Other settings of pip stay in force; an extra index is refused because
    it could serve a public package under a private name.

    Args:
        sources: the project's sources.
        environ: the environment as pip sees it.
        explicit_index: True if the command line names the index.

    Raises:
        ConfigurationError: the environment names other indexes for pip.
    """
    in_order = sorted(sources, key=lambda source: source.is_mirror)
    plain = dict(NEUTRAL)
    if not explicit_index:
        endpoints = [source.endpoint for source in in_order if source.endpoint is not None]
        plain["PIP_INDEX_URL"] = _index_for_pip(endpoints, environ)
    return ChildEnvironment({}, plain, _hosts(in_order))


def _hosts(sources: Iterable[Source]) -> dict[str, Domain]:
    endpoints = (source.endpoint for source in sources)
    return {endpoint.host: endpoint.domain for endpoint in endpoints if endpoint is not None}


def _index_for_pip(endpoints: Sequence[RepositoryEndpoint], environ: Mapping[str, str]) -> str:
    """Return the repository that the environment names as pip's index, or the first one."""
    index = endpoints[0].simple_url
    for given in in_environment(environ):
        if given.kind not in {INDEX, EXTRA_INDEX}:
            continue
        for url in given.value.split():
            named = parse_url(url)
            if named is None or named.simple_url not in {e.simple_url for e in endpoints}:
                raise ConfigurationError(
                    f"{given.name} names an index for pip that is not a CodeArtifact source of "
                    "this project, so a private package could come from elsewhere.",
                    f"Unset {given.name}, or name the index with --index-url.",
                )
            if given.kind == INDEX:
                index = named.simple_url
    return index


def refuse_other_indexes(
    sources: Sequence[Source], environ: Mapping[str, str], *, named: bool
) -> None:
    """Raise ConfigurationError if the environment names an index that is not a project source.

    pipenv would ask that index for private names too, or ignore it.

    Args:
        sources: the project's sources.
        environ: the environment as pipenv sees it.
        named: True if the command line names packages.
    """
    own_urls = {url for s in sources for url in (s.url, expand(s.url, environ))}
    endpoints = {source.endpoint for source in sources if source.endpoint is not None}
    for given in in_environment(environ):
        if given.kind == EXTRA_INDEX or (named and given.kind == INDEX):
            urls = given.value.split()
            if any(url not in own_urls and parse_url(url) not in endpoints for url in urls):
                raise ConfigurationError(
                    f"{given.name} names an index that is not a source of this project, so a private "
                    "package could come from elsewhere.",
                    f"Unset {given.name}, or add that index to the Pipfile as a source.",
                )


def refuse_exposed(child: ChildEnvironment, risk: str) -> None:
    """Raise ConfigurationError if pipenv would get a token that the project could expose.

    Args:
        child: the environment of pipenv.
        risk: how the project could expose it, as a clause.
    """
    if not child.domains():
        return
    raise ConfigurationError(
        f"The token could be sent to another host: {risk}, and this command gives it to pipenv.",
        "Move such settings to the environment, and remove the route setting, --index-url and "
        "variables in the URLs of packages, so that pipenv needs no token.",
    )


def refuse_overridden(child: ChildEnvironment, dotenv: DotEnv | None, names: Sequence[str]) -> None:
    """Raise ConfigurationError if ``.env`` overrides a variable that pipenv needs.

    Args:
        child: the environment of pipenv.
        dotenv: the ``.env`` that pipenv loads, if any.
        names: further variables that are set for pipenv.
    """
    if dotenv is None:
        return
    # child.variables are not checked: a token in .env is used as the inherited one.
    for name in [*child.plain, *child.unset, *names]:
        if name in dotenv.values:
            raise ConfigurationError(
                f"{dotenv.path} sets {name} and overrides the value that this command needs.",
                f"Remove {name} from the file, or set PIPENV_DONT_LOAD_ENV=1.",
            )
