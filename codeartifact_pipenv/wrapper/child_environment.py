"""The environment that pipenv gets: variables and netrc entries. Pure: data in, data out."""

from __future__ import annotations

from typing import NamedTuple

from codeartifact_pipenv.endpoint import parse_url
from codeartifact_pipenv.errors import ConfigurationError
from codeartifact_pipenv.files.pip_settings import (
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
    """The variables and netrc entries that pipenv gets beside the user's own.

    Attributes:
        variables: by name of a variable, the domain whose token it holds.
        plain: variables without a secret, by name.
        netrc: by host, the domain whose token a private netrc file has for it.
        unset: variables of the environment that it does not get.
        withheld: variables with a token that it does not need, and does not get either.
    """

    variables: Mapping[str, Domain]
    plain: Mapping[str, str]
    netrc: Mapping[str, Domain]
    unset: Sequence[str] = ()
    withheld: Sequence[str] = ()

    def domains(self) -> list[Domain]:
        """Return the domains that tokens are needed of, each once."""
        return list(dict.fromkeys([*self.variables.values(), *self.netrc.values()]))

    def environment(self, tokens: Mapping[Domain, AuthorizationToken]) -> dict[str, str]:
        """Return the variables to set, tokens in clear."""
        secret = {name: tokens[domain].value for name, domain in self.variables.items()}
        return {**self.plain, **secret}

    def netrc_lines(self, tokens: Mapping[Domain, AuthorizationToken]) -> list[str]:
        """Return the lines of the netrc file, tokens in clear."""
        return [
            f"machine {host} login aws password {tokens[domain].value}"
            for host, domain in self.netrc.items()
        ]

    def without(self, names: Sequence[str]) -> ChildEnvironment:
        """Return the same without indexes and find-links of the user's own, and their variables."""
        plain = {**NEUTRAL, **self.plain} if names else self.plain
        unset = dict.fromkeys([*self.unset, *names])
        return self._replace(plain=plain, unset=tuple(n for n in unset if n not in plain))


def for_index_command(
    sources: Sequence[Source], assigned: Mapping[str, RepositoryEndpoint]
) -> ChildEnvironment:
    """Return what a command that sees the sources as they are written gets.

    Every variable that a URL names gets its domain's token; a host without credentials in
    its URL is served by netrc.

    Args:
        sources: the project's sources.
        assigned: by variable, the repository whose domain's token it is to hold.
    """
    mirrors = [source.url for source in sources if source.is_mirror]
    return ChildEnvironment(
        {name: endpoint.domain for name, endpoint in assigned.items()},
        # (Without the login that the mirror may have in the user's environment.)
        {"PIPENV_PYPI_MIRROR": mirrors[0]} if mirrors else {},
        _hosts(source for source in sources if not source.has_password),
    )


def for_proxy(assigned: Mapping[str, RepositoryEndpoint], mentioned: set[str]) -> ChildEnvironment:
    """Return what a command that sees the proxy index gets: no token, if possible.

    Args:
        assigned: by variable, the repository whose domain's token it is to hold.
        mentioned: the variables that packages' own URLs name; these it needs.
    """
    return ChildEnvironment(
        {name: e.domain for name, e in assigned.items() if name in mentioned},
        NEUTRAL,
        {},
        # pipenv names its own index to pip, and takes these as a user's --index and mirror.
        unset=("PIP_INDEX_URL", "PIPENV_PYPI_MIRROR"),
        withheld=sorted({TOKEN_VARIABLE, *assigned} - mentioned),
    )


def for_pip(
    sources: Sequence[Source], environ: Mapping[str, str], *, explicit_index: bool
) -> ChildEnvironment:
    """Return what ``pipenv run pip`` gets: the project's repository as pip's only index.

    That is the effect of ``aws codeartifact login --tool pip`` without its traces: no token
    in an argv or a configuration file. pip's own configuration keeps its say in all but
    indexes; an extra one would let a public package of a private name in.

    Args:
        sources: the project's sources.
        environ: the environment as pip will see it.
        explicit_index: whether the user's own words name the index.

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
    """Return the repository that the environment names as pip's index, else the first one."""
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
                    f"Unset {given.name}, or give pip the index yourself with --index-url.",
                )
            if given.kind == INDEX:
                index = named.simple_url
    return index


def refuse_other_indexes(
    sources: Sequence[Source], environ: Mapping[str, str], *, named: bool
) -> None:
    """Raise ConfigurationError if the environment names an index that is not one of the project's.

    Such an index would be asked for private names too, or would not be asked at all: neither
    is what was meant.

    Args:
        sources: the project's sources.
        environ: the environment as pipenv will see it.
        named: whether the command's words name packages.
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
                    f"Unset {given.name}, or make that index a source of the Pipfile.",
                )


def refuse_index_by_url(arguments: Sequence[str], sources: Sequence[Source]) -> None:
    """Raise ConfigurationError where the words of a command of pipenv's name an index by URL.

    pipenv would write it into the Pipfile as a further source, and ask it for private names.
    """
    names = {source.name for source in sources}
    for given in in_pipenv_words(arguments):
        is_url = "/" in given.value or ":" in given.value
        if given.kind == INDEX and is_url and given.value not in names:
            raise ConfigurationError(
                f"{given.option} names an index by its URL, which is another one for this command.",
                "Name the source of the Pipfile instead, such as --index codeartifact.",
            )


def refuse_exposed(child: ChildEnvironment, risk: str) -> None:
    """Raise ConfigurationError where pipenv is given a token that the project may send on.

    Args:
        child: what pipenv gets.
        risk: what of the project could do so, as a clause.
    """
    if not child.domains():
        return
    raise ConfigurationError(
        f"The token could be sent on to a stranger: {risk}, and this command hands it to pipenv.",
        "Set such things in the environment; and leave out a route, an --index-url and variables "
        "in packages' URLs, which keep pipenv from an index without a token.",
    )


def refuse_overridden(child: ChildEnvironment, dotenv: DotEnv | None, names: Sequence[str]) -> None:
    """Raise ConfigurationError where ``.env`` would be loaded over what pipenv is given.

    Args:
        child: what pipenv gets.
        dotenv: what is loaded over it; None for nothing.
        names: further variables that will be set.
    """
    if dotenv is None:
        return
    # (A token there was taken as the inherited one, so it is the same.)
    for name in [*child.plain, *child.unset, *names]:
        if name in dotenv.values:
            raise ConfigurationError(
                f"{dotenv.path} sets {name}, and pipenv loads that over what it is given here.",
                f"Remove {name} from the file, or set PIPENV_DONT_LOAD_ENV=1.",
            )
