"""The variables and netrc entries that pipenv gets. Pure functions."""

from __future__ import annotations

from typing import NamedTuple

from codeartifact_pipenv.endpoint import parse_url
from codeartifact_pipenv.errors import ConfigurationError
from codeartifact_pipenv.files.pip_config import (
    EXTRA_INDEX,
    INDEX,
    NEUTRAL,
    in_environment,
    in_pipenv_words,
)
from codeartifact_pipenv.project.sources import expand
from codeartifact_pipenv.settings import TOKEN_VARIABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from codeartifact_pipenv.auth.authorization_token import AuthorizationToken
    from codeartifact_pipenv.auth.resolver import DotEnv
    from codeartifact_pipenv.endpoint import Domain, RepositoryEndpoint
    from codeartifact_pipenv.project.sources import Source


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


def refuse_index_by_url(arguments: Sequence[str], sources: Sequence[Source]) -> None:
    """Raise ConfigurationError if a pipenv command names an index by URL.

    pipenv would add it to the Pipfile as a source and ask it for private names.
    """
    names = {source.name for source in sources}
    for given in in_pipenv_words(arguments):
        is_url = "/" in given.value or ":" in given.value
        if given.kind == INDEX and is_url and given.value not in names:
            raise ConfigurationError(
                f"{given.option} names an index by its URL, which would add another source.",
                "Name a source of the Pipfile instead, such as --index codeartifact.",
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
