"""Host names of the sandbox, and ARNs."""

from __future__ import annotations

import re
from typing import NamedTuple

from codeartifact_pipenv.endpoint import Domain, RepositoryEndpoint, parse_host, parse_url

_REGION = r"(?P<region>[a-z]{2}(?:-[a-z]+)+-[0-9]{1,2})"
_API_HOSTS = (
    (
        "codeartifact",
        re.compile(rf"codeartifact(?:-fips)?\.{_REGION}\.(?:amazonaws\.com|api\.aws)"),
    ),
    ("sts", re.compile(rf"sts\.(?:{_REGION}\.)?amazonaws\.com")),
    ("iam", re.compile(r"iam\.(?P<region>)amazonaws\.com")),
    ("assets", re.compile(rf"assets-[0-9]{{12}}-{_REGION}\.s3\.(?:(?P=region)\.)?amazonaws\.com")),
)
_GLOBAL_REGION = "us-east-1"
PUBLIC_HOST = "pypi.org"
"""The public index; the sandbox serves it only on request."""
_ASSET_ACCOUNT = "193858265520"
_VPCE_ID = "vpce-0123456789abcdef0-sandboxx"


class Host(NamedTuple):
    """A host of the sandbox: its lower-case name, its service and its signing region.

    The service is ``packages``, ``assets``, ``public``, ``codeartifact``, ``sts`` or ``iam``.
    """

    name: str
    service: str
    region: str


def recognise(name: str) -> Host | None:
    """Return the sandbox's host of a name, or None for any other name."""
    name = name.lower()
    if name == PUBLIC_HOST:
        return Host(name, "public", "")
    # A VPC endpoint's host does not name the domain, so parse it with a placeholder.
    endpoint = parse_host(name) or parse_url(f"https://{name}/pypi/d/aa-000000000000/aa/")
    if endpoint is not None and endpoint.host == name:
        return Host(name, "packages", endpoint.domain.region)
    for service, pattern in _API_HOSTS:
        match = pattern.fullmatch(name)
        if match:
            return Host(name, service, match["region"] or _GLOBAL_REGION)
    return None


def endpoint_for(domain: Domain, repository: str, kind: str = "ipv4") -> RepositoryEndpoint:
    """Return a repository's endpoint; the kind is ipv4, dualstack or vpce."""
    name, owner, region = domain
    host = {
        "ipv4": f"{name}-{owner}.d.codeartifact.{region}.amazonaws.com",
        "dualstack": f"{name}-{owner}.codeartifact.{region}.on.aws",
        "vpce": f"{_VPCE_ID}.d.codeartifact.{region}.vpce.amazonaws.com",
    }[kind]
    return RepositoryEndpoint(domain, repository, kind, host)


def asset_host(region: str) -> str:
    """Return the host that files of a region are redirected to."""
    where = "" if region == _GLOBAL_REGION else f".{region}"
    return f"assets-{_ASSET_ACCOUNT}-{region}.s3{where}.amazonaws.com"


def domain_arn(domain: Domain) -> str:
    """Return a domain's ARN."""
    return f"{_prefix(domain)}:domain/{domain.name}"


def repository_arn(domain: Domain, repository: str) -> str:
    """Return a repository's ARN."""
    return f"{_prefix(domain)}:repository/{domain.name}/{repository}"


def package_arn(
    domain: Domain,
    repository: str,
    package: str,
    package_format: str = "pypi",
    namespace: str = "",
) -> str:
    """Return a package's ARN; Python packages have no namespace."""
    return f"{_prefix(domain)}:package/{domain.name}/{repository}/{package_format}/{namespace}/{package}"


def group_arn(domain: Domain, pattern: str) -> str:
    """Return a package group's ARN; the pattern begins with a slash."""
    return f"{_prefix(domain)}:package-group/{domain.name}{pattern}"


def _prefix(domain: Domain) -> str:
    return f"arn:aws:codeartifact:{domain.region}:{domain.owner}"
