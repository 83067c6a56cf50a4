"""Which repositories a verb is about: those of its words, or those of the project here."""

from __future__ import annotations

import os
from typing import NamedTuple

from codeartifact_pipenv.endpoint import (
    Domain,
    RepositoryEndpoint,
    near_miss,
    parse_host,
    parse_url,
)
from codeartifact_pipenv.errors import UsageError
from codeartifact_pipenv.settings import TOKEN_VARIABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from codeartifact_pipenv.auth.authorization_token import AuthorizationToken
    from codeartifact_pipenv.project.pipfile import Project
    from codeartifact_pipenv.report import Report
    from codeartifact_pipenv.settings import Settings

DEFAULT_NAME = "codeartifact"
USERNAME = "aws"


class Chosen:
    """What the words say of repositories; an argparse namespace."""

    url: str | None = None
    domain: str | None = None
    domain_owner: str | None = None
    region: str | None = None
    repository: str | None = None

    @property
    def has_options(self) -> bool:
        """Whether an option that names a domain or repository is given."""
        return any((self.domain, self.domain_owner, self.region, self.repository))


class Target(NamedTuple):
    """One repository.

    Attributes:
        name: what the project calls it, or ``codeartifact``.
        endpoint: where it is.
        variables: names under which its token may have been handed over.
    """

    name: str
    endpoint: RepositoryEndpoint
    variables: tuple[str, ...]


def add_domain_options(parser: argparse.ArgumentParser) -> None:
    """Add the options by which the AWS CLI names a domain."""
    parser.add_argument("--domain", metavar="NAME", help="the domain's name")
    parser.add_argument("--domain-owner", metavar="ACCOUNT", help="its account (the caller's)")
    parser.add_argument("--region", metavar="REGION", help="its AWS region (the caller's)")


def add_repository_options(parser: argparse.ArgumentParser) -> None:
    """Add URLs of repositories, or the options that name one."""
    # With a default, argparse does not call it required.
    parser.add_argument(
        "urls",
        nargs="*",
        default=(),
        metavar="URL",
        help="of an index; else the Pipfile's CodeArtifact ones",
    )
    add_domain_options(parser)
    parser.add_argument("--repository", metavar="NAME", help="the repository's name")


def find_targets(urls: Sequence[str], chosen: Chosen, settings: Settings) -> list[Target]:
    """Return the repositories that are meant, the most important first.

    Args:
        urls: index or upload URLs; empty for those of the options, or else of the project.
        chosen: the options.
        settings: as whom AWS is asked for an owner or region that is not given.

    Raises:
        UsageError: the words name no repository, and the project has none either.
        ConfigurationError: the project cannot be read.
    """
    if urls:
        endpoints = [_repository(url, chosen) for url in urls]
    elif chosen.has_options:
        endpoints = [of_domain(chosen, settings)]
    else:
        return _of_project()
    several = len({endpoint.domain for endpoint in endpoints}) > 1
    # (A token does not say which domain it is for.)
    variables = () if several else (TOKEN_VARIABLE,)
    return [Target(DEFAULT_NAME, each, variables) for each in dict.fromkeys(endpoints)]


def _repository(url: str, chosen: Chosen) -> RepositoryEndpoint:
    endpoint = of_url(url, chosen)
    if endpoint.repository is None:
        raise UsageError(
            f"{url} names no repository.", "Give the URL of a source, with /pypi/REPOSITORY/ in it."
        )
    return endpoint


def of_url(url: str, chosen: Chosen) -> RepositoryEndpoint:
    """Read the URL of a repository, or a host.

    Raises:
        UsageError: it does not belong to CodeArtifact, or options are given too.
    """
    if chosen.has_options:
        raise UsageError("A URL already says which domain is meant.", "Give a URL, or --domain.")
    endpoint = parse_url(url) or parse_host(url)
    if endpoint is not None:
        return endpoint
    why = near_miss(url)
    raise UsageError(
        f"{url} is not a CodeArtifact endpoint{f': {why}' if why else ''}.",
        "Give the URL of a source, or --domain NAME.",
    )


def of_options(chosen: Chosen) -> RepositoryEndpoint:
    """Return what ``--domain``, ``--domain-owner``, ``--region`` and ``--repository`` name.

    Raises:
        UsageError: one of the first three is missing, or such a name is not allowed.
    """
    name, owner, region = chosen.domain, chosen.domain_owner, chosen.region
    if not (name and owner and region):
        raise UsageError(
            "It is not clear which domain is meant.",
            "Give a URL, or --domain NAME, or nothing in a project.",
        )
    host = f"{name}-{owner}.d.codeartifact.{region}.amazonaws.com"
    url = f"https://{host}/pypi/{chosen.repository}/"
    endpoint = parse_host(host) if chosen.repository is None else parse_url(url)
    if endpoint is not None and endpoint.domain == Domain(name, owner, region):
        return endpoint
    there = f"repository {chosen.repository} in a domain" if chosen.repository else "domain"
    raise UsageError(
        f"There can be no {there} {name} of account {owner} in {region}.",
        "A domain is lower-case letters, digits and hyphens; an account has 12 digits.",
    )


def of_domain(chosen: Chosen, settings: Settings) -> RepositoryEndpoint:
    """Return what the options name; owner and region default to the caller's.

    Raises:
        UsageError: as for ``of_options``, or no region is found.
        CodeArtifactPipenvError: AWS does not say whose account it is.
    """
    if chosen.domain and not (chosen.domain_owner and chosen.region):
        from codeartifact_pipenv.clients.caller import find_account, find_region

        profile = settings.text("profile")
        chosen.region = chosen.region or find_region(profile)
        chosen.domain_owner = chosen.domain_owner or find_account(profile, chosen.region)
    return of_options(chosen)


def _of_project() -> list[Target]:
    project = load_project_here()
    sources = project.pipfile_sources() or project.sources()
    assigned = project.assign_variables(sources)
    found: dict[RepositoryEndpoint, Target] = {}
    for source in sources:
        if source.endpoint is not None:
            names = tuple(n for n, e in assigned.items() if e.domain == source.endpoint.domain)
            found.setdefault(source.endpoint, Target(source.name, source.endpoint, names))
    if not found:
        where = "The project here" if project.pipfile else "There is no Pipfile here; a project"
        raise UsageError(
            f"{where} has no CodeArtifact source.",
            "Give the URL of a repository, or --domain and --repository.",
        )
    return list(found.values())


def load_project_here() -> Project:
    """Return the project of the working directory.

    Raises:
        ConfigurationError: it cannot be read.
    """
    from codeartifact_pipenv.project.pipfile import load_project, working_directory

    return load_project(os.environ, working_directory(), lambda: None)


def tokens_of(
    targets: Sequence[Target], settings: Settings, report: Report
) -> dict[Domain, AuthorizationToken]:
    """Return a token for each domain.

    Raises:
        CodeArtifactPipenvError: one of them cannot be obtained.
    """
    from codeartifact_pipenv.auth.resolver import Resolver

    resolver = Resolver(settings, os.environ, report)
    first: dict[Domain, Target] = {}
    for target in targets:
        first.setdefault(target.endpoint.domain, target)
    return {d: resolver.token(t.endpoint, t.variables) for d, t in first.items()}


def with_login(url: str, token: str | None) -> str:
    """Return a repository's URL with a user name, and with a token if there is one.

    Raises:
        ValueError: the URL is not CodeArtifact's, to which alone a token goes.
    """
    if parse_url(url) is None:
        raise ValueError("a token is for CodeArtifact alone")
    password = f":{token}" if token else ""
    return url.replace("https://", f"https://{USERNAME}{password}@", 1)
