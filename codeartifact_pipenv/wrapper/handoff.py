"""What pipenv is given: variables, netrc entries, a private folder. Pure: data in, data out."""

from __future__ import annotations

from typing import NamedTuple

from codeartifact_pipenv.endpoint import parse_url
from codeartifact_pipenv.errors import ConfigurationError
from codeartifact_pipenv.project.sources import expand
from codeartifact_pipenv.settings import TOKEN_VARIABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from codeartifact_pipenv.auth.authorization_token import AuthorizationToken
    from codeartifact_pipenv.auth.resolver import DotEnv
    from codeartifact_pipenv.endpoint import Domain, RepositoryEndpoint
    from codeartifact_pipenv.project.sources import Source


class NetrcEntry(NamedTuple):
    """One machine of a netrc file, and whose token it gets."""

    machine: str
    domain: Domain


class Handoff(NamedTuple):
    """All that a pipenv command gets beside what the user gave it.

    Attributes:
        variables: by name of a variable, the domain whose token it holds.
        plain: variables without a secret, by name.
        netrc: what a private netrc file says.
        unset: variables of the environment that it does not get.
        withheld: variables with a token that it has no use for, and does not get either.
    """

    variables: Mapping[str, Domain]
    plain: Mapping[str, str]
    netrc: Sequence[NetrcEntry]
    unset: Sequence[str] = ()
    withheld: Sequence[str] = ()

    def domains(self) -> list[Domain]:
        """Return the domains that tokens are needed of, each once."""
        return list(dict.fromkeys([*self.variables.values(), *(e.domain for e in self.netrc)]))

    def environment(self, tokens: Mapping[Domain, AuthorizationToken]) -> dict[str, str]:
        """Return the variables to set, tokens in clear."""
        secret = {name: tokens[domain].value for name, domain in self.variables.items()}
        return {**self.plain, **secret}

    def netrc_lines(self, tokens: Mapping[Domain, AuthorizationToken]) -> list[str]:
        """Return the lines of the netrc file, tokens in clear."""
        return [
            f"machine {entry.machine} login aws password {tokens[entry.domain].value}"
            for entry in self.netrc
        ]


def for_index_command(
    sources: Sequence[Source], assigned: Mapping[str, RepositoryEndpoint]
) -> Handoff:
    """Say what a command that resolves or installs is given.

    Every variable that a URL names gets its domain's token; a host without credentials in
    its URL is served by netrc.
    """
    hosts = {
        source.endpoint.host: source.endpoint.domain
        for source in sources
        if source.endpoint is not None and not source.has_password
    }
    mirrors = [source.url for source in sources if source.is_mirror]
    return Handoff(
        {name: endpoint.domain for name, endpoint in assigned.items()},
        # (Without the login that it may have in the user's environment.)
        {"PIPENV_PYPI_MIRROR": mirrors[0]} if mirrors else {},
        [NetrcEntry(host, domain) for host, domain in hosts.items()],
    )


def for_loopback(assigned: Mapping[str, RepositoryEndpoint], mentioned: set[str]) -> Handoff:
    """Say what a command is given that sees the index on loopback: no token, if that can be.

    Args:
        assigned: by variable, the repository whose domain's token it is to hold.
        mentioned: the variables that packages' own URLs name; these it needs.
    """
    # pipenv names its own index to pip, and takes these as a user's --index and mirror. An
    # extra index is blanked, not emptied: pip passes over empty values and takes its files'.
    return Handoff(
        {name: e.domain for name, e in assigned.items() if name in mentioned},
        {"PIP_EXTRA_INDEX_URL": " "},
        [],
        unset=("PIP_INDEX_URL", "PIPENV_PYPI_MIRROR"),
        withheld=sorted({TOKEN_VARIABLE, *assigned} - mentioned),
    )


