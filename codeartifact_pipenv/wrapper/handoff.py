"""What pipenv is given: variables, netrc entries, a private folder. Pure: data in, data out."""

from __future__ import annotations

from typing import NamedTuple

from codeartifact_pipenv.errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from codeartifact_pipenv.auth.authorization_token import AuthorizationToken
    from codeartifact_pipenv.auth.resolver import DotEnv
    from codeartifact_pipenv.endpoint import Domain, RepositoryEndpoint
    from codeartifact_pipenv.project.sources import Source

KEYRING_VARIABLES = ("PIP_KEYRING_PROVIDER", "PIPENV_KEYRING_PROVIDER")


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
        keyring: whether pip is to ask the keyring command, where netrc does not serve it.
    """

    variables: Mapping[str, Domain]
    plain: Mapping[str, str]
    netrc: Sequence[NetrcEntry]
    keyring: bool = False

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

    Every variable that a URL names gets its domain's token; a host without a password in
    its URL is served by netrc. A username in the URL keeps pip from looking the bare host up
    there: pipenv up to 2025 finds ``aws@HOST`` instead, and later ones, which take the
    username out of the URL and lose it, ask the keyring.
    """
    open_sources = [
        (source.endpoint, source.username)
        for source in sources
        if source.endpoint is not None and not source.has_password
    ]
    machines = {endpoint.host: endpoint.domain for endpoint, _ in open_sources}
    machines |= {
        f"{username}@{endpoint.host}": endpoint.domain
        for endpoint, username in open_sources
        if username
    }
    return Handoff(
        {name: endpoint.domain for name, endpoint in assigned.items()},
        dict.fromkeys(KEYRING_VARIABLES, "subprocess") if any(u for _, u in open_sources) else {},
        [NetrcEntry(machine, domain) for machine, domain in machines.items()],
        keyring=any(username for _, username in open_sources),
    )


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
    endpoints = [source.endpoint for source in sources if source.endpoint is not None]
    netrc = [
        NetrcEntry(host, domain) for host, domain in {e.host: e.domain for e in endpoints}.items()
    ]
    if explicit_index:
        return Handoff({}, {}, netrc)
    from codeartifact_pipenv.endpoint import parse_url

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
    for name in [*handoff.plain, *names]:
        if name in dotenv.values:
            raise ConfigurationError(
                f"{dotenv.path} sets {name}, and pipenv loads that over what it is given here.",
                f"Remove {name} from the file, or set PIPENV_DONT_LOAD_ENV=1.",
            )
