"""``pipenv-ca token``: prints an authorization token for another tool or a shell."""

from __future__ import annotations

import os
import sys

from codeartifact_pipenv.auth.resolver import Resolver
from codeartifact_pipenv.auth.short_process import skip_collections
from codeartifact_pipenv.endpoint import (
    Domain,
    RepositoryEndpoint,
    near_miss,
    parse_host,
    parse_url,
)
from codeartifact_pipenv.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeartifact_pipenv.report import Report
    from codeartifact_pipenv.settings import Settings


def main(arguments: Sequence[str], settings: Settings, report: Report) -> int:
    """Print a token, or with ``--json`` the token, when it expires and what it is for.

    Raises:
        UsageError: the words do not say for which domain.
        CodeArtifactPipenvError: no token can be had.
    """
    skip_collections()
    chosen = _parse(arguments)
    endpoint = _endpoint(chosen)
    resolver = Resolver(settings, os.environ, report)
    token = resolver.token(endpoint)
    if not chosen.json:
        sys.stdout.write(f"{token.value}\n")
        return 0
    document = {
        "token": token.value,
        "expires_at": token.expires_at.isoformat() if token.expires_at else None,
        "source": token.source,
        "domain": endpoint.domain.name,
        "domain_owner": endpoint.domain.owner,
        "region": endpoint.domain.region,
        "endpoint": endpoint.url if endpoint.repository else None,
    }
    import json

    sys.stdout.write(json.dumps(document, indent=2) + "\n")
    return 0


class _Chosen:
    """What the words say."""

    url: str | None = None
    domain: str | None = None
    domain_owner: str | None = None
    region: str | None = None
    json: bool = False


def _parse(arguments: Sequence[str]) -> _Chosen:
    chosen = _Chosen()
    if len(arguments) == 1 and not arguments[0].startswith("-"):
        chosen.url = arguments[0]  # the usual form, without the parser's 5 ms
        return chosen
    import argparse

    parser = argparse.ArgumentParser(
        prog="pipenv-ca token",
        description="Print an authorization token for a CodeArtifact domain.",
    )
    parser.add_argument(
        "url", nargs="?", help="an index or upload URL, or a host; else the Pipfile's"
    )
    parser.add_argument("--domain")
    parser.add_argument("--domain-owner", metavar="ACCOUNT")
    parser.add_argument("--region")
    parser.add_argument("--json", action="store_true", help="token, expiry and endpoint as JSON")
    return parser.parse_args(list(arguments), chosen)


def _endpoint(chosen: _Chosen) -> RepositoryEndpoint:
    parts = (chosen.domain, chosen.domain_owner, chosen.region)
    if chosen.url is not None and not any(parts):
        endpoint = parse_url(chosen.url) or parse_host(chosen.url)
        if endpoint is not None:
            return endpoint
        why = near_miss(chosen.url)
        raise UsageError(
            f"{chosen.url} is no CodeArtifact endpoint{f': {why}' if why else ''}.",
            "Give the URL of a source, or --domain, --domain-owner and --region.",
        )
    if chosen.url is None and chosen.domain and chosen.domain_owner and chosen.region:
        host = f"{chosen.domain}-{chosen.domain_owner}.d.codeartifact.{chosen.region}.amazonaws.com"
        endpoint = parse_host(host)
        named = Domain(chosen.domain, chosen.domain_owner, chosen.region)
        if endpoint is not None and endpoint.domain == named:
            return endpoint
        raise UsageError(
            f"There can be no domain {chosen.domain} of account {chosen.domain_owner} in "
            f"{chosen.region}.",
            "A domain is lower-case letters, digits and hyphens; an account has 12 digits.",
        )
    if chosen.url is None and not any(parts):
        return _of_project()
    raise UsageError(
        "It is not clear which domain is meant.",
        "Give a URL, or all of --domain, --domain-owner and --region, or nothing in a project.",
    )


def _of_project() -> RepositoryEndpoint:
    from codeartifact_pipenv.project.pipfile import load_project, working_directory

    sources = load_project(os.environ, working_directory(), lambda: None).sources()
    endpoints = [source.endpoint for source in sources if source.endpoint is not None]
    if len({endpoint.domain for endpoint in endpoints}) == 1:
        return endpoints[0]
    raise UsageError(
        f"The project here has {'several' if endpoints else 'no'} CodeArtifact domain"
        f"{'s' if endpoints else ''}.",
        "Give the URL of a source, or --domain, --domain-owner and --region.",
    )
