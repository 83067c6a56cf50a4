"""``pipenv-ca token``: prints an authorization token for another tool or a shell."""

from __future__ import annotations

import atexit
import gc
import os
import sys

from codeartifact_pipenv.auth.resolver import Resolver
from codeartifact_pipenv.clients.targets import (
    add_repository_options,
    by_endpoint,
    find_sources,
    named_endpoints,
    read_url,
)
from codeartifact_pipenv.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from codeartifact_pipenv.report import Report
    from codeartifact_pipenv.settings import Settings


def main(arguments: Sequence[str], settings: Settings, report: Report) -> int:
    """Print a token, or with ``--json`` the token, when it expires and what it is for.

    Raises:
        UsageError: the words do not say for which domain.
        CodeArtifactPipenvError: no token can be obtained.
    """
    # Walking what botocore imports costs a tenth of a second, most of it at the interpreter's end.
    gc.disable()
    atexit.register(gc.freeze)
    as_json = False
    if len(arguments) == 1 and not arguments[0].startswith("-"):
        endpoint = read_url(arguments[0])  # the usual form, without the parser's 5 ms
    else:
        options = _parse(arguments)
        endpoints = named_endpoints(options, settings)
        endpoints = endpoints or list(by_endpoint(find_sources(options, settings)))
        if len({endpoint.domain for endpoint in endpoints}) > 1:
            raise UsageError(
                "A token is for one domain, but several match.",
                "Give the URL of a source, or --domain NAME.",
            )
        endpoint, as_json = endpoints[0], options.json
    token = Resolver(settings, os.environ, report).token(endpoint)
    if not as_json:
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


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    from codeartifact_pipenv.terminal.arguments import Parser

    parser = Parser(
        prog="pipenv-ca token",
        description="Print an authorization token for a CodeArtifact domain.",
        examples={
            "pipenv-ca token": "for the project here",
            "pipenv-ca token --domain acme --json": "with its expiry",
        },
    )
    add_repository_options(parser, what="an index or upload URL, or a host; else the Pipfile's")
    parser.add_argument("--json", action="store_true", help="token, expiry and endpoint as JSON")
    return parser.parse_intermixed_args(list(arguments))
