"""Which repositories a verb is about: those of its words, or those of the project here."""

from __future__ import annotations

import os

from codeartifact_pipenv.endpoint import (
    Domain,
    RepositoryEndpoint,
    explain_mismatch,
    parse_host,
    parse_url,
)
from codeartifact_pipenv.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from codeartifact_pipenv.auth.authorization_token import AuthorizationToken
    from codeartifact_pipenv.project.pipfile import Project
    from codeartifact_pipenv.project.sources import Source
    from codeartifact_pipenv.report import Report
    from codeartifact_pipenv.settings import Settings

DEFAULT_NAME = "codeartifact"
USERNAME = "aws"


def add_domain_options(parser: argparse.ArgumentParser) -> None:
    """Add the options by which the AWS CLI names a repository."""
    parser.add_argument("--domain", metavar="NAME", help="the domain's name")
    parser.add_argument(
        "--domain-owner", metavar="ACCOUNT", help="its account (default: the caller's)"
    )
    parser.add_argument("--region", metavar="REGION", help="its AWS region (default: the caller's)")
    parser.add_argument("--repository", metavar="NAME", help="the repository's name")


def add_repository_options(
    parser: argparse.ArgumentParser,
    metavar: str = "URL",
    what: str = "an index (default: the Pipfile's CodeArtifact sources)",
) -> None:
    """Add URLs of repositories, or the options that name one."""
    # With a default, argparse does not call it required.
    parser.add_argument("urls", nargs="*", default=(), metavar=metavar, help=what)
    add_domain_options(parser)


def find_sources(options: argparse.Namespace, settings: Settings) -> list[Source]:
    """Return the repositories that are meant, the most important first.

    Args:
        options: those of ``add_repository_options``; without any, the project here is meant.
        settings: as whom AWS is asked for an owner or region that is not given.

    Raises:
        UsageError: the words name no repository, and the project has none either.
        ConfigurationError: the project cannot be read.
        CodeArtifactPipenvError: AWS does not say whose account it is.
    """
    from codeartifact_pipenv.project.sources import read_source

    named = named_endpoints(options, settings)
    for endpoint in named:
        if endpoint.repository is None:
            raise UsageError(
                f"{endpoint.host} names no repository.",
                "Give the URL of a source, with /pypi/REPOSITORY/ in it, or --repository.",
            )
    return [
        read_source(DEFAULT_NAME, endpoint.simple_url, "the command line", {}) for endpoint in named
    ] or _of_project()


def named_endpoints(options: argparse.Namespace, settings: Settings) -> list[RepositoryEndpoint]:
    """Return what the words name, hosts too; empty if they name nothing. Errors as above."""
    named = any((options.domain, options.domain_owner, options.region, options.repository))
    if options.urls and named:
        raise UsageError("A URL already says which domain is meant.", "Give a URL, or --domain.")
    if named:
        return [read_options(options, settings)]
    return list(dict.fromkeys(map(read_url, options.urls)))


def by_endpoint(sources: Sequence[Source]) -> dict[RepositoryEndpoint, Source]:
    """Return the first source of each repository, in order."""
    found: dict[RepositoryEndpoint, Source] = {}
    for source in sources:
        if source.endpoint is not None:
            found.setdefault(source.endpoint, source)
    return found


def read_url(url: str) -> RepositoryEndpoint:
    """Read the URL of a repository, or a host.

    Raises:
        UsageError: it does not belong to CodeArtifact.
    """
    endpoint = parse_url(url) or parse_host(url)
    if endpoint is not None:
        return endpoint
    why = explain_mismatch(url)
    raise UsageError(
        f"{url} is not a CodeArtifact endpoint{f': {why}' if why else ''}.",
        "Give the URL of a source, or --domain NAME.",
    )


def read_options(options: argparse.Namespace, settings: Settings) -> RepositoryEndpoint:
    """Return what the options name; owner and region default to the caller's.

    Raises:
        UsageError: the domain is missing, such a name is not allowed, or no region is found.
        CodeArtifactPipenvError: AWS does not say whose account it is.
    """
    name, owner, region = options.domain, options.domain_owner, options.region
    if not name:
        raise UsageError(
            "The domain is not set.",
            "Give a URL, or --domain NAME, or nothing in a project.",
        )
    if not (owner and region):
        from codeartifact_pipenv.auth.resolver import caller_for
        from codeartifact_pipenv.clients.caller import find_account, find_region

        caller = caller_for(settings)
        region = region or find_region(caller)
        owner = owner or find_account(caller, region)
    host = f"{name}-{owner}.d.codeartifact.{region}.amazonaws.com"
    url = f"https://{host}/pypi/{options.repository}/"
    endpoint = parse_host(host) if options.repository is None else parse_url(url)
    if endpoint is not None and endpoint.domain == Domain(name, owner, region):
        return endpoint
    there = f"repository {options.repository} in a domain" if options.repository else "domain"
    raise UsageError(
        f"There can be no {there} {name} of account {owner} in {region}.",
        "A domain is lower-case letters, digits and hyphens; an account has 12 digits.",
    )


def _of_project() -> list[Source]:
    project = load_project_here()
    sources = project.pipfile_sources() or project.sources()
    project.assign_variables(sources)
    found = [source for source in sources if source.endpoint is not None]
    if not found:
        found_none = "has no CodeArtifact source" if project.pipfile else "was not found"
        raise UsageError(
            f"A Pipfile {found_none}.",
            "Give the URL of a repository, or --domain and --repository.",
        )
    return found


def load_project_here() -> Project:
    """Return the project of the working directory.

    Raises:
        ConfigurationError: it cannot be read.
    """
    from codeartifact_pipenv.project.pipfile import load_project, working_directory

    return load_project(os.environ, working_directory(), lambda: None)


def tokens_of(
    sources: Sequence[Source], settings: Settings, report: Report
) -> dict[Domain, AuthorizationToken]:
    """Return a token for the domain of each source.

    Raises:
        CodeArtifactPipenvError: one of them cannot be obtained.
    """
    from codeartifact_pipenv.auth.resolver import Resolver
    from codeartifact_pipenv.project.sources import token_variables

    resolver = Resolver(settings, os.environ, report)
    first = {endpoint.domain: endpoint for endpoint in reversed(by_endpoint(sources))}
    return {d: resolver.token(first[d], token_variables(d, sources)) for d in reversed(first)}


def with_login(url: str, token: str | None) -> str:
    """Return a repository's URL with a user name, and with a token if there is one.

    Raises:
        ValueError: the URL is not CodeArtifact's, to which alone a token goes.
    """
    if parse_url(url) is None:
        raise ValueError("a token is for CodeArtifact alone")
    password = f":{token}" if token else ""
    return url.replace("https://", f"https://{USERNAME}{password}@", 1)