def refuse_other_indexes(
    arguments: Sequence[str], sources: Sequence[Source], environ: Mapping[str, str], *, named: bool
) -> None:
    """Raise ConfigurationError where the user names an index that is none of the project's.

    Such an index would be asked for private names too, or would not be asked at all: neither
    is what was meant.

    Args:
        arguments: the words of the command.
        sources: the project's sources.
        environ: the environment as pipenv will see it.
        named: whether the words name packages.
    """
    own_urls = {url for s in sources for url in (s.url, expand(s.url, environ))}
    endpoints = {source.endpoint for source in sources if source.endpoint is not None}
    words = [_option(word) for word in arguments]
    for at, (word, value) in enumerate(words):
        if word == "--pypi-mirror":
            raise ConfigurationError(
                "--pypi-mirror would lead pipenv past the index in which private packages are.",
                "Set PIPENV_PYPI_MIRROR instead: it takes the place of the public index.",
            )
        if word in {"-i", "--index"}:
            given = value or (arguments[at + 1] if at + 1 < len(arguments) else "")
            if "://" in given:
                raise ConfigurationError(
                    f"{word} names an index by its URL, which is another one for this command.",
                    "Name the source of the Pipfile instead, such as --index codeartifact.",
                )
    extra = environ.get("PIP_EXTRA_INDEX_URL", "").split()
    own = environ.get("PIP_INDEX_URL", "").split() if named else []
    for name, given_urls in (("PIP_EXTRA_INDEX_URL", extra), ("PIP_INDEX_URL", own)):
        if any(url not in own_urls and parse_url(url) not in endpoints for url in given_urls):
            raise ConfigurationError(
                f"{name} names an index that is no source of this project, so a private package "
                "could come from elsewhere.",
                f"Unset {name}, or make that index a source of the Pipfile.",
            )


def _option(word: str) -> tuple[str, str]:
    """Split an option from the value that is attached to it, also after flags (``-diURL``)."""
    if not word.startswith("--"):
        flags, found, value = word.partition("i")
        if found and flags.startswith("-") and not flags[1:].strip("dvq"):
            return "-i", value
    option, _, value = word.partition("=")
    return option, value


def for_pip(
    sources: Sequence[Source],
    environ: Mapping[str, str],
    *,
    explicit_index: bool,
) -> Handoff:
    """Say what ``pipenv run pip`` is given: the project's repository as pip's one index.

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
    endpoints = [source.endpoint for source in in_order if source.endpoint is not None]
    netrc = [
        NetrcEntry(host, domain) for host, domain in {e.host: e.domain for e in endpoints}.items()
    ]
    if explicit_index:
        return Handoff({}, {}, netrc)
    index = endpoints[0]
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"):
        for url in environ.get(name, "").split():
            named = parse_url(url)
            if named is None or named.simple_url not in {e.simple_url for e in endpoints}:
                raise ConfigurationError(
                    f"{name} names an index for pip that is not a CodeArtifact source of this "
                    "project, so a private package could come from elsewhere.",
                    f"Unset {name}, or give pip the index yourself with --index-url.",
                )
            if name == "PIP_INDEX_URL":
                index = named
    # A blank, not an empty, value: pip passes over empty ones and takes its files' word.
    return Handoff({}, {"PIP_INDEX_URL": index.simple_url, "PIP_EXTRA_INDEX_URL": " "}, netrc)


def refuse_exposed(handoff: Handoff, exposed: str) -> None:
    """Raise ConfigurationError where pipenv is given a token that the project may send on.

    Args:
        handoff: what it is given.
        exposed: what of the project has a say in it, as a clause.
    """
    if not handoff.domains():
        return
    raise ConfigurationError(
        f"The token could be sent on to a stranger: {exposed}, and this command hands it to pipenv.",
        "Set such things in the environment; and leave out a route, an --index-url and variables "
        "in packages' URLs, which keep pipenv from an index without a token.",
    )


def refuse_overridden(handoff: Handoff, dotenv: DotEnv | None, names: Sequence[str]) -> None:
    """Raise ConfigurationError where ``.env`` would be loaded over what pipenv is given.

    Args:
        handoff: what it is given.
        dotenv: what is loaded over it; None for nothing.
        names: further variables that will be set.
    """
    if dotenv is None:
        return
    # (A token there was taken as the inherited one, so it is the same.)
    for name in [*handoff.plain, *handoff.unset, *names]:
        if name in dotenv.values:
            raise ConfigurationError(
                f"{dotenv.path} sets {name}, and pipenv loads that over what it is given here.",
                f"Remove {name} from the file, or set PIPENV_DONT_LOAD_ENV=1.",
            )
